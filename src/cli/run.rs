//! `run`: the service itself.

use std::time::Duration;

use anyhow::Context;
use sd_notify::NotifyState;

use super::console::Console;
use super::{Common, Exit, load, signals};
use crate::service::Service;
use crate::telemetry::{self, Output};

/// Runs the service until it is told to stop, or a part of it fails.
pub(super) async fn run(common: &Common, console: &mut Console) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let journal = std::env::var_os("JOURNAL_STREAM");
    telemetry::start(&settings.log, Output::of_stderr(journal.as_deref()))?;
    let Some(prepared) = load::prepared(settings, console)? else { return Ok(Exit::Usage) };
    let (clock, stop) = (console.clock().clone(), console.stop());
    let hangups = signals::hangups()?;
    let service = Service::start(prepared, clock).await.context("cannot start the service")?;
    let place = service.address.map_or_else(String::new, |at| format!(" on http://{at}/"));
    console.remark(&format!("pointsman {} is ready{place}", env!("CARGO_PKG_VERSION")))?;
    tell_manager(NotifyState::Ready);
    let reload = service.reload.clone();
    let served = async {
        let tell = async {
            stop.cancelled().await;
            tell_manager(NotifyState::Stopping);
            // The service says when it has ended.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            end = service.run(stop.clone()) => end,
            () = tell => Ok(()),
            () = feed_watchdog() => Ok(()),
            () = hangups.each(|| reload.again()) => Ok(()),
        }
    };
    served.await?;
    Ok(Exit::Success)
}

/// Tells the service manager, if there is one (`NOTIFY_SOCKET`).
pub(super) fn tell_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "Cannot tell the service manager");
    }
}

/// Tells the service manager again and again that we live, if it wants to know.
#[expect(clippy::infinite_loop, reason = "it is dropped when the service ends")]
async fn feed_watchdog() {
    let wanted = sd_notify::watchdog_enabled().filter(|limit| *limit > Duration::ZERO);
    let Some(limit) = wanted else { return std::future::pending().await };
    // sd_watchdog_enabled(3) recommends half of the time that is allowed.
    let mut beat = tokio::time::interval(limit / 2);
    loop {
        beat.tick().await;
        tell_manager(NotifyState::Watchdog);
    }
}
