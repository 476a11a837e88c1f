//! Forgetting by age, a little at a time.

use std::time::Duration;

use rusqlite::params;

use super::{Ledger, LedgerError};

/// How long what is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Messages, events, and runs and actions that are done.
    pub ordinary: Duration,
    /// Dead letters and buried actions.
    pub dead: Duration,
}

/// How old a row has to be.
#[derive(Clone, Copy, Debug)]
enum Age {
    Ordinary,
    Dead,
    /// A day: what has not come by then does not come.
    Orphan,
}

/// What is forgotten, in an order in which nothing points at what is gone: rows older than `?1`,
/// at most `?2` of them.
const STATEMENTS: &[(Age, &str)] = &[
    (
        Age::Ordinary,
        "DELETE FROM actions WHERE seq IN (SELECT seq FROM actions WHERE \
         state IN ('done', 'superseded') AND changed_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Dead,
        "DELETE FROM actions WHERE seq IN (SELECT seq FROM actions WHERE \
         state = 'buried' AND changed_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE \
         is_done = 1 AND changed_at < ?1 \
         AND NOT EXISTS (SELECT 1 FROM actions WHERE run = runs.id) LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events AS e WHERE at < ?1 \
         AND NOT EXISTS (SELECT 1 FROM actions WHERE event = e.seq) LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM messages WHERE seq IN (SELECT seq FROM messages AS m WHERE \
         state IN ('read', 'ignored') AND received_at < ?1 \
         AND NOT EXISTS (SELECT 1 FROM events WHERE message = m.seq) LIMIT ?2)",
    ),
    (
        Age::Dead,
        "DELETE FROM messages WHERE seq IN (SELECT seq FROM messages WHERE \
         state = 'dead' AND received_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM subjects WHERE id IN (SELECT id FROM subjects WHERE \
         (is_open = 0 OR id NOT GLOB '*#[0-9]*') AND heard_at < ?1 \
         AND NOT EXISTS (SELECT 1 FROM runs WHERE subject = subjects.id AND is_done = 0) LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM comments WHERE id IN (SELECT id FROM comments WHERE \
         heard_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM letters WHERE (tree, msgid) IN (SELECT tree, msgid FROM letters WHERE \
         heard_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM series WHERE subject IN (SELECT subject FROM series WHERE \
         heard_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM threads WHERE id IN (SELECT id FROM threads WHERE \
         heard_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Orphan,
        "DELETE FROM orphans WHERE seq IN (SELECT seq FROM orphans WHERE \
         heard_at < ?1 LIMIT ?2)",
    ),
    (
        Age::Ordinary,
        "DELETE FROM jobs WHERE (instance, job) IN (SELECT instance, job FROM jobs WHERE \
         heard_at < ?1 LIMIT ?2)",
    ),
];

impl Ledger {
    /// How many rows one transaction deletes, so that nobody waits long for the writer.
    const PRUNED_AT_ONCE: usize = 500;

    /// How long an event waits at most for the one that it continues.
    const ORPHANS_KEPT: Duration = Duration::from_hours(24);

    /// Forgets what is older than `keep` says, and returns how many rows that were.
    pub async fn prune(&self, keep: Keep) -> Result<usize, LedgerError> {
        let before = |age: Duration| {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            self.now().saturating_sub(age)
        };
        let (ordinary, dead) = (before(keep.ordinary), before(keep.dead));
        let orphan = before(keep.ordinary.min(Self::ORPHANS_KEPT));
        let mut total = 0;
        for (age, statement) in STATEMENTS {
            let before = match age {
                Age::Ordinary => ordinary,
                Age::Dead => dead,
                Age::Orphan => orphan,
            };
            loop {
                let deleted = self
                    .write(move |transaction| {
                        let limit = i64::try_from(Self::PRUNED_AT_ONCE).unwrap_or(i64::MAX);
                        Ok(transaction.execute(statement, params![before, limit])?)
                    })
                    .await?;
                total += deleted;
                if deleted < Self::PRUNED_AT_ONCE {
                    break;
                }
            }
        }
        if total > 0 {
            // It frees a page at each step.
            self.write(|db| {
                let mut vacuum = db.prepare("PRAGMA incremental_vacuum(2000)")?;
                let mut pages = vacuum.query([])?;
                while pages.next()?.is_some() {}
                Ok(())
            })
            .await?;
        }
        Ok(total)
    }
}
