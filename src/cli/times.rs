//! Moments and durations, as people type them.

use std::time::Duration;

use humantime_serde::re::humantime;
use jiff::Timestamp;

/// A moment: so long ago, or a date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// `7d`, `36h`.
    Ago(Duration),
    /// `2026-11-20T08:21:47Z`.
    At(Timestamp),
}

impl Moment {
    /// Which moment that is `now`.
    pub(super) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(age) => now.checked_sub(age).unwrap_or(Timestamp::MIN),
        }
    }
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(age) = humantime::parse_duration(text) {
            return Ok(Self::Ago(age));
        }
        let time = text.parse().map(Self::At);
        time.map_err(|_neither| "it is neither such as `7d` nor as `2026-11-20T08:21:47Z`".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_age_or_a_date() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let moment = |text: &str| text.parse().map(|moment: Moment| moment.from(now).to_string());
        assert_eq!(moment("1d 12h").unwrap(), "2026-11-19T00:00:00Z");
        assert_eq!(moment("2026-11-01T00:00:00Z").unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(moment("100000 years").unwrap(), Timestamp::MIN.to_string());
        assert!(moment("yesterday").unwrap_err().contains("neither"));
    }
}
