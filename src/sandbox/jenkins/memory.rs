//! What a stand-in Jenkins knows: jobs, accounts, builds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::broadcast;
use url::Url;

use super::notifier::{Change, Phase};
use super::queue::Item;
use super::{Automatic, BuildRecord, BuildResult, JobSpec, ParameterKind, ParameterSpec, User};
use crate::clock::Clock;

/// What stays as it is in a name that is a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How many lines of a log, and how many builds of a job, are kept.
pub(super) const KEPT_MAX: usize = 10_000;

pub(super) struct Memory {
    /// Where it is asked, prefix included.
    pub(super) own: Url,
    /// Where build URLs begin, if elsewhere.
    pub(super) root: Option<Url>,
    pub(super) users: Vec<User>,
    pub(super) sessions: BTreeSet<u64>,
    pub(super) last_session: u64,
    pub(super) jobs: BTreeMap<String, Job>,
    pub(super) items: BTreeMap<u64, Item>,
    pub(super) last_item: u64,
    pub(super) is_quiet: bool,
    pub(super) automatic: Automatic,
    pub(super) due: Vec<End>,
    pub(super) answers_to_lose: u32,
    pub(super) asked: VecDeque<String>,
    pub(super) requests: VecDeque<String>,
    pub(super) clock: Clock,
    pub(super) changes: broadcast::Sender<Change>,
}

pub(super) struct Job {
    pub(super) spec: JobSpec,
    pub(super) builds: VecDeque<Build>,
    pub(super) last_number: u64,
}

#[derive(Clone)]
pub(super) struct Build {
    pub(super) number: u64,
    pub(super) queue_id: u64,
    pub(super) given: Vec<Given>,
    pub(super) cause: Cause,
    pub(super) begun: Timestamp,
    pub(super) took: Duration,
    pub(super) result: Option<BuildResult>,
}

/// A parameter with its value.
#[derive(Clone, PartialEq)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) kind: ParameterKind,
    pub(super) value: String,
}

/// Where a build came from.
#[derive(Clone)]
pub(super) enum Cause {
    User(String),
    Remote { host: String, note: Option<String> },
}

/// The end of a build that comes by itself.
pub(super) struct End {
    pub(super) job: String,
    pub(super) number: u64,
    pub(super) result: BuildResult,
    pub(super) after: Duration,
}

impl Memory {
    pub(super) fn new(own: Url, clock: Clock, changes: broadcast::Sender<Change>) -> Self {
        Self {
            own,
            root: None,
            users: Vec::new(),
            sessions: BTreeSet::new(),
            last_session: 0,
            jobs: BTreeMap::new(),
            items: BTreeMap::new(),
            last_item: 0,
            is_quiet: false,
            automatic: Automatic::Nothing,
            due: Vec::new(),
            answers_to_lose: 0,
            asked: VecDeque::new(),
            requests: VecDeque::new(),
            clock,
            changes,
        }
    }

    /// The address that build URLs begin with.
    pub(super) fn root_url(&self) -> Url {
        self.root.clone().unwrap_or_else(|| self.own.clone())
    }

    pub(super) fn job_url(&self, job: &str) -> Url {
        let root = self.root_url();
        root.join(&job_path(job)).unwrap_or(root)
    }

    pub(super) fn build_url(&self, job: &str, number: u64) -> Url {
        let url = self.job_url(job);
        url.join(&format!("{number}/")).unwrap_or(url)
    }

    pub(super) fn add_job(&mut self, spec: JobSpec) {
        if let Some(job) = self.jobs.get_mut(&spec.name) {
            job.spec = spec;
            return;
        }
        let job = Job { spec, builds: VecDeque::new(), last_number: 0 };
        self.jobs.insert(job.spec.name.clone(), job);
    }

    pub(super) fn delete_build(&mut self, job: &str, number: u64) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.builds.retain(|build| build.number != number);
        }
    }

    pub(super) fn build(&self, job: &str, number: u64) -> Option<&Build> {
        let mut builds = self.jobs.get(job)?.builds.iter();
        builds.find(|build| build.number == number)
    }

    /// The build that keeps the next one waiting.
    pub(super) fn in_the_way(&self, job: &str) -> Option<u64> {
        let job = self.jobs.get(job).filter(|job| !job.spec.concurrent)?;
        let mut builds = job.builds.iter();
        Some(builds.find(|build| build.result.is_none())?.number)
    }

    pub(super) fn records(&self, job: &str) -> Vec<BuildRecord> {
        let builds = self.jobs.get(job).into_iter().flat_map(|job| &job.builds);
        builds.map(|build| build.record(job)).collect()
    }

    /// Adds a build; the caller has its entry leave the queue.
    pub(super) fn add_build(&mut self, item: &Item) -> Option<u64> {
        let begun = self.clock.now();
        let job = self.jobs.get_mut(&item.job)?;
        job.last_number += 1;
        let build = Build {
            number: job.last_number,
            queue_id: item.id,
            given: item.given.clone(),
            cause: item.cause.clone(),
            begun,
            took: Duration::ZERO,
            result: None,
        };
        let number = build.number;
        job.builds.push_back(build.clone());
        while job.builds.len() > KEPT_MAX {
            job.builds.pop_front();
        }
        self.tell(Phase::Started, &item.job, Some(number), item);
        let record = build.record(&item.job);
        let (choose, after) = match &self.automatic {
            Automatic::Nothing | Automatic::Begin => return Some(number),
            Automatic::Finish(choose) => (choose, Duration::ZERO),
            Automatic::FinishAfter(after, choose) => (choose, *after),
        };
        let end = End { job: item.job.clone(), number, result: choose(&record), after };
        if after.is_zero() {
            self.finish(&end.job, end.number, end.result);
        } else {
            self.due.push(end);
        }
        Some(number)
    }

    pub(super) fn finish(&mut self, job: &str, number: u64, result: BuildResult) -> bool {
        let now = self.clock.now();
        let builds = self.jobs.get_mut(job).map(|job| &mut job.builds);
        let mut running = builds.into_iter().flatten();
        let Some(build) = running.find(|build| build.number == number && build.result.is_none())
        else {
            return false;
        };
        build.took = Duration::try_from(now.duration_since(build.begun)).unwrap_or_default();
        build.result = Some(result.clone());
        let took = build.took;
        let item = Item::of_build(job, build);
        self.tell(Phase::Finished { result, took }, job, Some(number), &item);
        if !matches!(self.automatic, Automatic::Nothing) {
            self.begin_oldest(job);
        }
        true
    }

    pub(super) fn tell(&self, phase: Phase, job: &str, number: Option<u64>, item: &Item) {
        let change = Change {
            phase,
            job: job.to_owned(),
            url: match number {
                Some(number) => self.build_url(job, number),
                None => self.job_url(job),
            },
            number,
            parameters: (item.given.iter())
                .map(|given| (given.name.clone(), given.value.clone()))
                .collect(),
            cause: (item.cause.class(), item.cause.sentence()),
        };
        if self.changes.send(change).is_err() {
            tracing::trace!("nobody listens to the stand-in Jenkins");
        }
    }

    pub(super) fn note_asked(&mut self, job: &str, given: &[Given]) {
        let mut words: Vec<String> =
            given.iter().map(|given| format!("{}={}", given.name, given.masked())).collect();
        words.sort();
        words.insert(0, job.to_owned());
        keep(&mut self.asked, words.join(" "));
    }

    pub(super) fn note_request(&mut self, line: String) {
        keep(&mut self.requests, line);
    }
}

impl Build {
    fn record(&self, job: &str) -> BuildRecord {
        BuildRecord {
            job: job.to_owned(),
            number: self.number,
            queue_id: self.queue_id,
            parameters: (self.given.iter())
                .map(|given| (given.name.clone(), given.value.clone()))
                .collect(),
            cause: self.cause.sentence(),
            result: self.result.clone(),
            running: self.result.is_none(),
        }
    }
}

impl Given {
    pub(super) fn default_of(spec: &ParameterSpec) -> Self {
        Self { name: spec.name.clone(), kind: spec.kind.clone(), value: spec.default.clone() }
    }

    /// The value for logs.
    pub(super) fn masked(&self) -> &str {
        match self.kind {
            ParameterKind::Password => "****",
            ParameterKind::Text | ParameterKind::Boolean | ParameterKind::Choice(_) => &self.value,
        }
    }
}

impl Cause {
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::User(_) => "UserIdCause",
            Self::Remote { .. } => "RemoteCause",
        }
    }

    pub(super) fn sentence(&self) -> String {
        match self {
            Self::User(name) => format!("Started by user {name}"),
            Self::Remote { host, note: None } => format!("Started by remote host {host}"),
            Self::Remote { host, note: Some(note) } => {
                format!("Started by remote host {host} with note: {note}")
            }
        }
    }
}

/// `job/A/job/B/`, percent-encoded.
pub(super) fn job_path(job: &str) -> String {
    let names = job.split('/').map(|name| utf8_percent_encode(name, PLAIN));
    names.fold(String::new(), |path, name| format!("{path}job/{name}/"))
}

fn keep(log: &mut VecDeque<String>, line: String) {
    log.push_back(line);
    while log.len() > KEPT_MAX {
        log.pop_front();
    }
}
