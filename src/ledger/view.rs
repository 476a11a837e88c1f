//! What people ask the ledger.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::{Ledger, LedgerError, known};
use crate::clock::from_millis;
use crate::decision::Known;
use crate::event::Event;

pub mod actions;
pub mod events;
pub mod messages;
pub mod news;
pub mod past;
pub mod rules;
pub mod runs;
pub mod subjects;

/// How much there is of what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages that cannot be read.
    pub dead_letters: u64,
    /// Messages that wait in the inbox.
    pub inbox: u64,
    /// Actions that wait.
    pub waiting: u64,
    /// Actions that were given up.
    pub buried: u64,
    /// Runs without a verdict.
    pub open_runs: u64,
    /// How long the oldest action that is due has been waiting, in milliseconds.
    pub lag_ms: u64,
    /// Actions that wait, by connection.
    pub waiting_at: BTreeMap<String, u64>,
}

/// What was found by the beginning of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// The one.
    One(T),
    /// Nothing begins so.
    Nothing,
    /// These begin so, and perhaps others.
    Several(Vec<String>),
}

impl<T> Found<T> {
    /// The one, if it is one.
    fn and_then<U>(
        self,
        then: impl FnOnce(T) -> Result<U, LedgerError>,
    ) -> Result<Found<U>, LedgerError> {
        match self {
            Self::One(one) => Ok(Found::One(then(one)?)),
            Self::Nothing => Ok(Found::Nothing),
            Self::Several(ids) => Ok(Found::Several(ids)),
        }
    }
}

impl Ledger {
    /// What a decision about `event` would be told now.
    pub async fn known(&self, event: Event) -> Result<Known, LedgerError> {
        let now = self.now();
        self.read(move |db| known::load(db, &event, now)).await
    }

    /// How many messages wait to be read, and actions to be done or to end.
    pub async fn left_to_do(&self) -> Result<u64, LedgerError> {
        self.read(|db| {
            let count: i64 = db.query_row(
                "SELECT (SELECT count(*) FROM inbox) \
                 + (SELECT count(*) FROM actions WHERE state IN ('waiting', 'claimed'))",
                [],
                |row| row.get(0),
            )?;
            Ok(count.cast_unsigned())
        })
        .await
    }

    /// Counts what waits, and what needs somebody.
    pub async fn counts(&self) -> Result<Counts, LedgerError> {
        let now = self.now();
        self.read(move |db| {
            let oldest: Option<i64> = db.query_row(
                "SELECT min(due_at) FROM actions WHERE state = 'waiting'",
                [],
                |row| row.get(0),
            )?;
            let lag = oldest.map_or(0, |due| now.saturating_sub(due).max(0));
            let waiting_at = waiting_at(db)?;
            Ok(Counts {
                dead_letters: count(db, "messages WHERE state = 'dead'")?,
                inbox: count(db, "inbox")?,
                waiting: waiting_at.values().sum(),
                buried: count(db, "actions WHERE state = 'buried'")?,
                open_runs: count(db, "runs WHERE is_done = 0")?,
                lag_ms: lag.cast_unsigned(),
                waiting_at,
            })
        })
        .await
    }
}

/// How many actions wait at each connection where any do.
fn waiting_at(db: &Connection) -> Result<BTreeMap<String, u64>, LedgerError> {
    let mut select = db.prepare_cached(
        // Without the hint it sorts all that waits.
        "SELECT connection, count(*) FROM actions INDEXED BY actions_waiting \
         WHERE state = 'waiting' GROUP BY connection",
    )?;
    let rows =
        select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn count(db: &Connection, what: &'static str) -> Result<u64, LedgerError> {
    let mut select = db.prepare_cached(&format!("SELECT count(*) FROM {what}"))?;
    Ok(select.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

/// How many ids are told when several begin alike.
const ALIKE_MAX: u32 = 6;

/// The id in the column `id` of `table` that begins with `start`; one that is `start` wins.
fn find_id(
    db: &Connection,
    table: &'static str,
    start: &str,
) -> Result<Found<String>, LedgerError> {
    let mut select = db.prepare_cached(&format!(
        "SELECT id FROM {table} WHERE id >= ?1 AND id < ?1 || char(1114111) ORDER BY id LIMIT {ALIKE_MAX}"
    ))?;
    let ids = select.query_map([start], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    // The shortest comes first in this order.
    match ids.as_slice() {
        [] => Ok(Found::Nothing),
        [only] => Ok(Found::One(only.clone())),
        [first, ..] if first == start => Ok(Found::One(first.clone())),
        [_, ..] => Ok(Found::Several(ids)),
    }
}

/// The time in a column of milliseconds.
fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    Ok(from_millis(row.get(column)?))
}

/// The rows of `sql`, each made by `read`.
fn rows<T, P: rusqlite::Params>(
    db: &Connection,
    (sql, params): (&str, P),
    read: impl Fn(&Row<'_>) -> Result<T, LedgerError>,
) -> Result<Vec<T>, LedgerError> {
    let mut select = db.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
