//! `explain`: what a message would cause, and why; nothing is written.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::console::Console;
use super::ledger::{self, typed};
use super::recorded::{self, Records};
use super::table::{Cell, Table};
use super::words::{self, Tint, safe};
use super::{Common, Exit, actions, load};
use crate::action::Action;
use crate::decision::{Decision, Known};
use crate::envelope;
use crate::event::{Event, EventKind};
use crate::ledger::intake::Found;
use crate::ledger::{Ledger, LedgerError, view};
use crate::message::{Message, MessageId};
use crate::rules::decide::{Breadth, decide_among};
use crate::rules::fault::nearest;
use crate::service::Prepared;
use crate::service::receive::Reader;
use crate::topic::Topic;
use crate::topic::catalog::Catalog;

/// Which message, and in the light of what.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// A file with a message as fedora-messaging records it (`-` is standard input), the example
    /// of a topic such as `pagure/pull-request.new`, or the id of a message in the ledger.
    message: String,
    /// Decide as if nothing had happened before; otherwise what the ledger knows counts.
    #[arg(long)]
    fresh: bool,
}

/// Everything that is needed to explain.
struct Case {
    prepared: Prepared,
    catalog: Catalog,
    ledger: Option<Ledger>,
}

/// What a message is, and what it would cause.
struct Explained {
    /// The id under which it is, or would be, in the ledger.
    id: MessageId,
    message: Message,
    /// The topics that are about it, and whether some rule wants them.
    topics: Vec<(String, String, EventKind, bool)>,
    /// Why there is no event.
    nothing: Option<(&'static str, String)>,
    events: Vec<(Event, Decision)>,
}

pub(super) async fn run(
    common: &Common,
    explain: Explain,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let Some(prepared) = load::prepared(settings, console)? else { return Ok(Exit::Usage) };
    let dirs = &prepared.settings.topics.dirs;
    let Some(catalog) = load::catalog(dirs, console)? else { return Ok(Exit::Usage) };
    let ledger = match Ledger::attach(&prepared.settings.ledger.path, console.clock().clone()) {
        Ok(ledger) => Some(ledger),
        Err(LedgerError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let case = Case { prepared, catalog, ledger };
    let messages = case.messages(&explain.message, console).await?;
    for (number, message) in messages.into_iter().enumerate() {
        let explained = case.explain(message, explain.fresh).await?;
        if common.json {
            console.json(&document(&explained))?;
            continue;
        }
        if number > 0 {
            console.line("")?;
        }
        show(&explained, explain.fresh, console)?;
    }
    Ok(Exit::Success)
}

impl Case {
    /// The messages that are meant.
    async fn messages(&self, what: &str, console: &mut Console) -> anyhow::Result<Vec<Message>> {
        if what == "-" || Path::new(what).is_file() {
            let mut records = Records::new(recorded::open(what, console)?);
            let mut messages = Vec::new();
            while let Some(record) = records.next()? {
                let line = record.line;
                messages.push(record.message.map_err(|why| anyhow!("{what}, line {line}: {why}"))?);
            }
            return Ok(messages);
        }
        if let Some(topic) = self.catalog.topic(what) {
            let example = topic.examples.first();
            let example = example.ok_or_else(|| anyhow!("topic `{what}` has no example"))?;
            return Ok(vec![example.message.clone()]);
        }
        if let Some(ledger) = &self.ledger {
            match ledger.message(typed(what)).await? {
                view::Found::One(whole) => return Ok(vec![whole.message]),
                several @ view::Found::Several(_) => {
                    ledger::one(several, "message", what)?;
                }
                view::Found::Nothing => {}
            }
        }
        let names = self.catalog.topics().map(|topic| topic.name.as_str());
        let hint = nearest(what, names).map(|hint| format!("; {hint}")).unwrap_or_default();
        bail!("`{what}` is no file, no example of a topic and no message in the ledger{hint}")
    }

    async fn explain(&self, message: Message, is_fresh: bool) -> anyhow::Result<Explained> {
        let Prepared { rules, reader, settings, .. } = &self.prepared;
        let topics = self.topics(&message);
        let is_wanted = topics.iter().any(|(_, _, _, is_wanted)| *is_wanted);
        let read = is_wanted.then(|| reader.read(&message));
        let read = read.filter(|(_, found)| !matches!(found, Found::Ignored(..)));
        let (id, found) = read.unwrap_or_else(|| {
            // Nobody wants it, and still it can be shown what it says.
            let all = Reader {
                selection: self.catalog.select(&BTreeSet::from(EventKind::ALL)),
                directory: Arc::clone(&reader.directory),
                limits: reader.limits,
                run_parameter: settings.service.run_parameter.clone(),
                name: reader.name.clone(),
            };
            all.read(&message)
        });
        let mut explained = Explained { id, message, topics, nothing: None, events: Vec::new() };
        match found {
            Found::Dead(reason, _) => explained.nothing = Some(("dead", reason)),
            Found::Ignored(reason, _) => explained.nothing = Some(("ignored", reason)),
            Found::Events(events, _) => {
                for event in events {
                    let (event, known) = match &self.ledger {
                        Some(ledger) if !is_fresh => {
                            let event = ledger.continued(event).await?;
                            (event.clone(), ledger.known(event).await?)
                        }
                        Some(_) | None => (event, Known::default()),
                    };
                    let decision = match left_to_tell(&event) {
                        Some(why_not) => {
                            Decision { not_news: Some(why_not), ..Decision::default() }
                        }
                        None => decide_among(rules, &event, &known, Breadth::All),
                    };
                    explained.events.push((event, decision));
                }
            }
        }
        Ok(explained)
    }

    /// The topics that are about `message`, by its routing key.
    fn topics(&self, message: &Message) -> Vec<(String, String, EventKind, bool)> {
        let reader = &self.prepared.reader;
        let Ok(envelope) = envelope::open(message, &reader.limits) else { return Vec::new() };
        let is_wanted =
            |topic: &Topic| reader.selection.topics().any(|wanted| wanted.name == topic.name);
        let meant = self.catalog.topics().filter(|topic| topic.is_meant(&envelope.topic));
        meant
            .map(|topic| (topic.name.clone(), topic.file.clone(), topic.event, is_wanted(topic)))
            .collect()
    }
}

/// Why nothing can be said of an event that leaves it to an earlier message what it is about.
fn left_to_tell(event: &Event) -> Option<String> {
    let lacks = event.lacks()?;
    event.thread()?.of.as_ref()?;
    Some(format!("it does not tell {lacks}, and the message that it continues is not known"))
}

fn document(explained: &Explained) -> Value {
    let Explained { id, message, topics, nothing, events } = explained;
    let topics: Vec<_> = topics
        .iter()
        .map(|(name, file, event, is_wanted)| {
            json!({ "name": name, "file": file, "event": event, "wanted": is_wanted })
        })
        .collect();
    let events: Vec<_> = events
        .iter()
        .map(|(event, decision)| {
            json!({
                "kind": event.kind(), "subject": event.subject().key(), "names": event.names(),
                "decision": decision, "actions": decision.actions, "runs": decision.runs,
            })
        })
        .collect();
    json!({
        "id": id,
        "topic": message.topic,
        "topics": topics,
        "result": nothing.as_ref().map_or("read", |(word, _)| word),
        "reason": nothing.as_ref().map(|(_, reason)| reason),
        "events": events,
    })
}

fn show(explained: &Explained, is_fresh: bool, console: &mut Console) -> anyhow::Result<()> {
    let Explained { id, message, topics, nothing, events } = explained;
    console.tinted(
        Tint::Strong,
        &format!("message {} on {}", safe(id.as_str()), safe(&message.topic)),
    )?;
    let mut table = Table::new(&[]).indented(2);
    for (name, file, _, is_wanted) in topics {
        let remark = if *is_wanted { "" } else { "no rule needs it, so it is never asked for" };
        table.row([
            Cell::tinted("topic", Tint::Dim),
            Cell::new(name),
            Cell::tinted(file, Tint::Dim),
            Cell::tinted(remark, Tint::Busy),
        ]);
    }
    console.table(&table)?;
    match nothing {
        Some(("dead", reason)) => {
            console.tinted(Tint::Bad, &format!("  it cannot be read: {}", safe(reason)))?;
        }
        Some((_, reason)) => console.line(&format!("  it tells nothing: {}", safe(reason)))?,
        None => {}
    }
    for (event, decision) in events {
        console.line("")?;
        show_event(event, console)?;
        console.line("")?;
        console.tinted(Tint::Strong, "rules")?;
        ledger::decision(console, decision)?;
        if decision.not_news.is_some() && !is_fresh {
            console.tinted(Tint::Dim, "  (--fresh decides as if nothing had happened before)")?;
        }
        show_actions(&decision.actions, console)?;
    }
    Ok(())
}

fn show_event(event: &Event, console: &mut Console) -> anyhow::Result<()> {
    let heading = format!("{} about {}", event.kind(), safe(&event.subject().key()));
    console.tinted(Tint::Strong, &heading)?;
    let names = words::flat(&event.names());
    let names: Vec<_> =
        names.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
    ledger::fields(console, 2, &names)
}

fn show_actions(all: &[Action], console: &mut Console) -> anyhow::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    console.line("")?;
    console.tinted(Tint::Strong, "actions")?;
    for action in all {
        let delay = action.delay.map(|delay| format!(" after {} s", delay.as_secs()));
        let delay = delay.unwrap_or_default();
        let line = format!("{} at {}{delay}", action.task.kind(), action.connection);
        console.tinted(Tint::Good, &format!("  {}", safe(&line)))?;
        actions::task(console, &action.task)?;
    }
    Ok(())
}
