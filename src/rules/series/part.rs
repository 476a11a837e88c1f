//! A build of a series, of some of its patches, or of its base.

use serde_json::Value;

use crate::action::{Action, Order, PushOrder, Task, Ticket};
use crate::decision::Outcome;
use crate::event::Event;
use crate::event::series::{Branch, SeriesEvent};
use crate::expression::{self, Text};
use crate::rules::case::lane;
use crate::rules::{Build, Rule, RuleSet, trust};
use crate::run::{OfSeries, Role, Run, RunState};
use crate::subject::{ConnectionName, RunId, Subject};

/// What is known of a part of a series.
pub(super) struct Part;

impl Part {
    /// The most patches of a series that are built one by one.
    pub(super) const PATCHES_MAX: u32 = 100;
}

/// The series as it was posted, whatever is asked about it.
pub(super) fn as_posted(on: &SeriesEvent) -> SeriesEvent {
    SeriesEvent { request: None, ..on.clone() }
}

/// What the run of a rule is called: one that runs a test that a source hands out has its name.
pub(super) fn run_name(rule: &Rule, on: &SeriesEvent) -> String {
    match &on.test {
        Some(test) => format!("{}@{}", rule.name, test.name),
        None => rule.name.clone(),
    }
}

pub(super) fn of_series(
    on: &SeriesEvent,
    (rule, tree): (&str, Option<&ConnectionName>),
    part: Role,
) -> OfSeries {
    OfSeries {
        of: as_posted(on),
        rule: rule.to_owned(),
        wanted_by: Vec::new(),
        role: part,
        tree: tree.cloned(),
        branch: None,
        awaits: None,
        was_broken: false,
        refusal: None,
        blamed: None,
    }
}

/// The action that starts `run`.
pub(super) fn start(
    rules: &RuleSet,
    (rule, build): (&Rule, &Build),
    run: &Run,
    names: &Value,
) -> Result<Action, Outcome> {
    let context = expression::context(names);
    let render = |text: &Text| {
        text.render(&context).map_err(|error| Outcome::Failed {
            expression: text.source().to_owned(),
            error: error.message,
        })
    };
    let (parameters, definition) = build.render(names)?;
    let branch = run.series.as_ref().and_then(|of| of.branch.as_ref());
    let connection = rules.directory.find(&build.on);
    let builds_references = connection.is_some_and(|connection| connection.builds_references);
    let own = build.reference.as_ref().map(render).transpose()?;
    let reference = own.clone().or_else(|| Some(branch?.name.clone()));
    let sha = branch.filter(|_| own.is_none()).map(|branch| branch.sha.clone());
    Ok(Action {
        key: format!("start/{}", run.id),
        lane: lane(&run.subject, &run.rule, &run.connection),
        slot: None,
        connection: run.connection.clone(),
        run: Some(run.id.clone()),
        delay: None,
        task: Task::Start(Order {
            definition,
            board: None,
            run: run.id.clone(),
            job: build.job.clone(),
            parameters,
            reference: reference.filter(|_| builds_references),
            sha: sha.filter(|_| builds_references),
            cause: format!("{} for {} at {}", rule.name, run.subject, run.revision),
        }),
    })
}

/// Orders a build of a part of what `whole` builds: a branch of its own, and the build of that.
///
/// If the branch cannot be pushed the run ends with that, and is never started.
pub(super) fn order(
    rules: &RuleSet,
    (rule, build): (&Rule, &Build),
    (whole, which): (&Run, Role),
) -> Result<(Run, Vec<Action>), Outcome> {
    let lacks = |what: &str| Outcome::Lacks { what: what.to_owned() };
    let of = whole.series.as_ref().ok_or_else(|| lacks("a series"))?;
    let (Some(branch), Some(tree)) = (&of.branch, &of.tree) else {
        return Err(lacks("a branch"));
    };
    let patch = match which {
        Role::Prefix(patch) | Role::Bisect(patch) => patch,
        Role::Base | Role::Apply | Role::Whole => 0,
    };
    let part = branch.up_to(patch);
    let run = match which {
        Role::Base => Run {
            subject: base_subject(of, branch, tree),
            revision: branch.base.sha.to_string(),
            id: base_id(of)?,
            attempt: 1,
            reports: Vec::new(),
            ..whole.clone()
        },
        Role::Prefix(_) | Role::Bisect(_) | Role::Apply | Role::Whole => {
            let (name, attempt) = (part_name(&rule.name, which), whole.attempt);
            Run {
                id: RunId::of(&whole.subject, &whole.revision, &name, attempt),
                reports: match which {
                    Role::Prefix(_) => whole.reports.clone(),
                    Role::Bisect(_) | Role::Base | Role::Apply | Role::Whole => Vec::new(),
                },
                ..whole.clone()
            }
        }
    };
    let series =
        OfSeries { role: which, branch: Some(part.clone()), awaits: None, ..(**of).clone() };
    let run = Run {
        rule: part_name(&rule.name, which),
        state: RunState::Ordered,
        ticket: Ticket { job: build.job.clone(), ..Ticket::default() },
        cancelling: None,
        reason: None,
        series: Some(Box::new(series)),
        ..run
    };
    let push = Action {
        key: format!("push/{}", run.id),
        lane: lane(&run.subject, &run.rule, &run.connection),
        slot: None,
        connection: tree.clone(),
        run: Some(run.id.clone()),
        delay: None,
        task: Task::Push(PushOrder {
            subject: run.subject.clone(),
            sha: part.sha.clone(),
            name: part.name.clone(),
        }),
    };
    let names = names(rules, &of.of, (&part, patch));
    let start = start(rules, (rule, build), &run, &names)?;
    Ok((run, vec![push, start]))
}

/// What the run of a part is called.
fn part_name(rule: &str, which: Role) -> String {
    match which {
        Role::Prefix(patch) | Role::Bisect(patch) => format!("{rule}@p{patch}"),
        Role::Base => format!("{rule}@base"),
        Role::Apply | Role::Whole => rule.to_owned(),
    }
}

/// The base of a series, which others may share.
fn base_subject(of: &OfSeries, branch: &Branch, tree: &ConnectionName) -> Subject {
    OfSeries::base(&of.of.instance, branch, tree)
}

fn base_id(of: &OfSeries) -> Result<RunId, Outcome> {
    of.base_run().ok_or_else(|| Outcome::Lacks { what: "a branch".to_owned() })
}

/// The names of a series on a branch.
fn names(rules: &RuleSet, on: &SeriesEvent, (branch, patch): (&Branch, u32)) -> Value {
    let mut names = Event::Series(Box::new(on.clone())).names();
    let standing = trust::sender(&rules.directory, &on.instance, &on.series.submitter);
    if let Some(map) = names.as_object_mut() {
        map.insert("standing".to_owned(), standing.as_str().into());
        map.insert("branch".to_owned(), branch.names(Some(patch)));
    }
    names
}
