//! What an event about a proposal changes: what is known of it, and its runs.

use super::case::lane;
use super::report::Scene;
use super::texts::Voice;
use super::{RuleSet, text, trust};
use crate::action::{Action, Inquiry, Lookup, Stage, Task};
use crate::command::{Command, Grammar};
use crate::decision::{Decision, Known, SubjectState};
use crate::event::EventKind;
use crate::event::proposal::{CommentEvent, PullRequestEvent};
use crate::run::{Role, Run, RunState};
use crate::subject::{CommitSha, Verdict};

/// Takes note of an event about a proposal: `Err` says why it is no news.
///
/// What fires rules is the change from what was known, not the message: the same head told by
/// two messages is one event, a late message about an older head is none.
pub(super) fn take_note(
    (rules, voice): (&RuleSet, &Voice<'_>),
    proposal: &PullRequestEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    if proposal.asked.is_some() {
        return is_answer_in_time(proposal, known);
    }
    if let Some(state) = &known.subject
        && let Err(reason) = is_change(proposal, state)
    {
        // Late news are told from new ones by the newest time that was heard of.
        let at = proposal.at.map(jiff::Timestamp::as_millisecond);
        if at > state.at {
            decision.subject = Some(SubjectState { at, ..state.clone() });
        }
        return Err(reason);
    }
    decision.subject = Some(next_state(proposal, known));
    cancel_outdated((rules, voice), proposal, known, decision);
    Ok(())
}

/// Whether a forge's answer about an author is still about how the proposal stands.
fn is_answer_in_time(proposal: &PullRequestEvent, known: &Known) -> Result<(), String> {
    match &known.subject {
        Some(state)
            if state.is_open == (proposal.event != EventKind::PullRequestClosed)
                && state.head == proposal.head.sha =>
        {
            Ok(())
        }
        Some(_) | None => Err("it has moved on since its forge was asked".to_owned()),
    }
}

/// Takes note of a comment: `Err` says why no rule need be asked.
///
/// Commands in it are for us: their forge is asked who gives them, and the answer is an event.
pub(super) fn take_note_of_comment(
    rules: &RuleSet,
    said: &CommentEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    let comment = &said.comment;
    if text::is_ours(&comment.text) {
        return Err("this is our own comment".to_owned());
    }
    let grammar = &rules.directory.commands;
    let commands = grammar.every(&comment.text);
    let is_edit = said.on.event == EventKind::CommentEdited;
    let before = known.commands.clone().or_else(|| Some(grammar.every(comment.before.as_deref()?)));
    decision.commands = Some(commands.clone());
    let mut new = match (is_edit, before) {
        (false, _) => commands,
        (true, Some(before)) => Grammar::new_in(&before, &commands),
        (true, None) if commands.is_empty() => commands,
        (true, None) => {
            let remark = "what the comment said before is not known: its commands are not heeded";
            decision.remarks.push(remark.to_owned());
            return Ok(());
        }
    };
    new.truncate(Command::PER_COMMENT_MAX);
    if !new.is_empty() && !rules.builds(&said.on) {
        decision.remarks.push("its commands are for others: no rule builds here".to_owned());
        return Ok(());
    }
    let forge = rules.directory.forge_at(&said.on.instance);
    let Some(forge) = forge.filter(|_| !new.is_empty() && !comment.notification) else {
        return Ok(());
    };
    if let Err(reason) = trust::is_heeded(rules, (&said.on.instance, comment), known.given) {
        decision.remarks.push(format!("its commands are not heeded: {reason}"));
        return Ok(());
    }
    let what = match new.as_slice() {
        [_] => "its command".to_owned(),
        several => format!("its {} commands", several.len()),
    };
    decision.remarks.push(format!("{forge} is asked who gives {what}"));
    decision.actions.push(Action {
        key: format!("inquire/{}", crate::event::Event::Comment(said.clone()).identity()),
        lane: lane(&said.on.subject(), "?", forge),
        slot: None,
        connection: forge.clone(),
        run: None,
        delay: None,
        task: Task::Inquire(Inquiry::Commands {
            said: Box::new(said.clone()),
            commands: new,
            is_known: known.subject.is_some(),
            pusher: known
                .subject
                .as_ref()
                .and_then(|state| Some((state.head.clone()?, state.pusher.clone()?))),
        }),
    });
    Ok(())
}

/// Whether the event tells of a change of what is known.
fn is_change(proposal: &PullRequestEvent, state: &SubjectState) -> Result<(), String> {
    let at = proposal.at.map(jiff::Timestamp::as_millisecond);
    let is_older = matches!((at, state.at), (Some(at), Some(known)) if at < known);
    let is_newer = matches!((at, state.at), (Some(at), Some(known)) if at > known);
    let head = &proposal.head.sha;
    if is_older {
        return Err("it is older than what is known already".to_owned());
    }
    let is_moved = |known: &String| !proposal.target.is_empty() && *known != proposal.target;
    let is_retargeted = state.target.as_ref().is_some_and(is_moved);
    let is_known = *head == state.head && !is_retargeted;
    let kind = proposal.event;
    let refused = if kind == EventKind::PullRequestClosed {
        (!state.is_open).then_some("it is known to be closed")
    } else if !state.is_open {
        let is_reopened = kind == EventKind::PullRequestReopened;
        // The comment that tells of a reopening comes before the message that does.
        let is_update = kind == EventKind::PullRequestUpdated && is_known;
        match (is_reopened, is_newer, is_update) {
            (true, _, _) | (false, true, false) => None,
            (false, false, _) => Some("it is known to be closed"),
            (false, true, true) => Some("it is known to be closed, and its head is known"),
        }
    } else if is_known {
        let turns = (kind == EventKind::PullRequestReady && state.is_draft)
            || (kind == EventKind::PullRequestDrafted && !state.is_draft);
        (!turns).then_some("its head is known already")
    } else {
        let is_past = head.as_ref().is_some_and(|head| state.past_heads.contains(head));
        (is_past && !is_newer).then_some("it is about an older head")
    };
    refused.map_or(Ok(()), |reason| Err(reason.to_owned()))
}

/// The proposal as it is known from now on; a new head takes back what was said of the old one.
pub(super) fn next_state(proposal: &PullRequestEvent, known: &Known) -> SubjectState {
    let state = known.subject.as_ref();
    let mut past_heads = state.map(|state| state.past_heads.clone()).unwrap_or_default();
    let old = state.and_then(|state| state.head.clone());
    let head = proposal.head.sha.clone().or_else(|| old.clone());
    if let Some(old) = old.filter(|old| Some(old) != head.as_ref()) {
        past_heads.retain(|past| *past != old);
        past_heads.push(old);
    }
    let surplus = past_heads.len().saturating_sub(SubjectState::PAST_HEADS_MAX);
    past_heads.drain(..surplus);
    let at = proposal.at.map(jiff::Timestamp::as_millisecond);
    let same = state.filter(|state| state.head == head);
    let target = (!proposal.target.is_empty()).then(|| proposal.target.clone());
    let target = target.or_else(|| state.and_then(|state| state.target.clone()));
    // What was approved was to go to another branch.
    let approved = same.filter(|same| same.target.is_none() || same.target == target);
    let mut next = SubjectState {
        is_open: proposal.event != EventKind::PullRequestClosed,
        past_heads,
        at: at.max(state.and_then(|state| state.at)),
        is_draft: proposal.pull_request.draft,
        head_since: match same {
            Some(same) => same.head_since,
            None => at.or(Some(known.now)),
        },
        approval: approved.and_then(|same| same.approval.clone()),
        pusher: match same {
            Some(same) => same.pusher.clone(),
            None => proposal.pusher(),
        },
        answers: state.map(|state| state.answers.clone()).unwrap_or_default(),
        series: None,
        builds: Vec::new(),
        target,
        head,
    };
    if same.is_none() {
        next.keep_answers(known.now);
    }
    next
}

/// Cancels the runs that the event makes pointless.
fn cancel_outdated(
    (rules, voice): (&RuleSet, &Voice<'_>),
    proposal: &PullRequestEvent,
    known: &Known,
    decision: &mut Decision,
) {
    let is_closed = proposal.event == EventKind::PullRequestClosed;
    let head = proposal.head.sha.as_ref().map(CommitSha::as_str);
    let target = known.subject.as_ref().and_then(|state| state.target.as_ref());
    let is_moved = |known: &String| !proposal.target.is_empty() && *known != proposal.target;
    for run in known.runs.iter().filter(|run| !run.state.is_done() && run.cancelling.is_none()) {
        let reason = if is_closed {
            "the pull request was closed".to_owned()
        } else if run.supersede && head.is_some_and(|head| head != run.revision) {
            format!("superseded by {}", proposal.head.sha.as_ref().map_or("", CommitSha::short))
        } else if run.supersede && target.is_some_and(is_moved) {
            "it is to go to another branch".to_owned()
        } else {
            continue;
        };
        cancel((rules, voice, known), run, reason, decision);
    }
}

/// Cancels a run that has not ended.
pub(super) fn cancel(
    (rules, voice, known): (&RuleSet, &Voice<'_>, &Known),
    run: &Run,
    reason: String,
    decision: &mut Decision,
) {
    decision.remarks.push(format!("run {} is cancelled: {reason}", run.id));
    let run = Run { cancelling: Some(reason), ..run.clone() };
    if run.state == RunState::Held || run.role() == Some(Role::Apply) {
        // No executor has heard of it; people have.
        let run = Run { state: RunState::Done(Verdict::Cancelled), ..run };
        let scene =
            Scene { rules, voice, known, is_outdated: false, is_of_old_head: true, changed: &[] };
        decision.actions.extend(scene.told(&run, Stage::Done(Verdict::Cancelled), None));
        decision.runs.push(run);
        return;
    }
    decision.actions.push(cancellation(&run));
    decision.runs.push(run);
}

fn cancellation(run: &Run) -> Action {
    Action {
        key: format!("cancel/{}", run.id),
        lane: lane(&run.subject, &run.rule, &run.connection),
        slot: None,
        connection: run.connection.clone(),
        run: Some(run.id.clone()),
        delay: None,
        task: Task::Cancel(Lookup { run: Some(run.id.clone()), ticket: run.ticket.clone() }),
    }
}
