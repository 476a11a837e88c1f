//! Every door: who is not let in, what comes twice, and how both are counted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use pointsman::hooks::signature::sign;
use pointsman::sandbox::jenkins::JenkinsStandIn;
use secrecy::SecretString;
use serde_json::Value;
use sha2::Sha256;

use super::postbox::{Post, Postbox};
use super::stage::{HEAD, New, SECRET, Stage, Story, door, rule};
use super::{forgejo, github, gitlab, pagure};
use crate::door::Caller;
use crate::world::look::Look;
use crate::world::{RULES, Setup, World};

/// The name of every connection here, under which nobody else counts.
const NAME: &str = "doors";

/// What posts are larger than.
const BODY_MAX: usize = 32_000;

/// A door, and what comes to it.
struct Door {
    kind: &'static str,
    /// The headers that prove a post.
    proofs: &'static [&'static str],
    good: Post,
    /// Posts whose proof is not the one.
    forged: Vec<Post>,
    /// The same once more, as another delivery.
    again: Post,
    /// What becomes of that.
    again_is: &'static str,
    /// How many builds come of all of it.
    builds: usize,
}

/// What a forge posts of a pull request that is opened.
async fn posted(stage: &dyn Stage) -> Post {
    let postbox = Postbox::open().await;
    stage.trust("ada");
    stage.hook_to(&postbox.url).await;
    stage.open(&New::by("ada", 'a')).await;
    let posts = postbox.take();
    let [post] = posts.as_slice() else { panic!("{posts:?}") };
    post.clone()
}

/// The same post with another letter in its body, and its title another one.
fn tampered(post: &Post) -> Post {
    assert!(post.body.contains("Lock the blades"), "{post:?}");
    Post { body: post.body.replace("Lock the blades", "Lock the bladez"), ..post.clone() }
}

/// The same post with a proof by somebody who guesses.
fn guessed(post: &Post, proofs: &[&str], prefix: &str) -> Post {
    let secret = SecretString::from("a-guess-0123456789".to_owned());
    let signature = sign(&secret, post.body.as_bytes());
    proofs.iter().fold(post.clone(), |post, name| {
        let prefix = if name.starts_with("x-hub") { "sha256=" } else { prefix };
        post.with(name, &format!("{prefix}{signature}"))
    })
}

async fn github_door(stage: &dyn Stage) -> Door {
    let (good, proofs) = (posted(stage).await, &["x-hub-signature-256"]);
    Door {
        kind: "github",
        proofs,
        forged: vec![tampered(&good), guessed(&good, proofs, "")],
        again: good.with("x-github-delivery", "another"),
        again_is: "repeat",
        builds: 1,
        good,
    }
}

async fn forgejo_door(stage: &dyn Stage) -> Door {
    let good = posted(stage).await;
    let proofs = &["x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"];
    let again = good.with("x-forgejo-delivery", "another").with("x-gitea-delivery", "another");
    let forged = vec![tampered(&good), guessed(&good, proofs, "")];
    Door { kind: "forgejo", proofs, forged, again, again_is: "repeat", builds: 1, good }
}

async fn gitlab_door(stage: &dyn Stage) -> Door {
    let (good, proofs) = (posted(stage).await, &["x-gitlab-token"]);
    let again = good.with("idempotency-key", "another").with("x-gitlab-event-uuid", "another");
    let forged = vec![good.with("x-gitlab-token", "a-guess-0123456789")];
    Door { kind: "gitlab", proofs, forged, again, again_is: "repeat", builds: 1, good }
}

async fn signed_gitlab_door(stage: &dyn Stage) -> Door {
    let (good, proofs) = (posted(stage).await, &["webhook-signature"]);
    let resigned = |id: &str, key: &[u8]| {
        let signed = format!("{id}.{}.{}", good.says("webhook-timestamp").unwrap(), good.body);
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(signed.as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        good.with("webhook-id", id).with("webhook-signature", &signature)
    };
    Door {
        kind: "gitlab",
        proofs,
        forged: vec![
            tampered(&good),
            resigned("another", b"a-guess-0123456789"),
            // The id of the delivery is signed too; and a token does not mend a signature.
            good.with("webhook-id", "another"),
            good.with("webhook-id", "another").with("x-gitlab-token", SECRET),
        ],
        again: resigned("another", gitlab::SIGNING_KEY),
        again_is: "repeat",
        builds: 1,
        good,
    }
}

async fn pagure_door(stage: &dyn Stage) -> Door {
    let (good, proofs) = (posted(stage).await, &["x-pagure-signature-256"]);
    // The id is in the body, and signed: another message, which tells what is known.
    let mut body: Value = serde_json::from_str(&good.body).unwrap();
    body["msg_id"] = "2026-another".into();
    let body = body.to_string();
    let signature = sign(&SecretString::from(SECRET.to_owned()), body.as_bytes());
    let again = Post { body, ..good.with("x-pagure-signature-256", &signature) };
    let forged = vec![tampered(&good), guessed(&good, proofs, "")];
    Door { kind: "pagure", proofs, forged, again, again_is: "accepted", builds: 1, good }
}

fn jenkins_door(jenkins: &JenkinsStandIn) -> Door {
    let body = include_str!("../../../topics/jenkins/examples/notification-finalized.json");
    let body = body.replace("https://ci.example/", jenkins.url().as_str());
    let login = |password: &str| format!("Basic {}", STANDARD.encode(format!("x:{password}")));
    let good = Post::of(&[("authorization", login(SECRET))], body);
    Door {
        kind: "jenkins",
        proofs: &["authorization"],
        forged: vec![
            good.with("authorization", &login("a-guess-0123456789")),
            good.with("authorization", &login("")),
            good.with("authorization", "Bearer a-guess-0123456789"),
        ],
        again: good.with("x-request-id", "another"),
        again_is: "repeat",
        builds: 0,
        good,
    }
}

/// A world in which the forge goes by a name of its own.
async fn world(stage: &dyn Stage) -> Setup {
    let (kind, name) = stage.connection();
    let settings = stage.settings();
    let renamed = settings.replace(&format!("[{kind}.{name}]"), &format!("[{kind}.{NAME}]"));
    assert_ne!(renamed, settings);
    let setup = World::of(&rule(stage, "on = 'pull_request.opened'", HEAD)).await;
    Story::furnish(stage, setup.folder());
    setup.settings(&renamed)
}

/// Plays all of it at one door, one after the other.
async fn play(setup: Setup, at: Door) {
    let limit = format!("[web]\nbody_max = '{BODY_MAX} B'\n");
    let mut world = setup.settings(&limit).start().await;
    let url = door(world.running.address, at.kind, NAME);
    let connection = format!("{}.{NAME}", at.kind);
    let before = counts(&world, &connection).await;

    let unsigned = at.proofs.iter().fold(at.good.clone(), |post, name| post.without(name));
    let mut answers = vec![unsigned.send(&url).await];
    for forged in &at.forged {
        answers.push(forged.send(&url).await);
    }
    assert!(answers.iter().all(|answer| answer.starts_with("401 ")), "{answers:?}");
    let large = Post { body: at.good.body.clone() + &" ".repeat(BODY_MAX), ..at.good.clone() };
    assert!(large.send(&url).await.starts_with("413 "), "{}", at.kind);
    let look = world.settle().await;
    assert!(look.messages.is_empty() && look.runs.is_empty(), "{look:?}");

    let answer = at.good.send(&url).await;
    assert!(answer.starts_with("202 "), "{connection}: {answer}");
    let (count, is_repeat) = (at.builds, at.again_is == "repeat");
    let is_built = |look: &Look| look.messages.len() == 1 && look.runs.len() == count;
    world.until("the build", is_built).await;
    assert_eq!(at.good.send(&url).await, r#"200 {"repeat":true}"#);
    let answer = at.again.send(&url).await;
    assert!(answer.starts_with(if is_repeat { "200 " } else { "202 " }), "{connection}: {answer}");
    let messages = if is_repeat { 1 } else { 2 };
    world.until("the message", |look| look.messages.len() == messages).await;
    let look = world.settle().await;
    assert_eq!(look.dead(), "");
    assert_eq!(look.runs.len(), at.builds, "{}", look.runs());
    assert_eq!(world.scenery.jenkins.asked().len(), at.builds);

    let counted = counts(&world, &connection).await;
    let came = |result: &str| counted(result) - before(result);
    let (accepted, repeats) = if is_repeat { (1, 2) } else { (2, 1) };
    let expected = [
        ("unsigned", 1),
        ("forged", at.forged.len()),
        ("too_large", 1),
        ("accepted", accepted),
        ("repeat", repeats),
        ("malformed", 0),
        ("ignored", 0),
    ];
    for (result, count) in expected {
        assert_eq!(came(result), count, "{connection} {result}");
    }
    world.end().await;
}

/// How often each came of a webhook until now.
async fn counts(world: &World, connection: &str) -> impl Fn(&str) -> usize + use<> {
    let (_, metrics) = Caller::at(world).get("metrics").await;
    let connection = connection.to_owned();
    move |result| {
        let labels = format!("{{connection=\"{connection}\",result=\"{result}\"}} ");
        let line = format!("pointsman_webhooks_total{labels}");
        let found = metrics.lines().find_map(|told| told.strip_prefix(&line));
        found.unwrap_or_else(|| panic!("no `{line}`: {metrics}")).parse().unwrap()
    }
}

#[tokio::test]
async fn no_door_lets_in_what_is_not_proved_or_builds_twice_what_is() {
    let github = github::Town::new().await;
    play(world(&github).await, github_door(&github).await).await;
    let forgejo = forgejo::Town::new().await;
    play(world(&forgejo).await, forgejo_door(&forgejo).await).await;
    let gitlab = gitlab::Town::new().await;
    play(world(&gitlab).await, gitlab_door(&gitlab).await).await;
    let gitlab = gitlab::Town::signing().await;
    play(world(&gitlab).await, signed_gitlab_door(&gitlab).await).await;
    let pagure = pagure::Town::new().await;
    play(world(&pagure).await, pagure_door(&pagure).await).await;
}

#[tokio::test]
async fn nor_does_the_door_for_builds() {
    let jenkins = JenkinsStandIn::start().await.unwrap();
    let setup = World::of(RULES).await;
    std::fs::write(setup.folder().join("door-secret"), SECRET).unwrap();
    let settings = format!(
        "[jenkins.{NAME}]\nurl = '{}'\nuser = 'pointsman'\ntoken = 'file:jenkins-token'\n\
         webhook_secrets = ['file:door-secret']\n",
        jenkins.url()
    );
    // Somebody has to want to hear of builds.
    play(setup.settings(&settings), jenkins_door(&jenkins)).await;
}
