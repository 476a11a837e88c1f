//! Sources that tell nothing by themselves, and have to be asked from time to time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::event::series::SeriesEvent;
use crate::message::{Message, computed_id};
use crate::remote::Failure;
use crate::subject::ConnectionName;

/// What stands before the kind of an event in the topic of our own messages about it.
pub const TOPIC_PREFIX: &str = "pointsman.";

/// What was found by one look.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What happened, as messages that anybody can be told.
    pub messages: Vec<Message>,
    /// How far it has come; written down only together with the messages.
    pub cursor: String,
    /// Whether there is more to be had at once.
    pub has_more: bool,
    /// How many series are known to be incomplete, and are waited for.
    pub waiting: usize,
    /// When the newest of what was seen happened, by the source's own clock.
    pub newest: Option<Timestamp>,
}

/// A source that has to be asked.
///
/// Its cursor is a text of its own making, bounded in size.  What was found twice is no harm: a
/// message's id is computed, and so is an event's identity.
#[async_trait]
pub trait Poller: Send + Sync {
    /// Asks for what is new since `cursor`; at the very first look there is none, and what is old
    /// by then is not told.
    async fn look(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure>;

    /// Goes through everything of the last days, whatever the cursor says: what was missed is told.
    /// The cursor may stay as it is.
    async fn reconcile(&self, cursor: Option<&str>, now: Timestamp) -> Result<Look, Failure>;
}

/// A source that has to be asked, and how that is done.
#[derive(Clone)]
pub struct Polled {
    /// Its name.
    pub connection: ConnectionName,
    /// How to ask it.
    pub poller: Arc<dyn Poller>,
    /// How often.
    pub every: Duration,
    /// Who does.
    pub by: PolledBy,
}

impl std::fmt::Debug for Polled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { connection, every, by, .. } = self;
        write!(f, "Polled({connection}, {every:?}, {by:?})")
    }
}

/// The message that tells of `event`: plain JSON, whose id is computed from what it is about.
pub fn message(event: &SeriesEvent) -> Message {
    let topic = format!("{TOPIC_PREFIX}{}", event.event);
    let body = serde_json::to_vec(event).unwrap_or_default();
    let id = computed_id(&[topic.as_bytes(), &body]);
    Message {
        id: Some(id),
        topic,
        content_type: Some("application/json".to_owned()),
        body,
        ..Message::default()
    }
}

/// Who asks a source for what is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolledBy {
    /// The service itself.
    #[default]
    Service,
    /// `pointsman poll`, which publishes what it finds for all who listen to the broker.
    Poller,
    /// Nobody: others publish it.
    Nobody,
}
