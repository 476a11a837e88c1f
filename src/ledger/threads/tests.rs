//! Messages that continue others, in order and out of it, on a real file.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::{Clock, Hand, from_millis};
use crate::event::Event;
use crate::ledger::intake::{Found, Intake};
use crate::ledger::prune::Keep;
use crate::ledger::{Decide, Ledger};
use crate::message::Message;
use crate::rules::decide;
use crate::rules::fixture::rules;

const RULES: &str = r#"
[[rule]]
name   = "told"
on     = ["build.finished", "artifact.published"]
notify = [{ to = "chat.ops", text = "{{ event }}" }]
"#;

const START: i64 = 1_795_162_907_000;

struct World {
    folder: tempfile::TempDir,
    hand: Hand,
    ledger: Ledger,
    decide: Decide,
    messages: u32,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::at(from_millis(START));
        let ledger = Self::open(&folder, &hand);
        let rules = rules(RULES);
        let decide: Decide = Arc::new(move |event, known| decide(&rules, event, known));
        Self { folder, hand, ledger, decide, messages: 0 }
    }

    fn open(folder: &tempfile::TempDir, hand: &Hand) -> Ledger {
        Ledger::open(&folder.path().join("l.db"), Clock::manual(hand.clone())).unwrap()
    }

    /// The process ends, and another one begins.
    fn restarts(&mut self) {
        self.ledger = Self::open(&self.folder, &self.hand);
    }

    /// One message each, in one batch.
    async fn hears(&mut self, events: &[Value]) {
        let mut batch = Vec::new();
        for event in events {
            self.messages += 1;
            let message = Message {
                id: Some(format!("m{}", self.messages)),
                topic: "x.y".to_owned(),
                body: event.to_string().into_bytes(),
                ..Message::default()
            };
            let event: Event = serde_json::from_value(event.clone()).unwrap();
            batch.push(Intake {
                source: "test",
                id: message.identity(),
                digest: message.digest(),
                message,
                inbox: None,
                found: Found::Events(vec![event], None),
            });
        }
        let (stored, _) = self.ledger.put(batch, Arc::clone(&self.decide)).await.unwrap();
        drop(stored);
    }

    fn outside(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("l.db")).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.outside().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// What was recorded, a line each: message, kind, subject, and what came of it.
    fn said(&self) -> String {
        let db = self.outside();
        let mut select = db
            .prepare(
                "SELECT message, kind, subject, decision ->> '$.not_news', \
                 (SELECT count(*) FROM actions WHERE event = e.seq) FROM events AS e ORDER BY seq",
            )
            .unwrap();
        let lines = select.query_map([], |row| {
            let why_not: Option<String> = row.get(3)?;
            let told: i64 = row.get(4)?;
            let outcome = why_not.unwrap_or_else(|| format!("told {told}"));
            let (message, kind): (i64, String) = (row.get(0)?, row.get(1)?);
            Ok(format!("{message} {kind} {}: {outcome}", row.get::<_, String>(2)?))
        });
        lines.unwrap().collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    }

    /// The last event that was decided upon, as it was by then.
    fn last(&self) -> Value {
        let sql = "SELECT body FROM events ORDER BY seq DESC LIMIT 1";
        let body: String = self.outside().query_row(sql, [], |row| row.get(0)).unwrap();
        serde_json::from_str(&body).unwrap()
    }
}

fn triggered() -> Value {
    json!({"build": {"event": "build.queued", "instance": "rail", "job": "points", "id": "a",
        "thread": {"id": "a"}}})
}

fn started() -> Value {
    json!({"build": {"event": "build.started", "instance": "rail", "job": "", "id": "a",
        "url": "https://ci.example/7", "thread": {"id": "b", "of": "a"}}})
}

fn finished() -> Value {
    json!({"build": {"event": "build.finished", "instance": "rail", "job": "", "id": "a",
        "verdict": "failure", "thread": {"of": "a"}}})
}

fn created() -> Value {
    json!({"artifact": {"event": "artifact.created", "instance": "rail",
        "artifact": {"name": "nano", "build": "7", "version": "1"}, "thread": {"id": "c"}}})
}

fn published() -> Value {
    json!({"artifact": {"event": "artifact.published", "instance": "unknown",
        "artifact": {"files": [{"name": "rootfs", "url": "https://store.example/r"}]},
        "thread": {"of": "c"}}})
}

#[tokio::test]
async fn what_comes_in_order_is_whole_at_once() {
    let mut world = World::new();
    world.hears(&[triggered()]).await;
    world.hears(&[started()]).await;
    world.hears(&[finished()]).await;
    insta::assert_snapshot!(world.said(), @r"
    1 build.queued rail/points@0: it is not ours, and no rule asks for it
    2 build.started rail/points@0: it is not ours, and no rule asks for it
    3 build.finished rail/points@0: told 1
    ");
    // The page was told by the one in the middle, which nothing continues by its own id.
    assert_eq!(world.last()["build"]["url"], "https://ci.example/7");
    assert_eq!(world.count("orphans"), 0);
}

#[tokio::test]
async fn what_comes_out_of_order_is_decided_upon_when_it_is_whole() {
    let mut world = World::new();
    // Within one batch, and over several.
    world.hears(&[finished(), started()]).await;
    world.hears(&[triggered(), published()]).await;
    world.hears(&[created()]).await;
    insta::assert_snapshot!(world.said(), @r"
    1 build.finished rail/@0: it waits for the message that it continues
    2 build.started rail/@0: it waits for the message that it continues
    3 build.queued rail/points@0: it is not ours, and no rule asks for it
    1 build.finished rail/points@0: told 1
    2 build.started rail/points@0: it is not ours, and no rule asks for it
    4 artifact.published unknown/artifacts/: it waits for the message that it continues
    5 artifact.created rail/artifacts/nano: no rule is about it
    4 artifact.published rail/artifacts/nano: told 1
    ");
    assert_eq!(world.last()["artifact"]["artifact"]["version"], "1");
    assert_eq!(world.count("orphans"), 0);
}

#[tokio::test]
async fn what_is_told_twice_is_told_once() {
    let mut world = World::new();
    world.hears(&[finished(), finished(), triggered(), triggered(), finished()]).await;
    world.hears(&[finished()]).await;
    insta::assert_snapshot!(world.said(), @r"
    1 build.finished rail/@0: it waits for the message that it continues
    2 build.finished rail/@0: it waits for the message that it continues
    3 build.queued rail/points@0: it is not ours, and no rule asks for it
    2 build.finished rail/points@0: told 1
    4 build.queued rail/points@0: this was told before
    5 build.finished rail/points@0: this was told before
    6 build.finished rail/points@0: this was told before
    ");
    assert_eq!(world.count("actions"), 1);
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let mut world = World::new();
    world.hears(&[finished(), created()]).await;
    world.restarts();
    world.hears(&[triggered()]).await;
    world.restarts();
    world.hears(&[published()]).await;
    assert_eq!(world.count("actions"), 2);
    assert!(world.said().ends_with("4 artifact.published rail/artifacts/nano: told 1"));
}

#[tokio::test]
async fn what_would_be_joined_can_be_asked() {
    let mut world = World::new();
    let event: Event = serde_json::from_value(finished()).unwrap();
    assert_eq!(world.ledger.continued(event.clone()).await.unwrap(), event);
    world.hears(&[triggered()]).await;
    let whole = world.ledger.continued(event).await.unwrap();
    assert_eq!(whole.lacks(), None);
    assert_eq!(world.said().lines().count(), 1);
}

#[tokio::test]
async fn a_chain_is_joined_link_by_link() {
    let mut world = World::new();
    let last = json!({"build": {"event": "build.finished", "job": "", "verdict": "success",
        "thread": {"of": "b"}}});
    world.hears(&[last, started(), triggered()]).await;
    insta::assert_snapshot!(world.said(), @r"
    1 build.finished unknown/@0: it waits for the message that it continues
    2 build.started rail/@0: it waits for the message that it continues
    3 build.queued rail/points@0: it is not ours, and no rule asks for it
    2 build.started rail/points@0: it is not ours, and no rule asks for it
    1 build.finished rail/points@0: told 1
    ");
    // A circle of those that tell nothing waits for good, which is not long.
    let of = |id: &str, of: &str| {
        json!({"build": {"event": "build.started", "job": "",
            "thread": {"id": id, "of": of}}})
    };
    world.hears(&[of("x", "y"), of("y", "x"), of("z", "z")]).await;
    assert_eq!(world.count("orphans"), 3);
}

#[tokio::test]
async fn what_is_whole_by_itself_waits_for_nobody() {
    let mut world = World::new();
    let mut whole = finished();
    whole["build"]["job"] = "points".into();
    world.hears(&[whole]).await;
    assert_eq!(world.said(), "1 build.finished rail/points@0: told 1");
    assert_eq!(world.count("orphans") + world.count("threads"), 0);
}

#[tokio::test]
async fn what_nobody_ever_continues_is_forgotten() {
    let mut world = World::new();
    world.hears(&[finished(), created()]).await;
    let keep = Keep { ordinary: Duration::from_hours(1), dead: Duration::from_hours(1) };
    world.hand.forward_to(from_millis(START + 59 * 60_000));
    world.ledger.prune(keep).await.unwrap();
    assert_eq!((world.count("orphans"), world.count("threads")), (1, 1));
    world.hand.forward_to(from_millis(START + 61 * 60_000));
    world.ledger.prune(keep).await.unwrap();
    assert_eq!((world.count("orphans"), world.count("threads")), (0, 0));
    // Whatever comes by then has nothing left to be joined with.
    world.hears(&[triggered()]).await;
    assert_eq!(world.count("actions"), 0);
}

#[tokio::test]
async fn what_is_joined_is_looked_at_once_more() {
    let mut world = World::new();
    let mut nameless = created();
    nameless["artifact"]["artifact"]["name"] = "".into();
    let mut endless = created();
    endless["artifact"]["artifact"]["name"] = "n".repeat(300).into();
    endless["artifact"]["thread"]["id"] = "d".into();
    let mut of_endless = published();
    of_endless["artifact"]["thread"]["of"] = "d".into();
    // About a build, which no artifact continues.
    let mut of_build = published();
    of_build["artifact"]["thread"]["of"] = "a".into();
    world.hears(&[nameless, endless, triggered()]).await;
    let before = world.said().lines().count();
    world.hears(&[published(), of_endless, of_build]).await;
    let said = world.said();
    let said: Vec<&str> = said.lines().skip(before).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    4 artifact.published rail/artifacts/: neither it nor the message that it continues tells the artifact's name
    5 artifact.published unknown/artifacts/: it waits for the message that it continues
    6 artifact.published unknown/artifacts/: neither it nor the message that it continues tells the artifact's name
    ");
    assert_eq!(world.count("actions"), 0);
}

#[tokio::test]
async fn few_wait_for_one_and_nothing_large_does() {
    let mut world = World::new();
    let nth = |number: u32| {
        let mut event = finished();
        event["build"]["id"] = number.to_string().into();
        event
    };
    let many: Vec<Value> = (0..25).map(nth).collect();
    world.hears(&many).await;
    assert_eq!(world.count("orphans"), 20);
    assert!(world.said().ends_with("too many wait already for the message that it continues"));
    let mut large = finished();
    large["build"]["thread"]["of"] = "other".into();
    large["build"]["reason"] = "x".repeat(70_000).into();
    world.hears(&[large]).await;
    assert!(world.said().ends_with("too large to wait for the message that it continues"));
    assert_eq!(world.count("orphans"), 20);
    // An id that is none is no id.
    let mut odd = finished();
    odd["build"]["thread"]["of"] = "x".repeat(500).into();
    world.hears(&[odd]).await;
    assert!(world.said().ends_with("neither it nor the message that it continues tells the job"));

    world.hears(&[triggered()]).await;
    assert_eq!((world.count("orphans"), world.count("actions")), (0, 20));
    let mut large = triggered();
    large["build"]["thread"]["id"] = "other".into();
    large["build"]["reason"] = "x".repeat(70_000).into();
    world.hears(&[large]).await;
    assert_eq!(world.count("threads"), 1);
}
