//! What is known about comments and those who give commands in them.

use rusqlite::{Connection, params};

use super::LedgerError;
use crate::command::Verb;
use crate::decision::{Decision, Past};
use crate::event::EventKind;
use crate::event::command::CommandEvent;
use crate::event::proposal::{Comment, CommentEvent};

/// How many of a subject's events are looked at.
const LOOKED_AT_MAX: u32 = 300;
/// How many earlier events are told of.
const HISTORY_MAX: usize = 5;
/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// The name of a comment in the ledger.
pub(super) fn comment_id(said: &CommentEvent) -> String {
    format!("{} {}", said.on.subject().key(), said.comment.id)
}

/// How many commands the writer of `comment` has given about `subject` within the last hour.
pub(super) fn given(
    connection: &Connection,
    (subject, comment): (&str, &Comment),
    now: i64,
) -> Result<u32, LedgerError> {
    let mut select = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT kind, at, body FROM events WHERE subject = ?1 \
         ORDER BY seq DESC LIMIT ?2) WHERE at > ?3 AND kind LIKE 'command.%' \
         AND coalesce(body ->> '$.command.comment.author_id', body ->> '$.command.comment.author') \
         = ?4",
    )?;
    let giver = comment.author_id.as_ref().unwrap_or(&comment.author);
    let since = now.saturating_sub(HOUR);
    Ok(select.query_row(params![subject, LOOKED_AT_MAX, since, giver], |row| row.get(0))?)
}

/// The last events about the subject that rules were asked about, newest first, where that is
/// the question.
pub(super) fn history(
    connection: &Connection,
    said: &CommandEvent,
) -> Result<Vec<Past>, LedgerError> {
    if said.command.verb != Verb::Why {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare_cached(
        "SELECT kind, at, decision FROM events WHERE subject = ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let mut rows = select.query(params![said.on.subject().key(), LOOKED_AT_MAX])?;
    let mut history = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, decision): (String, String) = (row.get(0)?, row.get(2)?);
        let decision: Decision = serde_json::from_str(&decision)?;
        let Some(kind) = EventKind::parse(&kind) else { continue };
        if !decision.considered.is_empty() {
            history.push(Past { kind, at: row.get(1)?, decision });
        }
        if history.len() == HISTORY_MAX {
            break;
        }
    }
    Ok(history)
}
