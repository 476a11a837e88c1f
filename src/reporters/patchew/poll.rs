//! What is new at a Patchew, in each of the roles that it is asked in.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::cursor::Cursor;
use super::series::Found;
use super::{PatchewSettings, Role, Source};
use crate::message::Message;
use crate::remote::{Failure, chain};
use crate::source::poll::{Look, Poller};

/// A Patchew that is asked for what is new.
#[derive(Debug)]
pub(super) struct PatchewPoller {
    pub(super) source: Source,
    pub(super) projects: Vec<String>,
    roles: Vec<Role>,
    pub(super) age_max: SignedDuration,
    pub(super) target_repo: Option<String>,
    pub(super) tester: String,
    pub(super) capabilities: Vec<String>,
    /// After how long nothing more is begun in one look.
    pub(super) limit: Duration,
}

/// After how long nothing more is begun in one look, and in one that goes through everything: what
/// was found is lost with a look that takes too long.
const LOOK_LIMIT: Duration = Duration::from_mins(4);
const NIGHT_LIMIT: Duration = Duration::from_hours(1);
/// How long one series may take to read.
const READ_LIMIT: Duration = Duration::from_mins(3);

/// What was found so far in one look.
pub(super) struct Haul {
    began: Instant,
    limit: Duration,
    pub(super) messages: Vec<Message>,
    pub(super) has_more: bool,
    pub(super) waiting: usize,
    pub(super) newest: Option<Timestamp>,
    /// What went wrong first, and how much went well.
    failure: Option<Failure>,
    went_well: usize,
}

impl PatchewPoller {
    /// How many series are read in one look: the rest is read in the next, at once.
    pub(super) const READ_MAX: usize = 50;

    pub(super) fn new(source: Source, settings: &PatchewSettings) -> Self {
        Self {
            source,
            projects: settings.projects.clone(),
            roles: settings.roles.clone(),
            age_max: signed(settings.age_max),
            target_repo: settings.target_repo.clone(),
            tester: settings.tester.clone(),
            capabilities: settings.capabilities.clone(),
            limit: LOOK_LIMIT,
        }
    }

    /// Reads a series, in no more time than that may take.
    pub(super) async fn read(&self, project: &str, msgid: &str) -> Result<Option<Found>, Failure> {
        let read = timeout(READ_LIMIT, self.source.read(project, msgid)).await;
        read.unwrap_or_else(|_elapsed| {
            Err(Failure::retry(anyhow!("it takes longer than {READ_LIMIT:?} to read")))
        })
    }

    fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether a mail of this date is too old to be news.
    pub(super) fn is_old(&self, date: Option<Timestamp>, now: Timestamp) -> bool {
        // A date that cannot be read, or is yet to come, is as good as now.
        date.is_some_and(|date| now.duration_since(date) > self.age_max)
    }
}

#[async_trait]
impl Poller for PatchewPoller {
    /// Projects are asked one after the other, and one that fails does not keep the others from
    /// being heard.  A test that was given to us is told of even where something fails after it.
    async fn look(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure> {
        let mut cursor = Cursor::read(cursor);
        let mut haul = Haul::within(self.limit);
        if self.is(Role::Search) {
            cursor.search.retain(|project, _| self.projects.contains(project));
            for project in &self.projects {
                let place = cursor.search.entry(project.clone()).or_default();
                let failure = self.search(project, place, now, &mut haul).await.err();
                haul.note(project, failure);
            }
        }
        if self.is(Role::Applier) {
            let failure = self.queue(&mut cursor, &mut haul).await.err();
            haul.note("what is unapplied", failure);
        }
        if self.is(Role::Tester) {
            for project in &self.projects {
                let failure = self.take_tests((project, now), &mut cursor.jobs).await.err();
                haul.note(project, failure);
            }
            self.tell_tests(&mut cursor.jobs, &mut haul).await;
        }
        haul.look(&cursor)
    }

    /// Only what was posted is gone through: what is in a queue stays there.
    async fn reconcile(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure> {
        let cursor = Cursor::read(cursor);
        let mut haul = Haul::within(NIGHT_LIMIT);
        for project in &self.projects {
            // Whether it is still there is asked anew: the list of one that is gone is empty.
            if let Err(failure) = self.source.client.look_up(project).await {
                haul.note(project, Some(failure));
                continue;
            }
            // Where nobody has looked yet, what is there is no news.
            let began = cursor.search.get(project).and_then(|place| place.began);
            if let Some(began) = began.filter(|_| self.is(Role::Search)) {
                let failure = self.search_all(project, began, now, &mut haul).await.err();
                haul.note(project, failure);
            }
        }
        haul.look(&cursor)
    }
}

impl Haul {
    fn within(limit: Duration) -> Self {
        Self {
            began: Instant::now(),
            limit,
            messages: Vec::new(),
            has_more: false,
            waiting: 0,
            newest: None,
            failure: None,
            went_well: 0,
        }
    }

    /// Whether so much time has gone by that nothing more is begun.
    pub(super) fn is_late(&self) -> bool {
        self.began.elapsed() > self.limit
    }

    /// Takes note of how asking for something went.
    fn note(&mut self, what: &str, failure: Option<Failure>) {
        match failure {
            None => self.went_well += 1,
            Some(failure) => {
                if self.failure.is_some() || self.went_well > 0 {
                    tracing::warn!(error = %chain(&failure), "Cannot look for news of `{what}`");
                }
                self.failure.get_or_insert(failure);
            }
        }
    }

    /// What was found, where anything went well, or where tests were given to us: nobody else is
    /// given them, so they may not be forgotten.
    fn look(self, cursor: &Cursor) -> Result<Look, Failure> {
        let is_empty = self.messages.is_empty() && cursor.jobs.is_empty();
        match self.failure {
            Some(failure) if self.went_well == 0 && is_empty => return Err(failure),
            Some(failure) if self.went_well == 0 => {
                tracing::warn!(error = %chain(&failure), "Cannot look for news");
            }
            Some(_) | None => {}
        }
        Ok(Look {
            messages: self.messages,
            cursor: cursor.write(),
            has_more: self.has_more,
            waiting: self.waiting,
            newest: self.newest,
        })
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
