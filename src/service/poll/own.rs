//! Our own desk: what sources tell goes into the ledger by the way that every message goes.

use async_trait::async_trait;

use super::Desk;
use crate::ledger::Ledger;
use crate::ledger::cursors::Cursor;
use crate::message::Message;
use crate::remote::Failure;
use crate::service::live::Live;
use crate::source::Delivered;
use crate::telemetry::metrics::{self, MessageResult};
use crate::web::health::Health;

use std::sync::Arc;

/// What messages of sources that were asked are said to have come from.
pub(in crate::service) const SOURCE: &str = "poll";

/// The ledger, and how messages are read for it.
pub(super) struct OwnDesk {
    pub(super) live: Live,
    pub(super) ledger: Ledger,
    pub(super) health: Arc<Health>,
}

#[async_trait]
impl Desk for OwnDesk {
    async fn cursor(&self, name: String) -> anyhow::Result<Option<Cursor>> {
        Ok(self.ledger.cursor(name).await?)
    }

    /// What no rule can want is not stored: when a rule wants it one day, it may be told again.
    async fn take(
        &self,
        messages: Vec<Message>,
        cursors: Vec<(String, String)>,
    ) -> anyhow::Result<Result<(), Failure>> {
        let current = self.live.current();
        let found = messages.len();
        let wanted = messages.into_iter().filter(|it| current.reader.selection.wants(&it.topic));
        let delivered =
            wanted.map(|message| Delivered { message, redelivered: false, inbox: None });
        let batch: Vec<_> = delivered.map(|one| current.reader.intake(SOURCE, one)).collect();
        let passed_over = found.saturating_sub(batch.len()) as u64;
        let is_empty = batch.is_empty();
        let put = self.ledger.put_with_cursors(batch, cursors, current.decide());
        let (stored, tally) = put.await?;
        // The source keeps nothing for us that it would have to be told of.
        drop(stored);
        tally.tell();
        metrics::count_messages(MessageResult::PassedOver, passed_over);
        self.health.count(&tally, passed_over);
        if !is_empty {
            metrics::set_last_message(self.ledger.clock().now());
        }
        Ok(Ok(()))
    }
}
