//! What the stand-in knows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Check;
use crate::clock::Clock;

/// How many calls are remembered.
const CALLS_MAX: usize = 10_000;

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) clock: Clock,
    pub(super) base: String,
    pub(super) link_base: Option<String>,
    pub(super) api: String,
    pub(super) zone_hours: i64,
    pub(super) page_max: usize,
    pub(super) next_event: u64,
    next_id: u64,
    pub(super) users: BTreeMap<u64, User>,
    pub(super) people: BTreeMap<u64, Person>,
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) series: BTreeMap<u64, Series>,
    pub(super) covers: BTreeMap<u64, Submission>,
    pub(super) patches: BTreeMap<u64, Submission>,
    pub(super) comments: BTreeMap<u64, Comment>,
    pub(super) checks: BTreeMap<u64, Vec<Check>>,
    pub(super) events: Vec<Event>,
    pub(super) held: BTreeSet<u64>,
    pub(super) calls: Vec<(String, bool)>,
    broken: BTreeMap<String, u16>,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) username: String,
    pub(super) token: String,
}

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) user: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) list_email: String,
    pub(super) maintainers: BTreeSet<u64>,
    /// Which series a mail belongs to that is not there yet, or is.
    pub(super) references: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) project: String,
    pub(super) name: Option<String>,
    pub(super) date: Timestamp,
    pub(super) submitter: u64,
    pub(super) version: u32,
    pub(super) total: u32,
    pub(super) cover: Option<u64>,
    /// The patches by their numbers in the series.
    pub(super) patches: BTreeMap<u32, u64>,
}

/// A cover letter or a patch.
#[derive(Clone, Debug)]
pub(super) struct Submission {
    pub(super) project: String,
    pub(super) msgid: String,
    pub(super) name: String,
    pub(super) date: Timestamp,
    pub(super) submitter: u64,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: String,
    pub(super) diff: Option<String>,
    pub(super) series: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Comment {
    /// The patch, or else the cover letter.
    pub(super) patch: Option<u64>,
    pub(super) cover: Option<u64>,
    pub(super) msgid: String,
    pub(super) date: Timestamp,
    pub(super) submitter: u64,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: String,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) category: &'static str,
    pub(super) project: String,
    pub(super) date: String,
    pub(super) about: About,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    Series(u64),
    Cover(u64),
    Patch(u64),
    PatchCompleted(u64),
    Comment(u64),
    Check(u64, u64),
}

impl Memory {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            base: String::new(),
            link_base: None,
            api: "1.3".to_owned(),
            zone_hours: 0,
            page_max: 250,
            next_event: 1,
            next_id: 1,
            users: BTreeMap::new(),
            people: BTreeMap::new(),
            projects: BTreeMap::new(),
            series: BTreeMap::new(),
            covers: BTreeMap::new(),
            patches: BTreeMap::new(),
            comments: BTreeMap::new(),
            checks: BTreeMap::new(),
            events: Vec::new(),
            held: BTreeSet::new(),
            calls: Vec::new(),
            broken: BTreeMap::new(),
        }
    }

    /// A number that nothing else has.
    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn add_project(&mut self, link_name: &str, list_email: &str) {
        if !self.projects.contains_key(link_name) {
            let (id, list_email) = (self.new_id(), list_email.to_owned());
            let project = Project { id, list_email, ..Project::default() };
            self.projects.insert(link_name.to_owned(), project);
        }
    }

    pub(super) fn add_user(&mut self, username: &str, token: &str) -> u64 {
        let known = self.users.iter().find(|(_, user)| user.username == username);
        let id = known.map(|(id, _)| *id);
        let id = id.unwrap_or_else(|| self.new_id());
        let user = User { username: username.to_owned(), token: token.to_owned() };
        self.users.insert(id, user);
        id
    }

    pub(super) fn user_called(&self, username: &str) -> Option<u64> {
        let mut users = self.users.iter();
        users.find(|(_, user)| user.username == username).map(|(id, _)| *id)
    }

    pub(super) fn set_maintainer(&mut self, project: &str, username: &str, is_one: bool) {
        let user = self.user_called(username);
        if let (Some(user), Some(project)) = (user, self.projects.get_mut(project)) {
            if is_one {
                project.maintainers.insert(user);
            } else {
                project.maintainers.remove(&user);
            }
        }
    }

    /// The person with this address; the newest name counts.
    pub(super) fn person(&mut self, from: &str) -> u64 {
        let (name, email) = address(from);
        let mut people = self.people.iter_mut();
        let known = people.find(|(_, person)| person.email.eq_ignore_ascii_case(&email));
        if let Some((id, person)) = known {
            if !name.is_empty() {
                person.name = name;
            }
            return *id;
        }
        let id = self.new_id();
        self.people.insert(id, Person { name, email, user: None });
        id
    }

    pub(super) fn link_person(&mut self, from: &str, username: &str) {
        let (id, user) = (self.person(from), self.user_called(username));
        if let Some(person) = self.people.get_mut(&id) {
            person.user = user;
        }
    }

    pub(super) fn set_broken(&mut self, part: &str, status: u16) {
        if status == 0 {
            self.broken.remove(part);
        } else {
            self.broken.insert(part.to_owned(), status);
        }
    }

    /// The status that a call of this path is answered with, whatever it asks.
    pub(super) fn broken(&self, path: &str) -> Option<u16> {
        let mut broken = self.broken.iter();
        broken.find(|(part, _)| path.contains(part.as_str())).map(|(_, status)| *status)
    }

    pub(super) fn remember(&mut self, call: String, is_proven: bool) {
        if self.calls.len() < CALLS_MAX {
            self.calls.push((call, is_proven));
        }
    }

    pub(super) fn series_of_patch(&self, patch: u64) -> Option<u64> {
        self.patches.get(&patch)?.series
    }

    /// The patches of a series that can be seen, by their numbers.
    pub(super) fn seen(&self, series: &Series) -> Vec<u64> {
        let seen = series.patches.values().filter(|id| !self.held.contains(id));
        seen.copied().collect()
    }

    pub(super) fn tell_complete(&mut self, series: u64) {
        let project = self.series.get(&series).map(|series| series.project.clone());
        self.tell(&project.unwrap_or_default(), "series-completed", About::Series(series));
    }

    /// Makes an event, dated by the server's own clock.
    pub(super) fn tell(&mut self, project: &str, category: &'static str, about: About) {
        let local = self.clock.now() + SignedDuration::from_hours(self.zone_hours);
        let (id, project) = (self.next_event, project.to_owned());
        self.next_event += 1;
        self.events.push(Event { id, category, project, date: date(local), about });
    }

    pub(super) fn add_check(&mut self, patch: u64, mut check: Check) -> Check {
        check.id = self.new_id();
        self.checks.entry(patch).or_default().push(check.clone());
        let project = self.patches.get(&patch).map(|patch| patch.project.clone());
        let about = About::Check(patch, check.id);
        self.tell(&project.unwrap_or_default(), "check-created", about);
        check
    }

    /// Whether a user may change a patch: the maintainers of its project, and who sent it.
    pub(super) fn may_edit(&self, user: u64, patch: &Submission) -> bool {
        let sender = self.people.get(&patch.submitter).and_then(|person| person.user);
        let project = self.projects.get(&patch.project);
        sender == Some(user) || project.is_some_and(|project| project.maintainers.contains(&user))
    }
}

/// A date as Patchwork writes it: without a zone.
pub(super) fn date(time: Timestamp) -> String {
    let date = TimeZone::UTC.to_datetime(time);
    if date.subsec_nanosecond() == 0 {
        date.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    } else {
        date.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
    }
}

/// Name and address of `Ada <ada@points.example>`.
pub(super) fn address(from: &str) -> (String, String) {
    match from.split_once('<') {
        Some((name, rest)) => {
            let email = rest.trim_end().trim_end_matches('>');
            (name.trim().trim_matches('"').to_owned(), email.to_owned())
        }
        None => (String::new(), from.trim().to_owned()),
    }
}
