//! Putting a series on a branch; what comes of it is an event.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use super::backoff::Backoff;
use super::perform::Ending;
use super::{Site, Worker};
use crate::action::{ApplyOrder, PushOrder};
use crate::event::build::BuildEvent;
use crate::event::series::{AppliedEvent, Branch, Refusal, SeriesEvent};
use crate::event::thread::Thread;
use crate::event::{Event, EventKind};
use crate::git::{Dependency, Letters, Outcome, Tree, Work};
use crate::ledger::LedgerError;
use crate::ledger::branches::PushedBranch;
use crate::ledger::queue::{Claimed, Settlement};
use crate::ledger::view::runs::{RunFilter, RunView};
use crate::remote::{Failure, chain};
use crate::run::{Role, Run, RunState};
use crate::subject::{CommitSha, ConnectionName, Subject, Verdict};

/// How often it is looked whether a series is there that another one depends on.
const LOOK_FOR_DEPENDENCIES: Backoff =
    Backoff { min: Duration::from_secs(30), max: Duration::from_mins(10) };
/// How many series one may name that it depends on.
const DEPENDENCIES_MAX: usize = 16;
/// How many runs of a series are looked at.
const RUNS_MAX: u32 = 2000;
/// How far it is followed whether series depend on each other.
const CHAIN_MAX: usize = 64;

/// What is known of the series that one depends on.
enum Depends {
    /// All of them are on branches.
    On(Vec<Dependency>),
    /// One is not there yet.
    Waits(String),
    /// One will never be there.
    Never(String),
}

/// Where a series is put on a branch.
pub(super) struct Workshop<'a> {
    pub(super) worker: &'a Worker,
    pub(super) connection: &'a ConnectionName,
    pub(super) site: &'a Site,
}

impl Workshop<'_> {
    pub(super) async fn apply(&self, claimed: &Claimed, order: &ApplyOrder) -> Ending {
        let run = claimed.run.as_ref();
        if let Some(run) = run.filter(|run| run.state.is_done()) {
            let reason = run.cancelling.clone().unwrap_or_else(|| "it has ended".to_owned());
            return Ok(Settlement::Superseded(reason, Vec::new()));
        }
        let ended = match self.try_to_apply(claimed, order).await {
            Ok(ended) => ended,
            Err(failure) => {
                let words = format!("it could not be put on a branch: {}", chain(&failure));
                let refusal = Refusal { reason: words, ..Refusal::default() };
                let event = self.refused((claimed, order), Verdict::Error, refusal);
                return Err((failure, vec![event]));
            }
        };
        Ok(match ended {
            Ended::With(event) => Settlement::Done(vec![*event]),
            Ended::Waiting(reason) => {
                let age = self.worker.ledger.clock().now().as_millisecond() - claimed.made_at;
                let patience = self.tree()?.patience().as_millis();
                if u128::from(age.max(0).cast_unsigned()) > patience {
                    let reason = format!("{reason}, and was waited for in vain");
                    let refusal = Refusal { reason, ..Refusal::default() };
                    let event = self.refused((claimed, order), Verdict::Conflict, refusal);
                    return Ok(Settlement::Done(vec![event]));
                }
                let is_told = run.is_some_and(|run| run.state == RunState::Queued);
                let event = (!is_told).then(|| self.waits((claimed, order), reason));
                let pause = LOOK_FOR_DEPENDENCIES.interval(claimed.rounds.saturating_add(1));
                Settlement::Later(pause, event.into_iter().collect())
            }
        })
    }

    async fn try_to_apply(&self, claimed: &Claimed, order: &ApplyOrder) -> Result<Ended, Failure> {
        let origin = self.worker.sites.get(&order.origin);
        let letters = origin.and_then(|origin| origin.letters.as_ref()).ok_or_else(|| {
            Failure::give_up(anyhow!("`{}` is not configured, or has no mails", order.origin))
        })?;
        let dependencies = match self.dependencies((claimed, order)).await? {
            Depends::On(dependencies) => dependencies,
            Depends::Waits(reason) => return Ok(Ended::Waiting(reason)),
            Depends::Never(reason) => {
                let refusal = Refusal { reason, ..Refusal::default() };
                let event = self.refused((claimed, order), Verdict::Conflict, refusal);
                return Ok(Ended::With(Box::new(event)));
            }
        };
        let work = Work { order, letters: letters.fetch(&order.series).await?, dependencies };
        let outcome = self.tree().map_err(|(failure, _)| failure)?.apply(&work).await?;
        if let Outcome::Applied(branch) = &outcome {
            self.note(&branch.name, &branch.sha, &order.series.subject()).await?;
        }
        Ok(Ended::With(Box::new(match outcome {
            Outcome::Applied(branch) => self.applied((claimed, order), branch),
            Outcome::Conflict(refusal) => {
                self.refused((claimed, order), Verdict::Conflict, refusal)
            }
            Outcome::Refused(refusal) => self.refused((claimed, order), Verdict::Failure, refusal),
            Outcome::Held(refusal) => {
                let event = self.event((claimed, order), EventKind::SeriesHeld);
                Event::Applied(Box::new(AppliedEvent { refusal: Some(refusal), ..event }))
            }
        })))
    }

    pub(super) async fn push(&self, claimed: &Claimed, order: &PushOrder) -> Ending {
        let run = claimed.run.as_ref();
        if run.is_some_and(|run| run.state.is_done()) {
            return Ok(Settlement::Superseded("it has ended".to_owned(), Vec::new()));
        }
        let pushed = match self.tree()?.push(order).await {
            Ok(()) => self.note(&order.name, &order.sha, &order.subject).await,
            Err(failure) => Err(failure),
        };
        match pushed {
            Ok(()) => Ok(Settlement::Done(Vec::new())),
            // What is not there is not built: that would say something of the patches.
            Err(failure) => {
                let end = run.map(|run| unbuilt(run, &failure));
                Err((failure, end.into_iter().collect()))
            }
        }
    }

    /// Notes that a branch is there, so that it is taken away again one day.
    async fn note(&self, name: &str, sha: &CommitSha, subject: &Subject) -> Result<(), Failure> {
        let branch = PushedBranch { name: name.to_owned(), sha: sha.clone() };
        let noted = self.worker.ledger.note_branch(self.connection, branch, subject).await;
        noted.map_err(Failure::retry)
    }

    fn tree(&self) -> Result<&dyn Tree, (Failure, Vec<Event>)> {
        self.site.tree.as_deref().ok_or_else(|| {
            let connection = self.connection;
            let error = anyhow!("`{connection}` is not configured, or is no repository");
            (Failure::give_up(error), Vec::new())
        })
    }

    /// Finds the series that this one depends on; only those count that we have put on a branch,
    /// for every rule that wants this one: each has said whose code it builds.
    async fn dependencies(
        &self,
        (claimed, order): (&Claimed, &ApplyOrder),
    ) -> Result<Depends, Failure> {
        let wanted = &order.series.series.hints.depends;
        if wanted.len() > DEPENDENCIES_MAX {
            let words = format!("it depends on {} series, which is too many", wanted.len());
            return Ok(Depends::Never(words));
        }
        let mut found: Vec<(&String, Branch, SeriesEvent)> = Vec::new();
        for msgid in wanted {
            let Some(run) = self.putting(msgid).await? else {
                return Ok(Depends::Waits(format!("it depends on <{msgid}>, which is not here")));
            };
            let of = run.series.as_ref();
            match (run.state, of.and_then(|of| Some((&of.of, of.branch.as_ref()?)))) {
                (RunState::Done(Verdict::Success), Some(_))
                    if !self.is_built_by_all(&run, claimed.run.as_ref()).await? =>
                {
                    let words = format!("it depends on <{msgid}>, which its rules do not build");
                    return Ok(Depends::Waits(words));
                }
                (RunState::Done(Verdict::Success), Some((series, branch))) => {
                    found.push((msgid, branch.clone(), series.clone()));
                }
                (RunState::Done(_), _) => {
                    let words = format!("it depends on <{msgid}>, which is on no branch");
                    return Ok(Depends::Waits(words));
                }
                (_, _) if self.leads_back(order, run.clone()).await? => {
                    let words = format!("it depends on <{msgid}>, which depends on it");
                    return Ok(Depends::Never(words));
                }
                (_, _) => {
                    let words = format!("it depends on <{msgid}>, which is on no branch yet");
                    return Ok(Depends::Waits(words));
                }
            }
        }
        // Once all of them are there, not in each round.
        let mut all = Vec::new();
        for (msgid, branch, series) in found {
            let Some(letters) = self.letters_at(&series.instance) else {
                let host = &series.instance;
                let words = format!("it depends on <{msgid}>, whose mails are at `{host}`");
                return Ok(Depends::Waits(words));
            };
            let letters = letters.fetch(&series).await?;
            all.push(Dependency { msgid: msgid.clone(), branch, letters });
        }
        Ok(Depends::On(all))
    }

    /// Who has the mails of a source: a series may depend on one of another.
    fn letters_at(&self, host: &str) -> Option<&Arc<dyn Letters>> {
        let mut sites = self.worker.sites.values().filter(|site| site.host == host);
        sites.find_map(|site| site.letters.as_ref())
    }

    /// Whether all rules that want `dependent` have wanted the series that `run` puts on a branch,
    /// too: this branch of it, or one before.
    async fn is_built_by_all(&self, run: &Run, dependent: Option<&Run>) -> Result<bool, Failure> {
        let wanted_by =
            |run: &Run| run.series.as_ref().map(|of| of.wanted_by.clone()).unwrap_or_default();
        let mut built = wanted_by(run);
        let wanted = dependent.map(wanted_by).unwrap_or_default();
        let is_built = |built: &[String]| wanted.iter().all(|rule| built.contains(rule));
        if is_built(&built) {
            return Ok(!wanted.is_empty());
        }
        let filter = RunFilter { open: false, subject: Some(run.subject.key()) };
        let found = self.worker.ledger.runs(filter, RUNS_MAX).await;
        for RunView { run: other, .. } in found.map_err(Failure::retry)? {
            let is_same = other.connection == run.connection && other.revision == run.revision;
            if is_same && other.role() == Some(Role::Apply) {
                built.extend(wanted_by(&other));
            }
        }
        Ok(is_built(&built))
    }

    /// Whether what `run` puts on a branch depends, in the end, on what is ordered here.
    async fn leads_back(&self, order: &ApplyOrder, run: Run) -> Result<bool, Failure> {
        let (mut open, mut seen) = (vec![run], BTreeSet::new());
        while let Some(run) = open.pop() {
            if run.id == order.run {
                return Ok(true);
            }
            if !seen.insert(run.id.clone()) || seen.len() > CHAIN_MAX {
                continue;
            }
            let depends = run.series.map(|of| of.of.series.hints.depends).unwrap_or_default();
            for msgid in depends.iter().take(DEPENDENCIES_MAX) {
                open.extend(self.putting(msgid).await?);
            }
        }
        Ok(false)
    }

    /// The run that puts the series of a mail on a branch here.
    async fn putting(&self, msgid: &str) -> Result<Option<Run>, Failure> {
        let msgid = msgid.trim_matches(['<', '>', ' ']).to_owned();
        let found = self.worker.ledger.run_of_letter(self.connection.clone(), msgid).await;
        found.map_err(|error: LedgerError| Failure::retry(error))
    }

    fn event(&self, (claimed, order): (&Claimed, &ApplyOrder), event: EventKind) -> AppliedEvent {
        AppliedEvent {
            event,
            on: order.series.clone(),
            tree: self.connection.clone(),
            run: order.run.clone(),
            verdict: None,
            branch: None,
            refusal: None,
            round: claimed.rounds,
        }
    }

    fn applied(&self, about: (&Claimed, &ApplyOrder), branch: Branch) -> Event {
        let event = self.event(about, EventKind::SeriesApplied);
        Event::Applied(Box::new(AppliedEvent { branch: Some(branch), ..event }))
    }

    fn refused(&self, about: (&Claimed, &ApplyOrder), verdict: Verdict, refusal: Refusal) -> Event {
        let event = self.event(about, EventKind::SeriesConflict);
        let (verdict, refusal) = (Some(verdict), Some(refusal));
        Event::Applied(Box::new(AppliedEvent { verdict, refusal, ..event }))
    }

    fn waits(&self, about: (&Claimed, &ApplyOrder), reason: String) -> Event {
        let event = self.event(about, EventKind::SeriesWaiting);
        let refusal = Some(Refusal { reason, ..Refusal::default() });
        Event::Applied(Box::new(AppliedEvent { refusal, ..event }))
    }
}

/// How one try ended.
enum Ended {
    /// With this.
    With(Box<Event>),
    /// It waits, and for what.
    Waiting(String),
}

/// The event that a run ends because its branch cannot be pushed.
fn unbuilt(run: &Run, failure: &Failure) -> Event {
    Event::Build(BuildEvent {
        id: None,
        of: None,
        thread: Thread::default(),
        event: EventKind::BuildFinished,
        instance: None,
        connection: Some(run.connection.clone()),
        job: run.ticket.job.clone(),
        number: None,
        url: None,
        verdict: Some(Verdict::Error),
        run: Some(run.id.clone()),
        queued: None,
        reason: Some(format!("its branch could not be pushed: {}", chain(failure))),
    })
}
