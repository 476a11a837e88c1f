//! What tests have seen of the rules: which fired, which conditions held and which did not.

use serde::Serialize;

use super::index::Place;
use super::{Rule, RuleSet};
use crate::decision::{Decision, Outcome};
use crate::event::Event;

/// What was seen of every rule.
#[derive(Clone, Debug, Default)]
pub struct Coverage(Vec<Seen>);

/// What was seen of a rule.
#[derive(Clone, Debug, Default)]
struct Seen {
    fired: bool,
    silent: bool,
    places: Vec<Sides>,
    conditions: Vec<Sides>,
}

/// Whether something was seen to hold, and not to hold.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    holds: bool,
    fails: bool,
}

/// Something that no test ever saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The rule.
    pub rule: String,
    /// Where what was not seen stands: file and line.
    pub at: String,
    /// What was not seen, in a few words.
    pub what: String,
}

impl Coverage {
    /// Nothing was seen of `rules` yet.
    pub fn new(rules: &RuleSet) -> Self {
        let sides = |count| vec![Sides::default(); count];
        let seen = |rule: &Rule| Seen {
            places: sides(rule.places.len()),
            conditions: sides(rule.conditions.len()),
            ..Seen::default()
        };
        Self(rules.rules().iter().map(seen).collect())
    }

    /// Takes note of what the rules said to an event.
    pub fn note(&mut self, rules: &RuleSet, (event, decision): (&Event, &Decision)) {
        let kind = event.kind();
        for (rule, seen) in rules.rules().iter().zip(&mut self.0) {
            if decision.not_news.is_some() {
                // A build that no rule has a place for is no news for that very reason.
                let is_there = |place: &Place| place.covers(event);
                let places = rule.places.iter().zip(&mut seen.places);
                let mut elsewhere = places.filter(|(place, _)| !is_there(place));
                if let Some((_, sides)) = elsewhere.next().filter(|_| rule.heeds.contains(&kind)) {
                    sides.fails = true;
                    seen.silent = true;
                }
                continue;
            }
            let asked = decision.considered.iter().find(|asked| asked.rule == rule.name);
            match asked {
                Some(asked) => seen.note(rule, &asked.outcome),
                None => seen.silent = true,
            }
        }
    }

    /// How much was seen, and of how much.
    pub fn share(&self, rules: &RuleSet) -> (usize, usize) {
        let total = rules.rules().iter().map(total).sum::<usize>();
        (total.saturating_sub(self.missing(rules).len()), total)
    }

    /// What was never seen, in the order of the rules.
    pub fn missing(&self, rules: &RuleSet) -> Vec<Missing> {
        let pairs = rules.rules().iter().zip(&self.0);
        pairs.flat_map(|(rule, seen)| seen.missing(rule)).collect()
    }
}

/// Whether a rule can be asked in vain.
fn can_be_silent(rule: &Rule) -> bool {
    rule.build.is_some() || !rule.places.is_empty() || !rule.conditions.is_empty()
}

/// How much there is to be seen of a rule.
fn total(rule: &Rule) -> usize {
    1 + usize::from(can_be_silent(rule)) + 2 * (rule.places.len() + rule.conditions.len())
}

impl Seen {
    fn note(&mut self, rule: &Rule, outcome: &Outcome) {
        let has_fired = matches!(outcome, Outcome::Fired { .. } | Outcome::Shadow { .. });
        self.fired |= has_fired;
        self.silent |= !has_fired;
        // Entries and conditions are asked in order, up to the first that fails.
        if let Outcome::Elsewhere { name, .. } = outcome {
            let failed = rule.places.iter().position(|place| place.name == name);
            mark(&mut self.places, failed);
            return;
        }
        mark(&mut self.places, None);
        let at = |source: &String| rule.conditions.iter().position(|one| one.source() == source);
        if let Outcome::Failed { expression, .. } = outcome
            && let Some(number) = at(expression)
        {
            self.conditions.iter_mut().take(number).for_each(Sides::held);
            return;
        }
        let failed =
            if let Outcome::Not { condition, .. } = outcome { at(condition) } else { None };
        mark(&mut self.conditions, failed);
    }

    fn missing(&self, rule: &Rule) -> Vec<Missing> {
        let mut missing = Vec::new();
        let mut add = |at: &str, what: String| {
            missing.push(Missing { rule: rule.name.clone(), at: at.to_owned(), what });
        };
        if !self.fired {
            add(&rule.at, "never fired".to_owned());
        }
        if !self.silent && can_be_silent(rule) {
            add(&rule.at, "was never silent".to_owned());
        }
        for ((place, sides), at) in rule.places.iter().zip(&self.places).zip(&rule.spots.places) {
            if !sides.holds {
                add(at, format!("`where` entry `{}` never matched", place.name));
            }
            if !sides.fails {
                add(at, format!("`where` entry `{}` never failed to match", place.name));
            }
        }
        let conditions = rule.conditions.iter().zip(&self.conditions);
        for ((condition, sides), at) in conditions.zip(&rule.spots.conditions) {
            if !sides.holds {
                add(at, format!("condition `{}` was never true", condition.source()));
            }
            if !sides.fails {
                add(at, format!("condition `{}` was never false", condition.source()));
            }
        }
        missing
    }
}

impl Sides {
    fn held(&mut self) {
        self.holds = true;
    }
}

/// All held up to the one that failed, if one did.
fn mark(all: &mut [Sides], failed: Option<usize>) {
    for (number, sides) in all.iter_mut().enumerate() {
        match failed {
            Some(failed) if number == failed => sides.fails = true,
            Some(failed) if number > failed => {}
            Some(_) | None => sides.held(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{proposal, rules};
    use super::*;
    use crate::decision::Known;
    use crate::event::EventKind;
    use crate::rules::decide::{Breadth, decide_among};

    const RULES: &str = r#"
[[rule]]
name = "a"
on = "pull_request.opened"
where = { author = "ada", project = "signalbox" }
when = ["not pull_request.draft", "title != 'WIP'"]
notify = [{ to = "chat.ops", text = "x" }]

[[rule]]
name = "b"
on = "pull_request.closed"
notify = [{ to = "chat.ops", text = "x" }]
"#;

    fn missing(changes: &[fn(&mut crate::event::proposal::PullRequestEvent)]) -> Vec<String> {
        let rules = rules(RULES);
        let mut coverage = Coverage::new(&rules);
        for change in changes {
            let mut event = proposal(EventKind::PullRequestOpened, 'a', 1);
            change(&mut event);
            let event = Event::PullRequest(event);
            let decision = decide_among(&rules, &event, &Known::default(), Breadth::All);
            coverage.note(&rules, (&event, &decision));
        }
        assert_eq!(coverage.share(&rules).1, 11);
        let line = |missing: Missing| format!("{} {} {}", missing.rule, missing.at, missing.what);
        coverage.missing(&rules).into_iter().map(line).collect()
    }

    #[test]
    fn what_comes_behind_a_failure_was_not_seen() {
        insta::assert_snapshot!(missing(&[|_| {}, |event| event.title = "WIP".to_owned()]).join("\n"), @"
        a rules.toml:5 `where` entry `author` never failed to match
        a rules.toml:5 `where` entry `project` never failed to match
        a rules.toml:6 condition `not pull_request.draft` was never false
        b rules.toml:10 never fired
        ");
    }

    #[test]
    fn nothing_is_left_when_all_was_seen() {
        let found = missing(&[
            |_| {},
            |event| event.author = "grace".to_owned(),
            |event| event.project = "points".to_owned(),
            |event| event.pull_request.draft = true,
            |event| event.title = "WIP".to_owned(),
        ]);
        assert_eq!(found, ["b rules.toml:10 never fired"]);
    }
}
