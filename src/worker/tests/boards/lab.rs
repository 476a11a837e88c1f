//! A lab, everybody who is told something, and an image.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::super::{Backoff, START};
use crate::action::{Form, Lookup, Notice, Order, Report, Ticket};
use crate::clock::{Clock, Hand, from_millis};
use crate::directory::{Connection, Directory};
use crate::event::artifact::ArtifactEvent;
use crate::event::{Event, EventKind};
use crate::executors::{BuildState, Executor, Lab, Sighting, Try};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::{Decide, Ledger};
use crate::message::Message;
use crate::producer::{Producer, ProducerSettings};
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::rules::fixture::name;
use crate::rules::{RuleSet, RuleSource, decide};
use crate::subject::Verdict;
use crate::worker::{Site, Worker};

pub(super) const RULES: &str = r#"
[[rule]]
name = "smoke"
on = "artifact.published"
where = { artifact = "nano-*" }
build = { on = "lab.main", job = "jobs/smoke.yaml", for_each = { device_type = { tag = "nano" } }, parameters = { SUITE = "smoke" } }
report = [{ to = "chat.ops" }, { to = "list.ci" }, { to = "origin", as = "flag" }, { to = "origin", as = "comment" }]
"#;

const JOB: &str = "device_type: {{ device_type }}\n\
                   job_name: smoke {{ artifact.name }}\n\
                   suite: {{ parameters.SUITE }}\n\
                   url: {{ artifact.files.rootfs.url }}\n\
                   sum: {{ artifact.files.rootfs.sha256 }}\n\
                   arch: {{ artifact.metadata.arch | json }}\n";

/// A lab, and everybody who is told something.
#[derive(Default)]
pub(super) struct Lab_ {
    pub(super) boards: Mutex<Vec<String>>,
    /// How the jobs on a board end, the first first; then they pass.
    pub(super) ends: Mutex<BTreeMap<String, Vec<Verdict>>>,
    pub(super) jobs: Mutex<Vec<(Order, Option<Verdict>)>>,
    pub(super) tries: Mutex<Vec<Try>>,
    pub(super) busy: Mutex<usize>,
    /// Whether it takes nothing at all.
    pub(super) is_closed: Mutex<bool>,
    pub(super) told: Mutex<Vec<Report>>,
    pub(super) noticed: Mutex<Vec<String>>,
}

impl Lab_ {
    fn sighting(&self, index: usize) -> Sighting {
        let jobs = self.jobs.lock().unwrap();
        let (order, end) = &jobs[index];
        let state = end.map_or(BuildState::Running, BuildState::Finished);
        let number = Some(index as u64 + 1);
        let url = number.map(|number| format!("https://lab.example/job/{number}"));
        let ticket = Ticket { job: order.job.clone(), queued: None, number, url };
        let reason = end.filter(|end| end.is_bad()).map(|end| format!("it was {end}"));
        Sighting { state, ticket, run: Some(order.run.clone()), reason }
    }
}

#[async_trait]
impl Executor for Lab_ {
    async fn start(&self, order: &Order, attempt: Try) -> Result<Sighting, Failure> {
        self.tries.lock().unwrap().push(attempt);
        if *self.is_closed.lock().unwrap() {
            return Err(Failure::give_up(anyhow::anyhow!("the token is refused")));
        }
        let mut busy = self.busy.lock().unwrap();
        if *busy > 0 {
            *busy -= 1;
            let (state, ticket) = (BuildState::Busy("full".to_owned()), Ticket::default());
            return Ok(Sighting { state, ticket, run: None, reason: None });
        }
        drop(busy);
        let board = order.board.clone().unwrap_or_default();
        let mut ends = self.ends.lock().unwrap();
        let ends = ends.entry(board).or_default();
        let end = if ends.is_empty() { Verdict::Success } else { ends.remove(0) };
        let mut jobs = self.jobs.lock().unwrap();
        jobs.push((order.clone(), Some(end)));
        let index = jobs.len() - 1;
        drop(jobs);
        let state = BuildState::Queued(None);
        Ok(Sighting { state, reason: None, ..self.sighting(index) })
    }

    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let index = usize::try_from(lookup.ticket.number.unwrap()).unwrap() - 1;
        Ok(self.sighting(index))
    }

    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        if let Some(number) = lookup.ticket.number {
            let index = usize::try_from(number).unwrap() - 1;
            self.jobs.lock().unwrap()[index].1 = Some(Verdict::Cancelled);
        }
        self.inspect(lookup).await
    }
}

#[async_trait]
impl Lab for Lab_ {
    async fn boards(&self, tags: &[String]) -> Result<Vec<String>, Failure> {
        assert_eq!(tags, ["nano"]);
        Ok(self.boards.lock().unwrap().clone())
    }
}

#[async_trait]
impl Reporter for Lab_ {
    async fn tell(&self, report: &Report, _: Try) -> Result<(), Failure> {
        self.told.lock().unwrap().push(report.clone());
        Ok(())
    }

    async fn notify(&self, notice: &Notice, _: Try) -> Result<(), Failure> {
        self.noticed.lock().unwrap().push(notice.text.clone());
        Ok(())
    }
}

pub(super) struct World {
    _folder: tempfile::TempDir,
    pub(super) hand: Hand,
    pub(super) ledger: Ledger,
    pub(super) decide: Decide,
    rules: Arc<RwLock<RuleSet>>,
    pub(super) worker: Worker,
    pub(super) lab: Arc<Lab_>,
}

fn directory(may_announce: &str) -> Directory {
    let host = |host: &str| vec![host.to_owned()];
    let mut directory = Directory::default();
    let lab = Connection {
        hosts: host("lab.example"),
        builds: Some(Duration::from_secs(10)),
        takes_definitions: true,
        has_boards: true,
        retries: 2,
        ..Connection::default()
    };
    let forge = Connection {
        hosts: host("forge.example"),
        forms: &[Form::Flag, Form::Comment],
        is_forge: true,
        edits: true,
        ..Connection::default()
    };
    let chat = Connection { forms: &[Form::Message], ..Connection::default() };
    let builds = Some(Duration::from_secs(10));
    directory.insert(name("builds.main"), Connection { builds, ..Connection::default() });
    directory.insert(name("lab.main"), lab);
    directory.insert(name("forge.main"), forge);
    directory.insert(name("list.ci"), Connection { letters: true, ..chat.clone() });
    directory.insert(name("bus.all"), Connection { follows: true, ..chat.clone() });
    directory.insert(name("chat.ops"), chat);
    let producer = ProducerSettings {
        artifacts: vec![may_announce.to_owned()],
        hosts: Vec::new(),
        token: None,
    };
    directory.producers.insert("images".to_owned(), Producer::new(&producer).unwrap());
    directory
}

/// The rules, and the definitions beside them.
fn parsed(rules: &str, may_announce: &str) -> RuleSet {
    let source = |name: &str, text: &str| RuleSource { name: name.into(), text: text.into() };
    let sources = [
        source("r/rules.toml", rules),
        source("r/jobs/smoke.yaml", JOB),
        source("r/jobs/other.yaml", JOB),
        source("r/jobs/plain.yaml", "device_type: qemu\nname: {{ artifact.name }}\n"),
    ];
    RuleSet::parse(&sources, Arc::new(directory(may_announce))).unwrap()
}

impl World {
    /// Other rules are in force from now on.
    pub(super) fn reload(&self, rules: &str) {
        self.reload_where(rules, "nano-*");
    }

    /// As [`World::reload`], and the producer may announce only such artifacts.
    pub(super) fn reload_where(&self, rules: &str, may_announce: &str) {
        *self.rules.write().unwrap() = parsed(rules, may_announce);
    }

    pub(super) fn new(boards: &[&str]) -> Self {
        Self::with(RULES, boards)
    }

    pub(super) fn with(rules: &str, boards: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(START));
        let clock = Clock::manual(hand.clone());
        let ledger = Ledger::open(&folder.path().join("l.db"), clock).unwrap();
        let rules = Arc::new(RwLock::new(parsed(rules, "nano-*")));
        let in_force = Arc::clone(&rules);
        let decide: Decide =
            Arc::new(move |event, known| decide(&in_force.read().unwrap(), event, known));
        let lab = Arc::new(Lab_::default());
        *lab.boards.lock().unwrap() = boards.iter().map(|board| (*board).to_owned()).collect();
        let minute = Backoff { min: Duration::from_mins(1), max: Duration::from_mins(8) };
        let site = || Site { host: "lab.example".to_owned(), poll: minute, ..Site::nowhere() };
        let place = || Site { reporter: Some(Arc::<Lab_>::clone(&lab)), ..site() };
        let there = Site {
            executor: Some(Arc::<Lab_>::clone(&lab)),
            lab: Some(Arc::<Lab_>::clone(&lab)),
            ..site()
        };
        let sites = BTreeMap::from([
            (name("builds.main"), there.clone()),
            (name("lab.main"), there),
            (name("forge.main"), place()),
            (name("chat.ops"), place()),
            (name("list.ci"), place()),
            (name("bus.all"), place()),
        ]);
        let worker = Worker::new(ledger.clone(), Arc::clone(&decide), sites, (minute, 3));
        Self { _folder: folder, hand, ledger, decide, rules, worker, lab }
    }

    pub(super) async fn hears(&self, on: ArtifactEvent) {
        // Each is a message of its own, also where it tells what another one told.
        let id = uuid::Uuid::new_v4().to_string();
        let message = Message { id: Some(id), ..Message::default() };
        let found = Found::Events(vec![Event::Artifact(Box::new(on))], None);
        let (id, digest) = (message.identity(), message.digest());
        let intake = Intake { source: "test", id, digest, message, inbox: None, found };
        let (stored, _) = self.ledger.put(vec![intake], Arc::clone(&self.decide)).await.unwrap();
        drop(stored);
    }

    /// Does all that is due, then moves the hand to what is due next, until nothing is.
    pub(super) async fn ends(&self) {
        for _ in 0..50 {
            self.worker.drain().await.unwrap();
            let mut due = Vec::new();
            for connection in self.worker.connections() {
                due.extend(self.ledger.next_due(&connection).await.unwrap());
            }
            let Some(next) = due.into_iter().min() else { return };
            self.hand.forward_to(from_millis(next));
        }
        panic!("there is no end of it");
    }

    pub(super) fn told(&self, form: Form) -> Vec<Report> {
        let told = self.lab.told.lock().unwrap();
        let seam = |text: &str| text.replace('\u{2060}', "");
        let mut told: Vec<_> = told
            .iter()
            .filter(|report| report.form == form)
            .map(|report| Report { text: seam(&report.text), ..report.clone() })
            .collect();
        // Who is told first is not said.
        if form == Form::Message {
            told.sort_by_key(|report| !report.text.starts_with("**"));
        }
        told
    }
}

pub(super) fn image(build: &str, sum: char) -> ArtifactEvent {
    let sha = "1".repeat(40);
    serde_json::from_value(json!({
        "event": EventKind::ArtifactPublished,
        "instance": "images",
        "artifact": {
            "name": "nano-cortex", "version": "26.11", "build": build,
            "url": format!("https://ci.example/nano/{build}"),
            "files": [{
                "name": "rootfs", "url": "https://images.example/rootfs.img",
                "checksums": { "sha256": sum.to_string().repeat(64) },
            }],
            "metadata": { "arch": "arm64, \"v8\"" },
        },
        "change": {
            "instance": "forge.example", "project": "nano/os", "number": 7, "sha": sha,
        },
    }))
    .unwrap()
}
