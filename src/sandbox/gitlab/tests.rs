use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::{Value, json};

use super::*;
use crate::clock::{Hand, from_millis};
use crate::envelope::{self, Limits};
use crate::event::{Event, EventKind};
use crate::hooks::gitlab::GitLabHook;
use crate::hooks::{Admitted, Hook};
use crate::remote::{Answer, Remote};
use crate::subject::{CommitSha, ConnectionName};
use crate::topic::catalog::Catalog;

const PROJECT: &str = "rail/signalbox";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SECOND: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const TOKEN: &str = "glpat-signalbox";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn clock() -> Clock {
    Clock::manual(Hand::at(from_millis(1_795_162_907_582)))
}

fn proposal() -> NewMergeRequest {
    NewMergeRequest {
        project: PROJECT.to_owned(),
        fork: Some("ada/signalbox".to_owned()),
        author: "ada".to_owned(),
        title: "Lock the blades".to_owned(),
        source_branch: "blades".to_owned(),
        target: "main".to_owned(),
        head: HEAD.to_owned(),
    }
}

/// What takes the posts in, proves them, and reads them as the service does.
struct Door {
    server: Server,
    read: Arc<Mutex<Vec<String>>>,
}

struct Behind {
    hook: GitLabHook,
    read: Arc<Mutex<Vec<String>>>,
}

impl Door {
    async fn open(tokens: &[&str], keys: &[&str]) -> Self {
        let secret = |text: &&str| secrecy::SecretString::from((*text).to_owned());
        let tokens = tokens.iter().map(secret).collect();
        let keys: Vec<_> = keys.iter().map(secret).collect();
        let connection = ConnectionName::try_from("gitlab.main".to_owned()).unwrap();
        let hook = GitLabHook::new(connection, (tokens, &keys), clock()).unwrap();
        let read = Arc::new(Mutex::new(Vec::new()));
        let behind = Arc::new(Behind { hook, read: Arc::clone(&read) });
        let router = Router::new().fallback(take).with_state(behind);
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { server: Server::start(anywhere, router).await.unwrap(), read }
    }

    fn hook(&self, token: &str, signing_token: Option<&str>) -> WebHook {
        let url = format!("http://{}/hooks/gitlab/main", self.server.address());
        WebHook {
            url: Url::parse(&url).unwrap(),
            token: token.to_owned(),
            signing_token: signing_token.map(str::to_owned),
        }
    }

    fn read(&self) -> String {
        std::mem::take(&mut *self.read.lock().unwrap()).join("\n")
    }
}

async fn take(State(door): State<Arc<Behind>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(Admitted::Message(message, _)) = door.hook.admit(&headers, &body) else {
        return StatusCode::UNAUTHORIZED;
    };
    let catalog = Catalog::load(&[]).unwrap();
    let selection = catalog.select(&EventKind::ALL.into_iter().collect());
    let envelope = envelope::open(&message, &Limits::default()).unwrap();
    let events = selection.read(&envelope, "POINTSMAN_RUN").unwrap().events;
    let lines = events.iter().map(line);
    door.read.lock().unwrap().extend(lines);
    StatusCode::ACCEPTED
}

fn short(sha: &CommitSha) -> &str {
    sha.as_str().get(..4).unwrap()
}

/// Kind, subject, head, who, and what else changes.
fn line(event: &Event) -> String {
    let Some(on) = event.pull_request() else {
        let Event::Push(push) = event else { return event.kind().to_string() };
        let base = push.base.sha.as_ref().map_or("-", short);
        return format!("{} {} {base} by {}", push.event, push.target, push.author);
    };
    let head = on.head.sha.as_ref().map_or("-", short);
    let state = &on.pull_request;
    let mut line = format!(
        "{} {}!{} at {head} of {} ({}) by {} draft={} merged={}",
        on.event,
        on.project,
        on.number,
        on.author,
        on.author_id.as_deref().unwrap_or("-"),
        on.agent.as_deref().unwrap_or("-"),
        state.draft,
        state.merged,
    );
    if let Event::Comment(comment) = event {
        let said = &comment.comment;
        line = format!("{line} {:?} of {}", said.text, said.author);
    }
    line
}

async fn stand_in(hook: Option<WebHook>) -> GitLabStandIn {
    let gitlab = GitLabStandIn::start(Options { clock: clock(), hook }).await.unwrap();
    gitlab.add_project(PROJECT);
    gitlab.set_access(PROJECT, "pointsman", DEVELOPER).unwrap();
    gitlab.add_token(TOKEN, "pointsman");
    gitlab
}

async fn call(gitlab: &GitLabStandIn, method: Method, path: &str, body: Option<Value>) -> Answer {
    let base = Url::parse(&gitlab.url()).unwrap();
    let remote = Remote::new(&base, std::time::Duration::from_secs(30), clock()).unwrap();
    let url = base.join(&format!("api/v4/{path}")).unwrap();
    let request = remote.request(method, url).header("PRIVATE-TOKEN", TOKEN);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    remote.send(request).await.unwrap()
}

fn words(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    format!("{} {}", answer.status.as_u16(), body["message"].as_str().unwrap_or("-"))
}

#[tokio::test]
async fn what_people_do_is_posted_and_read() {
    let door = Door::open(&["points"], &[]).await;
    let gitlab = stand_in(Some(door.hook("points", None))).await;
    let (iid, hooked) = gitlab.open(&proposal()).await.unwrap();
    assert_eq!((iid, hooked.status), (1, Some(202)));
    let place = (PROJECT, iid);
    gitlab.push(place, "ada", SECOND).await.unwrap();
    gitlab.push(place, "grace", HEAD).await.unwrap();
    gitlab.draft(place, "ada").await.unwrap();
    gitlab.retitle(place, "ada", "Draft: Lock both blades").await.unwrap();
    gitlab.ready(place, "ada").await.unwrap();
    let (id, _) = gitlab.comment(place, "grace", "/ci test").await.unwrap();
    gitlab.edit_comment(place, "grace", (id, "/ci retest")).await.unwrap();
    gitlab.close(place, "ada").await.unwrap();
    gitlab.reopen(place, "grace").await.unwrap();
    gitlab.merge(place, "grace").await.unwrap();
    gitlab.push_branch((PROJECT, "main"), "grace", Some(HEAD)).await.unwrap();
    gitlab.push_branch((PROJECT, "main"), "grace", Some(SECOND)).await.unwrap();
    gitlab.push_branch((PROJECT, "main"), "grace", None).await.unwrap();
    gitlab.push_tag((PROJECT, "v2.0"), "grace", HEAD).await.unwrap();
    insta::assert_snapshot!(door.read(), @r#"
    pull_request.opened rail/signalbox!1 at aaaa of ada (43) by ada draft=false merged=false
    pull_request.updated rail/signalbox!1 at bbbb of ada (43) by ada draft=false merged=false
    pull_request.updated rail/signalbox!1 at aaaa of id:43 (43) by grace draft=false merged=false
    pull_request.drafted rail/signalbox!1 at aaaa of ada (43) by ada draft=true merged=false
    pull_request.ready rail/signalbox!1 at aaaa of ada (43) by ada draft=false merged=false
    comment.added rail/signalbox!1 at aaaa of id:43 (43) by grace draft=false merged=false "/ci test" of grace
    comment.edited rail/signalbox!1 at aaaa of id:43 (43) by grace draft=false merged=false "/ci retest" of grace
    pull_request.closed rail/signalbox!1 at aaaa of ada (43) by ada draft=false merged=false
    pull_request.reopened rail/signalbox!1 at aaaa of id:43 (43) by grace draft=false merged=false
    pull_request.closed rail/signalbox!1 at aaaa of id:43 (43) by grace draft=false merged=true
    branch.pushed main - by grace
    branch.pushed main aaaa by grace
    tag.pushed v2.0 - by grace
    "#);
}

#[tokio::test]
async fn posts_are_signed_where_a_key_is_set() {
    let door = Door::open(&[], &[KEY]).await;
    let gitlab = stand_in(Some(door.hook("points", Some(KEY)))).await;
    let (_, hooked) = gitlab.open(&proposal()).await.unwrap();
    assert_eq!(hooked.status, Some(202));
    assert_eq!(gitlab.resend(&hooked).await.unwrap().status, Some(202));
    gitlab.set_hook(Some(door.hook("points", None)));
    assert_eq!(gitlab.resend(&hooked).await.unwrap().status, Some(401));
    gitlab.set_hook(None);
    assert_eq!(gitlab.resend(&hooked).await.unwrap().status, None);
}

#[tokio::test]
async fn what_the_api_does_is_posted_when_asked_for() {
    let door = Door::open(&["points"], &[]).await;
    let gitlab = stand_in(Some(door.hook("points", None))).await;
    gitlab.open(&proposal()).await.unwrap();
    door.read();
    let notes = "projects/rail%2Fsignalbox/merge_requests/1/notes";
    let made = call(&gitlab, Method::POST, notes, Some(json!({ "body": "tests: success" }))).await;
    assert_eq!(made.status.as_u16(), 201);
    assert_eq!(door.read(), "");
    assert_eq!(gitlab.echo().await.unwrap().len(), 1);
    insta::assert_snapshot!(door.read(), @r#"
    comment.added rail/signalbox!1 at aaaa of id:43 (43) by pointsman draft=false merged=false "tests: success" of pointsman
    "#);
    assert!(gitlab.echo().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_status_goes_where_gitlab_lets_it_go() {
    let gitlab = stand_in(None).await;
    gitlab.open(&NewMergeRequest { fork: None, ..proposal() }).await.unwrap();
    let path = format!("projects/rail%2Fsignalbox/statuses/{HEAD}");
    let mut seen = Vec::new();
    for state in ["pending", "pending", "running", "pending", "running", "failed", "pending"] {
        let body = json!({ "state": state, "name": "tests" });
        let answer = call(&gitlab, Method::POST, &path, Some(body)).await;
        seen.push(format!("{state}: {}", words(&answer)));
    }
    insta::assert_snapshot!(seen.join("\n"), @r#"
    pending: 201 -
    pending: 400 Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")
    running: 201 -
    pending: 400 Cannot transition status via :enqueue from :running (Reason(s): Status cannot transition via "enqueue")
    running: 400 Cannot transition status via :run from :running (Reason(s): Status cannot transition via "run")
    failed: 201 -
    pending: 201 -
    "#);
    let states: Vec<_> = gitlab.statuses(PROJECT, HEAD).into_iter().map(|s| s.state).collect();
    assert_eq!(states, ["pending"]);
}

#[tokio::test]
async fn gitlab_says_no_in_its_own_words() {
    let gitlab = stand_in(None).await;
    gitlab.open(&proposal()).await.unwrap();
    let mut seen = Vec::new();
    let mut say = async |method: Method, path: &str, body: Value| {
        let body = (method != Method::GET).then_some(body);
        seen.push(words(&call(&gitlab, method, path, body).await));
    };
    let status = json!({ "state": "pending", "name": "tests" });
    let of = |sha: &str| format!("projects/rail%2Fsignalbox/statuses/{sha}");
    // The commit is there, but on no branch of the project.
    say(Method::POST, &of(HEAD), status.clone()).await;
    say(Method::POST, &of(SECOND), status.clone()).await;
    let long = json!({ "state": "pending", "name": "x".repeat(256) });
    say(Method::POST, &of(HEAD), long).await;
    let fork = format!("projects/ada%2Fsignalbox/statuses/{HEAD}");
    say(Method::POST, &fork, status).await;
    say(Method::GET, "projects/rail%2Fpoints", Value::Null).await;
    say(Method::GET, "projects/rail%2Fsignalbox/merge_requests/2", Value::Null).await;
    say(Method::GET, "projects/rail%2Fsignalbox/members/all/99", Value::Null).await;
    gitlab.set_blocked("pointsman", true);
    say(Method::GET, "user", Value::Null).await;
    insta::assert_snapshot!(seen.join("\n"), @r#"
    404 404 References for commit Not Found
    404 404 Commit Not Found
    400 {:name=>["is too long (maximum is 255 characters)"]}
    403 403 Forbidden
    404 404 Project Not Found
    404 404 Not found
    404 404 Not found
    401 401 Unauthorized
    "#);
}

#[tokio::test]
async fn only_the_writer_changes_a_comment() {
    let gitlab = stand_in(None).await;
    gitlab.open(&proposal()).await.unwrap();
    let (theirs, _) = gitlab.comment((PROJECT, 1), "ada", "hello").await.unwrap();
    let note = format!("projects/rail%2Fsignalbox/merge_requests/1/notes/{theirs}");
    for (method, body) in [(Method::PUT, Some(json!({ "body": "x" }))), (Method::DELETE, None)] {
        assert_eq!(call(&gitlab, method, &note, body).await.status.as_u16(), 403);
    }
    assert_eq!(gitlab.notes(PROJECT, 1)[0].text, "hello");
}
