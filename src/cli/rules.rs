//! `rules`: what is done about events, and what came of it so far.

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::console::Console;
use super::table::{Cell, Table};
use super::times::Moment;
use super::words::{self, Tint, safe};
use super::{Common, Exit, ledger, load};
use crate::ledger::view::rules::{History, RuleFailure, RuleHistory};
use crate::ledger::{Ledger, LedgerError};
use crate::rules::each::{Each, EachOf};
use crate::rules::fault::nearest;
use crate::rules::spec::Mode;
use crate::rules::{ReportRule, Rule, Target};
use crate::run::When;
use crate::service::Prepared;

/// Which rules, and since when.
#[derive(Debug, clap::Args)]
pub(super) struct Rules {
    /// Only this one, in full.
    #[arg(value_name = "NAME")]
    rule: Option<String>,
    /// Count what they said since then: an age such as `30d`, or a date.
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    since: Moment,
}

/// Lists the rules and what they have said so far, or shows one.
pub(super) async fn run(
    common: &Common,
    asked: Rules,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let Some(Prepared { settings, rules, .. }) = load::prepared(settings, console)? else {
        return Ok(Exit::Usage);
    };
    let since = asked.since.from(console.clock().now());
    let history = match Ledger::attach(&settings.ledger.path, console.clock().clone()) {
        Ok(ledger) => ledger.rule_history(since).await?,
        // Before the first start there is nothing to count.
        Err(LedgerError::Missing { .. }) => {
            History { since, from: None, events: 0, rules: std::collections::BTreeMap::new() }
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(name) = &asked.rule {
        let rule = rules.rules().iter().find(|rule| rule.name == *name).ok_or_else(|| {
            let hint = nearest(name, rules.rules().iter().map(|rule| rule.name.as_str()));
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            anyhow!("there is no rule `{name}`{hint}")
        })?;
        if common.json {
            console.json(&document(rule, &history))?;
        } else {
            show(rule, &history, console)?;
        }
        return Ok(Exit::Success);
    }
    if common.json {
        let all: Vec<_> = rules.rules().iter().map(|rule| document(rule, &history)).collect();
        console.json(&all)?;
        return Ok(Exit::Success);
    }
    list(rules.rules(), &history, console)?;
    Ok(Exit::Success)
}

fn list(rules: &[Rule], history: &History, console: &mut Console) -> anyhow::Result<()> {
    let headings =
        ["RULE", "AT", "MODE", "DOES", "TRUSTS", "FIRED", "SHADOW", "FAILED", "LAST", "REMARK"];
    let mut table = Table::new(&headings);
    let now = console.clock().now();
    let none = RuleHistory::default();
    for rule in rules {
        let tint = if rule.mode == Mode::Live { Tint::Good } else { Tint::Busy };
        let said = history.rules.get(&rule.name).unwrap_or(&none);
        let count = |word, tint| match said.count(word) {
            0 => Cell::tinted("0", Tint::Dim),
            count => Cell::tinted(count.to_string(), tint),
        };
        table.row([
            Cell::new(&rule.name),
            Cell::tinted(&rule.at, Tint::Dim),
            Cell::tinted(mode(rule), tint),
            Cell::new(does(rule)),
            Cell::new(if rule.build.is_some() { rule.trust.as_str() } else { "" }),
            count("fired", Tint::Good),
            count("shadow", Tint::Busy),
            count("failed", Tint::Bad),
            Cell::maybe(said.fired_at.map(|at| words::ago(now, at))),
            Cell::new(remark(said, history, now)),
        ]);
    }
    if table.is_empty() { console.line("no rules") } else { console.table(&table) }
}

/// What somebody should know about a rule, in a few words.
fn remark(said: &RuleHistory, history: &History, now: Timestamp) -> String {
    if let Some(RuleFailure { at, expression, error }) = &said.failure {
        return format!("failed {}: `{expression}`: {error}", words::ago(now, *at));
    }
    if said.fired_at.is_some() {
        return not_fired(said);
    }
    let Some(from) = history.from else { return "never asked".to_owned() };
    // Of what was forgotten, or was before the beginning, nothing is known.
    let time = words::ago(now, history.since.max(from));
    let reasons = not_fired(said);
    let colon = if reasons.is_empty() { "" } else { ": " };
    format!("never fired in {}{colon}{reasons}", time.trim_end_matches(" ago"))
}

/// How often it did not fire, by the word for the outcome.
fn not_fired(said: &RuleHistory) -> String {
    let others = said.outcomes.iter().filter(|(word, _)| !is_firing(word));
    let others: Vec<String> = others.map(|(word, count)| format!("{word} {count}")).collect();
    others.join(", ")
}

fn is_firing(word: &str) -> bool {
    word == "fired" || word == "shadow"
}

fn show(rule: &Rule, history: &History, console: &mut Console) -> anyhow::Result<()> {
    let now = console.clock().now();
    console.tinted(Tint::Strong, &format!("rule {}", safe(&rule.name)))?;
    let fields: Vec<(&str, Option<String>)> = definition(rule);
    ledger::fields(console, 2, &fields)?;
    console.line("")?;
    let since = words::moment(now, history.since);
    console.tinted(Tint::Strong, &format!("since {since}"))?;
    let none = RuleHistory::default();
    let said = history.rules.get(&rule.name).unwrap_or(&none);
    if said.outcomes.is_empty() {
        return console.line(&format!("  {}", safe(&remark(said, history, now))));
    }
    let mut table = Table::new(&[]).indented(2);
    for (word, count) in &said.outcomes {
        let at = said.fired_at.filter(|_| is_firing(word));
        let last = at.map(|at| format!("last {}", words::moment(now, at)));
        table.row([Cell::new(word), Cell::new(count.to_string()), Cell::maybe(last)]);
    }
    console.table(&table)?;
    if let Some(RuleFailure { at, expression, error }) = &said.failure {
        let at = words::moment(now, *at);
        let line = format!("  last failed {at}: `{}`: {}", safe(expression), safe(error));
        console.tinted(Tint::Bad, &line)?;
    }
    if !said.reasons.is_empty() {
        console.line("")?;
        console.tinted(Tint::Strong, "why it did not fire")?;
        let mut reasons: Vec<_> = said.reasons.iter().collect();
        reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), (*reason).clone()));
        let mut table = Table::new(&[]).indented(2);
        for (reason, count) in reasons {
            table.row([Cell::new(count.to_string()), Cell::new(reason)]);
        }
        console.table(&table)?;
    }
    Ok(())
}

/// What the rule says, key by key.
fn definition(rule: &Rule) -> Vec<(&'static str, Option<String>)> {
    let kinds: Vec<_> = rule.on.iter().map(|kind| kind.as_str()).collect();
    let mut fields = vec![
        ("at", Some(rule.at.clone())),
        ("mode", Some(mode(rule).to_owned())),
        ("on", Some(kinds.join(", "))),
    ];
    let heeded = rule.heeds.iter().filter(|kind| !rule.on.contains(kind));
    let heeded: Vec<_> = heeded.map(|kind| kind.as_str()).collect();
    if !heeded.is_empty() {
        fields.push(("heeds", Some(heeded.join(", "))));
    }
    for place in &rule.places {
        fields.push(("where", Some(format!("{} = {}", place.name, place.wanted.join(", ")))));
    }
    for condition in &rule.conditions {
        fields.push(("when", Some(condition.source().to_owned())));
    }
    if let Some(build) = &rule.build {
        fields.push(("trust", Some(rule.trust.as_str().to_owned())));
        fields.push(("builds", Some(format!("{} on {}", build.job, build.on))));
        if let Some(each) = &build.each {
            fields.push(("for each", Some(each_in_words(each))));
        }
        if build.retries > 0 {
            fields.push(("retries", Some(build.retries.to_string())));
        }
        for (name, text) in &build.parameters {
            fields.push(("parameter", Some(format!("{name} = {}", text.source()))));
        }
        let supersede = if rule.supersede { "cancels the older build" } else { "lets it go on" };
        fields.push(("newer head", Some(supersede.to_owned())));
    }
    fields.extend(rule.reports.iter().map(|report| ("reports", Some(report_in_words(report)))));
    for notice in &rule.notices {
        fields.push(("tells", Some(format!("{}: {}", target(&notice.to), notice.text.source()))));
    }
    fields
}

/// What there is a build for each of.
fn each_in_words(each: &Each) -> String {
    let of = match &each.of {
        EachOf::These(these) => these.join(", "),
        EachOf::Of(expression) => format!("of {}", expression.source()),
        EachOf::Having(tags) => format!("that has {}", tags.join(", ")),
        EachOf::HavingAllOf(expression) => format!("that has all of {}", expression.source()),
    };
    format!("{} {of}", each.name)
}

fn report_in_words(report: &ReportRule) -> String {
    let mut words = target(&report.to).to_owned();
    if let Some(form) = report.how.form {
        words = format!("{words} as {}", form.as_str());
    }
    let when = match report.how.when {
        When::Always => "always",
        When::Changed => "when the verdict changes",
        When::Failed => "when it fails",
        When::Never => "never",
    };
    format!("{words}, {when}")
}

fn target(target: &Target) -> &str {
    match target {
        Target::Origin => "origin",
        Target::Connection(name) => name.as_str(),
    }
}

fn document(rule: &Rule, history: &History) -> Value {
    let said = history.rules.get(&rule.name).cloned().unwrap_or_default();
    let build = rule.build.as_ref().map(|build| {
        let parameters: serde_json::Map<String, Value> = build
            .parameters
            .iter()
            .map(|(name, text)| (name.clone(), text.source().into()))
            .collect();
        json!({ "on": build.on, "job": build.job, "parameters": parameters })
    });
    let places: serde_json::Map<String, Value> =
        rule.places.iter().map(|place| (place.name.to_owned(), json!(place.wanted))).collect();
    let conditions: Vec<_> =
        rule.conditions.iter().map(crate::expression::Expression::source).collect();
    json!({
        "name": rule.name, "at": rule.at, "on": rule.on, "mode": mode(rule),
        "where": places, "when": conditions, "trust": rule.trust.as_str(), "build": build,
        "does": does(rule), "since": history.since, "outcomes": said.outcomes,
        "reasons": said.reasons, "fired_at": said.fired_at, "failure": said.failure,
    })
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
