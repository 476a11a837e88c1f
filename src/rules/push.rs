//! What a push to a branch or tag changes: what is known of it, and its runs.

use super::decide::Breadth;
use super::texts::Voice;
use super::{RuleSet, proposal};
use crate::decision::{Decision, Known, SubjectState};
use crate::event::Event;
use crate::event::push::PushEvent;
use crate::subject::CommitSha;

/// Takes note of a push: `Err` says why it is no news.
///
/// Not every forge tells when a push was made; then it is known to be late by what it was made
/// upon: a push upon the known head is news, whatever was told before.
pub(super) fn take_note(
    (rules, voice): (&RuleSet, &Voice<'_>),
    (event, push): (&Event, &PushEvent),
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if rules.about(event, Breadth::Indexed).next().is_none() {
        return Err("no rule is about it".to_owned());
    }
    let state = known.subject.clone().unwrap_or_default();
    let head = push.head.sha.as_ref();
    let is_next = push.base.sha.is_some() && push.base.sha == state.head;
    if known.is_repeat && !(is_next && push.head.sha != state.head) {
        return Err("this was told before".to_owned());
    }
    let at = push.at.map(jiff::Timestamp::as_millisecond);
    if matches!((at, state.at), (Some(at), Some(known)) if at < known) {
        return Err("it is older than what is known already".to_owned());
    }
    if known.subject.is_some() && state.head == push.head.sha {
        return Err("its head is known already".to_owned());
    }
    let is_past = head.is_some_and(|head| state.past_heads.contains(head));
    if is_past && at.is_none() && !is_next {
        return Err("it is about an older head".to_owned());
    }
    decision.subject = Some(SubjectState {
        is_open: true,
        head: head.cloned(),
        past_heads: past_heads(&state, push),
        at: at.max(state.at),
        head_since: at.or(Some(known.now)),
        ..state
    });
    for run in known.runs.iter().filter(|run| !run.state.is_done() && run.cancelling.is_none()) {
        if run.supersede && head.is_some_and(|head| head.as_str() != run.revision) {
            let reason = format!("superseded by {}", head.map_or("", CommitSha::short));
            proposal::cancel((rules, voice, known), run, reason, decision);
        }
    }
    Ok(())
}

/// The heads it had before: the known one, and the one that it was pushed upon.
fn past_heads(state: &SubjectState, push: &PushEvent) -> Vec<CommitSha> {
    let mut past = state.past_heads.clone();
    for old in [&state.head, &push.base.sha].into_iter().flatten() {
        past.retain(|known| known != old);
        past.push(old.clone());
    }
    past.retain(|known| Some(known) != push.head.sha.as_ref());
    let surplus = past.len().saturating_sub(SubjectState::PAST_HEADS_MAX);
    past.drain(..surplus);
    past
}
