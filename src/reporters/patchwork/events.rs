//! Reading streams of events: one for each project and category.
//!
//! A filter that Patchwork cannot meet finds nothing, silently, so each project is asked for
//! first; and categories are asked for one by one, as an older server does not know all of them.

use std::time::Duration;

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use url::Url;

use super::api::{Date, Event, PER_PAGE, Project, Series, Version, entries};
use super::client::{Caller, answered_at, read};
use super::cursor::{Cursor, Errand, Stream, Task};
use super::poll::Poll;
use super::whole::versions;
use crate::remote::{Failure, chain};

/// How many pages of events are read of one stream in one look.
const PAGES_MAX: usize = 20;
/// After so many looks a list of events that has not ended has no end.
const RESUMED_MAX: u32 = 100;
/// How many pages of series are read to find what was missed.
const RECONCILE_PAGES_MAX: usize = 40;
/// How much further than news are old what was missed may be: that is looked for once a day.
const RECONCILE_BACK: Duration = Duration::from_hours(24);
/// How often a look goes back further than usual.
const WIDE_EVERY: Duration = Duration::from_hours(1);
/// How far a clock may be wrong.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

const COMPLETED: &str = "series-completed";
const ON_PATCH: &str = "patch-comment-created";
const ON_COVER: &str = "cover-comment-created";

impl Poll {
    /// Whether this look goes back further than usual: the first, and then every hour.
    fn is_wide(&self, now: Timestamp) -> bool {
        self.with_state(|state| {
            let is_due = state.wide_at.is_none_or(|at| at <= now);
            if is_due {
                state.wide_at = now.saturating_add(WIDE_EVERY).ok();
                state.verified.clear();
            }
            is_due
        })
    }

    /// Sees to it that a project is there: a filter by one that is not finds nothing, silently.
    async fn verify(&self, project: &str) -> Result<(), Failure> {
        if self.with_state(|state| state.verified.contains(project)) {
            return Ok(());
        }
        let what = format!("cannot find project `{project}`");
        let url = self.api.url(&["projects", project], &[]).await?;
        let answer = self.api.client.ask(Caller::Anybody, (Method::GET, url), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(Failure::give_up(anyhow!("there is no project `{project}`")));
        }
        let found: Project = read(&self.api.client.success(answer, &what)?, &what)?;
        // A number is looked for among numbers first.
        if found.link_name != project {
            let why = format!("there is no project `{project}`, but one that is number {project}");
            return Err(Failure::give_up(anyhow!(why)));
        }
        self.with_state(|state| state.verified.insert(project.to_owned()));
        Ok(())
    }

    /// Reads all streams; what is new becomes errands.  The newest date of all is returned, where
    /// it can be one of UTC.  An error only if no stream could be read.
    pub(super) async fn read_streams(
        &self,
        cursor: &mut Cursor,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Failure> {
        let is_wide = self.is_wide(now);
        let has_comments = self.api.version().await? >= Version::V1_3;
        let categories: &[&str] =
            if has_comments { &[COMPLETED, ON_PATCH, ON_COVER] } else { &[COMPLETED] };
        let mut newest = None;
        let mut failures = Vec::new();
        let mut has_read = false;
        let turn = self.with_state(|state| {
            state.turn = state.turn.wrapping_add(1);
            state.turn.checked_rem(self.projects.len()).unwrap_or(0)
        });
        for project in self.projects.iter().cycle().skip(turn).take(self.projects.len()) {
            let read = self.read_project(cursor, (project, categories), is_wide, now).await;
            match read {
                Ok(date) => {
                    has_read = true;
                    newest = newest.max(date);
                    self.is_well(project);
                }
                Err(failure) => {
                    let is_passing = matches!(failure, Failure::Retry { .. });
                    self.complain(project, format!("Project `{project}`: {}", chain(&failure)));
                    failures.push(failure);
                    if is_passing && failures.len() > 1 {
                        // Asking on would take as long a wait each.
                        break;
                    }
                }
            }
        }
        let is_ours = |key: &String, _: &mut Stream| {
            let project = key.split_once(' ').map(|(project, _)| project);
            project.is_some_and(|project| self.projects.iter().any(|own| own == project))
        };
        cursor.streams.retain(is_ours);
        match failures.into_iter().next() {
            Some(failure) if !has_read => Err(failure),
            Some(_) | None => {
                let limit = now.saturating_add(CLOCKS).unwrap_or(now);
                Ok(newest.and_then(Date::in_utc).filter(|newest| *newest <= limit))
            }
        }
    }

    /// Reads the streams of one project; the newest date in them.
    async fn read_project(
        &self,
        cursor: &mut Cursor,
        (project, categories): (&str, &[&str]),
        is_wide: bool,
        now: Timestamp,
    ) -> Result<Option<Date>, Failure> {
        self.verify(project).await?;
        let mut newest = None;
        for category in categories {
            let date = self.read_stream(cursor, (project, category), is_wide, now).await?;
            newest = newest.max(date);
        }
        Ok(newest)
    }

    /// Reads one stream as far as it goes; the newest date in it.
    async fn read_stream(
        &self,
        cursor: &mut Cursor,
        (project, category): (&str, &str),
        is_wide: bool,
        now: Timestamp,
    ) -> Result<Option<Date>, Failure> {
        let key = format!("{project} {category}");
        let Some(mut stream) = cursor.streams.get(&key).cloned() else {
            let (events, _, _) = self.page(self.first(project, category).await?, now).await?;
            let stream = Stream::begin(&events, now);
            let newest = stream.newest;
            cursor.streams.insert(key, stream);
            return Ok(newest);
        };
        // What is told of addresses is not believed later either.
        let resume = stream.resume.take().and_then(|url| self.api.client.own(url.as_str()));
        let is_resumed = resume.is_some();
        let mut next = match resume {
            Some(url) => Some(url),
            None => Some(self.after(project, category, stream.since(is_wide)).await?),
        };
        for _ in 0..PAGES_MAX {
            let Some(url) = next.take_if(|_| !cursor.is_full()) else { break };
            let page = self.page(url, now).await;
            if let (true, Err(Failure::GiveUp(_))) = (is_resumed, &page) {
                // It is not there any more: what it had is read again from the usual place.
                break;
            }
            let (events, following, server_now) = page?;
            // What came while nobody asked is as new as it was then.
            let cutoff = before_by(stream.caught_up, self.age_max);
            for event in stream.take(events, is_wide, server_now) {
                if let Some(task) = task(category, &event) {
                    cursor.add(Errand::new(project, task, now, cutoff));
                }
            }
            if following.is_none() {
                stream.caught_up = now;
            }
            next = following;
        }
        stream.resumed = if next.is_some() { stream.resumed + 1 } else { 0 };
        if stream.resumed > RESUMED_MAX {
            let text = format!("The events of `{project}` have no end: the rest is passed over");
            self.complain(&key, text);
            (next, stream.resumed) = (None, 0);
        }
        stream.resume = next;
        let newest = stream.newest;
        cursor.streams.insert(key, stream);
        Ok(newest)
    }

    async fn first(&self, project: &str, category: &str) -> Result<Url, Failure> {
        let query = [("project", project), ("category", category), ("order", "-date")];
        self.api.url(&["events"], &[query.as_slice(), &[("per_page", PER_PAGE)]].concat()).await
    }

    /// Oldest first: what comes while pages are turned is at the end.
    async fn after(
        &self,
        project: &str,
        category: &str,
        since: Option<Date>,
    ) -> Result<Url, Failure> {
        let since = since.map(|date| date.to_string());
        let mut query = vec![("project", project), ("category", category), ("order", "date")];
        query.push(("per_page", PER_PAGE));
        query.extend(since.as_deref().map(|since| ("since", since)));
        self.api.url(&["events"], &query).await
    }

    /// One page of events, the address of the next, and the server's time.
    async fn page(
        &self,
        url: Url,
        now: Timestamp,
    ) -> Result<(Vec<Event>, Option<Url>, Timestamp), Failure> {
        let what = "cannot read events";
        let answer = self.api.client.get(Caller::Anybody, url, what).await?;
        let (events, faults) = entries(&answer, what)?;
        for fault in faults {
            let text = format!("An event cannot be read, and is passed over: {fault}");
            self.complain(&fault, text);
        }
        let next = self.api.client.next(&answer, what)?;
        Ok((events, next, answered_at(&answer).unwrap_or(now)))
    }

    /// Makes errands of what was sent since `cutoff`, is whole and was not told.
    pub(super) async fn missed(
        &self,
        cursor: &mut Cursor,
        project: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        self.verify(project).await?;
        let stream = cursor.streams.get(&format!("{project} {COMPLETED}"));
        let began = stream.map(|stream| stream.began);
        let back = self.age_max.saturating_add(RECONCILE_BACK);
        let cutoff = before_by(now, back).max(began.unwrap_or(now));
        let since = Date::of(cutoff).to_string();
        let query = [
            ("project", project),
            ("since", since.as_str()),
            ("order", "-date"),
            ("per_page", PER_PAGE),
        ];
        let what = "cannot list series";
        let mut next = Some(self.api.url(&["series"], &query).await?);
        for _ in 0..RECONCILE_PAGES_MAX {
            let Some(url) = next.take().filter(|_| !cursor.is_full()) else { break };
            let answer = self.api.client.get(Caller::Anybody, url, what).await?;
            let (found, faults) = entries::<Series>(&answer, what)?;
            for fault in faults {
                let text = format!("A series cannot be read, and is passed over: {fault}");
                self.complain(&fault, text);
            }
            for series in found {
                let whole = versions(&series).unwrap_or_default();
                if whole.iter().any(|whole| !cursor.is_told(series.id, whole.version)) {
                    cursor.add(Errand::new(project, Task::Series(series.id), now, cutoff));
                }
            }
            next = self.api.client.next(&answer, what)?;
        }
        Ok(())
    }
}

/// What is to be done about an event.
fn task(category: &str, event: &Event) -> Option<Task> {
    let payload = &event.payload;
    let comment = payload.comment.map(|comment| comment.id);
    match category {
        COMPLETED => payload.series.map(|series| Task::Series(series.id)),
        ON_PATCH => payload.patch.zip(comment).map(|(patch, id)| Task::OnPatch(patch.id, id)),
        ON_COVER => payload.cover.zip(comment).map(|(cover, id)| Task::OnCover(cover.id, id)),
        _ => None,
    }
}

/// The moment that is so long before `time`.
fn before_by(time: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    time.saturating_sub(span).unwrap_or(Timestamp::MIN)
}
