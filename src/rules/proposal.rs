//! What an event about a proposal changes: what is known of it, its runs, and the builds ordered.

use super::case::{Case, Wanted, lane};
use super::{Build, Rule, text};
use crate::action::{Action, Lookup, Order, Task, Ticket};
use crate::decision::{Decision, Known, Outcome, SubjectState};
use crate::event::EventKind;
use crate::event::proposal::{CommentEvent, PullRequestEvent};
use crate::run::{Run, RunState};
use crate::subject::{CommitSha, RunId, Verdict};

/// Takes note of an event about a proposal: `Err` says why it is no news.
///
/// What fires rules is the change from what was known, not the message: the same head told by
/// two messages is one event, a late message about an older head is none.
pub(super) fn take_note(
    proposal: &PullRequestEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
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
    decision.subject = Some(next_state(proposal, known.subject.as_ref()));
    cancel_outdated(proposal, known, decision);
    Ok(())
}

/// Whether a comment is news: not told before, and not our own.
pub(super) fn is_comment_news(comment: &CommentEvent, known: &Known) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    if text::is_ours(&comment.comment.text) {
        return Err("this is our own comment".to_owned());
    }
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
    match proposal.event {
        EventKind::PullRequestClosed => {
            if state.is_open {
                Ok(())
            } else {
                Err("it is known to be closed".to_owned())
            }
        }
        EventKind::PullRequestReopened if !state.is_open => Ok(()),
        _ if !state.is_open && !is_newer => Err("it is known to be closed".to_owned()),
        // The comment that tells of a reopening comes before the message that does.
        EventKind::PullRequestUpdated if !state.is_open && *head == state.head => {
            Err("it is known to be closed, and its head is known".to_owned())
        }
        _ if !state.is_open => Ok(()),
        _ if *head == state.head => Err("its head is known already".to_owned()),
        _ if head.as_ref().is_some_and(|head| state.past_heads.contains(head)) && !is_newer => {
            Err("it is about an older head".to_owned())
        }
        _ => Ok(()),
    }
}

fn next_state(proposal: &PullRequestEvent, state: Option<&SubjectState>) -> SubjectState {
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
    SubjectState {
        is_open: proposal.event != EventKind::PullRequestClosed,
        head,
        past_heads,
        at: at.max(state.and_then(|state| state.at)),
    }
}

/// Cancels the runs that the event makes pointless.
fn cancel_outdated(proposal: &PullRequestEvent, known: &Known, decision: &mut Decision) {
    let is_closed = proposal.event == EventKind::PullRequestClosed;
    let head = proposal.head.sha.as_ref().map(CommitSha::as_str);
    for run in known.runs.iter().filter(|run| !run.state.is_done() && run.cancelling.is_none()) {
        let reason = if is_closed {
            "the pull request was closed".to_owned()
        } else if run.supersede && head.is_some_and(|head| head != run.revision) {
            format!("superseded by {}", proposal.head.sha.as_ref().map_or("", CommitSha::short))
        } else {
            continue;
        };
        decision.remarks.push(format!("run {} is cancelled: {reason}", run.id));
        decision.actions.push(cancellation(run));
        decision.runs.push(Run { cancelling: Some(reason), ..run.clone() });
    }
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

impl Case<'_> {
    /// Orders the build of `rule`, if it has one.
    pub(super) fn order(&self, rule: &Rule, wanted: &mut Wanted) -> Result<(), Outcome> {
        let (Some(build), Some(proposal)) = (&rule.build, self.event.pull_request()) else {
            return Ok(());
        };
        // What a message says of its author's standing counts only where the forge is one of ours:
        // anybody can have a project of any name on another.
        let instance = &proposal.instance;
        if self.rules.directory.forge_at(instance).is_none() {
            return Err(Outcome::Lacks { what: format!("a connection for `{instance}`") });
        }
        if self.is_comment_out_of_date(proposal) {
            let what = "an open pull request that still has the head of the comment".to_owned();
            return Err(Outcome::Lacks { what });
        }
        if !rule.trust.covers(proposal.standing()) {
            return Err(Outcome::Untrusted {
                wanted: rule.trust.as_str().to_owned(),
                found: proposal.standing().as_str().to_owned(),
            });
        }
        let head = proposal.head.sha.as_ref();
        let lacks = |what: &str| Outcome::Lacks { what: what.to_owned() };
        let revision = head.ok_or_else(|| lacks("a head commit"))?.to_string();
        let attempt = self.attempt(rule, &revision)?;
        let run = self.run(rule, build, (proposal, revision, attempt))?;
        wanted.actions.push(self.start(rule, build, &run)?);
        wanted.runs.push(run);
        Ok(())
    }

    /// Whether the event is a comment on a proposal that is closed or has moved on since.
    fn is_comment_out_of_date(&self, proposal: &PullRequestEvent) -> bool {
        let Some(state) = &self.known.subject else { return false };
        let is_comment = self.event.kind() == EventKind::CommentAdded;
        is_comment && (!state.is_open || state.head != proposal.head.sha)
    }

    /// Which attempt at `revision` this would be, if there is to be one.
    fn attempt(&self, rule: &Rule, revision: &str) -> Result<u32, Outcome> {
        let same = |run: &&Run| run.rule == rule.name && run.revision == revision;
        let Some(last) = self.known.runs.iter().filter(same).max_by_key(|run| run.attempt) else {
            return Ok(1);
        };
        let is_void = last.cancelling.is_some()
            || matches!(last.state, RunState::Done(Verdict::Cancelled | Verdict::Error));
        let is_reopened = self.event.kind() == EventKind::PullRequestReopened;
        let was_cancelled = matches!(last.state, RunState::Done(Verdict::Cancelled));
        if (is_reopened && is_void) || was_cancelled || last.cancelling.is_some() {
            Ok(last.attempt.saturating_add(1))
        } else {
            Err(Outcome::Already { run: last.id.to_string() })
        }
    }

    fn run(
        &self,
        rule: &Rule,
        build: &Build,
        (proposal, revision, attempt): (&PullRequestEvent, String, u32),
    ) -> Result<Run, Outcome> {
        let subject = proposal.subject();
        let reports = rule
            .reports
            .iter()
            .map(|report| report.resolve(&self.rules.directory, &subject.instance))
            .collect::<Result<_, String>>()
            .map_err(|what| Outcome::Lacks { what })?;
        Ok(Run {
            id: RunId::of(&subject, &revision, &rule.name, attempt),
            subject,
            revision,
            rule: rule.name.clone(),
            attempt,
            connection: build.on.clone(),
            state: RunState::Ordered,
            ticket: Ticket { job: build.job.clone(), ..Ticket::default() },
            reports,
            supersede: rule.supersede,
            cancelling: None,
        })
    }

    fn start(&self, rule: &Rule, build: &Build, run: &Run) -> Result<Action, Outcome> {
        let context = crate::expression::context(&self.names);
        let mut parameters = std::collections::BTreeMap::new();
        for (name, text) in &build.parameters {
            let value = text.render(&context).map_err(|error| Outcome::Failed {
                expression: text.source().to_owned(),
                error: error.message,
            })?;
            parameters.insert(name.clone(), value);
        }
        Ok(Action {
            key: format!("start/{}", run.id),
            lane: lane(&run.subject, &run.rule, &run.connection),
            slot: None,
            connection: run.connection.clone(),
            run: Some(run.id.clone()),
            delay: None,
            task: Task::Start(Order {
                run: run.id.clone(),
                job: build.job.clone(),
                parameters,
                cause: format!("{} for {} at {}", rule.name, run.subject, run.revision),
            }),
        })
    }
}
