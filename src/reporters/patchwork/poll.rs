//! Asking a Patchwork for what is new.
//!
//! Its events are a hint: what they are about is read again, and told once it is whole.  What
//! cannot be read, or is not whole, is an errand: kept in the cursor, and tried again until it is
//! given up.  One that fails stops no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::PatchworkSettings;
use super::api::{Api, Series};
use super::cursor::{Cursor, Errand, Task};
use super::read::Reader;
use super::whole::{Lack, Whole, versions};
use crate::command::Grammar;
use crate::message::Message;
use crate::remote::{Failure, chain};
use crate::source::poll::{Look, Poller, message};

/// How many errands are done in one look, and in one that finds what was missed.
const BATCH: (usize, Duration) = (50, Duration::from_mins(2));
const RECONCILE_BATCH: (usize, Duration) = (200, Duration::from_mins(30));
/// How long events may take to read, and one errand to do.
const READ_LIMIT: Duration = Duration::from_mins(4);
const ERRAND_LIMIT: Duration = Duration::from_mins(3);
/// After so many errands in a row that could not be done, the others wait, too.
const FAILURES_MAX: usize = 3;
/// How long a cover letter is waited for that may never come.
const COVER_WAIT: Duration = Duration::from_mins(10);

/// Asks a Patchwork for series, and for what people ask about them.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) api: Api,
    /// The host by which messages call it.
    pub(super) instance: String,
    pub(super) projects: Vec<String>,
    incomplete: Duration,
    pub(super) age_max: Duration,
    authserv_id: Option<String>,
    pub(super) grammar: Arc<Grammar>,
    state: Mutex<State>,
}

/// What is remembered between two looks, and may be forgotten.
#[derive(Debug, Default)]
pub(super) struct State {
    /// When a look goes back further than usual.
    pub(super) wide_at: Option<Timestamp>,
    /// Which project is asked for first: each in its turn.
    pub(super) turn: usize,
    /// The projects that are there.
    pub(super) verified: BTreeSet<String>,
    /// Whether what was missed was listed, and is still to be told.
    has_listed: bool,
    /// What was complained of last, by what it is about.
    complained: BTreeMap<String, String>,
}

/// What came of an errand.
#[derive(Debug)]
pub(super) enum Done {
    /// It is done, with these messages.
    Told(Vec<Message>),
    /// It has to wait: in a few words, for what.
    Waits(String),
    /// There is nothing to be told: in a few words, why.
    Nothing(String),
}

impl Poll {
    pub(super) fn new(
        api: Api,
        instance: String,
        settings: &PatchworkSettings,
        grammar: Arc<Grammar>,
    ) -> Self {
        Self {
            api,
            instance,
            projects: settings.projects.clone(),
            incomplete: settings.incomplete,
            age_max: settings.age_max,
            authserv_id: settings.authserv_id.clone(),
            grammar,
            state: Mutex::default(),
        }
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        let authserv_id = self.authserv_id.as_deref();
        Reader { api: &self.api, instance: &self.instance, authserv_id }
    }

    fn name(&self) -> String {
        self.api.client.connection()
    }

    pub(super) fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Complains about something, unless the same was said of it last.
    pub(super) fn complain(&self, about: &str, text: impl Into<String>) {
        /// When so much was said, all of it may be said again.
        const SAID_MAX: usize = 1_000;
        let text = text.into();
        let is_new = self.with_state(|state| {
            if state.complained.len() >= SAID_MAX {
                state.complained.clear();
            }
            state.complained.insert(about.to_owned(), text.clone()).as_ref() != Some(&text)
        });
        if is_new {
            tracing::warn!(connection = self.name(), "{text}");
        }
    }

    /// Forgets what was complained of.
    pub(super) fn is_well(&self, about: &str) {
        self.with_state(|state| state.complained.remove(about));
    }

    /// Does what is due, at most `count` errands, and begins none after `limit`: what was done is
    /// lost with a look that takes too long.
    async fn work_off(
        &self,
        cursor: &mut Cursor,
        now: Timestamp,
        (count, limit): (usize, Duration),
    ) -> Vec<Message> {
        let begin = Instant::now();
        let mut messages = Vec::new();
        let mut failures = 0;
        for errand in cursor.take_due(now, count) {
            if failures >= FAILURES_MAX {
                cursor.errands.push(errand.postponed(now));
                continue;
            }
            if begin.elapsed() > limit {
                cursor.errands.push(errand);
                continue;
            }
            let done = timeout(ERRAND_LIMIT, self.run(cursor, &errand, now)).await;
            let done = done.unwrap_or_else(|_elapsed| {
                Err(Failure::retry(anyhow::anyhow!("it takes longer than {ERRAND_LIMIT:?}")))
            });
            failures = if done.is_err() { failures + 1 } else { 0 };
            match done {
                Ok(Done::Told(told)) => messages.extend(told),
                Ok(Done::Nothing(why)) => {
                    tracing::debug!(connection = self.name(), "{}: {why}", shown(&errand));
                }
                Ok(Done::Waits(lack)) => {
                    cursor.errands.extend(self.wait(errand, &format!("lacks {lack}"), now));
                }
                Err(failure) => {
                    let why = chain(&failure);
                    if errand.tries == 0 {
                        tracing::warn!(connection = self.name(), "{}: {why}", shown(&errand));
                    }
                    cursor.errands.extend(self.wait(errand, &why, now));
                }
            }
        }
        messages
    }

    async fn run(
        &self,
        cursor: &mut Cursor,
        errand: &Errand,
        now: Timestamp,
    ) -> Result<Done, Failure> {
        match errand.task {
            Task::Series(id) => self.tell(cursor, errand, id, now).await,
            Task::OnPatch(of, id) => self.hear(errand, ("patches", of), id).await,
            Task::OnCover(of, id) => self.hear(errand, ("covers", of), id).await,
        }
    }

    /// The errand to be tried again, unless it was waited for long enough.
    fn wait(&self, errand: Errand, why: &str, now: Timestamp) -> Option<Errand> {
        let limit = errand.since.saturating_add(self.incomplete).unwrap_or(Timestamp::MAX);
        if now < limit {
            return Some(errand.later(now));
        }
        let name = self.name();
        tracing::warn!(connection = name, "{} is given up: {why}", shown(&errand));
        None
    }

    /// Tells of the versions of a series that are whole, and were not told.
    async fn tell(
        &self,
        cursor: &mut Cursor,
        errand: &Errand,
        id: u64,
        now: Timestamp,
    ) -> Result<Done, Failure> {
        let reader = self.reader();
        let Some(series) = reader.series(id).await? else {
            return Ok(Done::Waits("everything: it is not there".to_owned()));
        };
        if !is_of(&series, &errand.project) {
            return Ok(Done::Nothing("it is of another project".to_owned()));
        }
        let whole = match versions(&series) {
            Ok(whole) => whole,
            Err(Lack::Yet(lack)) => return Ok(Done::Waits(lack)),
            Err(Lack::Ever(why)) => {
                let text = format!("{} is not told: it {why}", shown(errand));
                self.complain(&shown(errand), text);
                return Ok(Done::Nothing(why));
            }
        };
        let mut events = Vec::new();
        for version in whole.iter().filter(|whole| !cursor.is_told(id, whole.version)) {
            if !is_news(version, errand.cutoff) {
                let name = self.name();
                tracing::info!(connection = name, "{} is too old to be told", shown(errand));
                continue;
            }
            let told = reader.told(&series, version).await?;
            let limit = errand.since.saturating_add(COVER_WAIT).unwrap_or(Timestamp::MAX);
            if told.may_lack_cover && now < limit {
                return Ok(Done::Waits("its cover letter".to_owned()));
            }
            events.push(told.event);
        }
        for event in &events {
            cursor.set_told(id, event.series.version);
        }
        Ok(Done::Told(events.iter().map(message).collect()))
    }

    fn cursor(&self, text: Option<&str>) -> Cursor {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Cursor::default() };
        Cursor::read(text).unwrap_or_else(|| {
            let text = "How far events were read cannot be understood: it begins anew";
            self.complain("the cursor", text.to_owned());
            Cursor::default()
        })
    }

    fn look_of(cursor: &Cursor, messages: Vec<Message>, now: Timestamp) -> Look {
        let is_behind = cursor.streams.values().any(|stream| stream.resume.is_some());
        Look {
            messages,
            cursor: cursor.written(),
            // What cannot be taken on is not asked for again at once.
            has_more: (is_behind && !cursor.is_full()) || cursor.has_due(now),
            waiting: cursor.waiting(),
            newest: None,
        }
    }
}

#[async_trait]
impl Poller for Poll {
    async fn look(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure> {
        let mut cursor = self.cursor(cursor);
        // What was read by then stays in the cursor, and the next look goes on.
        let read = timeout(READ_LIMIT, self.read_streams(&mut cursor, now)).await;
        let newest = read.unwrap_or_else(|_elapsed| {
            self.complain("the events", format!("Events take longer than {READ_LIMIT:?} to read"));
            Ok(None)
        })?;
        let messages = self.work_off(&mut cursor, now, BATCH).await;
        Ok(Look { newest, ..Self::look_of(&cursor, messages, now) })
    }

    async fn reconcile(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure> {
        let mut cursor = self.cursor(cursor);
        let mut failures = Vec::new();
        // Listed again each time it would have no end: more may be listed than is remembered as
        // told.
        let goes_on = self.with_state(|state| std::mem::take(&mut state.has_listed));
        let projects = if goes_on { &[] } else { self.projects.as_slice() };
        for project in projects {
            if let Err(failure) = self.missed(&mut cursor, project, now).await {
                self.complain(project, format!("Project `{project}`: {}", chain(&failure)));
                failures.push(failure);
            }
        }
        if failures.len() == projects.len()
            && let Some(failure) = failures.into_iter().next()
        {
            return Err(failure);
        }
        let messages = self.work_off(&mut cursor, now, RECONCILE_BATCH).await;
        let look = Self::look_of(&cursor, messages, now);
        self.with_state(|state| state.has_listed = look.has_more);
        Ok(look)
    }
}

/// Whether a series is of a project, whose name Patchwork compares without regard to case.
pub(super) fn is_of(series: &Series, project: &str) -> bool {
    series.project.as_ref().is_some_and(|of| of.link_name.eq_ignore_ascii_case(project))
}

/// Whether a version has a mail that was not sent before `cutoff`, as it says itself: when a list
/// is read in anew, what comes is old.
fn is_news(whole: &Whole, cutoff: Timestamp) -> bool {
    let mails = whole.cover.iter().chain(&whole.patches);
    mails.filter_map(|item| item.date.in_utc()).any(|sent| sent >= cutoff)
}

/// An errand, for people.
fn shown(errand: &Errand) -> String {
    let project = &errand.project;
    match errand.task {
        Task::Series(id) => format!("series {id} of `{project}`"),
        Task::OnPatch(of, id) => format!("comment {id} on patch {of} of `{project}`"),
        Task::OnCover(of, id) => format!("comment {id} on cover letter {of} of `{project}`"),
    }
}
