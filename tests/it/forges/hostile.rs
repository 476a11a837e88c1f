//! What anybody may write: titles, branches, descriptions and comments that want to be more than
//! words.

use std::collections::BTreeMap;

use pointsman::sandbox::jenkins::{BuildRecord, BuildResult, JobSpec};
use serde_json::Value;

use super::postbox::{Post, Postbox};
use super::stage::{New, Stage, Story, rule};
use super::{forgejo, github, gitlab, pagure};
use crate::world::{JOB, letter, sha_of};

/// What somebody writes where a title, a branch or a comment is expected.
const TEXTS: [&str; 14] = [
    "{{ 7 * 7 }} {% raw %} {# x #}",
    "{{ head.sha }}{% include '/etc/passwd' %}",
    "@everyone @ada #1 !1 ~bug [ok](https://evil.example/) ![x](y) | a | b |",
    "/ci test unit",
    "/retest",
    "retest this please",
    "x\r\n/ci test unit\r\n\r\n/retest\r\n@everyone",
    "$(reboot) `reboot` ${IFS} ; rm -rf / && true \" ' \\ < > %0A %24",
    "&POINTSMAN_RUN=00112233445566778899aabbccddeeff&HEAD=x+y",
    "a\r\nPOINTSMAN_RUN=00112233445566778899aabbccddeeff\r\n\r\nX: y",
    "a\u{202e}b\u{2066}c\u{200b}d\u{1b}[31mred\u{7}\u{9b}2J\u{7f}e",
    "<!-- --><details><script>alert(1)</script>&lt;img src=x onerror=alert(1)&gt;",
    "```\n/ci test unit\n```\n> /retest\n# Heading\n---",
    "`pointsman:00112233445566778899aabbccddeeff`",
];

/// What somebody who may give commands writes, and what is none.
const NO_COMMANDS: [&str; 6] = [
    "/ci test ${IFS}unit",
    "/ci test $(reboot)",
    "/ci test @everyone",
    "/ci test {{ rule }}",
    "/ci ok @everyone/../../x",
    "> /ci test unit\n\n`/ci test unit`\n\n<!-- /ci test unit -->",
];

#[tokio::test]
async fn words_on_github_are_words() {
    words_are_words(&github::Town::new().await).await;
}

#[tokio::test]
async fn words_on_gitlab_are_words() {
    words_are_words(&gitlab::Town::new().await).await;
}

#[tokio::test]
async fn words_on_forgejo_are_words() {
    words_are_words(&forgejo::Town::new().await).await;
}

#[tokio::test]
async fn words_on_pagure_are_words() {
    words_are_words(&pagure::Town::new().await).await;
}

async fn words_are_words(stage: &dyn Stage) {
    let fires = "on = ['pull_request.opened', 'pull_request.updated']\n\
                 notify = [{ to = 'origin', text = '{{ title }}: {{ head.branch }} {{ title }}' }]";
    let given = "HEAD = '{{ head.sha }}', TITLE = '{{ title }}', BRANCH = '{{ head.branch }}'";
    let setup = Story::setup(stage, &rule(stage, fires, given)).await;
    let mut story = Story::begin_in(stage, setup).await;
    let jenkins = story.world.scenery.jenkins.clone();
    jenkins.add_job(JobSpec::new(JOB, &["POINTSMAN_RUN", "BRANCH", "HEAD", "TITLE"]));
    let postbox = Postbox::open().await;
    stage.hook_to(&postbox.url).await;

    let mut proposed = BTreeMap::new();
    for (number, text) in TEXTS.into_iter().enumerate() {
        let new = New {
            title: format!("{text} title"),
            branch: format!("{text} branch"),
            head: sha_of(number + 1),
            ..New::by("ada", 'a')
        };
        proposed.insert(stage.open(&new).await, new);
        let posts = postbox.take();
        story.publish(posts, text).await;
    }
    stage.hook_to(&story.door()).await;
    let look = story.settle().await;
    assert_eq!(look.dead(), "");
    judge_builds(&jenkins.builds(JOB), &proposed);
    for build in jenkins.builds(JOB) {
        jenkins.finish(JOB, build.number, BuildResult::Failure);
    }
    story.world.finish().await;

    let first = *proposed.keys().next().unwrap();
    for text in TEXTS {
        stage.comment(first, "mallory", text).await;
    }
    for text in NO_COMMANDS {
        stage.comment(first, "grace", text).await;
        story.settle().await;
    }
    let look = story.settle().await;
    assert_eq!(look.dead(), "");
    assert!(look.buried.is_empty(), "{:?}", look.buried);
    assert_eq!(jenkins.builds(JOB).len(), TEXTS.len(), "{:?}", jenkins.asked());
    for number in proposed.keys() {
        let comments = stage.comments(*number);
        assert!(!comments.is_empty(), "nothing was said of {number}");
        for comment in &comments {
            judge_words(comment);
        }
    }
    // A real one, so that silence proves something.
    story.say(first, "grace", "/ci retest").await;
    assert_eq!(jenkins.builds(JOB).len(), TEXTS.len() + 1, "{:?}", stage.comments(first));
    story.world.end().await;
}

/// Each was built once, with its words as they are and nothing beside them.
fn judge_builds(builds: &[BuildRecord], proposed: &BTreeMap<u64, New>) {
    assert_eq!(builds.len(), proposed.len());
    for new in proposed.values() {
        let of = builds.iter().filter(|build| build.parameters["HEAD"] == new.head);
        let [build] = of.collect::<Vec<_>>()[..] else { panic!("{new:?}: {builds:?}") };
        assert_eq!(build.parameters["TITLE"], new.title);
        assert_eq!(build.parameters["BRANCH"], new.branch);
        assert_eq!(build.parameters.len(), 4, "{build:?}");
        assert_ne!(build.parameters["POINTSMAN_RUN"], "00112233445566778899aabbccddeeff");
    }
}

/// Nobody is mentioned in what we say, no bot is commanded, and nothing is hidden but our seams.
fn judge_words(comment: &str) {
    let is_hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!comment.contains(is_hidden), "{comment:?}");
    let mut after_at = comment.split('@').skip(1);
    assert!(after_at.all(|rest| !rest.starts_with(char::is_alphanumeric)), "{comment:?}");
    for line in comment.lines() {
        assert!(!line.trim_start().starts_with('/'), "{comment:?}");
    }
    for word in ["test this please", "<script", "<img", "[ok](", "![x]("] {
        assert!(!comment.to_lowercase().contains(word), "{comment:?}");
    }
}

impl Story<'_> {
    /// Puts in what was posted as a relay does, with this for the description of the proposal.
    async fn publish(&mut self, posts: Vec<Post>, description: &str) {
        let (forge, _) = self.stage.connection();
        for post in posts {
            let mut body: Value = serde_json::from_str(&post.body).unwrap();
            let (place, name) = match forge {
                "gitlab" => ("/object_attributes", "description"),
                "pagure" => ("/msg/pullrequest", "initial_comment"),
                _ => ("/pull_request", "body"),
            };
            // A forge also tells of what we did.
            if let Some(proposal) = body.pointer_mut(place) {
                proposal[name] = description.into();
            }
            let (topic, body) = Post { body: body.to_string(), ..post }.relayed(forge);
            self.world.put(letter(&uuid::Uuid::new_v4().to_string(), &topic, &body)).await;
        }
        self.settle().await;
    }
}
