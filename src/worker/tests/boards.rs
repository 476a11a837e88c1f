//! Artifacts on boards: a run on each kind, and one summary.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::Backoff;
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

const RULES: &str = r#"
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
struct Lab_ {
    boards: Mutex<Vec<String>>,
    /// How the jobs on a board end, the first first; then they pass.
    ends: Mutex<BTreeMap<String, Vec<Verdict>>>,
    jobs: Mutex<Vec<(Order, Option<Verdict>)>>,
    busy: Mutex<usize>,
    told: Mutex<Vec<Report>>,
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
    async fn start(&self, order: &Order, _: Try) -> Result<Sighting, Failure> {
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

    async fn notify(&self, _: &Notice, _: Try) -> Result<(), Failure> {
        Ok(())
    }
}

struct World {
    _folder: tempfile::TempDir,
    hand: Hand,
    ledger: Ledger,
    decide: Decide,
    worker: Worker,
    lab: Arc<Lab_>,
}

fn directory() -> Directory {
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
    directory.insert(name("lab.main"), lab);
    directory.insert(name("forge.main"), forge);
    directory.insert(name("list.ci"), Connection { letters: true, ..chat.clone() });
    directory.insert(name("chat.ops"), chat);
    let producer =
        ProducerSettings { artifacts: vec!["nano-*".to_owned()], hosts: Vec::new(), token: None };
    directory.producers.insert("images".to_owned(), Producer::new(&producer).unwrap());
    directory
}

impl World {
    fn new(boards: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(super::START));
        let clock = Clock::manual(hand.clone());
        let ledger = Ledger::open(&folder.path().join("l.db"), clock).unwrap();
        let source = |name: &str, text: &str| RuleSource { name: name.into(), text: text.into() };
        let sources = [source("r/rules.toml", RULES), source("r/jobs/smoke.yaml", JOB)];
        let rules = RuleSet::parse(&sources, Arc::new(directory())).unwrap();
        let decide: Decide = Arc::new(move |event, known| decide(&rules, event, known));
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
            (name("lab.main"), there),
            (name("forge.main"), place()),
            (name("chat.ops"), place()),
            (name("list.ci"), place()),
        ]);
        let worker = Worker::new(ledger.clone(), Arc::clone(&decide), sites, (minute, 3));
        Self { _folder: folder, hand, ledger, decide, worker, lab }
    }

    async fn hears(&self, on: ArtifactEvent) {
        let id = format!("{}/{}", on.artifact.build, on.digest());
        let message = Message { id: Some(id), ..Message::default() };
        let found = Found::Events(vec![Event::Artifact(Box::new(on))], None);
        let (id, digest) = (message.identity(), message.digest());
        let intake = Intake { source: "test", id, digest, message, inbox: None, found };
        let (stored, _) = self.ledger.put(vec![intake], Arc::clone(&self.decide)).await.unwrap();
        drop(stored);
    }

    /// Does all that is due, then moves the hand to what is due next, until nothing is.
    async fn ends(&self) {
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

    fn told(&self, form: Form) -> Vec<Report> {
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

fn image(build: &str, sum: char) -> ArtifactEvent {
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

#[tokio::test]
async fn an_image_is_tested_on_each_kind_of_board_and_there_is_one_summary() {
    let world = World::new(&["rk3399", "beagle", "qemu"]);
    world.lab.ends.lock().unwrap().insert("beagle".to_owned(), vec![Verdict::Failure]);
    world.lab.ends.lock().unwrap().insert("qemu".to_owned(), vec![Verdict::Error]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    let jobs = world.lab.jobs.lock().unwrap();
    let boards: Vec<_> = jobs.iter().map(|(order, _)| order.board.clone().unwrap()).collect();
    assert_eq!(boards, ["beagle", "qemu", "rk3399", "qemu"], "qemu was tried again");
    insta::assert_snapshot!(jobs[0].0.definition.as_ref().unwrap(), @r#"
    device_type: beagle
    job_name: smoke nano-cortex
    suite: smoke
    url: https://images.example/rootfs.img
    sum: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    arch: "arm64, \"v8\""
    "#);
    assert_ne!(jobs[1].0.run, jobs[3].0.run);
    let messages = world.told(Form::Message);
    assert_eq!(messages.len(), 2, "one in the chat and one letter");
    insta::assert_snapshot!(messages[0].text, @"
    **smoke** on [nano-cortex](https://ci.example/nano/41) 26.11, build 41: **failed** (2 of 3 boards passed)
    - beagle: failed: it was failure ([job](https://lab.example/job/1))
    - qemu: passed ([job](https://lab.example/job/4)), try 2
    - rk3399: passed ([job](https://lab.example/job/3))
    ");
    insta::assert_snapshot!(messages[1].text, @"
    smoke: failed

    nano-cortex 26.11, build 41
    https://ci.example/nano/41

    2 of 3 boards passed:

        beagle  failed
        qemu    passed
        rk3399  passed

    - beagle: it was failure https://lab.example/job/1
    ");
    let flags = world.told(Form::Flag);
    let words: Vec<_> = flags.iter().map(|flag| flag.text.as_str()).collect();
    insta::assert_debug_snapshot!(words, @r#"
    [
        "smoke: waiting in the queue",
        "smoke: running (1 of 3 boards done, not well on beagle)",
        "smoke: running (2 of 3 boards done, not well on beagle)",
        "smoke: failed on beagle (2 of 3 boards passed)",
    ]
    "#);
    assert!(flags.iter().all(|flag| flag.revision == "1".repeat(40) && flag.subject.number == 7));
    assert_eq!(flags[0].rule, "smoke (nano-cortex)");
    let comments = world.told(Form::Comment);
    let last = comments.last().unwrap();
    let (shown, _) = last.text.split_once("<!--").unwrap();
    insta::assert_snapshot!(shown.trim(), @"
    **smoke** on [nano-cortex](https://ci.example/nano/41) 26.11, build 41: **failed** (2 of 3 boards passed)

    | Board | Result | |
    |---|---|---|
    | [beagle](https://lab.example/job/1) | failed | it was failure |
    | [qemu](https://lab.example/job/4) | passed |  (try 2) |
    | [rk3399](https://lab.example/job/3) | passed |  |
    ");
    let of = |report: &Report| report.board.as_ref().unwrap().word.clone();
    assert!(comments.iter().all(|comment| of(comment) == of(&comments[0])));
}

#[tokio::test]
async fn a_broken_board_is_given_up_after_the_retries() {
    let world = World::new(&["beagle"]);
    world.lab.ends.lock().unwrap().insert("beagle".to_owned(), vec![Verdict::Error; 9]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 3, "once, and two retries");
    let messages = world.told(Form::Message);
    assert_eq!(messages.len(), 2);
    let reported = messages[0].artifact.as_ref().unwrap();
    assert_eq!(reported.boards[0].attempt, 3);
    assert_eq!(messages[0].stage.as_str(), "error");
}

#[tokio::test]
async fn without_a_board_it_is_told_that_nothing_could_be_tested() {
    let world = World::new(&[]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    let messages = world.told(Form::Message);
    assert!(messages[0].text.contains("no kind of board"), "{}", messages[0].text);
    assert_eq!(messages[0].stage.as_str(), "error");
    assert!(world.lab.jobs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_busy_lab_is_asked_again_and_nothing_is_buried() {
    let world = World::new(&["beagle", "qemu"]);
    *world.lab.busy.lock().unwrap() = 20;
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 2);
    assert_eq!(world.told(Form::Message)[0].stage.as_str(), "success");
}

#[tokio::test]
async fn a_newer_image_cancels_the_jobs_of_the_older_and_tells_of_itself_only() {
    let world = World::new(&["beagle", "qemu"]);
    world.hears(image("41", 'a')).await;
    world.worker.drain().await.unwrap();
    world.hears(image("42", 'b')).await;
    world.ends().await;
    let jobs = world.lab.jobs.lock().unwrap();
    let ends: Vec<_> = jobs.iter().map(|(_, end)| end.unwrap()).collect();
    let cancelled = Verdict::Cancelled;
    assert_eq!(ends, [cancelled, cancelled, Verdict::Success, Verdict::Success]);
    let messages = world.told(Form::Message);
    assert_eq!(messages.len(), 2);
    assert!(messages[0].text.contains("build 42"), "{}", messages[0].text);
}

#[tokio::test]
async fn the_same_image_is_tested_once_and_another_one_under_its_id_never() {
    let world = World::new(&["beagle"]);
    world.hears(image("41", 'a')).await;
    world.hears(image("41", 'a')).await;
    world.hears(image("41", 'b')).await;
    world.ends().await;
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_tested_that_nobody_announces_who_may() {
    let world = World::new(&["beagle"]);
    world.hears(image("41", 'a')).await;
    world.worker.drain().await.unwrap();
    let foreign = ArtifactEvent { instance: "mallory".to_owned(), ..image("42", 'b') };
    world.hears(foreign).await;
    let mut other = image("43", 'c');
    other.artifact.name = "kernel".to_owned();
    world.hears(other).await;
    world.ends().await;
    let jobs = world.lab.jobs.lock().unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].1, Some(Verdict::Success), "it was not cancelled by what may not be");
}
