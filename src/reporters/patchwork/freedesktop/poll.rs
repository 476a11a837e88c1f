//! What is new at a Patchwork of freedesktop.org's kind: revisions of series that are complete.
//!
//! Somebody who asks for a test again makes a new revision of the same patches, which is told as
//! any other.  An older server tells of the same revision once more instead: that is a request of
//! the user who did it, whom the server knows for a maintainer.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::Source;
use super::cursor::{Cursor, Place};
use super::read::{Found, Posted, Told};
use crate::event::EventKind;
use crate::event::proposal::Standing;
use crate::event::series::{Request, Sender, SeriesEvent};
use crate::remote::{Failure, chain};
use crate::reporters::patchwork::PatchworkSettings;
use crate::reporters::patchwork::api::Date;
use crate::source::poll::{Look, Poller, message};

/// How many mails are read in one look, with each question about others: the rest is read in the
/// next, at once.
const MAILS_MAX: usize = 200;
/// After how long nothing more is begun in one look, and in one that goes through everything: what
/// was found is lost with a look that takes too long.
const LOOK_LIMIT: Duration = Duration::from_mins(4);
const NIGHT_LIMIT: Duration = Duration::from_hours(1);
/// How long one series may take to read.
const READ_LIMIT: Duration = Duration::from_mins(3);
/// How many series in a row cannot be read until it is the server that is ill.
const FAILURES_MAX: usize = 3;
/// The server's local time may be that far from ours.
const ZONES: SignedDuration = SignedDuration::from_hours(26);

/// A Patchwork that is asked for what is new.
#[derive(Debug)]
pub(super) struct FreedesktopPoller {
    source: Source,
    projects: Vec<String>,
    age_max: SignedDuration,
    incomplete: SignedDuration,
    /// After how long nothing more is begun in one look.
    pub(super) limit: Duration,
}

/// What was found so far in one look.
struct Haul {
    began: Instant,
    limit: Duration,
    look: Look,
    mails: usize,
    failure: Option<Failure>,
    went_well: usize,
}

impl FreedesktopPoller {
    pub(super) fn new(source: Source, settings: &PatchworkSettings) -> Self {
        let signed = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        Self {
            source,
            projects: settings.projects.clone(),
            age_max: signed(settings.age_max),
            incomplete: signed(settings.incomplete),
            limit: LOOK_LIMIT,
        }
    }

    /// Tells of the events of a project; `place` moves on event by event.
    ///
    /// One that cannot be read now is kept for later, behind what is new, and keeps no other from
    /// being told; where several in a row cannot, it is the server that is ill.
    async fn project(
        &self,
        project: &str,
        place: &mut Place,
        now: Timestamp,
        haul: &mut Haul,
    ) -> Result<(), Failure> {
        let id = self.source.project(project).await?;
        if !place.has_begun {
            return self.begin((project, now), place).await;
        }
        let (events, is_all) = self.source.events(project, place.since(), None).await?;
        haul.look.has_more |= !is_all;
        let dates = events.iter().map(|event| event.event_time);
        let newest = dates.filter(|date| *date <= Place::latest(now)).max().and_then(Date::in_utc);
        haul.look.newest = haul.look.newest.max(newest);
        let errands = place.take_errands(now, self.incomplete);
        let mut in_vain = Vec::new();
        let mut failures = 0;
        for event in events {
            if place.has_seen(&event) {
                place.note(&event, now);
                continue;
            }
            let is_full = place.is_full(in_vain.len() + errands.len());
            if failures >= FAILURES_MAX || haul.is_spent() || is_full {
                haul.look.has_more |= failures == 0;
                break;
            }
            match self.told((project, id), &event, now, haul).await {
                Ok(told) => {
                    failures = 0;
                    haul.look.messages.extend(told.as_ref().map(message));
                }
                Err(failure) => {
                    // What will not be answered says nothing of the server.
                    failures += usize::from(is_ill(&failure));
                    complain(project, &event, &failure);
                    in_vain.push((event.clone(), now));
                }
            }
            place.note(&event, now);
        }
        for (event, since) in errands {
            if failures >= FAILURES_MAX || haul.is_spent() {
                place.keep(event, since);
                continue;
            }
            match self.told((project, id), &event, now, haul).await {
                Ok(told) => {
                    failures = 0;
                    haul.look.messages.extend(told.as_ref().map(message));
                }
                Err(failure) => {
                    failures += 1;
                    complain(project, &event, &failure);
                    in_vain.push((event, since));
                }
            }
        }
        // What was tried comes behind what was not.
        for (event, since) in in_vain {
            place.keep(event, since);
        }
        place.forget();
        Ok(())
    }

    /// The first look: what is there is no news.
    async fn begin(
        &self,
        (project, now): (&str, Timestamp),
        place: &mut Place,
    ) -> Result<(), Failure> {
        let newest = self.source.newest(project).await?.map(|event| event.event_time);
        // From one that is yet to come nothing can be told of what has come.
        let at = |date: Date| if date > Place::latest(now) { Date::of(now - ZONES) } else { date };
        place.newest = newest.map(at);
        place.began = place.newest;
        if place.began.is_some() {
            for event in self.source.events(project, place.since(), None).await?.0 {
                place.note(&event, now);
            }
        }
        place.has_begun = true;
        Ok(())
    }

    /// What an event is to be told as; nothing where it is old, or was told before.
    async fn told(
        &self,
        project: (&str, u64),
        event: &Told,
        now: Timestamp,
        haul: &mut Haul,
    ) -> Result<Option<SeriesEvent>, Failure> {
        in_time(self.read(project, event, now, haul)).await
    }

    async fn read(
        &self,
        (project, id): (&str, u64),
        event: &Told,
        now: Timestamp,
        haul: &mut Haul,
    ) -> Result<Option<SeriesEvent>, Failure> {
        let Some(series) = event.series else { return Ok(None) };
        let version = event.parameters.revision;
        let Some(found) = self.source.read((project, id), (series, version)).await? else {
            tracing::warn!(project, series, version, "Left out a revision that cannot be read");
            return Ok(None);
        };
        haul.mails += found.patches.len() + 1;
        if self.is_repeat(project, event).await? {
            // The same user would be somebody else as a sender.
            return Ok(event.user.map(|user| recheck(found.event, user, event.event_time)));
        }
        let is_old = self.is_old(&found, now);
        if is_old && !self.is_rerun((series, version), &found).await? {
            return Ok(None);
        }
        Ok(Some(found.event))
    }

    fn is_old(&self, found: &Found, now: Timestamp) -> bool {
        found.sent.is_some_and(|sent| now.duration_since(sent) > self.age_max)
    }

    /// Whether an event tells of a revision that another has told of before.
    async fn is_repeat(&self, project: &str, event: &Told) -> Result<bool, Failure> {
        let (all, _) = self.source.events(project, None, event.series).await?;
        let revision = event.parameters.revision;
        // A server that does not know the filter lists those of all series.
        let is_same =
            |other: &&Told| other.series == event.series && other.parameters.revision == revision;
        let mut same = all.iter().filter(is_same);
        Ok(same.any(|other| other.event_time < event.event_time))
    }

    /// Whether a revision is of the same patches as the one before: its mails are old because
    /// somebody wants them tested again.
    async fn is_rerun(
        &self,
        (series, version): (u64, u32),
        found: &Found,
    ) -> Result<bool, Failure> {
        let what = format!("cannot read the revisions of series {series}");
        let before = version.saturating_sub(1);
        let before = self.source.revision(series, before, &what).await?;
        Ok(before.is_some_and(|before| before.patches == found.patches))
    }

    /// Tells of all series of a project that have changed in the last days, as they are now.
    async fn all(
        &self,
        project: &str,
        place: &Place,
        now: Timestamp,
        haul: &mut Haul,
    ) -> Result<(), Failure> {
        let id = self.source.project(project).await?;
        let since = Date::of(now - self.age_max.max(self.incomplete) - ZONES);
        let since = place.began.map_or(since, |began| began.max(since));
        let mut failures = 0;
        for posted in self.source.changed(project, since).await? {
            if haul.is_late() {
                tracing::warn!(project, "Goes through a part of the series only: it takes long");
                break;
            }
            haul.look.newest = haul.look.newest.max(posted.last_updated.and_then(Date::in_utc));
            let newest = self.newest((project, id), &posted, now, haul);
            let Err(failure) = in_time(newest).await else {
                failures = 0;
                continue;
            };
            failures += usize::from(is_ill(&failure));
            if failures >= FAILURES_MAX {
                return Err(failure);
            }
            let (series, error) = (posted.id, chain(&failure));
            tracing::warn!(project, series, error, "Cannot read a series");
        }
        Ok(())
    }

    /// Tells of the newest revision of a series.
    async fn newest(
        &self,
        place: (&str, u64),
        posted: &Posted,
        now: Timestamp,
        haul: &mut Haul,
    ) -> Result<(), Failure> {
        let what = format!("cannot read series {}", posted.id);
        let revision = self.source.revision(posted.id, posted.version, &what).await?;
        if revision.is_none_or(|revision| revision.patches.len() < posted.n_patches) {
            haul.look.waiting += 1;
            return Ok(());
        }
        let found = self.source.read(place, (posted.id, posted.version)).await?;
        let found = found.filter(|found| !self.is_old(found, now));
        haul.look.messages.extend(found.map(|found| message(&found.event)));
        Ok(())
    }
}

#[async_trait]
impl Poller for FreedesktopPoller {
    /// Projects are asked one after the other, and one that fails does not keep the others from
    /// being heard.
    async fn look(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure> {
        let mut cursor = Cursor::read(cursor);
        cursor.projects.retain(|project, _| self.projects.contains(project));
        let mut haul = Haul::within(self.limit);
        for project in &self.projects {
            let place = cursor.projects.entry(project.clone()).or_default();
            let failure = self.project(project, place, now, &mut haul).await.err();
            haul.note(project, failure);
        }
        haul.finish(&cursor)
    }

    async fn reconcile(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure> {
        let cursor = Cursor::read(cursor);
        let mut haul = Haul::within(NIGHT_LIMIT);
        for project in &self.projects {
            // Where nobody has looked yet, what is there is no news.
            let place = cursor.projects.get(project).filter(|place| place.has_begun);
            let Some(place) = place else { continue };
            let failure = self.all(project, place, now, &mut haul).await.err();
            haul.note(project, failure);
        }
        haul.finish(&cursor)
    }
}

impl Haul {
    fn within(limit: Duration) -> Self {
        let (began, look) = (Instant::now(), Look::default());
        Self { began, limit, look, mails: 0, failure: None, went_well: 0 }
    }

    /// Whether so much time has gone by that nothing more is begun.
    fn is_late(&self) -> bool {
        self.began.elapsed() > self.limit
    }

    /// Whether nothing more is begun.
    fn is_spent(&self) -> bool {
        self.mails >= MAILS_MAX || self.is_late()
    }

    fn note(&mut self, project: &str, failure: Option<Failure>) {
        match failure {
            None => self.went_well += 1,
            Some(failure) => {
                tracing::warn!(error = %chain(&failure), "Cannot look for news of `{project}`");
                self.failure.get_or_insert(failure);
            }
        }
    }

    /// What was found, where anything went well.
    fn finish(self, cursor: &Cursor) -> Result<Look, Failure> {
        match self.failure {
            Some(failure) if self.went_well == 0 && self.look.messages.is_empty() => Err(failure),
            Some(_) | None => Ok(Look { cursor: cursor.write(), ..self.look }),
        }
    }
}

/// What `read` reads, unless it takes too long.
async fn in_time<T>(read: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(READ_LIMIT, read).await.unwrap_or_else(|_elapsed| {
        Err(Failure::retry(anyhow!("it takes longer than {READ_LIMIT:?} to read")))
    })
}

/// Whether a failure speaks of the server, and not of what was asked for.
fn is_ill(failure: &Failure) -> bool {
    matches!(failure, Failure::Retry { .. })
}

fn complain(project: &str, event: &Told, failure: &Failure) {
    let (series, error) = (event.series.unwrap_or_default(), chain(failure));
    tracing::warn!(project, series, error, "Cannot read a series");
}

/// A revision that a user wants tested again, and on its base as that is now.
fn recheck(event: SeriesEvent, user: u64, date: Date) -> SeriesEvent {
    let id = format!("user/{user}");
    let by = Sender { id: Some(id), vouched: true, ..Sender::default() };
    let request = Request {
        standing: Some(Standing::Maintainer),
        id: date.to_string(),
        by,
        // The server lets nobody else.
        names: Vec::new(),
        rebase: true,
        at: date.in_utc(),
        operator: false,
    };
    SeriesEvent { event: EventKind::SeriesRecheck, request: Some(request), ..event }
}
