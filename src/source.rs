//! Where messages come from, and the promise that none is acknowledged before it is stored.

use async_trait::async_trait;

use crate::ledger::Stored;
use crate::message::Message;

/// A few messages that a source hands over together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages that some topic may want, in order.
    pub messages: Vec<Delivered>,
    /// How many others came with them and were not looked at, because no rule can care.
    pub passed_over: u64,
}

/// One message, and how its source calls it.
#[derive(Debug)]
pub struct Delivered {
    /// The message.
    pub message: Message,
    /// Whether the broker says that it delivered it before.
    pub redelivered: bool,
    /// The entry in the ledger's own inbox, when it comes from there.
    pub inbox: Option<i64>,
}

/// Why a source has nothing more to give.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It may come back: the caller asks again, later and later.
    #[error("lost the connection to the source")]
    Lost(#[source] anyhow::Error),
    /// It will not: a person has to act.
    #[error("cannot use the source")]
    Refused(#[source] anyhow::Error),
}

/// Somewhere messages come from.
#[async_trait]
pub trait Source: Send {
    /// Makes sure that messages are being listened for; nothing if they are.
    ///
    /// A source that has nothing to reach is always open.
    async fn open(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Does what others ask of the source while nobody waits for its messages; never ends.
    ///
    /// It may be cancelled.
    async fn attend(&mut self) {
        std::future::pending::<()>().await;
    }

    /// Waits for the next messages: whatever is ready, at least one, or only passed-over ones.
    ///
    /// After [`SourceError::Lost`] the next call connects anew; what was not acknowledged comes
    /// again.
    async fn next(&mut self) -> Result<Batch, SourceError>;

    /// The next messages, if some are ready, to be read while the last batch is being stored.
    ///
    /// Unlike [`Source::next`] it may be called before that batch is acknowledged, and never waits.
    fn next_ready(&mut self) -> Option<Result<Batch, SourceError>> {
        None
    }

    /// Lets the source forget the oldest batch it handed over, which is safe only once stored.
    async fn acknowledge(&mut self, stored: Stored) -> Result<(), SourceError>;

    /// Takes leave.  What was handed over and not acknowledged comes again.
    async fn close(&mut self) -> Result<(), SourceError>;
}

pub mod amqp;
pub mod embedded;
pub mod poll;
