//! A Mattermost with memory, over real HTTP: one channel, its incoming webhook, and the calls
//! that reporters make, errors included.

mod memory;

use serde_json::Value;

pub use crate::sandbox::chat::Mood;
use crate::sandbox::chat::StandIn;
use memory::Memory;

/// A post, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub user: String,
    /// The words, as Markdown.
    pub message: String,
    /// The thread that it is in; empty for the first of a thread.
    pub root: String,
    /// What programs see beside the words.
    pub props: Value,
    /// By which one told twice is known; the server forgets it after half a minute.
    pub pending: String,
    /// How often it was changed.
    pub edits: usize,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct MattermostStandIn(StandIn<Memory>);

impl MattermostStandIn {
    /// The id of the channel.
    pub const CHANNEL: &str = "signalboxsignalboxsignalbo";
    /// The user that a token is for.
    pub const BOT: &str = "pointsmanpointsmanpointsma";

    /// Starts one on a free port of this machine.
    pub async fn start() -> anyhow::Result<Self> {
        Ok(Self(StandIn::start(Memory::default()).await?))
    }

    /// Stops answering; what it knows is kept for [`MattermostStandIn::restart`].
    pub async fn stop(&self) {
        self.0.stop().await;
    }

    /// Answers again, on the same port and with the same memory.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.0.restart().await
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// The address of the incoming webhook with this secret.
    pub fn webhook(&self, secret: &str) -> String {
        secret.clone_into(&mut self.0.memory().webhook);
        format!("{}/hooks/{secret}", self.url())
    }

    /// Makes a token of the bot.
    pub fn add_token(&self, token: &str) {
        self.0.memory().tokens.insert(token.to_owned());
    }

    /// Changes how it behaves.
    pub fn set_mood(&self, mood: Mood) {
        self.0.set_mood(mood);
    }

    /// Does what the next `count` calls ask that change something, and hangs up instead of
    /// answering.
    pub fn lose_answers(&self, count: usize) {
        self.0.lose_answers(count);
    }

    /// Lets half a minute pass, after which it does not know any more what was told twice.
    pub fn forget_pending(&self) {
        self.0.memory().forget_pending();
    }

    /// Lets no post be changed any more.
    pub fn close_edits(&self) {
        self.0.memory().is_edit_closed = true;
    }

    /// Somebody else says something, also with props.
    pub fn say(&self, user: &str, message: &str, props: Value) {
        self.0.memory().say(user, message, props);
    }

    /// All posts, oldest first.
    pub fn posts(&self) -> Vec<Post> {
        self.0.memory().posts.clone()
    }
}
