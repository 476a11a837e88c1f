use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::action::PushOrder;
use crate::clock::{Clock, Hand, from_millis};
use crate::decision::Decision;
use crate::event::build::BuildEvent;
use crate::event::{Event, EventKind};
use crate::git::{Outcome, Work};
use crate::ledger::Decide;
use crate::ledger::intake::{Found, Intake};
use crate::message::Message;
use crate::rules::decide;
use crate::rules::fixture::{RULES, proposal, rules, sha};
use crate::subject::{CommitSha, Subject, Verdict};

const NOW: i64 = 1_795_162_907_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Branches with their commits, and the name of one that cannot be removed.
#[derive(Default)]
struct Memory {
    branches: Mutex<BTreeMap<String, CommitSha>>,
    protected: Mutex<Option<String>>,
}

#[async_trait]
impl Tree for Memory {
    async fn apply(&self, _work: &Work<'_>) -> Result<Outcome, Failure> {
        Err(Failure::give_up(anyhow::anyhow!("not here")))
    }

    async fn push(&self, _order: &PushOrder) -> Result<(), Failure> {
        Err(Failure::give_up(anyhow::anyhow!("not here")))
    }

    async fn remove(&self, name: &str, sha: &CommitSha) -> Result<(), Failure> {
        if self.protected.lock().unwrap().as_deref() == Some(name) {
            return Err(Failure::retry(anyhow::anyhow!("protected")));
        }
        self.branches.lock().unwrap().retain(|known, at| known != name || at != sha);
        Ok(())
    }
}

struct World {
    _folder: tempfile::TempDir,
    hand: Hand,
    ledger: Ledger,
    tree: Arc<Memory>,
    sweep: Sweep,
    decide: Decide,
}

fn linux() -> ConnectionName {
    "git.linux".to_owned().try_into().unwrap()
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(NOW));
        let clock = Clock::manual(hand.clone());
        let ledger = Ledger::open(&folder.path().join("l.db"), clock).unwrap();
        let tree = Arc::new(Memory::default());
        let sweep = Sweep {
            connection: linux(),
            tree: Arc::<Memory>::clone(&tree),
            keep: Duration::from_hours(24 * 14),
            ledger: ledger.clone(),
            stuck: BTreeSet::new(),
            is_failing: false,
        };
        let rules = rules(RULES);
        let decide: Decide =
            Arc::new(move |event, known| -> Decision { decide(&rules, event, known) });
        Self { _folder: folder, hand, ledger, tree, sweep, decide }
    }

    async fn push(&self, name: &str, subject: &Subject) {
        let branch = PushedBranch { name: name.to_owned(), sha: sha('a') };
        self.tree.branches.lock().unwrap().insert(branch.name.clone(), branch.sha.clone());
        self.ledger.note_branch(&linux(), branch, subject).await.unwrap();
    }

    async fn sweep_on_day(&mut self, day: i64) -> String {
        self.hand.forward_to(from_millis(NOW + day * DAY));
        self.sweep.round().await.unwrap();
        let names: Vec<String> = self.tree.branches.lock().unwrap().keys().cloned().collect();
        names.join(" ")
    }

    async fn hear(&self, id: &str, event: Event) {
        let message = Message { id: Some(id.to_owned()), ..Message::default() };
        let intake = Intake {
            source: "test",
            id: message.identity(),
            digest: message.digest(),
            message,
            inbox: None,
            found: Found::Events(vec![event], None),
        };
        drop(self.ledger.put(vec![intake], Arc::clone(&self.decide)).await.unwrap());
    }
}

fn nobodys() -> Subject {
    Subject { number: 999, ..proposal(EventKind::PullRequestOpened, 'a', 1).subject() }
}

#[tokio::test]
async fn a_branch_that_nobody_needs_is_taken_away() {
    let mut world = World::new();
    world.push("old", &nobodys()).await;
    assert_eq!(world.sweep_on_day(13).await, "old");
    world.push("new", &nobodys()).await;
    assert_eq!(world.sweep_on_day(15).await, "new");
    // It was not made by us, as far as the list knows.
    world.tree.branches.lock().unwrap().insert("foreign".to_owned(), sha('f'));
    assert_eq!(world.sweep_on_day(100).await, "foreign");
}

#[tokio::test]
async fn a_branch_is_kept_while_it_is_built_and_for_a_while_after_that() {
    let mut world = World::new();
    let event = proposal(EventKind::PullRequestOpened, 'a', 1);
    world.hear("m1", Event::PullRequest(event.clone())).await;
    let builds = "builds.main".to_owned().try_into().unwrap();
    let run = world.ledger.claim(&builds, 1).await.unwrap()[0].run.clone().unwrap();
    world.push("built", &event.subject()).await;
    assert_eq!(world.sweep_on_day(50).await, "built");

    let end = BuildEvent {
        id: None,
        of: None,
        thread: crate::event::thread::Thread::default(),
        event: EventKind::BuildFinished,
        instance: None,
        connection: Some(builds),
        job: run.ticket.job.clone(),
        number: Some(1),
        url: None,
        verdict: Some(Verdict::Success),
        run: Some(run.id),
        queued: None,
        reason: None,
    };
    world.hear("m2", Event::Build(end)).await;
    assert_eq!(world.sweep_on_day(60).await, "built");
    assert_eq!(world.sweep_on_day(65).await, "");
}

#[tokio::test]
async fn one_that_cannot_be_removed_is_not_in_the_way_of_others() {
    let mut world = World::new();
    *world.tree.protected.lock().unwrap() = Some("b0".to_owned());
    world.push("b0", &nobodys()).await;
    world.hand.forward_to(from_millis(NOW + 1));
    for number in 1..=30 {
        world.push(&format!("b{number}"), &nobodys()).await;
    }
    assert_eq!(world.sweep_on_day(20).await.split(' ').count(), 31);
    assert_eq!(world.sweep_on_day(20).await.split(' ').count(), 11);
    assert_eq!(world.sweep_on_day(20).await, "b0");
    // It is tried again, now and then.
    *world.tree.protected.lock().unwrap() = None;
    world.sweep_on_day(20).await;
    assert_eq!(world.sweep_on_day(20).await, "");
}

#[tokio::test]
async fn what_was_pushed_again_in_between_stays() {
    let world = World::new();
    world.push("x", &nobodys()).await;
    let other = PushedBranch { name: "x".to_owned(), sha: sha('b') };
    world.ledger.note_branch(&linux(), other.clone(), &nobodys()).await.unwrap();
    let old = PushedBranch { name: "x".to_owned(), sha: sha('a') };
    world.ledger.forget_branch(&linux(), old).await.unwrap();
    let later = from_millis(NOW + 1);
    let found = world.ledger.branches_to_sweep(&linux(), later, 9).await.unwrap();
    assert_eq!(found, [other]);
}
