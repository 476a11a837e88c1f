//! The worker, with a ledger on a real file, time in the hand, and systems that say what they
//! are told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::backoff::Backoff;
use super::{Site, Worker};
use crate::action::{Lookup, Notice, Order, Report, Ticket};
use crate::clock::{Clock, Hand, from_millis};
use crate::event::proposal::PullRequestEvent;
use crate::event::{Event, EventKind};
use crate::executors::{BuildState, Executor, Sighting, Try};
use crate::forges::{Account, Forge, Person};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::queue::DugOut;
use crate::ledger::view::actions::ActionState;
use crate::ledger::{Decide, Ledger};
use crate::message::Message;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::rules::decide;
use crate::rules::fixture::{RULES, proposal, rules};
use crate::subject::{ConnectionName, Subject, Verdict};

/// Answers what it was given to answer, and remembers what it was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<BuildState, Failure>>>,
    asked: Mutex<Vec<String>>,
    panics: Mutex<bool>,
    person: Mutex<Person>,
    proposal: Mutex<Option<PullRequestEvent>>,
}

impl Script {
    fn next(&self, question: String) -> Result<BuildState, Failure> {
        self.asked.lock().unwrap().push(question);
        let panics = *self.panics.lock().unwrap();
        assert!(!panics, "on purpose");
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(BuildState::Running))
    }
}

fn sighting(state: BuildState) -> Sighting {
    let queued = Some("5".to_owned());
    let ticket = Ticket { job: "ci/pr".to_owned(), queued, number: Some(12), ..Ticket::default() };
    Sighting { state, ticket, run: None, reason: None }
}

#[async_trait]
impl Executor for Script {
    async fn start(&self, order: &Order, attempt: Try) -> Result<Sighting, Failure> {
        self.next(format!("start {} {attempt:?}", order.job)).map(sighting)
    }

    async fn inspect(&self, _lookup: &Lookup) -> Result<Sighting, Failure> {
        self.next("inspect".to_owned()).map(sighting)
    }

    async fn cancel(&self, _lookup: &Lookup) -> Result<Sighting, Failure> {
        self.next("cancel".to_owned()).map(sighting)
    }
}

#[async_trait]
impl Reporter for Script {
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        let words = report.text.lines().next().unwrap_or_default();
        self.next(format!("{} {attempt:?} {words}", report.form.as_str())).map(drop)
    }

    async fn notify(&self, notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        self.next(format!("notice {}", notice.text)).map(drop)
    }
}

#[async_trait]
impl Forge for Script {
    async fn proposal(&self, _subject: &Subject) -> Result<PullRequestEvent, Failure> {
        let told = self.proposal.lock().unwrap().clone();
        told.ok_or_else(|| Failure::give_up(anyhow::anyhow!("404 Not Found")))
    }

    async fn person(&self, _project: &str, account: &Account) -> Result<Person, Failure> {
        let person = *self.person.lock().unwrap();
        self.next(format!("who is {}", account.name)).map(|_| person)
    }

    async fn open_proposals(&self, _project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        Ok(Vec::new())
    }
}

struct World {
    _folder: tempfile::TempDir,
    hand: Hand,
    ledger: Ledger,
    decide: Decide,
    worker: Worker,
    builds: Arc<Script>,
    forge: Arc<Script>,
}

const START: i64 = 1_795_162_907_000;
const ATTEMPTS_MAX: u32 = 3;

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(START));
        let clock = Clock::manual(hand.clone());
        let ledger = Ledger::open(&folder.path().join("l.db"), clock).unwrap();
        let rules = rules(RULES);
        let decide: Decide = Arc::new(move |event, known| decide(&rules, event, known));
        let (builds, forge) = (Arc::new(Script::default()), Arc::new(Script::default()));
        let minute = Backoff { min: Duration::from_mins(1), max: Duration::from_mins(8) };
        let site = |host: &str| Site {
            host: host.to_owned(),
            concurrency: 2,
            poll: minute,
            executor: None,
            lab: None,
            reporter: None,
            forge: None,
            letters: None,
            tree: None,
        };
        let executor: Arc<dyn Executor> = Arc::<Script>::clone(&builds);
        let reporter: Arc<dyn Reporter> = Arc::<Script>::clone(&forge);
        let asked: Arc<dyn Forge> = Arc::<Script>::clone(&forge);
        let sites = BTreeMap::from([
            (name("builds.main"), Site { executor: Some(executor), ..site("ci.example") }),
            (
                name("forge.main"),
                Site { reporter: Some(reporter), forge: Some(asked), ..site("forge.example") },
            ),
        ]);
        let limits = (minute, ATTEMPTS_MAX);
        let worker = Worker::new(ledger.clone(), Arc::clone(&decide), sites, limits);
        Self { _folder: folder, hand, ledger, decide, worker, builds, forge }
    }

    async fn hears(&self, id: &str, kind: EventKind, head: char, at: i64) {
        self.hears_of(id, Event::PullRequest(proposal(kind, head, at))).await;
    }

    async fn hears_of(&self, id: &str, event: Event) {
        let message = Message { id: Some(id.to_owned()), ..Message::default() };
        let found = Found::Events(vec![event], None);
        let intake = Intake {
            source: "test",
            id: message.identity(),
            digest: message.digest(),
            message,
            inbox: None,
            found,
        };
        let (stored, _) = self.ledger.put(vec![intake], Arc::clone(&self.decide)).await.unwrap();
        drop(stored);
    }

    fn builds_answer(&self, answer: Result<BuildState, Failure>) {
        self.builds.answers.lock().unwrap().push_back(answer);
    }

    fn forge_fails(&self, failure: Failure) {
        self.forge.answers.lock().unwrap().push_back(Err(failure));
    }

    /// Does all that is due, then moves the hand to what is due next, `times` times.
    async fn passes(&self, times: usize) {
        self.worker.drain().await.unwrap();
        for _ in 0..times {
            let mut next = Vec::new();
            for connection in self.worker.connections() {
                next.extend(self.ledger.next_due(&connection).await.unwrap());
            }
            let Some(next) = next.into_iter().min() else { return };
            self.hand.forward_to(from_millis(next));
            self.worker.drain().await.unwrap();
        }
    }
}

fn asked(script: &Script) -> Vec<String> {
    std::mem::take(&mut *script.asked.lock().unwrap())
}

fn name(text: &str) -> ConnectionName {
    text.to_owned().try_into().unwrap()
}

fn busy() -> Failure {
    Failure::retry(anyhow::anyhow!("503 Service Unavailable"))
}

#[tokio::test]
async fn a_build_is_started_watched_and_told() {
    let world = World::new();
    world.builds_answer(Ok(BuildState::Queued(None)));
    world.builds_answer(Ok(BuildState::Running));
    world.builds_answer(Ok(BuildState::Finished(Verdict::Failure)));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(4).await;
    assert_eq!(asked(&world.builds), ["start ci/pr First", "inspect", "inspect"]);
    assert_eq!(
        asked(&world.forge),
        [
            "flag First tests: waiting in the queue",
            "flag First tests: running",
            "flag First tests: failed",
            "comment First **tests** at aaaaaaaaaaaa: failed",
        ]
    );
    assert_eq!(world.ledger.counts().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn a_start_whose_answer_is_not_known_is_looked_for_before_it_is_repeated() {
    let world = World::new();
    world.builds_answer(Err(busy()));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(1).await;
    assert_eq!(asked(&world.builds), ["start ci/pr First", "start ci/pr Again"]);
}

#[tokio::test]
async fn what_cannot_be_started_is_told_as_an_error_of_the_infrastructure() {
    let world = World::new();
    let refusal = anyhow::anyhow!("cannot start job `ci/pr`: 403 Forbidden");
    world.builds_answer(Err(Failure::give_up(refusal)));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(2).await;
    let told = asked(&world.forge);
    assert!(
        told[0].contains("through no fault of the change: it could not be started"),
        "{told:?}"
    );
    assert_eq!(world.ledger.counts().await.unwrap().buried, 1);
}

#[tokio::test]
async fn retrying_has_an_end() {
    let world = World::new();
    for _ in 0..ATTEMPTS_MAX {
        world.builds_answer(Err(busy()));
    }
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(10).await;
    assert_eq!(asked(&world.builds).len(), 3);
    assert_eq!(world.ledger.counts().await.unwrap().buried, 1);
}

#[tokio::test]
async fn what_is_closed_before_it_was_started_is_never_started() {
    let world = World::new();
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.hears("m2", EventKind::PullRequestClosed, 'a', 2).await;
    world.passes(2).await;
    assert_eq!(asked(&world.builds), [""; 0]);
    let told = asked(&world.forge);
    assert_eq!(told, ["flag First tests: cancelled: the pull request was closed"]);
}

#[tokio::test]
async fn what_may_have_been_started_before_it_was_closed_is_cancelled() {
    let world = World::new();
    world.builds_answer(Err(busy()));
    world.builds_answer(Ok(BuildState::Finished(Verdict::Cancelled)));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(0).await;
    world.hears("m2", EventKind::PullRequestClosed, 'a', 2).await;
    world.passes(2).await;
    assert_eq!(asked(&world.builds), ["start ci/pr First", "cancel"]);
}

#[tokio::test]
async fn a_build_that_nobody_knows_any_more_is_an_error_after_a_few_looks() {
    let world = World::new();
    world.builds_answer(Ok(BuildState::Queued(None)));
    for _ in 0..9 {
        world.builds_answer(Ok(BuildState::Gone));
    }
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(12).await;
    assert_eq!(asked(&world.builds).len(), 5);
    let told = asked(&world.forge);
    assert!(told.iter().any(|words| words.contains("knows nothing of it any more")), "{told:?}");
}

#[tokio::test]
async fn an_outage_is_no_verdict() {
    let world = World::new();
    world.builds_answer(Ok(BuildState::Queued(None)));
    for _ in 0..40 {
        world.builds_answer(Err(busy()));
    }
    world.builds_answer(Ok(BuildState::Gone));
    world.builds_answer(Ok(BuildState::Finished(Verdict::Success)));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(50).await;
    let told = asked(&world.forge);
    assert_eq!(told[1], "flag First tests: passed");
    assert_eq!(world.ledger.counts().await.unwrap().buried, 0);
}

#[tokio::test]
async fn what_was_dug_out_is_built_and_told_again() {
    let world = World::new();
    world.builds_answer(Err(Failure::give_up(anyhow::anyhow!("401"))));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(1).await;
    assert!(asked(&world.forge)[0].contains("could not be built"));

    world.builds_answer(Ok(BuildState::Queued(None)));
    world.builds_answer(Ok(BuildState::Finished(Verdict::Success)));
    let buried = world.ledger.actions(Some(ActionState::Buried), 1).await.unwrap()[0].seq;
    assert_eq!(world.ledger.dig_out(buried).await.unwrap(), DugOut::Back);
    world.passes(2).await;
    assert_eq!(asked(&world.builds), ["start ci/pr First", "start ci/pr Again", "inspect"]);
    let told = asked(&world.forge);
    assert_eq!(told[0], "flag First tests: waiting in the queue");
    assert_eq!(told[1], "flag First tests: passed");
}

#[tokio::test]
async fn a_run_whose_cancellation_fails_comes_to_an_end() {
    let world = World::new();
    world.builds_answer(Err(busy()));
    world.builds_answer(Err(Failure::give_up(anyhow::anyhow!("403"))));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(0).await;
    world.hears("m2", EventKind::PullRequestClosed, 'a', 2).await;
    world.passes(3).await;
    assert_eq!(world.ledger.counts().await.unwrap().open_runs, 0);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_one_action() {
    let world = World::new();
    *world.builds.panics.lock().unwrap() = true;
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(0).await;
    *world.builds.panics.lock().unwrap() = false;
    world.passes(1).await;
    assert_eq!(asked(&world.builds).last().unwrap(), "start ci/pr Again");
}

#[tokio::test]
async fn a_build_is_not_watched_for_ever() {
    let world = World::new();
    world.builds_answer(Ok(BuildState::Queued(None)));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(1).await;
    world.hand.forward_to(from_millis(START + 8 * 86_400_000));
    world.passes(1).await;
    let told = asked(&world.forge);
    assert!(told.iter().any(|words| words.contains("no verdict after seven days")), "{told:?}");
    assert_eq!(world.ledger.counts().await.unwrap().open_runs, 0);
}

#[tokio::test]
async fn a_newer_report_takes_the_place_of_one_that_waits() {
    let world = World::new();
    world.builds_answer(Ok(BuildState::Queued(None)));
    world.builds_answer(Ok(BuildState::Finished(Verdict::Success)));
    world.forge_fails(Failure::Retry {
        source: anyhow::anyhow!("429"),
        after: Some(Duration::from_mins(5)),
    });
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(4).await;
    let told = asked(&world.forge);
    assert_eq!(
        told,
        [
            "flag First tests: waiting in the queue",
            "flag First tests: passed",
            "comment First **tests** at aaaaaaaaaaaa: passed",
        ]
    );
}

mod boards;
mod inquiring;
mod series;
mod unseen;
