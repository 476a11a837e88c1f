//! What one set of rules does and another does not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Heard;
use crate::action::{Action, Inquiry, Task};
use crate::decision::Outcome;

/// With more differences than that nobody can do anything, and memory has an end.
const DIFFERENCES_MAX: usize = 100_000;

/// What would have been different.
#[derive(Debug, Default)]
pub struct Difference {
    /// What is done before and not after, by the keys of actions.
    before: BTreeMap<String, Effect>,
    /// What is done after and was not done before.
    after: BTreeMap<String, Effect>,
    /// What is done both times, but not in the same way.
    changed: Vec<(Effect, Effect)>,
    failures: BTreeMap<Failure, (u64, u64)>,
}

/// Something that rules cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// What kind of thing.
    pub kind: EffectKind,
    /// What it is about.
    pub subject: String,
    /// The rule that causes it.
    pub rule: String,
    /// Where it is done.
    pub connection: String,
    /// What is done there: the job, or how people are told.
    pub what: String,
    /// The parameters of a build.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What people are told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// The kinds of effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// A build is started.
    Build,
    /// A build is stopped.
    Cancel,
    /// People are told.
    Report,
    /// A forge is asked who somebody is.
    Ask,
}

/// A rule that cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failure {
    /// The rule.
    pub rule: String,
    /// What cannot be evaluated.
    pub expression: String,
    /// Why not.
    pub error: String,
}

impl Difference {
    /// Takes note of what both said to the same part of the past.
    pub(super) fn note(&mut self, before: &[Heard], after: &[Heard]) -> anyhow::Result<()> {
        let effects = |heard: &[Heard]| -> Vec<(String, Effect)> {
            heard.iter().flat_map(effects_of).collect()
        };
        for (key, effect) in effects(before) {
            match self.after.remove(&key) {
                Some(other) => self.compare(effect, other),
                None => {
                    self.before.insert(key, effect);
                }
            }
        }
        for (key, effect) in effects(after) {
            match self.before.remove(&key) {
                Some(other) => self.compare(other, effect),
                None => {
                    self.after.insert(key, effect);
                }
            }
        }
        for failure in before.iter().flat_map(failures_of) {
            self.failures.entry(failure).or_default().0 += 1;
        }
        for failure in after.iter().flat_map(failures_of) {
            self.failures.entry(failure).or_default().1 += 1;
        }
        let count = self.before.len() + self.after.len() + self.changed.len() + self.failures.len();
        anyhow::ensure!(
            count <= DIFFERENCES_MAX,
            "there are more than {DIFFERENCES_MAX} differences: look at a shorter time"
        );
        Ok(())
    }

    fn compare(&mut self, before: Effect, after: Effect) {
        if before.parameters != after.parameters
            || before.text != after.text
            || before.what != after.what
        {
            self.changed.push((before, after));
        }
    }

    /// What of one kind would not be done any more.
    pub fn gone(&self, kind: EffectKind) -> Vec<&Effect> {
        sorted(self.before.values(), kind)
    }

    /// What of one kind would newly be done.
    pub fn added(&self, kind: EffectKind) -> Vec<&Effect> {
        sorted(self.after.values(), kind)
    }

    /// What of one kind would be done in another way.
    pub fn changed(&self, kind: EffectKind) -> Vec<&(Effect, Effect)> {
        let mut changed: Vec<_> =
            self.changed.iter().filter(|(before, _)| before.kind == kind).collect();
        changed.sort_by_key(|(before, _)| (&before.subject, &before.rule));
        changed
    }

    /// Rules that could not be evaluated, how often before and how often after.
    pub fn failures(&self) -> impl Iterator<Item = (&Failure, u64, u64)> {
        self.failures.iter().map(|(failure, (before, after))| (failure, *before, *after))
    }

    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
            && self.after.is_empty()
            && self.changed.is_empty()
            && self.failures.values().all(|(before, after)| before == after)
    }
}

fn sorted<'a>(effects: impl Iterator<Item = &'a Effect>, kind: EffectKind) -> Vec<&'a Effect> {
    let mut effects: Vec<_> = effects.filter(|effect| effect.kind == kind).collect();
    effects.sort_by_key(|effect| (&effect.subject, &effect.rule, &effect.what));
    effects
}

fn effects_of(heard: &Heard) -> impl Iterator<Item = (String, Effect)> {
    heard.decision.actions.iter().filter_map(|action| effect(heard, action))
}

fn effect(heard: &Heard, action: &Action) -> Option<(String, Effect)> {
    let run = heard.decision.runs.iter().find(|run| action.run.as_ref() == Some(&run.id));
    let mut effect = Effect {
        kind: EffectKind::Build,
        subject: run.map_or_else(|| heard.event.subject().key(), |run| run.subject.key()),
        rule: run.map(|run| run.rule.clone()).unwrap_or_default(),
        connection: action.connection.to_string(),
        what: String::new(),
        parameters: BTreeMap::new(),
        text: String::new(),
    };
    match &action.task {
        Task::Start(order) => {
            let revision = run.map(|run| run.revision.chars().take(12).collect::<String>());
            effect.what = format!("{} at {}", order.job, revision.unwrap_or_default());
            effect.parameters.clone_from(&order.parameters);
        }
        Task::Cancel(lookup) => {
            effect.kind = EffectKind::Cancel;
            effect.what.clone_from(&lookup.ticket.job);
        }
        Task::Report(report) => {
            effect.kind = EffectKind::Report;
            effect.rule.clone_from(&report.rule);
            effect.what = format!("{} ({})", report.form.as_str(), report.stage.as_str());
            effect.text.clone_from(&report.text);
        }
        Task::Notify(notice) => {
            effect.kind = EffectKind::Report;
            effect.rule.clone_from(&notice.rule);
            "words".clone_into(&mut effect.what);
            effect.text.clone_from(&notice.text);
        }
        Task::Inquire(inquiry) => {
            effect.kind = EffectKind::Ask;
            effect.what = match inquiry {
                Inquiry::Author { proposal, .. } => format!("who {} is", proposal.author),
                Inquiry::Commands { said, .. } => format!("who {} is", said.comment.author),
            };
        }
        Task::Survey(survey) => {
            effect.kind = EffectKind::Ask;
            effect.what = format!("which boards have {}", survey.tags.join(", "));
        }
        Task::Apply(order) => {
            effect.kind = EffectKind::Build;
            effect.what = format!("a branch for {}", order.series.revision());
        }
        Task::Push(order) => {
            effect.kind = EffectKind::Build;
            effect.what = format!("the branch {}", order.name);
        }
        // It changes nothing outside.
        Task::Inspect(_) => return None,
    }
    Some((action.key.clone(), effect))
}

fn failures_of(heard: &Heard) -> impl Iterator<Item = Failure> {
    heard.decision.considered.iter().filter_map(|said| {
        let Outcome::Failed { expression, error } = &said.outcome else { return None };
        let (expression, error) = (expression.clone(), error.clone());
        Some(Failure { rule: said.rule.clone(), expression, error })
    })
}
