//! Events that continue earlier ones: completed by what those have told, or kept until that comes.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::tally::Tally;
use super::{Decide, Ledger, LedgerError, intake, record};
use crate::decision::Decision;
use crate::event::Event;
use crate::event::thread::Thread;

/// How many events wait for one and the same.
const ORPHANS_MAX: i64 = 20;
/// How many events wait at all.
const ORPHANS_TOTAL_MAX: i64 = 10_000;
/// How many that waited are decided upon with the one that they waited for; more have come only
/// from somebody who means harm, and are forgotten in time.
const ADOPTED_MAX: usize = 1000;
/// The largest event that is remembered or waits, in bytes.
const EVENT_MAX_BYTES: usize = 64 * 1024;

/// What an event is together with what it continues.
enum Joined {
    /// It can be decided upon.
    Whole(Event),
    /// What it continues, the event of this id, has not come yet.
    Waits(Event, String),
    /// It will never tell enough, and why.
    Unusable(Event, String),
}

impl Ledger {
    /// `event`, completed by what it continues, as far as that is known.
    pub async fn continued(&self, event: Event) -> Result<Event, LedgerError> {
        let of = event.thread().and_then(|thread| thread.ids().1).map(str::to_owned);
        let Some(of) = of else { return Ok(event) };
        let head = self.read(move |db| head(db, &of)).await?;
        Ok(match head {
            Some(head) => event.continued(&head),
            None => event,
        })
    }
}

/// Decides upon `event`, completed by what it continues, and then upon all that waited for it; or
/// keeps it until what it continues has come.
pub(super) fn hear(
    transaction: &Transaction<'_>,
    (event, message): (&Event, Option<i64>),
    decide: &Decide,
    (now, tally): (i64, &mut Tally),
) -> Result<(), LedgerError> {
    if event.thread().is_none_or(Thread::is_nothing) {
        return intake::decide_and_record(transaction, (event, message), decide, (now, tally));
    }
    let mut line = VecDeque::from([(event.clone(), message)]);
    let mut left = ADOPTED_MAX;
    while let Some((event, message)) = line.pop_front() {
        let (event, why_not) = match join(transaction, event)? {
            Joined::Whole(event) => {
                let about = (&event, message);
                intake::decide_and_record(transaction, about, decide, (now, &mut *tally))?;
                remember(transaction, &event, now)?;
                let adopted = adopt(transaction, &event, left)?;
                left = left.saturating_sub(adopted.len());
                line.extend(adopted);
                continue;
            }
            Joined::Waits(event, of) => {
                let why_not = keep(transaction, (&event, message), &of, now)?;
                (event, why_not.to_owned())
            }
            Joined::Unusable(event, why_not) => (event, why_not),
        };
        let decision = Decision { not_news: Some(why_not), ..Decision::default() };
        record::decision(transaction, (&event, message, None), &decision, now)?;
    }
    Ok(())
}

fn join(transaction: &Transaction<'_>, event: Event) -> Result<Joined, LedgerError> {
    let thread = event.thread().cloned().unwrap_or_default();
    let (_, of) = thread.ids();
    let head = match of {
        Some(of) => head(transaction, of)?,
        None => None,
    };
    let is_known = head.is_some();
    let event = match head {
        Some(head) => event.continued(&head),
        None => event,
    };
    Ok(match (event.lacks(), of) {
        (None, _) => match checked(&event) {
            Ok(()) => Joined::Whole(event),
            Err(why_not) => Joined::Unusable(event, why_not),
        },
        (Some(_), Some(of)) if !is_known => Joined::Waits(event, of.to_owned()),
        // Nothing says that there is more to come.
        (Some(_), None) if thread.of.is_none() => Joined::Whole(event),
        (Some(what), _) => {
            let why_not = format!("neither it nor the message that it continues tells {what}");
            Joined::Unusable(event, why_not)
        }
    })
}

/// Whether what two messages have told can be used together: each alone was looked at before.
fn checked(event: &Event) -> Result<(), String> {
    let Event::Artifact(event) = event else {
        return Ok(());
    };
    match (**event).clone().told() {
        Ok(_) => Ok(()),
        Err((field, message)) => Err(format!("`{field}` cannot be used: {message}")),
    }
}

/// What the event that is spoken of by `id` has told.
fn head(connection: &Connection, id: &str) -> Result<Option<Event>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT body FROM threads WHERE id = ?1")?;
    let body: Option<String> = select.query_row([id], |row| row.get(0)).optional()?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}

/// Remembers what `event` tells, for those that continue it, and for those that continue the same.
fn remember(transaction: &Transaction<'_>, event: &Event, now: i64) -> Result<(), LedgerError> {
    let Some((id, of)) = event.thread().map(Thread::ids) else {
        return Ok(());
    };
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO threads (id, body, heard_at) VALUES (?1, ?2, ?3) \
         ON CONFLICT (id) DO UPDATE SET body = ?2, heard_at = ?3",
    )?;
    for (id, is_own) in [(id, true), (of, false)] {
        let Some(id) = id else { continue };
        let body = match head(transaction, id)? {
            // What was told first stays.
            Some(head) => head.continued(event),
            None if is_own => event.clone(),
            None => continue,
        };
        let body = serde_json::to_string(&body)?;
        if body.len() > EVENT_MAX_BYTES {
            tracing::warn!(thread = id, "An event is too large to be remembered for its thread");
            continue;
        }
        upsert.execute(params![id, body, now])?;
    }
    Ok(())
}

/// Keeps an event until the one with the id `of` comes, if there is room; says what became of it.
fn keep(
    transaction: &Transaction<'_>,
    (event, message): (&Event, Option<i64>),
    of: &str,
    now: i64,
) -> Result<&'static str, LedgerError> {
    const WAITS: &str = "it waits for the message that it continues";
    let body = serde_json::to_string(event)?;
    if body.len() > EVENT_MAX_BYTES {
        return Ok("it is too large to wait for the message that it continues");
    }
    let identity = event.identity();
    // Told again, it is not one more.
    let mut update = transaction
        .prepare_cached("UPDATE orphans SET message = ?3 WHERE thread = ?1 AND identity = ?2")?;
    if update.execute(params![of, identity, message])? > 0 {
        return Ok(WAITS);
    }
    let mut count = transaction.prepare_cached(
        "SELECT (SELECT count(*) FROM orphans WHERE thread = ?1), (SELECT count(*) FROM orphans)",
    )?;
    let (siblings, all): (i64, i64) =
        count.query_row([of], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if siblings >= ORPHANS_MAX || all >= ORPHANS_TOTAL_MAX {
        return Ok("too many wait already for messages that they continue");
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO orphans (thread, identity, message, body, heard_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![of, identity, message, body, now])?;
    Ok(WAITS)
}

/// The events that waited for `event`, oldest first, at most `count`; they wait no more.
fn adopt(
    transaction: &Transaction<'_>,
    event: &Event,
    count: usize,
) -> Result<Vec<(Event, Option<i64>)>, LedgerError> {
    let Some(id) = event.thread().and_then(|thread| thread.ids().0) else {
        return Ok(Vec::new());
    };
    let mut select = transaction.prepare_cached(
        "SELECT seq, body, message FROM orphans WHERE thread = ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut delete = transaction.prepare_cached("DELETE FROM orphans WHERE seq = ?1")?;
    let mut rows = select.query(params![id, i64::try_from(count).unwrap_or(i64::MAX)])?;
    let (mut adopted, mut seqs) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let body: String = row.get(1)?;
        seqs.push(row.get::<_, i64>(0)?);
        adopted.push((serde_json::from_str(&body)?, row.get(2)?));
    }
    for seq in seqs {
        delete.execute([seq])?;
    }
    Ok(adopted)
}

#[cfg(test)]
mod tests;
