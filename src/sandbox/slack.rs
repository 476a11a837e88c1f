//! A Slack with memory, over real HTTP: one channel, its incoming webhook, and the calls that
//! reporters make, errors included.

mod memory;

use serde_json::Value;

pub use crate::sandbox::chat::Mood;
use crate::sandbox::chat::StandIn;
use memory::Memory;

/// A message, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its id in the channel.
    pub ts: String,
    /// Who posted it.
    pub user: String,
    /// The words, in Slack's mark-up.
    pub text: String,
    /// The thread that it is in.
    pub thread: Option<String>,
    /// Whether a message of a thread is shown in the channel, too.
    pub is_broadcast: bool,
    /// What applications see beside the words.
    pub metadata: Value,
    /// How often it was changed.
    pub edits: usize,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct SlackStandIn(StandIn<Memory>);

impl SlackStandIn {
    /// The id of the channel.
    pub const CHANNEL: &str = "C0SIGNALBOX";
    /// The user that a token is for.
    pub const BOT: &str = "U0POINTSMAN";

    /// Starts one on a free port of this machine.
    pub async fn start() -> anyhow::Result<Self> {
        Ok(Self(StandIn::start(Memory::default()).await?))
    }

    /// Stops answering; what it knows is kept for [`SlackStandIn::restart`].
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
        format!("{}/services/T0/B0/{secret}", self.url())
    }

    /// Makes a token of the bot, with these scopes.
    pub fn add_token(&self, token: &str, scopes: &[&str]) {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.0.memory().tokens.insert(token.to_owned(), scopes);
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

    /// Puts the channel into the archive.
    pub fn archive(&self) {
        self.0.memory().is_archived = true;
    }

    /// Lets no message be changed any more.
    pub fn close_edits(&self) {
        self.0.memory().is_edit_closed = true;
    }

    /// Somebody else says something, also as an application with metadata.
    pub fn say(&self, user: &str, text: &str, metadata: Value) {
        self.0.memory().say(user, text, metadata);
    }

    /// All messages, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.0.memory().messages.clone()
    }
}
