use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::HeaderMap;
use reqwest::Method;
use serde_json::Map;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;
use crate::clock::Clock;
use crate::envelope::Limits;
use crate::hooks::relayed;
use crate::ledger::Ledger;
use crate::ledger::intake::{Found, Intake};
use crate::remote::{Failure, Remote};
use crate::reporters::bus::Post;
use crate::web::body::Room;

/// A forge whose posts are proved by one word.
struct Wordy;

impl Hook for Wordy {
    fn glance(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let is_there = headers.contains_key("x-word");
        is_there.then_some(()).ok_or(Refusal::Unsigned("`X-Word` is missing"))
    }

    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if text("x-word") != Some("sesame") {
            return Err(Refusal::Forged);
        }
        let topic = text("x-event").unwrap_or("ping");
        if topic == "ping" {
            return Ok(Admitted::Ping);
        }
        let name = ConnectionName::try_from("forge.main".to_owned()).unwrap();
        relayed(&name, format!("forge.{topic}"), Map::new(), body).map(Admitted::of_all)
    }
}

#[derive(Default)]
struct Letterbox {
    posted: Mutex<Vec<Message>>,
    is_full: AtomicBool,
}

#[async_trait]
impl Post for Letterbox {
    async fn post(&self, message: Message) -> Result<(), Failure> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(Failure::retry(anyhow::anyhow!("the inbox is full")));
        }
        self.posted.lock().unwrap().push(message);
        Ok(())
    }
}

struct Door {
    address: SocketAddr,
    inbox: Arc<Letterbox>,
    ledger: Ledger,
    /// That of the webhooks.
    room: Room,
    _folder: tempfile::TempDir,
    _tasks: JoinSet<std::io::Result<()>>,
}

impl Door {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), Clock::system()).unwrap();
        let inbox = Arc::new(Letterbox::default());
        let name = ConnectionName::try_from("forge.main".to_owned()).unwrap();
        let hook: Arc<dyn Hook> = Arc::new(Wordy);
        let room = Room::new(1_000);
        let bus: Arc<dyn Post> = Arc::<Letterbox>::clone(&inbox);
        let site = Site {
            bus,
            token: Some("token".to_owned().into()),
            announcers: Arc::default(),
            prefix: String::new(),
            room: Room::new(1_000),
            hook_room: room.clone(),
            hooks: Arc::new(BTreeMap::from([(name, hook)])),
            weigh: Arc::new(|_, _, message| match message.topic.as_str() {
                "forge.push" => Worth::Wanted,
                "forge.gossip" => Worth::Foreign("it is about `other.example`".to_owned()),
                "forge.babble" => Worth::Unreadable("`number` is missing".to_owned()),
                _ => Worth::Unwanted,
            }),
            ended: None,
            quiet: Arc::default(),
            limits: Limits::default(),
            ledger: ledger.clone(),
            health: Arc::default(),
            connections: Vec::new(),
            metrics: metrics::start(),
        };
        let listener = crate::web::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(crate::web::serve(listener, site, CancellationToken::new()));
        Self { address, inbox, ledger, room, _folder: folder, _tasks: tasks }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let base = Url::parse(&format!("http://{}/", self.address)).unwrap();
        let timeout = std::time::Duration::from_secs(30);
        let remote = Remote::new(&base, timeout, Clock::system()).unwrap();
        let url = base.join(path).unwrap();
        let mut request = remote.request(Method::POST, url).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = remote.send(request).await.unwrap();
        format!("{} {}", answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
    }
}

const DOOR: &str = "hooks/forge/main";
const WORD: (&str, &str) = ("x-word", "sesame");
const PUSH: (&str, &str) = ("x-event", "push");

#[tokio::test]
async fn what_is_proved_is_posted_and_what_is_stored_already_is_not() {
    let door = Door::open().await;
    let answer = door.post(DOOR, &[WORD, PUSH], r#"{"ref": "refs/heads/main"}"#).await;
    let message = door.inbox.posted.lock().unwrap().pop().unwrap();
    let id = message.identity();
    assert_eq!(answer, format!(r#"202 {{"id":"{id}"}}"#));
    assert_eq!(message.topic, "forge.push");
    let body = String::from_utf8(message.body.clone()).unwrap();
    assert_eq!(body, r#"{"body":{"ref": "refs/heads/main"},"headers":{},"agent":null}"#);

    let found = Found::Ignored("nothing".to_owned(), None);
    let digest = message.digest();
    let intake = Intake { source: "the door", id, digest, message, inbox: None, found };
    let decide: crate::ledger::Decide = Arc::new(|_, _| crate::decision::Decision::default());
    let (_stored, _) = door.ledger.put(vec![intake], decide).await.unwrap();
    let answer = door.post(DOOR, &[WORD, PUSH], r#"{"ref": "refs/heads/main"}"#).await;
    assert_eq!(answer, r#"200 {"repeat":true}"#);
    assert!(door.inbox.posted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn everything_else_is_told_apart() {
    let door = Door::open().await;
    let mut told = Vec::new();
    let large = format!(r#"{{"a": "{}"}}"#, "x".repeat(1_000));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(400), "]".repeat(400));
    for (what, path, headers, body) in [
        ("ping", DOOR, &[WORD][..], "{}"),
        ("unsigned", DOOR, &[PUSH], "{}"),
        ("unsigned and too large", DOOR, &[PUSH], &large),
        ("forged", DOOR, &[("x-word", "guess"), PUSH], "{}"),
        ("no JSON", DOOR, &[WORD, PUSH], "{"),
        ("no object", DOOR, &[WORD, PUSH], "[1]"),
        ("too deep", DOOR, &[WORD, PUSH], &deep),
        ("too large", DOOR, &[WORD, PUSH], &large),
        ("unwanted", DOOR, &[WORD, ("x-event", "watch")], "{}"),
        ("foreign", DOOR, &[WORD, ("x-event", "gossip")], "{}"),
        ("unreadable", DOOR, &[WORD, ("x-event", "babble")], "{}"),
        ("unknown", "hooks/forge/other", &[WORD, PUSH], "{}"),
        ("no name", "hooks/F%20O/%ff", &[WORD, PUSH], "{}"),
    ] {
        told.push(format!("{what}: {}", door.post(path, headers, body).await));
    }
    door.inbox.is_full.store(true, Ordering::SeqCst);
    told.push(format!("full: {}", door.post(DOOR, &[WORD, PUSH], "{}").await));
    insta::assert_snapshot!(told.join("\n"), @r#"
    ping: 200 {"ping":true}
    unsigned: 401 {"error":"it is not signed: `X-Word` is missing"}
    unsigned and too large: 401 {"error":"it is not signed: `X-Word` is missing"}
    forged: 401 {"error":"its signature or token is not the one"}
    no JSON: 400 {"error":"the body is no JSON: EOF while parsing an object at line 1 column 1"}
    no object: 400 {"error":"the body is no object"}
    too deep: 400 {"error":"the body is nested deeper than 64 levels"}
    too large: 413 {"error":"the body is larger than 1000 bytes"}
    unwanted: 200 {"ignored":true}
    foreign: 400 {"error":"it is about `other.example`"}
    unreadable: 400 {"error":"`number` is missing"}
    unknown: 404 {"error":"no webhook here"}
    no name: 404 {"error":"no webhook here"}
    full: 503 {"error":"try again later"}
    "#);
    assert!(door.inbox.posted.lock().unwrap().is_empty());
    let numbers = metrics::start().render();
    for result in WEBHOOK_RESULTS {
        let line =
            format!("pointsman_webhooks_total{{connection=\"forge.main\",result=\"{result}\"}}");
        assert!(numbers.contains(&line), "{line} in:\n{numbers}");
    }
}

#[tokio::test]
async fn strangers_take_no_room_and_nobody_takes_that_of_another_door() {
    let door = Door::open().await;
    let mut held = Vec::new();
    while let Ok(body) = door.room.read(Body::from(vec![b'x'; 1_000])).await {
        held.push(body);
    }
    let told = [
        door.post(DOOR, &[WORD, PUSH], "{}").await,
        door.post(DOOR, &[PUSH], "{}").await,
        door.post("api/v1/messages", &[("authorization", "Bearer token")], "{}").await,
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    503 {"error":"too much is being sent at once, try again later"}
    401 {"error":"it is not signed: `X-Word` is missing"}
    400 {"error":"the body is no record: missing field `topic` at line 1 column 2"}
    "#);
}

const WEBHOOK_RESULTS: [&str; 10] = [
    "accepted",
    "repeat",
    "ignored",
    "ping",
    "unsigned",
    "forged",
    "malformed",
    "too_large",
    "slow",
    "full",
];

#[test]
fn a_flood_is_told_of_a_few_times_a_minute() {
    let quiet = Quiet::default();
    let at = |second| Timestamp::from_second(second).unwrap();
    let voices: Vec<Voice> = (0..50).map(|second| quiet.voice(at(second))).collect();
    let count = |voice| voices.iter().filter(|heard| **heard == voice).count();
    assert_eq!((count(Voice::Aloud), count(Voice::Last), count(Voice::Hushed)), (9, 1, 40));
    assert_eq!(quiet.voice(at(60)), Voice::Aloud);
}
