//! When a mail says that it was written, as git writes it into a commit.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{Timestamp, Zoned};

/// The last second that is written into a commit, in the year 2100: some that read commits count
/// no further, and no mail was written then.
const LAST_SECOND: i64 = 4_102_444_799;

/// A moment, and how far the writer's clock is ahead of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    seconds: i64,
    ahead_minutes: i32,
}

impl Date {
    /// The first second that git knows.
    pub(super) const START: Self = Self { seconds: 0, ahead_minutes: 0 };

    /// The moment that a `Date:` tells, if it is one that git takes.
    ///
    /// Git's own reading is not asked: where something is missing, it fills in what its clock
    /// says, and the same mail would become another commit the next day.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let zoned = DateTimeParser::new()
            .relaxed_weekday(true)
            .parse_zoned(text)
            .or_else(|_not_a_mails| Zoned::strptime("%Y-%m-%d %H:%M:%S %z", text))
            .ok()?;
        let ahead_minutes = zoned.offset().seconds() / 60;
        Self::of(zoned.timestamp(), ahead_minutes)
    }

    /// A moment told in seconds since 1970.
    pub(super) fn of_seconds(text: &str) -> Option<Self> {
        Self::of(Timestamp::from_second(text.parse().ok()?).ok()?, 0)
    }

    /// The moment as it is written into a commit: seconds, and hours and minutes ahead of UTC.
    pub(super) fn raw(self) -> String {
        let sign = if self.ahead_minutes < 0 { '-' } else { '+' };
        let minutes = self.ahead_minutes.abs();
        format!("{} {sign}{:02}{:02}", self.seconds, minutes / 60, minutes % 60)
    }

    fn of(at: Timestamp, ahead_minutes: i32) -> Option<Self> {
        // No clock on earth is further ahead, and git takes no other.
        let ahead_minutes = if ahead_minutes.abs() > 14 * 60 { 0 } else { ahead_minutes };
        let seconds = at.as_second();
        (0..=LAST_SECOND).contains(&seconds).then_some(Self { seconds, ahead_minutes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_mails_write_it() {
        let read = |text: &str| Date::parse(text).map(Date::raw);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("Tue, 14 Nov 2023 22:13:20 +0000"), some("1700000000 +0000"));
        assert_eq!(read("Tue, 14 Nov 2023 17:13:20 -0500 (EST)"), some("1700000000 -0500"));
        assert_eq!(read("15 Nov 2023 03:43:20 +0530"), some("1700000000 +0530"));
        assert_eq!(read("2023-11-14 22:13:20 +0000"), some("1700000000 +0000"));
        assert_eq!(read("14 Nov 2023 22:13:20 +2300"), some("1699917200 +0000"));
        // The wrong day of the week is no reason.
        assert_eq!(read("Mon, 14 Nov 2023 22:13:20 +0000"), some("1700000000 +0000"));
        for wrong in [
            "",
            "yesterday",
            "10:00",
            "Tue, 14 Nov 2023",
            "Tue, 1 Jan 1901 00:00:00 +0000",
            "Fri, 1 Jan 2100 00:00:00 +0000",
            "Tue, 14 Nov 99999 22:13:20 +0000",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
