//! What an operator says of a GitLab: `[gitlab.NAME]`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::directory::People;
use crate::secret::SecretRef;

/// One GitLab: `[gitlab.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitLabSettings {
    /// Its address: `https://gitlab.com/`, or that of a GitLab of your own.
    #[serde(default = "GitLabSettings::url")]
    pub url: Url,
    /// The token that reports and starts pipelines: of a user, a project or a group.
    pub token: SecretRef,
    /// The trigger tokens that pipelines are started with, by the paths of projects; with none
    /// for a project, `token` starts them.
    #[serde(default)]
    pub trigger_tokens: BTreeMap<String, SecretRef>,
    /// The secret tokens that webhooks carry: one, or two while one replaces the other.
    #[serde(default)]
    pub webhook_tokens: Vec<SecretRef>,
    /// The signing tokens (`whsec_…`) of webhooks: one, or two while one replaces the other.
    #[serde(default)]
    pub webhook_signing_tokens: Vec<SecretRef>,
    /// What stands before the rule in the name of a status.
    #[serde(default = "GitLabSettings::context_prefix")]
    pub context_prefix: String,
    /// How many calls are under way at once.
    #[serde(default = "GitLabSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "GitLabSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How soon a pipeline is asked after when no message tells of it; doubles up to `poll_max`.
    #[serde(default = "GitLabSettings::poll_min", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll_min: Duration,
    /// The longest pause between two questions about one pipeline.
    #[serde(default = "GitLabSettings::poll_max", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll_max: Duration,
    /// What people are, whatever GitLab says of them; by their numbers.
    #[serde(default)]
    pub people: People,
}

impl GitLabSettings {
    /// How long `context_prefix` may be.
    pub const CONTEXT_PREFIX_MAX_CHARS: usize = 100;

    #[expect(clippy::expect_used, reason = "the text does not change")]
    fn url() -> Url {
        Url::parse("https://gitlab.com/").expect("it is an address")
    }

    /// The usual `context_prefix`.
    pub fn context_prefix() -> String {
        "pointsman/".to_owned()
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
