//! What an event about a build changes: the run it belongs to, and what is told about that.

use std::time::Duration;

use super::index::Place;
use super::report::Scene;
use super::texts::Voice;
use super::{RuleSet, again, artifact, series, text};
use crate::action::{Action, Lookup, Task, Ticket};
use crate::decision::{Decision, Known};
use crate::event::build::BuildEvent;
use crate::event::{Event, EventKind};
use crate::run::{Run, RunState};
use crate::subject::{ConnectionName, Verdict};

/// Takes note of an event about a build: `Err` says why rules need not be asked.
pub(super) fn take_note(
    (rules, voice): (&RuleSet, &Voice<'_>),
    build: &BuildEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    let Some(run) = &known.run else {
        return about_foreign_build(rules, build, known, decision);
    };
    let Some(state) = state_told(build, run) else {
        // The message says that it has ended and not how.
        let ticket = merged(run, build);
        let key = format!("inspect/{}/{}", run.id, Event::Build(build.clone()).identity());
        decision.actions.push(inspection(run, ticket, (key, None)));
        return Err("how it ended is asked of its executor".to_owned());
    };
    let ticket = merged(run, build);
    // What we could not find out may become known after all.
    let is_correction = matches!(run.state, RunState::Done(Verdict::Error))
        && matches!(state, RunState::Done(verdict) if verdict != Verdict::Error);
    if state.rank() <= run.state.rank() && !is_correction {
        if ticket != run.ticket && !run.state.is_done() {
            decision.runs.push(Run { ticket, ..run.clone() });
        }
        return Err(format!("run {} is known to be {}", run.id, run.state.as_str()));
    }
    // A start whose answer was lost, or that its own message overtook, is never seen to be queued.
    let is_found = run.state == RunState::Ordered && !state.is_done();
    let reason = build.reason.clone();
    let run = Run { state, ticket, reason, ..run.clone() };
    // Nobody looks after it any more, and its build may go on: it is not ordered again.
    let is_given_up = state == RunState::Done(Verdict::Error) && build.number.is_none();
    let retry = run.retry.clone().filter(|_| !is_given_up || run.ticket.number.is_none());
    let run = Run { retry, ..run };
    decision.remarks.push(format!("run {} is {}", run.id, run.state.as_str()));
    if is_found {
        let after = rules.directory.find(&run.connection).and_then(|connection| connection.builds);
        let key = format!("inspect/{}", run.id);
        decision.actions.push(inspection(&run, run.ticket.clone(), (key, after)));
    }
    let head = known.subject.as_ref().and_then(|state| state.head.as_ref());
    let scene = Scene {
        rules,
        voice,
        known,
        is_outdated: known.is_outdated,
        is_of_old_head: head.is_some_and(|head| head.as_str() != run.revision),
        changed: &[],
    };
    if run.series.is_some() && run.state.is_done() {
        series::blame::ended(&scene, run, decision);
        return Ok(());
    }
    if let Some((next, action)) = again::again(&run) {
        decision.remarks.push(format!("it is ordered again as run {}", next.id));
        decision.actions.push(action);
        artifact::part::moved(&scene, std::slice::from_ref(&next), decision);
        decision.runs.extend([run, next]);
        return Ok(());
    }
    let is_on_board = run.artifact.as_ref().is_some_and(|of| of.board().is_some());
    if is_on_board {
        artifact::part::moved(&scene, std::slice::from_ref(&run), decision);
        decision.runs.push(run);
        return Ok(());
    }
    // What the run itself was said to be before counts as the last verdict.
    let previous = if is_correction { Some(Verdict::Error) } else { known.previous };
    if let Some(stage) = text::stage(state) {
        decision.actions.extend(scene.told(&run, stage, previous));
    }
    decision.runs.push(run);
    Ok(())
}

/// What the event says about the run; `None` where it says that it ended and not how.
fn state_told(build: &BuildEvent, run: &Run) -> Option<RunState> {
    match (build.event, build.verdict) {
        // Who says so is not known: the executor itself is asked.
        (EventKind::BuildFinished, _) if build.connection.is_none() => None,
        (EventKind::BuildFinished, verdict) => verdict.map(RunState::Done),
        (EventKind::BuildStarted, _) => Some(RunState::Running),
        (EventKind::BuildQueued, _) => Some(RunState::Queued),
        _ => Some(run.state),
    }
}

/// Where the build is, by all that is known now.  Only its executor tells: with a number, too,
/// anybody else could have another build's verdict asked for.
fn merged(run: &Run, build: &BuildEvent) -> Ticket {
    let is_own = build.connection.as_ref() == Some(&run.connection);
    Ticket {
        job: run.ticket.job.clone(),
        queued: build.queued.clone().filter(|_| is_own).or_else(|| run.ticket.queued.clone()),
        number: build.number.filter(|_| is_own).or(run.ticket.number),
        url: build.url.clone().filter(|_| is_own).or_else(|| run.ticket.url.clone()),
    }
}

fn inspection(run: &Run, ticket: Ticket, (key, delay): (String, Option<Duration>)) -> Action {
    Action {
        lane: key.clone(),
        key,
        slot: None,
        connection: run.connection.clone(),
        run: Some(run.id.clone()),
        delay,
        task: Task::Inspect(Lookup { run: Some(run.id.clone()), ticket }),
    }
}

/// A build that is not known to be ours: asked after if it may be, or if a rule wants to know.
fn about_foreign_build(
    rules: &RuleSet,
    build: &BuildEvent,
    known: &Known,
    decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    let is_asked_for = is_asked_for(rules, build);
    // Another system than ours has jobs of the same names, and nobody could be asked.
    let is_elsewhere = build.connection.is_none() && build.instance.is_some();
    // A verdict without a run id may be that of our own build, whose number is not known yet.
    let may_be_ours = known.runs.first().filter(|_| build.run.is_none() && !is_elsewhere);
    let tells_enough = is_elsewhere
        || build.verdict.is_some()
        || (build.event != EventKind::BuildFinished && is_asked_for);
    if build.run.is_some() || (tells_enough && may_be_ours.is_none()) {
        let is_known_to_be_foreign = "it is not ours, and no rule asks for it".to_owned();
        return if is_asked_for { Ok(()) } else { Err(is_known_to_be_foreign) };
    }
    if build.event != EventKind::BuildFinished || (!is_asked_for && may_be_ours.is_none()) {
        return Err("it is not known to be ours, and no rule asks for it".to_owned());
    }
    let executor = build.connection.clone().or_else(|| Some(may_be_ours?.connection.clone()));
    let (Some(executor), Some(number)) = (executor, build.number) else {
        return Err("it does not tell which executor built it".to_owned());
    };
    decision.actions.push(foreign_inspection(build, (executor, number), may_be_ours));
    Err("the message tells too little: its executor is asked".to_owned())
}

/// Whether some rule may want to know of the build.  What the message does not tell counts for
/// it: its executor may.
fn is_asked_for(rules: &RuleSet, build: &BuildEvent) -> bool {
    let event = Event::Build(build.clone());
    if !rules.index.candidates(&event).is_empty() {
        return true;
    }
    let tells_all = build.verdict.is_some() && build.instance.is_some();
    !tells_all
        && rules.rules().iter().any(|rule| {
            let may_cover =
                |place: &Place| event.indexed(place.name).is_none() || place.covers(&event);
            rule.on.contains(&build.event) && rule.places.iter().all(may_cover)
        })
}

fn foreign_inspection(
    build: &BuildEvent,
    (executor, number): (ConnectionName, u64),
    may_be_ours: Option<&Run>,
) -> Action {
    // fedmsg-emit tells the display name of a job; the full name is known from our own order.
    let job = may_be_ours.map_or_else(|| build.job.clone(), |run| run.ticket.job.clone());
    let key = format!("inspect/{executor}/{job}/{number}");
    Action {
        lane: key.clone(),
        key,
        slot: None,
        connection: executor,
        run: None,
        delay: None,
        task: Task::Inspect(Lookup {
            run: None,
            ticket: Ticket { job, number: Some(number), ..Ticket::default() },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::rules::fixture::{RULES, World, name, proposal};

    #[test]
    fn only_its_executor_tells_which_build_a_run_is() {
        let mut world = World::new(RULES);
        world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
        let run = world.run('a');
        let told = |connection: Option<ConnectionName>| {
            let build = BuildEvent {
                id: None,
                of: None,
                thread: crate::event::thread::Thread::default(),
                event: EventKind::BuildStarted,
                instance: None,
                connection,
                job: run.ticket.job.clone(),
                number: Some(12),
                url: None,
                verdict: None,
                run: Some(run.id.clone()),
                queued: Some("7".to_owned()),
                reason: None,
            };
            let Ticket { number, queued, .. } = merged(&run, &build);
            (number, queued)
        };
        assert_eq!(told(None), (None, None));
        assert_eq!(told(Some(name("jenkins.other"))), (None, None));
        let own = told(Some(run.connection.clone()));
        assert_eq!(own, (Some(12), Some("7".to_owned())));
    }

    #[test]
    fn what_another_system_builds_is_heard_at_every_stage_whatever_our_jobs_are_called() {
        let rules = format!(
            "{RULES}\n[[rule]]\nname = 'heard'\n\
             on = ['build.queued', 'build.started', 'build.finished']\n\
             notify = [{{ to = 'chat.ops', text = '{{{{ build.job }}}}' }}]\n"
        );
        let mut world = World::new(&rules);
        world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
        let ours = world.run('a');
        let kinds = [EventKind::BuildQueued, EventKind::BuildStarted, EventKind::BuildFinished];
        for event in kinds {
            let build = BuildEvent {
                event,
                instance: Some("elsewhere.example".to_owned()),
                connection: None,
                job: ours.ticket.job.clone(),
                number: None,
                url: None,
                verdict: None,
                run: None,
                queued: None,
                reason: None,
                id: Some("7".to_owned()),
                of: None,
                thread: crate::event::thread::Thread::default(),
            };
            // The ledger finds it by its name among those that may be ours.
            let known = Known { runs: vec![ours.clone()], ..Known::default() };
            let decision = crate::rules::decide(&world.rules, &Event::Build(build), &known);
            let fired = decision.considered.iter().filter(|one| one.outcome.as_str() == "fired");
            assert_eq!(fired.count(), 1, "{event}: {decision:?}");
        }
    }
}
