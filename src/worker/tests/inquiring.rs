//! Forges that are asked, and what follows from their answers.

use super::{World, asked, busy};
use crate::clock::from_millis;
use crate::event::proposal::{CommentEvent, PullRequestEvent, Standing};
use crate::event::{Event, EventKind};
use crate::forges::Person;
use crate::ledger::view::actions::ActionState;
use crate::rules::fixture::{comment, proposal, sha, unknown};

const KEY: &str = "forge.example/signalbox#7";

impl World {
    fn everybody_is(&self, standing: Standing) {
        *self.forge.person.lock().unwrap() = Person { standing, ..Person::default() };
    }

    fn the_forge_has(&self, proposal: PullRequestEvent) {
        *self.forge.proposal.lock().unwrap() = Some(proposal);
    }

    /// What became of the runs: head, attempt and state.
    async fn runs(&self) -> Vec<String> {
        let filter =
            crate::ledger::view::runs::RunFilter { open: false, subject: Some(KEY.to_owned()) };
        let runs = self.ledger.runs(filter, 20).await.unwrap();
        let mut words: Vec<_> = runs
            .into_iter()
            .map(|view| {
                let run = view.run;
                format!("{:.1} {} {}", run.revision, run.attempt, run.state.as_str())
            })
            .collect();
        words.sort();
        words
    }

    async fn says(&self, id: &str, text: &str) {
        let said = CommentEvent {
            on: proposal(EventKind::CommentAdded, 'a', 5),
            comment: crate::event::proposal::Comment {
                at: Some(from_millis(9)),
                author_id: Some("7".to_owned()),
                ..comment(id, text, "grace")
            },
        };
        self.hears_of(id, Event::Comment(said)).await;
    }
}

#[tokio::test]
async fn a_stranger_waits_until_the_commit_is_approved() {
    let world = World::new();
    let opened = unknown(EventKind::PullRequestOpened, 'a', 1);
    world.hears_of("m1", Event::PullRequest(opened.clone())).await;
    world.passes(0).await;
    assert_eq!(asked(&world.forge), ["who is ada", "flag First tests: waiting for approval"]);
    assert_eq!(asked(&world.builds), [""; 0]);
    assert_eq!(world.runs().await, ["a 1 held"]);

    world.everybody_is(Standing::Maintainer);
    world.the_forge_has(PullRequestEvent { event: EventKind::PullRequestUpdated, ..opened });
    world.says("c1", &format!("/ci ok {}", sha('a'))).await;
    world.passes(0).await;
    assert_eq!(asked(&world.builds), ["start ci/pr First"]);
    assert_eq!(world.runs().await, ["a 1 running"]);
}

#[tokio::test]
async fn a_forge_that_is_down_is_asked_again_and_what_it_never_told_is_a_no() {
    let world = World::new();
    for _ in 0..super::ATTEMPTS_MAX {
        world.forge_fails(busy());
    }
    let opened = unknown(EventKind::PullRequestOpened, 'a', 1);
    world.hears_of("m1", Event::PullRequest(opened)).await;
    world.passes(5).await;
    let questions = asked(&world.forge);
    assert_eq!(questions[..3], ["who is ada"; 3]);
    assert_eq!(asked(&world.builds), [""; 0]);
    assert_eq!(world.runs().await, ["a 1 held"]);
}

#[tokio::test]
async fn a_push_that_nobody_told_of_comes_before_the_command() {
    let world = World::new();
    world.everybody_is(Standing::Maintainer);
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(0).await;
    world.the_forge_has(unknown(EventKind::PullRequestUpdated, 'b', 7));
    world.says("c1", "/ci retest").await;
    world.passes(0).await;
    let runs = world.runs().await;
    assert_eq!(runs.last().map(String::as_str), Some("b 1 running"), "{runs:?}");
    assert_eq!(runs.len(), 2, "{runs:?}");
}

#[tokio::test]
async fn what_has_moved_is_not_taken_for_what_was_asked_about() {
    let world = World::new();
    world.everybody_is(Standing::Maintainer);
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(0).await;
    let told = unknown(EventKind::PullRequestUpdated, 'b', 7);
    world.the_forge_has(PullRequestEvent { project: "interlocking".to_owned(), ..told });
    world.says("c1", "/ci test").await;
    world.passes(0).await;
    assert_eq!(world.runs().await, ["a 1 running"]);
    let buried = world.ledger.actions(Some(ActionState::Buried), 9).await.unwrap();
    let errors: Vec<_> = buried.iter().filter_map(|action| action.error.clone()).collect();
    insta::assert_snapshot!(errors.join(" "), @"permanent failure: `forge.example/signalbox#7` has moved, it is `forge.example/interlocking#7` now");
}

#[tokio::test]
async fn our_own_words_are_no_commands() {
    let world = World::new();
    *world.forge.person.lock().unwrap() =
        Person { standing: Standing::Maintainer, is_own: true, is_bot: false };
    world.the_forge_has(proposal(EventKind::PullRequestUpdated, 'a', 7));
    world.says("c1", "/ci test").await;
    world.passes(0).await;
    assert_eq!(asked(&world.builds), [""; 0]);
}

#[tokio::test]
async fn the_same_comment_told_twice_is_heeded_once() {
    let world = World::new();
    world.everybody_is(Standing::Maintainer);
    world.the_forge_has(proposal(EventKind::PullRequestUpdated, 'a', 7));
    for id in ["c1", "c2"] {
        let said = CommentEvent {
            on: proposal(EventKind::CommentAdded, 'a', 5),
            comment: comment("1", "/ci test", "grace"),
        };
        world.hears_of(id, Event::Comment(said)).await;
        world.passes(0).await;
    }
    assert_eq!(asked(&world.builds), ["start ci/pr First"]);
}

#[tokio::test]
async fn a_flood_of_commands_is_answered_once_and_then_not_even_asked_about() {
    let world = World::new();
    world.the_forge_has(proposal(EventKind::PullRequestUpdated, 'a', 7));
    for number in 0..40 {
        world.says(&format!("c{number}"), "/ci why").await;
        world.passes(0).await;
    }
    let seen = asked(&world.forge);
    let limits = seen.iter().filter(|line| line.contains("More than 30 commands")).count();
    assert_eq!(limits, 1, "{seen:?}");
    let questions = seen.iter().filter(|line| line.starts_with("who is grace")).count();
    assert!((30..=33).contains(&questions), "{questions}");
}
