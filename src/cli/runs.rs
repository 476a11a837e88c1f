//! `runs`: the builds that rules have ordered.

use super::console::Console;
use super::ledger::{self, Subjects, one, typed};
use super::words::{Tint, moment};
use super::{Common, Exit};
use crate::ledger::view::runs::{RunFilter, RunWhole};

/// The builds that rules have ordered.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Runs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List runs, the newest first.
    List(List),
    /// Show a run, and all that was done for it.
    Show {
        /// The id of the run, or its beginning.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only those without a verdict.
    #[arg(long)]
    open: bool,
    /// Only those of this subject, such as `forge.example/rail/signalbox#7`.
    #[arg(long)]
    subject: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

pub(super) async fn run(
    common: &Common,
    command: Runs,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(ledger) = ledger::open(common, console)? else { return Ok(Exit::Usage) };
    let list = match command.command {
        Some(Command::Show { id }) => {
            let id = typed(&id);
            let whole = one(ledger.run_whole(id.clone()).await?, "run", &id)?;
            if common.json {
                console.json(&whole)?;
            } else {
                show(&whole, console)?;
            }
            return Ok(Exit::Success);
        }
        Some(Command::List(list)) => list,
        None => command.list,
    };
    let filter = RunFilter { open: list.open, subject: list.subject };
    let runs = ledger.runs(filter, list.limit).await?;
    let table = ledger::runs(console.clock().now(), &runs, Subjects::Told);
    if common.json {
        console.json(&runs)?;
    } else if table.is_empty() {
        console.line("no runs")?;
    } else {
        console.table(&table)?;
    }
    Ok(Exit::Success)
}

fn show(whole: &RunWhole, console: &mut Console) -> anyhow::Result<()> {
    let (view, run) = (&whole.view, &whole.view.run);
    let now = console.clock().now();
    console.tinted(Tint::Strong, &format!("run {}: {}", run.id, view.state))?;
    let reports: Vec<_> = run
        .reports
        .iter()
        .map(|report| format!("{} ({})", report.to, report.form.as_str()))
        .collect();
    let fields = [
        ("rule", Some(run.rule.clone())),
        ("subject", Some(view.subject.clone())),
        ("revision", Some(run.revision.clone())),
        ("attempt", Some(run.attempt.to_string())),
        ("build", Some(ledger::build(view))),
        ("page", run.ticket.url.clone()),
        ("ordered", Some(moment(now, view.ordered_at))),
        ("changed", Some(moment(now, view.changed_at))),
        ("to be cancelled", run.cancelling.clone()),
        ("reported to", (!reports.is_empty()).then(|| reports.join(", "))),
    ];
    ledger::fields(console, 2, &fields)?;
    if !whole.actions.is_empty() {
        console.line("")?;
        console.table(&ledger::actions(now, &whole.actions, Subjects::Known))?;
    }
    Ok(())
}
