//! Patchwork: a check on each patch; where patch series are heard of, and their mails fetched.
//!
//! It tells nothing by itself, so it is asked; and what it tells of is read again before it is
//! believed.  Checks are only ever added there, so what stands is looked at before one is.

mod account;
mod api;
mod checks;
mod client;
mod cursor;
mod events;
pub mod freedesktop;
mod letters;
mod name;
mod poll;
mod probe;
mod read;
mod recheck;
mod vouch;
mod whole;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use self::account::Account;
use self::api::Api;
use self::client::Client;
use self::poll::Poll;
use crate::action::{Form, Notice, Report};
use crate::clock::Clock;
use crate::command::Grammar;
use crate::directory::People;
use crate::event::series::SeriesEvent;
use crate::executors::Try;
use crate::git::Letters;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::secret::SecretRef;
use crate::source::poll::{PolledBy, Poller};

/// One Patchwork: `[patchwork.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchworkSettings {
    /// Its address.
    pub url: Url,
    /// Which Patchwork it is.
    #[serde(default)]
    pub fork: Fork,
    /// The projects (their short names) whose series are heard of.
    pub projects: Vec<String>,
    /// The API token of our account.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// The name of our account, where it logs in with a password.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Who asks for what is new: `service`, `poller` (`pointsman poll`) or `nobody`.
    #[serde(default)]
    pub polled_by: PolledBy,
    /// How often it is asked.
    #[serde(default = "PatchworkSettings::poll", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll: Duration,
    /// How long a series is waited for that lacks patches.
    #[serde(default = "PatchworkSettings::incomplete", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub incomplete: Duration,
    /// How old a mail may be to be news.
    #[serde(default = "PatchworkSettings::age_max", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub age_max: Duration,
    /// On which patches of a series a check of the whole stands: `every`, `first` or `last`.
    #[serde(default)]
    pub checks_on: ChecksOn,
    /// The mail server whose `Authentication-Results` say whether a mail is from whom it claims;
    /// without it no sender is vouched for.
    #[serde(default)]
    pub authserv_id: Option<String>,
    /// What stands before the rule in the name of a check.
    #[serde(default = "PatchworkSettings::context_prefix")]
    pub context_prefix: String,
    /// How many calls are under way at once.
    #[serde(default = "PatchworkSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "PatchworkSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// What senders are, by the numbers that Patchwork knows them by.
    #[serde(default)]
    pub people: People,
}

/// Which Patchwork.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// That of getpatchwork.org, since its API 1.2.
    #[default]
    Upstream,
    /// That of freedesktop.org.
    Freedesktop,
}

/// On which patches of a series a check of the whole stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChecksOn {
    /// On every patch.
    #[default]
    Every,
    /// On the first patch.
    First,
    /// On the last patch.
    Last,
}

impl PatchworkSettings {
    /// How long `context_prefix` may be.
    pub const CONTEXT_PREFIX_MAX_CHARS: usize = 100;

    fn context_prefix() -> String {
        "pointsman-".to_owned()
    }

    fn poll() -> Duration {
        Duration::from_mins(2)
    }

    fn incomplete() -> Duration {
        Duration::from_hours(24)
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

/// The Patchwork of getpatchwork.org, with the token of who reports there.
#[derive(Debug)]
pub struct Patchwork {
    api: Api,
    account: Account,
    context_prefix: String,
    checks_on: ChecksOn,
}

impl Patchwork {
    /// Reads the token of `[patchwork.NAME]`.
    pub fn new(name: &str, settings: &PatchworkSettings, clock: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            api: Api::new(Client::new(name, settings, clock)?),
            account: Account::default(),
            context_prefix: settings.context_prefix.clone(),
            checks_on: settings.checks_on,
        })
    }

    /// Asks whether Patchwork answers, whether the token is good, and whether each of `projects`
    /// is there and can be reported to: what was asked about, and what is wrong with it.
    pub async fn probe(&self, projects: &[String]) -> Vec<(String, Option<String>)> {
        probe::probe(&self.api, projects).await
    }

    /// Whom to ask for what is new at `[patchwork.NAME]`; `instance` is the host by which
    /// messages call it, and `grammar` says how requests in comments are spelled.
    pub fn poller(
        name: &str,
        instance: String,
        settings: &PatchworkSettings,
        (grammar, clock): (Arc<Grammar>, Clock),
    ) -> anyhow::Result<Arc<dyn Poller>> {
        let api = Api::new(Client::new(name, settings, clock)?);
        Ok(Arc::new(Poll::new(api, instance, settings, grammar)))
    }
}

#[async_trait]
impl Reporter for Patchwork {
    /// The checks that stand are read before any is made, whichever try it is.
    async fn tell(&self, report: &Report, _attempt: Try) -> Result<(), Failure> {
        match report.form {
            Form::Flag => self.check(report).await,
            Form::Comment | Form::Message => Err(no_words()),
        }
    }

    async fn notify(&self, _notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        Err(no_words())
    }
}

#[async_trait]
impl Letters for Patchwork {
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        self.mails(series).await
    }
}

fn no_words() -> Failure {
    Failure::give_up(anyhow::anyhow!("Patchwork has checks, but takes no words from programs"))
}
