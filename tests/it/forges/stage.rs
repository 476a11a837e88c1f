//! What a story needs of a forge, and the world around it.

use std::net::SocketAddr;
use std::path::Path;

use async_trait::async_trait;
use pointsman::sandbox::jenkins::BuildResult;
use serde_json::Value;
use url::Url;

use super::postbox::Post;
use crate::world::look::Look;
use crate::world::{JOB, Setup, World, sha};

/// The project that all stories are about.
pub(super) const PROJECT: &str = "rail/signalbox";
/// The user that reports.
pub(super) const OWN: &str = "pointsman";
/// What proves webhooks.
pub(super) const SECRET: &str = "a-secret-of-the-doors-0123456789";
/// The token of the user that reports.
pub(super) const TOKEN: &str = "token-of-the-forge-0123456789";

/// What somebody proposes.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) author: String,
    pub(super) title: String,
    pub(super) branch: String,
    pub(super) head: String,
    /// Whether its author says that it is not ready, where that can be said.
    pub(super) is_draft: bool,
}

impl New {
    pub(super) fn by(author: &str, head: char) -> Self {
        Self {
            author: author.to_owned(),
            title: "Lock the blades".to_owned(),
            branch: "lock".to_owned(),
            head: sha(head),
            is_draft: false,
        }
    }
}

/// A forge with people on it.
#[async_trait]
pub(super) trait Stage: Send + Sync {
    /// Its connection.
    fn connection(&self) -> (&'static str, &'static str);

    /// Its settings; the secrets are in the files `forge-token` and `forge-secret`.
    fn settings(&self) -> String;

    /// What is in `forge-secret`.
    fn secret(&self) -> String {
        SECRET.to_owned()
    }

    /// The host by which it calls itself.
    fn host(&self) -> String;

    /// Whether our comments there can be edited.
    fn edits(&self) -> bool;

    /// Whether it knows drafts.
    fn has_drafts(&self) -> bool {
        true
    }

    /// Lets webhooks go to this address.
    async fn hook_to(&self, url: &Url);

    /// Makes somebody one who may merge.
    fn trust(&self, user: &str);

    async fn open(&self, new: &New) -> u64;
    async fn push(&self, number: u64, head: &str);
    async fn comment(&self, number: u64, user: &str, text: &str) -> u64;
    async fn edit(&self, number: u64, comment: (u64, &str), text: &str);
    async fn close(&self, number: u64);

    /// Says that a draft is ready; only where there are drafts.
    async fn ready(&self, number: u64);

    /// Posts what our own doings on the forge make it tell.
    async fn echo(&self) {}

    /// The state of the check on a commit: `pending`, `success`, `failure`, or nothing.
    fn state(&self, head: &str) -> String;

    /// Our own comments.
    fn comments(&self, number: u64) -> Vec<String>;
}

/// A story on a forge.
pub(super) struct Story<'a> {
    pub(super) stage: &'a dyn Stage,
    pub(super) world: World,
}

impl<'a> Story<'a> {
    /// A service with one rule, whose trusted people are `ada` and `grace`.
    pub(super) async fn begin(stage: &'a dyn Stage) -> Self {
        let opened = "'pull_request.opened', 'pull_request.updated', 'pull_request.reopened'";
        let setup = Self::setup(stage, &rule(stage, &format!("on = [{opened}]"), HEAD)).await;
        Self::begin_in(stage, setup).await
    }

    /// What [`Story::begin_in`] begins with.
    pub(super) async fn setup(stage: &dyn Stage, rules: &str) -> Setup {
        let setup = World::of(rules).await.settings(&stage.settings());
        Self::furnish(stage, setup.folder());
        setup
    }

    /// Writes the secrets to where the settings of the forge say.
    pub(super) fn furnish(stage: &dyn Stage, folder: &Path) {
        write(folder, "forge-token", TOKEN);
        write(folder, "forge-secret", &stage.secret());
    }

    /// As [`Story::begin`], in a world of its own.
    pub(super) async fn begin_in(stage: &'a dyn Stage, setup: Setup) -> Self {
        stage.trust("ada");
        stage.trust("grace");
        let world = setup.start().await;
        let story = Self { stage, world };
        stage.hook_to(&story.door()).await;
        story
    }

    /// Where webhooks of the forge are taken.
    pub(super) fn door(&self) -> Url {
        let (kind, name) = self.stage.connection();
        door(self.world.running.address, kind, name)
    }

    /// Waits until nothing is left to do; what stands in the ledger then.
    pub(super) async fn settle(&mut self) -> Look {
        self.world.settle().await;
        self.stage.echo().await;
        self.world.settle().await
    }

    /// Delivers what was posted to somebody else, and waits until all is done.
    pub(super) async fn deliver(&mut self, posts: &[Post]) -> Look {
        let door = self.door();
        for post in posts {
            let answer = post.send(&door).await;
            let (status, words) = answer.split_once(' ').unwrap();
            assert!(matches!(status, "202" | "200"), "{answer}");
            let words: Value = serde_json::from_str(words).unwrap();
            let Some(id) = words["id"].as_str() else { continue };
            self.world.until("the post", |look| look.messages.contains_key(id)).await;
        }
        self.settle().await
    }

    /// The builds that were asked for: the commit of each.
    pub(super) fn built(&self) -> Vec<char> {
        let asked = self.world.scenery.jenkins.asked();
        asked.iter().filter_map(|line| line.split("HEAD=").nth(1)?.chars().next()).collect()
    }

    /// A build ends, and Pointsman finds out.
    pub(super) async fn finish(&mut self, number: u64, result: BuildResult) -> Look {
        self.world.scenery.jenkins.finish(JOB, number, result);
        let look = self.world.finish().await;
        self.stage.echo().await;
        self.world.settle().await;
        look
    }

    pub(super) async fn open(&mut self, author: &str, head: char) -> u64 {
        let number = self.stage.open(&New::by(author, head)).await;
        self.settle().await;
        number
    }

    pub(super) async fn push(&mut self, number: u64, head: char) {
        self.stage.push(number, &sha(head)).await;
        self.settle().await;
    }

    pub(super) async fn say(&mut self, number: u64, user: &str, text: &str) -> u64 {
        let comment = self.stage.comment(number, user, text).await;
        self.settle().await;
        comment
    }

    pub(super) fn state(&self, head: char) -> String {
        self.stage.state(&sha(head))
    }

    /// Our newest comment, without what separates its words for other bots.
    pub(super) fn last_comment(&self, number: u64) -> String {
        let last = self.stage.comments(number).pop().unwrap_or_default();
        last.replace('\u{2060}', "")
    }
}

/// The rule `unit`: when it fires, and what its build is given.
pub(super) fn rule(stage: &dyn Stage, fires: &str, parameters: &str) -> String {
    let instance = stage.host();
    format!(
        r#"
        [[rule]]
        name = "unit"
        {fires}
        where = {{ instance = "{instance}", project = "{PROJECT}" }}
        build = {{ on = "jenkins.main", job = "{JOB}", parameters = {{ {parameters} }} }}
        report = [{{ to = "origin", as = "flag" }}, {{ to = "origin", as = "comment", when = "changed" }}]
        "#
    )
}

/// What a build is given at least.
pub(super) const HEAD: &str = r#"HEAD = "{{ head.sha }}""#;

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

pub(super) fn door(address: SocketAddr, kind: &str, name: &str) -> Url {
    Url::parse(&format!("http://{address}/hooks/{kind}/{name}")).unwrap()
}
