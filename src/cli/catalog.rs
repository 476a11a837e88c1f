//! `topics`: what is understood.

use serde_json::json;

use super::console::Console;
use super::table::{Cell, Table};
use super::words::{Tint, safe};
use super::{Common, Exit, load};
use crate::service::Prepared;
use crate::topic::Topic;

/// Which topics.
#[derive(Debug, clap::Args)]
pub(super) struct Topics {
    /// Only those that the rules need.
    #[arg(long)]
    wanted: bool,
}

/// Lists the topics, and what the broker is asked for.
pub(super) fn topics(
    common: &Common,
    topics: &Topics,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let dirs = settings.topics.dirs.clone();
    let Some(Prepared { reader, .. }) = load::prepared(settings, console)? else {
        return Ok(Exit::Usage);
    };
    let Some(catalog) = load::catalog(&dirs, console)? else { return Ok(Exit::Usage) };
    let wanted: Vec<&str> = reader.selection.topics().map(|topic| topic.name.as_str()).collect();
    let is_wanted = |topic: &Topic| wanted.contains(&topic.name.as_str());
    let shown: Vec<&Topic> =
        catalog.topics().filter(|topic| !topics.wanted || is_wanted(topic)).collect();
    let bindings = reader.selection.bindings();
    if common.json {
        let topics: Vec<_> = shown
            .iter()
            .map(|topic| {
                json!({
                    "name": topic.name, "file": topic.file, "binding": topic.bind(),
                    "event": topic.event, "about": topic.about, "wanted": is_wanted(topic),
                })
            })
            .collect();
        console.json(&json!({ "topics": topics, "bindings": bindings }))?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["", "TOPIC", "EVENT", "BINDING", "ABOUT"]);
    for topic in shown {
        let (mark, tint) = if is_wanted(topic) { ("✓", Tint::Good) } else { ("·", Tint::Dim) };
        table.row([
            Cell::tinted(mark, tint),
            Cell::new(&topic.name),
            Cell::new(topic.event.as_str()),
            Cell::new(topic.bind()),
            Cell::tinted(&topic.about, Tint::Dim),
        ]);
    }
    console.table(&table)?;
    console.line("")?;
    if bindings.is_empty() {
        console.line("no rule wants any message")?;
    } else {
        console.line("The rules need the topics marked with ✓, so the broker is asked for")?;
        for binding in &bindings {
            console.line(&format!("  {}", safe(binding)))?;
        }
    }
    Ok(Exit::Success)
}
