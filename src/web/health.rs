//! Whether the service does its work, as a monitor asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::ledger::tally::Tally;
use crate::ledger::view::Counts;
use crate::subject::ConnectionName;

/// The rules in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RulesReport {
    /// When they were loaded.
    pub loaded_at: Timestamp,
    /// How many there are.
    pub count: usize,
    /// What is wrong with their files now, so that these stay in force.
    pub fault: Option<String>,
    /// Which set they are, from 1.
    pub generation: u64,
}

/// How the looking for what no message has told goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReconcileReport {
    /// When all projects had been looked at the last time.
    pub done_at: Option<Timestamp>,
    /// How many projects there are.
    pub projects: usize,
    /// How many of them cannot be looked at.
    pub failing: usize,
    /// Some of those, by connection and project, and why not.
    pub failures: BTreeMap<String, String>,
}

/// How the asking of one source goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PollReport {
    /// When it was asked the last time.
    pub looked_at: Option<Timestamp>,
    /// When it answered the last time, and what it told was stored.
    pub succeeded_at: Option<Timestamp>,
    /// When everything of the last days was gone through the last time.
    pub reconciled_at: Option<Timestamp>,
    /// When the newest of what it told happened, by its own clock.
    pub newest: Option<Timestamp>,
    /// How late that was heard of, in seconds.
    pub lag_s: Option<i64>,
    /// How many series are incomplete, and are waited for.
    pub waiting: usize,
    /// How often it has failed since it answered the last time.
    pub failures: u32,
    /// Why, the last time.
    pub error: Option<String>,
}

/// What the parts of the service tell about themselves.
#[derive(Debug, Default)]
pub struct Health {
    read: AtomicU64,
    ignored: AtomicU64,
    dead: AtomicU64,
    repeats: AtomicU64,
    passed_over: AtomicU64,
    sources: Mutex<Vec<(&'static str, bool)>>,
    were_up: Mutex<BTreeSet<&'static str>>,
    rules: Mutex<Option<RulesReport>>,
    reconcile: Mutex<Option<ReconcileReport>>,
    polled: Mutex<BTreeMap<ConnectionName, PollReport>>,
}

impl Health {
    /// Counts what a batch held.
    pub fn count(&self, tally: &Tally, passed_over: u64) {
        let counters = [
            (&self.read, tally.read),
            (&self.ignored, tally.ignored),
            (&self.dead, tally.dead),
            (&self.repeats, tally.repeats),
            (&self.passed_over, passed_over),
        ];
        for (counter, count) in counters {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Whether a source was listened to at some time.
    pub fn was_up(&self, name: &str) -> bool {
        self.were_up.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Notes whether a source is being listened to.
    pub fn source(&self, name: &'static str, is_up: bool) {
        if is_up {
            self.were_up.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        }
        // A poisoned lock only means that another thread panicked while it told the same.
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match sources.iter_mut().find(|(known, _)| *known == name) {
            Some((_, state)) => *state = is_up,
            None => sources.push((name, is_up)),
        }
    }

    /// Notes which rules are in force.
    pub fn set_rules(&self, report: RulesReport) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// The rules in force; none before they are.
    pub fn rules(&self) -> Option<RulesReport> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how the looking for what no message has told goes.
    pub fn set_reconcile(&self, report: ReconcileReport) {
        *self.reconcile.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// How the looking for what no message has told goes; none where nobody looks.
    pub fn reconcile(&self) -> Option<ReconcileReport> {
        self.reconcile.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how the asking of a source goes.
    pub fn set_polled(&self, connection: &ConnectionName, report: PollReport) {
        let mut polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        polled.insert(connection.clone(), report);
    }

    /// How the asking of each source goes that has to be asked.
    pub fn polled(&self) -> BTreeMap<ConnectionName, PollReport> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many messages have come.
    pub fn received(&self) -> u64 {
        let counters = [&self.read, &self.ignored, &self.dead, &self.repeats, &self.passed_over];
        counters.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// Whether every source is being listened to.
    pub fn is_ready(&self) -> bool {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        !sources.is_empty() && sources.iter().all(|(_, is_up)| *is_up)
    }

    /// All of it, in the words of fedora-messaging's monitor where it has them.
    pub fn report(&self, counts: &Counts) -> Value {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let sources: serde_json::Map<_, _> =
            sources.iter().map(|(name, is_up)| ((*name).to_owned(), Value::Bool(*is_up))).collect();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (read, ignored, dead) = (count(&self.read), count(&self.ignored), count(&self.dead));
        let (repeats, passed_over) = (count(&self.repeats), count(&self.passed_over));
        let is_consuming = sources.values().all(|is_up| *is_up == Value::Bool(true));
        json!({
            "consuming": is_consuming && !sources.is_empty(),
            "sources": sources,
            "consumed": {
                "received": read + ignored + dead + repeats + passed_over,
                "processed": read,
                "ignored": ignored,
                "dead": dead,
                "repeated": repeats,
                "passed_over": passed_over,
            },
            "ledger": counts,
            "rules": self.rules(),
            "reconcile": self.reconcile(),
            "polled": self.polled(),
        })
    }
}
