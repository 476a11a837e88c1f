//! Performing one action, and what its end means.

use std::time::Duration;

use super::apply::Workshop;
use super::inquire::{inquire, unanswered};
use super::{Site, Worker};
use crate::action::{Lookup, Order, Task};
use crate::event::build::BuildEvent;
use crate::event::thread::Thread;
use crate::event::{Event, EventKind};
use crate::executors::{BuildState, Sighting, Try};
use crate::ledger::queue::{Claimed, Settlement};
use crate::remote::{Failure, chain};
use crate::run::{Run, RunState};
use crate::subject::{ConnectionName, RunId, Verdict};

/// After this many questions in a row, a build that nobody knows is taken for gone.
const GONE_AFTER_TRIES: u32 = 4;
/// How often a build that is not ours, and was said to have ended, is asked after.
const FOREIGN_ROUNDS_MAX: u32 = 8;
/// How long a run may take from its start to its verdict.
const RUN_AGE_MAX: Duration = Duration::from_hours(24 * 7);

/// How a try ended: with a settlement, or with a failure and the events of giving up.
pub(super) type Ending = Result<Settlement, (Failure, Vec<Event>)>;

impl Worker {
    /// Performs `claimed` at `site`, and says what is to be written down about it.
    pub(super) async fn perform(
        &self,
        connection: &ConnectionName,
        site: &Site,
        claimed: &Claimed,
    ) -> Settlement {
        // One that was put off may have been tried before that.
        let is_first = claimed.attempts <= 1 && claimed.rounds == 0;
        let attempt = if is_first { Try::First } else { Try::Again };
        let here = Here { connection, site, now: self.ledger.clock().now().as_millisecond() };
        let ending = match &claimed.task {
            Task::Start(order) => here.start(claimed, order, attempt).await,
            Task::Inspect(lookup) => here.inspect(claimed, lookup).await,
            Task::Cancel(lookup) => here.cancel(claimed, lookup).await,
            Task::Report(report) => match &site.reporter {
                Some(reporter) => told(reporter.tell(report, attempt).await),
                None => told(Err(no_such_role(connection, "tell people anything"))),
            },
            Task::Inquire(inquiry) => {
                if let Some(forge) = &site.forge {
                    inquire(forge.as_ref(), inquiry, self.ledger.clock().now()).await
                } else {
                    let failure = no_such_role(connection, "be asked about people");
                    Err((failure, unanswered(inquiry)))
                }
            }
            Task::Survey(survey) => self.survey(claimed, survey, site).await,
            Task::Apply(order) => {
                Workshop { worker: self, connection, site }.apply(claimed, order).await
            }
            Task::Push(order) => {
                Workshop { worker: self, connection, site }.push(claimed, order).await
            }
            Task::Notify(notice) => match &site.reporter {
                Some(reporter) => told(reporter.notify(notice, attempt).await),
                None => told(Err(no_such_role(connection, "tell people anything"))),
            },
        };
        match ending {
            Ok(settlement) => settlement,
            Err((failure, events)) => self.failed(claimed, &failure, events),
        }
    }

    /// What a failure means: another try, later and later, or the end.
    pub(super) fn failed(
        &self,
        claimed: &Claimed,
        failure: &Failure,
        events: Vec<Event>,
    ) -> Settlement {
        let error = chain(failure);
        match failure {
            Failure::Retry { after, .. } if claimed.attempts < self.attempts_max => {
                let pause = self.backoff.pause(claimed.attempts, fastrand::f64(), *after);
                Settlement::Retry(pause, error)
            }
            Failure::Retry { .. } => {
                Settlement::Buried(format!("after {} tries: {error}", claimed.attempts), events)
            }
            Failure::GiveUp(_) => Settlement::Buried(error, events),
        }
    }
}

fn told(answer: Result<(), Failure>) -> Ending {
    match answer {
        Ok(()) => Ok(Settlement::Done(Vec::new())),
        Err(failure) => Err((failure, Vec::new())),
    }
}

fn no_such_role(connection: &ConnectionName, what: &str) -> Failure {
    Failure::give_up(anyhow::anyhow!("`{connection}` is not configured, or cannot {what}"))
}

/// Where an action is performed.
struct Here<'a> {
    connection: &'a ConnectionName,
    site: &'a Site,
    now: i64,
}

impl Here<'_> {
    async fn start(&self, claimed: &Claimed, order: &Order, attempt: Try) -> Ending {
        let run = claimed.run.as_ref();
        if run.is_some_and(|run| run.state.is_done()) {
            return Ok(Settlement::Superseded("it has ended".to_owned(), Vec::new()));
        }
        if let Some(reason) = run.and_then(|run| run.cancelling.clone()) {
            let events = match attempt {
                Try::First => vec![self.ended(claimed, Verdict::Cancelled, &reason)],
                // It may have been started after all: the cancellation behind this one looks.
                Try::Again => Vec::new(),
            };
            return Ok(Settlement::Superseded(reason, events));
        }
        let started = match &self.site.executor {
            Some(executor) => executor.start(order, attempt).await,
            None => Err(no_such_role(self.connection, "run builds")),
        };
        match started {
            Ok(Sighting { state: BuildState::Busy(why), .. }) => Ok(self.put_off(claimed, &why)),
            Ok(sighting) => Ok(Settlement::Done(vec![self.seen(claimed, &sighting)])),
            Err(failure) => {
                let reason = format!("it could not be started: {}", chain(&failure));
                let end = self.ended(claimed, Verdict::Error, &reason);
                Err((failure, vec![end]))
            }
        }
    }

    /// There is no room for it now: nothing was handed over, and it is tried again as long as it
    /// may still end in time.
    fn put_off(&self, claimed: &Claimed, why: &str) -> Settlement {
        if self.is_too_old(claimed) {
            let reason = format!("there was no room for it within seven days: {why}");
            let end = self.ended(claimed, Verdict::Error, &reason);
            return Settlement::Buried(reason, vec![end]);
        }
        tracing::debug!(why, "There is no room for a build now");
        let pause = self.site.poll.interval(claimed.rounds.saturating_add(1));
        Settlement::Later(pause, Vec::new())
    }

    async fn inspect(&self, claimed: &Claimed, lookup: &Lookup) -> Ending {
        if claimed.run.as_ref().is_some_and(|run| run.state.is_done()) {
            return Ok(Settlement::Superseded("it has ended".to_owned(), Vec::new()));
        }
        let lookup = freshest(lookup, claimed.run.as_ref());
        let answer = match &self.site.executor {
            Some(executor) => executor.inspect(&lookup).await,
            None => Err(no_such_role(self.connection, "run builds")),
        };
        let sighting = match answer {
            Ok(sighting) => sighting,
            Err(failure) if claimed.run.is_none() => return Err((failure, Vec::new())),
            Err(failure) => return Ok(self.after_failed_inspection(claimed, &failure)),
        };
        Ok(self.after_inspection(claimed, &sighting))
    }

    /// A run is looked after as long as it may still end, however long its executor is away or
    /// our login refused: an outage is no verdict.
    fn after_failed_inspection(&self, claimed: &Claimed, failure: &Failure) -> Settlement {
        let error = chain(failure);
        if self.is_too_old(claimed) {
            let reason = format!("what became of it cannot be told: {error}");
            let end = self.given_up(claimed, &reason);
            return Settlement::Buried(error, vec![end]);
        }
        tracing::warn!(error, "Cannot ask what became of a build now, and will ask again");
        let asked = match failure {
            Failure::Retry { after, .. } => *after,
            Failure::GiveUp(_) => None,
        };
        let pause = self.site.poll.interval(claimed.rounds.saturating_add(1));
        Settlement::Later(asked.map_or(pause, |asked| pause.max(asked)), Vec::new())
    }

    fn is_too_old(&self, claimed: &Claimed) -> bool {
        let age = self.now.saturating_sub(claimed.made_at).max(0).cast_unsigned();
        u128::from(age) > RUN_AGE_MAX.as_millis()
    }

    fn after_inspection(&self, claimed: &Claimed, sighting: &Sighting) -> Settlement {
        let pause = self.site.poll.interval(claimed.rounds.saturating_add(1));
        let is_ours = claimed.run.is_some();
        match sighting.state {
            BuildState::Finished(_) => Settlement::Done(vec![self.seen(claimed, sighting)]),
            BuildState::Gone if is_ours && claimed.attempts >= GONE_AFTER_TRIES => {
                let reason = "the executor knows nothing of it any more";
                Settlement::Done(vec![self.ended(claimed, Verdict::Error, reason)])
            }
            BuildState::Gone if is_ours => {
                Settlement::Retry(pause, "the executor knows nothing of it".to_owned())
            }
            BuildState::Queued(_) | BuildState::Running if is_ours && self.is_too_old(claimed) => {
                let reason = "it has no verdict after seven days";
                Settlement::Done(vec![self.given_up(claimed, reason)])
            }
            BuildState::Queued(_) | BuildState::Running
                if is_ours || claimed.rounds < FOREIGN_ROUNDS_MAX =>
            {
                let events = if is_ours { vec![self.seen(claimed, sighting)] } else { Vec::new() };
                Settlement::Later(pause, events)
            }
            BuildState::Gone
            | BuildState::Busy(_)
            | BuildState::Queued(_)
            | BuildState::Running => Settlement::Done(Vec::new()),
        }
    }

    async fn cancel(&self, claimed: &Claimed, lookup: &Lookup) -> Ending {
        let run = claimed.run.as_ref();
        if run.is_some_and(|run| run.state.is_done()) {
            return Ok(Settlement::Superseded("it has ended".to_owned(), Vec::new()));
        }
        let lookup = freshest(lookup, run);
        let answer = match &self.site.executor {
            Some(executor) => executor.cancel(&lookup).await,
            None => Err(no_such_role(self.connection, "run builds")),
        };
        let reason = run.and_then(|run| run.cancelling.clone()).unwrap_or_default();
        let sighting = answer.map_err(|failure| {
            // Nobody watches a run that was never seen to be started.
            let unseen = run.filter(|run| run.state == RunState::Ordered);
            let end = unseen.map(|_| self.ended(claimed, Verdict::Cancelled, &reason));
            (failure, end.into_iter().collect())
        })?;
        Ok(Settlement::Done(match sighting.state {
            BuildState::Gone => vec![self.ended(claimed, Verdict::Cancelled, &reason)],
            BuildState::Finished(_) => vec![self.seen(claimed, &sighting)],
            // Nobody has seen it before, so nobody watches it.
            BuildState::Busy(_) | BuildState::Queued(_) | BuildState::Running
                if run.is_some_and(|run| run.state == RunState::Ordered) =>
            {
                vec![self.seen(claimed, &sighting)]
            }
            // It takes a moment to stop; whoever watches the run will see it.
            BuildState::Busy(_) | BuildState::Queued(_) | BuildState::Running => Vec::new(),
        }))
    }

    /// The event that tells what was seen.
    fn seen(&self, claimed: &Claimed, sighting: &Sighting) -> Event {
        let (event, verdict, reason) = match &sighting.state {
            BuildState::Busy(why) | BuildState::Queued(Some(why)) => {
                (EventKind::BuildQueued, None, Some(why.clone()))
            }
            BuildState::Queued(None) => (EventKind::BuildQueued, None, None),
            BuildState::Running => (EventKind::BuildStarted, None, None),
            BuildState::Finished(verdict) => {
                (EventKind::BuildFinished, Some(*verdict), sighting.reason.clone())
            }
            BuildState::Gone => (EventKind::BuildFinished, Some(Verdict::Error), None),
        };
        let run = claimed.run.as_ref().map(|run| run.id.clone()).or_else(|| sighting.run.clone());
        self.build(event, (run, verdict, reason), sighting.ticket.clone())
    }

    /// The event that a run has ended without its executor's saying so.
    fn ended(&self, claimed: &Claimed, verdict: Verdict, reason: &str) -> Event {
        let (id, ticket) = match &claimed.run {
            Some(run) => (Some(run.id.clone()), run.ticket.clone()),
            None => (None, crate::action::Ticket::default()),
        };
        let about = (id, Some(verdict), Some(reason.to_owned()));
        self.build(EventKind::BuildFinished, about, ticket)
    }

    /// The event that nobody looks after a run any more.  Its build may go on, and is not to be
    /// repeated beside itself: no number says that it broke.
    fn given_up(&self, claimed: &Claimed, reason: &str) -> Event {
        let mut event = self.ended(claimed, Verdict::Error, reason);
        if let Event::Build(build) = &mut event {
            build.number = None;
        }
        event
    }

    fn build(
        &self,
        event: EventKind,
        (run, verdict, reason): (Option<RunId>, Option<Verdict>, Option<String>),
        ticket: crate::action::Ticket,
    ) -> Event {
        Event::Build(BuildEvent {
            event,
            instance: Some(self.site.host.clone()),
            connection: Some(self.connection.clone()),
            job: ticket.job,
            number: ticket.number,
            url: ticket.url,
            verdict,
            run,
            queued: ticket.queued,
            reason,
            id: None,
            of: None,
            thread: Thread::default(),
        })
    }
}

/// Where to look: the run knows better than the action, which is older.
fn freshest(lookup: &Lookup, run: Option<&Run>) -> Lookup {
    match run {
        Some(run) => Lookup {
            run: Some(run.id.clone()),
            ticket: crate::action::Ticket {
                queued: run.ticket.queued.clone().or_else(|| lookup.ticket.queued.clone()),
                number: run.ticket.number.or(lookup.ticket.number),
                ..run.ticket.clone()
            },
        },
        None => lookup.clone(),
    }
}
