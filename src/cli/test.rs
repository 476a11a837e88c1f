//! `test`: the rules' own tests.

use std::sync::Arc;

use serde_json::json;

use super::console::Console;
use super::words::{self, Tint, count, safe};
use super::{Common, Exit, load};
use crate::rehearsal::test::{Finding, Mismatch, play};
use crate::rules::RuleSet;
use crate::rules::coverage::Coverage;
use crate::rules::test::Test as RuleTest;

/// Which tests, and how much they have to see.
#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// Only tests whose name contains this, or that name this rule.
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
    /// Fail when the tests see less than this of the rules.
    #[arg(long, value_name = "PERCENT", conflicts_with = "filter",
          value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_min: Option<u8>,
    /// Fail when there is anything in the rules that no test sees.
    #[arg(long, conflicts_with_all = ["filter", "coverage_min"])]
    full: bool,
}

/// How the tests ended.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    documents: Vec<serde_json::Value>,
}

pub(super) async fn run(
    common: &Common,
    asked: Test,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let Some(mut prepared) = load::prepared(settings, console)? else { return Ok(Exit::Usage) };
    if let Some(rules) = Arc::get_mut(&mut prepared.rules) {
        rules.leave_the_shadow();
    }
    let dirs = &prepared.settings.topics.dirs;
    let Some(catalog) = load::catalog(dirs, console)? else { return Ok(Exit::Usage) };
    let mut coverage = Coverage::new(&prepared.rules);
    let mut tally = Tally::default();
    let is_wanted = |test: &&RuleTest| asked.filter.as_deref().is_none_or(|part| is_of(test, part));
    for test in prepared.rules.tests().iter().filter(is_wanted) {
        let found = play(test, &prepared, (&catalog, &mut coverage)).await?;
        if found.is_empty() {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
        if common.json {
            tally.documents.push(document(test, &found));
        } else {
            show(test, &found, console)?;
        }
    }
    if tally.passed + tally.failed == 0 && asked.filter.is_some() {
        anyhow::bail!("no test is called so, and none names such a rule");
    }
    let is_enough = is_enough(&asked, &coverage, &prepared.rules);
    let of_all = asked.filter.is_none().then_some(&coverage);
    if common.json {
        console.json(&summary(&tally, of_all, &prepared.rules))?;
    } else {
        sum_up(&tally, of_all, (&prepared.rules, is_enough), console)?;
    }
    Ok(if tally.failed == 0 && is_enough { Exit::Success } else { Exit::Failure })
}

/// Whether `part` is in the name of the test, or is a rule that it names.
fn is_of(test: &RuleTest, part: &str) -> bool {
    test.spec.name.contains(part) || test.rules().iter().any(|(_, rule)| rule == part)
}

fn is_enough(asked: &Test, coverage: &Coverage, rules: &RuleSet) -> bool {
    let (seen, total) = coverage.share(rules);
    let is_enough = asked.coverage_min.is_none_or(|least| percent(seen, total) >= least.into());
    is_enough && (!asked.full || seen == total)
}

/// How much that is in a hundred, rounded down: only all of it is 100.
fn percent(seen: usize, total: usize) -> usize {
    (seen * 100).checked_div(total).unwrap_or(100)
}

fn found(finding: &Finding) -> String {
    match finding {
        Finding::Words(words) => safe(words),
        Finding::Rule(rule) => format!("{} ({})", words::outcome(&rule.outcome), safe(&rule.at)),
    }
}

fn show(test: &RuleTest, mismatches: &[Mismatch], console: &mut Console) -> anyhow::Result<()> {
    let name = safe(&test.spec.name);
    if mismatches.is_empty() {
        return console.tinted(Tint::Good, &format!("ok      {name}"));
    }
    console.tinted(Tint::Bad, &format!("FAILED  {name}"))?;
    for mismatch in mismatches {
        console.line(&format!("        {}", safe(&mismatch.at)))?;
        console.line(&format!("          expected: {}", safe(&mismatch.expected)))?;
        console.line(&format!("          found:    {}", found(&mismatch.found)))?;
    }
    Ok(())
}

fn sum_up(
    tally: &Tally,
    coverage: Option<&Coverage>,
    (rules, is_enough): (&RuleSet, bool),
    console: &mut Console,
) -> anyhow::Result<()> {
    let Tally { passed, failed, .. } = tally;
    let all = passed + failed;
    if all > 0 {
        console.line("")?;
    }
    let tint = if *failed == 0 { Tint::Good } else { Tint::Bad };
    let tests = match (all, failed) {
        (0, _) => "there are no tests".to_owned(),
        (all, 0) => format!("{}: all passed", count(all, "test")),
        (all, failed) => format!("{}: {passed} passed, {failed} failed", count(all, "test")),
    };
    console.tinted(tint, &tests)?;
    let Some(coverage) = coverage else { return Ok(()) };
    let (seen, total) = coverage.share(rules);
    let tint = if is_enough { Tint::Plain } else { Tint::Bad };
    let share = percent(seen, total);
    console.tinted(tint, &format!("the tests see {share} % of the rules ({seen} of {total})"))?;
    let missing = coverage.missing(rules);
    if !missing.is_empty() {
        console.line("What the tests leave out:")?;
    }
    for missing in missing {
        let line = format!("rule `{}`: {} ({})", missing.rule, missing.what, missing.at);
        console.line(&format!("  {}", safe(&line)))?;
    }
    Ok(())
}

fn document(test: &RuleTest, mismatches: &[Mismatch]) -> serde_json::Value {
    let mismatches: Vec<_> = mismatches
        .iter()
        .map(|one| json!({ "at": one.at, "expected": one.expected, "found": found(&one.found) }))
        .collect();
    json!({
        "name": test.spec.name, "at": test.at(), "passed": mismatches.is_empty(),
        "mismatches": mismatches,
    })
}

fn summary(tally: &Tally, coverage: Option<&Coverage>, rules: &RuleSet) -> serde_json::Value {
    let coverage = coverage.map(|coverage| {
        let (seen, total) = coverage.share(rules);
        json!({
            "seen": seen, "of": total, "percent": percent(seen, total),
            "missing": coverage.missing(rules),
        })
    });
    let Tally { passed, failed, documents } = tally;
    json!({ "passed": passed, "failed": failed, "tests": documents, "coverage": coverage })
}
