//! Asking those sources for what is new that tell nothing by themselves.
//!
//! Each is asked by a loop of its own, again and again, whatever it answers: a source that is away
//! for a week is asked until it is back.  How far it was heard is written down only together with
//! what it told (or, where that is published, after the broker has it), so that what dies in
//! between is told once more, and known by its id.  Once a day everything of the last days is gone
//! through besides: a cursor alone has lost series everywhere that it was relied upon.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Service;
use crate::clock::Clock;
use crate::ledger::cursors::Cursor;
use crate::message::Message;
use crate::remote::{Failure, chain};
use crate::source::poll::{Look, Polled, PolledBy, Poller};
use crate::subject::ConnectionName;
use crate::telemetry::metrics::polled as metrics;
use crate::web::health::{Health, PollReport};
use crate::worker::backoff::Backoff;

pub mod bus;
mod night;
pub(super) mod own;

use night::Night;
use own::OwnDesk;

/// What the names of cursors begin with: how far a source was heard, and when all of it was gone
/// through.
const CURSORS: &str = "poll/";
const WHOLE_CURSORS: &str = "poll-whole/";

/// How long one look may take, and one that goes through everything.
const LOOK_TIMEOUT: Duration = Duration::from_mins(10);
const WHOLE_TIMEOUT: Duration = Duration::from_hours(2);

/// The longest cursor that is kept.
const CURSOR_MAX_BYTES: usize = 1024 * 1024;

/// After so many looks without a pause there is one, whatever the source says it has.
const AT_ONCE_MAX: u32 = 100;

/// Pauses after failures; a source that is asked seldom anyway is not asked more often.
const FAILURE_PAUSE_MIN: Duration = Duration::from_secs(30);
const FAILURE_PAUSE_MAX: Duration = Duration::from_mins(15);

/// How long it is waited before everything is gone through once more, when that has failed.
const WHOLE_PAUSE: Backoff = Backoff { min: Duration::from_mins(10), max: Duration::from_hours(4) };

/// How many kinds of failures are remembered, so that each is logged once.
const KINDS_MAX: usize = 16;

/// Where it is kept how far sources were heard, and where what they tell is put.
#[async_trait]
pub trait Desk: Send + Sync {
    /// The cursor called `name`.
    async fn cursor(&self, name: String) -> anyhow::Result<Option<Cursor>>;

    /// Puts `messages` where they belong, and writes `cursors` with them or after them, never
    /// before.  What is within may pass; what is not ends the work.
    async fn take(
        &self,
        messages: Vec<Message>,
        cursors: Vec<(String, String)>,
    ) -> anyhow::Result<Result<(), Failure>>;
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How long to wait before the next.
    pub pause: Duration,
    /// Whether the source answered, and what it told was taken.
    pub is_ok: bool,
}

/// Asks one source.
pub struct Asker {
    connection: ConnectionName,
    poller: Arc<dyn Poller>,
    every: Duration,
    desk: Arc<dyn Desk>,
    health: Arc<Health>,
    clock: Clock,
    night: Night,
    /// The looks without a pause between them.
    at_once: u32,
    report: PollReport,
    /// The failures that were logged since it answered.
    told: BTreeSet<String>,
    /// How often going through everything has failed, and when it is tried again.
    whole_failures: (u32, Timestamp),
}

impl Service {
    /// Asks those sources that the service asks itself.
    pub(super) fn spawn_pollers(&mut self, pollers: Vec<Polled>, clock: &Clock) {
        let desk: Arc<dyn Desk> = Arc::new(OwnDesk {
            live: self.live.clone(),
            ledger: self.ledger.clone(),
            health: Arc::clone(&self.health),
        });
        for polled in pollers.into_iter().filter(|polled| polled.by == PolledBy::Service) {
            let health = Arc::clone(&self.health);
            let asker = Asker::new(polled, Arc::clone(&desk), (health, clock.clone()));
            self.spawn("the asking of a source", asker.serve(self.stop.clone()));
        }
    }
}

impl Asker {
    /// One who asks `polled`, and puts what it tells on `desk`.
    pub fn new(polled: Polled, desk: Arc<dyn Desk>, (health, clock): (Arc<Health>, Clock)) -> Self {
        let Polled { connection, poller, every, by: _ } = polled;
        metrics::begin(&connection);
        health.set_polled(&connection, PollReport::default());
        Self {
            connection,
            poller,
            every,
            desk,
            health,
            clock,
            night: Night::by_chance(fastrand::f64()),
            at_once: 0,
            report: PollReport::default(),
            told: BTreeSet::new(),
            whole_failures: (0, Timestamp::MIN),
        }
    }

    /// The source.
    pub fn connection(&self) -> &ConnectionName {
        &self.connection
    }

    /// Asks until `stop`; fails only where it cannot be written down what was heard.
    pub async fn serve(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            // What is dropped here was not written down, and is told again.
            let turn = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                turn = self.turn() => turn?,
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(turn.pause) => {}
            }
        }
    }

    /// Asks until there is nothing more to be had at once, or until the source fails; how it went.
    pub async fn once(mut self) -> anyhow::Result<PollReport> {
        loop {
            let turn = self.turn().await?;
            if !turn.pause.is_zero() {
                return Ok(self.report);
            }
        }
    }

    /// Asks for what is new, and where it is time goes through everything.
    pub async fn turn(&mut self) -> anyhow::Result<Turn> {
        let cursor = self.desk.cursor(self.cursor_name()).await?;
        let is_first = cursor.is_none();
        let before = cursor.map(|cursor| cursor.value);
        let look = within(LOOK_TIMEOUT, self.poller.look(before.as_deref(), self.clock.now()));
        let mut taken = match look.await {
            Ok(look) => self.take((look, before.as_deref()), Whole::Not(is_first)).await?,
            Err(failure) => Err(failure),
        };
        if taken.as_ref().is_ok_and(|has_more| !has_more) {
            match self.whole().await? {
                Ok(has_more) => taken = Ok(has_more),
                Err(failure) => self.note_whole_failure(&failure),
            }
        }
        Ok(self.note(taken))
    }

    /// Goes through everything, if it is time to; whether there is more of it.
    async fn whole(&mut self) -> anyhow::Result<Result<bool, Failure>> {
        let last = self.desk.cursor(self.whole_cursor_name()).await?.map(|cursor| cursor.at);
        self.report.reconciled_at = last;
        let now = self.clock.now();
        if !self.night.is_due(last, now) || now < self.whole_failures.1 {
            return Ok(Ok(false));
        }
        let cursor = self.desk.cursor(self.cursor_name()).await?.map(|cursor| cursor.value);
        let look = within(WHOLE_TIMEOUT, self.poller.reconcile(cursor.as_deref(), now));
        let look = match look.await {
            Ok(look) => look,
            Err(failure) => return Ok(Err(failure)),
        };
        let (found, has_more) = (look.messages.len(), look.has_more);
        let taken =
            self.take((look, cursor.as_deref()), Whole::Part { is_last: !has_more }).await?;
        if taken.is_ok() {
            self.whole_failures = (0, Timestamp::MIN);
            tracing::debug!(messages = found, has_more, "Went through all of {}", self.connection);
        }
        Ok(taken)
    }

    /// Takes what a look has found; whether there is more to be had at once.
    async fn take(
        &mut self,
        (look, before): (Look, Option<&str>),
        whole: Whole,
    ) -> anyhow::Result<Result<bool, Failure>> {
        let Look { messages, cursor, has_more, waiting, newest } = look;
        if cursor.len() > CURSOR_MAX_BYTES {
            let error = anyhow!("its cursor is longer than {CURSOR_MAX_BYTES} bytes");
            return Ok(Err(Failure::give_up(error)));
        }
        // Who says that there is more and comes no further would be asked without end.
        let has_more = has_more && (!messages.is_empty() || Some(cursor.as_str()) != before);
        let mut cursors = Vec::new();
        if !cursor.is_empty() {
            cursors.push((self.cursor_name(), cursor));
        }
        // What was there before anybody asked is not news, so there is nothing to go through.
        if matches!(whole, Whole::Not(true) | Whole::Part { is_last: true }) {
            cursors.push((self.whole_cursor_name(), self.clock.now().to_string()));
        }
        let taken = self.desk.take(messages, cursors).await?;
        if taken.is_ok() {
            self.note_newest((waiting, newest), whole);
        }
        Ok(taken.map(|()| has_more))
    }

    fn note_newest(&mut self, (waiting, newest): (usize, Option<Timestamp>), whole: Whole) {
        if matches!(whole, Whole::Not(_)) {
            self.report.waiting = waiting;
            metrics::set_waiting(&self.connection, waiting);
        }
        let Some(newest) = newest.filter(|newest| self.report.newest < Some(*newest)) else {
            return;
        };
        let lag = self.clock.now().duration_since(newest);
        let lag = Duration::try_from(lag).unwrap_or_default();
        self.report.newest = Some(newest);
        self.report.lag_s = i64::try_from(lag.as_secs()).ok();
        metrics::set_newest(&self.connection, newest, lag);
    }

    /// Notes how a turn went, tells the monitors, and says how long to wait.
    fn note(&mut self, taken: Result<bool, Failure>) -> Turn {
        let now = self.clock.now();
        self.report.looked_at = Some(now);
        let is_ok = taken.is_ok();
        let pause = match taken {
            Ok(has_more) => {
                self.note_success(now);
                self.pause_after(has_more)
            }
            Err(failure) => self.note_failure(&failure),
        };
        metrics::count(&self.connection, is_ok, now);
        metrics::set_failures(&self.connection, self.report.failures);
        self.health.set_polled(&self.connection, self.report.clone());
        Turn { pause, is_ok }
    }

    fn note_success(&mut self, now: Timestamp) {
        if self.report.failures > 0 {
            let failures = self.report.failures;
            tracing::info!(failures, "Can ask {} again", self.connection);
        }
        self.told.clear();
        self.report = PollReport {
            succeeded_at: Some(now),
            failures: 0,
            error: None,
            ..std::mem::take(&mut self.report)
        };
    }

    fn pause_after(&mut self, has_more: bool) -> Duration {
        self.at_once = if has_more { self.at_once.saturating_add(1) } else { 0 };
        if has_more && self.at_once < AT_ONCE_MAX {
            return Duration::ZERO;
        }
        self.at_once = 0;
        // Some chance, so that what was started together does not ask together for ever.
        self.every.mul_f64(0.9 + 0.2 * fastrand::f64())
    }

    fn note_failure(&mut self, failure: &Failure) -> Duration {
        let failures = self.report.failures.saturating_add(1);
        let asked = match failure {
            Failure::Retry { after, .. } => *after,
            Failure::GiveUp(_) => None,
        };
        let backoff = Backoff {
            min: FAILURE_PAUSE_MIN.min(self.every),
            max: FAILURE_PAUSE_MAX.max(self.every),
        };
        let pause = backoff.pause(failures, fastrand::f64(), asked);
        let error = chain(failure);
        let is_new = self.told.len() < KINDS_MAX && self.told.insert(error.clone());
        if is_new {
            let pause_s = pause.as_secs();
            tracing::warn!(error, pause_s, "Cannot ask {}, and will ask again", self.connection);
        }
        (self.report.failures, self.report.error) = (failures, Some(error));
        self.at_once = 0;
        pause
    }

    /// What is new is heard all the same, so this is no failure of the turn.
    fn note_whole_failure(&mut self, failure: &Failure) {
        let (failures, asked) = (
            self.whole_failures.0.saturating_add(1),
            match failure {
                Failure::Retry { after, .. } => *after,
                Failure::GiveUp(_) => None,
            },
        );
        let pause = WHOLE_PAUSE.pause(failures, fastrand::f64(), asked);
        let next = self.clock.now().checked_add(pause).unwrap_or(Timestamp::MAX);
        self.whole_failures = (failures, next);
        tracing::warn!(
            error = chain(failure),
            pause_s = pause.as_secs(),
            "Cannot go through all of {}, and will try again",
            self.connection
        );
    }

    fn cursor_name(&self) -> String {
        format!("{CURSORS}{}", self.connection)
    }

    fn whole_cursor_name(&self) -> String {
        format!("{WHOLE_CURSORS}{}", self.connection)
    }
}

/// Whether a look goes through everything.
#[derive(Clone, Copy, Debug)]
enum Whole {
    /// It does not; whether it is the very first look.
    Not(bool),
    /// It does.
    Part {
        /// Whether it has come to the end.
        is_last: bool,
    },
}

/// What `look` answers, unless it takes too long.
async fn within(
    limit: Duration,
    look: impl Future<Output = Result<Look, Failure>>,
) -> Result<Look, Failure> {
    tokio::time::timeout(limit, look).await.unwrap_or_else(|_elapsed| {
        Err(Failure::retry(anyhow!("no answer within {} seconds", limit.as_secs())))
    })
}

#[cfg(test)]
mod tests;
