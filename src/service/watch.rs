//! What is done from time to time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;
use crate::ledger::prune::Keep;

/// Forgets what is old, now and then.
pub(super) async fn prune(
    ledger: Ledger,
    keep: Keep,
    every: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let rows = ledger.prune(keep).await?;
        if rows > 0 {
            tracing::info!(rows, "Forgot what was old");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
    }
}
