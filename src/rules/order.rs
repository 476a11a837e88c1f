//! Ordering a build: whether there is to be one, which attempt it is, and what is told at once.

use serde_json::json;

use super::again;
use super::case::{Case, Wanted, lane};
use super::report::Scene;
use super::trust::Trusted;
use super::{Build, Rule};
use crate::action::{Action, Form, Inquiry, Order, Stage, Task, Ticket};
use crate::command::Verb;
use crate::decision::Outcome;
use crate::event::proposal::PullRequestEvent;
use crate::event::{Event, EventKind};
use crate::expression;
use crate::run::{Run, RunState};
use crate::subject::{CommitSha, RunId, Subject, Verdict};

impl Case<'_> {
    /// Orders the build of `rule`, if it has one.
    pub(super) fn order(&self, rule: &Rule, wanted: &mut Wanted) -> Result<(), Outcome> {
        let Some(build) = &rule.build else { return Ok(()) };
        if let Some(on) = self.event.series() {
            return self.order_series((rule, build), on, wanted);
        }
        let (subject, head) = match self.event {
            Event::Push(push) => (push.subject(), push.head.sha.as_ref()),
            Event::Artifact(_) | Event::Boards(_) => {
                return self.order_artifact((rule, build), wanted);
            }
            Event::Series(_) | Event::Applied(_) | Event::Build(_) => return Ok(()),
            Event::PullRequest(_) | Event::Comment(_) | Event::Command(_) => {
                let Some(proposal) = self.event.pull_request() else { return Ok(()) };
                (proposal.subject(), proposal.head.sha.as_ref())
            }
        };
        // What a message says of its author's standing counts only where the forge is one of ours:
        // anybody can have a project of any name on another.
        let instance = &subject.instance;
        if self.rules.directory.forge_at(instance).is_none() {
            return Err(Outcome::Lacks { what: format!("a connection for `{instance}`") });
        }
        let trusted = match self.event.pull_request() {
            Some(proposal) => self.may_build(rule, proposal)?,
            // Whoever pushes to a branch of the project may.
            None => Trusted::Yes,
        };
        let lacks = |what: &str| Outcome::Lacks { what: what.to_owned() };
        let revision = head.ok_or_else(|| lacks("a head commit"))?.to_string();
        let attempt = self.attempt(rule, &revision)?;
        let run = self.run(rule, build, (&subject, revision, attempt))?;
        if let Trusted::No(found) = trusted {
            let run = Run { state: RunState::Held, ..run };
            wanted.holds = Some(Outcome::Held {
                wanted: rule.trust.as_str().to_owned(),
                found: found.as_str().to_owned(),
                run: run.id.to_string(),
            });
            let scene = Scene { changed: &wanted.others, ..self.scene() };
            wanted.actions.extend(scene.told(&run, Stage::Held, None));
            wanted.runs.push(run);
            return Ok(());
        }
        let order = self.order_for((rule, build), &run, None)?;
        let (run, start) = again::ordered(run, order, build.retries);
        wanted.actions.push(start);
        if let Event::Command(_) = self.event {
            // Whoever gave it sees at once that it was heard, also while the executor is away.
            let flags = self.scene().told(&run, Stage::Queued, None);
            let is_flag = |action: &Action| matches!(&action.task, Task::Report(report) if report.form == Form::Flag);
            wanted.actions.extend(flags.into_iter().filter(is_flag));
        }
        wanted.runs.push(run);
        Ok(())
    }

    fn may_build(&self, rule: &Rule, proposal: &PullRequestEvent) -> Result<Trusted, Outcome> {
        if self.is_comment_out_of_date(proposal) {
            let what = "an open pull request that still has the head of the comment".to_owned();
            return Err(Outcome::Lacks { what });
        }
        match self.trusts(rule, proposal) {
            Trusted::Yes => Ok(Trusted::Yes),
            Trusted::Ask => Err(Outcome::Asks),
            // A comment is no change, and nobody approves what is closed: there is nothing to hold.
            Trusted::No(found)
                if matches!(self.event, Event::Comment(_))
                    || proposal.event == EventKind::PullRequestClosed =>
            {
                Err(Outcome::Untrusted {
                    wanted: rule.trust.as_str().to_owned(),
                    found: found.as_str().to_owned(),
                })
            }
            no @ Trusted::No(_) => Ok(no),
        }
    }

    /// Asks the forge what the author of the proposal is to its project.
    pub(super) fn inquiry(&self) -> Option<Action> {
        let Event::PullRequest(proposal) = self.event else { return None };
        let connection = self.rules.directory.forge_at(&proposal.instance)?;
        let subject = proposal.subject();
        Some(Action {
            key: format!("inquire/{}", self.event.identity()),
            lane: lane(&subject, "?", connection),
            slot: None,
            connection: connection.clone(),
            run: None,
            delay: None,
            task: Task::Inquire(Inquiry::Author {
                proposal: Box::new(proposal.clone()),
                pusher: self.pusher(proposal),
            }),
        })
    }

    /// Whether the event is a comment on a proposal that is closed or has moved on since.
    fn is_comment_out_of_date(&self, proposal: &PullRequestEvent) -> bool {
        let Some(state) = &self.known.subject else { return false };
        let is_comment = matches!(self.event, Event::Comment(_));
        is_comment && (!state.is_open || state.head != proposal.head.sha)
    }

    /// Whether the event says that the proposal wants to change another branch by now.
    fn is_retargeted(&self, proposal: &PullRequestEvent) -> bool {
        let known = self.known.subject.as_ref().and_then(|state| state.target.as_ref());
        known.is_some_and(|known| *known != proposal.target && !proposal.target.is_empty())
    }

    /// Which attempt at `revision` this would be, if there is to be one.
    fn attempt(&self, rule: &Rule, revision: &str) -> Result<u32, Outcome> {
        let same = |run: &&Run| run.rule == rule.name && run.revision == revision;
        let Some(last) = self.known.runs.iter().filter(same).max_by_key(|run| run.attempt) else {
            return Ok(1);
        };
        let is_void = last.cancelling.is_some()
            || matches!(last.state, RunState::Done(Verdict::Cancelled | Verdict::Error));
        let was_cancelled =
            matches!(last.state, RunState::Done(Verdict::Cancelled)) || last.cancelling.is_some();
        let is_again = match self.event {
            Event::Command(said) => match said.command.verb {
                Verb::Test => last.state.is_done(),
                // What has failed, or what is named.
                Verb::Retest => {
                    let is_good =
                        matches!(last.state, RunState::Done(Verdict::Success | Verdict::Skipped));
                    last.state.is_done() && (!is_good || !said.command.names.is_empty())
                }
                Verb::Ok | Verb::Cancel | Verb::Why | Verb::Help | Verb::Unknown => false,
            },
            Event::PullRequest(proposal) if self.is_retargeted(proposal) => last.state.is_done(),
            Event::PullRequest(_)
            | Event::Comment(_)
            | Event::Push(_)
            | Event::Series(_)
            | Event::Applied(_)
            | Event::Artifact(_)
            | Event::Boards(_)
            | Event::Build(_) => self.event.kind() == EventKind::PullRequestReopened && is_void,
        };
        if last.state == RunState::Held {
            // It has not been ordered yet.
            Ok(last.attempt)
        } else if is_again || was_cancelled {
            Ok(last.attempt.saturating_add(1))
        } else {
            Err(Outcome::Already { run: last.id.to_string() })
        }
    }

    fn run(
        &self,
        rule: &Rule,
        build: &Build,
        (subject, revision, attempt): (&Subject, String, u32),
    ) -> Result<Run, Outcome> {
        let reports = rule
            .reports
            .iter()
            .map(|report| report.resolve(&self.rules.directory, &subject.instance))
            .collect::<Result<_, String>>()
            .map_err(|what| Outcome::Lacks { what })?;
        Ok(Run {
            id: RunId::of(subject, &revision, &rule.name, attempt),
            subject: subject.clone(),
            revision,
            rule: rule.name.clone(),
            attempt,
            connection: build.on.clone(),
            state: RunState::Ordered,
            ticket: Ticket { job: build.job.clone(), ..Ticket::default() },
            reports,
            supersede: rule.supersede,
            cancelling: None,
            reason: None,
            series: None,
            artifact: None,
            retry: None,
        })
    }

    /// What is ordered of the executor for `run`, on `board` where it runs on one.
    pub(super) fn order_for(
        &self,
        (rule, build): (&Rule, &Build),
        run: &Run,
        board: Option<&String>,
    ) -> Result<Order, Outcome> {
        let mut names = self.names.clone();
        let each = build.each.as_ref().zip(board);
        if let (Some((each, board)), Some(names)) = (each, names.as_object_mut()) {
            names.insert(each.name.clone(), json!(board));
        }
        let context = expression::context(&names);
        let (reference, sha) = self.reference(build, &run.subject, &context)?;
        let (parameters, definition) = build.render(&names)?;
        let connection = self.rules.directory.find(&build.on);
        let has_boards = connection.is_some_and(|connection| connection.has_boards);
        Ok(Order {
            run: run.id.clone(),
            job: build.job.clone(),
            parameters,
            reference,
            sha,
            definition,
            board: board.filter(|_| has_boards).cloned(),
            cause: format!("{} for {} at {}", rule.name, run.subject, run.revision),
        })
    }

    /// The branch or tag to be built, where its executor builds those, and the commit it has to be
    /// at: that of the change, if it is the branch of the change, in its own project.
    fn reference(
        &self,
        build: &Build,
        subject: &Subject,
        context: &minijinja::Value,
    ) -> Result<(Option<String>, Option<CommitSha>), Outcome> {
        let connection = self.rules.directory.find(&build.on);
        let Some(connection) = connection.filter(|connection| connection.builds_references) else {
            return Ok((None, None));
        };
        let (head, branch) = match self.event {
            Event::Push(push) => (Some(&push.head), Some(&push.target)),
            Event::PullRequest(_)
            | Event::Comment(_)
            | Event::Command(_)
            | Event::Series(_)
            | Event::Applied(_)
            | Event::Artifact(_)
            | Event::Boards(_)
            | Event::Build(_) => {
                let head = self.event.pull_request().map(|proposal| &proposal.head);
                (head, head.and_then(|head| head.branch.as_ref()))
            }
        };
        let reference = match &build.reference {
            Some(text) => {
                let rendered = text.render(context);
                Some(rendered.map_err(|error| Outcome::Failed {
                    expression: text.source().to_owned(),
                    error: error.message,
                })?)
            }
            // Of a push it is clear.
            None => branch.filter(|_| matches!(self.event, Event::Push(_))).cloned(),
        };
        let is_own = reference.as_ref() == branch
            && build.job == subject.project
            && connection.hosts.contains(&subject.instance);
        let sha = head.and_then(|head| head.sha.clone()).filter(|_| is_own);
        Ok((reference, sha))
    }
}

#[cfg(test)]
mod tests;
