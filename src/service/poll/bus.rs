//! The broker as a desk: what sources tell is published for everybody who listens.

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Desk;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::ledger::cursors::Cursor;
use crate::message::Message;
use crate::remote::Failure;
use crate::reporters::bus::Post;
use crate::source::amqp::publish::Outgoing;

/// Publishes what sources tell, in the form of fedora-messaging, and remembers how far it has come.
///
/// It remembers that only after the broker has confirmed every message, so that what dies in
/// between is published once more, with the same ids.
pub struct BusDesk {
    post: Arc<dyn Post>,
    prefix: String,
    state: Ledger,
    clock: Clock,
}

impl BusDesk {
    /// A desk that publishes to `post`, with `prefix` before each topic, and keeps its cursors in
    /// `state`, which nobody else uses.
    pub fn new(post: Arc<dyn Post>, prefix: String, (state, clock): (Ledger, Clock)) -> Self {
        Self { post, prefix, state, clock }
    }

    fn outgoing(&self, message: Message) -> anyhow::Result<Message> {
        let body: Value =
            serde_json::from_slice(&message.body).context("a message of ours is no JSON")?;
        let id = message.identity().as_str().to_owned();
        let outgoing = Outgoing { id, topic: message.topic, headers: Map::new(), body };
        Ok(outgoing.message(&self.prefix, self.clock.now()))
    }
}

#[async_trait]
impl Desk for BusDesk {
    async fn cursor(&self, name: String) -> anyhow::Result<Option<Cursor>> {
        Ok(self.state.cursor(name).await?)
    }

    async fn take(
        &self,
        messages: Vec<Message>,
        cursors: Vec<(String, String)>,
    ) -> anyhow::Result<Result<(), Failure>> {
        // One after the other: those who listen hear them in the order in which they happened.
        for message in messages {
            if let Err(failure) = self.post.post(self.outgoing(message)?).await {
                return Ok(Err(failure));
            }
        }
        self.state.set_cursors(cursors).await?;
        Ok(Ok(()))
    }
}
