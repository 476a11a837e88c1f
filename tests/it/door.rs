//! The door for messages, and what a monitor asks.

use std::time::Duration;

use pointsman::clock::Clock;
use pointsman::remote::{Answer, Remote};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::world::bus::ctl;
use crate::world::look::Look;
use crate::world::scenery::DOOR_TOKEN;
use crate::world::{PATIENCE, RULES, Setup, World};

/// Somebody at the door.
pub(crate) struct Caller {
    remote: Remote,
    token: Option<&'static str>,
}

impl Caller {
    pub(crate) fn at(world: &World) -> Self {
        let base = Url::parse(&format!("http://{}/", world.running.address)).unwrap();
        let remote = Remote::new(&base, Duration::from_secs(30), Clock::system()).unwrap();
        Self { remote, token: Some(DOOR_TOKEN) }
    }

    pub(crate) fn with_token(world: &World, token: Option<&'static str>) -> Self {
        Self { token, ..Self::at(world) }
    }

    /// Posts `body`; status and answer.
    async fn post(&self, headers: &[(&str, &str)], body: impl Into<String>) -> (u16, String) {
        self.post_to("messages", headers, body).await
    }

    /// Announces an artifact.
    pub(crate) async fn announce(&self, artifact: &Value) -> (u16, String) {
        self.post_to("artifacts", &[], artifact.to_string()).await
    }

    async fn post_to(
        &self,
        door: &str,
        headers: &[(&str, &str)],
        body: impl Into<String>,
    ) -> (u16, String) {
        let url = self.remote.url(&["api", "v1", door]);
        let mut request = self.remote.request(Method::POST, url).body(body.into());
        if let Some(token) = self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        told(&self.remote.send(request).await.unwrap())
    }

    async fn record(&self, record: &Value) -> (u16, String) {
        self.post(&[("content-type", "application/json")], record.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = self.remote.request(Method::GET, self.remote.url(&[path]));
        told(&self.remote.send(request).await.unwrap())
    }
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), String::from_utf8(answer.body.clone()).unwrap())
}

async fn no_broker() -> Setup {
    World::of(RULES).await
}

#[tokio::test]
async fn a_message_that_is_accepted_is_processed() {
    let mut world = no_broker().await.start().await;
    let caller = Caller::at(&world);
    let (_, announced) = world.scenery.open('a');
    let (topic, body) = &announced[0];
    let record = json!({ "topic": topic, "body": body, "id": "one", "headers": {} });
    assert_eq!(caller.record(&record).await, (202, r#"{"id":"one"}"#.to_owned()));
    assert_eq!(caller.record(&record).await.0, 202);
    world.until("the message", |look| look.messages.contains_key("one")).await;
    world.settle().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_message_for_a_broker_takes_the_way_over_the_broker() {
    let mut world = no_broker().await.broker().await.start().await;
    let caller = Caller::at(&world);
    let (_, announced) = world.scenery.open('a');
    let (topic, body) = &announced[0];
    let record = json!({ "topic": topic, "body": body, "id": "one" });
    assert_eq!(caller.record(&record).await.0, 202);
    world.until("the message", |look| look.messages.contains_key("one")).await;
    world.settle().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn what_no_queue_would_take_is_not_accepted() {
    let world = no_broker().await.broker().await.start().await;
    let caller = Caller::at(&world);
    let (status, answer) = caller.record(&json!({ "topic": "a.b", "body": {} })).await;
    assert_eq!((status, answer.as_str()), (503, r#"{"error":"try again later"}"#));
    let event = json!({ "specversion": "1.0", "id": "1", "source": "/ci", "type": "a.b" });
    let structured = [("content-type", "application/cloudevents+json")];
    assert_eq!(caller.post(&structured, event.to_string()).await.0, 503);
    world.end().await;
}

#[tokio::test]
async fn a_cloud_event_for_a_broker_has_its_type_for_a_topic() {
    let mut world = no_broker().await.broker().await.start().await;
    let caller = Caller::at(&world);
    let (_, announced) = world.scenery.open('a');
    let (topic, body) = &announced[0];
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/forge", "type": topic, "data": body,
    });
    let structured = [("content-type", "application/cloudevents+json")];
    assert_eq!(caller.post(&structured, event.to_string()).await.0, 202);
    world.until("the build", |look| !look.runs.is_empty()).await;
    world.end().await;
}

#[tokio::test]
async fn a_cloud_event_is_accepted_in_either_form() {
    let mut world = no_broker().await.start().await;
    let caller = Caller::at(&world);
    let event = json!({
        "specversion": "1.0", "id": "structured", "source": "/ci", "type": "org.example.it",
        "data": { "a": 1 },
    });
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    assert_eq!(caller.post(&structured, event.to_string()).await.0, 202);
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "binary"),
        ("ce-source", "/ci"),
        ("ce-type", "org.example.it"),
    ];
    let (status, answer) = caller.post(&binary, r#"{"a": 1}"#).await;
    assert_eq!(status, 202);
    assert!(answer.contains("sha256-"), "{answer}");
    // The same data under another id is another event.
    let mut another = binary;
    another[2].1 = "another";
    assert_eq!(caller.post(&another, r#"{"a": 1}"#).await.0, 202);
    let look = world.until("all three", |look| look.messages.len() == 3).await;
    assert!(look.messages.values().all(|(state, _)| state == "ignored"));
    world.end().await;
}

#[tokio::test]
async fn whoever_has_no_token_stays_outside() {
    let world = no_broker().await.start().await;
    let record = json!({ "topic": "a.b", "body": {} });
    let answer = Caller::with_token(&world, None).record(&record).await;
    insta::assert_debug_snapshot!(answer, @r#"
    (
        401,
        "{\"error\":\"a bearer token is needed\"}",
    )
    "#);
    let answer = Caller::with_token(&world, Some("guess")).record(&record).await;
    insta::assert_debug_snapshot!(answer, @r#"
    (
        401,
        "{\"error\":\"this token is not the one\"}",
    )
    "#);
    assert!(Look::at(&world.scenery.ledger_path()).messages.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_door_without_a_token_is_closed() {
    let setup = no_broker().await.without_token();
    let world = setup.start().await;
    let answer = Caller::at(&world).record(&json!({ "topic": "a.b", "body": {} })).await;
    insta::assert_debug_snapshot!(answer, @r#"
    (
        403,
        "{\"error\":\"this door is closed: `web.token` is not set\"}",
    )
    "#);
    world.end().await;
}

#[tokio::test]
async fn what_is_no_message_is_refused_with_the_reason() {
    let world = no_broker().await.settings("[web]\nbody_max = '10 kB'\n").start().await;
    let caller = Caller::at(&world);
    let mut answers = Vec::new();
    for body in ["", "{", "[]", "{}", r#"{"topic": "", "body": {}}"#, r#"{"topic": 7, "body": 1}"#]
    {
        answers.push(format!("{body:?}: {:?}", caller.post(&[], body).await));
    }
    let long = json!({ "topic": "t".repeat(256), "body": {} }).to_string();
    answers.push(format!("long topic: {:?}", caller.post(&[], long).await));
    let large = json!({ "topic": "a.b", "body": "x".repeat(20_000) }).to_string();
    answers.push(format!("large: {:?}", caller.post(&[], large).await));
    insta::assert_snapshot!(answers.join("\n"), @r#"
    "": (400, "{\"error\":\"the body is no record: EOF while parsing a value at line 1 column 0\"}")
    "{": (400, "{\"error\":\"the body is no record: EOF while parsing an object at line 1 column 1\"}")
    "[]": (400, "{\"error\":\"the body is no record: invalid length 0, expected struct Recorded with 4 elements at line 1 column 2\"}")
    "{}": (400, "{\"error\":\"the body is no record: missing field `topic` at line 1 column 2\"}")
    "{\"topic\": \"\", \"body\": {}}": (400, "{\"error\":\"`topic` has 1 to 255 bytes\"}")
    "{\"topic\": 7, \"body\": 1}": (400, "{\"error\":\"the body is no record: invalid type: integer `7`, expected a string at line 1 column 11\"}")
    long topic: (400, "{\"error\":\"`topic` has 1 to 255 bytes\"}")
    large: (413, "{\"error\":\"the body is larger than 10000 bytes\"}")
    "#);
    world.end().await;
}

#[tokio::test]
async fn what_its_topic_cannot_read_is_accepted_and_kept_as_a_dead_letter() {
    let mut world = no_broker().await.start().await;
    let caller = Caller::at(&world);
    let topic = "org.example.prod.pagure.pull-request.new";
    // What is no message at all its sender is told at once.
    let record = json!({ "topic": topic, "body": [], "id": "list" });
    assert_eq!(caller.record(&record).await.0, 400);
    let record = json!({ "topic": topic, "body": {}, "id": "empty" });
    assert_eq!(caller.record(&record).await.0, 202);
    let look = world.until("the message", |look| look.messages.len() == 1).await;
    assert!(look.dead().starts_with("empty: "), "{}", look.dead());
    let (status, ready) = caller.get("ready").await;
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!((status, &ready["ledger"]["dead_letters"]), (200, &json!(1)));
    world.end().await;
}

#[tokio::test]
async fn a_monitor_is_told_how_it_goes() {
    let mut world = no_broker().await.broker().await.start().await;
    let caller = Caller::at(&world);
    insta::assert_debug_snapshot!(caller.get("live").await, @r#"
    (
        200,
        "{\"status\":\"OK\"}",
    )
    "#);
    insta::assert_debug_snapshot!(caller.get("nowhere").await, @r#"
    (
        404,
        "{\"error\":\"there is nothing at this address\"}",
    )
    "#);

    // Of a broker that says nothing it is known that it is there.
    assert_eq!(caller.get("ready").await.0, 200);
    world.open('a').await;
    world.settle().await;
    let (status, ready) = caller.get("ready").await;
    let mut ready: Value = serde_json::from_str(&ready).unwrap();
    // The one that looks after the build may be in hand just now.
    for name in ["lag_ms", "waiting", "waiting_at"] {
        ready["ledger"][name] = "[as it is]".into();
    }
    ready["rules"]["loaded_at"] = "[then]".into();
    ready["reconcile"] = "[as it is]".into();
    assert_eq!(status, 200);
    insta::assert_yaml_snapshot!(ready, @r#"
    consumed:
      dead: 0
      ignored: 0
      passed_over: 0
      processed: 1
      received: 1
      repeated: 0
    consuming: true
    ledger:
      buried: 0
      dead_letters: 0
      inbox: 0
      lag_ms: "[as it is]"
      open_runs: 1
      waiting: "[as it is]"
      waiting_at: "[as it is]"
    polled: {}
    reconcile: "[as it is]"
    rules:
      count: 1
      fault: ~
      generation: 1
      loaded_at: "[then]"
    sources:
      the broker: true
      the inbox: true
    "#);

    let (status, metrics) = caller.get("metrics").await;
    assert_eq!(status, 200);
    // The numbers are those of the process, in which other tests run too.
    for name in [
        "messages_total{result=\"read\"}",
        "events_total{kind=\"pull_request.opened\"}",
        "rules_total{rule=\"unit\",outcome=\"fired\"}",
        "buried ",
        "dead_letters ",
        "lag_seconds ",
        "last_message_timestamp_seconds ",
        "intake_batch_messages_count",
    ] {
        assert!(metrics.contains(&format!("\npointsman_{name}")), "{name} in:\n{metrics}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_monitor_hears_that_the_broker_is_gone_and_that_it_is_back() {
    let world = no_broker().await.own_vhost().await.start().await;
    let caller = Caller::at(&world);
    assert_eq!(caller.get("ready").await.0, 200);
    let vhost = world.scenery.bus.as_ref().unwrap().vhost().to_owned();
    let mut cut = tokio::task::JoinSet::new();
    cut.spawn(async move { ctl(&["close_all_connections", "--vhost", &vhost, "a storm"]).await });
    let until = async |wanted: u16| while caller.get("ready").await.0 != wanted {};
    for status in [503, 200] {
        tokio::time::timeout(PATIENCE, until(status)).await.expect("it is not told");
    }
    assert_eq!(caller.get("live").await.0, 200);
    cut.join_next().await.unwrap().unwrap();
    world.end().await;
}
