//! Patchew's queues: series that wait to be put on a branch, and tests that wait to be run.
//!
//! Nobody can say of a series that it is theirs: it stays in the queue until there is a result,
//! and is told once.  A test is given to one for an hour, and to the next after that, or once it is
//! said to wait again: each time that it is given to us is told, and nobody has it meanwhile.

use jiff::Timestamp;
use serde_json::json;

use super::client::{By, is_segment, number_of, said};
use super::cursor::{Cursor, Queued, Taken, mark};
use super::poll::{Haul, PatchewPoller};
use super::result::public;
use super::search::{FAILURES_MAX, is_ill};
use super::series::Found;
use super::wire::{Head, Job, ResultRow};
use crate::event::EventKind;
use crate::event::proposal::Standing;
use crate::event::series::{Request, Sender, Series, SeriesEvent, TestRequest};
use crate::remote::{Failure, chain};
use crate::reporters::patches::is_msgid;
use crate::source::poll::message;
use crate::subject::CommitSha;

/// How many tests are taken of a project in one look, and how many are kept that could not be
/// told of.
const TAKEN_MAX: usize = 8;
const KEPT_MAX: usize = 64;
/// How long one may be, without its script.
const JOB_MAX_BYTES: usize = 4 * 1024;
/// How often the series of a test is asked for.
const TRIES_MAX: u32 = 30;
/// How many series are kept in mind that waited.
const QUEUED_MAX: usize = 2_000;
/// What the series of a project's own branch is called, before its commit.
const BASELINE: &str = "HEAD-";
/// Who sends a project's own branch; as [`RESET`], nobody can send a mail as this.
const PROJECT: &str = "HEAD";
/// Who asks, where somebody has pressed the button to have a series put on a branch again: which
/// of those who may is not told.  It is no address that a mail could come from.
const RESET: &str = "git-reset";

/// Whether it is a test of a project's own branch: no mail is.
pub(super) fn is_baseline(event: &SeriesEvent) -> bool {
    event.test.is_some() && event.series.patches.is_empty() && event.series.id.starts_with(BASELINE)
}

/// A series that is listed as one that waits.
struct Listed {
    project: String,
    msgid: String,
    mark: String,
}

/// What is to be told of a series that waits.
enum Unapplied {
    /// This.
    News(Box<SeriesEvent>),
    /// Nothing.
    Old,
    /// Nothing yet: it is not whole, or cannot be asked for.
    Lacking,
}

impl PatchewPoller {
    /// Tells what waits to be put on a branch.
    ///
    /// What cannot be told yet comes behind all others in the next look.
    pub(super) async fn queue(&self, cursor: &mut Cursor, haul: &mut Haul) -> Result<(), Failure> {
        let mut here = Vec::new();
        let mut news = Vec::new();
        for listed in self.listed().await? {
            if !is_msgid(&listed.msgid) || cursor.waits(&listed.mark) == Some(true) {
                here.push(listed.mark);
            } else {
                news.push(listed);
            }
        }
        news.sort_by_key(|listed| cursor.put_off.iter().position(|mark| *mark == listed.mark));
        let marks: Vec<String> = news.iter().map(|listed| listed.mark.clone()).collect();
        let mut in_vain = Vec::new();
        let mut failures = 0;
        for (count, Listed { project, msgid, mark }) in news.into_iter().enumerate() {
            let was_put_off = cursor.put_off.contains(&mark);
            if count >= Self::READ_MAX || failures >= FAILURES_MAX || haul.is_late() {
                haul.has_more |= failures == 0 && !was_put_off;
                break;
            }
            let was_here = cursor.waits(&mark).is_some();
            match self.unapplied((&project, &msgid), was_here).await {
                Ok(Unapplied::News(event)) => {
                    haul.messages.push(message(&event));
                    here.push(mark);
                }
                Ok(Unapplied::Old) => here.push(mark),
                Ok(Unapplied::Lacking) => {
                    if !was_put_off {
                        let series = said(&msgid);
                        tracing::warn!(project, series, "Put off a series that is not whole");
                    }
                    in_vain.push(mark);
                }
                Err(failure) => {
                    if !was_put_off {
                        let (series, error) = (said(&msgid), chain(&failure));
                        tracing::warn!(project, series, error, "Cannot read a series that waits");
                    }
                    failures += usize::from(was_put_off || is_ill(&failure));
                    in_vain.push(mark);
                    continue;
                }
            }
            failures = 0;
        }
        // What is listed no more has its result.
        for queued in &mut cursor.queue {
            queued.is_here = false;
        }
        cursor
            .put_off
            .retain(|mark| marks.contains(mark) && !here.contains(mark) && !in_vain.contains(mark));
        cursor.put_off.append(&mut in_vain);
        cursor.put_off.truncate(QUEUED_MAX);
        remember(&mut cursor.queue, here);
        Ok(())
    }

    /// What waits of our projects.
    async fn listed(&self) -> Result<Vec<Listed>, Failure> {
        let mut names = Vec::new();
        for project in &self.projects {
            names.push((self.source.client.project(project).await?, project));
        }
        let what = "cannot list what is unapplied";
        let target = self.target_repo.as_deref().map(|target| ("target_repo", target));
        let query: Vec<_> = target.into_iter().collect();
        let path = ["series", "unapplied"];
        let heads: Vec<Head> =
            self.source.client.list((By::Us, &path, &query), what, |_: &[Head]| false).await?;
        let listed = heads.into_iter().filter_map(|head| {
            let id = number_of(&head.resource_uri, "projects");
            let (_, project) = names.iter().find(|(known, _)| Some(*known) == id)?;
            let mark = mark(project, &head.message_id);
            Some(Listed { project: (*project).clone(), msgid: head.message_id, mark })
        });
        Ok(listed.collect())
    }

    /// What is to be told of a series that waits; `was_here` before, and had its result.
    async fn unapplied(
        &self,
        (project, msgid): (&str, &str),
        was_here: bool,
    ) -> Result<Unapplied, Failure> {
        let found = self.read(project, msgid).await?;
        let Some(Found { mut event, is_whole: true }) = found else {
            return Ok(Unapplied::Lacking);
        };
        if !was_here {
            return Ok(Unapplied::News(Box::new(event)));
        }
        let Some(result) = self.source.git_result(project, msgid).await? else {
            return Ok(Unapplied::Lacking);
        };
        // New tags alone change no line of code: Patchew itself does not test for them again.
        if result.data.get("git.push_options").is_some() {
            return Ok(Unapplied::Old);
        }
        event.event = EventKind::SeriesRecheck;
        event.request = Some(Request {
            id: format!("{RESET}/{}", result.last_update.unwrap_or_default()),
            by: Sender { email: RESET.to_owned(), ..Sender::default() },
            // Whoever has an account there can press it.
            standing: Some(Standing::Contributor),
            operator: false,
            names: Vec::new(),
            rebase: true,
            at: None,
        });
        Ok(Unapplied::News(Box::new(event)))
    }

    /// Takes the tests of a project that we can run; they are ours for an hour.
    pub(super) async fn take_tests(
        &self,
        (project, now): (&str, Timestamp),
        taken: &mut Vec<Taken>,
    ) -> Result<(), Failure> {
        let shown = said(project);
        let what = format!("cannot ask for a test of `{shown}`");
        if !is_segment(project) {
            return Err(Failure::give_up(anyhow::anyhow!("{what}: it is no name of a project")));
        }
        let url = self.source.client.api(&["projects", "by-name", project, "get-test"]);
        let body = json!({ "tester": self.tester, "capabilities": self.capabilities });
        for _ in 0..TAKEN_MAX {
            if taken.len() >= KEPT_MAX {
                break;
            }
            let answer = self.source.client.post(url.clone(), &body, &what).await?;
            if answer.body.is_empty() {
                break;
            }
            let mut job: Job = answer.json(&what)?;
            if serde_json::to_vec(&job).is_ok_and(|job| job.len() > JOB_MAX_BYTES) {
                tracing::warn!(project, "Left out a test that is too long to be kept");
                continue;
            }
            // A project's own repository is followed by its branch.
            job.repo = public(job.repo.split_whitespace().next().unwrap_or_default());
            taken.push(Taken { project: project.to_owned(), job, tries: 0, at: Some(now) });
        }
        Ok(())
    }

    /// Tells of the tests that were taken; one whose series cannot be read now is kept.
    pub(super) async fn tell_tests(&self, taken: &mut Vec<Taken>, haul: &mut Haul) {
        for mut test in std::mem::take(taken) {
            if haul.is_late() {
                haul.has_more = true;
                taken.push(test);
                continue;
            }
            match self.test(&test).await {
                Ok(Some(event)) => haul.messages.push(message(&event)),
                Ok(None) => {
                    let name = said(&test.job.test.name);
                    tracing::warn!(project = %test.project, test = %name, "Left out a test of something that cannot be read");
                }
                Err(failure) => {
                    test.tries += 1;
                    tracing::warn!(error = %chain(&failure), tries = test.tries, "Cannot read the series of a test that was given to us");
                    if test.tries < TRIES_MAX {
                        taken.push(test);
                    }
                }
            }
        }
    }

    async fn test(
        &self,
        Taken { project, job, at, .. }: &Taken,
    ) -> Result<Option<SeriesEvent>, Failure> {
        let mut event = match (job.identity.kind.as_str(), &job.identity.message_id) {
            ("project", _) => self.baseline(project, &job.head),
            (_, Some(msgid)) => match self.read(project, msgid).await? {
                Some(found) => found.event,
                None => return Ok(None),
            },
            (_, None) => return Ok(None),
        };
        event.event = EventKind::SeriesTest;
        event.test = Some(TestRequest {
            name: job.test.name.clone(),
            repo: job.repo.clone(),
            head: job.head.clone(),
            base: job.base.clone().and_then(|base| CommitSha::try_from(base).ok()),
            timeout: job.test.timeout,
            requirements: job.test.requirements.clone().filter(|words| !words.is_empty()),
            handed_at: *at,
        });
        Ok(Some(event))
    }

    /// A project's own branch, as a series without patches: each commit is one of its own, so
    /// that it is tested although one before it was.
    fn baseline(&self, project: &str, head: &str) -> SeriesEvent {
        let id = format!("{BASELINE}{head}");
        SeriesEvent {
            event: EventKind::SeriesTest,
            instance: self.source.instance.clone(),
            project: project.to_owned(),
            series: Series {
                root: id.clone(),
                id,
                version: 1,
                title: format!("{project} at {}", head.chars().take(12).collect::<String>()),
                url: Some(self.source.client.page(&[project]).into()),
                submitter: Sender {
                    name: project.to_owned(),
                    email: PROJECT.to_owned(),
                    ..Sender::default()
                },
                ..Series::default()
            },
            request: None,
            test: None,
            at: None,
        }
    }
}

impl super::Source {
    /// What stands of a series being on a branch.
    async fn git_result(&self, project: &str, msgid: &str) -> Result<Option<ResultRow>, Failure> {
        let what = format!("cannot read result `git` of `{}`", said(msgid));
        let id = self.client.project(project).await?.to_string();
        let url = self.client.api(&["projects", &id, "series", msgid, "results", "git"]);
        let answer = self.client.find(url, &what).await?;
        answer.map(|answer| answer.json(&what)).transpose()
    }
}

/// Keeps in mind what waits now; the oldest of what waited are forgotten first.
fn remember(known: &mut Vec<Queued>, here: Vec<String>) {
    for mark in here {
        known.retain(|queued| queued.mark != mark);
        known.push(Queued { mark, is_here: true });
    }
    let too_many = known.len().saturating_sub(QUEUED_MAX);
    known.drain(..too_many);
}
