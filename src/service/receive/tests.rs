//! From messages as they come to events as they are recorded.

use std::sync::Arc;

use super::*;
use crate::clock::Clock;
use crate::decision::{Decision, Known};
use crate::event::EventKind;
use crate::event::build::BuildEvent;
use crate::producer::{Producer, ProducerSettings};
use crate::rules::fixture::directory;
use crate::topic::Example;
use crate::topic::catalog::Catalog;

fn reader(catalog: &Catalog) -> Reader {
    Reader {
        selection: catalog.select(&EventKind::ALL.into_iter().collect()),
        directory: directory(),
        limits: Limits::default(),
        run_parameter: Example::RUN_PARAMETER.to_owned(),
        name: OwnName::new(None),
    }
}

/// The first message of this topic's examples whose body is in the file `body`.
fn example(catalog: &Catalog, topic: &str, body: &str) -> Message {
    let examples = &catalog.topic(topic).unwrap().examples;
    let body = format!("examples/{body}.json");
    examples.iter().find(|example| example.body_file == body).unwrap().message.clone()
}

fn only_build(found: Found) -> BuildEvent {
    let Found::Events(mut events, _) = found else { panic!("{found:?}") };
    let Event::Build(build) = events.remove(0) else { panic!("{events:?}") };
    build
}

#[test]
fn where_a_build_was_is_guessed_only_if_no_other_message_tells() {
    let catalog = Catalog::load(&[]).unwrap();
    let reader = reader(&catalog);
    let place = |topic: &str, body: &str| {
        let build = only_build(reader.read(&example(&catalog, topic, body)).1);
        let connection = build.connection.map(|name| name.to_string());
        (build.instance.unwrap_or_default(), connection.unwrap_or_default())
    };
    let ours = ("ci.example".to_owned(), "builds.main".to_owned());
    assert_eq!(place("jenkins/fedmsg-emit.finished", "fedmsg-emit"), ours);
    assert_eq!(place("eiffel/jenkins.finished", "jenkins-finished"), ours);
    let nowhere = (String::new(), String::new());
    assert_eq!(place("eiffel/jenkins.finished", "jenkins-finished-bare"), nowhere);
    let elsewhere = ("openqa.example".to_owned(), String::new());
    assert_eq!(place("fedora-ci/test.queued", "compose-queued"), elsewhere);
}

#[tokio::test]
async fn events_in_any_order_are_told_whole() {
    let catalog = Catalog::load(&[]).unwrap();
    let reader = reader(&catalog);
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("l.db"), Clock::system()).unwrap();
    let decided = Arc::new(std::sync::Mutex::new(Vec::new()));
    let decide: crate::ledger::Decide = Arc::new({
        let decided = Arc::clone(&decided);
        move |event: &Event, _known: &Known| {
            decided.lock().unwrap().push(event.clone());
            Decision::default()
        }
    });
    for (topic, body) in [
        ("eiffel/activity.finished", "finished"),
        ("eiffel/artifact.published", "artifact-published"),
        ("eiffel/activity.started", "started"),
        ("eiffel/activity.triggered", "triggered"),
        ("eiffel/artifact.created", "artifact-created"),
        ("eiffel/jenkins.finished", "jenkins-finished-bare"),
        ("eiffel/activity.triggered", "jenkins-triggered"),
    ] {
        let message = example(&catalog, topic, body);
        let delivered = Delivered { message, redelivered: false, inbox: None };
        let batch = vec![reader.intake("test", delivered)];
        drop(ledger.put(batch, Arc::clone(&decide)).await.unwrap());
    }
    let decided = decided.lock().unwrap();
    let told = decided.iter().map(|event| {
        let verdict = match event.names().get("verdict") {
            Some(verdict) => verdict.as_str().unwrap_or_default().to_owned(),
            None => String::new(),
        };
        format!("{} {} {}", event.kind(), event.subject(), verdict)
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
    build.queued example.rail.ci/points build@0 
    build.finished example.rail.ci/points build@0 failure
    build.started example.rail.ci/points build@0 
    artifact.created example.rail.ci/artifacts/rail/nano-image 
    artifact.published example.rail.ci/artifacts/rail/nano-image 
    build.queued ci01/rail/points check@0 
    build.finished ci01/rail/points check@0 unstable
    ");
    let Some(Event::Artifact(published)) = decided.get(4) else { panic!() };
    assert_eq!(published.artifact.version.as_deref(), Some("2026.11"));
    assert_eq!(published.artifact.files.len(), 2);
}

#[test]
fn a_system_may_post_what_it_announces_as_a_producer() {
    let catalog = Catalog::load(&[]).unwrap();
    let mut own = (*directory()).clone();
    let settings = ProducerSettings {
        artifacts: vec!["*".to_owned()],
        hosts: vec!["ci.example".to_owned()],
        token: None,
    };
    own.producers.insert("images".to_owned(), Producer::new(&settings).unwrap());
    let reader = Reader { directory: Arc::new(own), ..reader(&catalog) };
    let topic = catalog.topic("artifact/published").unwrap();
    let mut message = topic.examples[0].message.clone();
    let body = String::from_utf8(message.body).unwrap();
    message.body = body.replace("\"images\"", "\"ci.example\"").into_bytes();
    let weigh = |connection: &str| {
        let connection = crate::rules::fixture::name(connection);
        reader.weigh((&connection, &Speaker::Connection), &message)
    };
    assert_eq!(weigh("builds.main"), Worth::Wanted);
    assert!(matches!(weigh("forge.main"), Worth::Foreign(_)));
}
