//! `topics` and `rules`: what is understood, and what is done about it.

use std::collections::BTreeMap;

use serde_json::json;

use super::console::Console;
use super::table::{Cell, Table};
use super::words::{Tint, safe};
use super::{Common, Exit, load};
use crate::ledger::view::events::OutcomeCounts;
use crate::ledger::{Ledger, LedgerError};
use crate::rules::Rule;
use crate::rules::spec::Mode;
use crate::service::Prepared;
use crate::topic::Topic;

/// Which topics.
#[derive(Debug, clap::Args)]
pub(super) struct Topics {
    /// Only those that the rules need.
    #[arg(long)]
    wanted: bool,
}

/// Which decisions are counted.
#[derive(Debug, clap::Args)]
pub(super) struct Rules {
    /// Count what the rules said to the last N events.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    events: u32,
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

/// Lists the rules, and what they have said so far.
pub(super) async fn rules(
    common: &Common,
    asked: Rules,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let Some(Prepared { settings, rules, .. }) = load::prepared(settings, console)? else {
        return Ok(Exit::Usage);
    };
    let counts = match Ledger::attach(&settings.ledger.path, console.clock().clone()) {
        Ok(ledger) => ledger.outcomes(asked.events).await?,
        // Before the first start there is nothing to count.
        Err(LedgerError::Missing { .. }) => OutcomeCounts::new(),
        Err(error) => return Err(error.into()),
    };
    let none = BTreeMap::new();
    let of = |rule: &Rule| counts.get(&rule.name).unwrap_or(&none);
    if common.json {
        let rules: Vec<_> = rules
            .rules()
            .iter()
            .map(|rule| {
                json!({
                    "name": rule.name, "at": rule.at, "on": rule.on, "mode": mode(rule),
                    "trust": rule.trust.as_str(), "does": does(rule), "outcomes": of(rule),
                })
            })
            .collect();
        console.json(&rules)?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["RULE", "AT", "MODE", "DOES", "TRUSTS", "SO FAR"]);
    for rule in rules.rules() {
        let tint = if rule.mode == Mode::Live { Tint::Good } else { Tint::Busy };
        table.row([
            Cell::new(&rule.name),
            Cell::tinted(&rule.at, Tint::Dim),
            Cell::tinted(mode(rule), tint),
            Cell::new(does(rule)),
            Cell::new(if rule.build.is_some() { rule.trust.as_str() } else { "" }),
            Cell::new(so_far(of(rule))),
        ]);
    }
    if table.is_empty() {
        console.line("no rules")?;
    } else {
        console.table(&table)?;
    }
    Ok(Exit::Success)
}

fn mode(rule: &Rule) -> &'static str {
    match rule.mode {
        Mode::Live => "live",
        Mode::Shadow => "shadow",
    }
}

/// What a rule does when it fires.
fn does(rule: &Rule) -> String {
    let build = rule.build.as_ref().map(|build| format!("builds {} on {}", build.job, build.on));
    let tells = (!rule.notices.is_empty()).then(|| "tells".to_owned());
    let all: Vec<String> = build.into_iter().chain(tells).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

fn so_far(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "not asked".to_owned();
    }
    let counts: Vec<String> =
        counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    counts.join(", ")
}
