//! What a push to a branch or tag changes: what is known of it, and its runs.

use super::proposal;
use crate::decision::{Decision, Known, SubjectState};
use crate::event::push::PushEvent;
use crate::subject::CommitSha;

/// Takes note of a push: `Err` says why it is no news.
pub(super) fn take_note(
    push: &PushEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    let at = push.at.map(jiff::Timestamp::as_millisecond);
    let state = known.subject.clone().unwrap_or_default();
    if matches!((at, state.at), (Some(at), Some(known)) if at < known) {
        return Err("it is older than what is known already".to_owned());
    }
    if known.subject.is_some() && state.head == push.head.sha {
        return Err("its head is known already".to_owned());
    }
    decision.subject = Some(SubjectState {
        is_open: true,
        head: push.head.sha.clone(),
        at: at.max(state.at),
        head_since: at.or(Some(known.now)),
        ..state
    });
    let head = push.head.sha.as_ref();
    for run in known.runs.iter().filter(|run| !run.state.is_done() && run.cancelling.is_none()) {
        if run.supersede && head.is_some_and(|head| head.as_str() != run.revision) {
            let reason = format!("superseded by {}", head.map_or("", CommitSha::short));
            proposal::cancel(run, reason, decision);
        }
    }
    Ok(())
}
