//! What each rule has said, over time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Ledger, LedgerError};
use crate::clock::from_millis;
use crate::decision::{Considered, Outcome};

/// How many events are looked at, the newest first.
const EVENTS_MAX: u32 = 500_000;
/// How many different reasons are counted for one rule; what comes beyond is only an outcome.
const REASONS_MAX: usize = 100;

/// What the rules have said since a moment.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    /// The moment.
    pub since: Timestamp,
    /// How far back the ledger goes, if there is anything in it.
    pub from: Option<Timestamp>,
    /// How many events there were.
    pub events: u64,
    /// The rules, by name.
    pub rules: BTreeMap<String, RuleHistory>,
}

/// What one rule has said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleHistory {
    /// How often it came to which outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Why it did not fire, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// When it last fired, or would have, were it not in shadow mode.
    pub fired_at: Option<Timestamp>,
    /// When it last could not be evaluated, and why.
    pub failure: Option<RuleFailure>,
}

/// That a rule could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleFailure {
    /// When.
    pub at: Timestamp,
    /// What could not be evaluated.
    pub expression: String,
    /// Why not.
    pub error: String,
}

/// The part of a stored decision that counts here.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    considered: Vec<Considered>,
}

impl RuleHistory {
    /// How often it came to the outcome that is called `word`.
    pub fn count(&self, word: &str) -> u64 {
        self.outcomes.get(word).copied().unwrap_or_default()
    }

    /// Takes note of an outcome that is older than all before.
    fn note(&mut self, at: Timestamp, outcome: Outcome) {
        *self.outcomes.entry(outcome.as_str().to_owned()).or_default() += 1;
        if let Some(reason) = reason(&outcome)
            && (self.reasons.len() < REASONS_MAX || self.reasons.contains_key(&reason))
        {
            *self.reasons.entry(reason).or_default() += 1;
        }
        if matches!(outcome, Outcome::Fired { .. } | Outcome::Shadow { .. }) {
            self.fired_at.get_or_insert(at);
        }
        if let Outcome::Failed { expression, error } = outcome {
            self.failure.get_or_insert(RuleFailure { at, expression, error });
        }
    }
}

/// Why a rule did not fire, without what only this event is like.
fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Elsewhere { name, .. } => Some(format!("`{name}` is another")),
        Outcome::Not { condition, .. } => Some(format!("`{condition}` does not hold")),
        Outcome::Failed { expression, .. } => Some(format!("`{expression}` cannot be evaluated")),
        Outcome::OptedOut { word } => Some(format!("its author says `{word}`")),
        Outcome::Lacks { what } => Some(format!("there is no {what}")),
        Outcome::Untrusted { found, .. } => Some(format!("the author is `{found}`")),
        Outcome::Already { .. } => Some("it has ordered the revision before".to_owned()),
        Outcome::Held { found, .. } => Some(format!("the author is `{found}`, and it waits")),
        Outcome::Fired { .. } | Outcome::Shadow { .. } | Outcome::Asks => None,
    }
}

impl Ledger {
    /// What the rules have said since `since`.
    pub async fn rule_history(&self, since: Timestamp) -> Result<History, LedgerError> {
        self.read(move |db| {
            let from: Option<i64> =
                db.query_row("SELECT min(at) FROM events", [], |row| row.get(0))?;
            let from = from.map(from_millis);
            let mut history = History { since, from, events: 0, rules: BTreeMap::new() };
            let mut select = db.prepare_cached(
                "SELECT at, decision FROM events WHERE at >= ?1 ORDER BY at DESC LIMIT ?2",
            )?;
            let mut rows = select.query(params![since.as_millisecond(), EVENTS_MAX])?;
            while let Some(row) = rows.next()? {
                let at = from_millis(row.get("at")?);
                let decision: String = row.get("decision")?;
                let said: Said = serde_json::from_str(&decision)?;
                history.events += 1;
                for Considered { rule, outcome, .. } in said.considered {
                    history.rules.entry(rule).or_default().note(at, outcome);
                }
            }
            Ok(history)
        })
        .await
    }
}
