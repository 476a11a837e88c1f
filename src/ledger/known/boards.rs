//! What the ledger knows of the boards that an artifact is run on.

use rusqlite::{Connection, OptionalExtension, params};

use super::{is_outdated, previous_of_run, run, runs, subject_state, verdict};
use crate::action::{OnBoard, Stage};
use crate::decision::{Known, Waiting};
use crate::event::artifact::{ArtifactEvent, BoardsEvent};
use crate::ledger::LedgerError;
use crate::run::Run;

/// The most runs on boards that are looked at: each kind of board may have several.
const ON_BOARDS_MAX: i64 = 1100;

/// The most runs of an artifact that a decision is told of: several rules may run it on many
/// boards.
const RUNS_MAX: u32 = 2000;

/// What is known of an artifact: what is open of it, and what was ordered for the build.
pub(super) fn about_artifact(
    connection: &Connection,
    event: &ArtifactEvent,
) -> Result<Known, LedgerError> {
    let subject = event.subject().key();
    let mut select = connection.prepare_cached(
        "SELECT body FROM runs WHERE subject = ?1 AND (is_done = 0 \
         OR (revision = ?2 AND body ->> '$.artifact.part.board' IS NULL)) \
         ORDER BY body ->> '$.artifact.part.board' IS NOT NULL, ordered_at DESC LIMIT ?3",
    )?;
    let runs = runs(select.query(params![subject, event.artifact.build, RUNS_MAX])?)?;
    Ok(Known { subject: subject_state(connection, &subject)?, runs, ..Known::default() })
}

/// What is known of an artifact whose boards were asked for.
pub(super) fn about(connection: &Connection, event: &BoardsEvent) -> Result<Known, LedgerError> {
    let subject = subject_state(connection, &event.on.subject().key())?;
    let mut known = Known { subject, ..Known::default() };
    if let Some(own) = run(connection, &event.run)? {
        known.previous = previous_of_run(connection, &own)?;
        known.runs.push(own);
    }
    Ok(known)
}

/// Adds what is to be known about a run on one kind of board, or on all of them.
pub(super) fn about_build_of(
    connection: &Connection,
    own: &Run,
    known: &mut Known,
) -> Result<(), LedgerError> {
    let Some(of) = &own.artifact else { return Ok(()) };
    let subject = own.subject.key();
    let mut select = connection.prepare_cached(
        "SELECT body FROM runs WHERE subject = ?1 AND revision = ?2 AND rule = ?3 \
         ORDER BY body ->> '$.attempt' DESC LIMIT 1",
    )?;
    let whole: Option<String> =
        select.query_row(params![subject, own.revision, of.rule], |row| row.get(0)).optional()?;
    if let Some(whole) = whole {
        let run: Run = serde_json::from_str(&whole)?;
        known.whole = Some(Waiting {
            previous: previous_of_run(connection, &run)?,
            is_outdated: is_outdated(connection, &run)?,
            run,
        });
    }
    let mut select = connection.prepare_cached(
        "SELECT body ->> '$.artifact.part.board', state, body ->> '$.reason', \
         body ->> '$.ticket.url', body ->> '$.attempt' FROM runs \
         WHERE subject = ?1 AND revision = ?2 AND body ->> '$.artifact.rule' = ?3 \
         AND body ->> '$.artifact.part.board' IS NOT NULL \
         ORDER BY body ->> '$.attempt' DESC LIMIT ?4",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let state: String = row.get(1)?;
        Ok(OnBoard {
            board: row.get(0)?,
            stage: stage(&state),
            reason: row.get(2)?,
            url: row.get(3)?,
            attempt: row.get(4)?,
        })
    };
    let rows = select.query_map(params![subject, own.revision, of.rule, ON_BOARDS_MAX], read)?;
    for one in rows {
        let one = one?;
        // The newest comes first.
        if !known.on_boards.iter().any(|newer| newer.board == one.board) {
            known.on_boards.push(one);
        }
    }
    Ok(())
}

fn stage(state: &str) -> Stage {
    match state {
        "running" => Stage::Running,
        "held" => Stage::Held,
        other => verdict(other).map_or(Stage::Queued, Stage::Done),
    }
}
