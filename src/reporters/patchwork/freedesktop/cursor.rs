//! How far a Patchwork has been read: what a look leaves for the next one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::read::Told;
use crate::message::hash;
use crate::reporters::patchwork::api::Date;

/// How long it is when it is written down: where that is done, not much more is taken.
const BYTES_MAX: usize = 512 * 1024;

/// How far all projects have been read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    pub(super) projects: BTreeMap<String, Place>,
}

/// How far the events of one project have been read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// Whether it was looked at before: what was there by then is no news.
    pub(super) has_begun: bool,
    /// The date of the newest event by then, if there was one.
    pub(super) began: Option<Date>,
    /// The date of the newest event that was read.
    pub(super) newest: Option<Date>,
    /// The events since shortly before that which were dealt with, and their dates.
    pub(super) seen: BTreeMap<String, Date>,
    /// Events whose series could not be read, and since when, by our clock.
    errands: Vec<(Told, Timestamp)>,
}

impl Cursor {
    /// What the last look left.  A text that is none of ours is as good as none.
    pub(super) fn read(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::default() };
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::warn!(%error, "Began anew: how far it was read cannot be read");
            Self::default()
        })
    }

    /// As it is written down; where that is too long, what is older is forgotten.
    pub(super) fn write(&self) -> String {
        let text = |cursor: &Self| serde_json::to_string(cursor).unwrap_or_default();
        let mut written = text(self);
        let mut shorter = (written.len() > BYTES_MAX).then(|| self.clone());
        while let Some(cursor) = &mut shorter
            && written.len() > BYTES_MAX
            && cursor.forget_some()
        {
            written = text(cursor);
        }
        written
    }

    /// Forgets the older half of the events of the projects that have most; whether there was any.
    fn forget_some(&mut self) -> bool {
        let most = self.projects.values().map(|place| place.seen.len()).max().unwrap_or(0);
        for place in self.projects.values_mut().filter(|place| place.seen.len() > most / 2) {
            let mut dates: Vec<Date> = place.seen.values().copied().collect();
            dates.sort_unstable();
            let middle = dates.get(dates.len() / 2).copied();
            place.seen.retain(|_, date| Some(*date) > middle);
        }
        most > 0
    }
}

impl Place {
    /// How much further than to the newest event is looked back: `since` leaves out events of the
    /// very same date, and the server's clock is put back in autumn.
    const OVERLAP: SignedDuration = SignedDuration::from_hours(3);
    /// How far ahead of UTC the server's local time may be, with an hour to spare.
    const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(15);
    const SEEN_MAX: usize = 4_000;
    const ERRANDS_MAX: usize = 200;

    /// After which date events are asked for; all of them where there were none at first.
    pub(super) fn since(&self) -> Option<Date> {
        self.newest.map(|newest| newest.plus(-Self::OVERLAP))
    }

    /// What is still to be read; what could not be for so long is given up.
    pub(super) fn take_errands(
        &mut self,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Vec<(Told, Timestamp)> {
        let mut errands = std::mem::take(&mut self.errands);
        errands.retain(|(event, since)| {
            let is_young = now.duration_since(*since) <= patience;
            if !is_young {
                let series = event.series.unwrap_or_default();
                tracing::warn!(series, "Gave up a series that could not be read for long");
            }
            is_young
        });
        errands
    }

    /// Keeps an event for the next look.
    pub(super) fn keep(&mut self, event: Told, since: Timestamp) {
        self.errands.push((event, since));
    }

    /// Whether so much is still to be read, with so many `more`, that nothing new is begun.
    pub(super) fn is_full(&self, more: usize) -> bool {
        self.errands.len() + more >= Self::ERRANDS_MAX
    }

    pub(super) fn has_seen(&self, event: &Told) -> bool {
        self.seen.contains_key(&mark(event))
    }

    /// The latest date of an event that can be believed: by its clock it is no later anywhere.
    pub(super) fn latest(now: Timestamp) -> Date {
        Date::of(now).plus(Self::AHEAD_MAX)
    }

    /// Takes note that an event was dealt with; one that is yet to come is not followed.
    pub(super) fn note(&mut self, event: &Told, now: Timestamp) {
        let date = Some(event.event_time).filter(|date| *date <= Self::latest(now));
        self.newest = self.newest.max(date);
        self.seen.insert(mark(event), event.event_time);
    }

    /// Forgets what will not be listed again.
    pub(super) fn forget(&mut self) {
        if let Some(since) = self.since() {
            self.seen.retain(|_, date| *date > since);
        }
        while self.seen.len() > Self::SEEN_MAX {
            self.seen.pop_first();
        }
    }
}

/// What stands for an event: it has no number.
fn mark(event: &Told) -> String {
    let series = event.series.unwrap_or_default().to_string();
    let revision = event.parameters.revision.to_string();
    let date = event.event_time.to_string();
    let mut mark = hash(&[series.as_bytes(), revision.as_bytes(), date.as_bytes()]);
    mark.truncate(16);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_projects_are_remembered_in_little_space() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let date = |number: i64| Date::of(now + SignedDuration::from_secs(number));
        let mut cursor = Cursor::default();
        for project in 0..50 {
            let seen = (0..2_000).map(|number| (format!("{number:016}"), date(number))).collect();
            let place = Place { has_begun: true, seen, ..Place::default() };
            cursor.projects.insert(format!("project-{project}"), place);
        }
        let written = cursor.write();
        assert!(written.len() <= BYTES_MAX, "{}", written.len());
        let read = Cursor::read(Some(&written));
        assert_eq!(read.projects.len(), 50);
        for place in read.projects.values() {
            assert!(place.has_begun && place.seen.contains_key("0000000000001999"));
        }
    }
}
