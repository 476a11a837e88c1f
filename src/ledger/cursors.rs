//! Cursors: how far something has come that looks outside from time to time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Ledger, LedgerError};
use crate::clock::from_millis;

/// How far something has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What it wrote down.
    pub value: String,
    /// When.
    pub at: Timestamp,
}

impl Ledger {
    /// The cursor called `name`, if it was ever written.
    pub async fn cursor(&self, name: String) -> Result<Option<Cursor>, LedgerError> {
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT value, at FROM cursors WHERE name = ?1")?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Cursor { value: row.get(0)?, at: from_millis(row.get(1)?) })
            };
            Ok(select.query_row([name], read).optional()?)
        })
        .await
    }

    /// Writes the cursor called `name`.
    pub async fn set_cursor(&self, name: String, value: String) -> Result<(), LedgerError> {
        self.set_cursors(vec![(name, value)]).await
    }

    /// Writes `cursors`, by name, all or none.
    pub async fn set_cursors(&self, cursors: Vec<(String, String)>) -> Result<(), LedgerError> {
        let now = self.now();
        self.write(move |transaction| {
            for (name, value) in &cursors {
                write(transaction, (name, value), now)?;
            }
            Ok(())
        })
        .await
    }

    /// Forgets the cursors that begin with `start` and are not among `kept`.
    pub async fn keep_cursors(
        &self,
        start: &'static str,
        kept: BTreeSet<String>,
    ) -> Result<(), LedgerError> {
        self.write(move |transaction| {
            let mut select = transaction.prepare_cached(
                "SELECT name FROM cursors WHERE name >= ?1 AND name < ?1 || char(1114111)",
            )?;
            let names = select.query_map([start], |row| row.get(0))?;
            let names = names.collect::<Result<Vec<String>, _>>()?;
            let mut delete = transaction.prepare_cached("DELETE FROM cursors WHERE name = ?1")?;
            for name in names.iter().filter(|name| !kept.contains(*name)) {
                delete.execute([name])?;
            }
            Ok(())
        })
        .await
    }
}

/// Writes one cursor.
pub(super) fn write(
    transaction: &Transaction<'_>,
    (name, value): (&str, &str),
    now: i64,
) -> Result<(), LedgerError> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO cursors (name, value, at) VALUES (?1, ?2, ?3) \
         ON CONFLICT (name) DO UPDATE SET value = ?2, at = ?3",
    )?;
    upsert.execute(params![name, value, now])?;
    Ok(())
}
