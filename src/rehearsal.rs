//! The service without anything outside: real reader, rules, ledger and worker, between systems
//! that are played.
//!
//! The tests of rules run here, so that they go through the very code that serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use crate::clock::{Clock, Hand, from_millis};
use crate::decision::Decision;
use crate::event::Event;
use crate::event::proposal::Standing;
use crate::ledger::intake::{Found, Intake};
use crate::ledger::{Decide, Ledger};
use crate::message::Message;
use crate::rules::decide::{Breadth, decide_among};
use crate::rules::test::Landing;
use crate::service::Prepared;
use crate::service::receive::Reader;
use crate::subject::{RunId, Verdict};
use crate::worker::Worker;
use crate::worker::backoff::Backoff;

pub mod difference;
mod expect;
mod played;
pub mod replay;
mod script;
pub mod test;
mod tree;

use played::Company;

/// When a rehearsal begins, in milliseconds since 1970: the first day of 2026.
const BEGIN: i64 = 1_767_225_600_000;
/// By how much the clock goes on beyond what it has to.
const MARGIN: Duration = Duration::from_secs(1);
/// How often an action is tried: what is played never fails for a while.
const ATTEMPTS_MAX: u32 = 3;

/// An event that was decided upon, and what was said to it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The event.
    pub event: Event,
    /// What the rules said, all that are about its kind.
    pub decision: Decision,
}

/// What came of one step.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Why the message told nothing, if it did not.
    pub ignored: Option<String>,
    /// Why the message could not be read, if it could not.
    pub dead: Option<String>,
    /// What was decided upon, in order: first what the message told, then what followed from it.
    pub heard: Vec<Heard>,
}

/// A service on a ledger of its own, with nobody outside.
pub struct Stage {
    reader: Arc<Reader>,
    ledger: Ledger,
    worker: Worker,
    decide: Decide,
    heard: Arc<Mutex<Vec<Heard>>>,
    company: Company,
    hand: Hand,
    /// The rules that ordered the runs, and the boards that they are on.
    runs: BTreeMap<RunId, (String, Option<String>)>,
    /// How many messages there were.
    messages: u32,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// Sets up a service that is `prepared`; its forges say of people what `people` says, and
    /// series are put on branches as `landing` says; labs have these kinds of `boards`.
    pub fn open(
        prepared: &Prepared,
        people: &BTreeMap<String, Standing>,
        (landing, boards): (Landing, Option<&[String]>),
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for a rehearsal")?;
        let hand = Hand::at(from_millis(BEGIN));
        let ledger = Ledger::open(&folder.path().join("ledger.db"), Clock::manual(hand.clone()))?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let decide = overheard(prepared, Arc::clone(&heard));
        let company = Company::new(people.clone(), boards);
        let sites = company.sites(prepared.rules.directory(), landing);
        let limits = (Backoff { min: MARGIN, max: MARGIN }, ATTEMPTS_MAX);
        let worker = Worker::new(ledger.clone(), Arc::clone(&decide), sites, limits);
        Ok(Self {
            reader: Arc::clone(&prepared.reader),
            ledger,
            worker,
            decide,
            heard,
            company,
            hand,
            runs: BTreeMap::new(),
            messages: 0,
            _folder: folder,
        })
    }

    /// Takes a message as from a source, and does all that follows from it.
    pub async fn hears(&mut self, message: Message) -> anyhow::Result<Scene> {
        self.messages += 1;
        // Each is a message of its own, even where it says what another one said.
        let message = Message { id: Some(format!("message-{}", self.messages)), ..message };
        let digest = message.digest();
        let (id, found) = self.reader.read(&message);
        let mut scene = Scene::default();
        match &found {
            Found::Events(events, _) => events.iter().for_each(|event| self.goes_on(event)),
            Found::Ignored(reason, _) => scene.ignored = Some(reason.clone()),
            Found::Dead(reason, _) => scene.dead = Some(reason.clone()),
        }
        let intake = Intake { source: "a rehearsal", id, digest, message, inbox: None, found };
        let (stored, _) = self.ledger.put(vec![intake], Arc::clone(&self.decide)).await?;
        drop(stored);
        self.settles(scene).await
    }

    /// Lets the builds that are under way, or those of one rule or board, end with `verdict`; `None` where
    /// there are none.
    pub async fn ends(
        &mut self,
        (rule, board): (Option<&str>, Option<&str>),
        verdict: Verdict,
    ) -> anyhow::Result<Option<Scene>> {
        let is_of = |run: &RunId| {
            let known = self.runs.get(run);
            rule.is_none_or(|rule| known.is_some_and(|(of, _)| of == rule))
                && (board.is_none() || known.is_some_and(|(_, on)| on.as_deref() == board))
        };
        if !self.company.end(is_of, verdict) {
            return Ok(None);
        }
        // Somebody has to ask after them, and that is due after a while.
        let directory = &self.reader.directory;
        let pauses = directory.iter().filter_map(|(_, connection)| connection.builds);
        let pause = pauses.max().unwrap_or_default().saturating_add(2 * MARGIN);
        self.forward(self.ledger.clock().now(), pause);
        self.settles(Scene::default()).await.map(Some)
    }

    /// The clock is never behind what was told.
    fn goes_on(&self, event: &Event) {
        let at = match event {
            Event::PullRequest(event) => event.at,
            Event::Comment(event) => event.comment.at.max(event.on.at),
            Event::Command(event) => Some(event.asked_at),
            Event::Push(event) => event.at,
            Event::Series(event) => event.at,
            Event::Artifact(event) => event.at,
            Event::Applied(_) | Event::Boards(_) | Event::Build(_) => None,
        };
        if let Some(at) = at {
            self.forward(at, MARGIN);
        }
        self.company.hear(event);
    }

    fn forward(&self, from: Timestamp, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.hand.forward_to(from_millis(from.as_millisecond().saturating_add(by)));
    }

    async fn settles(&mut self, scene: Scene) -> anyhow::Result<Scene> {
        self.worker.drain().await?;
        let heard = self.heard.lock().map(|mut heard| std::mem::take(&mut *heard));
        let scene = Scene { heard: heard.unwrap_or_default(), ..scene };
        for run in scene.heard.iter().flat_map(|heard| &heard.decision.runs) {
            let board = run.artifact.as_ref().and_then(|of| of.board().map(str::to_owned));
            // A part of a series is known by its own name.
            let rule = if board.is_some() { run.ordered_by() } else { &run.rule };
            self.runs.insert(run.id.clone(), (rule.to_owned(), board));
        }
        Ok(scene)
    }
}

/// How the service decides; each rule that is about the kind of event says why it did not fire.
fn overheard(prepared: &Prepared, heard: Arc<Mutex<Vec<Heard>>>) -> Decide {
    let rules = Arc::clone(&prepared.rules);
    Arc::new(move |event, known| {
        let decision = decide_among(&rules, event, known, Breadth::All);
        if let Ok(mut heard) = heard.lock() {
            heard.push(Heard { event: event.clone(), decision: decision.clone() });
        }
        decision
    })
}
