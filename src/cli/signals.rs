//! SIGTERM and SIGINT: the first asks for an orderly end, the second for an end.  SIGHUP asks a
//! running service to read its rules again.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Does `work`, and cancels `stop` at the first signal; at a second one the work is left as it is
/// and there is no answer.
pub(super) async fn heeding<T>(
    work: impl Future<Output = T>,
    stop: &CancellationToken,
) -> anyhow::Result<Option<T>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let signals = async {
        any(&mut terminate, &mut interrupt).await;
        stop.cancel();
        any(&mut terminate, &mut interrupt).await;
    };
    // When both are ready, the work has done what it was asked to.
    tokio::select! {
        biased;
        done = work => Ok(Some(done)),
        () = signals => Ok(None),
    }
}

/// The SIGHUPs from now on; before, one ends the process.
pub(super) fn hangups() -> anyhow::Result<Hangups> {
    Ok(Hangups(signal(SignalKind::hangup()).context("cannot listen for signals")?))
}

/// SIGHUPs that come.
pub(super) struct Hangups(Signal);

impl Hangups {
    /// Calls `heed` at each; ends never.
    pub(super) async fn each(mut self, heed: impl Fn()) {
        while self.0.recv().await.is_some() {
            heed();
        }
        std::future::pending::<()>().await;
    }
}

/// The next of either; both are safe to be dropped while they wait.
async fn any(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
