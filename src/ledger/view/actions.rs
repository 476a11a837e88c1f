//! Actions, waiting and past.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::events::{self, EventView};
use super::{Ledger, LedgerError, rows, time};
use crate::action::Task;

/// Where an action is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ActionState {
    /// In line.
    Waiting,
    /// In the hands of the worker.
    Claimed,
    /// Done.
    Done,
    /// Given up.
    Buried,
    /// Not needed any more.
    Superseded,
}

impl ActionState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Claimed, Self::Done, Self::Buried, Self::Superseded];

    /// The word for it in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Buried => "buried",
            Self::Superseded => "superseded",
        }
    }
}

/// An action as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct ActionView {
    /// Its place in line.
    pub seq: i64,
    /// Its key.
    pub key: String,
    /// What kind of action: `start`, `inspect`, `cancel`, `report`, `notify`.
    pub kind: String,
    /// Where it is done.
    pub connection: String,
    /// What it is about.
    pub subject: Option<String>,
    /// The run it belongs to.
    pub run: Option<String>,
    /// `waiting`, `claimed`, `done`, `buried` or `superseded`.
    pub state: String,
    /// Tries whose end is not known or was bad.
    pub attempts: u32,
    /// How often it was put off without fault.
    pub rounds: u32,
    /// When it is tried next, if it waits.
    pub due_at: Timestamp,
    /// When it was decided upon.
    pub made_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// Why it failed, or was not needed any more.
    pub error: Option<String>,
    /// What to do.
    pub task: Task,
}

/// An action with what caused it.
#[derive(Clone, Debug, Serialize)]
pub struct ActionWhole {
    /// As in a list.
    #[serde(flatten)]
    pub view: ActionView,
    /// The event that caused it, unless it was forgotten.
    pub event: Option<EventView>,
}

/// The columns of an [`ActionView`].
pub(super) const COLUMNS: &str = "SELECT a.*, \
     (SELECT e.subject FROM events AS e WHERE e.seq = a.event) AS subject FROM actions AS a";

pub(super) fn read(row: &Row<'_>) -> Result<ActionView, LedgerError> {
    let task: String = row.get("body")?;
    Ok(ActionView {
        seq: row.get("seq")?,
        key: row.get("key")?,
        kind: row.get("kind")?,
        connection: row.get("connection")?,
        subject: row.get("subject")?,
        run: row.get("run")?,
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        rounds: row.get("rounds")?,
        due_at: time(row, "due_at")?,
        made_at: time(row, "made_at")?,
        changed_at: time(row, "changed_at")?,
        error: row.get("error")?,
        task: serde_json::from_str(&task)?,
    })
}

impl Ledger {
    /// The newest `limit` actions, or those that came last into one state, newest first.
    pub async fn actions(
        &self,
        state: Option<ActionState>,
        limit: u32,
    ) -> Result<Vec<ActionView>, LedgerError> {
        self.read(move |db| match state {
            None => rows(db, (&format!("{COLUMNS} ORDER BY a.seq DESC LIMIT ?1"), [limit]), read),
            Some(state) => {
                let sql = format!(
                    "{COLUMNS} WHERE a.state = ?1 ORDER BY a.changed_at DESC, a.seq DESC LIMIT ?2"
                );
                rows(db, (&sql, params![state.as_str(), limit]), read)
            }
        })
        .await
    }

    /// The action with the number `seq`.
    pub async fn action(&self, seq: i64) -> Result<Option<ActionWhole>, LedgerError> {
        self.read(move |db| {
            let sql = format!("{COLUMNS} WHERE a.seq = ?1");
            let Some(view) = rows(db, (&sql, [seq]), read)?.pop() else { return Ok(None) };
            let event: i64 =
                db.query_row("SELECT event FROM actions WHERE seq = ?1", [seq], |row| row.get(0))?;
            Ok(Some(ActionWhole { view, event: events::numbered(db, event)? }))
        })
        .await
    }
}

impl Ledger {
    /// The last `limit` actions that events about `subject` have caused, oldest first.
    pub async fn actions_about(
        &self,
        subject: String,
        limit: u32,
    ) -> Result<Vec<ActionView>, LedgerError> {
        self.read(move |db| {
            let sql = format!(
                "{COLUMNS} WHERE a.event IN (SELECT seq FROM events WHERE subject = ?1) \
                 ORDER BY a.seq DESC LIMIT ?2"
            );
            let mut actions = rows(db, (&sql, params![subject, limit]), read)?;
            actions.reverse();
            Ok(actions)
        })
        .await
    }
}

/// The actions that the event with the number `event` caused.
pub(super) fn of_event(db: &Connection, event: i64) -> Result<Vec<ActionView>, LedgerError> {
    let sql = format!("{COLUMNS} WHERE a.event = ?1 ORDER BY a.seq");
    rows(db, (&sql, [event]), read)
}

/// The actions that belong to the run `run`.
pub(super) fn of_run(db: &Connection, run: &str) -> Result<Vec<ActionView>, LedgerError> {
    let sql = format!("{COLUMNS} WHERE a.run = ?1 ORDER BY a.seq");
    rows(db, (&sql, [run]), read)
}
