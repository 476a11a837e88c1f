use std::sync::Mutex;

use axum::Router;
use axum::extract::State as Shelf;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::Value;

use super::*;
use crate::clock::{Hand, from_millis};
use crate::hooks::forgejo::ForgejoHook;
use crate::hooks::{Admitted, Hook};
use crate::message::Message;
use crate::subject::ConnectionName;

const PROJECT: &str = "rail/signalbox";
const FIRST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SECOND: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// What came to the webhook, and was signed.
type Heard = Arc<Mutex<Vec<Message>>>;

async fn hear(Shelf(heard): Shelf<Heard>, headers: HeaderMap, body: axum::body::Bytes) -> String {
    let connection = ConnectionName::try_from("forgejo.main".to_owned()).unwrap();
    let hook = ForgejoHook::new(connection, vec![secret()]);
    match hook.admit(&headers, &body) {
        Ok(Admitted::Message(message, _)) => {
            heard.lock().unwrap().push(message);
            "thanks".to_owned()
        }
        other => format!("{other:?}"),
    }
}

fn secret() -> SecretString {
    SecretString::from("points".to_owned())
}

fn proposal(title: &str) -> NewPullRequest {
    NewPullRequest {
        project: PROJECT.to_owned(),
        author: "ada".to_owned(),
        title: title.to_owned(),
        branch: "lock".to_owned(),
        target: "main".to_owned(),
        head: FIRST.to_owned(),
    }
}

/// Topic, action, sender, and what else tells the messages apart.
fn outline(message: &Message) -> String {
    let envelope: Value = serde_json::from_slice(&message.body).unwrap();
    let body = &envelope["body"];
    let request = &body["pull_request"];
    let text = |value: &Value| value.as_str().unwrap_or("-").chars().take(24).collect::<String>();
    format!(
        "{} {} by {}: {} {} at {}, draft={} merged={} {} was {}",
        message.topic,
        text(&body["action"]),
        text(&body["sender"]["login"]),
        text(&request["state"]),
        text(&request["title"]),
        text(&request["head"]["sha"]).chars().take(4).collect::<String>(),
        request["draft"],
        request["merged"],
        text(&body["comment"]["body"]),
        body["changes"],
    )
}

#[tokio::test]
async fn the_life_of_a_pull_request_is_posted_and_signed() {
    let heard = Heard::default();
    let router = Router::new().route("/hook", post(hear)).with_state(Arc::clone(&heard));
    let listener = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(listener, router).await.unwrap();
    let clock = Clock::manual(Hand::at(from_millis(1_795_162_907_000)));
    let forge = ForgejoStandIn::start(clock).await.unwrap();
    forge.add_project(PROJECT).unwrap();
    // Of what happens without a webhook nobody hears.
    forge.open(&proposal("Unheard")).await.unwrap();
    let url = Url::parse(&format!("http://{}/hook", server.address())).unwrap();
    forge.set_webhook(&url, secret()).unwrap();

    let number = forge.open(&proposal("Lock the blades")).await.unwrap();
    assert_eq!(number, 2);
    forge.push(PROJECT, number, SECOND).await.unwrap();
    let comment = forge.comment(PROJECT, number, "grace", "/ci test").await.unwrap();
    forge.edit_comment(PROJECT, comment, "mary", "/ci ok").await.unwrap();
    forge.draft(PROJECT, number).await.unwrap();
    forge.ready(PROJECT, number).await.unwrap();
    forge.close(PROJECT, number, "grace").await.unwrap();
    forge.reopen(PROJECT, number, "ada").await.unwrap();
    forge.merge(PROJECT, number, "grace").await.unwrap();
    forge.push_to(PROJECT, ("main", "grace"), (Some(FIRST), SECOND)).await.unwrap();
    forge.push_to(PROJECT, ("refs/tags/v1", "grace"), (None, SECOND)).await.unwrap();

    let lines: Vec<String> = heard.lock().unwrap().iter().map(outline).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    forgejo.pull_request opened by ada: open Lock the blades at aaaa, draft=false merged=false - was null
    forgejo.pull_request synchronized by ada: open Lock the blades at bbbb, draft=false merged=false - was null
    forgejo.issue_comment created by grace: open Lock the blades at bbbb, draft=false merged=false /ci test was null
    forgejo.issue_comment edited by mary: open Lock the blades at bbbb, draft=false merged=false /ci ok was {"body":{"from":"/ci test"}}
    forgejo.pull_request edited by ada: open WIP: Lock the blades at bbbb, draft=true merged=false - was {"title":{"from":"Lock the blades"}}
    forgejo.pull_request edited by ada: open Lock the blades at bbbb, draft=false merged=false - was {"title":{"from":"WIP: Lock the blades"}}
    forgejo.pull_request closed by grace: closed Lock the blades at bbbb, draft=false merged=false - was null
    forgejo.pull_request reopened by ada: open Lock the blades at bbbb, draft=false merged=false - was null
    forgejo.pull_request closed by grace: closed Lock the blades at bbbb, draft=false merged=true - was null
    forgejo.push - by grace: - - at -, draft=null merged=null - was null
    forgejo.push - by grace: - - at -, draft=null merged=null - was null
    "#);
    let thanks =
        |delivery: &Delivery| (delivery.status, delivery.answer.as_str()) == (Some(200), "thanks");
    assert!(forge.deliveries().iter().all(thanks), "{:?}", forge.deliveries());
}

#[tokio::test]
async fn it_stops_and_comes_back_with_its_memory() {
    let forge = ForgejoStandIn::start(Clock::system()).await.unwrap();
    forge.add_project(PROJECT).unwrap();
    forge.open(&proposal("Lock the blades")).await.unwrap();
    forge.comment(PROJECT, 1, "grace", "Well done.").await.unwrap();
    forge.stop().await;
    forge.restart().await.unwrap();
    assert_eq!(forge.comments(PROJECT, 1).len(), 1);
    // A webhook that is away is none of its worries.
    let away = Url::parse("http://127.0.0.1:9/hook").unwrap();
    forge.set_webhook(&away, secret()).unwrap();
    forge.close(PROJECT, 1, "grace").await.unwrap();
    assert_eq!(forge.deliveries().pop().unwrap().status, None);
}
