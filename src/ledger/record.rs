//! Writing down an event and what was decided about it.

use rusqlite::{Transaction, params};

use super::{LedgerError, people};
use crate::action::Action;
use crate::decision::{Decision, SeriesState};
use crate::event::Event;
use crate::run::{Role, Run};
use crate::subject::RunId;

/// Records `event`, its decision, and everything that follows from it; `run` is the one of ours
/// that a build belongs to.
pub(super) fn decision(
    transaction: &Transaction<'_>,
    (event, message, run): (&Event, Option<i64>, Option<&Run>),
    decision: &Decision,
    now: i64,
) -> Result<(), LedgerError> {
    // A build of ours is looked for under the proposal it belongs to.
    let subject = run.map_or_else(|| event.subject(), |run| run.subject.clone()).key();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (identity, message, kind, subject, at, body, decision) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let seq = insert.insert(params![
        event.identity(),
        message,
        event.kind().as_str(),
        subject,
        now,
        serde_json::to_string(event)?,
        serde_json::to_string(decision)?,
    ])?;
    if let Some(state) = &decision.subject {
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO subjects (id, is_open, body, heard_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (id) DO UPDATE SET is_open = ?2, body = ?3, heard_at = ?4",
        )?;
        upsert.execute(params![subject, state.is_open, serde_json::to_string(state)?, now])?;
        if let Some(series) = &state.series {
            save_series(transaction, (&subject, series), now)?;
        }
    }
    if let (Some(commands), Event::Comment(said)) = (&decision.commands, event) {
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO comments (id, commands, heard_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET commands = ?2, heard_at = ?3",
        )?;
        let commands = serde_json::to_string(commands)?;
        upsert.execute(params![people::comment_id(said), commands, now])?;
    }
    for run in &decision.runs {
        save_run(transaction, run, now)?;
        if run.state.is_done() && run.artifact.is_some() {
            hurry_what_was_put_off(transaction, run, now)?;
        }
    }
    for action in &decision.actions {
        save_action(transaction, action, (seq, now))?;
    }
    save_job(transaction, event, now)
}

/// Remembers by what the versions of a series are known to be one's.
fn save_series(
    transaction: &Transaction<'_>,
    (subject, series): (&str, &SeriesState),
    now: i64,
) -> Result<(), LedgerError> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO series (subject, name, change, version, base, heard_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (subject) DO UPDATE SET \
         name = ?2, change = ?3, version = ?4, base = ?5, heard_at = ?6",
    )?;
    let SeriesState { name, change, version, base, .. } = series;
    upsert.execute(params![subject, name, change, version, base, now])?;
    Ok(())
}

/// Remembers which mails a run puts on a branch: others may depend on them.
fn save_letters(transaction: &Transaction<'_>, run: &Run, now: i64) -> Result<(), LedgerError> {
    let Some(of) = run.series.as_ref().filter(|of| of.role == Role::Apply) else {
        return Ok(());
    };
    let series = &of.of.series;
    let mails = series.patches.iter().chain(&series.cover).map(|letter| letter.msgid.as_str());
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO letters (tree, msgid, run, heard_at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (tree, msgid) DO UPDATE SET run = ?3, heard_at = ?4",
    )?;
    for msgid in mails.chain([series.root.as_str()]) {
        upsert.execute(params![run.connection.as_str(), msgid, run.id.as_str(), now])?;
    }
    Ok(())
}

pub(super) fn save_run(
    transaction: &Transaction<'_>,
    run: &Run,
    now: i64,
) -> Result<(), LedgerError> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO runs (id, subject, revision, rule, connection, job, number, is_done, state, \
         ordered_at, changed_at, body, awaits) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12) \
         ON CONFLICT (id) DO UPDATE SET job = ?6, number = ?7, is_done = ?8, state = ?9, \
         changed_at = ?10, body = ?11, awaits = ?12",
    )?;
    upsert.execute(params![
        run.id.as_str(),
        run.subject.key(),
        run.revision,
        run.rule,
        run.connection.as_str(),
        run.ticket.job,
        run.ticket.number.map(u64::cast_signed),
        run.state.is_done(),
        run.state.as_str(),
        now,
        serde_json::to_string(run)?,
        run.awaits().map(RunId::as_str),
    ])?;
    save_letters(transaction, run, now)
}

fn save_action(
    transaction: &Transaction<'_>,
    action: &Action,
    (event, now): (i64, i64),
) -> Result<(), LedgerError> {
    let delay =
        action.delay.map_or(0, |delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
    let mut insert = transaction.prepare_cached(
        "INSERT INTO actions (key, lane, slot, connection, kind, run, event, body, state, due_at, \
         made_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting', ?9, ?10, ?10) \
         ON CONFLICT (key) DO NOTHING RETURNING seq",
    )?;
    let mut rows = insert.query(params![
        action.key,
        action.lane,
        action.slot,
        action.connection.as_str(),
        action.task.kind(),
        action.run.as_ref().map(RunId::as_str),
        event,
        serde_json::to_string(&action.task)?,
        now.saturating_add(delay),
        now,
    ])?;
    let Some(row) = rows.next()? else {
        return Ok(());
    };
    let seq: i64 = row.get(0)?;
    if let Some(slot) = &action.slot {
        let mut replace = transaction.prepare_cached(
            "UPDATE actions SET state = 'superseded', changed_at = ?3, \
             error = 'a newer one of the same kind took its place' \
             WHERE slot = ?1 AND seq < ?2 AND state = 'waiting'",
        )?;
        replace.execute(params![slot, seq, now])?;
    }
    Ok(())
}

/// How many builds that had to wait for room are tried at once when some may have become free.
const HURRIED_MAX: u32 = 4;

/// Has those tried again now that found no room where `run` has ended, the first ones first.
fn hurry_what_was_put_off(
    transaction: &Transaction<'_>,
    run: &Run,
    now: i64,
) -> Result<(), LedgerError> {
    let mut update = transaction.prepare_cached(
        "UPDATE actions SET due_at = ?2 WHERE seq IN (SELECT seq FROM actions \
         WHERE state = 'waiting' AND connection = ?1 AND kind = 'start' AND rounds > 0 \
         AND due_at > ?2 ORDER BY seq LIMIT ?3)",
    )?;
    update.execute(params![run.connection.as_str(), now, HURRIED_MAX])?;
    Ok(())
}

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Remembers the verdict of a build, for the next build of the same job to be compared with.
///
/// Builds may end in another order than they began, so a lower number does not replace a higher
/// one of the same day; after that the job was made anew, and counts from one again.
fn save_job(transaction: &Transaction<'_>, event: &Event, now: i64) -> Result<(), LedgerError> {
    let Event::Build(build) = event else {
        return Ok(());
    };
    let (Some(verdict), Some(number)) = (build.verdict, build.number) else {
        return Ok(());
    };
    // Which job it is may come only with the message that it continues.
    if build.job.is_empty() {
        return Ok(());
    }
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO jobs (instance, job, number, verdict, heard_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (instance, job) DO UPDATE SET number = ?3, verdict = ?4, heard_at = ?5 \
         WHERE number < ?3 OR heard_at < ?6",
    )?;
    upsert.execute(params![
        build.instance.as_deref().unwrap_or_default(),
        build.job,
        number.cast_signed(),
        verdict.as_str(),
        now,
        now.saturating_sub(DAY),
    ])?;
    Ok(())
}
