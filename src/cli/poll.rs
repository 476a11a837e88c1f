//! `poll`: sources that have to be asked, for everybody who listens to the broker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::console::Console;
use super::words::safe;
use super::{Common, Exit, load};
use crate::ledger::{Ledger, Tenancy};
use crate::registry;
use crate::service::poll::bus::BusDesk;
use crate::service::poll::{Asker, Desk};
use crate::settings::Settings;
use crate::source::amqp::plan::Plan;
use crate::source::amqp::publish::{Publisher, Unheard};
use crate::source::poll::{Polled, PolledBy};
use crate::telemetry::{self, Output, metrics};
use crate::web;
use crate::web::health::{Health, PollReport};
use crate::web::poller::Page;

/// The file beside the ledger in which it is kept how far sources were heard.
const STATE: &str = "poller.db";

/// How sources are asked.
#[derive(Debug, clap::Args)]
pub(super) struct Poll {
    /// Ask each source once, publish what is new, and end: for cron, and for trying it out.
    #[arg(long)]
    once: bool,
    /// Where it is kept how far each source was heard; `poller.db` beside the ledger if not said.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where `/metrics`, `/live` and `/ready` are served, such as `127.0.0.1:8711`.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    listen: Option<SocketAddr>,
}

pub(super) async fn run(
    common: &Common,
    poll: Poll,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let clock = console.clock().clone();
    let pollers = registry::series::pollers(&settings, &clock)?;
    let is_ours = |polled: &Polled| polled.by == PolledBy::Poller;
    let pollers: Vec<_> = pollers.into_iter().filter(is_ours).collect();
    let Some(plan) = plan(&settings, &pollers, console)? else { return Ok(Exit::Usage) };
    let journal = std::env::var_os("JOURNAL_STREAM");
    telemetry::start(&settings.log, Output::of_stderr(journal.as_deref()))?;
    let numbers = metrics::start();
    let (state, _tenancy) = state(&settings, poll.state, console)?;
    let post = Arc::new(Publisher::new(&plan, Unheard::Gone));
    let prefix = plan.topic_prefix().to_owned();
    let desk: Arc<dyn Desk> = Arc::new(BusDesk::new(post, prefix, (state, clock.clone())));
    let health = Arc::new(Health::default());
    let asker = |polled| {
        let parts = (Arc::clone(&health), clock.clone());
        Asker::new(polled, Arc::clone(&desk), parts)
    };
    let askers: Vec<Asker> = pollers.into_iter().map(asker).collect();
    if poll.once {
        let stop = console.stop();
        return tokio::select! {
            biased;
            exit = once(askers, common.json, console) => exit,
            () = stop.cancelled() => Ok(Exit::Failure),
        };
    }
    let listener = match poll.listen {
        Some(address) => {
            let bound = tokio::net::TcpListener::bind(address).await;
            Some(bound.with_context(|| format!("cannot listen on {address} (`--listen`)"))?)
        }
        None => None,
    };
    let sources = askers.len();
    console.remark(&format!("pointsman poll asks {}", super::words::count(sources, "source")))?;
    super::run::tell_manager(sd_notify::NotifyState::Ready);
    serve(askers, (listener, Page { health, metrics: numbers }), console.stop()).await?;
    Ok(Exit::Success)
}

/// How the broker is used; none once it was told what is missing.
fn plan(
    settings: &Settings,
    pollers: &[Polled],
    console: &mut Console,
) -> anyhow::Result<Option<Plan>> {
    let Some(amqp) = &settings.amqp else {
        console.error(&anyhow!(
            "there is no broker to publish on (`[amqp]`); without one the service asks by itself \
             (`polled_by = \"service\"`)"
        ));
        return Ok(None);
    };
    if pollers.is_empty() {
        console.error(&anyhow!("there is nobody to ask: no source has `polled_by = \"poller\"`"));
        return Ok(None);
    }
    Plan::to_publish(amqp).map(Some)
}

/// The state, which is nobody else's as long as the second value is held.
fn state(
    settings: &Settings,
    file: Option<PathBuf>,
    console: &Console,
) -> anyhow::Result<(Ledger, Tenancy)> {
    let file = file.unwrap_or_else(|| settings.ledger.path.with_file_name(STATE));
    let state = Ledger::open(&file, console.clock().clone())?;
    let tenancy = state.occupy().with_context(|| {
        format!("cannot keep in `{}` how far sources were heard", file.display())
    })?;
    Ok((state, tenancy))
}

/// Asks until `stop`.
async fn serve(
    askers: Vec<Asker>,
    (listener, page): (Option<tokio::net::TcpListener>, Page),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let pages = async {
        match listener {
            Some(listener) => web::poller::serve(listener, page, stop.clone()).await,
            None => stop.cancelled().await,
        }
    };
    let asking = try_join_all(askers.into_iter().map(|asker| asker.serve(stop.clone())));
    tokio::select! {
        asked = asking => { asked?; }
        () = pages => {}
    }
    Ok(())
}

/// Asks each once, and tells how it went.
async fn once(askers: Vec<Asker>, is_json: bool, console: &mut Console) -> anyhow::Result<Exit> {
    let names: Vec<_> = askers.iter().map(|asker| asker.connection().clone()).collect();
    let reports = join_all(askers.into_iter().map(Asker::once)).await;
    let mut exit = Exit::Success;
    let mut told = std::collections::BTreeMap::new();
    for (name, report) in names.into_iter().zip(reports) {
        let report = report?;
        if let Some(error) = &report.error {
            exit = console.error(&anyhow!("cannot ask {name}: {error}"));
        } else if !is_json {
            console.line(&safe(&format!("{name}: {}", in_words(&report))))?;
        }
        told.insert(name, report);
    }
    if is_json {
        console.json(&told)?;
    }
    Ok(exit)
}

fn in_words(report: &PollReport) -> String {
    let newest = report.newest.as_ref().map(Timestamp::to_string);
    let newest = newest.map_or_else(String::new, |newest| format!(", the newest is of {newest}"));
    format!("asked; {} incomplete{newest}", report.waiting)
}
