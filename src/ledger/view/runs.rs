//! Runs, open and past.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::actions::{self, ActionView};
use super::{Found, Ledger, LedgerError, find_id, rows, time};
use crate::run::Run;

/// A run, and when it was ordered and heard of.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// The word for how far it is: `ordered`, `queued`, `running`, or a verdict.
    pub state: String,
    /// What it builds.
    pub subject: String,
    /// When it was decided upon.
    pub ordered_at: Timestamp,
    /// When something about it was last learnt.
    pub changed_at: Timestamp,
    /// The run itself.
    pub run: Run,
}

/// A run with all that was done for it.
#[derive(Clone, Debug, Serialize)]
pub struct RunWhole {
    /// As in a list.
    #[serde(flatten)]
    pub view: RunView,
    /// The actions that belong to it.
    pub actions: Vec<ActionView>,
}

/// Which runs are wanted.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those without a verdict.
    pub open: bool,
    /// Only those of this subject.
    pub subject: Option<String>,
}

const COLUMNS: &str = "SELECT state, subject, ordered_at, changed_at, body FROM runs";

fn read(row: &Row<'_>) -> Result<RunView, LedgerError> {
    let run: String = row.get("body")?;
    Ok(RunView {
        state: row.get("state")?,
        subject: row.get("subject")?,
        ordered_at: time(row, "ordered_at")?,
        changed_at: time(row, "changed_at")?,
        run: serde_json::from_str(&run)?,
    })
}

impl Ledger {
    /// The last `limit` runs that `filter` lets pass, newest first.
    pub async fn runs(&self, filter: RunFilter, limit: u32) -> Result<Vec<RunView>, LedgerError> {
        self.read(move |db| {
            let RunFilter { open, subject } = &filter;
            let order = "ORDER BY ordered_at DESC, changed_at DESC, id LIMIT ?1";
            match (subject, open) {
                (Some(subject), open) => {
                    let sql =
                        format!("{COLUMNS} WHERE subject = ?2 AND (is_done = 0 OR NOT ?3) {order}");
                    rows(db, (&sql, params![limit, subject, open]), read)
                }
                (None, true) => {
                    rows(db, (&format!("{COLUMNS} WHERE is_done = 0 {order}"), [limit]), read)
                }
                // Newest by the last change: that is what the index has.
                (None, false) => newest(db, limit),
            }
        })
        .await
    }

    /// The run whose id begins with `id`.
    pub async fn run_whole(&self, id: String) -> Result<Found<RunWhole>, LedgerError> {
        self.read(move |db| {
            find_id(db, "runs", &id)?.and_then(|id| {
                let sql = format!("{COLUMNS} WHERE id = ?1");
                let view = rows(db, (&sql, [&id]), read)?.pop();
                let view = view.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
                Ok(RunWhole { view, actions: actions::of_run(db, &id)? })
            })
        })
        .await
    }
}

/// The open runs and those that ended last, by the index over both.
fn newest(db: &Connection, limit: u32) -> Result<Vec<RunView>, LedgerError> {
    let mut runs = Vec::new();
    for is_done in [false, true] {
        let sql = format!("{COLUMNS} WHERE is_done = ?2 ORDER BY changed_at DESC LIMIT ?1");
        runs.extend(rows(db, (&sql, params![limit, is_done]), read)?);
    }
    runs.sort_by_key(|run| std::cmp::Reverse((run.ordered_at, run.changed_at)));
    runs.truncate(limit as usize);
    Ok(runs)
}
