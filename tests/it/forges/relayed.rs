//! Webhooks that come by a relay and over a broker, and perhaps by the door as well.

use pointsman::sandbox::jenkins::BuildResult;

use super::postbox::{Post, Postbox};
use super::stage::{HEAD, New, Stage, Story, rule};
use super::{forgejo, github, gitlab};
use crate::world::letter;

#[tokio::test]
async fn what_a_relay_tells_of_github_is_built_once() {
    what_a_relay_tells_is_built_once(&github::Town::new().await).await;
}

#[tokio::test]
async fn what_a_relay_tells_of_gitlab_is_built_once() {
    what_a_relay_tells_is_built_once(&gitlab::Town::new().await).await;
}

#[tokio::test]
async fn what_a_relay_tells_of_forgejo_is_built_once() {
    what_a_relay_tells_is_built_once(&forgejo::Town::new().await).await;
}

async fn what_a_relay_tells_is_built_once(stage: &dyn Stage) {
    let rules = rule(stage, "on = ['pull_request.opened', 'pull_request.updated']", HEAD);
    let setup = Story::setup(stage, &rules).await.broker().await;
    let mut story = Story::begin_in(stage, setup).await;
    let postbox = Postbox::open().await;
    stage.hook_to(&postbox.url).await;

    let number = stage.open(&New::by("ada", 'a')).await;
    let mut posts = story.relay(&postbox).await;
    assert_eq!(story.built(), ['a']);
    assert_eq!(story.state('a'), "pending");
    story.finish(1, BuildResult::Failure).await;
    assert_eq!(story.state('a'), "failure");
    stage.comment(number, "grace", "/ci retest").await;
    posts.extend(story.relay(&postbox).await);
    assert_eq!(story.built(), ['a', 'a']);
    stage.push(number, &"b".repeat(40)).await;
    posts.extend(story.relay(&postbox).await);
    assert_eq!(story.built(), ['a', 'a', 'b']);
    assert_eq!(story.state('b'), "pending");

    // All of it by the door as well: other messages about the same.
    let before = story.settle().await;
    let after = story.deliver(&posts).await;
    assert!(after.messages.len() >= before.messages.len() + 3, "the door let nothing in");
    assert_eq!(after.dead(), "");
    assert_eq!(story.built(), ['a', 'a', 'b']);
    assert_eq!(after.runs.len(), before.runs.len());
    assert_eq!(stage.comments(number).len(), 1, "{:?}", stage.comments(number));
    story.world.end().await;
}

impl Story<'_> {
    /// Publishes what has been posted as the relay does, and waits until all is done.
    async fn relay(&mut self, postbox: &Postbox) -> Vec<Post> {
        let posts = postbox.take();
        assert!(!posts.is_empty(), "nothing was posted");
        let (forge, _) = self.stage.connection();
        for post in &posts {
            let (topic, body) = post.relayed(forge);
            let mut message = letter(&uuid::Uuid::new_v4().to_string(), &topic, &body);
            let schema = format!("webhook_to_fedora_messaging.{forge}.message_v1");
            message.headers.insert("fedora_messaging_schema".to_owned(), schema.into());
            self.world.put(message).await;
        }
        self.settle().await;
        posts
    }
}
