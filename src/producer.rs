//! Who announces artifacts, and which.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::SecretRef;

/// Who announces artifacts: `[producer.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProducerSettings {
    /// The names of the artifacts that it may announce, with `*` for anything.
    pub artifacts: Vec<String>,
    /// What its messages on the bus call it, beside its name here: the host of the build system.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The bearer token with which it posts to `/api/v1/artifacts`; without one it cannot.
    #[serde(default)]
    pub token: Option<SecretRef>,
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is no pattern: {message}")]
pub struct BadPattern {
    pattern: String,
    message: String,
}

/// One that announces artifacts.
#[derive(Clone, Debug)]
pub struct Producer {
    hosts: Vec<String>,
    artifacts: GlobSet,
}

/// All who do, by name.
#[derive(Clone, Debug, Default)]
pub struct Producers(BTreeMap<String, Producer>);

impl Producer {
    /// The producer of `settings`.
    pub fn new(settings: &ProducerSettings) -> Result<Self, BadPattern> {
        let mut artifacts = GlobSetBuilder::new();
        for pattern in &settings.artifacts {
            let glob = GlobBuilder::new(pattern).literal_separator(false).build();
            artifacts.add(glob.map_err(|error| bad(pattern, &error))?);
        }
        let artifacts = artifacts.build().map_err(|error| bad("", &error))?;
        let hosts = settings.hosts.iter().map(|host| host.to_lowercase()).collect();
        Ok(Self { hosts, artifacts })
    }

    /// Whether it may announce an artifact of this name.
    pub fn may_announce(&self, artifact: &str) -> bool {
        self.artifacts.is_match(artifact)
    }
}

impl Producers {
    /// Adds one.
    pub fn insert(&mut self, name: String, producer: Producer) {
        self.0.insert(name, producer);
    }

    /// The one that messages call `instance`.
    pub fn find(&self, instance: &str) -> Option<&Producer> {
        let is_at = |producer: &&Producer| producer.hosts.iter().any(|host| *host == instance);
        self.0.get(instance).or_else(|| self.0.values().find(is_at))
    }

    /// Whether `instance` is one of them, and may announce `artifact`.
    pub fn may_announce(&self, instance: &str, artifact: &str) -> bool {
        self.find(instance).is_some_and(|producer| producer.may_announce(artifact))
    }
}

fn bad(pattern: &str, error: &globset::Error) -> BadPattern {
    BadPattern { pattern: pattern.to_owned(), message: error.kind().to_string() }
}
