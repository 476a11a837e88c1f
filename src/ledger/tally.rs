//! What a write has changed, for whoever counts.

use std::collections::BTreeSet;

use crate::decision::{Decision, Outcome};
use crate::event::{Event, EventKind};
use crate::subject::ConnectionName;
use crate::telemetry::metrics::{self, MessageResult};

/// What a write has changed, for counting and for waking whoever waits for it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Messages that were read into events.
    pub read: u64,
    /// Messages that no topic applies to.
    pub ignored: u64,
    /// Messages that cannot be read, kept as dead letters.
    pub dead: u64,
    /// Messages that were stored before.
    pub repeats: u64,
    /// The kinds of the events that were decided upon.
    pub events: Vec<EventKind>,
    /// Rule names, and the words of their outcomes.
    pub outcomes: Vec<(String, &'static str)>,
    /// Rules that could not be evaluated: where they stand, and why.
    pub failures: Vec<(String, String)>,
    /// Connections that have new work.
    pub connections: BTreeSet<ConnectionName>,
}

impl Tally {
    /// Notes an event and what was decided about it.
    pub(super) fn note(&mut self, event: &Event, decision: &Decision) {
        self.events.push(event.kind());
        for considered in &decision.considered {
            self.outcomes.push((considered.rule.clone(), considered.outcome.as_str()));
            if let Outcome::Failed { expression, error } = &considered.outcome {
                let place = format!("{}: `{expression}`", considered.at);
                self.failures.push((place, error.clone()));
            }
        }
        for action in &decision.actions {
            if !self.connections.contains(&action.connection) {
                self.connections.insert(action.connection.clone());
            }
        }
    }

    /// How many messages it is about.
    pub fn messages(&self) -> u64 {
        self.read + self.ignored + self.dead + self.repeats
    }

    /// Tells the monitors, and whoever reads the log what somebody has to mend.
    pub fn tell(&self) {
        metrics::count_messages(MessageResult::Read, self.read);
        metrics::count_messages(MessageResult::Ignored, self.ignored);
        metrics::count_messages(MessageResult::Dead, self.dead);
        metrics::count_messages(MessageResult::Repeat, self.repeats);
        for kind in &self.events {
            metrics::count_event(kind.as_str());
        }
        for (rule, outcome) in &self.outcomes {
            metrics::count_rule(rule, outcome);
        }
        for (place, error) in &self.failures {
            tracing::error!(place, error, "A rule cannot be evaluated; it did not fire");
        }
    }
}
