//! What another service hears of what we say, by the topics that come with the program.

use std::collections::BTreeSet;

use super::languages::{all_stages, ended, opened};
use super::*;
use crate::decision::Decision;
use crate::event::build::BuildEvent;
use crate::event::{Event, EventKind};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::{Decide, Ledger};
use crate::topic::Example;
use crate::topic::catalog::Catalog;
use crate::topic::read::Selection;

fn builds() -> Selection {
    let kinds = [EventKind::BuildQueued, EventKind::BuildStarted, EventKind::BuildFinished];
    Catalog::load(&[]).unwrap().select(&BTreeSet::from(kinds))
}

/// What `messages` are read into, each completed by those before it.
async fn heard(messages: Vec<Message>) -> Vec<BuildEvent> {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db"), Clock::system()).unwrap();
    let topics = builds();
    let events: Arc<Mutex<Vec<BuildEvent>>> = Arc::default();
    let kept = Arc::clone(&events);
    let decide: Decide = Arc::new(move |event, _known| {
        let Event::Build(build) = event else { panic!("{event:?}") };
        kept.lock().unwrap().push(build.clone());
        Decision::default()
    });
    for message in messages {
        let read = topics.read(&opened(&message), Example::RUN_PARAMETER).unwrap();
        let found = Found::Events(read.events, None);
        let (id, digest) = (message.identity(), message.digest());
        let intake = Intake { source: "test", id, digest, message, inbox: None, found };
        let (_stored, _) = ledger.put(vec![intake], Arc::clone(&decide)).await.unwrap();
    }
    std::mem::take(&mut *events.lock().unwrap())
}

/// What is the same in all languages.
fn line(build: &BuildEvent) -> String {
    let BuildEvent { event, job, url, verdict, reason, .. } = build;
    format!("{event} {job} {url:?} {verdict:?} {reason:?}")
}

#[tokio::test]
async fn another_service_hears_of_a_run_from_its_beginning_to_its_end() {
    let mut told = Vec::new();
    for language in [Language::Cdevents, Language::Eiffel] {
        let builds = heard(all_stages(language).await).await;
        let ids: BTreeSet<_> = builds.iter().map(|build| build.id.clone().unwrap()).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        told.extend(builds.iter().map(|build| format!("{language:?}: {}", line(build))));
    }
    // The event that all others refer to is told before there is an address.
    insta::assert_snapshot!(told.join("\n"), @r#"
    Cdevents: build.queued points Some("https://ci.example/job/points/3/") None None
    Cdevents: build.started points Some("https://ci.example/job/points/3/") None None
    Cdevents: build.finished points Some("https://ci.example/job/points/3/") Some(Failure) Some("points: failure")
    Eiffel: build.queued points None None None
    Eiffel: build.started points Some("https://ci.example/job/points/3/") None None
    Eiffel: build.finished points Some("https://ci.example/job/points/3/") Some(Failure) Some("points: failure")
    "#);
}

#[tokio::test]
async fn another_service_hears_the_same_verdict() {
    let verdicts = [Verdict::Success, Verdict::Failure, Verdict::Error, Verdict::Cancelled];
    for language in [Language::Cdevents, Language::Eiffel] {
        for verdict in verdicts {
            let builds = heard(ended(language, verdict).await).await;
            let end = builds.last().unwrap();
            assert_eq!(end.event, EventKind::BuildFinished);
            assert_eq!((end.job.as_str(), end.verdict), ("points", Some(verdict)), "{language:?}");
        }
    }
}

#[tokio::test]
async fn nobody_hears_our_own_language_as_the_build_of_another() {
    let topics = builds();
    for message in all_stages(Language::Pointsman).await {
        assert!(!topics.wants(&message.topic), "{}", message.topic);
    }
}
