//! What happened, and what the rules said to it.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::{Ledger, LedgerError, rows, time};
use crate::decision::Decision;
use crate::event::series::SeriesEvent;
use crate::event::{Event, EventKind};

/// An event as it was decided upon.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// Its place in the ledger.
    pub seq: i64,
    /// The id of the message that told it; none when an executor was asked.
    pub message: Option<String>,
    /// Its kind.
    pub kind: EventKind,
    /// What it is about; for a build of ours, the proposal.
    pub subject: String,
    /// When it was decided upon.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
    /// What the rules said.
    pub decision: Decision,
}

/// The columns of an [`EventView`].
pub(super) const COLUMNS: &str = "SELECT e.seq, e.subject, e.at, e.body, e.decision, \
     (SELECT m.id FROM messages AS m WHERE m.seq = e.message) AS message FROM events AS e";

pub(super) fn read(row: &Row<'_>) -> Result<EventView, LedgerError> {
    let (body, decision): (String, String) = (row.get("body")?, row.get("decision")?);
    let event: Event = serde_json::from_str(&body)?;
    Ok(EventView {
        seq: row.get("seq")?,
        message: row.get("message")?,
        kind: event.kind(),
        subject: row.get("subject")?,
        at: time(row, "at")?,
        event,
        decision: serde_json::from_str(&decision)?,
    })
}

impl Ledger {
    /// The last `limit` events about `subject`, oldest first.
    pub async fn events_about(
        &self,
        subject: String,
        limit: u32,
    ) -> Result<Vec<EventView>, LedgerError> {
        self.read(move |db| {
            let sql = format!("{COLUMNS} WHERE e.subject = ?1 ORDER BY e.seq DESC LIMIT ?2");
            let mut events = rows(db, (&sql, params![subject, limit]), read)?;
            events.reverse();
            Ok(events)
        })
        .await
    }

    /// The series as it was posted when that was news: its newest version, or the one that is named.
    ///
    /// What is posted as the same version later is told by somebody else, or once more, and counts
    /// for nothing.
    pub async fn series_posted(
        &self,
        subject: String,
        version: Option<u32>,
    ) -> Result<Option<SeriesEvent>, LedgerError> {
        let is_meant = move |posted: &SeriesEvent| {
            version.is_none_or(|version| posted.series.version == version)
        };
        self.read(move |db| {
            let posted = EventKind::SeriesPosted.as_str();
            let sql = format!(
                "{COLUMNS} WHERE e.subject = ?1 AND e.kind = ?2 \
                 AND e.decision ->> '$.not_news' IS NULL ORDER BY e.seq DESC"
            );
            let mut select = db.prepare_cached(&sql)?;
            let mut found = select.query(params![subject, posted])?;
            while let Some(row) = found.next()? {
                if let Event::Series(posted) = read(row)?.event
                    && is_meant(&posted)
                {
                    return Ok(Some(*posted));
                }
            }
            Ok(None)
        })
        .await
    }

    /// The subjects whose text contains `part`, at most `limit`; just the one that is `part` if
    /// there is one.
    pub async fn subjects_like(
        &self,
        part: String,
        limit: u32,
    ) -> Result<Vec<String>, LedgerError> {
        self.read(move |db| {
            let exact = "SELECT subject FROM events WHERE subject = ?1 LIMIT 1";
            let found = rows(db, (exact, [&part]), |row| Ok(row.get(0)?))?;
            if !found.is_empty() {
                return Ok(found);
            }
            let like = "SELECT DISTINCT subject FROM events WHERE instr(subject, ?1) > 0 \
                        ORDER BY subject LIMIT ?2";
            rows(db, (like, params![part, limit]), |row| Ok(row.get(0)?))
        })
        .await
    }
}

/// The events that the message with the number `seq` told.
pub(super) fn of_message(db: &Connection, seq: i64) -> Result<Vec<EventView>, LedgerError> {
    let sql = format!("{COLUMNS} WHERE e.message = ?1 ORDER BY e.seq");
    rows(db, (&sql, [seq]), read)
}

/// The event with the number `seq`, unless it was forgotten.
pub(super) fn numbered(db: &Connection, seq: i64) -> Result<Option<EventView>, LedgerError> {
    let sql = format!("{COLUMNS} WHERE e.seq = ?1");
    Ok(rows(db, (&sql, [seq]), read)?.pop())
}
