//! The branch that a series is put on: which it is, who wants it, and ordering it.

use super::part;
use crate::action::{Action, ApplyOrder, Task, Ticket};
use crate::decision::Outcome;
use crate::event::Event;
use crate::event::series::{Branch, SeriesEvent};
use crate::rules::Rule;
use crate::rules::case::{Case, Wanted, lane};
use crate::rules::report::Scene;
use crate::run::{OfSeries, ReportTo, Role, Run, RunState};
use crate::subject::{ConnectionName, RunId, Verdict};

impl Case<'_> {
    /// The branch that the series is on for `rule`, if it is on one.
    pub(in crate::rules) fn branch_of(&self, rule: &Rule) -> Option<&Branch> {
        let tree = rule.git.as_ref()?;
        match self.event {
            Event::Applied(event) => event.branch.as_ref().filter(|_| event.tree == *tree),
            Event::Series(on) => {
                let run = self.last_branch_run(tree, &on.revision())?;
                let was_made = run.state == RunState::Done(Verdict::Success);
                let branch = run.series.as_ref()?.branch.as_ref().filter(|_| was_made)?;
                // It may have been swept away since.
                let is_it =
                    |(at, name): &(String, String)| at == tree.as_str() && *name == branch.name;
                self.known.branches.iter().any(is_it).then_some(branch)
            }
            Event::PullRequest(_)
            | Event::Comment(_)
            | Event::Command(_)
            | Event::Push(_)
            | Event::Artifact(_)
            | Event::Boards(_)
            | Event::Build(_) => None,
        }
    }

    /// The newest run that puts this version on a branch of `tree`.
    fn last_branch_run(&self, tree: &ConnectionName, revision: &str) -> Option<&Run> {
        let runs = self.known.runs.iter().filter(|run| {
            run.role() == Some(Role::Apply) && run.connection == *tree && run.revision == revision
        });
        runs.max_by_key(|run| run.attempt)
    }

    /// Orders that the series is put on a branch; rules that want the same share it.
    pub(super) fn order_branch(
        &self,
        (rule, tree): (&Rule, &ConnectionName),
        (on, origin): (&SeriesEvent, &ConnectionName),
        wanted: &mut Wanted,
    ) -> Result<(), Outcome> {
        let reports = self.resolved(rule, on)?;
        let shared = wanted.others.iter().rfind(|run| {
            run.role() == Some(Role::Apply) && run.connection == *tree && !run.state.is_done()
        });
        if let Some(shared) = shared.cloned() {
            let run = joined(shared, rule, reports);
            wanted.actions.push(self.application(&run, (on, origin), ""));
            wanted.runs.push(run);
            return Ok(());
        }
        let last = self.last_branch_run(tree, &on.revision());
        let is_approved = self.is_series_approved(on);
        let (attempt, again) = match last {
            None => (1, ""),
            Some(last) if last.state == RunState::Held && is_approved => {
                (last.attempt, "/approved")
            }
            Some(last) if last.state.is_done() && on.request.is_some() => {
                (last.attempt.saturating_add(1), "")
            }
            Some(last) if last.state.is_done() => {
                return Err(Outcome::Already { run: last.id.to_string() });
            }
            // It is on its way.
            Some(last) => {
                let run = joined(last.clone(), rule, reports);
                if is_approved {
                    // What was ordered before knows nothing of that.
                    wanted.actions.push(self.application(&run, (on, origin), "/approved"));
                }
                wanted.runs.push(run);
                return Ok(());
            }
        };
        let of = part::of_series(on, (tree.as_str(), Some(tree)), Role::Apply);
        let of =
            OfSeries { wanted_by: Self::wanted_by(last.filter(|_| !again.is_empty()), rule), ..of };
        let (subject, revision) = (on.subject(), on.revision());
        let run = Run {
            artifact: None,
            retry: None,
            id: RunId::of(&subject, &revision, tree.as_str(), attempt),
            subject,
            revision,
            rule: tree.to_string(),
            attempt,
            connection: tree.clone(),
            state: RunState::Ordered,
            ticket: Ticket { job: tree.to_string(), ..Ticket::default() },
            reports,
            supersede: rule.supersede,
            cancelling: None,
            reason: None,
            series: Some(Box::new(of)),
        };
        wanted.actions.push(self.application(&run, (on, origin), again));
        wanted.runs.push(run);
        Ok(())
    }

    /// The run that has put the series on its branch, wanted by `rule`, too: that the rule builds
    /// it counts for those that depend on it.
    pub(super) fn joined_late(
        &self,
        (rule, tree): (&Rule, &ConnectionName),
        on: &SeriesEvent,
        others: &[Run],
    ) -> Option<Run> {
        let last = self.last_branch_run(tree, &on.revision())?;
        let run = others.iter().rfind(|run| run.id == last.id).unwrap_or(last);
        let is_wanted = run.series.as_ref().is_some_and(|of| of.wanted_by.contains(&rule.name));
        (!is_wanted).then(|| joined(run.clone(), rule, Vec::new()))
    }

    /// The rules that want the branch: a run that goes on has others, too.
    fn wanted_by(last: Option<&Run>, rule: &Rule) -> Vec<String> {
        let of = last.and_then(|last| last.series.as_ref());
        let mut all = of.map(|of| of.wanted_by.clone()).unwrap_or_default();
        if !all.contains(&rule.name) {
            all.push(rule.name.clone());
        }
        all
    }

    fn application(
        &self,
        run: &Run,
        (on, origin): (&SeriesEvent, &ConnectionName),
        again: &str,
    ) -> Action {
        let state = self.state.as_ref().and_then(|state| state.series.as_ref());
        Action {
            key: format!("apply/{}{again}", run.id),
            lane: lane(&run.subject, &run.rule, &run.connection),
            slot: None,
            connection: run.connection.clone(),
            run: Some(run.id.clone()),
            delay: None,
            task: Task::Apply(Box::new(ApplyOrder {
                run: run.id.clone(),
                series: part::as_posted(on),
                origin: origin.clone(),
                respin: run.attempt.saturating_sub(1),
                last_base: state.and_then(|state| state.base.clone()),
                is_approved: self.is_series_approved(on),
            })),
        }
    }
}

impl Scene<'_> {
    /// What is told of putting a series on a branch: that it went well shows in a state only.
    pub(super) fn told_of_branch(&self, run: &Run, previous: Option<Verdict>) -> Vec<Action> {
        let Some(stage) = crate::rules::text::stage(run.state) else { return Vec::new() };
        if run.state == RunState::Done(Verdict::Success) {
            self.states(run, stage, previous)
        } else {
            self.told(run, stage, previous)
        }
    }
}

/// The run that puts a series on a branch, wanted by one more rule.
fn joined(run: Run, rule: &Rule, reports: Vec<ReportTo>) -> Run {
    let mut series = run.series;
    if let Some(of) = series.as_mut().filter(|of| !of.wanted_by.contains(&rule.name)) {
        of.wanted_by.push(rule.name.clone());
    }
    let reports = united(&run.reports, reports);
    Run { series, reports, supersede: run.supersede && rule.supersede, ..run }
}

/// Both lists, each place once.
fn united(one: &[ReportTo], other: Vec<ReportTo>) -> Vec<ReportTo> {
    let mut all = one.to_vec();
    for report in other {
        let is_there = |known: &ReportTo| known.to == report.to && known.form == report.form;
        if !all.iter().any(is_there) {
            all.push(report);
        }
    }
    all
}
