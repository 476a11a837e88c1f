//! The stories, told once; every forge plays each of them.

use pointsman::sandbox::jenkins::BuildResult;

use super::stage::{Stage, Story};
use super::{forgejo, github, gitlab, pagure};
use crate::world::sha;

/// Every story on one forge.
macro_rules! on {
    ($forge:ident, $stage:expr) => {
        mod $forge {
            use super::*;

            on!(@ $stage, opened_is_built_and_told);
            on!(@ $stage, a_maintainer_retests_what_failed);
            on!(@ $stage, a_stranger_retests_nothing);
            on!(@ $stage, what_a_stranger_proposes_waits_until_its_commit_is_approved);
            on!(@ $stage, an_approval_of_an_old_head_is_refused);
            on!(@ $stage, a_push_after_an_approval_takes_it_back);
            on!(@ $stage, closed_is_cancelled);
            on!(@ $stage, an_edit_runs_only_what_it_adds);
            on!(@ $stage, quoted_words_are_no_commands);
        }
    };
    (@ $stage:expr, $story:ident) => {
        #[tokio::test]
        async fn $story() {
            super::$story(&$stage).await;
        }
    };
}

on!(on_forgejo, forgejo::Town::new().await);
on!(on_github, github::Town::new().await);
on!(on_gitlab, gitlab::Town::new().await);
on!(on_pagure, pagure::Town::new().await);

async fn opened_is_built_and_told(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("ada", 'a').await;
    assert_eq!(story.built(), ['a']);
    assert_eq!(story.state('a'), "pending");
    story.finish(1, BuildResult::Success).await;
    assert_eq!(story.state('a'), "success");
    let comments = stage.comments(number);
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert!(comments[0].contains("**unit** at aaaaaaaaaaaa: passed"), "{comments:?}");

    // Pushed: built again; the same verdict is told to nobody anew.
    story.push(number, 'b').await;
    story.finish(2, BuildResult::Success).await;
    assert_eq!(story.built(), ['a', 'b']);
    assert_eq!(stage.comments(number).len(), 1, "{:?}", stage.comments(number));
    story.world.end().await;
}

async fn a_maintainer_retests_what_failed(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("ada", 'a').await;
    story.finish(1, BuildResult::Failure).await;
    assert_eq!(story.state('a'), "failure");
    assert!(story.last_comment(number).contains("`/ci retest` runs it again"));
    story.say(number, "grace", "Flaky, I think.\n\n/retest").await;
    assert_eq!(story.built(), ['a', 'a']);
    assert_eq!(story.state('a'), "pending");

    // Said again while it is pending: answered, and not built again.
    story.say(number, "grace", "/ci retest").await;
    assert_eq!(story.built(), ['a', 'a']);
    let answer = story.last_comment(number);
    assert!(answer.contains("**unit** is running already"), "{answer}");
    story.finish(2, BuildResult::Success).await;
    assert_eq!(story.state('a'), "success");
    if stage.edits() {
        assert_eq!(stage.comments(number).len(), 1, "{:?}", stage.comments(number));
    }
    story.world.end().await;
}

async fn a_stranger_retests_nothing(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("ada", 'a').await;
    story.finish(1, BuildResult::Failure).await;
    story.say(number, "mallory", "/ci retest").await;
    assert_eq!(story.built(), ['a']);
    let answer = story.last_comment(number);
    let refusal = "mallory is a stranger here, and `retest` is for contributors and maintainers.";
    assert!(answer.contains(refusal), "{answer}");
    story.world.end().await;
}

async fn what_a_stranger_proposes_waits_until_its_commit_is_approved(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("mallory", 'a').await;
    let look = story.settle().await;
    assert_eq!(look.runs(), "unit aaaa held");
    assert_eq!(story.state('a'), "pending");
    assert_eq!(story.built(), [' '; 0]);

    let approval = format!("/ci ok {}", sha('a'));
    story.say(number, "mallory", &approval).await;
    assert_eq!(story.built(), [' '; 0], "nobody approves of their own");
    assert!(story.last_comment(number).contains("is for maintainers"));

    story.say(number, "grace", &approval).await;
    assert_eq!(story.built(), ['a']);
    story.finish(1, BuildResult::Success).await;
    assert_eq!(story.state('a'), "success");
    story.world.end().await;
}

async fn an_approval_of_an_old_head_is_refused(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("mallory", 'a').await;
    story.push(number, 'b').await;
    story.say(number, "grace", &format!("/ci ok {}", sha('a'))).await;
    assert_eq!(story.built(), [' '; 0]);
    let answer = story.last_comment(number);
    assert!(answer.contains(&format!("is at {} by now", sha('b'))), "{answer}");
    story.say(number, "grace", &format!("/ci ok {}", sha('b'))).await;
    assert_eq!(story.built(), ['b']);
    story.world.end().await;
}

async fn a_push_after_an_approval_takes_it_back(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("mallory", 'a').await;
    story.say(number, "grace", &format!("/ci ok {}", sha('a'))).await;
    assert_eq!(story.built(), ['a']);
    story.push(number, 'b').await;
    assert_eq!(story.built(), ['a'], "what was pushed since is not built");
    let look = story.settle().await;
    let runs: Vec<_> =
        look.runs.iter().map(|run| (run.revision.clone(), run.is_unwanted)).collect();
    assert_eq!(runs, [(sha('a'), true), (sha('b'), false)]);
    assert!(look.runs().ends_with("unit bbbb held"), "{}", look.runs());
    story.world.end().await;
}

async fn closed_is_cancelled(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("ada", 'a').await;
    stage.close(number).await;
    let look = story.world.finish().await;
    assert_eq!(look.runs(), "unit aaaa cancelled");
    story.world.end().await;
}

async fn an_edit_runs_only_what_it_adds(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("ada", 'a').await;
    story.finish(1, BuildResult::Failure).await;
    let comment = story.say(number, "grace", "/ci test unit").await;
    assert_eq!(story.built(), ['a', 'a']);
    story.finish(2, BuildResult::Failure).await;
    stage.edit(number, (comment, "grace"), "/ci test unit\n\nSorry for the noise.").await;
    story.settle().await;
    assert_eq!(story.built(), ['a', 'a'], "it was obeyed before");
    stage.edit(number, (comment, "grace"), "/ci test unit\n\n/ci retest").await;
    story.settle().await;
    assert_eq!(story.built(), ['a', 'a', 'a']);
    story.world.end().await;
}

async fn quoted_words_are_no_commands(stage: &dyn Stage) {
    let mut story = Story::begin(stage).await;
    let number = story.open("ada", 'a').await;
    story.finish(1, BuildResult::Failure).await;
    let text = "> /ci test\n\n```\n/ci test\n```\n\n<!--\n/ci test\n-->\n\nSay `/ci test` to test.";
    story.say(number, "grace", text).await;
    assert_eq!(story.built(), ['a']);
    assert_eq!(stage.comments(number).len(), 1, "{:?}", stage.comments(number));
    story.world.end().await;
}
