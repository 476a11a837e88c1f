//! The inbox: messages that were handed to us directly, durable before they are answered for.

use rusqlite::params;

use super::{Ledger, LedgerError, intake};
use crate::message::{Message, MessageId};

/// A message in the inbox.
#[derive(Debug)]
pub struct Waiting {
    /// Its place in line.
    pub seq: i64,
    /// The message.
    pub message: Message,
}

/// Whether a message was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is stored under this identity.
    Accepted(MessageId),
    /// Too many wait already; nothing was stored.
    Full,
}

impl Ledger {
    /// How many messages wait in the inbox before it takes no more.
    pub const INBOX_MAX: i64 = 100_000;

    /// Once that many bytes of bodies are in hand, no further message is taken along.
    const INBOX_BATCH_BYTES: usize = 16 * 1024 * 1024;

    /// Puts `message` into the inbox; when this returns it is durable.
    pub async fn post(&self, message: Message) -> Result<Posted, LedgerError> {
        let now = self.now();
        let posted = self
            .write(move |transaction| {
                let waiting: i64 = transaction
                    .prepare_cached("SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM inbox")?
                    .query_row([], |row| row.get(0))?;
                if waiting >= Self::INBOX_MAX {
                    return Ok(Posted::Full);
                }
                let id = message.identity();
                transaction
                .prepare_cached(
                    "INSERT INTO inbox (id, topic, content_type, content_encoding, headers, body, \
                     received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    message.id,
                    message.topic,
                    message.content_type,
                    message.content_encoding,
                    intake::headers(&message.headers)?,
                    message.body,
                    now,
                ])?;
                Ok(Posted::Accepted(id))
            })
            .await?;
        self.bells.ring_inbox();
        Ok(posted)
    }

    /// Whether a message of this identity is stored.  One that waits in the inbox is not yet.
    pub async fn has_message(&self, id: MessageId) -> Result<bool, LedgerError> {
        self.read(move |db| {
            let mut select =
                db.prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1)")?;
            Ok(select.query_row([id.as_str()], |row| row.get(0))?)
        })
        .await
    }

    /// Whether rules were asked about what the message of this identity tells.
    pub async fn was_news(&self, id: MessageId) -> Result<bool, LedgerError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM messages AS m JOIN events AS e ON e.message = m.seq \
                 WHERE m.id = ?1 AND e.decision ->> '$.not_news' IS NULL)",
            )?;
            Ok(select.query_row([id.as_str()], |row| row.get(0))?)
        })
        .await
    }

    /// The messages in the inbox after entry `after`, oldest first, at most `count`.
    pub async fn inbox(&self, after: i64, count: u32) -> Result<Vec<Waiting>, LedgerError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT seq, id, topic, content_type, content_encoding, headers, body \
                 FROM inbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let mut rows = select.query(params![after, count])?;
            let (mut found, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let headers: String = row.get(5)?;
                let body: Vec<u8> = row.get(6)?;
                bytes += body.len();
                found.push(Waiting {
                    seq: row.get(0)?,
                    message: Message {
                        id: row.get(1)?,
                        topic: row.get(2)?,
                        content_type: row.get(3)?,
                        content_encoding: row.get(4)?,
                        headers: serde_json::from_str(&headers)?,
                        body,
                    },
                });
                if bytes > Self::INBOX_BATCH_BYTES {
                    break;
                }
            }
            Ok(found)
        })
        .await
    }

    /// Moves a stored message back into the inbox, to be read again as if it had just come.
    ///
    /// What it caused before is not done again: events and actions are known by their own keys.
    pub async fn reread(&self, id: MessageId) -> Result<bool, LedgerError> {
        let now = self.now();
        let is_there = self
            .write(move |transaction| {
                let copied = transaction.execute(
                    "INSERT INTO inbox (id, topic, content_type, content_encoding, headers, body, \
                 received_at) SELECT id, topic, content_type, content_encoding, headers, body, ?2 \
                 FROM messages WHERE id = ?1",
                    params![id.as_str(), now],
                )?;
                transaction.execute("DELETE FROM messages WHERE id = ?1", [id.as_str()])?;
                Ok(copied > 0)
            })
            .await?;
        self.bells.ring_inbox();
        Ok(is_there)
    }
}
