//! The systems outside, played: builds wait until they are told how they end, whoever is told
//! something nods, and a forge knows what the test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::tree::Workshop;
use crate::action::{Lookup, Notice, Order, Report, Ticket};
use crate::directory::Directory;
use crate::event::proposal::{PullRequestEvent, Standing};
use crate::event::{Event, EventKind};
use crate::executors::{BuildState, Executor, Lab, Sighting, Try};
use crate::forges::{Account, Forge, Person};
use crate::git::{Letters, Tree};
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::rules::test::Landing;
use crate::subject::{ConnectionName, RunId, Subject, Verdict};
use crate::worker::Site;
use crate::worker::backoff::Backoff;

/// The kinds of boards that every lab has.
const BOARDS: [&str; 2] = ["board-a", "board-b"];

/// Everybody who plays a system, and what they know.
#[derive(Clone, Debug)]
pub(super) struct Company(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    people: BTreeMap<String, Standing>,
    proposals: BTreeMap<String, PullRequestEvent>,
    builds: BTreeMap<RunId, Build>,
    boards: Vec<String>,
}

/// A build that was ordered.
#[derive(Debug)]
struct Build {
    number: usize,
    job: String,
    end: Option<Verdict>,
}

/// One system, by its host.
struct Player {
    company: Company,
    host: String,
}

impl Company {
    pub(super) fn new(people: BTreeMap<String, Standing>, boards: Option<&[String]>) -> Self {
        let usual = || BOARDS.iter().map(|board| (*board).to_owned()).collect();
        let boards = boards.map_or_else(usual, <[String]>::to_vec);
        Self(Arc::new(Mutex::new(Memory { people, boards, ..Memory::default() })))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // It is put down whole each time, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody for every connection.
    pub(super) fn sites(
        &self,
        directory: &Directory,
        landing: Landing,
    ) -> BTreeMap<ConnectionName, Site> {
        let moment = std::time::Duration::from_secs(1);
        let mut sites = BTreeMap::new();
        for (name, connection) in directory.iter() {
            let host = connection.hosts.first().cloned().unwrap_or_else(|| name.to_string());
            let player = Arc::new(Player { company: self.clone(), host: host.clone() });
            let workshop = Arc::new(Workshop { landing, host: host.clone() });
            let has_series = connection.has_series;
            let site = Site {
                letters: has_series.then(|| Arc::clone(&workshop) as Arc<dyn Letters>),
                tree: connection.is_tree.then_some(workshop as Arc<dyn Tree>),
                host,
                concurrency: 1,
                poll: Backoff { min: moment, max: moment },
                lab: connection.has_boards.then(|| Arc::clone(&player) as Arc<dyn Lab>),
                executor: connection.builds.map(|_| Arc::clone(&player) as Arc<dyn Executor>),
                reporter: Some(Arc::clone(&player) as Arc<dyn Reporter>),
                forge: connection.is_forge.then_some(player as Arc<dyn Forge>),
            };
            sites.insert(name.clone(), site);
        }
        sites
    }

    /// Remembers proposals as messages tell them.
    pub(super) fn hear(&self, event: &Event) {
        let Some(proposal) = event.pull_request() else { return };
        let key = proposal.subject().key();
        // A comment does not tell whether the proposal is open.
        if !matches!(event, Event::PullRequest(_)) && self.memory().proposals.contains_key(&key) {
            return;
        }
        let is_closed = proposal.event == EventKind::PullRequestClosed;
        let event =
            if is_closed { EventKind::PullRequestClosed } else { EventKind::PullRequestUpdated };
        let proposal = PullRequestEvent { event, standing: None, agent: None, ..proposal.clone() };
        self.memory().proposals.insert(key, proposal);
    }

    /// Lets those builds end that have no end yet and are meant; whether there are any.
    pub(super) fn end(&self, is_meant: impl Fn(&RunId) -> bool, verdict: Verdict) -> bool {
        let mut memory = self.memory();
        let meant =
            memory.builds.iter_mut().filter(|(run, build)| build.end.is_none() && is_meant(run));
        meant.map(|(_, build)| build.end = Some(verdict)).count() > 0
    }
}

impl Player {
    fn sighting(&self, run: &RunId) -> Sighting {
        let memory = self.company.memory();
        let Some(build) = memory.builds.get(run) else {
            let (state, ticket) = (BuildState::Gone, Ticket::default());
            return Sighting { state, ticket, run: None, reason: None };
        };
        let Build { number, job, end } = build;
        let (state, number) = match end {
            Some(verdict) => (BuildState::Finished(*verdict), Some(*number)),
            None => (BuildState::Queued(None), None),
        };
        let url = number.map(|number| format!("https://{}/{job}/{number}", self.host));
        let number = number.map(|number| number as u64);
        let ticket = Ticket { job: job.clone(), queued: None, number, url };
        Sighting { state, ticket, run: Some(run.clone()), reason: None }
    }
}

#[async_trait]
impl Executor for Player {
    async fn start(&self, order: &Order, _: Try) -> Result<Sighting, Failure> {
        let mut memory = self.company.memory();
        let number = memory.builds.len() + 1;
        let build = Build { number, job: order.job.clone(), end: None };
        memory.builds.insert(order.run.clone(), build);
        drop(memory);
        Ok(self.sighting(&order.run))
    }

    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        match &lookup.run {
            Some(run) => Ok(self.sighting(run)),
            None => Err(Failure::give_up(anyhow::anyhow!("nobody knows this build"))),
        }
    }

    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let mut sighting = self.inspect(lookup).await?;
        if let (Some(run), BuildState::Queued(_)) = (&lookup.run, &sighting.state) {
            self.company.memory().builds.remove(run);
            sighting.state = BuildState::Gone;
        }
        Ok(sighting)
    }
}

#[async_trait]
impl Lab for Player {
    async fn boards(&self, _: &[String]) -> Result<Vec<String>, Failure> {
        Ok(self.company.memory().boards.clone())
    }
}

#[async_trait]
impl Reporter for Player {
    async fn tell(&self, _: &Report, _: Try) -> Result<(), Failure> {
        Ok(())
    }

    async fn notify(&self, _: &Notice, _: Try) -> Result<(), Failure> {
        Ok(())
    }
}

#[async_trait]
impl Forge for Player {
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure> {
        let found = self.company.memory().proposals.get(&subject.key()).cloned();
        found.ok_or_else(|| Failure::give_up(anyhow::anyhow!("nobody has told of {subject}")))
    }

    async fn person(&self, _: &str, account: &Account) -> Result<Person, Failure> {
        let memory = self.company.memory();
        let by_id = account.id.as_ref().and_then(|id| memory.people.get(id));
        let standing = by_id.or_else(|| memory.people.get(&account.name));
        Ok(Person { standing: standing.copied().unwrap_or_default(), ..Person::default() })
    }

    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        let memory = self.company.memory();
        let open = |proposal: &&PullRequestEvent| {
            proposal.project == project && proposal.event != EventKind::PullRequestClosed
        };
        Ok(memory.proposals.values().filter(open).cloned().collect())
    }
}
