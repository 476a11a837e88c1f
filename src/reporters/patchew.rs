//! Patchew: a result of each test; where patch series are heard of, and their mails fetched.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::directory::People;
use crate::secret::SecretRef;
use crate::source::poll::PolledBy;

/// One Patchew: `[patchew.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchewSettings {
    /// Its address.
    pub url: Url,
    /// The projects whose series are heard of.
    pub projects: Vec<String>,
    /// The name of our account; results need one.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    #[serde(default)]
    pub password: Option<SecretRef>,
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

impl PatchewSettings {
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
