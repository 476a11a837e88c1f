//! LAVA, as it really answers: a build is a job on one board, and its definition is given whole.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::secret::SecretRef;

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
