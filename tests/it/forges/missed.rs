//! Webhooks that were lost: what they would have told is found, and when they come late after all
//! they are no news.

use super::postbox::{Post, Postbox};
use super::stage::{HEAD, New, Stage, Story, rule};
use super::{forgejo, github, gitlab, pagure};
use crate::world::sha;

/// The story on one forge.
macro_rules! on {
    ($forge:ident, $stage:expr) => {
        mod $forge {
            use super::*;

            #[tokio::test]
            async fn what_was_lost_is_found_at_the_next_start_and_built_once() {
                super::what_was_lost_is_found(&$stage).await;
            }
        }
    };
}

on!(on_forgejo, forgejo::Town::new().await);
on!(on_github, github::Town::new().await);
on!(on_gitlab, gitlab::Town::new().await);
on!(on_pagure, pagure::Town::new().await);

/// Settings with which nobody looks, or only at a start.
const NEVER: &str = "[reconcile]\nevery = 'off'\n";
const BUILD: &str = "[reconcile]\nevery = '1h'\npatience = '0s'\nfirst = 'build'\n";
const NOTE: &str = "[reconcile]\nevery = '1h'\npatience = '0s'\nfirst = 'note'\n";

impl Story<'_> {
    /// A rule that builds what its author calls ready, and nobody who looks.
    async fn unlooked(stage: &dyn Stage) -> Story<'_> {
        let fires = "on = ['pull_request.opened', 'pull_request.updated', 'pull_request.reopened', \
                     'pull_request.ready']\nwhen = ['not pull_request.draft']";
        let setup = Story::setup(stage, &rule(stage, fires, HEAD)).await.settings(NEVER);
        Story::begin_in(stage, setup).await
    }

    /// Starts the service again, and waits until it has looked.
    async fn look(&mut self, settings: &str) {
        self.world.restart_with(&(self.stage.settings() + settings)).await;
        self.world.until_looked().await;
        self.settle().await;
    }
}

async fn what_was_lost_is_found(stage: &dyn Stage) {
    let mut story = Story::unlooked(stage).await;
    let closed = story.open("ada", 'a').await;
    let draft = stage.open(&New { is_draft: true, ..New::by("ada", 'd') }).await;
    let known = story.settle().await;
    let built = if stage.has_drafts() { vec!['a'] } else { vec!['a', 'd'] };
    assert_eq!(story.built(), built);

    let lost = Postbox::open().await;
    stage.hook_to(&lost.url).await;
    stage.close(closed).await;
    stage.open(&New::by("ada", 'b')).await;
    stage.open(&New::by("mallory", 'c')).await;
    if stage.has_drafts() {
        stage.ready(draft).await;
    }
    let posts: Vec<Post> = lost.take();
    assert!(posts.len() >= 3, "{posts:?}");
    let unheard = story.settle().await;
    assert_eq!(unheard.messages.len(), known.messages.len(), "nobody has told");

    story.look(BUILD).await;
    let is_cancelled = |look: &crate::world::look::Look| {
        look.runs.iter().any(|run| run.revision == sha('a') && run.state == "cancelled")
    };
    story.world.until("the end of what was closed", is_cancelled).await;
    let mut found = story.settle().await;
    let mut built = story.built();
    built.sort_unstable();
    assert_eq!(built, ['a', 'b', 'd']);
    assert_eq!(story.state('b'), "pending");
    let held = found.runs.iter().find(|run| run.revision == sha('c')).unwrap();
    assert_eq!(held.state, "held", "a stranger's waits, however it was found");

    // The webhooks come after all; and nothing is found twice.
    let late = story.deliver(&posts).await;
    assert!(late.messages.len() > found.messages.len(), "the door let nothing in");
    assert_eq!(late.dead(), "");
    story.look(BUILD).await;
    found = story.settle().await;
    assert_eq!(found.messages.len(), late.messages.len(), "{:?}", found.messages);
    assert_eq!(story.built().len(), 3, "{:?}", story.built());
    assert_eq!(found.runs.len(), 4, "{}", found.runs());
    story.world.end().await;
}

#[tokio::test]
async fn what_was_there_before_is_noted_and_what_comes_later_is_built() {
    let stage: &dyn Stage = &github::Town::new().await;
    let mut story = Story::unlooked(stage).await;
    let lost = Postbox::open().await;
    stage.hook_to(&lost.url).await;
    stage.open(&New::by("ada", 'a')).await;
    story.look(NOTE).await;
    assert_eq!(story.built(), [' '; 0]);
    story.deliver(&lost.take()).await;
    assert_eq!(story.built(), [' '; 0], "it is known");

    let number = stage.open(&New::by("ada", 'b')).await;
    story.look(NOTE).await;
    assert_eq!(story.built(), ['b']);
    stage.push(number, &sha('c')).await;
    story.look(NOTE).await;
    assert_eq!(story.built(), ['b', 'c']);
    story.deliver(&lost.take()).await;
    assert_eq!(story.built(), ['b', 'c']);
    story.world.end().await;
}
