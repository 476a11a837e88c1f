//! Whose fault a failure is: the base's, which failed before, or that of one of the patches.
//!
//! People are told of a failed series only once its base was built, too, by the same rule: of all
//! series upon one base the first orders that build.  Then the first bad patch is looked for, if
//! the rule says so: each build halves what is left.

use super::part;
use crate::action::Action;
use crate::decision::{Decision, Known, Waiting};
use crate::rules::report::Scene;
use crate::rules::spec::EachPatch;
use crate::rules::{Build, Rule, text};
use crate::run::{OfSeries, Role, Run, RunState};
use crate::subject::Verdict;

/// What is told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// Nothing yet.
    Nothing,
    /// Only states.
    States,
    /// All.
    All,
}

/// A run about a series has ended.
pub(in crate::rules) fn ended(scene: &Scene<'_>, run: Run, decision: &mut Decision) {
    let previous = scene.known.previous;
    match run.role() {
        Some(Role::Whole) => {
            let baseline = scene.known.baseline.as_ref().map(|base| base.state);
            settle(scene, (run, previous, scene.is_outdated), baseline, decision);
        }
        Some(Role::Prefix(_)) => {
            if let Some(stage) = text::stage(run.state) {
                decision.actions.extend(scene.states(&run, stage, previous));
            }
            decision.runs.push(run);
        }
        Some(Role::Base) => {
            let state = run.state;
            decision.runs.push(run);
            for waiting in &scene.known.waiting {
                let Waiting { run, previous, is_outdated } = waiting.clone();
                settle(scene, (run, previous, is_outdated), Some(state), decision);
            }
        }
        Some(Role::Bisect(_)) => {
            for waiting in &scene.known.waiting {
                halve(scene, waiting, &run, decision);
            }
            decision.runs.push(run);
        }
        Some(Role::Apply) | None => {
            if let Some(stage) = text::stage(run.state) {
                decision.actions.extend(scene.told(&run, stage, previous));
            }
            decision.runs.push(run);
        }
    }
}

/// A run of a whole series has ended, and maybe that of its base: what is told, or looked into.
fn settle(
    scene: &Scene<'_>,
    (mut run, previous, is_outdated): (Run, Option<Verdict>, bool),
    baseline: Option<RunState>,
    decision: &mut Decision,
) {
    set_awaits(&mut run, None);
    let telling = match failed(scene, &run).filter(|_| !is_outdated) {
        Some((rule, build)) => look_into(scene, (rule, build), &mut run, baseline, decision),
        None => Telling::All,
    };
    tell(scene, (&run, previous, is_outdated), telling, decision);
    decision.runs.push(run);
}

/// The rule of a run that has failed, and that nobody has stopped.
fn failed<'a>(scene: &Scene<'a>, run: &Run) -> Option<(&'a Rule, &'a Build)> {
    let is_failed = matches!(run.state, RunState::Done(Verdict::Failure | Verdict::Unstable));
    let rule = scene.rules.rules().iter().find(|rule| rule.name == run.ordered_by())?;
    let build = rule.build.as_ref()?;
    let is_on_branch = run.series.as_ref().is_some_and(|of| of.branch.is_some());
    (is_failed && is_on_branch && run.cancelling.is_none()).then_some((rule, build))
}

fn look_into(
    scene: &Scene<'_>,
    (rule, build): (&Rule, &Build),
    run: &mut Run,
    baseline: Option<RunState>,
    decision: &mut Decision,
) -> Telling {
    if rule.baseline {
        match baseline {
            // Its base is being built.
            Some(state) if !state.is_done() => {
                let base = run.series.as_ref().and_then(|of| of.base_run());
                set_awaits(run, base);
                return Telling::Nothing;
            }
            Some(RunState::Done(Verdict::Failure | Verdict::Unstable)) => {
                if let Some(of) = &mut run.series {
                    of.was_broken = true;
                }
                return Telling::All;
            }
            Some(_) => {}
            None => match part::order(scene.rules, (rule, build), (run, Role::Base)) {
                Ok((base, actions)) => {
                    decision.remarks.push(format!("its base is built, too, by run {}", base.id));
                    set_awaits(run, Some(base.id.clone()));
                    decision.actions.extend(actions);
                    decision.runs.push(base);
                    return Telling::Nothing;
                }
                Err(outcome) => {
                    let word = outcome.as_str();
                    decision.remarks.push(format!("its base cannot be built: {word}"));
                }
            },
        }
    }
    if rule.each_patch != EachPatch::OnFailure {
        return Telling::All;
    }
    bisect((scene, rule, build), run, None, decision)
}

/// A build of some of the patches has ended: the first bad one is among fewer now.
fn halve(scene: &Scene<'_>, waiting: &Waiting, part: &Run, decision: &mut Decision) {
    let Waiting { run, previous, is_outdated } = waiting.clone();
    let mut run = run;
    set_awaits(&mut run, None);
    let says_nothing = !matches!(
        part.state,
        RunState::Done(Verdict::Success | Verdict::Failure | Verdict::Unstable)
    );
    let cause = failed(scene, &run).filter(|_| !is_outdated && !says_nothing);
    let telling = if let Some((rule, build)) = cause {
        bisect((scene, rule, build), &mut run, Some(part), decision)
    } else {
        decision.remarks.push("the first bad patch cannot be told".to_owned());
        Telling::All
    };
    // Its state was told when the search began.
    if telling == Telling::All {
        tell(scene, (&run, previous, is_outdated), Telling::All, decision);
    }
    decision.runs.push(run);
}

/// Looks for the first bad patch: orders the next build, or blames one.
fn bisect(
    (scene, rule, build): (&Scene<'_>, &Rule, &Build),
    run: &mut Run,
    ended: Option<&Run>,
    decision: &mut Decision,
) -> Telling {
    let (good, bad) = bounds(scene.known, run, ended);
    if bad.saturating_sub(good) <= 1 {
        decision.remarks.push(format!("patch {bad} is the first bad one"));
        if let Some(of) = &mut run.series {
            of.blamed = Some(bad);
        }
        return Telling::All;
    }
    let middle = good + (bad - good) / 2;
    match part::order(scene.rules, (rule, build), (run, Role::Bisect(middle))) {
        Ok((part, actions)) => {
            decision
                .remarks
                .push(format!("the patches up to {middle} are built by run {}", part.id));
            set_awaits(run, Some(part.id.clone()));
            decision.actions.extend(actions);
            decision.runs.push(part);
            Telling::States
        }
        Err(outcome) => {
            let word = outcome.as_str();
            decision.remarks.push(format!("the first bad patch is not looked for: {word}"));
            Telling::All
        }
    }
}

/// The last number of patches that is known to be good, and the first that is known to be bad.
fn bounds(known: &Known, whole: &Run, ended: Option<&Run>) -> (u32, u32) {
    let of = whole.series.as_ref().and_then(|of| of.branch.as_ref());
    let count = of.map_or(0, |branch| branch.commits.len());
    let (mut good, mut bad) = (0, u32::try_from(count).unwrap_or(u32::MAX));
    let is_same = |part: &&Run| {
        let sha = |run: &Run| Some(run.series.as_ref()?.branch.as_ref()?.base.sha.clone());
        part.attempt == whole.attempt && part.revision == whole.revision && sha(part) == sha(whole)
    };
    for part in known.parts.iter().filter(is_same).chain(ended) {
        let Some(Role::Bisect(patch) | Role::Prefix(patch)) = part.role() else { continue };
        match part.state {
            RunState::Done(Verdict::Success) => good = good.max(patch),
            RunState::Done(Verdict::Failure | Verdict::Unstable) => bad = bad.min(patch),
            RunState::Done(_)
            | RunState::Held
            | RunState::Ordered
            | RunState::Queued
            | RunState::Running => {}
        }
    }
    // A patch that mends what an earlier one breaks: the last break is the one that counts.
    (good.min(bad.saturating_sub(1)), bad)
}

fn set_awaits(run: &mut Run, id: Option<crate::subject::RunId>) {
    if let Some(of) = &mut run.series {
        let awaits = id;
        **of = OfSeries { awaits, ..(**of).clone() };
    }
}

/// Tells people of a run that has ended; of one that is past, only states.
fn tell(
    scene: &Scene<'_>,
    (run, previous, is_outdated): (&Run, Option<Verdict>, bool),
    telling: Telling,
    decision: &mut Decision,
) {
    let Some(stage) = text::stage(run.state) else { return };
    let actions: Vec<Action> = match telling {
        Telling::Nothing => Vec::new(),
        Telling::All if !is_outdated => scene.told(run, stage, previous),
        Telling::States | Telling::All => scene.states(run, stage, previous),
    };
    decision.actions.extend(actions);
}
