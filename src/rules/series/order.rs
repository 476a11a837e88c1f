//! Ordering the builds of a series, once it is on a branch if it is to be on one.

use super::part::{self, Part};
use crate::action::{Stage, Ticket};
use crate::decision::Outcome;
use crate::event::proposal::Standing;
use crate::event::series::{Branch, SeriesEvent};
use crate::event::{Event, EventKind};
use crate::rules::case::{Case, Wanted};
use crate::rules::spec::EachPatch;
use crate::rules::{Build, Rule, trust};
use crate::run::{OfSeries, ReportTo, Role, Run, RunState};
use crate::subject::{RunId, Verdict};

/// How often the build of a test may break before it is not run for being handed out again: one
/// that broke is given back at once, and would be run without end.
const BROKEN_MAX: usize = 5;

impl Case<'_> {
    /// Orders what `rule` wants of a series.
    pub(in crate::rules) fn order_series(
        &self,
        (rule, build): (&Rule, &Build),
        on: &SeriesEvent,
        wanted: &mut Wanted,
    ) -> Result<(), Outcome> {
        let instance = &on.instance;
        let Some(origin) = self.rules.directory.forge_at(instance) else {
            return Err(Outcome::Lacks { what: format!("a connection for `{instance}`") });
        };
        let kind = self.event.kind();
        let is_unasked = kind == EventKind::SeriesPosted;
        if let Some(word) = self.opted_out(rule, on).filter(|_| is_unasked) {
            return Err(Outcome::OptedOut { word });
        }
        if let Some(found) = self.distrusts(rule, on) {
            return self.hold((rule, build), (on, found), wanted);
        }
        let Some(tree) = &rule.git else { return self.build_series((rule, build), on, wanted) };
        let is_rebase = on.request.as_ref().is_some_and(|request| request.rebase);
        if self.branch_of(rule).is_some() && !is_rebase {
            self.build_series((rule, build), on, wanted)?;
            wanted.runs.extend(self.joined_late((rule, tree), on, &wanted.others));
            return Ok(());
        }
        if !is_rebase {
            // What is not to be built again needs no branch.
            self.series_attempt(rule, on, None)?;
        }
        self.order_branch((rule, tree), (on, origin), wanted)
    }

    /// Whether the event can be about `rule` at all: a branch is for the rules that wanted it, and
    /// who asks again may name some.
    pub(in crate::rules) fn is_meant(&self, rule: &Rule) -> bool {
        match self.event {
            Event::Applied(event) => {
                let run = self.known.runs.iter().find(|run| run.id == event.run);
                let of = run.and_then(|run| run.series.as_ref());
                of.is_some_and(|of| of.wanted_by.contains(&rule.name))
            }
            Event::Series(on) => on.request.as_ref().is_none_or(|request| {
                request.names.is_empty() || request.names.contains(&rule.name)
            }),
            Event::PullRequest(_)
            | Event::Comment(_)
            | Event::Command(_)
            | Event::Push(_)
            | Event::Artifact(_)
            | Event::Boards(_)
            | Event::Build(_) => true,
        }
    }

    /// The word by which the author says that no builds are wanted.
    fn opted_out(&self, rule: &Rule, on: &SeriesEvent) -> Option<String> {
        let opt_out = &self.rules.directory.opt_out;
        let is_tag = |tag: &&String| opt_out.tags.iter().any(|own| own.eq_ignore_ascii_case(tag));
        let is_note =
            |note: &&String| opt_out.notes.iter().any(|own| own.eq_ignore_ascii_case(note));
        let tag = on.series.tags.iter().find(is_tag).map(|tag| format!("[{tag}]"));
        let word = tag.or_else(|| on.series.hints.notes.iter().find(is_note).cloned());
        word.filter(|_| rule.opt_out)
    }

    /// What the sender is, where `rule` does not build what they send.
    fn distrusts(&self, rule: &Rule, on: &SeriesEvent) -> Option<Standing> {
        let found = trust::sender(&self.rules.directory, &on.instance, &on.series.submitter);
        let is_approved = self.is_series_approved(on);
        (!rule.trust.covers(found) && !is_approved).then_some(found)
    }

    /// Whether somebody lets just this version be built.
    pub(super) fn is_series_approved(&self, on: &SeriesEvent) -> bool {
        let state = self.state.as_ref().and_then(|state| state.series.as_ref());
        state.is_some_and(|state| state.version == on.series.version && state.approved_by.is_some())
    }

    /// Lets the build wait until somebody lets the series be built.
    fn hold(
        &self,
        (rule, build): (&Rule, &Build),
        (on, found): (&SeriesEvent, Standing),
        wanted: &mut Wanted,
    ) -> Result<(), Outcome> {
        let attempt = self.series_attempt(rule, on, None)?;
        let run = self.series_run((rule, build), (on, Role::Whole), (None, attempt))?;
        let run = Run { artifact: None, retry: None, state: RunState::Held, ..run };
        wanted.holds = Some(Outcome::Held {
            wanted: rule.trust.as_str().to_owned(),
            found: found.as_str().to_owned(),
            run: run.id.to_string(),
        });
        wanted.actions.extend(self.scene().told(&run, Stage::Held, None));
        wanted.runs.push(run);
        Ok(())
    }

    /// Orders the builds of `rule`: of the whole, and of each patch where it says so.
    fn build_series(
        &self,
        (rule, build): (&Rule, &Build),
        on: &SeriesEvent,
        wanted: &mut Wanted,
    ) -> Result<(), Outcome> {
        let branch = self.branch_of(rule);
        let attempt = self.series_attempt(rule, on, branch)?;
        let run = self.series_run((rule, build), (on, Role::Whole), (branch, attempt))?;
        let names = self.names_for(rule);
        wanted.actions.push(part::start(self.rules, (rule, build), &run, &names)?);
        wanted.runs.push(run.clone());
        let Some(branch) = branch.filter(|_| rule.each_patch == EachPatch::Always) else {
            return Ok(());
        };
        let count = u32::try_from(branch.commits.len()).unwrap_or(u32::MAX);
        for patch in 1..count.min(Part::PATCHES_MAX) {
            let (run, actions) =
                part::order(self.rules, (rule, build), (&run, Role::Prefix(patch)))?;
            wanted.actions.extend(actions);
            wanted.runs.push(run);
        }
        Ok(())
    }

    /// Which attempt at this version it would be, if there is to be one.
    fn series_attempt(
        &self,
        rule: &Rule,
        on: &SeriesEvent,
        branch: Option<&Branch>,
    ) -> Result<u32, Outcome> {
        let (name, revision) = (part::run_name(rule, on), on.revision());
        let same = |run: &&Run| run.rule == name && run.revision == revision;
        let Some(last) = self.known.runs.iter().filter(same).max_by_key(|run| run.attempt) else {
            return Ok(1);
        };
        if last.state == RunState::Held {
            return Ok(last.attempt);
        }
        let is_done = last.state.is_done();
        let is_good = matches!(last.state, RunState::Done(Verdict::Success | Verdict::Skipped));
        let was_cancelled =
            last.cancelling.is_some() || last.state == RunState::Done(Verdict::Cancelled);
        let is_again = match self.event {
            Event::Series(event) if event.event == EventKind::SeriesRecheck => {
                let is_named = on.request.as_ref().is_some_and(|asked| !asked.names.is_empty());
                is_done && (!is_good || is_named)
            }
            // What is handed out is run by nobody, unless we do.
            Event::Series(event) if event.event == EventKind::SeriesTest => {
                let broken = self.known.runs.iter().filter(same);
                let broken = broken.filter(|run| run.state == RunState::Done(Verdict::Error));
                is_done && broken.count() < BROKEN_MAX
            }
            // It was put on another branch since, for which somebody has asked: perhaps upon the
            // same base, and perhaps the build of the other one goes on.
            Event::Applied(_) => {
                let built = last.series.as_ref().and_then(|of| of.branch.as_ref());
                let at = |branch: &Branch| (branch.name.clone(), branch.sha.clone());
                built.map(at) != branch.map(at)
            }
            Event::Series(_)
            | Event::PullRequest(_)
            | Event::Comment(_)
            | Event::Command(_)
            | Event::Push(_)
            | Event::Artifact(_)
            | Event::Boards(_)
            | Event::Build(_) => false,
        };
        if is_again || was_cancelled {
            Ok(last.attempt.saturating_add(1))
        } else {
            Err(Outcome::Already { run: last.id.to_string() })
        }
    }

    fn series_run(
        &self,
        (rule, build): (&Rule, &Build),
        (on, which): (&SeriesEvent, Role),
        (branch, attempt): (Option<&Branch>, u32),
    ) -> Result<Run, Outcome> {
        let (subject, revision, name) = (on.subject(), on.revision(), part::run_name(rule, on));
        let of = part::of_series(on, (&rule.name, rule.git.as_ref()), which);
        Ok(Run {
            artifact: None,
            retry: None,
            id: RunId::of(&subject, &revision, &name, attempt),
            subject,
            revision,
            rule: name,
            attempt,
            connection: build.on.clone(),
            state: RunState::Ordered,
            ticket: Ticket { job: build.job.clone(), ..Ticket::default() },
            reports: self.resolved(rule, on)?,
            supersede: rule.supersede,
            cancelling: None,
            reason: None,
            series: Some(Box::new(OfSeries { branch: branch.cloned(), ..of })),
        })
    }

    /// Where `rule` reports, with the connections resolved.
    pub(super) fn resolved(&self, rule: &Rule, on: &SeriesEvent) -> Result<Vec<ReportTo>, Outcome> {
        let directory = &self.rules.directory;
        let reports = rule.reports.iter().map(|report| report.resolve(directory, &on.instance));
        reports.collect::<Result<_, String>>().map_err(|what| Outcome::Lacks { what })
    }
}
