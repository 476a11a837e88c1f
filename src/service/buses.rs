//! Where messages are put: the broker, or our own inbox where there is none.

use std::sync::Arc;

use crate::ledger::Ledger;
use crate::reporters::bus::Post;
use crate::service::inbox::Inbox;
use crate::source::amqp::plan::Plan;
use crate::source::amqp::publish::{Publisher, Unheard};

/// The ways onto the bus.  Each has a connection of its own, so that what one is refused does not
/// harm the other.
pub(super) struct Buses {
    /// For messages of our own.
    pub(super) reports: Arc<dyn Post>,
    /// For messages that are handed to us, which have to reach somebody.
    pub(super) door: Arc<dyn Post>,
    /// What stands before the topics of our own.
    pub(super) prefix: String,
}

impl Buses {
    pub(super) fn new(plan: Option<&Plan>, ledger: &Ledger) -> Self {
        if let Some(plan) = plan {
            return Self {
                reports: Arc::new(Publisher::new(plan, Unheard::Gone)),
                door: Arc::new(Publisher::new(plan, Unheard::Refused)),
                prefix: plan.topic_prefix().to_owned(),
            };
        }
        let inbox = Arc::new(Inbox::new(ledger.clone()));
        Self { reports: Arc::<Inbox>::clone(&inbox), door: inbox, prefix: String::new() }
    }
}
