//! What an operator says of a repository: `[git.NAME]`.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

/// One repository that series are put on branches of: `[git.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitSettings {
    /// Where its upstream is fetched: an address, or a path on this machine.
    pub upstream: String,
    /// The branches of the upstream that a series is tried upon, in this order.
    #[serde(default = "GitSettings::bases")]
    pub bases: Vec<String>,
    /// Where branches are pushed to: an address, or a path on this machine.
    pub push: String,
    /// Where those who build fetch them; `push` when absent.
    #[serde(default)]
    pub url: Option<String>,
    /// What the names of our branches begin with.
    #[serde(default = "GitSettings::prefix")]
    pub prefix: String,
    /// The folder in which our own repository is kept.
    pub dir: PathBuf,
    /// How long a branch is kept once its builds have ended.
    #[serde(default = "GitSettings::keep", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep: Duration,
    /// How long a series waits for one that it depends on.
    #[serde(default = "GitSettings::wait", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub wait: Duration,
    /// How many series are worked on at once.
    #[serde(default = "GitSettings::concurrency")]
    pub concurrency: usize,
}

impl GitSettings {
    fn bases() -> Vec<String> {
        vec!["master".to_owned()]
    }

    fn prefix() -> String {
        "pointsman".to_owned()
    }

    fn keep() -> Duration {
        Duration::from_hours(24 * 14)
    }

    fn wait() -> Duration {
        Duration::from_hours(24 * 7)
    }

    fn concurrency() -> usize {
        2
    }
}
