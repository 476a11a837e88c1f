//! How a batch of messages gets into the ledger: all of it, with what was decided, or nothing.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Map, Value};

use super::tally::Tally;
use super::{Decide, Ledger, LedgerError, Stored, cursors, known, record, threads};
use crate::event::Event;
use crate::message::{Message, MessageId};

/// A message that was looked at, and what was found in it.
#[derive(Debug)]
pub struct Intake {
    /// The source it came from, for people.
    pub source: &'static str,
    /// Its identity.
    pub id: MessageId,
    /// [`Message::digest`] as it came.
    pub digest: String,
    /// The message; its body is stored unless `found` brings a redacted one.
    pub message: Message,
    /// The entry in the inbox that is done with it.
    pub inbox: Option<i64>,
    /// What was found.
    pub found: Found,
}

/// What was found in a message.
#[derive(Debug)]
pub enum Found {
    /// Events; and the body to store instead of the one that came, where that holds secrets.
    Events(Vec<Event>, Option<Value>),
    /// Nothing that concerns us, and why.
    Ignored(String, Option<Value>),
    /// It cannot be read, and why; the body as above.
    Dead(String, Option<Value>),
}

impl Ledger {
    /// Stores `batch`, and what `decide` says to its events, in one transaction.
    ///
    /// A message that was stored before changes nothing.
    pub async fn put(
        &self,
        batch: Vec<Intake>,
        decide: Decide,
    ) -> Result<(Stored, Tally), LedgerError> {
        self.put_with_cursors(batch, Vec::new(), decide).await
    }

    /// As [`Ledger::put`], and writes `cursors`, by name, in the same transaction: how far somebody
    /// has come who looks outside is known together with what was found, or not at all.
    pub async fn put_with_cursors(
        &self,
        batch: Vec<Intake>,
        cursors: Vec<(String, String)>,
        decide: Decide,
    ) -> Result<(Stored, Tally), LedgerError> {
        let now = self.now();
        let tally = self
            .write(move |transaction| {
                let mut tally = Tally::default();
                for intake in &batch {
                    store(transaction, intake, &decide, (now, &mut tally))?;
                }
                for (name, value) in &cursors {
                    cursors::write(transaction, (name, value), now)?;
                }
                Ok(tally)
            })
            .await?;
        self.bells.ring_at(&tally.connections);
        Ok((Stored(()), tally))
    }
}

fn store(
    transaction: &Transaction<'_>,
    intake: &Intake,
    decide: &Decide,
    (now, tally): (i64, &mut Tally),
) -> Result<(), LedgerError> {
    if let Some(entry) = intake.inbox {
        let mut delete = transaction.prepare_cached("DELETE FROM inbox WHERE seq = ?1")?;
        delete.execute([entry])?;
    }
    let Some(message) = insert(transaction, intake, now)? else {
        tally.repeats += 1;
        return Ok(());
    };
    match &intake.found {
        Found::Events(events, _) => {
            tally.read += 1;
            for event in events {
                threads::hear(transaction, (event, Some(message)), decide, (now, &mut *tally))?;
            }
        }
        Found::Ignored(..) => tally.ignored += 1,
        Found::Dead(..) => tally.dead += 1,
    }
    Ok(())
}

/// Asks the rules about `event` in the light of all that was stored before it, and records what
/// they say.
pub(super) fn decide_and_record(
    transaction: &Transaction<'_>,
    (event, message): (&Event, Option<i64>),
    decide: &Decide,
    (now, tally): (i64, &mut Tally),
) -> Result<(), LedgerError> {
    let known = known::load(transaction, event, now)?;
    let decision = decide(event, &known);
    tally.note(event, &decision);
    let about = (event, message, known.run.as_ref());
    record::decision(transaction, about, &decision, now)
}

/// Stores the message itself; `None` when it is there already.
///
/// An id that another message has is no reason to lose this one: some senders count from one
/// again at each start.
fn insert(
    transaction: &Transaction<'_>,
    intake: &Intake,
    now: i64,
) -> Result<Option<i64>, LedgerError> {
    let id = intake.id.as_str();
    if let Some(seq) = insert_as(transaction, id, intake, now)? {
        return Ok(Some(seq));
    }
    let mut select = transaction.prepare_cached("SELECT digest FROM messages WHERE id = ?1")?;
    let digest: String = select.query_row([id], |row| row.get(0))?;
    if digest == intake.digest {
        return Ok(None);
    }
    insert_as(transaction, &format!("{id}~{}", intake.digest), intake, now)
}

fn insert_as(
    transaction: &Transaction<'_>,
    id: &str,
    intake: &Intake,
    now: i64,
) -> Result<Option<i64>, LedgerError> {
    let (state, reason, redacted) = match &intake.found {
        Found::Events(_, redacted) => ("read", None, redacted.as_ref()),
        Found::Ignored(reason, redacted) => ("ignored", Some(reason), redacted.as_ref()),
        Found::Dead(reason, redacted) => ("dead", Some(reason), redacted.as_ref()),
    };
    let redacted = redacted.map(serde_json::to_vec).transpose()?;
    let message = &intake.message;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO messages (id, source, topic, received_at, state, reason, content_type, \
         content_encoding, headers, body, digest) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (id) DO NOTHING RETURNING seq",
    )?;
    let seq = insert
        .query_row(
            params![
                id,
                intake.source,
                message.topic,
                now,
                state,
                reason,
                message.content_type,
                message.content_encoding,
                headers(&message.headers)?,
                redacted.as_deref().unwrap_or(&message.body),
                intake.digest,
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(seq)
}

/// The headers as they are stored: those that carry credentials are not.
///
/// Relays put every header of a webhook on the bus, `authorization` among them.
pub(super) fn headers(headers: &Map<String, Value>) -> Result<String, LedgerError> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.contains("authorization") || name.contains("cookie") || name.contains("token")
    };
    if !headers.keys().any(|name| is_secret(name)) {
        return Ok(serde_json::to_string(headers)?);
    }
    let mut headers = headers.clone();
    headers.retain(|name, _| !is_secret(name));
    Ok(serde_json::to_string(&headers)?)
}
