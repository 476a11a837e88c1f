//! The embedded bus: the ledger's own inbox, and no broker at all.

use std::time::Duration;

use async_trait::async_trait;

use super::{Batch, Delivered, Source, SourceError};
use crate::ledger::bell::Bell;
use crate::ledger::inbox::Waiting;
use crate::ledger::{Ledger, Stored};

/// How long it waits at most before it looks: another process may have put something there.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Reads the inbox.
#[derive(Debug)]
pub struct Embedded {
    ledger: Ledger,
    bell: Bell,
    batch_max: u32,
    handed_over: i64,
}

impl Embedded {
    /// Reads the inbox of `ledger`, up to `batch_max` messages at once.
    pub fn new(ledger: Ledger, batch_max: u32) -> Self {
        let bell = ledger.posted();
        Self { ledger, bell, batch_max, handed_over: 0 }
    }
}

fn delivered(waiting: Waiting) -> Delivered {
    Delivered { message: waiting.message, redelivered: false, inbox: Some(waiting.seq) }
}

#[async_trait]
impl Source for Embedded {
    /// What was handed over leaves the inbox in the transaction that stores it, so a batch that
    /// was never stored is found again by the next process.
    async fn next(&mut self) -> Result<Batch, SourceError> {
        loop {
            self.bell.mark_unchanged();
            let waiting = self
                .ledger
                .inbox(self.handed_over, self.batch_max)
                .await
                .map_err(|error| SourceError::Refused(error.into()))?;
            if let Some(last) = waiting.last() {
                self.handed_over = last.seq;
                let messages = waiting.into_iter().map(delivered).collect();
                return Ok(Batch { messages, passed_over: 0 });
            }
            tokio::select! {
                heard = self.bell.changed() => if heard.is_err() {
                    return Err(SourceError::Refused(anyhow::anyhow!("the ledger is closed")));
                },
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn acknowledge(&mut self, stored: Stored) -> Result<(), SourceError> {
        drop(stored);
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        Ok(())
    }
}
