//! Patchew: a result of each test; where patch series are heard of, and their mails fetched.
//!
//! A result is there before anybody can tell it: `git` once the series is complete, and
//! `testing.NAME` once it is on a branch, for each test that the project defines.  Telling it
//! again replaces it.

mod client;
mod cursor;
mod letters;
mod poll;
mod probe;
mod queue;
mod result;
mod search;
mod series;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use self::client::Client;
use self::poll::PatchewPoller;
use crate::action::{Form, Notice, Report};
use crate::clock::Clock;
use crate::directory::People;
use crate::executors::Try;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::secret::SecretRef;
use crate::source::poll::{PolledBy, Poller};

/// One Patchew: `[patchew.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchewSettings {
    /// Its address.
    pub url: Url,
    /// The projects whose series are heard of.
    pub projects: Vec<String>,
    /// The name of our account; results need one, in the group `importers` to say what was applied and in `testers` to say what was tested.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// What is asked for: `search` (what was posted), `applier` (what waits to be put on a branch) and `tester` (tests that wait to be run).
    #[serde(default = "PatchewSettings::roles")]
    pub roles: Vec<Role>,
    /// As `applier`, only of projects that are pushed to an address that begins like this.
    #[serde(default)]
    pub target_repo: Option<String>,
    /// As `tester`, the name that is shown.
    #[serde(default = "PatchewSettings::tester")]
    pub tester: String,
    /// As `tester`, what our machines have: only tests that require nothing else are given.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Who asks for what is new: `service`, `poller` (`pointsman poll`) or `nobody`.
    #[serde(default)]
    pub polled_by: PolledBy,
    /// How often it is asked.
    #[serde(default = "PatchewSettings::poll", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll: Duration,
    /// How old a mail may be to be news.
    #[serde(default = "PatchewSettings::age_max", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub age_max: Duration,
    /// How many calls are under way at once.
    #[serde(default = "PatchewSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "PatchewSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// What senders are, by their addresses.
    #[serde(default)]
    pub people: People,
}

/// What a Patchew is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What was posted.
    Search,
    /// What waits to be put on a branch.
    Applier,
    /// Tests that wait to be run.
    Tester,
}

impl PatchewSettings {
    fn roles() -> Vec<Role> {
        vec![Role::Search]
    }

    fn tester() -> String {
        "pointsman".to_owned()
    }

    fn poll() -> Duration {
        Duration::from_mins(2)
    }

    fn age_max() -> Duration {
        Duration::from_hours(24)
    }

    fn concurrency() -> usize {
        2
    }

    fn timeout() -> Duration {
        Duration::from_mins(1)
    }
}

/// A Patchew, as it is read and told.
#[derive(Debug)]
struct Source {
    client: Client,
    /// The host by which events call it.
    instance: String,
}

/// A Patchew to tell results to, and to fetch mails from.
#[derive(Debug)]
pub struct Patchew {
    source: Source,
    tester: String,
}

impl Patchew {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Flag];

    /// Reads the password of `[patchew.NAME]`; one that cannot be read is an error that says
    /// where it should be.  `instance` is the host by which events call it.
    pub fn new(
        name: &str,
        instance: String,
        settings: &PatchewSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let client = Client::new(name, settings, clock)?;
        let source = Source { client, instance };
        Ok(Self { source, tester: settings.tester.clone() })
    }

    /// Whom to ask for what is new at `[patchew.NAME]`, as [`Patchew::new`].
    pub fn poller(
        name: &str,
        instance: String,
        settings: &PatchewSettings,
        clock: Clock,
    ) -> anyhow::Result<Arc<dyn Poller>> {
        let client = Client::new(name, settings, clock)?;
        Ok(Arc::new(PatchewPoller::new(Source { client, instance }, settings)))
    }

    /// Asks whether it answers, whether our account is good, and what each of the projects has:
    /// what was asked about, and what is wrong with it.
    pub async fn probe(&self, settings: &PatchewSettings) -> Vec<(String, Option<String>)> {
        probe::probe(&self.source.client, settings).await
    }
}

#[async_trait]
impl Reporter for Patchew {
    /// Nothing is looked up before it is told again: a result is replaced.
    async fn tell(&self, report: &Report, _attempt: Try) -> Result<(), Failure> {
        match report.form {
            Form::Flag => self.flag(report).await,
            Form::Comment | Form::Message => Err(no_place()),
        }
    }

    async fn notify(&self, _notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        Err(no_place())
    }
}

fn no_place() -> Failure {
    Failure::give_up(anyhow::anyhow!("Patchew has results of tests, and no place for words"))
}
