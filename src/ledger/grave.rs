//! What was given up, and is tried once more because somebody has mended what was wrong.

use rusqlite::{OptionalExtension, Transaction, params};

use super::queue::DugOut;
use super::{LedgerError, known, record};
use crate::decision::SubjectState;
use crate::run::{Run, RunState};
use crate::subject::RunId;
use crate::subject::{CommitSha, SubjectKind};

/// Puts the buried action `seq` back in line, if that can still do good.
pub(super) fn open(
    transaction: &Transaction<'_>,
    seq: i64,
    now: i64,
) -> Result<DugOut, LedgerError> {
    let mut select = transaction.prepare_cached(
        "SELECT kind, run, EXISTS (SELECT 1 FROM actions AS b WHERE b.slot = a.slot \
         AND b.seq > a.seq AND b.state <> 'buried') \
         OR (coalesce(a.slot LIKE 'board/%', 0) AND EXISTS (SELECT 1 FROM actions AS b WHERE b.lane = a.lane \
         AND b.seq > a.seq AND b.state <> 'buried')) \
         FROM actions AS a WHERE seq = ?1 AND state = 'buried'",
    )?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Option<(String, Option<String>, bool)> = select.query_row([seq], row).optional()?;
    let Some((kind, run, has_successor)) = found else { return Ok(DugOut::NotBuried) };
    if has_successor {
        return Ok(DugOut::Refused("something newer was told in its place"));
    }
    if kind == "start"
        && let Some(id) = run.and_then(|id| RunId::try_from(id).ok())
        && let Some(run) = known::run(transaction, &id)?
    {
        if let Some(reason) = outlived(transaction, &run)? {
            return Ok(DugOut::Refused(reason));
        }
        revive(transaction, &run, (seq, now))?;
    }
    transaction.execute(
        "UPDATE actions SET state = 'waiting', attempts = 1, due_at = ?2, changed_at = ?2 \
         WHERE seq = ?1",
        params![seq, now],
    )?;
    Ok(DugOut::Back)
}

/// Why a build of this revision would serve nobody any more, if so.
fn outlived(transaction: &Transaction<'_>, run: &Run) -> Result<Option<&'static str>, LedgerError> {
    let mut select = transaction.prepare_cached("SELECT body FROM subjects WHERE id = ?1")?;
    let body: Option<String> =
        select.query_row([run.subject.key()], |row| row.get(0)).optional()?;
    let state = body.map(|body| serde_json::from_str::<SubjectState>(&body)).transpose()?;
    Ok(state.and_then(|state| {
        let is_artifact = run.subject.kind == SubjectKind::Artifact;
        let newest = state.builds.last().map(|build| build.build.as_str());
        let head = state.head.as_ref().map(CommitSha::as_str);
        let is_head = Some(run.revision.as_str()) == if is_artifact { newest } else { head };
        if !state.is_open {
            Some("its pull request is closed")
        } else if run.supersede && !is_head && is_artifact {
            Some("a newer build of it is known by now")
        } else if run.supersede && !is_head {
            Some("its pull request has another head by now")
        } else {
            None
        }
    }))
}

/// Lets the run begin anew, so that what becomes of it is told.
fn revive(
    transaction: &Transaction<'_>,
    run: &Run,
    (start, now): (i64, i64),
) -> Result<(), LedgerError> {
    let run = Run { state: RunState::Ordered, cancelling: None, ..run.clone() };
    record::save_run(transaction, &run, now)?;
    // What was told of its first end would keep the same words from being told again.
    transaction.execute(
        "DELETE FROM actions WHERE run = ?1 AND seq <> ?2 \
         AND state IN ('done', 'superseded', 'buried')",
        params![run.id.as_str(), start],
    )?;
    Ok(())
}
