//! The ledger, on a real file.

use std::sync::Arc;
use std::time::Duration;

use super::intake::{Found, Intake};
use super::prune::Keep;
use super::queue::{Claimed, DugOut, Settlement};
use super::tally::Tally;
use super::{Decide, Ledger};
use crate::clock::{Clock, Hand, from_millis};
use crate::event::build::BuildEvent;
use crate::event::{Event, EventKind};
use crate::ledger::inbox::Posted;
use crate::message::Message;
use crate::rules::decide;
use crate::rules::fixture::{RULES, proposal, rules};
use crate::subject::{ConnectionName, RunId};

struct World {
    folder: tempfile::TempDir,
    hand: Hand,
    ledger: Ledger,
    decide: Decide,
}

const START: i64 = 1_795_162_907_000;

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(START));
        let ledger = Self::open(&folder, &hand);
        let rules = rules(RULES);
        let decide: Decide = Arc::new(move |event, known| decide(&rules, event, known));
        Self { folder, hand, ledger, decide }
    }

    fn open(folder: &tempfile::TempDir, hand: &Hand) -> Ledger {
        Ledger::open(&folder.path().join("l.db"), Clock::manual(hand.clone())).unwrap()
    }

    async fn put(&self, batch: Vec<Intake>) -> Tally {
        let (stored, tally) = self.ledger.put(batch, Arc::clone(&self.decide)).await.unwrap();
        drop(stored);
        tally
    }

    async fn claim(&self) -> Vec<Claimed> {
        self.ledger.claim(&builds(), 10).await.unwrap()
    }

    async fn settle(&self, claimed: &Claimed, settlement: Settlement) {
        self.ledger.settle(claimed.seq, settlement, Arc::clone(&self.decide)).await.unwrap();
    }
}

fn builds() -> ConnectionName {
    "builds.main".to_owned().try_into().unwrap()
}

fn opened(id: &str, head: char, at: i64) -> Intake {
    told(id, EventKind::PullRequestOpened, head, at)
}

fn told(id: &str, kind: EventKind, head: char, at: i64) -> Intake {
    let events = vec![Event::PullRequest(proposal(kind, head, at))];
    intake(id, Found::Events(events, None))
}

fn intake(id: &str, found: Found) -> Intake {
    let message = Message {
        id: Some(id.to_owned()),
        topic: "x.y".to_owned(),
        body: b"{}".to_vec(),
        ..Message::default()
    };
    Intake {
        source: "test",
        id: message.identity(),
        digest: message.digest(),
        message,
        inbox: None,
        found,
    }
}

#[tokio::test]
async fn the_same_message_is_stored_once() {
    let world = World::new();
    let tally = world.put(vec![opened("m1", 'a', 1), opened("m1", 'a', 1)]).await;
    assert_eq!((tally.read, tally.repeats), (1, 1));
    let tally = world.put(vec![opened("m1", 'a', 1)]).await;
    assert_eq!((tally.read, tally.repeats), (0, 1));
    assert_eq!(world.claim().await.len(), 1);
}

#[tokio::test]
async fn how_far_somebody_has_come_is_stored_with_what_was_found_or_not_at_all() {
    let world = World::new();
    let (name, decide) = ("poll/box".to_owned(), Arc::clone(&world.decide));
    let put = |id: &str, cursor: &str| {
        let cursors = vec![(name.clone(), cursor.to_owned())];
        world.ledger.put_with_cursors(vec![opened(id, 'a', 1)], cursors, Arc::clone(&decide))
    };
    let (stored, tally) = put("m1", "one").await.unwrap();
    drop(stored);
    assert_eq!(tally.read, 1);
    let again = World::open(&world.folder, &world.hand);
    assert_eq!(again.cursor(name.clone()).await.unwrap().unwrap().value, "one");

    // The disk fails between the one and the other.
    let outside = rusqlite::Connection::open(world.folder.path().join("l.db")).unwrap();
    outside
        .execute_batch(
            "CREATE TRIGGER full BEFORE UPDATE ON cursors \
             BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )
        .unwrap();
    put("m2", "two").await.unwrap_err();
    let m2 = opened("m2", 'a', 1).id;
    assert!(!world.ledger.has_message(m2.clone()).await.unwrap());
    assert_eq!(world.ledger.cursor(name.clone()).await.unwrap().unwrap().value, "one");

    outside.execute_batch("DROP TRIGGER full").unwrap();
    drop(put("m2", "two").await.unwrap());
    assert!(world.ledger.has_message(m2).await.unwrap());
    assert_eq!(world.ledger.cursor(name.clone()).await.unwrap().unwrap().value, "two");
}

#[tokio::test]
async fn the_same_happening_in_two_messages_of_one_batch_starts_one_build() {
    let world = World::new();
    let second = told("m2", EventKind::PullRequestUpdated, 'a', 2);
    world.put(vec![opened("m1", 'a', 1), second, opened("m3", 'a', 1)]).await;
    assert_eq!(world.claim().await.len(), 1);
}

#[tokio::test]
async fn what_waits_or_is_in_hand_is_left_to_do() {
    let world = World::new();
    assert_eq!(world.ledger.left_to_do().await.unwrap(), 0);
    world.ledger.post(Message { topic: "x.y".to_owned(), ..Message::default() }).await.unwrap();
    assert_eq!(world.ledger.left_to_do().await.unwrap(), 1);
    world.put(vec![opened("m1", 'a', 1)]).await;
    assert_eq!(world.ledger.left_to_do().await.unwrap(), 2);
    let claimed = world.claim().await.remove(0);
    assert_eq!(world.ledger.left_to_do().await.unwrap(), 2);
    world.settle(&claimed, Settlement::Done(Vec::new())).await;
    assert_eq!(world.ledger.left_to_do().await.unwrap(), 1);
}

#[tokio::test]
async fn what_was_in_hand_when_the_process_died_is_tried_again() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1)]).await;
    assert_eq!(world.claim().await[0].attempts, 1);
    assert!(world.claim().await.is_empty());

    let ledger = World::open(&world.folder, &world.hand);
    assert_eq!(ledger.recover().await.unwrap(), 1);
    let again = ledger.claim(&builds(), 10).await.unwrap();
    assert_eq!(again[0].attempts, 2);
}

#[tokio::test]
async fn what_waits_at_a_start_may_have_been_tried_before_a_power_cut() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1)]).await;

    let ledger = World::open(&world.folder, &world.hand);
    assert_eq!(ledger.recover().await.unwrap(), 0);
    assert_eq!(ledger.claim(&builds(), 10).await.unwrap()[0].attempts, 2);
}

#[tokio::test]
async fn actions_of_one_lane_wait_for_each_other() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1)]).await;
    world.put(vec![told("m2", EventKind::PullRequestUpdated, 'b', 2)]).await;
    let first = world.claim().await;
    assert_eq!(first.len(), 1);
    assert!(first[0].key.starts_with("start/"));
    assert!(first[0].run.as_ref().unwrap().cancelling.is_some());

    world.settle(&first[0], Settlement::Superseded("x".to_owned(), Vec::new())).await;
    let second = world.claim().await;
    assert!(second[0].key.starts_with("cancel/"));
    world.settle(&second[0], Settlement::Done(Vec::new())).await;
    assert!(world.claim().await[0].key.starts_with("start/"));
}

#[tokio::test]
async fn a_retry_waits_for_its_time() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1)]).await;
    let claimed = world.claim().await;
    world.settle(&claimed[0], Settlement::Retry(Duration::from_secs(5), "busy".to_owned())).await;
    assert!(world.claim().await.is_empty());
    assert_eq!(world.ledger.next_due(&builds()).await.unwrap(), Some(START + 5_000));

    world.hand.forward_to(from_millis(START + 5_000));
    assert_eq!(world.claim().await[0].attempts, 2);
}

#[tokio::test]
async fn what_was_buried_can_be_dug_out() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1)]).await;
    let claimed = world.claim().await;
    world.settle(&claimed[0], Settlement::Buried("no".to_owned(), Vec::new())).await;
    assert_eq!(world.ledger.counts().await.unwrap().buried, 1);
    assert_eq!(world.ledger.dig_out(claimed[0].seq).await.unwrap(), DugOut::Back);
    assert_eq!(world.claim().await[0].attempts, 2);
    assert_eq!(world.ledger.dig_out(claimed[0].seq).await.unwrap(), DugOut::NotBuried);
}

#[tokio::test]
async fn a_start_is_not_dug_out_when_its_build_would_serve_nobody() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1)]).await;
    let claimed = world.claim().await;
    world.settle(&claimed[0], Settlement::Buried("no".to_owned(), Vec::new())).await;
    world.put(vec![told("m2", EventKind::PullRequestClosed, 'a', 2)]).await;
    let refused = DugOut::Refused("its pull request is closed");
    assert_eq!(world.ledger.dig_out(claimed[0].seq).await.unwrap(), refused);
}

#[tokio::test]
async fn an_id_that_another_message_has_loses_nothing() {
    let world = World::new();
    let mut second = told("m1", EventKind::PullRequestUpdated, 'b', 2);
    second.message.body = b"[]".to_vec();
    second.digest = second.message.digest();
    let tally = world.put(vec![opened("m1", 'a', 1), second, opened("m1", 'a', 1)]).await;
    assert_eq!((tally.read, tally.repeats), (2, 1));
}

#[tokio::test]
async fn a_dead_letter_is_kept_and_can_be_read_again() {
    let world = World::new();
    let dead = intake("m1", Found::Dead("not JSON".to_owned(), None));
    let id = dead.id.clone();
    assert_eq!(world.put(vec![dead]).await.dead, 1);
    assert!(world.ledger.reread(id).await.unwrap());
    let waiting = world.ledger.inbox(0, 10).await.unwrap();
    assert_eq!(waiting[0].message.body, b"{}");
    assert_eq!(world.ledger.counts().await.unwrap().dead_letters, 0);
}

#[tokio::test]
async fn what_is_in_the_inbox_leaves_it_in_the_transaction_that_stores_it() {
    let world = World::new();
    let posted = world.ledger.post(opened("m1", 'a', 1).message).await.unwrap();
    assert!(matches!(posted, Posted::Accepted(id) if id.as_str() == "m1"));
    let waiting = world.ledger.inbox(0, 10).await.unwrap();
    let stored = Intake { inbox: Some(waiting[0].seq), ..opened("m1", 'a', 1) };
    world.put(vec![stored]).await;
    assert!(world.ledger.inbox(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn headers_with_credentials_are_not_stored() {
    let mut headers = serde_json::Map::new();
    headers.insert("Authorization".to_owned(), "Bearer s3cret".into());
    headers.insert("x-event".to_owned(), "push".into());
    assert_eq!(super::intake::headers(&headers).unwrap(), r#"{"x-event":"push"}"#);
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_what_is_open_is_not() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1), intake("m2", Found::Dead("no".to_owned(), None))]).await;
    world.put(vec![intake("m3", Found::Ignored("nothing".to_owned(), None))]).await;
    let day = Duration::from_hours(24);
    world.hand.forward_to(from_millis(START + 2 * 86_400_000));
    let keep = Keep { ordinary: day, dead: 10 * day };
    // The open run keeps its action, the action its event, the event its message.
    assert_eq!(world.ledger.prune(keep).await.unwrap(), 1);
    assert_eq!(world.ledger.counts().await.unwrap().dead_letters, 1);
    assert_eq!(world.claim().await.len(), 1);
}

#[tokio::test]
async fn one_ledger_serves_one_service() {
    let world = World::new();
    let _tenancy = world.ledger.occupy().unwrap();
    let error = world.ledger.occupy().unwrap_err();
    let words = crate::remote::chain(&error);
    assert!(words.contains("another pointsman is running on it"), "{words}");
}

#[tokio::test]
async fn a_run_that_is_hurried_is_asked_after_at_once_and_not_too_often() {
    let world = World::new();
    world.put(vec![opened("m1", 'a', 1)]).await;
    let start = world.claim().await.remove(0);
    let run = start.run.clone().unwrap();
    let queued = Event::Build(BuildEvent {
        id: None,
        of: None,
        thread: crate::event::thread::Thread::default(),
        event: EventKind::BuildQueued,
        instance: None,
        connection: Some(builds()),
        job: run.ticket.job.clone(),
        number: Some(7),
        url: None,
        verdict: None,
        run: Some(run.id.clone()),
        queued: None,
        reason: None,
    });
    world.settle(&start, Settlement::Done(vec![queued])).await;
    let due = async || world.ledger.next_due(&builds()).await.unwrap().unwrap() - START;
    assert!(due().await > 5_000);

    assert!(world.ledger.hurry(run.id.clone()).await.unwrap());
    assert_eq!(due().await, 5_000);
    world.hand.forward_to(from_millis(START + 2_000));
    assert!(world.ledger.hurry(run.id.clone()).await.unwrap());
    assert_eq!(due().await, 5_000);

    world.hand.forward_to(from_millis(START + 6_000));
    let asked = world.claim().await.remove(0);
    world.settle(&asked, Settlement::Later(Duration::from_mins(5), Vec::new())).await;
    world.hand.forward_to(from_millis(START + 60_000));
    assert!(world.ledger.hurry(run.id.clone()).await.unwrap());
    assert_eq!(due().await, 60_000);

    // It still ran; the next pause is a short one again, and what is due soon is not put off.
    let asked = world.claim().await.remove(0);
    assert_eq!(asked.rounds, 0);
    world.settle(&asked, Settlement::Later(Duration::from_secs(3), Vec::new())).await;
    assert!(world.ledger.hurry(run.id.clone()).await.unwrap());
    assert_eq!(due().await, 63_000);
    world.hand.forward_to(from_millis(START + 63_000));
    let asked = world.claim().await.remove(0);
    assert_eq!(asked.rounds, 0);
    world.settle(&asked, Settlement::Later(Duration::from_mins(5), Vec::new())).await;
    world.hand.forward_to(from_millis(START + 400_000));
    assert_eq!(world.claim().await.remove(0).rounds, 1);

    let unknown = RunId::try_from("0".repeat(32)).unwrap();
    assert!(!world.ledger.hurry(unknown).await.unwrap());
}
