//! The rules in force, which change while the service runs.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Prepared;
use super::receive::Reader;
use crate::ledger::Decide;
use crate::rules::{RuleSet, decide};

/// One set of rules, and how messages are read for them.
#[derive(Debug)]
pub struct Current {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// How messages are read.
    pub reader: Arc<Reader>,
    /// Which set this is, from 1; the next one has the next number.
    pub generation: u64,
    /// When it was loaded.
    pub loaded_at: Timestamp,
}

impl Current {
    /// These rules, as the ledger asks them.
    pub fn decide(&self) -> Decide {
        let rules = Arc::clone(&self.rules);
        Arc::new(move |event, known| decide(&rules, event, known))
    }
}

/// The rules in force, for everybody who uses them.
///
/// Whoever takes the current set keeps it for as long as one thing takes (a batch, a decision), so
/// that nothing is ever judged by a mixture of two.
#[derive(Clone, Debug)]
pub struct Live(watch::Sender<Arc<Current>>);

impl Live {
    /// The first set.
    pub fn new(prepared: &Prepared, now: Timestamp) -> Self {
        Self::begin((Arc::clone(&prepared.rules), Arc::clone(&prepared.reader)), now)
    }

    /// As [`Live::new`], of any rules and a way to read messages.
    pub fn begin((rules, reader): (Arc<RuleSet>, Arc<Reader>), now: Timestamp) -> Self {
        Self(watch::Sender::new(Arc::new(Current { rules, reader, generation: 1, loaded_at: now })))
    }

    /// The set in force.
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.0.borrow())
    }

    /// Rings when another set is in force.
    pub fn changes(&self) -> watch::Receiver<Arc<Current>> {
        self.0.subscribe()
    }

    /// Whether some rule can care about messages with this routing key.
    pub fn wants(&self, topic: &str) -> bool {
        self.0.borrow().reader.selection.wants(topic)
    }

    /// The rules that are in force at each decision, as the ledger asks them.
    pub fn decide(&self) -> Decide {
        let live = self.clone();
        Arc::new(move |event, known| decide(&live.current().rules, event, known))
    }

    /// Puts what was read into force, and answers with it.
    pub(super) fn replace(&self, prepared: &Prepared, now: Timestamp) -> Arc<Current> {
        let next = Arc::new(Current {
            rules: Arc::clone(&prepared.rules),
            reader: Arc::clone(&prepared.reader),
            generation: self.current().generation.saturating_add(1),
            loaded_at: now,
        });
        self.0.send_replace(Arc::clone(&next));
        next
    }
}
