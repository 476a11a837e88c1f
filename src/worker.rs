//! The worker: takes actions from the ledger, performs them, and writes down how they ended.
//!
//! Each connection has a line of its own, so that a slow or dead system delays only what is to
//! be done there.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::executors::{Executor, Lab};
use crate::forges::Forge;
use crate::git::{Letters, Tree};
use crate::ledger::queue::{Claimed, Settlement};
use crate::ledger::{Decide, Ledger, LedgerError};
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::subject::ConnectionName;
use crate::telemetry::metrics::{self, ActionOutcome};

mod apply;
pub mod backoff;
mod inquire;
mod perform;
mod survey;

use backoff::Backoff;

/// How long a line waits at most before it looks for work: another process may have left some.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// An outside system, as the worker uses it.
#[derive(Clone)]
pub struct Site {
    /// The host (and port, if not the usual one) of the system.
    pub host: String,
    /// How many actions are performed there at once, at least one.
    pub concurrency: usize,
    /// How often a build there is asked after.
    pub poll: Backoff,
    /// The system as something that runs builds.
    pub executor: Option<Arc<dyn Executor>>,
    /// The system as one that has boards.
    pub lab: Option<Arc<dyn Lab>>,
    /// The system as a place where people look.
    pub reporter: Option<Arc<dyn Reporter>>,
    /// The system as one that knows people and proposals.
    pub forge: Option<Arc<dyn Forge>>,
    /// The system as one that has the mails of series.
    pub letters: Option<Arc<dyn Letters>>,
    /// The system as a repository that series are put on branches of.
    pub tree: Option<Arc<dyn Tree>>,
}

/// Takes actions from the ledger and performs them.
#[derive(Clone)]
pub struct Worker {
    ledger: Ledger,
    decide: Decide,
    sites: Arc<BTreeMap<ConnectionName, Site>>,
    backoff: Backoff,
    attempts_max: u32,
}

impl Site {
    /// A system that is not configured any more: whatever is to be done there is given up.
    pub fn nowhere() -> Self {
        let poll = Backoff { min: Duration::from_mins(1), max: Duration::from_hours(1) };
        Self {
            host: String::new(),
            concurrency: 1,
            poll,
            executor: None,
            lab: None,
            reporter: None,
            forge: None,
            letters: None,
            tree: None,
        }
    }
}

impl Worker {
    /// A worker for all of `sites`.
    ///
    /// An action is tried `attempts_max` times before it is buried; the pauses between follow
    /// `backoff`.
    pub fn new(
        ledger: Ledger,
        decide: Decide,
        sites: BTreeMap<ConnectionName, Site>,
        (backoff, attempts_max): (Backoff, u32),
    ) -> Self {
        Self { ledger, decide, sites: Arc::new(sites), backoff, attempts_max }
    }

    /// The connections that each need a [`Worker::serve`].
    pub fn connections(&self) -> Vec<ConnectionName> {
        self.sites.keys().cloned().collect()
    }

    /// Works on what is to be done at `connection` until `stop`; then finishes what is in hand.
    ///
    /// Fails only when the ledger does: what is in hand is then found again by the next start.
    pub async fn serve(
        &self,
        connection: ConnectionName,
        stop: CancellationToken,
    ) -> Result<(), LedgerError> {
        let Some(site) = self.sites.get(&connection) else {
            return Ok(());
        };
        let mut bell = self.ledger.work_at(&connection);
        let mut in_hand = JoinSet::new();
        while !stop.is_cancelled() {
            bell.mark_unchanged();
            let free = site.concurrency.max(1).saturating_sub(in_hand.len());
            if free > 0 {
                for claimed in self.ledger.claim(&connection, free).await? {
                    let (worker, connection) = (self.clone(), connection.clone());
                    in_hand.spawn(
                        async move { worker.perform_and_settle(&connection, claimed).await },
                    );
                }
            }
            // Each branch only waits; nothing is lost when another one wins.
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = in_hand.join_next() => settled(ended)?,
                heard = bell.changed() => if heard.is_err() { break },
                rested = self.rest(&connection) => rested?,
            }
        }
        while let Some(ended) = in_hand.join_next().await {
            settled(ended)?;
        }
        Ok(())
    }

    /// Performs everything that is due now, and what follows from it, until nothing is left.
    ///
    /// Returns how many actions that were.
    pub async fn drain(&self) -> Result<usize, LedgerError> {
        let mut count = 0;
        loop {
            let before = count;
            for connection in self.sites.keys() {
                for claimed in self.ledger.claim(connection, 1).await? {
                    self.perform_and_settle(connection, claimed).await?;
                    count += 1;
                }
            }
            if count == before {
                return Ok(count);
            }
        }
    }

    /// Waits as long as there is nothing to do at `connection`, as far as is known.
    async fn rest(&self, connection: &ConnectionName) -> Result<(), LedgerError> {
        let now = self.ledger.clock().now().as_millisecond();
        let due = self.ledger.next_due(connection).await?;
        let wait =
            due.map(|due| Duration::from_millis(due.saturating_sub(now).max(0).cast_unsigned()));
        // What is due and was not claimed waits for another action of its lane, whose end wakes us.
        let pause = wait.filter(|wait| !wait.is_zero()).unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN);
        tokio::time::sleep(pause).await;
        Ok(())
    }

    async fn perform_and_settle(
        &self,
        connection: &ConnectionName,
        claimed: Claimed,
    ) -> Result<(), LedgerError> {
        let span = tracing::info_span!(
            "action",
            action.key = %claimed.key,
            action.attempt = claimed.attempts,
            connection = %connection,
            message.id = claimed.cause,
        );
        async {
            let Some(site) = self.sites.get(connection) else {
                return Ok(());
            };
            let begun = tokio::time::Instant::now();
            // One action must not take the line of its subject down with it.
            let performing = AssertUnwindSafe(self.perform(connection, site, &claimed));
            let settlement = performing.catch_unwind().await.unwrap_or_else(|_panic| {
                let failure = Failure::retry(anyhow::anyhow!("a panic, which is a bug"));
                self.failed(&claimed, &failure, Vec::new())
            });
            let kind = claimed.task.kind();
            metrics::record_action_time(kind, connection, begun.elapsed());
            if let Some(outcome) = outcome(&settlement) {
                metrics::count_action(kind, connection, outcome);
            }
            log(&claimed, connection, &settlement);
            let decide = Arc::clone(&self.decide);
            self.ledger.settle(claimed.seq, settlement, decide).await?.tell();
            Ok(())
        }
        .instrument(span)
        .await
    }
}

fn settled(
    ended: Result<Result<(), LedgerError>, tokio::task::JoinError>,
) -> Result<(), LedgerError> {
    match ended {
        Ok(result) => result,
        Err(error) => {
            // The action stays claimed, and is found again at the next start.
            tracing::error!(error = %error, "An action was not brought to its end");
            Ok(())
        }
    }
}

/// The word for it in the metrics; a look that is repeated is no outcome.
fn outcome(settlement: &Settlement) -> Option<ActionOutcome> {
    match settlement {
        Settlement::Done(_) => Some(ActionOutcome::Done),
        Settlement::Superseded(..) => Some(ActionOutcome::Superseded),
        Settlement::Later(..) => None,
        Settlement::Retry(..) => Some(ActionOutcome::Retried),
        Settlement::Buried(..) => Some(ActionOutcome::Buried),
    }
}

/// Logs how an action ended; the one place where its error is logged.
fn log(claimed: &Claimed, connection: &ConnectionName, settlement: &Settlement) {
    let kind = claimed.task.kind();
    match settlement {
        Settlement::Done(_) => tracing::info!("Did `{kind}` at {connection}"),
        Settlement::Superseded(reason, _) => {
            tracing::info!(reason, "`{kind}` at {connection} was not needed any more");
        }
        Settlement::Later(pause, _) => {
            tracing::debug!(pause_s = pause.as_secs(), "Looked, and will look again");
        }
        Settlement::Retry(pause, error) => tracing::warn!(
            error,
            pause_s = pause.as_secs_f64(),
            "Cannot `{kind}` at {connection} now, and will try again"
        ),
        Settlement::Buried(error, _) => {
            tracing::error!(error, "Cannot `{kind}` at {connection}, and gave up");
        }
    }
}

#[cfg(test)]
mod tests;
