//! Branches that were pushed: what is in the list is ours to take away, and nothing else.

use jiff::Timestamp;
use rusqlite::params;

use super::{Ledger, LedgerError};
use crate::subject::{CommitSha, ConnectionName, Subject};

/// A branch that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedBranch {
    /// Its name, without `refs/heads/`.
    pub name: String,
    /// The commit that it was made at.
    pub sha: CommitSha,
}

impl Ledger {
    /// Notes that a branch for `subject` was pushed to `tree`; doing so again makes it younger.
    pub async fn note_branch(
        &self,
        tree: &ConnectionName,
        branch: PushedBranch,
        subject: &Subject,
    ) -> Result<(), LedgerError> {
        let (tree, subject, now) = (tree.to_string(), subject.key(), self.now());
        self.write(move |transaction| {
            let mut upsert = transaction.prepare_cached(
                "INSERT INTO branches (tree, name, sha, subject, pushed_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (tree, name) DO UPDATE SET sha = ?3, subject = ?4, pushed_at = ?5",
            )?;
            upsert.execute(params![tree, branch.name, branch.sha.as_str(), subject, now])?;
            Ok(())
        })
        .await
    }

    /// The oldest `limit` branches on `tree` that nobody needs: pushed before `before`, and since
    /// then no run of their subject was open.
    ///
    /// All bases on one branch of an upstream are one subject: a run needs its own commit only.
    pub async fn branches_to_sweep(
        &self,
        tree: &ConnectionName,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<PushedBranch>, LedgerError> {
        let (tree, before) = (tree.to_string(), before.as_millisecond());
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT name, sha FROM branches AS b WHERE tree = ?1 AND pushed_at < ?2 \
                 AND NOT EXISTS (SELECT 1 FROM runs WHERE subject = b.subject \
                 AND (is_done = 0 OR changed_at >= ?2) \
                 AND (body ->> '$.series.role' IS NOT 'base' OR revision = b.sha)) ORDER BY pushed_at LIMIT ?3",
            )?;
            let read =
                |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
            let rows = select.query_map(params![tree, before, limit], read)?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let branches = rows.into_iter().filter_map(|(name, sha)| {
                Some(PushedBranch { name, sha: CommitSha::try_from(sha).ok()? })
            });
            Ok(branches.collect())
        })
        .await
    }

    /// Forgets a branch, unless it was pushed again at another commit.
    pub async fn forget_branch(
        &self,
        tree: &ConnectionName,
        branch: PushedBranch,
    ) -> Result<(), LedgerError> {
        let tree = tree.to_string();
        self.write(move |transaction| {
            let mut delete = transaction.prepare_cached(
                "DELETE FROM branches WHERE tree = ?1 AND name = ?2 AND sha = ?3",
            )?;
            delete.execute(params![tree, branch.name, branch.sha.as_str()])?;
            Ok(())
        })
        .await
    }
}
