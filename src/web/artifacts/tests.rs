use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reqwest::Method;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;
use crate::clock::{Clock, Hand};
use crate::envelope::Limits;
use crate::event::artifact::ArtifactEvent;
use crate::event::{Event, EventKind};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::{Decide, Ledger};
use crate::producer::{Producer, ProducerSettings};
use crate::remote::Remote;
use crate::reporters::bus::Post;
use crate::topic::Example;
use crate::topic::catalog::Catalog;
use crate::web::Worth;
use crate::web::body::Room;

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
    room: Room,
    _folder: tempfile::TempDir,
    _tasks: JoinSet<std::io::Result<()>>,
}

const IMAGES: &str = "Bearer images-token";
const PACKAGES: &str = "bearer packages-token";

fn announcers() -> Announcers {
    let mut announcers = Announcers::default();
    for (name, pattern) in [("images", "nano-*"), ("packages", "*.rpm")] {
        let artifacts = vec![pattern.to_owned()];
        let settings = ProducerSettings { artifacts, hosts: Vec::new(), token: None };
        let producer = Producer::new(&settings).unwrap();
        let token = format!("{name}-token").into();
        announcers.insert(name.to_owned(), producer, token).unwrap();
    }
    announcers
}

impl Door {
    async fn open(announcers: Announcers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Hand::at("2026-11-20T08:24:32Z".parse().unwrap()));
        let ledger = Ledger::open(&folder.path().join("ledger.db"), clock).unwrap();
        let inbox = Arc::new(Letterbox::default());
        let bus: Arc<dyn Post> = Arc::<Letterbox>::clone(&inbox);
        let room = Room::new(1_000);
        let site = Site {
            bus,
            token: None,
            announcers: Arc::new(announcers),
            prefix: "org.example.dev".to_owned(),
            room: room.clone(),
            hook_room: Room::new(1_000),
            hooks: Arc::new(BTreeMap::new()),
            weigh: Arc::new(|_, _, _| Worth::Unwanted),
            ended: None,
            quiet: Arc::default(),
            limits: Limits { body_bytes: 900, ..Limits::default() },
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

    /// Posts `body`; status, challenge and answer.
    async fn post(&self, token: Option<&str>, body: impl Into<String>) -> String {
        let base = Url::parse(&format!("http://{}/", self.address)).unwrap();
        let timeout = std::time::Duration::from_secs(30);
        let remote = Remote::new(&base, timeout, Clock::system()).unwrap();
        let url = base.join("api/v1/artifacts").unwrap();
        let mut request = remote.request(Method::POST, url).body(body.into());
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let answer = remote.send(request).await.unwrap();
        format!("{} {}", answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
    }

    fn posted(&self) -> Vec<Message> {
        std::mem::take(&mut self.inbox.posted.lock().unwrap())
    }

    async fn store(&self, message: Message, found: Found) {
        let (id, digest) = (message.identity(), message.digest());
        let intake = Intake { source: "the door", id, digest, message, inbox: None, found };
        let decide: Decide = Arc::new(|_, _| crate::decision::Decision::default());
        let (_stored, _) = self.ledger.put(vec![intake], decide).await.unwrap();
    }
}

fn event_of(message: &Message, instance: &str) -> ArtifactEvent {
    let envelope = envelope::open(message, &Limits::default()).unwrap();
    let read: Announcement = serde_json::from_value(envelope.body).unwrap();
    assert_eq!(read.producer.as_deref(), Some(instance));
    read.into_event(instance.to_owned()).unwrap()
}

const NANO: &str = r#"{"name": "nano-minimal", "build": "3", "boards": ["qemu-arm64"],
    "files": [{"name": "rootfs", "url": "https://images.example/3/rootfs.xz"}]}"#;
/// The same, written by somebody else.
const NANO_AGAIN: &str = r#"{"files": [{"url": "https:\/\/images.example\/3\/rootfs.xz",
    "name": "rootfs"}], "boards": ["qemu-arm64"], "build": "3", "name": "nano-minimal",
    "producer": "images"}"#;

#[tokio::test]
async fn what_is_announced_goes_on_as_a_message_of_ours() {
    let door = Door::open(announcers()).await;
    let answer = door.post(Some(IMAGES), NANO).await;
    let message = door.posted().remove(0);
    let id = message.identity();
    assert_eq!(
        answer,
        format!(r#"202 {{"build":"3","id":"{id}","subject":"images/artifacts/nano-minimal"}}"#)
    );
    assert_eq!(message.topic, "org.example.dev.pointsman.artifact.published");
    assert_eq!(message.headers["sent-at"], "2026-11-20T08:24:32+00:00");
    let event = event_of(&message, "images");
    assert_eq!(event.artifact.name, "nano-minimal");
    assert_eq!(event.artifact.boards, ["qemu-arm64"]);
    assert_eq!(event.artifact.files[0].url, "https://images.example/3/rootfs.xz");
}

#[tokio::test]
async fn what_no_rule_wanted_when_it_was_stored_goes_on_once_more() {
    let door = Door::open(announcers()).await;
    door.post(Some(IMAGES), NANO).await;
    let message = door.posted().remove(0);
    let id = message.identity();
    door.store(message, Found::Ignored("nobody wants it".to_owned(), None)).await;
    assert!(door.post(Some(IMAGES), NANO).await.starts_with("202 "));
    assert_ne!(door.posted().remove(0).identity(), id);
}

#[tokio::test]
async fn what_is_stored_already_is_known_however_it_is_written() {
    let door = Door::open(announcers()).await;
    door.post(Some(IMAGES), NANO).await;
    let message = door.posted().remove(0);
    let id = message.identity();
    let event = Event::Artifact(Box::new(event_of(&message, "images")));
    door.store(message, Found::Events(vec![event], None)).await;
    for body in [NANO, NANO_AGAIN] {
        let answer = door.post(Some(IMAGES), body).await;
        assert!(answer.starts_with("200 "), "{answer}");
        assert!(answer.contains(r#""repeat":true"#) && answer.contains(id.as_str()), "{answer}");
    }
    assert!(door.posted().is_empty());
    let changed = NANO.replace("rootfs.xz", "rootfs.zst");
    assert!(door.post(Some(IMAGES), changed).await.starts_with("202 "));
}

#[tokio::test]
async fn two_who_announce_the_same_are_two() {
    let mut both = announcers();
    let settings =
        ProducerSettings { artifacts: vec!["*".to_owned()], hosts: Vec::new(), token: None };
    let mirror = Producer::new(&settings).unwrap();
    both.insert("mirror".to_owned(), mirror, "mirror-token".into()).unwrap();
    let door = Door::open(both).await;
    door.post(Some(IMAGES), NANO).await;
    door.post(Some("Bearer mirror-token"), NANO).await;
    let posted = door.posted();
    assert_ne!(posted[0].identity(), posted[1].identity());
    assert_eq!(event_of(&posted[1], "mirror").instance, "mirror");
}

#[tokio::test]
async fn everything_else_is_refused_and_says_why() {
    let door = Door::open(announcers()).await;
    let large = NANO.replace("nano-minimal", &"x".repeat(1_000));
    let beyond = NANO.replace(
        "\"build\"",
        &format!("\"metadata\": {{\"a\": {:?}}}, \"build\"", "y".repeat(750)),
    );
    let mut told = Vec::new();
    for (what, token, body) in [
        ("nobody", None, NANO),
        ("nobody, and too large", None, &large),
        ("a stranger", Some("Bearer images-toke"), NANO),
        ("another scheme", Some("Basic images-token"), NANO),
        ("no JSON", Some(IMAGES), "{"),
        ("a misspelt key", Some(IMAGES), r#"{"name": "nano-x", "biuld": "3"}"#),
        ("an unusable value", Some(IMAGES), r#"{"name": "nano-x", "build": "3", "url": "x"}"#),
        ("too large", Some(IMAGES), &large),
        ("too large for the service", Some(IMAGES), &beyond),
        ("of another", Some(PACKAGES), NANO),
        ("for another", Some(PACKAGES), NANO_AGAIN),
    ] {
        told.push(format!("{what}: {}", door.post(token, body).await));
    }
    door.inbox.is_full.store(true, Ordering::SeqCst);
    told.push(format!("full: {}", door.post(Some(IMAGES), NANO).await));
    insta::assert_snapshot!(told.join("\n"), @r#"
    nobody: 401 {"error":"a bearer token is needed"}
    nobody, and too large: 401 {"error":"a bearer token is needed"}
    a stranger: 401 {"error":"this token is no producer's"}
    another scheme: 401 {"error":"a bearer token is needed"}
    no JSON: 400 {"error":"the body is no JSON: EOF while parsing an object at line 1 column 1"}
    a misspelt key: 400 {"error":"`biuld`: unknown field `biuld`, expected one of `producer`, `name`, `kind`, `version`, `build`, `url`, `files`, `boards`, `tags`, `change`, `metadata`, `at`"}
    an unusable value: 400 {"error":"`url`: one of the addresses is none of http, https, ftp or tftp, or too long"}
    too large: 413 {"error":"the body is larger than 1000 bytes"}
    too large for the service: 400 {"error":"the body has 947 bytes, the limit is 900"}
    of another: 403 {"error":"`producer.packages` may not announce `nano-minimal`"}
    for another: 403 {"error":"`producer`: the token is of `producer.packages`, and of no other"}
    full: 503 {"error":"try again later"}
    "#);
    assert!(door.posted().is_empty());
    let numbers = metrics::start().render();
    for (producer, result) in [
        ("images", "malformed"),
        ("images", "too_large"),
        ("images", "full"),
        ("packages", "forbidden"),
        ("packages", "repeat"),
    ] {
        let line =
            format!("pointsman_announcements_total{{producer=\"{producer}\",result=\"{result}\"}}");
        assert!(numbers.contains(&line), "{line} in:\n{numbers}");
    }
}

#[tokio::test]
async fn strangers_take_no_room() {
    let door = Door::open(announcers()).await;
    let mut held = Vec::new();
    while let Ok(body) = door.room.read(Body::from(vec![b'x'; 1_000])).await {
        held.push(body);
    }
    let told = [door.post(Some("Bearer x"), NANO).await, door.post(Some(IMAGES), NANO).await];
    insta::assert_snapshot!(told.join("\n"), @r#"
    401 {"error":"this token is no producer's"}
    503 {"error":"too much is being sent at once, try again later"}
    "#);
}

#[tokio::test]
async fn without_a_token_there_is_no_door() {
    let door = Door::open(Announcers::default()).await;
    let told = [door.post(None, NANO).await, door.post(Some("Bearer "), NANO).await];
    insta::assert_snapshot!(told.join("\n"), @r#"
    403 {"error":"this door is closed: no `producer.NAME.token` is set"}
    403 {"error":"this door is closed: no `producer.NAME.token` is set"}
    "#);
}

/// What the topic reads of the message that an announcement becomes.
async fn by_topic(body: &str) -> Option<(Event, Event)> {
    let door = Door::open(announcers()).await;
    let answer = door.post(Some(IMAGES), body).await;
    let message = door.posted().pop()?;
    assert!(answer.starts_with("202 "), "{answer}");
    let said = event_of(&message, "images");
    let envelope = envelope::open(&message, &Limits::default()).unwrap();
    let topics =
        Catalog::load(&[]).unwrap().select(&BTreeSet::from([EventKind::ArtifactPublished]));
    let read = topics.read(&envelope, Example::RUN_PARAMETER).unwrap().events.remove(0);
    Some((Event::Artifact(Box::new(said)), read))
}

#[tokio::test]
async fn the_topic_reads_what_the_door_has_read() {
    let whole = r#"{"name": "nano-x", "kind": "image", "version": "14.2", "build": 3,
        "url": "https://images.example/3/", "boards": ["qemu-arm64"], "tags": ["usb"],
        "files": [{"name": "rootfs", "url": "https://images.example/3/rootfs", "size": 7}],
        "change": {"instance": "forge.example", "project": "rail/nano", "number": 7,
            "sha": "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00", "url": ""},
        "metadata": {"channel": "nightly", "parts": 3, "signed": true, "none": null},
        "at": "2026-11-20T09:24:32+01:00"}"#;
    let nothing = r#"{"name": "nano-x", "build": "3", "kind": "", "files": null, "change": null}"#;
    for body in [NANO, NANO_AGAIN, whole, nothing] {
        let (said, read) = by_topic(body).await.unwrap();
        assert_eq!(said, read);
    }
}
