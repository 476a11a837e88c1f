//! What an event about an artifact changes: what is known of it, and its runs.

use super::case::Case;
use super::report::Scene;
use super::texts::Voice;
use super::{RuleSet, proposal};
use crate::action::Stage;
use crate::decision::{Decision, Known, Outcome, PublishedBuild, SubjectState};
use crate::event::artifact::{ArtifactEvent, BoardsEvent};
use crate::event::{Event, EventKind};
use crate::rules::decide::Breadth;
use crate::run::{BoardPart, Run, RunState};
use crate::subject::Verdict;

mod order;
pub(super) mod part;
mod report;

/// Takes note of an artifact: `Err` says why no rule need be asked.
///
/// What somebody announces who may not changes nothing that is known, and cancels nothing.
pub(super) fn take_note(
    (rules, voice): (&RuleSet, &Voice<'_>),
    (event, on): (&Event, &ArtifactEvent),
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if is_repeat(rules, on, known) {
        return Err("this was told before".to_owned());
    }
    if rules.about(event, Breadth::Indexed).next().is_none() {
        return Err("no rule is about it".to_owned());
    }
    let (instance, name, build) = (&on.instance, &on.artifact.name, &on.artifact.build);
    if on.event != EventKind::ArtifactPublished {
        return Ok(());
    }
    if !rules.directory.producers.may_announce(instance, name) {
        decision.remarks.push(unknown_producer(on));
        return Ok(());
    }
    let state = known.subject.clone().unwrap_or_default();
    if is_republished(on, known) {
        decision.remarks.push(format!(
            "build {build} was published before with other checksums, and nothing is built of this one"
        ));
        return Ok(());
    }
    // A clock that runs ahead would make all that follows late.
    let at = on.at.map(|at| at.as_millisecond().min(known.now));
    let is_late = matches!((at, state.at), (Some(at), Some(known)) if at < known);
    decision.subject = Some(SubjectState {
        is_open: true,
        at: at.max(state.at),
        builds: with_build(&state, on, is_late),
        ..state
    });
    for run in known.runs.iter().filter(|run| !run.state.is_done() && run.cancelling.is_none()) {
        if run.supersede && !is_late && run.revision != *build {
            let reason = format!("superseded by {build}");
            cancel((rules, voice, known), run, reason, decision);
        }
    }
    Ok(())
}

/// Whether it was told before.  What was refused is none that was heard: its producer may have
/// been named since.
fn is_repeat(rules: &RuleSet, on: &ArtifactEvent, known: &Known) -> bool {
    let producers = &rules.directory.producers;
    let may_announce = producers.may_announce(&on.instance, &on.artifact.name);
    if on.event != EventKind::ArtifactPublished || !may_announce {
        return known.is_repeat;
    }
    let builds = known.subject.as_ref().map(|state| state.builds.as_slice()).unwrap_or_default();
    let digest = on.digest();
    let is_it = |known: &PublishedBuild| known.build == on.artifact.build && known.digest == digest;
    builds.iter().any(is_it) || (known.is_repeat && builds.len() >= SubjectState::BUILDS_MAX)
}

fn unknown_producer(on: &ArtifactEvent) -> String {
    let (instance, name) = (&on.instance, &on.artifact.name);
    format!("`{instance}` is no producer of the settings that may announce `{name}`")
}

/// Whether this build was published before with other content.
pub(super) fn is_republished(on: &ArtifactEvent, known: &Known) -> bool {
    let mut builds = known.subject.iter().flat_map(|state| &state.builds);
    builds.any(|known| known.build == on.artifact.build && known.digest != on.digest())
}

/// The builds that are remembered, the newest last; one that is late is put before it.
fn with_build(state: &SubjectState, on: &ArtifactEvent, is_late: bool) -> Vec<PublishedBuild> {
    let mut builds = state.builds.clone();
    builds.retain(|known| known.build != on.artifact.build);
    let place = builds.len().saturating_sub(usize::from(is_late));
    let build = PublishedBuild {
        build: on.artifact.build.clone(),
        digest: on.digest(),
        sha: on.change.sha.clone(),
    };
    builds.insert(place, build);
    let surplus = builds.len().saturating_sub(SubjectState::BUILDS_MAX);
    builds.drain(..surplus);
    builds
}

/// Cancels a run; one on all boards is no build, and ends at once.
fn cancel(
    (rules, voice, known): (&RuleSet, &Voice<'_>, &Known),
    run: &Run,
    reason: String,
    decision: &mut Decision,
) {
    let is_all = run.artifact.as_ref().is_some_and(|of| matches!(of.part, BoardPart::All(_)));
    if !is_all {
        proposal::cancel((rules, voice, known), run, reason, decision);
        return;
    }
    decision.remarks.push(format!("run {} is cancelled: {reason}", run.id));
    let end = RunState::Done(Verdict::Cancelled);
    let run = Run { state: end, cancelling: Some(reason), ..run.clone() };
    let scene =
        Scene { rules, voice, known, is_outdated: false, is_of_old_head: false, changed: &[] };
    decision.actions.extend(scene.told(&run, Stage::Done(Verdict::Cancelled), None));
    decision.runs.push(run);
}

/// Why nothing was ordered, in words.
fn why(outcome: Outcome) -> String {
    if let Outcome::Failed { expression, error } = outcome {
        return format!("`{expression}` cannot be evaluated: {error}");
    }
    if let Outcome::Lacks { what } = outcome {
        return format!("it needs {what}");
    }
    outcome.as_str().to_owned()
}

/// Takes note of the boards that an artifact is run on, and orders what was to be run on them.
pub(super) fn take_note_of_boards(
    (rules, voice): (&RuleSet, &Voice<'_>),
    (event, found): (&Event, &BoardsEvent),
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    let Some(run) = known.runs.iter().find(|run| run.id == found.run) else {
        return Err(format!("run {} is not known", found.run));
    };
    let of = run.artifact.as_ref().filter(|of| of.part == BoardPart::All(None));
    let Some(of) = of.filter(|_| !run.state.is_done()) else {
        return Err(format!("run {} does not wait for boards", run.id));
    };
    let case = Case::new(rules, event, known, voice);
    let by = rules.rules().iter().find(|rule| rule.name == of.rule);
    let ordered_by = by.and_then(|rule| Some((rule, rule.build.as_ref()?)));
    let ordered = match (&found.refusal, ordered_by) {
        (Some(refusal), _) => Err(refusal.clone()),
        (None, None) => Err(format!("there is no rule `{}` any more", of.rule)),
        (None, Some(_)) if found.boards.is_empty() => {
            Err("no kind of board that could run it can be used now".to_owned())
        }
        (None, Some(by)) => case.on_boards(by, run, &found.boards).map_err(why),
    };
    match ordered {
        Ok((runs, mut actions)) => {
            decision.remarks.push(format!("it runs on {}", found.boards.join(", ")));
            if found.left_out > 0 {
                let (left_out, max) = (found.left_out, ArtifactEvent::BOARDS_MAX);
                let remark = format!("{left_out} kinds of boards are left out: {max} is the most");
                decision.remarks.push(remark);
            }
            let scene = Scene { changed: &runs, ..case.scene() };
            let told = runs.first().map(|all| scene.told(all, Stage::Queued, None));
            actions.extend(told.unwrap_or_default());
            decision.actions.extend(actions);
            decision.runs.extend(runs);
        }
        Err(reason) => {
            decision.remarks.push(format!("run {} is error: {reason}", run.id));
            let end = RunState::Done(Verdict::Error);
            let run = Run { state: end, reason: Some(reason), ..run.clone() };
            let told = case.scene().told(&run, Stage::Done(Verdict::Error), known.previous);
            decision.actions.extend(told);
            decision.runs.push(run);
        }
    }
    Ok(())
}
