//! How far a Patchew has been read: what a look leaves for the next one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::Job;
use crate::message::hash;

/// How long it is when it is written down: where that is done, not much more is taken.
const BYTES_MAX: usize = 512 * 1024;

/// How far all of it has been read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// What was posted, by project.
    pub(super) search: BTreeMap<String, Place>,
    /// What waits to be put on a branch.
    pub(super) queue: Vec<Queued>,
    /// Of that what could not be told yet, in the order in which it is tried again.
    pub(super) put_off: Vec<String>,
    /// Tests that were given to us, and have not been told of.
    pub(super) jobs: Vec<Taken>,
}

/// How far the series of one project have been read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// The newest date when it was looked at for the first time: what is older is no news.
    pub(super) began: Option<Timestamp>,
    /// The newest date that was seen, by Patchew's clock.
    pub(super) newest: Option<Timestamp>,
    /// Of what is listed since shortly before that, what needs no second look.
    pub(super) seen: Vec<String>,
    /// What lacks patches, and when it was sent.
    pub(super) waiting: Vec<Waiting>,
    /// What could not be read, in the order in which it is tried again.
    pub(super) put_off: Vec<String>,
}

/// A series that lacks patches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) msgid: String,
    pub(super) since: Timestamp,
}

/// A series that waits to be put on a branch, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Queued {
    /// What stands for it.
    pub(super) mark: String,
    /// Whether it waits now.
    pub(super) is_here: bool,
}

/// A test that was given to us: nobody else is given it for an hour.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) project: String,
    pub(super) job: Job,
    /// How often its series could not be read.
    pub(super) tries: u32,
    /// When it was given to us.
    #[serde(default)]
    pub(super) at: Option<Timestamp>,
}

impl Cursor {
    /// What the last look left.  A text that is none of ours is as good as none: things are found
    /// anew from there, and those that were found before are known by what they are.
    pub(super) fn read(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::default() };
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::warn!(%error, "Began anew: how far it was read cannot be read");
            Self::default()
        })
    }

    /// Whether the series waits to be put on a branch; nothing where it is not known.
    pub(super) fn waits(&self, mark: &str) -> Option<bool> {
        self.queue.iter().find(|queued| queued.mark == mark).map(|queued| queued.is_here)
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

    /// Forgets half of the longest lists; whether there was any.
    fn forget_some(&mut self) -> bool {
        let mut marks = vec![&mut self.put_off];
        let mut waiting = Vec::new();
        for place in self.search.values_mut() {
            marks.extend([&mut place.seen, &mut place.put_off]);
            waiting.push(&mut place.waiting);
        }
        let of_marks = |marks: &Vec<String>| marks.iter().map(String::len).sum::<usize>();
        let of_waiting =
            |waiting: &Vec<Waiting>| waiting.iter().map(|it| it.msgid.len()).sum::<usize>();
        let sizes = marks.iter().map(|marks| of_marks(marks));
        let most = sizes.chain(waiting.iter().map(|waiting| of_waiting(waiting))).max();
        let Some(most) = most.filter(|most| *most > 0) else { return false };
        for marks in marks.into_iter().filter(|marks| of_marks(marks) > most / 2) {
            // The newest come last.
            marks.drain(..marks.len().div_ceil(2));
        }
        for waiting in waiting.into_iter().filter(|waiting| of_waiting(waiting) > most / 2) {
            // The newest come first.
            waiting.truncate(waiting.len() / 2);
        }
        true
    }
}

impl Place {
    /// The oldest that are kept in mind are forgotten first.
    const SEEN_MAX: usize = 4_000;
    const WAITING_MAX: usize = 500;

    pub(super) fn has_seen(&self, mark: &str) -> bool {
        self.seen.iter().any(|seen| seen == mark)
    }

    /// Keeps in mind what is of use to the next look.
    pub(super) fn keep(&mut self, seen: Vec<String>, waiting: Vec<Waiting>) {
        self.seen = seen;
        let too_many = self.seen.len().saturating_sub(Self::SEEN_MAX);
        self.seen.drain(..too_many);
        self.waiting = waiting;
        self.waiting.sort_by_key(|waiting| std::cmp::Reverse(waiting.since));
        self.waiting.truncate(Self::WAITING_MAX);
    }

    /// Keeps in mind what could not be read: what was tried `in_vain` comes behind the others that
    /// are `known`.
    pub(super) fn put_off(&mut self, known: &[String], in_vain: Vec<String>) {
        let is_left = |mark: &&String| !in_vain.contains(mark) && !self.has_seen(mark);
        let mut put_off: Vec<String> = known.iter().filter(is_left).cloned().collect();
        put_off.extend(in_vain);
        put_off.truncate(Self::SEEN_MAX);
        self.put_off = put_off;
    }
}

/// What stands for a series of a project in little space.
pub(super) fn mark(project: &str, msgid: &str) -> String {
    let mut mark = hash(&[project.as_bytes(), msgid.as_bytes()]);
    mark.truncate(16);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_projects_are_remembered_in_little_space() {
        let mut cursor = Cursor::default();
        for project in 0..50 {
            let mut place = Place::default();
            let seen = (0..Place::SEEN_MAX).map(|id| mark("p", &id.to_string())).collect();
            let waiting = |second: i64| Waiting {
                msgid: format!("{second}-{}@x", "long".repeat(200)),
                since: Timestamp::from_second(second).unwrap(),
            };
            place.keep(seen, (0..400).map(waiting).collect());
            cursor.search.insert(format!("project-{project}"), place);
        }
        let written = cursor.write();
        assert!(written.len() <= BYTES_MAX, "{}", written.len());
        let read = Cursor::read(Some(&written));
        assert_eq!(read.search.len(), 50);
        for place in read.search.values() {
            let newest = mark("p", &(Place::SEEN_MAX - 1).to_string());
            assert!(place.has_seen(&newest) && !place.waiting.is_empty());
            assert_eq!(place.waiting[0].since.as_second(), 399);
        }
    }
}
