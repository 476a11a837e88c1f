//! When everything is gone through: once a day, at night, and not all at the same minute.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The hours, in UTC, within which it is done.
const BEGINS: Duration = Duration::from_hours(1);
const LASTS: Duration = Duration::from_hours(4);

/// What was done this long ago need not be done again, although the night has come: it was made
/// up for in the evening.
const REST: Duration = Duration::from_hours(12);

/// The moment of the night, from midnight in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Night(Duration);

impl Night {
    /// The moment that `chance`, from 0 to 1, takes from the hours of the night: public servers
    /// are asked by many.
    pub(super) fn by_chance(chance: f64) -> Self {
        Self(BEGINS + LASTS.mul_f64(chance.clamp(0.0, 1.0)))
    }

    /// Whether it is time at `now`, when it was done at `last`.
    pub(super) fn is_due(self, last: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(last) = last else { return true };
        let rested = last.checked_add(REST).is_ok_and(|rested| rested <= now);
        rested && last < self.latest(now)
    }

    /// The last such moment that is not after `now`.
    fn latest(self, now: Timestamp) -> Timestamp {
        let day = now.to_zoned(TimeZone::UTC).start_of_day();
        let Ok(midnight) = day.map(|day| day.timestamp()) else { return now };
        let today = midnight.checked_add(self.0).unwrap_or(now);
        if today <= now {
            return today;
        }
        today.checked_sub(Duration::from_hours(24)).unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_due(chance: f64, last: &str, now: &str) -> bool {
        Night::by_chance(chance).is_due(Some(last.parse().unwrap()), now.parse().unwrap())
    }

    #[test]
    fn it_is_done_once_a_night() {
        let last = "2026-11-20T03:00:10Z";
        assert!(!is_due(0.5, last, "2026-11-20T23:00:00Z"));
        assert!(!is_due(0.5, last, "2026-11-21T02:59:59Z"));
        assert!(is_due(0.5, last, "2026-11-21T03:00:00Z"));
    }

    #[test]
    fn what_was_missed_is_made_up_for() {
        assert!(is_due(0.5, "2026-11-20T03:00:10Z", "2026-11-21T09:00:00Z"));
        assert!(is_due(0.0, "2026-11-01T00:00:00Z", "2026-11-21T00:00:00Z"));
        assert!(Night::by_chance(0.0).is_due(None, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn what_was_done_in_the_evening_is_not_done_again_at_night() {
        assert!(!is_due(0.5, "2026-11-20T20:00:00Z", "2026-11-21T03:30:00Z"));
        assert!(is_due(0.5, "2026-11-20T20:00:00Z", "2026-11-21T08:00:00Z"));
        assert!(!is_due(0.5, "2026-11-21T08:00:00Z", "2026-11-21T21:00:00Z"));
    }

    #[test]
    fn nights_are_spread() {
        assert!(is_due(0.0, "2026-11-20T01:30:00Z", "2026-11-21T01:00:00Z"));
        assert!(!is_due(1.0, "2026-11-20T05:30:00Z", "2026-11-21T04:59:00Z"));
    }
}
