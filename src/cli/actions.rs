//! `actions`: what is to be done, was done, or was given up.

use anyhow::anyhow;
use serde_json::json;

use super::console::Console;
use super::ledger::{self, Subjects};
use super::table::{Cell, Table};
use super::words::{self, Tint, moment, safe};
use super::{Common, Exit, LIMIT};
use crate::action::{Inquiry, Task};
use crate::ledger::Ledger;
use crate::ledger::queue::DugOut;
use crate::ledger::view::actions::{ActionState, ActionWhole};

/// What is to be done, was done, or was given up.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Actions {
    /// List actions, the newest first.
    List {
        /// Only those in this state.
        #[arg(long, value_enum)]
        state: Option<ActionState>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = LIMIT)]
        limit: u32,
    },
    /// Show an action, and what caused it.
    Show {
        /// The number of the action.
        seq: i64,
    },
    /// Put actions that were given up back in line.
    #[command(arg_required_else_help = true)]
    Retry {
        /// The numbers of the actions.
        #[arg(value_name = "SEQ")]
        seqs: Vec<i64>,
        /// All that were given up.
        #[arg(long, conflicts_with = "seqs")]
        all_buried: bool,
    },
}

/// What is done when nothing more is said.
impl Default for Actions {
    fn default() -> Self {
        Self::List { state: None, limit: LIMIT }
    }
}

pub(super) async fn run(
    common: &Common,
    command: Actions,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(ledger) = ledger::open(common, console)? else { return Ok(Exit::Usage) };
    match command {
        Actions::List { state, limit } => {
            let actions = ledger.actions(state, limit).await?;
            let table = ledger::actions(console.clock().now(), &actions, Subjects::Told);
            if common.json {
                console.json(&actions)?;
            } else if table.is_empty() {
                console.line("no actions")?;
            } else {
                console.table(&table)?;
            }
            Ok(Exit::Success)
        }
        Actions::Show { seq } => {
            let action = ledger.action(seq).await?;
            let action = action.ok_or_else(|| anyhow!("there is no action {seq}"))?;
            if common.json {
                console.json(&action)?;
            } else {
                show(&action, console)?;
            }
            Ok(Exit::Success)
        }
        Actions::Retry { seqs, all_buried } => {
            let seqs = if all_buried { buried(&ledger).await? } else { seqs };
            retry(&ledger, seqs, common.json, console).await
        }
    }
}

fn show(whole: &ActionWhole, console: &mut Console) -> anyhow::Result<()> {
    let action = &whole.view;
    let now = console.clock().now();
    let heading = format!("action {}: {} at {}", action.seq, action.kind, action.connection);
    console.tinted(Tint::Strong, &safe(&heading))?;
    let due = (action.state == "waiting").then(|| moment(now, action.due_at));
    let fields = [
        ("state", Some(action.state.clone())),
        ("key", Some(action.key.clone())),
        ("subject", action.subject.clone()),
        ("run", action.run.clone()),
        ("tries", Some(action.attempts.to_string())),
        ("made", Some(moment(now, action.made_at))),
        ("changed", Some(moment(now, action.changed_at))),
        ("due", due),
        ("remark", action.error.clone()),
    ];
    ledger::fields(console, 2, &fields)?;
    console.line("")?;
    task(console, &action.task)?;
    if let Some(event) = &whole.event {
        console.line("")?;
        console.line("It was caused by")?;
        ledger::event(console, event)?;
    }
    Ok(())
}

/// Prints what there is to do, in full.
pub(super) fn task(console: &mut Console, task: &Task) -> anyhow::Result<()> {
    let mut table = Table::new(&[]).indented(4);
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            table.row([Cell::tinted(name, Tint::Dim), Cell::new(value)]);
        }
    };
    let text = match task {
        Task::Start(order) => {
            field("job", &order.job);
            field("cause", &order.cause);
            for (name, value) in &order.parameters {
                field(name, value);
            }
            None
        }
        Task::Inspect(lookup) | Task::Cancel(lookup) => {
            field("job", &lookup.ticket.job);
            field("number", &lookup.ticket.number.map(|n| n.to_string()).unwrap_or_default());
            field("url", lookup.ticket.url.as_deref().unwrap_or_default());
            None
        }
        Task::Report(report) => {
            field("as", report.form.as_str());
            field("stage", report.stage.as_str());
            field("url", report.url.as_deref().unwrap_or_default());
            Some(&report.text)
        }
        Task::Notify(notice) => Some(&notice.text),
        Task::Survey(survey) => {
            field("artifact", &survey.artifact.artifact.name);
            field("tags", &survey.tags.join(", "));
            None
        }
        Task::Apply(order) => {
            field("title", &order.series.series.title);
            field("version", &order.series.revision());
            None
        }
        Task::Push(order) => {
            field("branch", &order.name);
            field("sha", order.sha.as_str());
            None
        }
        Task::Inquire(Inquiry::Author { proposal, .. }) => {
            field("about", &proposal.author);
            None
        }
        Task::Inquire(Inquiry::Commands { said, .. }) => {
            field("about", &said.comment.author);
            Some(&said.comment.text)
        }
    };
    let look = super::console::Look { width: None, ..console.look() };
    for line in table.lines(look) {
        console.line(&line)?;
    }
    for line in text.iter().flat_map(|text| words::safe_lines(text)) {
        console.line(&format!("    │ {line}"))?;
    }
    Ok(())
}

async fn buried(ledger: &Ledger) -> anyhow::Result<Vec<i64>> {
    let buried = ledger.actions(Some(ActionState::Buried), u32::MAX).await?;
    let mut seqs: Vec<_> = buried.into_iter().map(|action| action.seq).collect();
    // In the order in which they stood in line.
    seqs.sort_unstable();
    Ok(seqs)
}

async fn retry(
    ledger: &Ledger,
    seqs: Vec<i64>,
    is_json: bool,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let mut exit = Exit::Success;
    let mut outcomes = Vec::new();
    for seq in seqs {
        let why_not = match ledger.dig_out(seq).await? {
            DugOut::Back => None,
            DugOut::NotBuried => Some("it is not buried"),
            DugOut::Refused(reason) => Some(reason),
        };
        outcomes.push(json!({ "seq": seq, "retried": why_not.is_none(), "reason": why_not }));
        if let Some(reason) = why_not {
            exit = console.error(&anyhow!("action {seq} is left where it is: {reason}"));
        } else if !is_json {
            console.line(&format!("action {seq} is back in line"))?;
        }
    }
    if is_json {
        console.json(&outcomes)?;
    } else if outcomes.is_empty() {
        console.line("no action is buried")?;
    }
    Ok(exit)
}
