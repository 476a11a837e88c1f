//! The metrics of sources that have to be asked: whether anybody still does, and how late we hear.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::float;
use crate::subject::ConnectionName;

/// Looks at a source, by `connection` and `result`: `ok`, `failed`.
pub const POLLS: &str = "pointsman_polls_total";
/// When a source was asked the last time, by `connection`, in seconds since 1970.
pub const LAST_POLL: &str = "pointsman_poll_last_timestamp_seconds";
/// When a source answered the last time, by `connection`, in seconds since 1970.
pub const LAST_GOOD_POLL: &str = "pointsman_poll_last_success_timestamp_seconds";
/// When the newest of what a source told happened, by its own clock, by `connection`, in seconds
/// since 1970.
pub const NEWEST_POLLED: &str = "pointsman_poll_newest_timestamp_seconds";
/// How late the newest was heard of, by `connection`.
pub const POLL_LAG: &str = "pointsman_poll_lag_seconds";
/// Series that are incomplete and waited for, by `connection`.
pub const POLL_WAITING: &str = "pointsman_poll_waiting_series";
/// How often a source has failed since it answered the last time, by `connection`.
pub const POLL_FAILURES: &str = "pointsman_poll_failures";

pub(super) fn describe() {
    describe_counter!(POLLS, "Looks at a source that has to be asked, by what came of them.");
    describe_gauge!(LAST_POLL, Unit::Seconds, "When a source was asked the last time.");
    describe_gauge!(LAST_GOOD_POLL, Unit::Seconds, "When a source answered the last time.");
    describe_gauge!(NEWEST_POLLED, Unit::Seconds, "When the newest of what it told happened.");
    describe_gauge!(POLL_LAG, Unit::Seconds, "How late the newest was heard of.");
    describe_gauge!(POLL_WAITING, "Series that are incomplete and waited for.");
    describe_gauge!(POLL_FAILURES, "How often a source has failed since it answered.");
}

/// Makes known that a source is asked, so that its first look is an increase, and a source that
/// never answers is seen.
pub fn begin(connection: &ConnectionName) {
    for result in ["ok", "failed"] {
        let connection = connection.as_str().to_owned();
        counter!(POLLS, "connection" => connection, "result" => result).increment(0);
    }
    set(LAST_GOOD_POLL, connection, 0.0);
    set_failures(connection, 0);
}

/// Counts a look at `now`.
pub fn count(connection: &ConnectionName, is_ok: bool, now: Timestamp) {
    let label = connection.as_str().to_owned();
    let result = if is_ok { "ok" } else { "failed" };
    counter!(POLLS, "connection" => label, "result" => result).increment(1);
    set(LAST_POLL, connection, seconds(now));
    if is_ok {
        set(LAST_GOOD_POLL, connection, seconds(now));
    }
}

/// Tells how often it has failed since it answered.
pub fn set_failures(connection: &ConnectionName, failures: u32) {
    set(POLL_FAILURES, connection, float(failures.into()));
}

/// Tells how many series are waited for.
pub fn set_waiting(connection: &ConnectionName, waiting: usize) {
    set(POLL_WAITING, connection, float(waiting as u64));
}

/// Tells when the newest happened, and how late that was heard of.
pub fn set_newest(connection: &ConnectionName, newest: Timestamp, lag: Duration) {
    set(NEWEST_POLLED, connection, seconds(newest));
    set(POLL_LAG, connection, lag.as_secs_f64());
}

fn set(name: &'static str, connection: &ConnectionName, value: f64) {
    gauge!(name, "connection" => connection.as_str().to_owned()).set(value);
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}
