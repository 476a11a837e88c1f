//! What other systems post to us, from their own signatures to the build.

use base64::Engine;
use pointsman::clock::Clock;
use pointsman::remote::Remote;
use pointsman::sandbox::forgejo::{ForgejoStandIn, NewPullRequest};
use pointsman::sandbox::pagure::Announcement;
use pointsman::sandbox::pagure::webhook::Webhook;
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use crate::world::look::Look;
use crate::world::scenery::DOOR_TOKEN;
use crate::world::{PATIENCE, RULES, World, sha};

/// The secret of all doors is that of the API's.
const DOORS: &str = "[pagure.forge]\nwebhook_keys = { signalbox = 'file:door-token' }\n\
                     [jenkins.main]\nwebhook_secrets = ['file:door-token']\n";

fn door(world: &World, kind: &str, name: &str) -> Url {
    Url::parse(&format!("http://{}/hooks/{kind}/{name}", world.running.address)).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

async fn post(url: &Url, key: &str, announced: &Announcement) -> String {
    let webhook = Webhook::new(url, secret(key)).unwrap();
    let (status, answer) = webhook.send(announced).await.unwrap();
    format!("{status} {answer}")
}

#[tokio::test]
async fn what_a_pagure_posts_is_built_like_what_it_publishes() {
    let mut world = World::of(RULES).await.settings(DOORS).start().await;
    let url = door(&world, "pagure", "forge");
    let (id, announced) = world.scenery.open('a');
    for announcement in &announced {
        let answer = post(&url, DOOR_TOKEN, announcement).await;
        assert!(answer.starts_with("202 {\"id\":\"hook-"), "{answer}");
    }
    world.until("the build", |look| !look.runs.is_empty()).await;
    // The same on a bus is no news.
    world.tell(&announced).await;
    world.settle().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    assert_eq!(world.flags('a').lines().count(), 1, "{}", world.flags('a'));
    assert_eq!(id, 1);
    world.end().await;
}

#[tokio::test]
async fn a_pagure_speaks_of_itself_only_and_a_door_needs_a_key() {
    let world = World::of(RULES).await.settings(DOORS).start().await;
    let url = door(&world, "pagure", "forge");
    let (_, announced) = world.scenery.open('a');
    let own = world.scenery.pagure.url().replace("http://", "");
    let (topic, body) = &announced[0];
    let foreign = body.to_string().replace(&own, "other.example");
    let foreign = (topic.clone(), serde_json::from_str(&foreign).unwrap());
    let other = body.to_string().replace(r#""fullname":"signalbox""#, r#""fullname":"points""#);
    assert_ne!(other, body.to_string());
    let other = (topic.clone(), serde_json::from_str(&other).unwrap());
    let mut torn = body.clone();
    torn["pullrequest"].as_object_mut().unwrap().remove("id");
    let torn = (topic.clone(), torn);
    let gossip = (topic.replace("new", "tag.added"), body.clone());
    let answers = [
        post(&url, "guess", &announced[0]).await,
        post(&url, DOOR_TOKEN, &foreign).await,
        post(&url, DOOR_TOKEN, &other).await,
        post(&url, DOOR_TOKEN, &torn).await,
        post(&url, DOOR_TOKEN, &gossip).await,
        post(&door(&world, "pagure", "other"), DOOR_TOKEN, &announced[0]).await,
        post(&door(&world, "bus", "bus"), DOOR_TOKEN, &announced[0]).await,
    ];
    insta::assert_snapshot!(answers.join("\n"), @r#"
    401 {"error":"its signature or token is not the one"}
    400 {"error":"it is about `other.example`, which is no host of `pagure.forge`"}
    400 {"error":"it is about `points`, and signed with the key of `signalbox`"}
    400 {"error":"cannot read `number` = `body.pullrequest.id` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): undefined value: `body.pullrequest.id` is undefined"}
    200 {"ignored":true}
    404 {"error":"no webhook here"}
    404 {"error":"no webhook here"}
    "#);
    assert!(world.scenery.jenkins.asked().is_empty());
    world.end().await;
}

#[tokio::test]
async fn jenkins_posts_with_the_password_of_its_endpoint() {
    let mut world = World::of(RULES).await.settings(DOORS).start().await;
    let url = door(&world, "jenkins", "main");
    let remote = Remote::new(&url, PATIENCE, Clock::system()).unwrap();
    let jenkins = world.scenery.jenkins.url();
    let told = |root: &str| {
        let body = include_str!("../../topics/jenkins/examples/notification-finalized.json");
        body.replace("https://ci.example/", root)
    };
    let login = |password: &str| {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("x:{password}"));
        format!("Basic {login}")
    };
    let mut answers = Vec::new();
    for (root, password) in [
        (jenkins.as_str(), DOOR_TOKEN),
        (jenkins.as_str(), "guess"),
        ("https://ci.example/", DOOR_TOKEN),
    ] {
        let request = remote.request(Method::POST, url.clone()).body(told(root));
        let request = request.header("authorization", login(password));
        let answer = remote.send(request).await.unwrap();
        let words = String::from_utf8(answer.body).unwrap();
        answers.push(format!("{} {words}", answer.status.as_u16()));
    }
    assert!(answers.remove(0).starts_with("202 "), "{answers:?}");
    insta::assert_snapshot!(world.scenery.masked(&answers.join("\n")), @r#"
    401 {"error":"its signature or token is not the one"}
    400 {"error":"it is about `ci.example`, which is no host of `jenkins.main`"}
    "#);
    let look = world.until("the message", |look| look.messages.len() == 1).await;
    assert!(look.messages.values().all(|(state, _)| state == "read"), "{look:?}");
    world.end().await;
}

#[tokio::test]
async fn a_build_without_a_host_is_nobodys_where_there_are_two_executors() {
    let settings = format!(
        "{DOORS}[jenkins.other]\nurl = 'https://other.example/'\ntrigger_token = 'file:door-token'\n"
    );
    let world = World::of(RULES).await.settings(&settings).start().await;
    let url = door(&world, "jenkins", "main");
    let remote = Remote::new(&url, PATIENCE, Clock::system()).unwrap();
    let body = include_str!("../../topics/jenkins/examples/notification-finalized.json");
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["build"].as_object_mut().unwrap().remove("full_url");
    let request = remote.request(Method::POST, url.clone()).body(body.to_string());
    let request = request.header("authorization", format!("Bearer {DOOR_TOKEN}"));
    let answer = remote.send(request).await.unwrap();
    let words = String::from_utf8(answer.body).unwrap();
    insta::assert_snapshot!(words, @r#"{"error":"it does not tell on which host it happened"}"#);
    world.end().await;
}

#[tokio::test]
async fn a_pull_request_on_a_forgejo_is_built_and_flagged_there() {
    let forge = ForgejoStandIn::start(Clock::system()).await.unwrap();
    forge.add_project("rail/signalbox").unwrap();
    forge.add_token(DOOR_TOKEN, "pointsman");
    forge.set_permission("rail/signalbox", "pointsman", "write").unwrap();
    let host = forge.url().replace("http://", "");
    let rules = format!(
        r#"
        [[rule]]
        name = "unit"
        on = ["pull_request.opened", "pull_request.updated"]
        where = {{ project = "rail/signalbox", instance = "{host}" }}
        trust = "anyone"
        build = {{ on = "jenkins.main", job = "unit", parameters = {{ BRANCH = "{{{{ head.branch }}}}", HEAD = "{{{{ head.sha }}}}" }} }}
        report = [{{ to = "origin", as = "flag" }}]
        "#
    );
    let settings = format!(
        "[forgejo.main]\nurl = '{}'\ntoken = 'file:door-token'\nwebhook_secrets = ['file:door-token']\n",
        forge.url()
    );
    let mut world = World::of(&rules).await.settings(&settings).start().await;
    forge.set_webhook(&door(&world, "forgejo", "main"), secret(DOOR_TOKEN)).unwrap();
    let new = NewPullRequest {
        project: "rail/signalbox".to_owned(),
        author: "ada".to_owned(),
        title: "Lock the blades".to_owned(),
        branch: "lock".to_owned(),
        target: "main".to_owned(),
        head: sha('a'),
    };
    let number = forge.open(&new).await.unwrap();
    world.until("the build", |look| !look.runs.is_empty()).await;
    forge.push("rail/signalbox", number, &sha('b')).await.unwrap();
    let is_so = |look: &Look| look.runs.len() == 2 && look.runs.iter().any(|run| run.is_done);
    world.until("the second build, and the end of the first", is_so).await;
    world.settle().await;
    let statuses: Vec<String> = ['a', 'b']
        .into_iter()
        .flat_map(|head| forge.statuses("rail/signalbox", &sha(head)))
        .map(|status| format!("{} {}", status.context, status.state))
        .collect();
    insta::assert_snapshot!(statuses.join("\n"), @r"
    pointsman/unit error
    pointsman/unit pending
    ");
    let answers: Vec<Option<u16>> = forge.deliveries().iter().map(|told| told.status).collect();
    assert_eq!(answers, [Some(202), Some(202)], "{:?}", forge.deliveries());
    world.end().await;
}
