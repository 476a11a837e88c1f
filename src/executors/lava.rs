//! LAVA, as it really answers: a build is a job on one board, and its definition is given whole.
//!
//! The run travels in the job's name, at its end, and in its metadata.  A job is ours if its name
//! ends with the run and our own user submitted it: anybody may submit a job that looks like one.
//!
//! A job that ends calls us, where we are told how ([`EndedDoor`]).  LAVA does so once, before it
//! commits, and whoever sees the job sees the token: so a call has us ask, and says nothing else.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use self::client::Client;
use self::definition::Definition;
use self::wire::{Job, Made, Page, Standing};
use crate::action::{Lookup, Order, Ticket};
use crate::clock::Clock;
use crate::executors::ended::EndedDoor;
use crate::executors::{BuildState, Executor, Sighting, Try};
use crate::remote::{Answer, Failure};
use crate::secret::SecretRef;
use crate::subject::{RunId, Verdict};

mod boards;
mod client;
mod definition;
mod probe;
mod results;
mod room;
#[cfg(test)]
mod tests;
mod wire;

/// How many jobs of one run are looked at, the newest first: there is one, unless somebody had
/// LAVA run it again.
const FOUND_MAX: &str = "20";

/// One LAVA: `[lava.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LavaSettings {
    /// Its address, as people open it.
    pub url: Url,
    /// The API token of the user that submits jobs.
    pub token: SecretRef,
    /// Other hosts (with port) by which this LAVA calls itself.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How many of our jobs may be unfinished there at once.
    #[serde(default = "LavaSettings::jobs_max")]
    pub jobs_max: u32,
    /// How many jobs of anybody may wait for one kind of board, times its boards that can be used.
    #[serde(default = "LavaSettings::queue_depth")]
    pub queue_depth: u32,
    /// How often a job is submitted again whose infrastructure failed, unless the rule says.
    #[serde(default = "LavaSettings::retries")]
    pub retries: u32,
    /// How many calls are under way at once.
    #[serde(default = "LavaSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "LavaSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How soon a job is asked after when no callback tells of it; doubles up to `poll_max`.
    #[serde(default = "LavaSettings::poll_min", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll_min: Duration,
    /// The longest pause between two questions about one job.
    #[serde(default = "LavaSettings::poll_max", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll_max: Duration,
}

impl LavaSettings {
    fn jobs_max() -> u32 {
        100
    }

    fn queue_depth() -> u32 {
        3
    }

    fn retries() -> u32 {
        2
    }

    fn concurrency() -> usize {
        4
    }

    fn timeout() -> Duration {
        Duration::from_secs(30)
    }

    fn poll_min() -> Duration {
        Duration::from_secs(10)
    }

    fn poll_max() -> Duration {
        Duration::from_mins(5)
    }
}

/// The boards of one LAVA.
#[derive(Debug)]
pub struct Lava {
    client: Client,
    jobs_max: u64,
    queue_depth: u64,
    ended: Option<EndedDoor>,
    /// Held from looking whether there is room for a job until it is submitted.
    gate: Mutex<()>,
}

impl Lava {
    /// The boards of `[lava.NAME]`; their jobs are told of `ended` how to say that they have
    /// ended.  The token is read here, and nothing is asked yet.
    pub fn new(
        name: &str,
        settings: &LavaSettings,
        ended: Option<EndedDoor>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(name, settings, clock)?,
            jobs_max: settings.jobs_max.into(),
            queue_depth: settings.queue_depth.into(),
            ended,
            gate: Mutex::new(()),
        })
    }

    /// Submits the job of `order`, if there is room for it.
    async fn begin(&self, order: &Order) -> Result<Sighting, Failure> {
        let what = self.what("submit a job to");
        let definition = Definition::prepare(order, self.ended.as_ref());
        let definition =
            definition.map_err(|error| Failure::give_up(error.context(what.clone())))?;
        // One at a time: two that see the same room would both take it.
        let _gate = self.gate.lock().await;
        if let Some(why) = self.no_room(&definition.device_type).await? {
            let ticket = Ticket { job: order.job.clone(), ..Ticket::default() };
            let run = Some(order.run.clone());
            return Ok(Sighting { state: BuildState::Busy(why), ticket, run, reason: None });
        }
        let body = json!({ "definition": definition.text });
        let answer = self.client.ask(Method::POST, (&["jobs"], &[]), (Some(&body), &what)).await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer, &definition, &what).await);
        }
        let made: Made = self.client.read(&answer, &what)?;
        let Some(number) = made.only() else {
            let why = "it made several jobs of one definition, or none";
            return Err(Failure::give_up(anyhow!("{what}: {why}")));
        };
        let ticket = self.ticket(&order.job, number);
        let (state, run) = (BuildState::Queued(None), Some(order.run.clone()));
        Ok(Sighting { state, ticket, run, reason: None })
    }

    /// What it means that a job was not taken.
    async fn refused(&self, answer: &Answer, definition: &Definition, what: &str) -> Failure {
        // LAVA breaks where a tag is unknown to it, and would break again.
        if answer.status == StatusCode::INTERNAL_SERVER_ERROR
            && let Ok(Some(tag)) = self.unknown_tag(&definition.tags).await
        {
            return Failure::give_up(anyhow!("{what}: there is no tag `{tag}`"));
        }
        self.client.refusal(answer, (what, definition.token.as_ref()))
    }

    /// The job of `run`: the first, where there are several.
    async fn search(&self, run: &RunId) -> Result<Option<Job>, Failure> {
        let what = self.what("search for a job on");
        let own = self.client.own().await?;
        let query = [
            ("submitter__username", own),
            ("description__endswith", run.as_str()),
            ("ordering", "-id"),
            ("limit", FOUND_MAX),
        ];
        let page: Page<Job> = self.client.get((&["jobs"], &query), &what).await?;
        if page.results.iter().any(|job| !job.is_of(own, run)) {
            // To submit another would be to run it twice.
            return Err(Failure::retry(anyhow!("{what}: it does not search by name and user")));
        }
        Ok(page.results.into_iter().min_by_key(|job| job.id))
    }

    /// Asks after the job that `lookup` names, and searches for it where it is not known.
    async fn look(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let Lookup { run, ticket } = lookup;
        let mut found = match ticket.number {
            Some(number) => self.job(number).await?,
            None => None,
        };
        if let Some(run) = run {
            let own = self.client.own().await?;
            // Who told us the number may have been wrong.
            found = found.filter(|job| job.is_of(own, run));
            if found.is_none() {
                found = self.search(run).await?;
            }
        }
        let (name, run) = (&ticket.job, run.clone());
        let Some(job) = found else {
            let ticket = ticket.clone();
            return Ok(Sighting { state: BuildState::Gone, ticket, run, reason: None });
        };
        self.sighting(&job, (name, run)).await
    }

    /// The job `number`; nothing if there is none.
    async fn job(&self, number: u64) -> Result<Option<Job>, Failure> {
        let what = self.what("ask after a job on");
        self.client.find(&["jobs", &number.to_string()], &what).await
    }

    /// What a job means; `name` is what its rule calls it.
    async fn sighting(
        &self,
        job: &Job,
        (name, run): (&str, Option<RunId>),
    ) -> Result<Sighting, Failure> {
        let waits = |why: &str| (BuildState::Queued(Some(why.to_owned())), None);
        let (state, reason) = match job.standing() {
            Standing::Waiting => waits("it waits for a board"),
            Standing::Scheduled => waits("it has a board"),
            Standing::Running => (BuildState::Running, None),
            Standing::Complete => {
                let (verdict, reason) = self.results(job.id).await?;
                (BuildState::Finished(verdict), Some(reason))
            }
            Standing::Incomplete => {
                let reason = self.why_incomplete(job).await?;
                (BuildState::Finished(Verdict::Error), Some(reason))
            }
            Standing::Canceled => {
                (BuildState::Finished(Verdict::Cancelled), job.comment().map(wire::words))
            }
        };
        let reason = reason.map(|reason| self.without_token(run.as_ref(), reason));
        Ok(Sighting { state, ticket: self.ticket(name, job.id), run, reason })
    }

    /// The words without the token that the job was told, should they repeat it.
    fn without_token(&self, run: Option<&RunId>, words: String) -> String {
        let (Some(door), Some(run)) = (&self.ended, run) else { return words };
        words.replace(door.token(run).expose_secret(), client::HIDDEN)
    }

    /// The address of its page is made from ours: LAVA's own may be another.
    fn ticket(&self, name: &str, number: u64) -> Ticket {
        Ticket {
            job: name.to_owned(),
            queued: None,
            number: Some(number),
            url: Some(self.client.page(&["scheduler", "job", &number.to_string()]).into()),
        }
    }

    fn what(&self, verb: &str) -> String {
        format!("cannot {verb} {}", self.client.called())
    }
}

#[async_trait]
impl Executor for Lava {
    /// A definition is the whole of a job, so `order.parameters` and `order.reference` say
    /// nothing here.  A definition of several jobs (multinode) is refused: a run is one job.
    async fn start(&self, order: &Order, attempt: Try) -> Result<Sighting, Failure> {
        if attempt == Try::Again
            && let Some(job) = self.search(&order.run).await?
        {
            return self.sighting(&job, (&order.job, Some(order.run.clone()))).await;
        }
        self.begin(order).await
    }

    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        self.look(lookup).await
    }

    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let seen = self.look(lookup).await?;
        let (BuildState::Queued(_) | BuildState::Running, Some(number)) =
            (&seen.state, seen.ticket.number)
        else {
            return Ok(seen);
        };
        let what = self.what("cancel a job on");
        let path = ["jobs", &number.to_string(), "cancel"];
        // LAVA has it so: a GET that changes something, and is fine about what has ended.
        let answer = self.client.ask(Method::GET, (&path, &[]), (None, &what)).await?;
        self.client.good(&answer, &what)?;
        self.look(&Lookup { run: lookup.run.clone(), ticket: seen.ticket }).await
    }
}
