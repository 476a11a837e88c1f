//! Mattermost: a post in a channel.
//!
//! With a token there is one post about each run: it is found again by its props, edited as the
//! run goes on, and posted once also if an answer was lost.  With an incoming webhook nothing can
//! be looked up or edited: each stage but the wait in the queue is a post of its own, and **a
//! post may be doubled, but only if the answer to it was lost**.  A verdict that nobody hears of
//! would be worse.

mod client;
mod markdown;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use self::client::{Channel, Hook};
use crate::action::{Form, Notice, Report};
use crate::clock::Clock;
use crate::executors::{Finding, Try};
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::reporters::chat::{Said, keep};
use crate::secret::SecretRef;

/// One channel of a Mattermost: `[mattermost.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MattermostSettings {
    /// The address of an incoming webhook, which is a secret.
    #[serde(default)]
    pub webhook: Option<SecretRef>,
    /// The address of Mattermost, instead of a webhook.
    #[serde(default)]
    pub url: Option<Url>,
    /// The access token of a bot, to go with the address.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// The id of the channel, to go with the address.
    #[serde(default)]
    pub channel_id: Option<String>,
    /// How many calls are under way at once.
    #[serde(default = "MattermostSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "MattermostSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

impl MattermostSettings {
    fn concurrency() -> usize {
        1
    }

    fn timeout() -> Duration {
        Duration::from_secs(30)
    }

    /// Whether `text` is an id, as Mattermost makes them.
    pub fn is_id(text: &str) -> bool {
        text.len() == 26 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    }
}

/// A channel of a Mattermost.
#[derive(Debug)]
pub struct Mattermost(Way);

#[derive(Debug)]
enum Way {
    Webhook(Hook),
    Channel(Channel),
}

impl Mattermost {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Message];

    /// Reads the secret of `[mattermost.NAME]`; one that cannot be read is an error that says
    /// where it should be.
    pub fn new(name: &str, settings: &MattermostSettings, clock: Clock) -> anyhow::Result<Self> {
        if let Some(webhook) = &settings.webhook {
            return Ok(Self(Way::Webhook(Hook::new(name, webhook, (settings.timeout, clock))?)));
        }
        Ok(Self(Way::Channel(Channel::new(name, settings, clock)?)))
    }

    /// Asks whether the token is good and the channel can be read, without posting anything.
    pub async fn probe(&self) -> Vec<Finding> {
        match &self.0 {
            Way::Webhook(_) => vec![Finding {
                subject: "the webhook, which only a post could try".to_owned(),
                problem: None,
            }],
            Way::Channel(channel) => channel.probe().await,
        }
    }

    async fn say(&self, said: &Said<'_>, attempt: Try) -> Result<(), Failure> {
        match &self.0 {
            Way::Webhook(hook) if said.is_worth_a_message() => hook.post(said).await,
            Way::Webhook(_) => Ok(()),
            Way::Channel(channel) => keep(channel, said, attempt).await,
        }
    }
}

#[async_trait]
impl Reporter for Mattermost {
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        self.say(&Said::of(report)?, attempt).await
    }

    async fn notify(&self, notice: &Notice, attempt: Try) -> Result<(), Failure> {
        self.say(&Said::notice(notice), attempt).await
    }
}
