//! Messages, as they came.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde_json::{Map, Value};

use super::actions::{self, ActionView};
use super::events::{self, EventView};
use super::{Found, Ledger, LedgerError, find_id, rows, time};
use crate::message::Message;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum MessageState {
    /// It was read into events.
    Read,
    /// It does not concern us.
    Ignored,
    /// It cannot be read.
    Dead,
}

impl MessageState {
    /// The word for it in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
        }
    }
}

/// A message in a list.
#[derive(Clone, Debug, Serialize)]
pub struct MessageView {
    /// Its place in the ledger.
    #[serde(skip)]
    pub seq: i64,
    /// Its identity.
    pub id: String,
    /// The source it came from.
    pub source: String,
    /// Its topic.
    pub topic: String,
    /// When it came.
    pub received_at: Timestamp,
    /// `read`, `ignored` or `dead`.
    pub state: String,
    /// Why it was ignored or is dead.
    pub reason: Option<String>,
}

/// A message with all that is known about it.
#[derive(Clone, Debug)]
pub struct MessageWhole {
    /// As in a list.
    pub view: MessageView,
    /// The message as it is kept: without secrets.
    pub message: Message,
    /// The events that it told.
    pub events: Vec<EventView>,
    /// The actions that those caused.
    pub actions: Vec<ActionView>,
}

/// The columns of a [`MessageView`].
pub(super) const COLUMNS: &str =
    "SELECT seq, id, source, topic, received_at, state, reason FROM messages";

pub(super) fn read(row: &Row<'_>) -> Result<MessageView, LedgerError> {
    Ok(MessageView {
        seq: row.get("seq")?,
        id: row.get("id")?,
        source: row.get("source")?,
        topic: row.get("topic")?,
        received_at: time(row, "received_at")?,
        state: row.get("state")?,
        reason: row.get("reason")?,
    })
}

impl Ledger {
    /// The newest `limit` messages, or those in one state, newest first.
    pub async fn messages(
        &self,
        state: Option<MessageState>,
        limit: u32,
    ) -> Result<Vec<MessageView>, LedgerError> {
        self.read(move |db| match state {
            None => rows(db, (&format!("{COLUMNS} ORDER BY seq DESC LIMIT ?1"), [limit]), read),
            Some(state) => {
                let sql = format!(
                    "{COLUMNS} WHERE state = ?1 ORDER BY received_at DESC, seq DESC LIMIT ?2"
                );
                rows(db, (&sql, params![state.as_str(), limit]), read)
            }
        })
        .await
    }

    /// The message whose id begins with `id`.
    pub async fn message(&self, id: String) -> Result<Found<MessageWhole>, LedgerError> {
        self.read(move |db| find_id(db, "messages", &id)?.and_then(|id| whole(db, &id))).await
    }
}

fn whole(db: &Connection, id: &str) -> Result<MessageWhole, LedgerError> {
    let sql = "SELECT seq, id, source, topic, received_at, state, reason, content_type, \
               content_encoding, headers, body FROM messages WHERE id = ?1";
    let found = rows(db, (sql, [id]), |row| {
        let headers: String = row.get("headers")?;
        let headers: Map<String, Value> = serde_json::from_str(&headers)?;
        let view = read(row)?;
        let message = Message {
            id: Some(view.id.clone()),
            topic: view.topic.clone(),
            content_type: row.get("content_type")?,
            content_encoding: row.get("content_encoding")?,
            headers,
            body: row.get("body")?,
        };
        Ok((view, message))
    })?;
    let (view, message) = found.into_iter().next().ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let events = events::of_message(db, view.seq)?;
    let mut caused = Vec::new();
    for event in &events {
        caused.extend(actions::of_event(db, event.seq)?);
    }
    Ok(MessageWhole { view, message, events, actions: caused })
}
