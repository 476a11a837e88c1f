//! What performance is claimed is measured here, beside the peers: see `README.md`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use broker::Broker;
use drain::Extent;
use table::Table;

mod table;
mod messages;
mod broker;
mod process;
mod service;

mod apply;
mod floor;
mod drain;
mod rules;
mod latency;
mod startup;

/// Measures, and compares with what was promised.
#[derive(Debug, Parser)]
struct Arguments {
    /// The broker.
    #[arg(long)]
    amqp: Option<String>,
    /// The Python that has fedora-messaging and python-jenkins.
    #[arg(long)]
    python: Option<PathBuf>,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How many messages are drained.
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// How many messages fedora-messaging drains.
    #[arg(long, default_value_t = 10_000)]
    peer_count: u64,
    /// Only print: a missed target is no failure.
    #[arg(long)]
    no_fail: bool,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// What to measure: `drain`, `relevant`, `rules`, `latency`, `startup`,
    /// `apply`; all when none is named.
    only: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, url, queue, count] = words.as_slice()
        && word == "floor"
    {
        floor::consume(url, queue, count.parse()?).await?;
    }
    let arguments = Arguments::parse();
    let table = measure(&arguments).await?;
    write!(std::io::stdout(), "{table}")?;
    let is_failure = !table.passes() && !arguments.no_fail;
    Ok(if is_failure { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(arguments: &Arguments) -> anyhow::Result<Table> {
    let wants = |what: &str| arguments.only.is_empty() || arguments.only.iter().any(|o| o == what);
    let runs = arguments.runs;
    let mut table = Table::default();
    if wants("rules") {
        say("rules");
        table.extend(rules::measure(runs)?);
    }
    if wants("startup") {
        say("start-up");
        table.extend(startup::measure(runs).await?);
    }
    if wants("apply") {
        say("a series on a large tree");
        table.extend(apply::measure(runs).await?);
    }
    let (Some(url), Some(python)) = (&arguments.amqp, &arguments.python) else {
        say("without --amqp and --python the rest is left out");
        return Ok(table);
    };
    let broker = Broker::connect(url).await?;
    let extent = Extent { count: arguments.count, peer_count: arguments.peer_count, runs };
    if wants("latency") {
        say("latency");
        table.extend(latency::measure(&broker, (1_000, runs), python).await?);
    }
    if wants("drain") {
        say("draining, 1 % relevant");
        table.extend(drain::mostly_passed_over(&broker, extent, python).await?);
    }
    if wants("relevant") {
        say("draining, all relevant");
        table.extend(drain::all_relevant(&broker, extent).await?);
    }
    Ok(table)
}

/// Tells whoever waits what is being measured; the table alone goes to standard output.
fn say(what: &str) {
    // Nobody to tell it to is no reason to stop.
    drop(writeln!(std::io::stderr(), "bench: {what}"));
}
