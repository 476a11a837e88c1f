//! Draining a full queue: rate, CPU seconds and memory, beside the floor and fedora-messaging.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use crate::broker::Broker;
use crate::messages::Messages;
use crate::process::{Process, Used};
use crate::service::{Outside, Service};
use crate::table::{Row, Target, median, number};

/// How many messages the figures for CPU are about.
const HUNDRED_THOUSAND: f64 = 100_000.0;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Messages in the queue.
    pub(crate) count: u64,
    /// Messages in the queue for fedora-messaging.
    pub(crate) peer_count: u64,
    /// How often each is run.
    pub(crate) runs: usize,
}

/// What one run has shown.
#[derive(Clone, Copy, Debug)]
struct Run {
    per_second: f64,
    cpu_s: f64,
    peak_mib: f64,
}

impl Run {
    fn new(count: u64, seconds: f64, used: Used) -> Self {
        let count = float(count);
        Self {
            per_second: count / seconds,
            cpu_s: used.cpu_s / count * HUNDRED_THOUSAND,
            peak_mib: used.peak_mib,
        }
    }
}

#[derive(Debug)]
struct Runs(Vec<Run>);

impl Runs {
    fn per_second(&self) -> f64 {
        median(self.0.iter().map(|run| run.per_second).collect())
    }

    fn cpu_s(&self) -> f64 {
        median(self.0.iter().map(|run| run.cpu_s).collect())
    }

    fn peak_mib(&self) -> f64 {
        median(self.0.iter().map(|run| run.peak_mib).collect())
    }
}

/// One message in a hundred is relevant.
pub(crate) async fn mostly_passed_over(
    broker: &Broker,
    extent: Extent,
    python: &Path,
) -> anyhow::Result<Vec<Row>> {
    const SHARE: u64 = 100;
    let messages = Messages::new()?;
    let (mut ours, mut floor, mut peer) = (Runs(vec![]), Runs(vec![]), Runs(vec![]));
    for _ in 0..extent.runs {
        broker.fill(QUEUE, &messages, (extent.count, SHARE)).await?;
        floor.0.push(drain_by_floor(broker, extent.count).await?);
        broker.fill(QUEUE, &messages, (extent.count, SHARE)).await?;
        ours.0.push(drain_by_service(broker, (extent.count, SHARE)).await?);
        broker.fill(QUEUE, &messages, (extent.peer_count, SHARE)).await?;
        peer.0.push(drain_by_peer(broker, extent.peer_count, python).await?);
    }
    broker.delete(QUEUE).await?;
    let rate = |runs: &Runs| format!("{:.0}/s", runs.per_second());
    let row = |measure: &str, ours: String, other: String, (value, target)| Row {
        measure: measure.to_owned(),
        ours,
        other,
        value,
        target,
    };
    let to_floor = ours.per_second() / floor.per_second();
    let to_peer = ours.per_second() / peer.per_second();
    let of_others = |what: fn(&Runs) -> f64, unit: &str| {
        format!("{}{unit} / {}{unit}", number(what(&floor)), number(what(&peer)))
    };
    Ok(vec![
        row(
            "1 % relevant: rate, to a bare lapin consumer's",
            rate(&ours),
            rate(&floor),
            (to_floor, Target::AtLeast(0.8)),
        ),
        row(
            "1 % relevant: rate, to fedora-messaging's",
            rate(&ours),
            rate(&peer),
            (to_peer, Target::AtLeast(15.0)),
        ),
        row(
            "1 % relevant: CPU seconds per 100,000",
            format!("{} s", number(ours.cpu_s())),
            of_others(Runs::cpu_s, " s"),
            (ours.cpu_s(), Target::AtMost(3.0)),
        ),
        row(
            "1 % relevant: peak memory (MiB)",
            format!("{} MiB", number(ours.peak_mib())),
            of_others(Runs::peak_mib, " MiB"),
            (ours.peak_mib(), Target::AtMost(50.0)),
        ),
    ])
}

/// Every message is relevant, and each of them orders a build.
pub(crate) async fn all_relevant(broker: &Broker, extent: Extent) -> anyhow::Result<Vec<Row>> {
    let messages = Messages::new()?;
    let mut ours = Runs(vec![]);
    for _ in 0..extent.runs {
        broker.fill(QUEUE, &messages, (extent.count, 1)).await?;
        ours.0.push(drain_by_service(broker, (extent.count, 1)).await?);
    }
    broker.delete(QUEUE).await?;
    let row = |measure: &str, ours: String, (value, target)| Row {
        measure: measure.to_owned(),
        ours,
        other: String::new(),
        value,
        target,
    };
    let rate = ours.per_second();
    Ok(vec![
        row(
            "all relevant, stored: messages per second",
            format!("{rate:.0}/s, {} s CPU per 100,000", number(ours.cpu_s())),
            (rate, Target::AtLeast(6_000.0)),
        ),
        row(
            "all relevant, stored: peak memory (MiB)",
            format!("{} MiB", number(ours.peak_mib())),
            (ours.peak_mib(), Target::None),
        ),
    ])
}

/// The queue that is drained.
const QUEUE: &str = "pointsman.bench.drain";

async fn drain_by_service(broker: &Broker, (count, share): (u64, u64)) -> anyhow::Result<Run> {
    // It takes connections and never answers: what is ordered stays ordered, and only the way
    // into the ledger is measured.
    let silent = TcpListener::bind(("127.0.0.1", 0))?;
    let jenkins = format!("http://{}/", silent.local_addr()?);
    let amqp = Some((broker.url(), QUEUE));
    let mut service = Service::start(&Outside { amqp, jenkins: &jenkins })?;
    // What waits in the queue is cheap to ask, what was settled is not.
    broker.until_left(QUEUE, count - 1).await?;
    let began = Instant::now();
    broker.until_left(QUEUE, 0).await?;
    service.settled(count).await?;
    let seconds = began.elapsed().as_secs_f64();
    let (fired, wanted) = (service.fired(), count / share);
    ensure!(fired == wanted, "{fired} builds were ordered instead of {wanted}");
    Ok(Run::new(count, seconds, service.used()?))
}

async fn drain_by_floor(broker: &Broker, count: u64) -> anyhow::Result<Run> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", broker.url(), QUEUE, &count.to_string()]);
    let mut process = Process::start(command)?;
    let seconds = process.line("done").await?;
    Ok(Run::new(count, seconds, process.used()?))
}

async fn drain_by_peer(broker: &Broker, count: u64, python: &Path) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir()?;
    let command = peer(broker.url(), QUEUE, (python, folder.path()), "count.py:Count")?;
    let mut command = command;
    command.env("BENCH_COUNT", count.to_string());
    let mut process = Process::start(command)?;
    let seconds = process.line("done").await?;
    Ok(Run::new(count, seconds, process.used()?))
}

/// `fedora-messaging consume` as installed beside `python`, with a callback out of `peers/`.
pub(crate) fn peer(
    url: &str,
    queue: &str,
    (python, folder): (&Path, &Path),
    callback: &str,
) -> anyhow::Result<Command> {
    let settings = format!(
        "amqp_url = \"{url}\"\npassive_declares = true\n\
         [queues.\"{queue}\"]\ndurable = true\nauto_delete = false\nexclusive = false\narguments = {{}}\n\
         [[bindings]]\nqueue = \"{queue}\"\nexchange = \"{queue}\"\nrouting_keys = [\"#\"]\n\
         [log_config]\nversion = 1\ndisable_existing_loggers = true\n\
         [log_config.root]\nlevel = \"WARNING\"\nhandlers = []\n"
    );
    let file = folder.join("fedora-messaging.toml");
    std::fs::write(&file, settings)?;
    let programs = python.parent().context("`--python` names no program")?;
    let callback = format!("{}/benches/peers/{callback}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(programs.join("fedora-messaging"));
    command.arg("--conf").arg(&file).args(["consume", "--callback-file", &callback]);
    Ok(command)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
