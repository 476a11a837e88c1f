use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;
use crate::clock::{Clock, Hand, from_millis};
use crate::envelope::Limits;
use crate::event::build::BuildEvent;
use crate::event::thread::Thread;
use crate::event::{Event, EventKind};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::queue::Settlement;
use crate::ledger::{Decide, Ledger};
use crate::message::Message;
use crate::remote::{Failure, Remote};
use crate::reporters::bus::Post;
use crate::rules::decide;
use crate::rules::fixture::{RULES, proposal, rules};
use crate::telemetry::metrics;
use crate::web::Worth;

/// A bus that nobody posts to.
struct Nowhere;

#[async_trait]
impl Post for Nowhere {
    async fn post(&self, _message: Message) -> Result<(), Failure> {
        Err(Failure::give_up(anyhow::anyhow!("nobody posts here")))
    }
}

struct Door {
    address: SocketAddr,
    ended: EndedDoor,
    run: RunId,
    ledger: Ledger,
    _folder: tempfile::TempDir,
    _tasks: JoinSet<std::io::Result<()>>,
}

impl Door {
    /// With one run in the ledger.
    async fn open(is_open: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), clock()).unwrap();
        let run = ordered(&ledger).await;
        let page_url = Url::parse("https://pointsman.example/").unwrap();
        let secret = SecretString::from("points-are-set-1".to_owned());
        let ended = EndedDoor::new(&page_url, secret).unwrap();
        let site = Site {
            bus: Arc::new(Nowhere),
            token: None,
            announcers: Arc::default(),
            prefix: String::new(),
            room: Room::new(1_000),
            hook_room: Room::new(1_000),
            hooks: Arc::new(BTreeMap::new()),
            weigh: Arc::new(|_, _, _| Worth::Unwanted),
            ended: is_open.then(|| Ended::new(ended.clone())),
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
        Self { address, ended, run, ledger, _folder: folder, _tasks: tasks }
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> (u16, String) {
        let base = Url::parse(&format!("http://{}/", self.address)).unwrap();
        let timeout = std::time::Duration::from_secs(30);
        let remote = Remote::new(&base, timeout, Clock::system()).unwrap();
        let url = base.join(path).unwrap();
        let answer = remote.send(remote.request(method, url).body(body)).await.unwrap();
        (answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
    }

    async fn says_so(&self, run: &RunId, body: String) -> (u16, String) {
        self.ask(Method::POST, &format!("runs/{}/ended", run.as_str()), body).await
    }

    /// Calls back as an executor does.
    async fn calls_back(&self, run: &RunId, token: &str, body: Vec<u8>) -> (u16, String) {
        let base = Url::parse(&format!("http://{}/", self.address)).unwrap();
        let timeout = std::time::Duration::from_secs(30);
        let remote = Remote::new(&base, timeout, Clock::system()).unwrap();
        let url = base.join(&format!("runs/{}/ended", run.as_str())).unwrap();
        let request = remote.request(Method::POST, url).header("Authorization", token);
        let answer = remote.send(request.body(body)).await.unwrap();
        (answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
    }

    /// When the build is asked after next.
    async fn due(&self) -> i64 {
        let builds = "builds.main".to_owned().try_into().unwrap();
        self.ledger.next_due(&builds).await.unwrap().unwrap()
    }

    fn body(&self, run: &RunId) -> String {
        format!("token={}", self.ended.token(run).expose_secret())
    }
}

/// When all of it happens, in milliseconds since 1970.
const NOW: i64 = 1_795_162_907_000;

fn clock() -> Clock {
    Clock::manual(Hand::at(from_millis(NOW)))
}

/// A run that a rule has ordered, and whose build waits.
async fn ordered(ledger: &Ledger) -> RunId {
    let rules = rules(RULES);
    let decide: Decide = Arc::new(move |event, known| decide(&rules, event, known));
    let opened = Event::PullRequest(proposal(EventKind::PullRequestOpened, 'a', 1));
    let message = Message { id: Some("m1".to_owned()), ..Message::default() };
    let intake = Intake {
        source: "test",
        id: message.identity(),
        digest: message.digest(),
        message,
        inbox: None,
        found: Found::Events(vec![opened], None),
    };
    let (stored, _) = ledger.put(vec![intake], Arc::clone(&decide)).await.unwrap();
    drop(stored);
    let builds = "builds.main".to_owned().try_into().unwrap();
    let claimed = ledger.claim(&builds, 1).await.unwrap().remove(0);
    let run = claimed.run.unwrap();
    let queued = Event::Build(BuildEvent {
        id: None,
        of: None,
        thread: Thread::default(),
        event: EventKind::BuildQueued,
        instance: None,
        connection: Some(builds),
        job: run.ticket.job,
        number: Some(7),
        url: None,
        verdict: None,
        run: Some(run.id.clone()),
        queued: None,
        reason: None,
    });
    ledger.settle(claimed.seq, Settlement::Done(vec![queued]), decide).await.unwrap().tell();
    run.id
}

#[tokio::test]
async fn a_build_says_as_often_as_it_likes_that_it_has_ended() {
    let door = Door::open(true).await;
    for _ in 0..3 {
        let body = format!("{}\n", door.body(&door.run));
        assert_eq!(door.says_so(&door.run, body).await, (202, "{}".to_owned()));
    }
}

#[tokio::test]
async fn who_has_not_its_token_learns_nothing_of_a_run() {
    let door = Door::open(true).await;
    let unknown = RunId::try_from("0".repeat(32)).unwrap();
    let (status, refused) = door.says_so(&door.run, "token=0".to_owned()).await;
    assert_eq!(status, 404);
    let others = [
        (&door.run, door.body(&unknown)),
        (&door.run, String::new()),
        (&door.run, "token=\u{e9}".to_owned()),
        // It is the right token, of a run that is forgotten.
        (&unknown, door.body(&unknown)),
        (&unknown, "token=0".to_owned()),
    ];
    for (run, body) in others {
        assert_eq!(door.says_so(run, body).await, (404, refused.clone()));
    }
    let odd = door.ask(Method::POST, "runs/..%2f/ended", "token=0".to_owned()).await;
    assert_eq!(odd, (404, refused));
    let (status, _) = door.says_so(&door.run, "t".repeat(BODY_MAX_BYTES + 1)).await;
    assert_eq!(status, 413);
    let (status, _) = door.ask(Method::GET, "runs/x/ended", String::new()).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn an_executor_that_calls_back_has_a_run_looked_at_whatever_it_says() {
    let door = Door::open(true).await;
    assert!(door.due().await > NOW + 5_000);
    let token = door.ended.token(&door.run);
    let token = token.expose_secret();
    let large = vec![b' '; CALLBACK_MAX_BYTES];
    for body in [br#"{"id": 4, "health": 2}"#.to_vec(), Vec::new(), b"\xff\0[".to_vec(), large] {
        let answer = door.calls_back(&door.run, token, body).await;
        assert_eq!(answer, (202, "{}".to_owned()));
    }
    assert_eq!(door.due().await, NOW + 5_000);
    let (status, _) = door.calls_back(&door.run, token, vec![b' '; CALLBACK_MAX_BYTES + 1]).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn who_calls_back_without_its_token_learns_nothing_of_a_run() {
    let door = Door::open(true).await;
    let due = door.due().await;
    let unknown = RunId::try_from("0".repeat(32)).unwrap();
    let (status, refused) = door.says_so(&door.run, "token=0".to_owned()).await;
    assert_eq!(status, 404);
    let right = door.ended.token(&door.run);
    let right = right.expose_secret();
    let other = door.ended.token(&unknown);
    let small = || b"{}".to_vec();
    // What a body says proves nothing beside a header.
    let in_body = door.body(&door.run).into_bytes();
    for (run, token, body) in [
        (&door.run, other.expose_secret(), small()),
        (&door.run, "0", vec![b' '; 100_000]),
        (&door.run, "0", in_body),
        (&unknown, other.expose_secret(), small()),
        // With a scheme it is not for us.
        (&door.run, &format!("Token {right}"), small()),
        (&door.run, &format!("Bearer {right}"), small()),
    ] {
        assert_eq!(door.calls_back(run, token, body).await, (404, refused.clone()));
    }
    assert_eq!(door.due().await, due);
    let closed = Door::open(false).await;
    let token = closed.ended.token(&closed.run);
    let answer = closed.calls_back(&closed.run, token.expose_secret(), small()).await;
    assert_eq!(answer, (404, refused));
    // Somebody before us may want a login, and the build's own job sends both.
    let both = door.calls_back(&door.run, "Basic Z29vZA==", door.body(&door.run).into()).await;
    assert_eq!(both.0, 202);
}

#[tokio::test]
async fn the_file_is_there_where_the_door_is() {
    let door = Door::open(true).await;
    let (status, file) = door.ask(Method::GET, "ci/report.yml", String::new()).await;
    assert_eq!((status, file.as_str()), (200, ended::FILE));
    let closed = Door::open(false).await;
    let (status, _) = closed.ask(Method::GET, "ci/report.yml", String::new()).await;
    assert_eq!(status, 404);
    let (status, _) = closed.says_so(&closed.run, closed.body(&closed.run)).await;
    assert_eq!(status, 404);
}
