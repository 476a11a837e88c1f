//! How far the poller has come, and what it still has to do.
//!
//! Where events are concerned, only the server's own dates count; where waiting is concerned, only
//! our own clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use super::api::{Date, Event};

/// How many events are remembered one by one; of those before them the number tells.
const SEEN_MAX: usize = 1_000;
/// How many versions of series are remembered as told.
const TOLD_MAX: usize = 2_000;
/// How long it is when it is written down: where that is done, not much more is taken.
const BYTES_MAX: usize = 512 * 1024;
/// How much is waited for or still to be done at most; more is left where it is.
pub(super) const ERRANDS_MAX: usize = 1_000;
/// How long a look goes back behind the newest date: a clock that is put back in autumn, and
/// what was stored after what came later.
const OVERLAP: SignedDuration = SignedDuration::from_hours(2);
/// How long a wide look goes back: a server that changes its time zone.
const OVERLAP_WIDE: SignedDuration = SignedDuration::from_hours(26);
/// How far dates may be ahead of UTC: the easternmost zone, and clocks that are a little wrong.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(15);
/// The first and the longest pause between two tries of one errand.
const PAUSE_MIN: Duration = Duration::from_mins(1);
const PAUSE_MAX: Duration = Duration::from_hours(1);

/// All of it, as it is written down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// By project and category.
    pub(super) streams: BTreeMap<String, Stream>,
    pub(super) errands: Vec<Errand>,
    /// The versions of series that were told, oldest first.
    told: VecDeque<String>,
}

/// How far one stream of events was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stream {
    /// The newest date, as the server wrote it; an older one again when its clock was put back.
    pub(super) newest: Option<Date>,
    /// The newest date ever seen.
    highest: Option<Date>,
    /// Events up to this number were seen, unless they are newer than all that was.
    floor: u64,
    /// Those above it that were seen.
    seen: BTreeSet<u64>,
    /// When it was first looked at: what is older is not told.
    pub(super) began: Timestamp,
    /// When it was last read to its end.
    pub(super) caught_up: Timestamp,
    /// The page to go on with, when there was more than could be read.
    pub(super) resume: Option<Url>,
    /// How often in a row there was.
    #[serde(default)]
    pub(super) resumed: u32,
}

/// Something to be done about an event, which is forgotten only when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Errand {
    pub(super) project: String,
    pub(super) task: Task,
    /// When it was first heard of.
    pub(super) since: Timestamp,
    /// When it is to be tried.
    pub(super) due: Timestamp,
    /// How often it was tried.
    pub(super) tries: u32,
    /// What was sent before is no news.
    pub(super) cutoff: Timestamp,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Task {
    /// To tell of a series, once it is whole.
    Series(u64),
    /// To read a comment on a patch: the patch, the comment.
    OnPatch(u64, u64),
    /// To read a comment on a cover letter: the cover letter, the comment.
    OnCover(u64, u64),
}

impl Stream {
    /// Begins with the newest events there are: none of them is told.
    pub(super) fn begin(newest: &[Event], now: Timestamp) -> Self {
        let date = newest.iter().map(|event| event.date).max();
        Self {
            newest: date,
            highest: date,
            floor: newest.iter().map(|event| event.id).max().unwrap_or(0),
            seen: BTreeSet::new(),
            began: now,
            caught_up: now,
            resume: None,
            resumed: 0,
        }
    }

    /// From which date on it is to be read; from the beginning when nothing has ever happened.
    pub(super) fn since(&self, is_wide: bool) -> Option<Date> {
        let overlap = if is_wide { OVERLAP_WIDE } else { OVERLAP };
        self.newest.map(|newest| newest.plus(-overlap))
    }

    /// Takes events that were read in one go, wide or not, at a time `server_now` of the server;
    /// those that are new are kept.
    pub(super) fn take(
        &mut self,
        events: Vec<Event>,
        is_wide: bool,
        server_now: Timestamp,
    ) -> Vec<Event> {
        let highest = self.highest;
        let is_after = |event: &Event| highest.is_none_or(|highest| event.date > highest);
        let mut new = Vec::new();
        for event in events {
            if self.seen.contains(&event.id) {
                continue;
            }
            // Newer than all that was seen, but with a small number: the numbers began anew.
            if event.id <= self.floor {
                if !is_after(&event) {
                    continue;
                }
                self.floor = 0;
            }
            self.seen.insert(event.id);
            new.push(event);
        }
        // A date that cannot be is not gone by: nothing would be after it for years.
        let limit = Date::of(server_now).plus(AHEAD_MAX);
        let newest = new.iter().map(|event| event.date).filter(|date| *date <= limit).max();
        if let Some(newest) = newest {
            let has_jumped = |known: Date| is_wide && newest < known.plus(-OVERLAP);
            self.highest = self.highest.max(Some(newest));
            self.newest = match self.newest {
                // The server's clock was put back: its new dates count.
                Some(known) if has_jumped(known) => Some(newest),
                Some(known) => Some(known.max(newest)),
                None => Some(newest),
            };
        }
        while self.seen.len() > SEEN_MAX {
            self.floor = self.floor.max(self.seen.pop_first().unwrap_or(0));
        }
        new
    }
}

impl Cursor {
    /// Reads what was written down; nothing where it cannot be read.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it is written down; where that is too long, of the streams that remember most the number
    /// tells of more.
    pub(super) fn written(&self) -> String {
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

    /// Forgets half of the events of the streams that remember most; whether there was any.
    fn forget_some(&mut self) -> bool {
        let most = self.streams.values().map(|stream| stream.seen.len()).max().unwrap_or(0);
        for stream in self.streams.values_mut().filter(|stream| stream.seen.len() > most / 2) {
            for _ in 0..stream.seen.len().div_ceil(2) {
                stream.floor = stream.floor.max(stream.seen.pop_first().unwrap_or(0));
            }
        }
        most > 0
    }

    /// Adds something to be done, or makes it due if it waits.
    pub(super) fn add(&mut self, errand: Errand) {
        let mut errands = self.errands.iter_mut();
        match errands.find(|known| known.task == errand.task && known.project == errand.project) {
            Some(known) => known.due = known.due.min(errand.due),
            None => self.errands.push(errand),
        }
    }

    /// Whether no more can be taken on.
    pub(super) fn is_full(&self) -> bool {
        self.errands.len() >= ERRANDS_MAX
    }

    /// Takes what is due, at most `count`, in its order.
    pub(super) fn take_due(&mut self, now: Timestamp, count: usize) -> Vec<Errand> {
        let mut due = Vec::new();
        self.errands.retain(|errand| {
            let is_taken = errand.due <= now && due.len() < count;
            if is_taken {
                due.push(errand.clone());
            }
            !is_taken
        });
        due
    }

    /// Whether something is due.
    pub(super) fn has_due(&self, now: Timestamp) -> bool {
        self.errands.iter().any(|errand| errand.due <= now)
    }

    /// How many series are waited for.
    pub(super) fn waiting(&self) -> usize {
        let is_waiting =
            |errand: &&Errand| errand.tries > 0 && matches!(errand.task, Task::Series(_));
        self.errands.iter().filter(is_waiting).count()
    }

    /// Whether a version of a series was told.
    pub(super) fn is_told(&self, series: u64, version: u32) -> bool {
        self.told.contains(&told(series, version))
    }

    /// Remembers that it was.
    pub(super) fn set_told(&mut self, series: u64, version: u32) {
        if !self.is_told(series, version) {
            self.told.push_back(told(series, version));
        }
        while self.told.len() > TOLD_MAX {
            self.told.pop_front();
        }
    }
}

fn told(series: u64, version: u32) -> String {
    format!("{series}/{version}")
}

impl Errand {
    /// Something new to be done, at once.
    pub(super) fn new(project: &str, task: Task, now: Timestamp, cutoff: Timestamp) -> Self {
        Self { project: project.to_owned(), task, since: now, due: now, tries: 0, cutoff }
    }

    /// The same, which was not tried.
    pub(super) fn postponed(mut self, now: Timestamp) -> Self {
        self.due = now.saturating_add(PAUSE_MIN).unwrap_or(now);
        self
    }

    /// The same, to be tried later: each time twice as much later.
    pub(super) fn later(mut self, now: Timestamp) -> Self {
        let pause = PAUSE_MIN.saturating_mul(1 << self.tries.min(10)).min(PAUSE_MAX);
        self.tries = self.tries.saturating_add(1);
        self.due = now.saturating_add(pause).unwrap_or(now);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_projects_are_remembered_in_little_space() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let event = |id: u64| -> Event {
            let payload = serde_json::json!({ "series": { "id": id } });
            let event = serde_json::json!({
                "id": id, "category": "series-completed", "date": "2026-11-20T07:00:00",
                "payload": payload,
            });
            serde_json::from_value(event).unwrap()
        };
        let mut cursor = Cursor::default();
        for project in 0..200 {
            let mut stream = Stream::begin(&[], now);
            let events = (1..=SEEN_MAX as u64).map(|id| event(1_000_000_000 + id)).collect();
            stream.take(events, false, now);
            cursor.streams.insert(format!("project-{project}"), stream);
        }
        let written = cursor.written();
        assert!(written.len() <= BYTES_MAX, "{}", written.len());
        let mut read = Cursor::read(&written).unwrap();
        assert_eq!(read.streams.len(), 200);
        // Whatever was seen is known.
        for stream in read.streams.values_mut() {
            let again = [1, 500, 1000].map(|id| event(1_000_000_000 + id)).into();
            assert!(stream.take(again, false, now).is_empty());
        }
    }
}
