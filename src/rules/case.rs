//! One event, and a rule that is asked about it.

use serde_json::Value;

use super::texts::Voice;
use super::{Mode, NoticeRule, Rule, RuleSet, artifact, text, trust};
use crate::action::{Action, Notice, Task};
use crate::decision::{Decision, Known, Outcome, SubjectState};
use crate::event::Event;
use crate::event::proposal::Standing;
use crate::expression::{self, Expression};
use crate::message::hash;
use crate::run::Run;
use crate::subject::{ConnectionName, Subject};

/// The names that expressions may use: those of the event, and what the ledger adds.
fn names(rules: &RuleSet, event: &Event, known: &Known) -> Value {
    let mut names = event.names();
    count(rules, event, &mut names);
    if let Event::Artifact(on) = event
        && let Some(Value::Object(artifact)) = names.get_mut("artifact")
    {
        let is_republished = artifact::is_republished(on, known);
        artifact.insert("republished".to_owned(), is_republished.into());
    }
    if let (Event::Build(_), Some(map)) = (event, names.as_object_mut()) {
        map.insert("previous".to_owned(), serde_json::json!({ "verdict": known.previous }));
        let run = known.run.as_ref();
        let about = serde_json::json!({
            "ours": run.is_some(),
            "id": run.map(|run| run.id.as_str()),
            "rule": run.map(|run| run.rule.as_str()),
            "subject": run.map(|run| run.subject.key()),
            "revision": run.map(|run| run.revision.as_str()),
        });
        map.insert("run".to_owned(), about);
    }
    names
}

/// Puts in what people count as: what the operator says of them counts more than the forge.
fn count(rules: &RuleSet, event: &Event, names: &mut Value) {
    let directory = &rules.directory;
    let mut put = |path: &[&str], standing: Standing| {
        let Some((last, outer)) = path.split_last() else { return };
        let object = outer.iter().try_fold(&mut *names, |value, step| value.get_mut(step));
        if let Some(Value::Object(object)) = object {
            object.insert((*last).to_owned(), standing.as_str().into());
        }
    };
    if let Some(proposal) = event.pull_request() {
        put(&["standing"], trust::author(directory, proposal));
    }
    if let Some(on) = event.series() {
        put(&["standing"], trust::sender(directory, &on.instance, &on.series.submitter));
    }
    match event {
        Event::Comment(said) => {
            let writer = trust::writer(directory, &said.on.instance, &said.comment);
            put(&["comment", "standing"], writer);
        }
        Event::Command(said) => put(&["command", "standing"], trust::giver(directory, said)),
        Event::PullRequest(_)
        | Event::Push(_)
        | Event::Series(_)
        | Event::Applied(_)
        | Event::Artifact(_)
        | Event::Boards(_)
        | Event::Build(_) => {}
    }
}

/// What one rule may make happen.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) actions: Vec<Action>,
    pub(super) runs: Vec<Run>,
    /// Why the run waits, if it does.
    pub(super) holds: Option<Outcome>,
    /// The runs that other rules have ordered because of the same event.
    pub(super) others: Vec<Run>,
}

/// One event, and everything that is needed to ask a rule about it.
pub(super) struct Case<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) event: &'a Event,
    pub(super) known: &'a Known,
    pub(super) names: Value,
    pub(super) voice: &'a Voice<'a>,
    /// The subject as it is from now on.
    pub(super) state: Option<SubjectState>,
}

impl<'a> Case<'a> {
    /// The case of `event`.
    pub(super) fn new(
        rules: &'a RuleSet,
        event: &'a Event,
        known: &'a Known,
        voice: &'a Voice<'a>,
    ) -> Self {
        Self {
            rules,
            event,
            known,
            names: names(rules, event, known),
            voice,
            state: known.subject.clone(),
        }
    }

    /// Asks `rule`; what it wants is added to `decision`, unless it is only a shadow.
    pub(super) fn ask(&self, rule: &Rule, decision: &mut Decision) -> Outcome {
        let outcome = self.is_elsewhere(rule);
        let outcome = outcome.or_else(|| self.has_to_ask(rule).then_some(Outcome::Asks));
        if let Some(outcome) = outcome.or_else(|| self.is_unmet(rule)) {
            return outcome;
        }
        let mut wanted = Wanted { others: decision.runs.clone(), ..Wanted::default() };
        let outcome = self.order(rule, &mut wanted).and_then(|()| self.notify(rule, &mut wanted));
        if let Err(outcome) = outcome {
            return outcome;
        }
        let actions = wanted.actions.iter().map(|action| action.key.clone()).collect();
        match rule.mode {
            Mode::Shadow => Outcome::Shadow { actions },
            Mode::Live => {
                decision.actions.append(&mut wanted.actions);
                decision.runs.append(&mut wanted.runs);
                wanted.holds.unwrap_or(Outcome::Fired { actions })
            }
        }
    }

    pub(super) fn is_elsewhere(&self, rule: &Rule) -> Option<Outcome> {
        let place = rule.places.iter().find(|place| !place.covers(self.event))?;
        Some(Outcome::Elsewhere {
            name: place.name.to_owned(),
            wanted: place.wanted.join(", "),
            found: self.event.indexed(place.name).map(str::to_owned),
        })
    }

    fn is_unmet(&self, rule: &Rule) -> Option<Outcome> {
        if rule.conditions.is_empty() {
            return None;
        }
        let names = self.names_for(rule);
        let has_branch = names.get("branch").is_some();
        let context = expression::context(&names);
        // What is said of the branch is asked once there is one.
        let is_asked =
            |condition: &&Expression| has_branch || rule.git.is_none() || !condition.uses("branch");
        for condition in rule.conditions.iter().filter(is_asked) {
            match condition.holds(&context) {
                Ok(true) => {}
                Ok(false) => {
                    return Some(Outcome::Not {
                        condition: condition.source().to_owned(),
                        saw: seen_by(&names, condition),
                    });
                }
                Err(error) => {
                    return Some(Outcome::Failed {
                        expression: condition.source().to_owned(),
                        error: error.message,
                    });
                }
            }
        }
        None
    }

    /// The names that the expressions of `rule` may use: the branch that it builds among them.
    pub(super) fn names_for(&self, rule: &Rule) -> Value {
        let mut names = self.names.clone();
        if let (Some(branch), Some(names)) = (self.branch_of(rule), names.as_object_mut()) {
            names.insert("branch".to_owned(), branch.names(None));
        }
        names
    }

    fn notify(&self, rule: &Rule, wanted: &mut Wanted) -> Result<(), Outcome> {
        if matches!(self.event, Event::Command(_)) {
            // A command asks for builds; who was told of the change has been told.
            return Ok(());
        }
        for (number, notice) in rule.notices.iter().enumerate() {
            let action = self.notice(rule, notice, number)?;
            wanted.actions.push(action);
        }
        Ok(())
    }

    fn notice(&self, rule: &Rule, notice: &NoticeRule, number: usize) -> Result<Action, Outcome> {
        let subject = self.event.subject();
        let to = notice
            .to
            .resolve(&self.rules.directory, &subject.instance)
            .map_err(|what| Outcome::Lacks { what })?;
        let words = text::render(&notice.text, &self.names)?;
        let identity = self.event.identity();
        let number = number.to_string();
        let marker = text::marker(&[&identity, &rule.name, to.as_str(), &number]);
        Ok(Action {
            key: format!("notify/{}/{number}/{identity}", rule.name),
            lane: lane(&subject, &rule.name, &to),
            slot: None,
            connection: to,
            run: None,
            delay: None,
            task: Task::Notify(Notice {
                rule: rule.name.clone(),
                subject,
                text: text::signed(&words, &marker),
                marker,
                board: None,
                series: self.event.series().cloned().map(Box::new),
            }),
        })
    }
}

/// The values of the names in a condition, short enough to be kept.
fn seen_by(names: &Value, condition: &Expression) -> Vec<(String, String)> {
    /// How much of a value is worth keeping.
    const SEEN_MAX_CHARS: usize = 120;
    let value = |name: &str| {
        let found = name.split('.').try_fold(names, |value, step| value.get(step));
        found.map_or_else(|| "undefined".to_owned(), ToString::to_string)
    };
    let short = |text: String| text.chars().take(SEEN_MAX_CHARS).collect();
    condition.names().iter().map(|name| (name.clone(), short(value(name)))).collect()
}

/// The line in which what `rule` wants for `subject` at `connection` waits for each other.
pub(super) fn lane(subject: &Subject, rule: &str, connection: &ConnectionName) -> String {
    format!("{subject} {rule} {connection}")
}

/// The identity of the flag of `rule` on `subject`: 32 hexadecimal digits.
pub(super) fn flag(subject: &Subject, rule: &str) -> String {
    hash(&[subject.key().as_bytes(), rule.as_bytes()])
}
