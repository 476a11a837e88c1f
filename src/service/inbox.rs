//! The inbox as a bus: what is put there is read again by ourselves.

use anyhow::anyhow;
use async_trait::async_trait;

use crate::ledger::Ledger;
use crate::ledger::inbox::Posted;
use crate::message::Message;
use crate::remote::Failure;
use crate::reporters::bus::Post;

/// The ledger's inbox, as somewhere a message can be put.
#[derive(Clone, Debug)]
pub struct Inbox {
    ledger: Ledger,
}

impl Inbox {
    /// The inbox of `ledger`.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }
}

#[async_trait]
impl Post for Inbox {
    async fn post(&self, message: Message) -> Result<(), Failure> {
        match self.ledger.post(message).await {
            Ok(Posted::Accepted(_)) => Ok(()),
            Ok(Posted::Full) => Err(Failure::retry(anyhow!("the inbox is full"))),
            Err(error) => Err(Failure::retry(error)),
        }
    }
}
