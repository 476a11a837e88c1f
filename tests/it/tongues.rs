//! What is said in the languages of others, and a producer's own words at the door.

use std::collections::BTreeMap;

use pointsman::sandbox::jenkins::BuildResult;
use serde_json::{Value, json};

use crate::door::Caller;
use crate::world::look::Look;
use crate::world::{JOB, NO_POLLING, World};

/// A run is told on the bus, and so is every build that the bus tells of.
const RULES: &str = r#"
    [[rule]]
    name = "unit"
    on = "pull_request.opened"
    where = { project = "signalbox" }
    build = { on = "jenkins.main", job = "unit", parameters = { HEAD = "{{ head.sha }}" } }
    report = [{ to = "bus", when = "always" }]

    [[rule]]
    name = "echo"
    on = ["build.queued", "build.started", "build.finished"]
    where = { job = "unit" }
    when = ["not run.ours"]
    notify = [{ to = "bus", text = "{{ event }}: {{ verdict }}" }]
"#;

const NOTICE: &str = ".pointsman.notice";

const LANGUAGES: &str = "[service]\npage_url = 'https://pointsman.example/'\n\
     publish_as = ['pointsman', 'cdevents', 'eiffel']\n";

#[tokio::test]
async fn what_the_service_says_in_other_languages_is_no_news_to_it() {
    let setup = World::of(RULES).await.settings(NO_POLLING).settings(LANGUAGES);
    let mut world = setup.broker().await.start().await;
    let mut ear = world.scenery.bus.as_ref().unwrap().listen("#").await;
    world.open('a').await;
    world.settle().await;
    world.relay_jenkins().await;
    world.settle().await;
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    world.relay_jenkins().await;
    let mut said = Vec::new();
    // In three languages each: it waits, it runs, it has ended.
    while said.len() < 9 {
        let (topic, body) = ear.next().await;
        assert!(!topic.ends_with(NOTICE), "{body}");
        if ["pointsman.run", "cdevents", "eiffel"].iter().any(|word| topic.contains(word)) {
            said.push((topic, body));
        }
    }
    let topics: Vec<_> = said.iter().map(|(topic, _)| topic.as_str()).collect();
    insta::assert_snapshot!(topics.join("\n"), @"
    org.example.test.pointsman.run.queued
    org.example.test.dev.cdevents.pipelinerun.queued.0.3.0
    eiffel.activity.EiffelActivityTriggeredEvent._.pointsman
    org.example.test.pointsman.run.started
    org.example.test.dev.cdevents.pipelinerun.started.0.3.0
    eiffel.activity.EiffelActivityStartedEvent._.pointsman
    org.example.test.pointsman.run.finished
    org.example.test.dev.cdevents.pipelinerun.finished.0.3.0
    eiffel.activity.EiffelActivityFinishedEvent._.pointsman
    ");
    let is_heard = |look: &Look| reasons(look).get("the service has said this itself") == Some(&6);
    world.until("all that it has said", is_heard).await;
    world.finish().await;
    // Of another service it is heard.
    let (topic, body) = said.iter().find(|(topic, _)| topic.contains("run.finished.0")).unwrap();
    let foreign = body["data"].to_string().replace("https://pointsman.", "https://other.");
    let foreign: Value =
        serde_json::from_str(&foreign.replace("\"success\"", "\"error\"")).unwrap();
    world.publish(topic, &foreign).await;
    let body = loop {
        let (topic, body) = ear.next().await;
        if topic.ends_with(NOTICE) {
            break body;
        }
    };
    let text = body["text"].as_str().unwrap();
    assert!(text.starts_with("build.finished: error"), "{text}");
    world.end().await;
}

/// Why messages were ignored, and how many each time.
fn reasons(look: &Look) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for (state, reason) in look.messages.values() {
        if state == "ignored" {
            *reasons.entry(reason.as_deref().unwrap_or_default()).or_default() += 1;
        }
    }
    reasons
}

const NEWS: &str = r#"
    [[rule]]
    name = "news"
    on = "artifact.published"
    where = { artifact = "nano-*" }
    notify = [{ to = "bus", text = "{{ artifact.name }} {{ artifact.build }}" }]
"#;

#[tokio::test]
async fn what_a_producer_announces_reaches_the_rules() {
    let setup = World::of(NEWS).await;
    std::fs::write(setup.folder().join("images-token"), "images-token-0123456789").unwrap();
    let producer = "[producer.images]\nartifacts = ['nano-*']\ntoken = 'file:images-token'\n";
    let mut world = setup.settings(producer).broker().await.start().await;
    let mut ear = world.scenery.bus.as_ref().unwrap().listen("#.pointsman.notice").await;
    let caller = Caller::with_token(&world, Some("images-token-0123456789"));
    let image = json!({ "name": "nano-minimal", "build": 3 });
    let (status, answer) = caller.announce(&image).await;
    assert_eq!(status, 202, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["subject"], "images/artifacts/nano-minimal");
    let id = answer["id"].as_str().unwrap().to_owned();
    let (_, body) = ear.next().await;
    assert!(body["text"].as_str().unwrap().starts_with("nano-minimal 3"), "{body}");
    assert_eq!(world.settle().await.messages[&id].0, "read");
    let (status, answer) = caller.announce(&image).await;
    assert_eq!(status, 200);
    assert!(answer.contains(r#""repeat":true"#), "{answer}");
    // The token of the other door is none here.
    let (status, _) = Caller::at(&world).announce(&image).await;
    assert_eq!(status, 401);
    world.end().await;
}

#[tokio::test]
async fn the_door_for_artifacts_is_closed_where_nobody_has_a_token() {
    let world = World::of(NEWS).await.start().await;
    let image = json!({ "name": "nano-minimal", "build": "3" });
    let answer = Caller::at(&world).announce(&image).await;
    assert_eq!(answer.0, 403, "{}", answer.1);
    world.end().await;
}
