//! What stands in a ledger, read beside the service.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

/// What stands in a ledger.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// State and reason of each message.
    pub(crate) messages: BTreeMap<String, (String, Option<String>)>,
    /// How many messages wait in the inbox.
    pub(crate) inbox: i64,
    /// What is to be done.
    pub(crate) open: Vec<Open>,
    /// What was given up, and why.
    pub(crate) buried: Vec<(String, String)>,
    /// The runs, in the order in which they were ordered.
    pub(crate) runs: Vec<Run>,
    /// The decisions, as JSON.
    pub(crate) decisions: Vec<String>,
}

/// An action that waits or is in hand.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) attempts: i64,
    /// Why the last try failed.
    pub(crate) error: Option<String>,
    run: Option<String>,
}

impl Open {
    /// Whether it only looks after a build from time to time.
    fn is_patrol(&self) -> bool {
        self.run.as_ref().is_some_and(|run| self.key == format!("inspect/{run}"))
    }
}

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) rule: String,
    pub(crate) revision: String,
    pub(crate) state: String,
    pub(crate) is_done: bool,
    /// Whether it was to be cancelled, whatever came of that.
    pub(crate) is_unwanted: bool,
}

impl Look {
    /// Reads the ledger; one that is not there yet is empty.
    pub(crate) fn at(path: &Path) -> Self {
        Self::read(path).unwrap_or_default()
    }

    fn read(path: &Path) -> rusqlite::Result<Self> {
        let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // One moment, not several.
        let db = db.transaction()?;
        let messages = rows(&db, "SELECT id, state, reason FROM messages", |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })?;
        let open = "SELECT key, kind, attempts, error, run FROM actions \
                    WHERE state IN ('waiting', 'claimed') ORDER BY seq";
        let buried = "SELECT key, error FROM actions WHERE state = 'buried' ORDER BY seq";
        let decisions = "SELECT decision FROM events ORDER BY seq";
        let runs = "SELECT rule, revision, state, is_done, body ->> '$.cancelling' IS NOT NULL FROM runs ORDER BY ordered_at, rowid";
        Ok(Self {
            messages: messages.into_iter().collect(),
            inbox: db.query_row("SELECT count(*) FROM inbox", [], |row| row.get(0))?,
            open: rows(&db, open, read_open)?,
            buried: rows(&db, buried, |row| Ok((row.get(0)?, row.get(1)?)))?,
            decisions: rows(&db, decisions, |row| row.get(0))?,
            runs: rows(&db, runs, |row| {
                Ok(Run {
                    rule: row.get(0)?,
                    revision: row.get(1)?,
                    state: row.get(2)?,
                    is_done: row.get(3)?,
                    is_unwanted: row.get(4)?,
                })
            })?,
        })
    }

    /// Whether all of these messages are stored.
    pub(crate) fn has_all(&self, ids: &BTreeSet<String>) -> bool {
        self.inbox == 0 && ids.iter().all(|id| self.messages.contains_key(id))
    }

    /// Whether nothing is left to do but to look after builds.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open.iter().all(Open::is_patrol)
    }

    /// How many runs have no verdict.
    pub(crate) fn open_runs(&self) -> usize {
        self.runs.iter().filter(|run| !run.is_done).count()
    }

    /// A line for each run.
    pub(crate) fn runs(&self) -> String {
        let line =
            |run: &Run| format!("{} {} {}", run.rule, run.revision.get(..4).unwrap(), run.state);
        self.runs.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Why messages could not be read, in the order of their ids.
    pub(crate) fn dead(&self) -> String {
        let dead = self.messages.iter().filter(|(_, (state, _))| state == "dead");
        let line = |(id, (_, reason)): (&String, &(String, Option<String>))| {
            format!("{id}: {}", reason.as_deref().unwrap_or_default())
        };
        dead.map(line).collect::<Vec<_>>().join("\n")
    }
}

fn read_open(row: &Row<'_>) -> rusqlite::Result<Open> {
    Ok(Open {
        key: row.get(0)?,
        kind: row.get(1)?,
        attempts: row.get(2)?,
        error: row.get(3)?,
        run: row.get(4)?,
    })
}

fn rows<T>(
    db: &Connection,
    select: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare(select)?.query_map([], read)?.collect()
}
