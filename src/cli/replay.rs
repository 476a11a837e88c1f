//! `replay`: what other rules would have done about the past.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::console::Console;
use super::times::Moment;
use super::words::{self, Tint, count, safe};
use super::{Common, Exit, load};
use crate::ledger::Ledger;
use crate::ledger::view::past::Span;
use crate::rehearsal::difference::{Difference, Effect, EffectKind};
use crate::rehearsal::replay::{Replayed, replay};
use crate::rules::RuleSource;
use crate::service::{Prepared, rule_files};

mod diff;

/// Which rules, and which past.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// Since when: an age such as `7d`, or a date such as `2026-11-20T08:21:47Z`.
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: Moment,
    /// Until when; now, when nothing is said.
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// The other rules: a folder, or one file.
    #[arg(long, value_name = "DIR")]
    rules: PathBuf,
    /// Only tell, and do nothing; there is no other way.
    #[arg(long)]
    dry_run: bool,
    /// How many differences of a kind are shown.
    #[arg(long, value_name = "N", default_value_t = super::LIMIT)]
    limit: u32,
}

pub(super) async fn run(
    common: &Common,
    asked: Replay,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let Some(own) = load::prepared(settings.clone(), console)? else { return Ok(Exit::Usage) };
    let sources = sources(&asked.rules)?;
    let Some(other) = load::prepared_with(settings, &sources, console)? else {
        return Ok(Exit::Usage);
    };
    let now = console.clock().now();
    let span =
        (asked.since.from(now), asked.until.map_or(jiff::Timestamp::MAX, |until| until.from(now)));
    ensure!(span.0 < span.1, "`--until` is not after `--since`");
    let past = Ledger::attach(&own.settings.ledger.path, console.clock().clone())?;
    let replayed = replay(&past, span, (&own, &other)).await?;
    if common.json {
        console.json(&document(&replayed, span))?;
    } else {
        let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
        show(&replayed, (span, limit), &other, console)?;
    }
    Ok(Exit::Success)
}

fn sources(path: &Path) -> anyhow::Result<Vec<RuleSource>> {
    if !path.is_file() {
        return rule_files(path).with_context(|| "cannot read `--rules`");
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the rules file `{}`", path.display()))?;
    Ok(vec![RuleSource { name: path.display().to_string(), text }])
}

fn show(
    replayed: &Replayed,
    (span, limit): (Span, usize),
    other: &Prepared,
    console: &mut Console,
) -> anyhow::Result<()> {
    let Replayed { messages, events, lost, unheard, difference } = replayed;
    let now = console.clock().now();
    let number = |number: &u64| usize::try_from(*number).unwrap_or(usize::MAX);
    console.line(&format!(
        "{} and {} since {}, under both",
        count(number(messages), "message"),
        count(number(events), "answer"),
        words::moment(now, span.0)
    ))?;
    if *lost > 0 {
        let lost = count(number(lost), "message");
        let line = format!("{lost} cannot be read: no rule wanted them, so their bodies are gone");
        console.tinted(Tint::Busy, &line)?;
    }
    if !unheard.is_empty() {
        let topics = unheard.join(", ");
        let line =
            format!("nothing was heard of these topics, which the other rules want: {topics}");
        console.tinted(Tint::Busy, &safe(&line))?;
    }
    if difference.is_empty() {
        console.line("")?;
        return console.tinted(Tint::Good, "nothing would have been different");
    }
    for (kind, verb, noun) in KINDS {
        let what = Section { kind, verb, noun, limit };
        what.show(difference, console)?;
    }
    show_failures(difference, other, console)
}

/// The kinds of effects, in words.
const KINDS: [(EffectKind, &str, &str); 4] = [
    (EffectKind::Build, "start", "build"),
    (EffectKind::Cancel, "stop", "build"),
    (EffectKind::Report, "make", "report"),
    (EffectKind::Ask, "ask", "question"),
];

/// One kind of differences.
struct Section {
    kind: EffectKind,
    verb: &'static str,
    noun: &'static str,
    limit: usize,
}

impl Section {
    fn show(&self, difference: &Difference, console: &mut Console) -> anyhow::Result<()> {
        let Self { kind, verb, noun, .. } = self;
        let (new, gone) = (difference.added(*kind), difference.gone(*kind));
        self.list(&new, (&format!("would newly {verb}"), '+', Tint::Good), console)?;
        self.list(&gone, (&format!("would not {verb}"), '-', Tint::Bad), console)?;
        let changed = difference.changed(*kind);
        if changed.is_empty() {
            return Ok(());
        }
        console.line("")?;
        let how = if *kind == EffectKind::Build { "with other parameters" } else { "otherwise" };
        let line = format!("would {verb} {} {how}", count(changed.len(), noun));
        console.tinted(Tint::Strong, &line)?;
        for (before, after) in changed.iter().take(self.limit) {
            console.line(&format!("  {}", safe(&before.subject)))?;
            console.tinted(Tint::Busy, &format!("    ~ {}", line_of(after)))?;
            show_change(before, after, console)?;
        }
        self.rest(changed.len(), console)
    }

    fn list(
        &self,
        effects: &[&Effect],
        (what, sign, tint): (&str, char, Tint),
        console: &mut Console,
    ) -> anyhow::Result<()> {
        if effects.is_empty() {
            return Ok(());
        }
        let subjects: BTreeSet<&str> =
            effects.iter().map(|effect| effect.subject.as_str()).collect();
        let all = (count(effects.len(), self.noun), count(subjects.len(), "subject"));
        console.line("")?;
        console.tinted(Tint::Strong, &format!("{what} {} on {}", all.0, all.1))?;
        let mut last = None;
        for effect in effects.iter().take(self.limit) {
            if last.replace(&effect.subject) != Some(&effect.subject) {
                console.line(&format!("  {}", safe(&effect.subject)))?;
            }
            console.tinted(tint, &format!("    {sign} {}", line_of(effect)))?;
        }
        self.rest(effects.len(), console)
    }

    fn rest(&self, count: usize, console: &mut Console) -> anyhow::Result<()> {
        match count.saturating_sub(self.limit) {
            0 => Ok(()),
            more => console.tinted(Tint::Dim, &format!("  … and {more} more")),
        }
    }
}

fn line_of(effect: &Effect) -> String {
    let Effect { kind, rule, connection, what, .. } = effect;
    let rule = if rule.is_empty() { String::new() } else { format!("{rule}: ") };
    let preposition = match kind {
        EffectKind::Build | EffectKind::Cancel => "on",
        EffectKind::Report => "to",
        EffectKind::Ask => "of",
    };
    safe(&format!("{rule}{what} {preposition} {connection}"))
}

fn show_change(before: &Effect, after: &Effect, console: &mut Console) -> anyhow::Result<()> {
    let names: BTreeSet<&String> =
        before.parameters.keys().chain(after.parameters.keys()).collect();
    for name in names {
        let (old, new) = (before.parameters.get(name), after.parameters.get(name));
        if old != new {
            let value = |value: Option<&String>| {
                value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
            };
            let line = format!("{name}: {} → {}", value(old), value(new));
            console.line(&format!("        {}", safe(&line)))?;
        }
    }
    if before.text != after.text {
        for (sign, line) in diff::lines(&before.text, &after.text) {
            let tint = match sign {
                '+' => Tint::Good,
                '-' => Tint::Bad,
                _ => Tint::Dim,
            };
            console.tinted(tint, &format!("        {sign}{}", safe(line)))?;
        }
    }
    Ok(())
}

fn show_failures(
    difference: &Difference,
    other: &Prepared,
    console: &mut Console,
) -> anyhow::Result<()> {
    let failing: Vec<_> =
        difference.failures().filter(|(_, before, after)| before != after).collect();
    if failing.is_empty() {
        return Ok(());
    }
    console.line("")?;
    console.tinted(Tint::Strong, "rules that could not be evaluated")?;
    for (failure, before, after) in failing {
        let rule = other.rules.rules().iter().find(|rule| rule.name == failure.rule);
        let at = rule.map(|rule| format!(" ({})", rule.at)).unwrap_or_default();
        let line = format!(
            "{}{at}: `{}`: {}: {before} times before, {after} after",
            failure.rule, failure.expression, failure.error
        );
        let tint = if after > before { Tint::Bad } else { Tint::Good };
        console.tinted(tint, &format!("  {}", safe(&line)))?;
    }
    Ok(())
}

fn document(replayed: &Replayed, (since, until): Span) -> Value {
    let Replayed { messages, events, lost, unheard, difference } = replayed;
    let of = |kind| {
        let changed: Vec<_> = difference
            .changed(kind)
            .into_iter()
            .map(|(before, after)| json!({ "before": before, "after": after }))
            .collect();
        json!({ "new": difference.added(kind), "gone": difference.gone(kind), "changed": changed })
    };
    let failures: Vec<_> = difference
        .failures()
        .map(|(failure, before, after)| {
            json!({ "failure": failure, "before": before, "after": after })
        })
        .collect();
    json!({
        "since": since,
        "until": (until < jiff::Timestamp::MAX).then_some(until),
        "messages": messages, "events": events, "lost": lost, "unheard_topics": unheard,
        "same": difference.is_empty(),
        "builds": of(EffectKind::Build),
        "cancellations": of(EffectKind::Cancel),
        "reports": of(EffectKind::Report),
        "questions": of(EffectKind::Ask),
        "failures": failures,
    })
}
