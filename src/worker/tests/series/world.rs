//! A ledger on a real file, real rules, and a repository and builds that say what they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::action::{Lookup, Notice, Order, PushOrder, Report, Ticket};
use crate::clock::{Clock, Hand, from_millis};
use crate::event::series::{Base, Branch, Letter, Request, Sender, Series, SeriesEvent};
use crate::event::{Event, EventKind};
use crate::executors::{BuildState, Executor, Sighting, Try};
use crate::git::{Letters, Outcome, Tree, Work};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::{Decide, Ledger};
use crate::message::Message;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::rules::decide;
use crate::rules::fixture::rules;
use crate::subject::{CommitSha, Verdict};
use crate::worker::backoff::Backoff;
use crate::worker::tests::{ATTEMPTS_MAX, START, name};
use crate::worker::{Site, Worker};

/// A repository, builds and a place to tell: they say what they are told to.
#[derive(Default)]
pub(super) struct Company {
    pub(super) did: Mutex<Vec<String>>,
    /// Where mails were fetched, and of which series.
    pub(super) fetched: Mutex<Vec<String>>,
    /// What was started or told, by what would be looked for.
    known: Mutex<BTreeSet<String>>,
    /// Builds of this many patches, and of more, fail; none when 0.
    pub(super) bad_from: Mutex<u32>,
    pub(super) is_base_bad: Mutex<bool>,
    /// What was committed to the upstream so far.
    pub(super) base: Mutex<String>,
    /// Builds do not end.
    pub(super) is_slow: Mutex<bool>,
    /// Builds say nothing of what they build.
    pub(super) is_broken: Mutex<bool>,
    pub(super) outcome: Mutex<Option<Outcome>>,
    /// A branch that nobody may push.
    pub(super) protected: Mutex<Option<String>>,
}

impl Company {
    fn notes(&self, what: String) {
        self.did.lock().unwrap().push(what);
    }

    /// Whether it is there already, which whoever tries again looks for.
    fn has(&self, key: String, attempt: Try) -> bool {
        let is_new = self.known.lock().unwrap().insert(key);
        !is_new && attempt == Try::Again
    }
}

fn sha(text: &str) -> CommitSha {
    let digits = crate::message::hash(&[text.as_bytes()]);
    format!("{digits}00000000").try_into().unwrap()
}

/// Another list, with mails of its own.
struct Elsewhere(Arc<Company>);

#[async_trait]
impl Letters for Elsewhere {
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        self.0.fetched.lock().unwrap().push(format!("other {}", series.series.id));
        Ok(vec![Vec::new(); series.series.patches.len()])
    }
}

#[async_trait]
impl Letters for Company {
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        self.fetched.lock().unwrap().push(format!("main {}", series.series.id));
        Ok(series.series.patches.iter().map(|letter| letter.msgid.clone().into_bytes()).collect())
    }
}

#[async_trait]
impl Tree for Company {
    async fn apply(&self, work: &Work<'_>) -> Result<Outcome, Failure> {
        let on: Vec<_> = work.dependencies.iter().map(|on| on.branch.name.clone()).collect();
        let series = &work.order.series.series;
        self.notes(format!("apply {} v{} on {on:?}", series.id, series.version));
        let said = self.outcome.lock().unwrap().clone();
        let is_held = matches!(said, Some(Outcome::Held(_)));
        if let Some(outcome) = said.filter(|_| !(is_held && work.order.is_approved)) {
            return Ok(outcome);
        }
        let again = match work.order.respin {
            0 => String::new(),
            respin => format!("-r{respin}"),
        };
        let commit = |letter: &Vec<u8>| sha(&String::from_utf8_lossy(letter));
        let commits: Vec<_> = work.letters.iter().map(commit).collect();
        Ok(Outcome::Applied(Branch {
            url: "https://git.example/series.git".to_owned(),
            name: format!("pointsman/lists/{}/v{}{again}", series.id, series.version),
            sha: commits.last().unwrap().clone(),
            base: Base {
                sha: sha(&self.base.lock().unwrap()),
                branch: "main".to_owned(),
                why: "the first it applies to".to_owned(),
            },
            commits,
            tried: Vec::new(),
            is_merged: false,
        }))
    }

    async fn push(&self, order: &PushOrder) -> Result<(), Failure> {
        self.notes(format!("push {}", order.name));
        match self.protected.lock().unwrap().as_deref() {
            Some(name) if name == order.name => {
                Err(Failure::give_up(anyhow::anyhow!("403 Forbidden")))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn remove(&self, _name: &str, _sha: &CommitSha) -> Result<(), Failure> {
        Ok(())
    }
}

#[async_trait]
impl Executor for Company {
    async fn start(&self, order: &Order, attempt: Try) -> Result<Sighting, Failure> {
        let branch = order.parameters.get("BRANCH").cloned().unwrap_or_default();
        if !self.has(order.run.to_string(), attempt) {
            self.notes(format!("build {branch}"));
        }
        let part = branch.rsplit_once("-p").and_then(|(_, patch)| patch.parse::<u32>().ok());
        let bad_from = *self.bad_from.lock().unwrap();
        let is_bad = match part {
            Some(0) => *self.is_base_bad.lock().unwrap(),
            Some(patch) => bad_from > 0 && patch >= bad_from,
            None => bad_from > 0,
        };
        let verdict = match (*self.is_broken.lock().unwrap(), is_bad) {
            (true, _) => Verdict::Error,
            (false, true) => Verdict::Failure,
            (false, false) => Verdict::Success,
        };
        let ticket = Ticket { job: order.job.clone(), ..Ticket::default() };
        let is_slow = *self.is_slow.lock().unwrap();
        let state = if is_slow { BuildState::Running } else { BuildState::Finished(verdict) };
        Ok(Sighting { state, ticket, run: None, reason: None })
    }

    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        Ok(Sighting {
            state: BuildState::Running,
            ticket: lookup.ticket.clone(),
            run: None,
            reason: None,
        })
    }

    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        self.notes(format!("cancel {}", lookup.ticket.job));
        Ok(Sighting {
            state: BuildState::Gone,
            ticket: lookup.ticket.clone(),
            run: None,
            reason: None,
        })
    }
}

#[async_trait]
impl Reporter for Company {
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        let about = report.series.as_ref().unwrap();
        let blamed = about.blamed.map(|patch| format!(", patch {patch} is bad"));
        let broken = if about.was_broken { ", so is the base" } else { "" };
        let patch = about.patch.map(|patch| format!(" {patch}"));
        let what = format!(
            "{} {}{}: {}{}{broken}",
            report.form.as_str(),
            report.rule,
            patch.unwrap_or_default(),
            report.stage.as_str(),
            blamed.unwrap_or_default(),
        );
        if !self.has(format!("{} {what}", report.run), attempt) {
            self.notes(what);
        }
        Ok(())
    }

    async fn notify(&self, _notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        Ok(())
    }
}

pub(super) struct World {
    _folder: tempfile::TempDir,
    pub(super) hand: Hand,
    ledger: Ledger,
    decide: Decide,
    worker: Worker,
    pub(super) company: Arc<Company>,
}

impl World {
    pub(super) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(START));
        let ledger =
            Ledger::open(&folder.path().join("l.db"), Clock::manual(hand.clone())).unwrap();
        let rules = rules(text);
        let decide: Decide = Arc::new(move |event, known| decide(&rules, event, known));
        let company = Arc::new(Company::default());
        let minute = Backoff { min: Duration::from_mins(1), max: Duration::from_mins(8) };
        let site = || Site { concurrency: 4, poll: minute, ..Site::nowhere() };
        let at = |host: &str| Site { host: host.to_owned(), ..site() };
        let (reporter, letters): (Arc<dyn Reporter>, Arc<dyn Letters>) =
            (Arc::<Company>::clone(&company), Arc::<Company>::clone(&company));
        let (tree, executor): (Arc<dyn Tree>, Arc<dyn Executor>) =
            (Arc::<Company>::clone(&company), Arc::<Company>::clone(&company));
        let told = || Some(Arc::clone(&reporter));
        let sites = BTreeMap::from([
            (name("builds.main"), Site { executor: Some(executor), ..site() }),
            (name("git.points"), Site { tree: Some(tree), ..site() }),
            (
                name("lists.main"),
                Site { letters: Some(letters), reporter: told(), ..at("lists.example") },
            ),
            (
                name("lists.other"),
                Site {
                    letters: Some(Arc::new(Elsewhere(Arc::clone(&company)))),
                    reporter: told(),
                    ..at("other.example")
                },
            ),
            (name("chat.ops"), Site { reporter: told(), ..site() }),
        ]);
        let worker =
            Worker::new(ledger.clone(), Arc::clone(&decide), sites, (minute, ATTEMPTS_MAX));
        Self { _folder: folder, hand, ledger, decide, worker, company }
    }

    /// Hears of it, does everything that is due, and says what was done.
    pub(super) async fn hears(&self, event: SeriesEvent) -> Vec<String> {
        self.is_told(event).await;
        self.did().await
    }

    /// As [`World::hears`], in lives that each end with something done that nobody has noted.
    pub(super) async fn hears_and_dies(&self, event: SeriesEvent) -> Vec<String> {
        self.is_told(event).await;
        let mut deaths = 0;
        loop {
            let mut has_done = false;
            for connection in self.worker.connections() {
                for claimed in self.ledger.claim(&connection, 1).await.unwrap() {
                    let site = &self.worker.sites[&connection];
                    drop(self.worker.perform(&connection, site, &claimed).await);
                    deaths += self.ledger.recover().await.unwrap();
                    for again in self.ledger.claim(&connection, 1).await.unwrap() {
                        self.worker.perform_and_settle(&connection, again).await.unwrap();
                    }
                    has_done = true;
                }
            }
            if !has_done {
                assert!(deaths > 5, "{deaths}");
                return self.did().await;
            }
        }
    }

    async fn is_told(&self, event: SeriesEvent) {
        let event = Event::Series(Box::new(event));
        let message = Message { id: Some(event.identity()), ..Message::default() };
        let intake = Intake {
            source: "test",
            id: message.identity(),
            digest: message.digest(),
            message,
            inbox: None,
            found: Found::Events(vec![event], None),
        };
        let (stored, _) = self.ledger.put(vec![intake], Arc::clone(&self.decide)).await.unwrap();
        drop(stored);
    }

    /// The branches that nobody needs who has pushed or built them since `before`.
    pub(super) async fn unneeded(&self, before: i64) -> Vec<String> {
        let before = from_millis(before);
        let all = self.ledger.branches_to_sweep(&name("git.points"), before, 100).await.unwrap();
        all.into_iter().map(|branch| branch.name).collect()
    }

    /// Takes all branches away, as is done one day.
    pub(super) async fn sweeps(&self) {
        let tree = name("git.points");
        let all = self.ledger.branches_to_sweep(&tree, jiff::Timestamp::MAX, 100).await.unwrap();
        for branch in all {
            self.ledger.forget_branch(&tree, branch).await.unwrap();
        }
    }

    pub(super) async fn did(&self) -> Vec<String> {
        self.worker.drain().await.unwrap();
        std::mem::take(&mut *self.company.did.lock().unwrap())
    }
}

/// The version of a series with so many patches, from somebody who is trusted.
pub(super) fn posted(id: &str, version: u32, patches: u32) -> SeriesEvent {
    let letter = |number: u32| Letter {
        id: Some(format!("{id}{number}")),
        msgid: format!("{id}-v{version}-{number}@points.example"),
        title: format!("Oil point {number}"),
        ..Letter::default()
    };
    SeriesEvent {
        event: EventKind::SeriesPosted,
        instance: "lists.example".to_owned(),
        project: "points-devel".to_owned(),
        series: Series {
            id: id.to_owned(),
            version,
            title: "Oil all points".to_owned(),
            root: format!("{id}-v{version}-0@points.example"),
            patches: (1..=patches).map(letter).collect(),
            submitter: Sender {
                id: Some("2".to_owned()),
                name: "Ada".to_owned(),
                email: "ada@points.example".to_owned(),
                vouched: false,
            },
            ..Series::default()
        },
        request: None,
        test: None,
        at: None,
    }
}

pub(super) fn asks(of: SeriesEvent, kind: EventKind, by: &str) -> SeriesEvent {
    let by = Sender { id: Some(by.to_owned()), vouched: true, ..Sender::default() };
    let request = Request {
        id: format!("{kind}-by-{}", by.id.as_deref().unwrap()),
        by,
        names: Vec::new(),
        rebase: false,
        standing: None,
        operator: false,
        at: None,
    };
    SeriesEvent { event: kind, request: Some(request), ..of }
}
