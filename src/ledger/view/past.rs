//! The past in its order, a page at a time, for whoever wants to go through it again.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Map, Value};

use super::messages::MessageState;
use super::{Ledger, LedgerError, rows, time};
use crate::event::Event;
use crate::message::Message;

/// How many rows are read at once.
const PAGE: u32 = 200;
/// How much of bodies is read at once; a page has at least one message.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// A message of the past.
#[derive(Clone, Debug)]
pub struct PastMessage {
    /// Its place in the ledger.
    pub seq: i64,
    /// When it came.
    pub at: Timestamp,
    /// The message as it is kept.
    pub message: Message,
    /// Whether its body was kept: of what nobody wanted it is not.
    pub is_whole: bool,
    /// The first event that it told, by its place in the ledger.
    pub event: Option<i64>,
}

/// An event of the past that no message told: somebody was asked.
#[derive(Clone, Debug)]
pub struct PastEvent {
    /// Its place in the ledger.
    pub seq: i64,
    /// When it was decided upon.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
}

/// From when to when: the first moment, and the first one after.
pub type Span = (Timestamp, Timestamp);

impl Ledger {
    /// The messages behind the one numbered `after` that came in `span`, oldest first, as many as
    /// fit on a page.
    pub async fn past_messages(
        &self,
        after: i64,
        span: Span,
    ) -> Result<Vec<PastMessage>, LedgerError> {
        self.read(move |db| messages(db, after, span)).await
    }

    /// The events behind the one numbered `after` that were decided upon in `span` and that no
    /// message told, oldest first, as many as fit on a page.
    pub async fn past_events(
        &self,
        after: i64,
        (since, until): Span,
    ) -> Result<Vec<PastEvent>, LedgerError> {
        self.read(move |db| {
            let sql = "SELECT seq, at, body FROM events WHERE message IS NULL AND seq > ?1 \
                       AND at >= ?2 AND at < ?3 ORDER BY seq LIMIT ?4";
            let (since, until) = (since.as_millisecond(), until.as_millisecond());
            rows(db, (sql, params![after, since, until, PAGE]), |row| {
                let body: String = row.get("body")?;
                let event = serde_json::from_str(&body)?;
                Ok(PastEvent { seq: row.get("seq")?, at: time(row, "at")?, event })
            })
        })
        .await
    }
}

fn messages(
    db: &Connection,
    after: i64,
    (since, until): Span,
) -> Result<Vec<PastMessage>, LedgerError> {
    let (since, until) = (since.as_millisecond(), until.as_millisecond());
    let after = after.max(first(db, since)?.saturating_sub(1));
    let mut select = db.prepare_cached(
        "SELECT seq, id, topic, received_at, state, content_type, content_encoding, headers, body, \
         (SELECT min(e.seq) FROM events AS e WHERE e.message = m.seq) AS event \
         FROM messages AS m WHERE seq > ?1 AND received_at >= ?2 AND received_at < ?3 \
         ORDER BY seq LIMIT ?4",
    )?;
    let mut rows = select.query(params![after, since, until, PAGE])?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let headers: String = row.get("headers")?;
        let headers: Map<String, Value> = serde_json::from_str(&headers)?;
        let body: Vec<u8> = row.get("body")?;
        let state: String = row.get("state")?;
        bytes += body.len();
        page.push(PastMessage {
            seq: row.get("seq")?,
            at: time(row, "received_at")?,
            is_whole: !(state == MessageState::Ignored.as_str() && body == b"null"),
            event: row.get("event")?,
            message: Message {
                id: row.get("id")?,
                topic: row.get("topic")?,
                content_type: row.get("content_type")?,
                content_encoding: row.get("content_encoding")?,
                headers,
                body,
            },
        });
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

/// The number of the first message that came `since` then or later, by the index over time.
fn first(db: &Connection, since: i64) -> Result<i64, LedgerError> {
    let mut first = i64::MAX;
    for state in [MessageState::Read, MessageState::Ignored, MessageState::Dead] {
        let sql = "SELECT seq FROM messages WHERE state = ?1 AND received_at >= ?2 \
                   ORDER BY received_at, seq LIMIT 1";
        let found = rows(db, (sql, params![state.as_str(), since]), |row| Ok(row.get(0)?))?;
        first = found.into_iter().fold(first, i64::min);
    }
    Ok(first)
}
