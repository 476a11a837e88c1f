//! `why`: what happened about a subject, and why the rules did what they did.

use serde_json::json;

use super::console::Console;
use super::ledger::{self, Subjects};
use super::words::{Tint, safe};
use super::{Common, Exit};
use crate::ledger::view::runs::RunFilter;

/// How many runs are shown.
const RUNS_MAX: u32 = 20;

/// Which subject, and how much of it.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// The subject, such as `forge.example/rail/signalbox#7` or
    /// `patches.example/signalbox-devel/series/1234`, or a part of it that no other has.
    subject: String,
    /// How many events at most, the last ones.
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: u32,
}

pub(super) async fn run(common: &Common, why: Why, console: &mut Console) -> anyhow::Result<Exit> {
    let Some(ledger) = ledger::open(common, console)? else { return Ok(Exit::Usage) };
    let subject = ledger::subject(&ledger, &why.subject).await?;
    let events = ledger.events_about(subject.clone(), why.limit).await?;
    let filter = RunFilter { open: false, subject: Some(subject.clone()) };
    let runs = ledger.runs(filter, RUNS_MAX).await?;
    let actions = ledger.actions_about(subject.clone(), RUNS_MAX).await?;
    if common.json {
        let document =
            json!({ "subject": subject, "events": events, "runs": runs, "actions": actions });
        console.json(&document)?;
        return Ok(Exit::Success);
    }
    if events.len() >= usize::try_from(why.limit).unwrap_or(usize::MAX) {
        let words = format!("the last {} events; `--limit` shows more", events.len());
        console.tinted(Tint::Dim, &words)?;
        console.line("")?;
    }
    for event in &events {
        ledger::event(console, event)?;
        console.line("")?;
    }
    let now = console.clock().now();
    if runs.is_empty() {
        console.line(&format!("nothing was built for {}", safe(&subject)))?;
    } else {
        console.table(&ledger::runs(now, &runs, Subjects::Known))?;
    }
    if !actions.is_empty() {
        console.line("")?;
        console.table(&ledger::actions(now, &actions, Subjects::Known))?;
        if actions.iter().any(|action| action.state == "buried") {
            console
                .tinted(Tint::Dim, "`pointsman actions retry SEQ` tries again what was buried")?;
        }
    }
    Ok(Exit::Success)
}
