//! Jenkins, as it really answers.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use self::client::{Client, reason};
use self::wire::Seen;
use crate::action::{Lookup, Order, Ticket};
use crate::clock::Clock;
use crate::executors::{BuildState, Executor, Sighting, Try};
use crate::remote::{Answer, Failure};
use crate::secret::SecretRef;
use crate::subject::RunId;

mod client;
mod probe;
#[cfg(test)]
mod tests;
mod wire;

/// One Jenkins: `[jenkins.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JenkinsSettings {
    /// Its address, prefix included.
    pub url: Url,
    /// The user that starts builds; absent when only remote trigger tokens are used.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's API token; needs no crumb.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// The user's password, where there is no token; crumb and session are fetched for it.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// The jobs' "trigger builds remotely" token.
    #[serde(default)]
    pub trigger_token: Option<SecretRef>,
    /// The passwords that the Notification plugin posts with: one, or two while one replaces the
    /// other.
    #[serde(default)]
    pub webhook_secrets: Vec<SecretRef>,
    /// Other hosts (with port) by which this Jenkins calls itself in messages and build URLs.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How many calls are under way at once.
    #[serde(default = "JenkinsSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "JenkinsSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How soon a build is asked after when no message tells of it; doubles up to `poll_max`.
    #[serde(default = "JenkinsSettings::poll_min", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll_min: Duration,
    /// The longest pause between two questions about one build.
    #[serde(default = "JenkinsSettings::poll_max", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll_max: Duration,
}

impl JenkinsSettings {
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

/// One Jenkins, ready to be asked.
#[derive(Debug)]
pub struct Jenkins {
    client: Client,
    run_parameter: String,
    trigger_token: Option<SecretString>,
}

impl Jenkins {
    /// Names in a request to start a build that Jenkins does not take for parameters.
    pub const RESERVED_PARAMETERS: &[&str] = &["cause", "delay", "json", "statusCode", "token"];

    /// The Jenkins of `settings`, called `name` in messages; builds carry their run id in the
    /// parameter `run_parameter`.  The secrets are read here, and nothing is asked yet.
    pub fn new(
        name: &str,
        settings: &JenkinsSettings,
        run_parameter: &str,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(name, settings, clock)?,
            run_parameter: run_parameter.to_owned(),
            trigger_token: settings.trigger_token.as_ref().map(SecretRef::read).transpose()?,
        })
    }

    /// What the form of a start says.  Form and query are one to Jenkins, but only the query is
    /// written to logs, so the token travels in the form.
    fn form<'a>(&'a self, order: &'a Order) -> Vec<(&'a str, &'a str)> {
        let mut form = Vec::new();
        if let Some(token) = &self.trigger_token {
            form.push(("token", token.expose_secret()));
            // Jenkins keeps it only when the token is used.
            form.push(("cause", &order.cause));
        }
        form.push((&self.run_parameter, order.run.as_str()));
        // A parameter that is given twice is refused with a 500, so ours replaces the rule's.
        let others = order.parameters.iter();
        form.extend(
            others
                .filter(|(name, _)| **name != self.run_parameter)
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        form
    }

    /// What an answer to a start means that is not 201 or 303.
    fn start_refusal(&self, answer: &Answer, what: &str) -> Failure {
        let hint = match answer.status.as_u16() {
            400 => "Jenkins cannot read the request",
            404 => "there is no such job, or the user may not see it",
            405 => "this address takes no builds",
            409 => "the job is disabled",
            500 => {
                "Jenkins answers so to a bad value of a choice parameter and to parameters for a \
                 job that has none, but also while it starts"
            }
            _ => return self.client.refusal(answer, what),
        };
        self.client.refusal(answer, &reason(what, hint))
    }

    /// Asks after the build or the entry that `lookup` names, and searches for it where neither
    /// is known any more.
    async fn look(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let Lookup { run, ticket } = lookup;
        // Numbers begin anew when a job or a whole Jenkins is made anew.
        let is_meant = |seen: &Seen| run.is_none() || seen.run.is_none() || seen.run == *run;
        if let Some(number) = ticket.number
            && let Some(seen) = self.ask_build(&ticket.job, number).await?
            && is_meant(&seen)
        {
            return self.sighting(&ticket.job, seen);
        }
        let queued = ticket.queued.as_ref().and_then(|id| id.parse().ok());
        if ticket.number.is_none()
            && let Some(id) = queued
            && let Some(seen) = self.ask_item(id).await?
            && is_meant(&seen)
        {
            let begun = match seen.number {
                Some(number) => self.ask_build(&ticket.job, number).await?,
                None => Some(seen),
            };
            if let Some(seen) = begun {
                return self.sighting(&ticket.job, seen);
            }
        }
        if let Some(seen) = self.search(&ticket.job, run.as_ref(), queued).await? {
            return self.sighting(&ticket.job, seen);
        }
        Ok(Sighting {
            state: BuildState::Gone,
            ticket: ticket.clone(),
            run: run.clone(),
            reason: None,
        })
    }

    /// The build `number` of `job`; nothing if there is none.
    async fn ask_build(&self, job: &str, number: u64) -> Result<Option<Seen>, Failure> {
        let what = self.what("ask after a build of", job);
        let url = (self.client).job_url(job, &[&number.to_string(), "api", "json"])?;
        let Some(body) = self.client.find(url, &what).await? else {
            return Ok(None);
        };
        wire::build(&body, &self.run_parameter)
            .map(Some)
            .map_err(|error| client::unreadable(&error, &what))
    }

    /// The entry `id` of the queue.  It is forgotten minutes after the build has begun, and at
    /// once when Jenkins is started again.
    async fn ask_item(&self, id: u64) -> Result<Option<Seen>, Failure> {
        let what = format!("cannot ask after queue item {id} on {}", self.client.name());
        let segments = ["queue", "item", &id.to_string(), "api", "json"];
        let url = self.client.url(&segments);
        let Some(body) = self.client.find(url, &what).await? else {
            return Ok(None);
        };
        wire::item(&body, &self.run_parameter)
            .map(Some)
            .map_err(|error| client::unreadable(&error, &what))
    }

    /// Searches the queue and the newest builds of `job` for a run, or for what came of an entry
    /// of the queue.  What waits may begin in between, so the queue is searched first.
    async fn search(
        &self,
        job: &str,
        run: Option<&RunId>,
        queued: Option<u64>,
    ) -> Result<Option<Seen>, Failure> {
        if run.is_none() && queued.is_none() {
            return Ok(None);
        }
        let what = self.what("search for a build of", job);
        let unreadable = |error| client::unreadable(&error, &what);
        if run.is_some() {
            let mut url = self.client.url(&["queue", "api", "json"]);
            url.set_query(Some(wire::QUEUE_QUERY));
            let body = self.client.get(url, &what).await?;
            let items = wire::queue(&body, &self.run_parameter).map_err(unreadable)?;
            if let Some(seen) = items.into_iter().find(|seen| seen.run.as_ref() == run) {
                return Ok(Some(seen));
            }
        }
        let mut url = self.client.job_url(job, &["api", "json"])?;
        url.set_query(Some(wire::BUILDS_QUERY));
        let Some(body) = self.client.find(url, &what).await? else {
            return Ok(None);
        };
        let builds = wire::builds(&body, &self.run_parameter).map_err(unreadable)?;
        Ok(builds.into_iter().find(|seen| match (&seen.run, run) {
            (Some(carried), Some(run)) => carried == run,
            (Some(_) | None, _) => queued.is_some() && seen.queued == queued,
        }))
    }

    /// Takes an entry out of the queue.  That it has left (500) or was forgotten (404) shows when
    /// it is looked at again.
    async fn cancel_item(&self, job: &str, id: &str) -> Result<(), Failure> {
        let what = self.what("take out of the queue a build of", job);
        let mut url = self.client.url(&["queue", "cancelItem"]);
        url.query_pairs_mut().append_pair("id", id);
        let answer = self.client.post(url, &[], &what).await?;
        match answer.status.as_u16() {
            200 | 204 | 302 | 303 | 404 | 500 => Ok(()),
            422 => Err(self.client.refusal(&answer, &reason(&what, "the user may not cancel it"))),
            _ => Err(self.client.refusal(&answer, &what)),
        }
    }

    /// Stops a build that has begun.  That it has ended, or is there no more, shows when it is
    /// looked at again.
    async fn stop(&self, job: &str, number: u64) -> Result<(), Failure> {
        let what = self.what("stop a build of", job);
        let url = (self.client).job_url(job, &[&number.to_string(), "stop"])?;
        let answer = self.client.post(url, &[], &what).await?;
        match answer.status.as_u16() {
            200 | 204 | 302 | 303 | 404 => Ok(()),
            _ => Err(self.client.refusal(&answer, &what)),
        }
    }

    fn sighting(&self, job: &str, seen: Seen) -> Result<Sighting, Failure> {
        Ok(Sighting {
            ticket: self.ticket(job, seen.queued, seen.number)?,
            state: seen.state,
            run: seen.run,
            reason: None,
        })
    }

    /// Jenkins' own URLs follow its configured root or the request's headers, either of which may
    /// be wrong, so the page's address is made from ours.
    fn ticket(
        &self,
        job: &str,
        queued: Option<u64>,
        number: Option<u64>,
    ) -> Result<Ticket, Failure> {
        let url = match number {
            Some(number) => (self.client).job_url(job, &[&number.to_string(), ""])?,
            None => self.client.job_url(job, &[""])?,
        };
        Ok(Ticket {
            job: job.to_owned(),
            queued: queued.map(|id| id.to_string()),
            number,
            url: Some(url.into()),
        })
    }

    fn what(&self, verb: &str, job: &str) -> String {
        let job = client::shown(job);
        format!("cannot {verb} job `{job}` on {}", self.client.name())
    }
}

#[async_trait]
impl Executor for Jenkins {
    async fn start(&self, order: &Order, attempt: Try) -> Result<Sighting, Failure> {
        if attempt == Try::Again
            && let Some(seen) = self.search(&order.job, Some(&order.run), None).await?
        {
            return self.sighting(&order.job, seen);
        }
        let what = self.what("start", &order.job);
        let url = (self.client).job_url(&order.job, &["buildWithParameters"])?;
        let answer = self.client.post(url, &self.form(order), &what).await?;
        let location = answer.location(self.client.base());
        let Some(accepted) = wire::accepted(answer.status, location.as_ref()) else {
            return Err(self.start_refusal(&answer, &what));
        };
        Ok(Sighting {
            state: BuildState::Queued(None),
            ticket: self.ticket(&order.job, accepted.item, None)?,
            run: Some(order.run.clone()),
            reason: None,
        })
    }

    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        self.look(lookup).await
    }

    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let mut seen = self.look(lookup).await?;
        let job = &lookup.ticket.job;
        // What waits when it is looked at may have begun when it is to be cancelled.
        for _ in 0..2 {
            let again = match (&seen.state, &seen.ticket.queued, seen.ticket.number) {
                (BuildState::Queued(_), Some(id), _) => {
                    self.cancel_item(job, id).await?;
                    true
                }
                (BuildState::Running, _, Some(number)) => {
                    self.stop(job, number).await?;
                    false
                }
                _ => return Ok(seen),
            };
            let lookup = Lookup { run: lookup.run.clone(), ticket: seen.ticket };
            seen = self.look(&lookup).await?;
            if !again {
                return Ok(seen);
            }
        }
        match seen.state {
            BuildState::Queued(_) => Err(Failure::retry(anyhow::anyhow!(
                "{}: it still waits",
                self.what("take out of the queue a build of", job)
            ))),
            BuildState::Busy(_)
            | BuildState::Running
            | BuildState::Finished(_)
            | BuildState::Gone => Ok(seen),
        }
    }
}
