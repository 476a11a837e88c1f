//! Every metric: its name, its meaning, and the one function that records it.
//!
//! Labels hold only words of ours and names from the configuration, never text from outside: so
//! their number is bounded.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::subject::ConnectionName;

pub mod polled;
mod results;

pub use results::{ActionOutcome, AnnouncementResult, MessageResult, ReloadResult, WebhookResult};

/// Messages by `result`: `read`, `ignored`, `dead`, `repeat`, `passed_over`.
pub const MESSAGES: &str = "pointsman_messages_total";
/// Events by `kind`.
pub const EVENTS: &str = "pointsman_events_total";
/// What was posted to `/hooks/…`, by `connection` and `result`: `accepted`, `repeat`, `ignored`,
/// `ping`, `unsigned`, `forged`, `malformed`, `too_large`, `slow`, `full`.
pub const WEBHOOKS: &str = "pointsman_webhooks_total";
/// Artifacts that were posted to `/api/v1/artifacts`, by `producer` and `result`: `accepted`,
/// `repeat`, `forbidden`, `malformed`, `too_large`, `slow`, `full`.
pub const ANNOUNCEMENTS: &str = "pointsman_announcements_total";
/// Rules considered, by `rule` and `outcome`.
pub const RULES: &str = "pointsman_rules_total";
/// Tries of actions, by `kind`, `connection` and `outcome`: `done`, `retried`, `buried`,
/// `superseded`.
pub const ACTIONS: &str = "pointsman_actions_total";
/// How long one try took, by `kind` and `connection`.
pub const ACTION_SECONDS: &str = "pointsman_action_seconds";
/// Actions that wait, by `connection`.
pub const ACTIONS_WAITING: &str = "pointsman_actions_waiting";
/// Actions that were given up and not dug out again.
pub const BURIED: &str = "pointsman_buried";
/// Messages that could not be read.
pub const DEAD_LETTERS: &str = "pointsman_dead_letters";
/// The age of the oldest action that is due and waits.
pub const LAG: &str = "pointsman_lag_seconds";
/// How many messages went into the ledger together.
pub const INTAKE_BATCH: &str = "pointsman_intake_batch_messages";
/// When the last message came, in seconds since 1970.
pub const LAST_MESSAGE: &str = "pointsman_last_message_timestamp_seconds";

/// Readings of the rules' files, by `result`: `ok`, `faulty`, `unchanged`.
pub const RELOADS: &str = "pointsman_reloads_total";
/// Whether the rules' files cannot be used as they are, so that older rules are in force.
pub const RULES_FAULTY: &str = "pointsman_rules_faulty";
/// When the rules in force were loaded, in seconds since 1970.
pub const RULES_LOADED: &str = "pointsman_rules_loaded_timestamp_seconds";
/// How many rules are in force.
pub const RULES_IN_FORCE: &str = "pointsman_rules";

/// Looks at the open proposals of a project, by `connection` and `result`: `ok`, `failed`.
pub const RECONCILE: &str = "pointsman_reconcile_total";
/// What such looks have found that no message had told, by `connection` and `kind`: a kind of
/// event, or `noted`.
pub const RECONCILE_FOUND: &str = "pointsman_reconcile_found_total";

/// From a fast answer on the same network to the usual limit of a call, and beyond.
const ACTION_BUCKETS_SECONDS: &[f64] =
    &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
/// From a message that came alone to the largest batch that makes sense.
const BATCH_BUCKETS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0];
/// After how many samples of histograms they are added up, so that a service that nobody scrapes
/// does not collect them without end.
const SAMPLES_KEPT_MAX: u64 = 1_000;

static METRICS: OnceLock<Metrics> = OnceLock::new();
static SAMPLES: AtomicU64 = AtomicU64::new(0);

/// What was recorded since the process began.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// All metrics in the text format of Prometheus, version 0.0.4.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Begins to record; every later call gives the same metrics.
pub fn start() -> Metrics {
    METRICS.get_or_init(install).clone()
}

fn install() -> Metrics {
    let recorder = recorder().unwrap_or_else(|error| {
        // Only an empty list of buckets is an error, and ours are constants.
        tracing::error!(%error, "Histograms have no buckets");
        PrometheusBuilder::new().build_recorder()
    });
    let handle = recorder.handle();
    if let Err(error) = metrics::set_global_recorder(recorder) {
        tracing::error!(%error, "Metrics stay empty, because something else records them");
    }
    describe();
    begin_at_zero();
    Metrics(handle)
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let exactly = |name: &str| Matcher::Full(name.to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(exactly(ACTION_SECONDS), ACTION_BUCKETS_SECONDS)?
        .set_buckets_for_metric(exactly(INTAKE_BATCH), BATCH_BUCKETS)?
        .build_recorder())
}

fn describe() {
    describe_counter!(MESSAGES, "Messages by what became of them.");
    describe_counter!(EVENTS, "Events by kind.");
    describe_counter!(WEBHOOKS, "Webhooks by what became of them.");
    describe_counter!(ANNOUNCEMENTS, "Artifacts that were posted, by what became of them.");
    describe_counter!(RULES, "Rules considered, by what came of it.");
    describe_counter!(ACTIONS, "Tries of actions, by what came of them.");
    describe_histogram!(ACTION_SECONDS, Unit::Seconds, "How long one try took.");
    describe_gauge!(ACTIONS_WAITING, "Actions that wait.");
    describe_gauge!(BURIED, "Actions that were given up.");
    describe_gauge!(DEAD_LETTERS, "Messages that could not be read.");
    describe_gauge!(LAG, Unit::Seconds, "The age of the oldest action that is due and waits.");
    describe_histogram!(
        INTAKE_BATCH,
        Unit::Count,
        "How many messages went into the ledger together."
    );
    describe_gauge!(LAST_MESSAGE, Unit::Seconds, "When the last message came.");
    describe_counter!(RELOADS, "Readings of the rules' files, by what came of them.");
    describe_gauge!(
        RULES_FAULTY,
        "1 while the rules' files have a fault and older rules are in force."
    );
    describe_gauge!(RULES_LOADED, Unit::Seconds, "When the rules in force were loaded.");
    describe_gauge!(RULES_IN_FORCE, "Rules in force.");
    describe_counter!(RECONCILE, "Looks at the open proposals of a project, by what came of them.");
    describe_counter!(RECONCILE_FOUND, "What such looks have found that no message had told.");
    polled::describe();
}

/// Makes known what has not happened yet, so that its first time is an increase.
fn begin_at_zero() {
    for result in MessageResult::ALL {
        count_messages(result, 0);
    }
    for result in ReloadResult::ALL {
        counter!(RELOADS, "result" => result.as_str()).increment(0);
    }
    set_buried(0);
    set_dead_letters(0);
    set_lag(Duration::ZERO);
}

/// Counts messages.
pub fn count_messages(result: MessageResult, count: u64) {
    counter!(MESSAGES, "result" => result.as_str()).increment(count);
}

/// Makes known that `connection` can post to us, so that its first post is an increase.
pub fn begin_webhooks(connection: &ConnectionName) {
    for result in WebhookResult::ALL {
        count_webhooks(connection, result, 0);
    }
}

/// Counts what a connection posted; the connection is one that is configured.
pub fn count_webhooks(connection: &ConnectionName, result: WebhookResult, count: u64) {
    let connection = connection.as_str().to_owned();
    counter!(WEBHOOKS, "connection" => connection, "result" => result.as_str()).increment(count);
}

/// Makes known that `producer` can post what it announces, so that its first post is an increase.
pub fn begin_announcements(producer: &str) {
    for result in AnnouncementResult::ALL {
        count_announcements(producer, result, 0);
    }
}

/// Counts what a producer posted; the producer is one that is configured.
pub fn count_announcements(producer: &str, result: AnnouncementResult, count: u64) {
    let producer = producer.to_owned();
    counter!(ANNOUNCEMENTS, "producer" => producer, "result" => result.as_str()).increment(count);
}

/// Counts an event.
pub fn count_event(kind: &'static str) {
    counter!(EVENTS, "kind" => kind).increment(1);
}

/// Counts a rule that was considered; `outcome` is [`Outcome::as_str`](crate::decision::Outcome).
pub fn count_rule(rule: &str, outcome: &'static str) {
    counter!(RULES, "rule" => rule.to_owned(), "outcome" => outcome).increment(1);
}

/// Makes known what rules have not come to yet: to fire, in earnest or as a shadow, and to fail.
pub fn begin_rules<'a>(rules: impl IntoIterator<Item = &'a str>) {
    for rule in rules {
        for outcome in ["fired", "shadow", "failed"] {
            counter!(RULES, "rule" => rule.to_owned(), "outcome" => outcome).increment(0);
        }
    }
}

/// Counts one try of an action; `kind` is [`Task::kind`](crate::action::Task::kind).
pub fn count_action(kind: &'static str, connection: &ConnectionName, outcome: ActionOutcome) {
    let connection = connection.as_str().to_owned();
    counter!(ACTIONS, "kind" => kind, "connection" => connection, "outcome" => outcome.as_str())
        .increment(1);
}

/// Records how long one try of an action took.
pub fn record_action_time(kind: &'static str, connection: &ConnectionName, took: Duration) {
    let connection = connection.as_str().to_owned();
    histogram!(ACTION_SECONDS, "kind" => kind, "connection" => connection).record(took);
    add_up_now_and_then();
}

/// Tells how many actions wait for one connection.  A connection that has none any more has to be
/// told too, or its last number stays.
pub fn set_actions_waiting(connection: &ConnectionName, count: u64) {
    let connection = connection.as_str().to_owned();
    gauge!(ACTIONS_WAITING, "connection" => connection).set(float(count));
}

/// Tells how many actions are buried.
pub fn set_buried(count: u64) {
    gauge!(BURIED).set(float(count));
}

/// Tells how many dead letters there are.
pub fn set_dead_letters(count: u64) {
    gauge!(DEAD_LETTERS).set(float(count));
}

/// Tells how long the oldest action that is due has waited.
pub fn set_lag(lag: Duration) {
    gauge!(LAG).set(lag.as_secs_f64());
}

/// Records how many messages went into the ledger together.
pub fn record_intake_batch(messages: usize) {
    histogram!(INTAKE_BATCH).record(float(messages as u64));
    add_up_now_and_then();
}

/// Tells when the last message came.
pub fn set_last_message(time: Timestamp) {
    gauge!(LAST_MESSAGE).set(time.as_duration().as_secs_f64());
}

/// Counts a reading of the rules' files.
pub fn count_reload(result: ReloadResult) {
    counter!(RELOADS, "result" => result.as_str()).increment(1);
}

/// Tells how many rules are in force and since when, and whether their files have a fault.
pub fn set_rules(count: usize, is_faulty: bool, loaded_at: Timestamp) {
    gauge!(RULES_IN_FORCE).set(float(count as u64));
    gauge!(RULES_FAULTY).set(if is_faulty { 1.0 } else { 0.0 });
    gauge!(RULES_LOADED).set(loaded_at.as_duration().as_secs_f64());
}

/// Counts a look at the open proposals of a project.
pub fn count_reconcile(connection: &ConnectionName, is_ok: bool) {
    let connection = connection.as_str().to_owned();
    let result = if is_ok { "ok" } else { "failed" };
    counter!(RECONCILE, "connection" => connection, "result" => result).increment(1);
}

/// Counts what such a look has found; `kind` is a kind of event, or `noted`.
pub fn count_reconcile_found(connection: &ConnectionName, kind: &'static str) {
    let connection = connection.as_str().to_owned();
    counter!(RECONCILE_FOUND, "connection" => connection, "kind" => kind).increment(1);
}

/// The exporter keeps each sample until somebody scrapes or asks it to add up.
fn add_up_now_and_then() {
    let samples = SAMPLES.fetch_add(1, Ordering::Relaxed);
    if samples % SAMPLES_KEPT_MAX == SAMPLES_KEPT_MAX - 1
        && let Some(Metrics(handle)) = METRICS.get()
    {
        handle.run_upkeep();
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and counts stay far below 2^53"
)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
