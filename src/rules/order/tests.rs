//! Which branch is built, and at which commit.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::decision::Known;
use crate::directory::{Connection, Directory};
use crate::event::proposal::Head;
use crate::event::push::PushEvent;
use crate::rules::fixture::{name, proposal, sha};
use crate::rules::{RuleSet, RuleSource, decide};

/// A forge that builds branches, and an executor that builds anything.
fn directory() -> Arc<Directory> {
    let mut directory = Directory::default();
    let builds = Some(Duration::from_secs(10));
    let hosts = |host: &str| vec![host.to_owned()];
    let forge = Connection {
        hosts: hosts("forge.example"),
        builds,
        builds_references: true,
        is_forge: true,
        ..Connection::default()
    };
    let executor = Connection { hosts: hosts("ci.example"), builds, ..Connection::default() };
    directory.insert(name("forge.main"), forge);
    directory.insert(name("builds.main"), executor);
    Arc::new(directory)
}

fn pushed() -> Event {
    Event::Push(PushEvent {
        event: EventKind::BranchPushed,
        instance: "forge.example".to_owned(),
        project: "signalbox".to_owned(),
        url: "https://forge.example/signalbox".to_owned(),
        target: "main".to_owned(),
        author: "ada".to_owned(),
        head: Head { sha: Some(sha('b')), branch: Some("main".to_owned()), ..Head::default() },
        base: crate::event::proposal::Base::default(),
        push: crate::event::push::PushState::default(),
        at: None,
    })
}

/// What is ordered: the reference, and the first digit of the commit.
fn ordered(event: &Event, build: &str) -> (Option<String>, Option<char>) {
    let on = event.kind();
    let text = format!(
        "[[rule]]\nname = 'tests'\non = '{on}'\n\
         where = {{ project = 'signalbox' }}\nbuild = {{ {build} }}\n"
    );
    let source = RuleSource { name: "rules.toml".to_owned(), text };
    let rules = RuleSet::parse(&[source], directory()).unwrap();
    let decision = decide(&rules, event, &Known::default());
    let order = decision
        .actions
        .into_iter()
        .find_map(|action| if let Task::Start(order) = action.task { Some(order) } else { None });
    let order = order.unwrap();
    (order.reference, order.sha.and_then(|sha| sha.as_str().chars().next()))
}

/// This branch, and the first digit of its commit.
fn on(branch: &str, commit: Option<char>) -> (Option<String>, Option<char>) {
    (Some(branch.to_owned()), commit)
}

#[test]
fn the_branch_of_a_change_is_built_at_its_commit() {
    let own = "on = 'forge.main', job = 'signalbox', ref = '{{ head.branch }}'";
    assert_eq!(ordered(&pushed(), own), on("main", Some('b')));
    let bare = "on = 'forge.main', job = 'signalbox'";
    assert_eq!(ordered(&pushed(), bare), on("main", Some('b')));
    let proposed = Event::PullRequest(proposal(EventKind::PullRequestOpened, 'a', 1));
    assert_eq!(ordered(&proposed, own), on("oil", Some('a')));
}

#[test]
fn another_branch_or_another_project_is_built_as_it_is() {
    let other = "on = 'forge.main', job = 'signalbox', ref = 'nightly'";
    assert_eq!(ordered(&pushed(), other), on("nightly", None));
    let elsewhere = "on = 'forge.main', job = 'rail/ci', ref = '{{ head.branch }}'";
    assert_eq!(ordered(&pushed(), elsewhere), on("main", None));
}

#[test]
fn an_executor_that_builds_anything_is_told_no_branch() {
    assert_eq!(ordered(&pushed(), "on = 'builds.main', job = 'tests'"), (None, None));
}
