//! What several commands show of the ledger.

use anyhow::bail;
use jiff::Timestamp;

use super::console::Console;
use super::table::{Cell, Table};
use super::words::{self, Tint, moment, safe};
use super::{Common, load};
use crate::decision::Decision;
use crate::ledger::Ledger;
use crate::ledger::view::Found;
use crate::ledger::view::actions::ActionView;
use crate::ledger::view::events::EventView;
use crate::ledger::view::runs::RunView;

/// How many subjects are proposed when several are meant.
const PROPOSED_MAX: u32 = 8;

/// The ledger that the settings name, or nothing once the faults of the settings were told.
pub(super) fn open(common: &Common, console: &mut Console) -> anyhow::Result<Option<Ledger>> {
    let Some(settings) = load::settings(common, console)? else { return Ok(None) };
    Ok(Some(Ledger::attach(&settings.ledger.path, console.clock().clone())?))
}

/// The one that was meant by the beginning of its id.
pub(super) fn one<T>(found: Found<T>, what: &str, id: &str) -> anyhow::Result<T> {
    match found {
        Found::One(one) => Ok(one),
        Found::Nothing => bail!("there is no {what} whose id begins with `{id}`"),
        Found::Several(ids) => {
            bail!("more than one {what} has an id that begins with `{id}`: {}", ids.join(", "))
        }
    }
}

/// The subject that is meant by its name, or by a part of it that no other has.
pub(super) async fn subject(ledger: &Ledger, text: &str) -> anyhow::Result<String> {
    let mut found = ledger.subjects_like(text.to_owned(), PROPOSED_MAX).await?;
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => bail!("the ledger knows nothing about `{text}`"),
        (Some(last), false) => {
            found.push(last);
            bail!("`{text}` may mean {}", found.join(", "))
        }
    }
}

/// An id as it is typed: what a table has cut off is not there.
pub(super) fn typed(id: &str) -> String {
    id.trim().trim_end_matches('…').to_owned()
}

/// Prints names and their values, one below the other.
pub(super) fn fields(
    console: &mut Console,
    indent: usize,
    fields: &[(&str, Option<String>)],
) -> anyhow::Result<()> {
    let mut table = Table::new(&[]).indented(indent);
    for (name, value) in fields {
        if let Some(value) = value {
            table.row([Cell::tinted(name, Tint::Dim), Cell::new(value)]);
        }
    }
    // A value that was asked for is shown whole.
    let look = super::console::Look { width: None, ..console.look() };
    for line in table.lines(look) {
        console.line(&line)?;
    }
    Ok(())
}

/// Prints an event, and what every rule said to it.
pub(super) fn event(console: &mut Console, event: &EventView) -> anyhow::Result<()> {
    let now = console.clock().now();
    let heading = format!("{} about {}", event.kind, safe(&event.subject));
    console.tinted(Tint::Strong, &heading)?;
    let told_by = event.message.as_deref().map(|id| format!("  told by message {}", safe(id)));
    let told_by = told_by.unwrap_or_else(|| "  found out by asking".to_owned());
    console.tinted(Tint::Dim, &format!("  {}{told_by}", moment(now, event.at)))?;
    decision(console, &event.decision)
}

/// Prints what every rule said, and what else was decided.
pub(super) fn decision(console: &mut Console, decision: &Decision) -> anyhow::Result<()> {
    let Decision { not_news, considered, remarks, .. } = decision;
    if let Some(reason) = not_news {
        console.line(&format!("  no rule was asked: {}", safe(reason)))?;
    } else if considered.is_empty() {
        console.line("  no rule is about it")?;
    }
    let mut table = Table::new(&[]).indented(2);
    for asked in considered {
        let (mark, tint) = words::mark(&asked.outcome);
        table.row([
            Cell::tinted(mark, tint),
            Cell::new(&asked.rule),
            Cell::tinted(&asked.at, Tint::Dim),
            Cell::new(words::outcome(&asked.outcome)),
        ]);
    }
    let look = super::console::Look { width: None, ..console.look() };
    for line in table.lines(look) {
        console.line(&line)?;
    }
    for remark in remarks {
        console.line(&format!("  → {}", safe(remark)))?;
    }
    Ok(())
}

/// Whether rows say what they are about; not where all are about the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subjects {
    Told,
    Known,
}

/// The actions as a table.
pub(super) fn actions(now: Timestamp, actions: &[ActionView], subjects: Subjects) -> Table {
    let mut table =
        Table::new(&["SEQ", "CHANGED", "STATE", "KIND", "AT", "TRIES", "SUBJECT", "REMARK"]);
    for action in actions {
        let due = (action.state == "waiting" && action.due_at > now)
            .then(|| format!("due {}", words::ago(now, action.due_at)));
        let remark = match (&action.error, due) {
            (Some(error), Some(due)) => Some(format!("{due}; {error}")),
            (error, due) => error.clone().or(due),
        };
        table.row([
            Cell::new(action.seq.to_string()),
            Cell::tinted(words::ago(now, action.changed_at), Tint::Dim),
            Cell::state(&action.state),
            Cell::new(&action.kind),
            Cell::new(&action.connection),
            Cell::new(action.attempts.to_string()),
            Cell::maybe(action.subject.as_ref()),
            Cell::maybe(remark),
        ]);
    }
    if subjects == Subjects::Known { table.without(6) } else { table }
}

/// The runs as a table.
pub(super) fn runs(now: Timestamp, runs: &[RunView], subjects: Subjects) -> Table {
    let headings = ["RUN", "ORDERED", "STATE", "RULE", "REVISION", "SUBJECT", "BUILD"];
    let mut table = Table::new(&headings);
    for view in runs {
        let run = &view.run;
        table.row([
            Cell::new(words::short(run.id.as_str())),
            Cell::tinted(words::ago(now, view.ordered_at), Tint::Dim),
            Cell::state(&view.state),
            Cell::new(&run.rule),
            Cell::new(words::short(&run.revision)),
            Cell::new(&view.subject),
            Cell::new(build(view)),
        ]);
    }
    if subjects == Subjects::Known { table.without(5) } else { table }
}

/// Where a run is built: connection, job and number.
pub(super) fn build(view: &RunView) -> String {
    let ticket = &view.run.ticket;
    let number = ticket.number.map(|number| format!(" #{number}")).unwrap_or_default();
    format!("{} {}{number}", view.run.connection, ticket.job)
}
