//! Taking away branches that nobody needs any more, and keeping repositories tidy.
//!
//! What is taken away is read off the ledger's own list and has to be at the commit that it was
//! made at: no branch is removed because its name looks like one of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Service;
use crate::git::Tree;
use crate::ledger::branches::PushedBranch;
use crate::ledger::{Ledger, LedgerError};
use crate::remote::{Failure, chain};
use crate::settings::Settings;
use crate::subject::ConnectionName;
use crate::worker::Site;

/// How often it is looked for branches that nobody needs.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// How many are taken away from one repository in one round: each is a push.
const AT_ONCE_MAX: u32 = 20;
/// In how many rounds repositories are tidied once.
const ROUNDS_PER_TIDYING: u32 = 24;

impl Service {
    /// Lets somebody sweep each repository that branches are pushed to.
    pub(super) fn spawn_sweep(
        &mut self,
        settings: &Settings,
        sites: &BTreeMap<ConnectionName, Site>,
    ) {
        for (connection, site) in sites {
            let name = connection.as_str().split('.').nth(1).unwrap_or_default();
            let (Some(tree), Some(git)) = (&site.tree, settings.git.get(name)) else { continue };
            let sweep = Sweep {
                connection: connection.clone(),
                tree: Arc::clone(tree),
                keep: git.keep,
                ledger: self.ledger.clone(),
                stuck: BTreeSet::new(),
                is_failing: false,
            };
            let stop = self.stop.clone();
            self.spawn("the sweeping of branches", sweep.serve(stop));
        }
    }
}

/// Sweeps one repository.
pub(super) struct Sweep {
    pub(super) connection: ConnectionName,
    pub(super) tree: Arc<dyn Tree>,
    pub(super) keep: Duration,
    pub(super) ledger: Ledger,
    /// The branches that could not be taken away.
    pub(super) stuck: BTreeSet<String>,
    /// Whether the last thing that was tried has failed, and was told.
    pub(super) is_failing: bool,
}

impl Sweep {
    async fn serve(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        // The first fetch takes long; a series that comes meanwhile waits for the same one.
        let prepared = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            prepared = self.tree.prepare() => prepared,
        };
        self.tell(prepared, "fetch its upstream");
        let mut rounds: u32 = 0;
        loop {
            // What is cut off here is done again in the next life.
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                swept = self.round() => swept?,
            }
            if rounds.is_multiple_of(ROUNDS_PER_TIDYING) {
                let tidied = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    tidied = self.tree.tidy() => tidied,
                };
                self.tell(tidied, "tidy up");
            }
            rounds = rounds.wrapping_add(1);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
        }
    }

    /// Takes away some of what nobody needs, the oldest first.
    pub(super) async fn round(&mut self) -> Result<(), LedgerError> {
        let keep = jiff::SignedDuration::try_from(self.keep).unwrap_or(jiff::SignedDuration::MAX);
        let before = self.ledger.clock().now().checked_sub(keep).unwrap_or(Timestamp::MIN);
        // What is stuck stands before all others, and must not be all that is ever seen.
        let stuck = u32::try_from(self.stuck.len()).unwrap_or(u32::MAX);
        let limit = AT_ONCE_MAX.saturating_add(stuck);
        let mut found = self.ledger.branches_to_sweep(&self.connection, before, limit).await?;
        found.retain(|branch| !self.stuck.contains(&branch.name));
        if found.is_empty() {
            self.stuck.clear();
        }
        for branch in found {
            let PushedBranch { name, sha } = &branch;
            match self.tree.remove(name, sha).await {
                Ok(()) => {
                    tracing::info!("{}: took away the branch `{name}`", self.connection);
                    self.is_failing = false;
                    self.ledger.forget_branch(&self.connection, branch).await?;
                }
                Err(failure) => {
                    // Perhaps nothing can be reached: the next round will see.
                    self.tell(Err(failure), &format!("take away the branch `{name}`"));
                    self.stuck.insert(branch.name);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Logs a failure, once for as long as there is nothing else.
    fn tell(&mut self, done: Result<(), Failure>, what: &str) {
        let Err(failure) = done else {
            self.is_failing = false;
            return;
        };
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(error = chain(&failure), "{}: cannot {what}", self.connection);
        }
    }
}

#[cfg(test)]
mod tests;
