//! What the stand-in remembers, and what happens to it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Kept;
use crate::clock::Clock;
use crate::sandbox::mails::{Mail, NewSeries};
use crate::sandbox::tracker::{self, Call, Reply};

/// Everything that is known.
pub(super) struct Memory {
    pub(super) base: String,
    clock: Clock,
    /// Their names; the number is the place, from 1.
    pub(super) projects: Vec<String>,
    pub(super) users: Vec<User>,
    /// The addresses of senders; the number is the place, from 1.
    pub(super) people: Vec<String>,
    pub(super) series: Vec<Series>,
    pub(super) patches: Vec<Patch>,
    pub(super) events: Vec<Told>,
    pub(super) results: Vec<Kept>,
    pub(super) broken: BTreeSet<String>,
}

/// An account.
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) maintains: Vec<String>,
}

/// A series over all its revisions.
pub(super) struct Series {
    pub(super) project: u64,
    pub(super) name: String,
    pub(super) submitter: u64,
    pub(super) submitted: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) revisions: Vec<Revision>,
}

pub(super) struct Revision {
    pub(super) cover: Option<String>,
    pub(super) total: u32,
    /// The numbers of patches.
    pub(super) patches: Vec<u64>,
}

pub(super) struct Patch {
    pub(super) project: u64,
    pub(super) submitter: u64,
    pub(super) mail: Mail,
}

/// An event.
pub(super) struct Told {
    pub(super) at: Timestamp,
    pub(super) series: u64,
    pub(super) revision: usize,
    pub(super) user: Option<u64>,
}

impl tracker::Memory for Memory {
    fn answer(&mut self, call: &Call) -> Reply {
        self.call(call)
    }

    fn is_at(&mut self, base: String) {
        self.base = base;
    }
}

/// The thing of this number, from 1.
pub(super) fn of<T>(all: &[T], number: u64) -> Option<&T> {
    all.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

/// The number of the last.
fn last<T>(all: &[T]) -> u64 {
    u64::try_from(all.len()).unwrap_or_default()
}

impl Memory {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            base: String::new(),
            clock,
            projects: Vec::new(),
            users: Vec::new(),
            people: Vec::new(),
            series: Vec::new(),
            patches: Vec::new(),
            events: Vec::new(),
            results: Vec::new(),
            broken: BTreeSet::new(),
        }
    }

    pub(super) fn add_project(&mut self, name: &str) -> u64 {
        self.projects.push(name.to_owned());
        last(&self.projects)
    }

    pub(super) fn add_user(&mut self, name: &str, password: &str, maintains: &[&str]) -> u64 {
        self.users.push(User {
            name: name.to_owned(),
            password: password.to_owned(),
            maintains: maintains.iter().map(|project| (*project).to_owned()).collect(),
        });
        last(&self.users)
    }

    pub(super) fn project_id(&self, name: &str) -> Option<u64> {
        let place = self.projects.iter().position(|project| project == name)?;
        u64::try_from(place + 1).ok()
    }

    fn person(&mut self, email: &str) -> u64 {
        if let Some(place) = self.people.iter().position(|known| known == email) {
            return u64::try_from(place + 1).unwrap_or_default();
        }
        self.people.push(email.to_owned());
        last(&self.people)
    }

    fn series_mut(&mut self, number: u64) -> Option<&mut Series> {
        self.series.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Takes in a series, or another revision of one; its number.
    pub(super) fn post(&mut self, series: Option<u64>, new: &NewSeries, numbers: &[u32]) -> u64 {
        let now = self.clock.now();
        let project = self.project_id(&new.project).unwrap_or_default();
        let submitter = self.person(&new.email);
        let mut patches = Vec::new();
        for mail in new.mails().into_iter().filter(|mail| mail.number > 0) {
            if numbers.contains(&mail.number) {
                self.patches.push(Patch { project, submitter, mail });
                patches.push(last(&self.patches));
            }
        }
        let revision = Revision { cover: new.cover.clone(), total: new.count(), patches };
        let is_complete = revision.patches.len() == revision.total as usize;
        let number = if let Some(number) = series {
            number
        } else {
            self.series.push(Series {
                project,
                name: new.title.clone(),
                submitter,
                submitted: new.date,
                updated: now,
                revisions: Vec::new(),
            });
            last(&self.series)
        };
        if let Some(series) = self.series_mut(number) {
            series.revisions.push(revision);
            series.updated = now;
        }
        if is_complete {
            self.tell(number, None);
        }
        number
    }

    /// Tells of the newest revision of a series.
    pub(super) fn tell(&mut self, series: u64, user: Option<u64>) {
        self.tell_at(series, user, self.clock.now());
    }

    pub(super) fn tell_at(&mut self, series: u64, user: Option<u64>, at: Timestamp) {
        let revision = of(&self.series, series).map_or(0, |series| series.revisions.len());
        self.events.push(Told { at, series, revision, user });
    }

    pub(super) fn rerun(&mut self, number: u64) {
        let now = self.clock.now();
        if let Some(series) = self.series_mut(number)
            && let Some(last) = series.revisions.last()
        {
            let revision = Revision {
                cover: last.cover.clone(),
                total: last.total,
                patches: last.patches.clone(),
            };
            series.revisions.push(revision);
            series.updated = now;
        }
        self.tell(number, None);
    }

    pub(super) fn break_patch(&mut self, msgid: &str, is_broken: bool) {
        if is_broken {
            self.broken.insert(msgid.to_owned());
        } else {
            self.broken.remove(msgid);
        }
    }

    pub(super) fn patches(&self, series: u64) -> Vec<u64> {
        let last = of(&self.series, series).and_then(|series| series.revisions.last());
        last.map(|revision| revision.patches.clone()).unwrap_or_default()
    }

    /// Keeps the result of a test, in place of the one of that name.
    pub(super) fn keep(&mut self, result: Kept) {
        let is_it = |kept: &&mut Kept| kept.of == result.of && kept.name == result.name;
        match self.results.iter_mut().find(is_it) {
            Some(kept) => *kept = result,
            None => self.results.push(result),
        }
    }
}
