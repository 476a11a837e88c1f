//! What an event about a patch series changes: what is known of it, and its runs.

use super::report::Scene;
use super::texts::Voice;
use super::{RuleSet, proposal, trust};
use crate::decision::{Decision, Known, SeriesState, SubjectState};
use crate::event::EventKind;
use crate::event::proposal::Standing;
use crate::event::series::{AppliedEvent, Request, SeriesEvent};
use crate::message::hash;
use crate::run::{OfSeries, Run, RunState};
use crate::subject::Verdict;

pub(super) mod blame;
mod branch;
mod order;
mod part;

/// Takes note of an event about a series: `Err` says why no rule need be asked.
///
/// A version is told once, whoever tells it; an older one than the known is late.
pub(super) fn take_note(
    (rules, voice): (&RuleSet, &Voice<'_>),
    event: &SeriesEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    if event.event == EventKind::SeriesPosted {
        posted((rules, voice), event, known, decision)
    } else if let Some(request) = &event.request {
        requested(rules, (event, request), known, decision)
    } else {
        Ok(())
    }
}

fn posted(
    (rules, voice): (&RuleSet, &Voice<'_>),
    event: &SeriesEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    let version = event.series.version;
    let state = known.subject.clone().unwrap_or_default();
    let before = state.series.as_ref();
    if let Some(known) = before.map(|state| state.version).filter(|known| *known >= version) {
        return Err(format!("v{known} is known already"));
    }
    if let Some(newer) = known.newer {
        return Err(format!("v{newer} is known already"));
    }
    let base = before.and_then(|state| state.base.clone()).or_else(|| known.last_base.clone());
    let at = event.at.map(jiff::Timestamp::as_millisecond);
    decision.subject = Some(SubjectState {
        is_open: true,
        at: at.max(state.at),
        series: Some(SeriesState { base, ..series_state(event) }),
        ..state
    });
    let revision = event.revision();
    let earlier = known.runs.iter().filter(|run| run.revision != revision);
    let open = earlier
        .chain(&known.older)
        .filter(|run| !run.state.is_done() && run.cancelling.is_none() && run.supersede);
    for run in open {
        let reason = format!("superseded by {revision}");
        proposal::cancel((rules, voice, known), run, reason, decision);
    }
    Ok(())
}

/// A series as it is known when it is posted, with what tells which versions of it are known by
/// other ids: never the title alone, and no `change-id` alone, which everybody can read.
///
/// Versions are one sender's.  Where a mail server vouches for some, what is from them only by its
/// own word is somebody else's.
pub fn series_state(event: &SeriesEvent) -> SeriesState {
    let SeriesEvent { instance, project, series, .. } = event;
    let submitter = &series.submitter;
    let author = submitter.id.as_ref().unwrap_or(&submitter.email).to_lowercase();
    let vouched = if submitter.vouched { "vouched" } else { "" };
    let title = series.title.trim().to_lowercase();
    let change_id = series.hints.change_id.as_ref().map(|id| id.to_lowercase());
    let of = |parts: &[&str]| {
        let parts = [&[instance.as_str(), project.as_str()], parts].concat();
        hash(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
    };
    SeriesState {
        version: series.version,
        approved_by: None,
        change: change_id.map(|id| of(&["change", vouched, &author, &id])),
        name: of(&["name", vouched, &author, &title]),
        base: None,
    }
}

/// Somebody asks for builds again, or lets a series be built.
fn requested(
    rules: &RuleSet,
    (event, request): (&SeriesEvent, &Request),
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    let state = known.subject.as_ref();
    let Some(series) = state.and_then(|state| state.series.as_ref()) else {
        return Err("the series is not known".to_owned());
    };
    if series.version != event.series.version {
        return Err(format!("v{} is the one that counts", series.version));
    }
    let directory = &rules.directory;
    let standing = if request.operator {
        Standing::Maintainer
    } else {
        let told = request.standing.unwrap_or_default();
        trust::sender(directory, &event.instance, &request.by).max(told)
    };
    let limit = directory.commands.per_hour();
    if known.given > limit && !request.operator {
        return Err(format!("more than {limit} were given about it within an hour"));
    }
    let who = if request.operator { "the operator" } else { request.by.email.as_str() };
    if event.event == EventKind::SeriesApproved {
        // What is from somebody only by its own word lets nothing of a stranger's run.
        if standing < Standing::Maintainer || !(request.operator || request.by.vouched) {
            let vouched = if request.by.vouched { "" } else { ", and nobody vouches for the mail" };
            return Err(format!(
                "{who} is a {}{vouched}: only maintainers let a series be built",
                standing.as_str()
            ));
        }
        let series = SeriesState { approved_by: Some(who.to_owned()), ..series.clone() };
        decision.remarks.push(format!("{who} lets v{} be built", series.version));
        decision.subject =
            Some(SubjectState { series: Some(series), ..state.cloned().unwrap_or_default() });
        return Ok(());
    }
    let author = &event.series.submitter;
    let is_author = request.by.vouched && author.vouched && author.email == request.by.email;
    if standing < Standing::Contributor && !is_author {
        return Err(format!(
            "{who} is a {}: contributors and a vouched author ask again",
            standing.as_str()
        ));
    }
    decision.remarks.push(format!("{who} asks for it again"));
    Ok(())
}

/// Takes note of what became of putting a series on a branch: `Err` says why no rule need be
/// asked.
pub(super) fn take_note_of_branch(
    (rules, voice): (&RuleSet, &Voice<'_>),
    event: &AppliedEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    let Some(run) = known.runs.iter().find(|run| run.id == event.run) else {
        return Err(format!("run {} is not known", event.run));
    };
    if run.state.is_done() {
        return Err(format!("run {} is known to be {}", run.id, run.state.as_str()));
    }
    let Some(of) = run.series.clone() else {
        return Err(format!("run {} is about no series", run.id));
    };
    let state = if event.event == EventKind::SeriesApplied {
        RunState::Done(Verdict::Success)
    } else if event.event == EventKind::SeriesWaiting {
        RunState::Queued
    } else if event.event == EventKind::SeriesHeld {
        RunState::Held
    } else {
        RunState::Done(event.verdict.unwrap_or(Verdict::Conflict))
    };
    let reason = event.refusal.as_ref().map(|refusal| refusal.reason.clone());
    let series = OfSeries { branch: event.branch.clone(), refusal: event.refusal.clone(), ..*of };
    let run = Run { state, reason, series: Some(Box::new(series)), ..run.clone() };
    decision.remarks.push(format!("run {} is {}", run.id, state.as_str()));
    let scene =
        Scene { rules, voice, known, is_outdated: false, is_of_old_head: false, changed: &[] };
    decision.actions.extend(scene.told_of_branch(&run, known.previous));
    decision.runs.push(run);
    if let (Some(branch), Some(known)) = (&event.branch, &known.subject)
        && let Some(series) = &known.series
    {
        let series = SeriesState { base: Some(branch.base.branch.clone()), ..series.clone() };
        decision.subject = Some(SubjectState { series: Some(series), ..known.clone() });
    }
    match event.branch {
        Some(_) => Ok(()),
        None => Err("it is on no branch".to_owned()),
    }
}
