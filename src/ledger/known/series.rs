//! What the ledger knows of patch series: versions by other ids, parts, and who waits for whom.

use rusqlite::{Connection, OptionalExtension, params};

use super::{RUNS_MAX, about_revision, is_outdated, previous_of_run, run, runs, subject_state};
use crate::decision::{Known, Waiting};
use crate::event::series::{AppliedEvent, SeriesEvent};
use crate::ledger::LedgerError;
use crate::rules::series_state;
use crate::run::{Role, Run};

/// The most runs of a series that a decision is told of: each of its patches may have some.
const PARTS_MAX: u32 = 2000;

/// How long requests about a series are counted, in milliseconds.
const HOUR: i64 = 3_600_000;

/// A version of a series that its source knows by another id.
struct Relative {
    subject: String,
    version: u32,
    base: Option<String>,
}

/// What is known of a series that an event is about.
pub(super) fn about(
    connection: &Connection,
    event: &SeriesEvent,
    now: i64,
) -> Result<Known, LedgerError> {
    let subject = event.subject().key();
    let mut known = about_revision(connection, (&subject, &event.revision()), PARTS_MAX)?;
    let version = event.series.version;
    let mut relatives = relatives(connection, event, &subject)?;
    relatives.sort_by_key(|relative| std::cmp::Reverse(relative.version));
    known.newer = relatives.first().map(|newest| newest.version).filter(|newest| *newest > version);
    for older in relatives.iter().filter(|relative| relative.version < version) {
        let mut select = connection
            .prepare_cached("SELECT body FROM runs WHERE subject = ?1 AND is_done = 0 LIMIT ?2")?;
        known.older.extend(runs(select.query(params![older.subject, RUNS_MAX])?)?);
        known.last_base = known.last_base.take().or_else(|| older.base.clone());
    }
    known.branches = branches(connection, &subject)?;
    known.given = given(connection, event, (&subject, now))?;
    Ok(known)
}

/// What is known of a series that is on its way to a branch.
pub(super) fn about_branch(
    connection: &Connection,
    event: &AppliedEvent,
) -> Result<Known, LedgerError> {
    let subject = event.on.subject().key();
    let mut known = about_revision(connection, (&subject, &event.on.revision()), PARTS_MAX)?;
    if let Some(own) = known.runs.iter().find(|run| run.id == event.run) {
        known.previous = previous_of_run(connection, own)?;
    }
    Ok(known)
}

/// Adds what is to be known about a build of a series, or of a part of one.
pub(super) fn about_build_of(
    connection: &Connection,
    own: &Run,
    known: &mut Known,
) -> Result<(), LedgerError> {
    let Some(of) = &own.series else { return Ok(()) };
    known.is_outdated |= is_past(connection, own)?;
    if let Some(id) = of.base_run().filter(|_| of.role == Role::Whole) {
        known.baseline = run(connection, &id)?;
    }
    let mut select =
        connection.prepare_cached("SELECT body FROM runs WHERE awaits = ?1 LIMIT ?2")?;
    for waiting in runs(select.query(params![own.id.as_str(), RUNS_MAX])?)? {
        known.waiting.push(Waiting {
            previous: previous_of_run(connection, &waiting)?,
            is_outdated: is_outdated(connection, &waiting)? || is_past(connection, &waiting)?,
            run: waiting,
        });
    }
    let mut select = connection.prepare_cached(
        "SELECT body FROM runs WHERE subject = ?1 AND revision = ?2 AND id <> ?3 \
         AND body ->> '$.series.rule' = ?4 ORDER BY ordered_at DESC LIMIT ?5",
    )?;
    let key = own.subject.key();
    let rows = select.query(params![key, own.revision, own.id.as_str(), of.rule, PARTS_MAX])?;
    known.parts = runs(rows)?;
    Ok(())
}

/// Whether a newer version of the run's series is known.
fn is_past(connection: &Connection, run: &Run) -> Result<bool, LedgerError> {
    let Some(of) = run.series.as_ref().filter(|of| of.role != Role::Base) else {
        return Ok(false);
    };
    let (subject, version) = (of.of.subject().key(), of.of.series.version);
    let state = subject_state(connection, &subject)?;
    let newest = state.and_then(|state| Some(state.series?.version));
    if newest.is_some_and(|newest| newest > version) {
        return Ok(true);
    }
    let relatives = relatives(connection, &of.of, &subject)?;
    Ok(relatives.iter().any(|relative| relative.version > version))
}

/// The versions of a series that its source knows by other ids.
///
/// The author tells, together with the `change-id` where both have one, and else with the title.
fn relatives(
    connection: &Connection,
    event: &SeriesEvent,
    subject: &str,
) -> Result<Vec<Relative>, LedgerError> {
    let own = series_state(event);
    let mut select = connection.prepare_cached(
        "SELECT subject, version, base FROM series WHERE subject <> ?1 AND ( \
         (change IS NOT NULL AND change = ?2) \
         OR (name = ?3 AND (change IS NULL OR ?2 IS NULL))) LIMIT ?4",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Relative { subject: row.get(0)?, version: row.get(1)?, base: row.get(2)? })
    };
    let rows = select.query_map(params![subject, own.change, own.name, RUNS_MAX], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The branches that were pushed for a series and not taken away since.
fn branches(connection: &Connection, subject: &str) -> Result<Vec<(String, String)>, LedgerError> {
    let mut select =
        connection.prepare_cached("SELECT tree, name FROM branches WHERE subject = ?1 LIMIT ?2")?;
    let rows =
        select.query_map(params![subject, PARTS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How often somebody has asked something about the series within the last hour.
fn given(
    connection: &Connection,
    event: &SeriesEvent,
    (subject, now): (&str, i64),
) -> Result<u32, LedgerError> {
    if event.request.is_none() {
        return Ok(0);
    }
    let mut select = connection.prepare_cached(
        "SELECT count(*) FROM events WHERE subject = ?1 AND at > ?2 \
         AND kind IN ('series.recheck', 'series.approved')",
    )?;
    let since = now.saturating_sub(HOUR);
    let earlier: Option<u32> =
        select.query_row(params![subject, since], |row| row.get(0)).optional()?;
    Ok(earlier.unwrap_or(0).saturating_add(1))
}
