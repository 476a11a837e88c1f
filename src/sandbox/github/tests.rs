use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::*;
use crate::action::{Form, Report};
use crate::envelope::{Limits, open};
use crate::event::{Event, EventKind};
use crate::executors::Try;
use crate::hooks::github::GithubHook;
use crate::hooks::{Admitted, Hook, Refusal};
use crate::reporters::Reporter;
use crate::reporters::contract::{pull_request, report};
use crate::reporters::github::{Github, GithubSettings};
use crate::secret::SecretRef;
use crate::subject::ConnectionName;
use crate::topic::Example;
use crate::topic::catalog::Catalog;
use crate::topic::read::Selection;

const REPO: &str = "rail/signalbox";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Our door, as far as a webhook comes: what was let in, read by every topic.
struct Door {
    hook: GithubHook,
    selection: Selection,
    seen: Mutex<Vec<Event>>,
}

fn everything() -> Selection {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("topics");
    Catalog::load(&[folder]).unwrap().select(&EventKind::ALL.into_iter().collect())
}

async fn take(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let message = match door.hook.admit(&headers, &body) {
        Ok(Admitted::Message(message, _)) => message,
        Ok(Admitted::Ping) => return StatusCode::OK,
        Err(Refusal::Unsigned(_) | Refusal::Forged) => return StatusCode::UNAUTHORIZED,
        Err(Refusal::Malformed(_)) => return StatusCode::BAD_REQUEST,
    };
    let envelope = open(&message, &Limits::default()).unwrap();
    let reading = door.selection.read(&envelope, Example::RUN_PARAMETER).unwrap();
    assert!(reading.events.len() <= 1, "told by several topics: {:?}", reading.events);
    door.seen.lock().unwrap().extend(reading.events);
    StatusCode::ACCEPTED
}

/// A GitHub that posts to our door.
struct World {
    github: GithubStandIn,
    door: Arc<Door>,
    hook: Webhook,
    _server: Server,
}

impl World {
    async fn new() -> Self {
        let connection = ConnectionName::try_from("github.main".to_owned()).unwrap();
        let secret = SecretString::from("points".to_owned());
        let door = Arc::new(Door {
            hook: GithubHook::new(connection, vec![secret.clone()]),
            selection: everything(),
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(take).with_state(Arc::clone(&door));
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(anywhere, router).await.unwrap();
        let url = Url::parse(&format!("http://{}/hooks/github/main", server.address())).unwrap();
        let hook = Webhook { url, secret };
        let options = Options { hook: Some(hook.clone()), ..Options::default() };
        let github = GithubStandIn::start(options).await.unwrap();
        github.add_repo(REPO);
        github.set_permission(REPO, "grace", Role::Write).unwrap();
        Self { github, door, hook, _server: server }
    }

    async fn open(&self, author: &str) -> u64 {
        let new = NewPullRequest {
            repo: REPO.to_owned(),
            author: author.to_owned(),
            title: "Lock the blades".to_owned(),
            branch: "lock".to_owned(),
            target: "main".to_owned(),
            head: HEAD.to_owned(),
            draft: false,
        };
        let (number, sent) = self.github.open(&new).await.unwrap();
        taken(&sent);
        number
    }

    /// What has been told since this was last asked.
    fn seen(&self) -> Vec<Event> {
        std::mem::take(&mut *self.door.seen.lock().unwrap())
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.seen().iter().map(|event| event.kind().as_str()).collect()
    }
}

/// Each was sent, and let in.
fn taken(sent: &[Delivery]) {
    assert!(!sent.is_empty());
    for delivery in sent {
        assert_eq!(delivery.status, Some(202), "{delivery:?}");
    }
}

#[tokio::test]
async fn what_people_do_comes_in_by_the_door() {
    let world = World::new().await;
    let github = &world.github;
    let number = world.open("ada").await;
    taken(&github.push(REPO, number, &"b".repeat(40)).await.unwrap());
    taken(&github.draft(REPO, number, "ada").await.unwrap());
    taken(&github.ready(REPO, number, "ada").await.unwrap());
    let place = (REPO, number);
    let (id, sent) = github.comment(place, "grace", "/ci ok").await.unwrap();
    taken(&sent);
    taken(&github.edit_comment(REPO, (id, "grace"), "/ci test").await.unwrap());
    taken(&github.delete_comment(REPO, (id, "grace")).await.unwrap());
    taken(&github.review(place, "grace", "/ci test").await.unwrap());
    taken(&github.close(REPO, number, "ada").await.unwrap());
    taken(&github.reopen(REPO, number, "ada").await.unwrap());
    taken(&github.merge(REPO, number, "grace").await.unwrap());
    taken(&github.push_to(REPO, ("main", &"c".repeat(40)), "grace").await.unwrap());
    taken(&github.push_to(REPO, ("refs/tags/v1", &"c".repeat(40)), "grace").await.unwrap());
    taken(&github.set_status((REPO, HEAD), ("lint", "failure"), "grace").await.unwrap());
    taken(&github.set_status((REPO, HEAD), ("lint", "pending"), "grace").await.unwrap());
    taken(&github.finish_check((REPO, HEAD), ("unit", "success"), "other").await.unwrap());
    assert_eq!(
        world.kinds(),
        [
            "pull_request.opened",
            "pull_request.updated",
            "pull_request.drafted",
            "pull_request.ready",
            "comment.added",
            "comment.edited",
            "comment.added",
            "pull_request.closed",
            "pull_request.reopened",
            "pull_request.closed",
            "branch.pushed",
            "tag.pushed",
            "build.finished",
            "build.finished",
        ]
    );
}

#[tokio::test]
async fn people_are_told_by_their_numbers() {
    let world = World::new().await;
    let number = world.open("grace").await;
    world.github.comment((REPO, number), "ada", "Why?").await.unwrap();
    let seen = world.seen();
    let [Event::PullRequest(opened), Event::Comment(comment)] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    let id = |name: &str| Some(world.github.user_id(name).to_string());
    assert_eq!((opened.author.as_str(), &opened.author_id), ("grace", &id("grace")));
    // A collaborator may read only: nothing is guessed upwards.
    assert_eq!(opened.standing, None);
    assert_eq!(opened.head.url, Some(format!("{}/{REPO}.git", world.github.url())));
    assert_eq!(opened.instance, world.github.host());
    assert_eq!((comment.comment.author.as_str(), &comment.comment.author_id), ("ada", &id("ada")));
    assert_eq!(comment.comment.standing, None);
    assert_eq!(comment.on.subject(), opened.subject());
}

#[tokio::test]
async fn a_webhook_that_is_sent_again_is_the_same_happening() {
    let world = World::new().await;
    world.open("ada").await;
    assert_eq!(world.github.redeliver().await.unwrap().status, Some(202));
    let seen = world.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].identity(), seen[1].identity());
}

#[tokio::test]
async fn a_webhook_with_another_secret_is_turned_away() {
    let world = World::new().await;
    let number = world.open("ada").await;
    let secret = SecretString::from("other".to_owned());
    world.github.hook_to(Some(Webhook { secret, ..world.hook.clone() }));
    let (_, sent) = world.github.comment((REPO, number), "ada", "/ci ok").await.unwrap();
    assert_eq!(sent, [Delivery { event: "issue_comment", status: Some(401) }]);
    world.github.hook_to(None);
    let (_, sent) = world.github.comment((REPO, number), "ada", "/ci ok").await.unwrap();
    assert_eq!(sent, []);
}

/// A reporter with a login of its own.
fn reporter(world: &World, folder: &Path, is_app: bool) -> Github {
    let (secret, keys) = if is_app {
        let permissions = [("checks", "write"), ("pull_requests", "write")];
        let id = world.github.add_app("points", &permissions);
        world.github.install(REPO).unwrap();
        let keys = format!("app_id = {id}\nchecks = 'check_run'\nprivate_key");
        (GithubStandIn::APP_KEY, keys)
    } else {
        world.github.add_token("ghp_points", "pointsman", None);
        world.github.set_permission(REPO, "pointsman", Role::Write).unwrap();
        ("ghp_points", "token".to_owned())
    };
    let file = folder.join("secret");
    std::fs::write(&file, secret).unwrap();
    let text = format!("url = '{}'\n{keys} = 'file:{}'", world.github.url(), file.display());
    let settings: GithubSettings = toml_edit::de::from_str(&text).unwrap();
    assert!(settings.token.is_some() != is_app);
    assert!(!matches!(settings.token, Some(SecretRef::Env(_))));
    Github::new("main", world.github.host(), &settings, Clock::system()).unwrap()
}

#[tokio::test]
async fn our_own_states_are_told_to_us_and_are_no_builds() {
    for is_app in [false, true] {
        let world = World::new().await;
        let folder = tempfile::tempdir().unwrap();
        let reporter = reporter(&world, folder.path(), is_app);
        let number = world.open("ada").await;
        let subject = pull_request(&world.github.host(), REPO, number);
        world.seen();
        let flag = report(&subject, HEAD, Form::Flag);
        reporter.tell(&flag, Try::First).await.unwrap();
        assert_eq!(world.kinds(), <[&str; 0]>::default());
        let comment = Report { form: Form::Comment, ..flag };
        reporter.tell(&comment, Try::First).await.unwrap();
        let seen = world.seen();
        let [Event::Comment(told)] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!(told.comment.bot, is_app);
    }
}

#[test]
fn the_bindings_take_topics_with_a_prefix_and_without() {
    let selection = everything();
    let topics: BTreeSet<&str> = selection
        .topics()
        .filter(|topic| topic.name.starts_with("github/"))
        .map(|topic| topic.name.as_str())
        .collect();
    assert!(topics.len() >= 15, "{topics:?}");
    for event in ["pull_request", "issue_comment", "push", "check_run", "status"] {
        assert!(selection.wants(&format!("github.{event}")), "{event}");
        assert!(selection.wants(&format!("org.example.prod.github.{event}")), "{event}");
        assert!(!selection.wants(&format!("notgithub.{event}")), "{event}");
    }
}

#[test]
fn an_example_is_of_one_topic_at_most_and_its_headers_are_not_kept() {
    let selection = everything();
    let catalog = Catalog::load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("topics")]).unwrap();
    let mut count = 0;
    for topic in catalog.topics().filter(|topic| topic.name.starts_with("github/")) {
        for example in &topic.examples {
            let envelope = open(&example.message, &Limits::default()).unwrap();
            let reading = selection.read(&envelope, Example::RUN_PARAMETER).unwrap();
            assert!(reading.events.len() <= 1, "{}: {:?}", example.body_file, reading.events);
            assert_eq!(reading.redact, ["headers"], "{}", topic.name);
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}
