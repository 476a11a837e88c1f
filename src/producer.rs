//! Who announces artifacts, and which.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::secret::{self, SecretRef};

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

    /// The name in the settings of the one that messages call `instance`.
    pub fn name_of(&self, instance: &str) -> Option<&str> {
        let is_at = |(_, producer): &(&String, &Producer)| {
            producer.hosts.iter().any(|host| *host == instance)
        };
        let known = self.0.get_key_value(instance).or_else(|| self.0.iter().find(is_at));
        known.map(|(name, _)| name.as_str())
    }

    /// Whether `instance` is one of them, and may announce `artifact`.
    pub fn may_announce(&self, instance: &str, artifact: &str) -> bool {
        self.find(instance).is_some_and(|producer| producer.may_announce(artifact))
    }
}

/// One that may post what it announces to our door.
#[derive(Clone, Debug)]
pub struct Announcer {
    /// Its name in the settings.
    pub name: String,
    /// Which artifacts it may announce.
    pub producer: Producer,
    token: SecretString,
}

/// All who may.
#[derive(Clone, Debug, Default)]
pub struct Announcers(Vec<Announcer>);

/// Two of them have one token, so that nobody could tell who posts.
#[derive(Debug, thiserror::Error)]
#[error("`producer.{one}.token` and `producer.{other}.token` are the same")]
pub struct SameToken {
    one: String,
    other: String,
}

impl Announcers {
    /// Adds one, who is known by `token`.
    pub fn insert(
        &mut self,
        name: String,
        producer: Producer,
        token: SecretString,
    ) -> Result<(), SameToken> {
        if let Some(known) = self.find(token.expose_secret()) {
            return Err(SameToken { one: known.name.clone(), other: name });
        }
        self.0.push(Announcer { name, producer, token });
        Ok(())
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|announcer| announcer.name.as_str())
    }

    /// Whose token `presented` is, found out in time that does not depend on whose it is.
    pub fn find(&self, presented: &str) -> Option<&Announcer> {
        self.0.iter().fold(None, |found, announcer| {
            if secret::is_same(&announcer.token, presented) { Some(announcer) } else { found }
        })
    }
}

fn bad(pattern: &str, error: &globset::Error) -> BadPattern {
    BadPattern { pattern: pattern.to_owned(), message: error.kind().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(artifacts: &[&str]) -> Producer {
        let artifacts = artifacts.iter().map(|pattern| (*pattern).to_owned()).collect();
        Producer::new(&ProducerSettings { artifacts, hosts: Vec::new(), token: None }).unwrap()
    }

    #[test]
    fn a_token_says_who_announces() {
        let mut announcers = Announcers::default();
        for (name, token) in [("images", "token-1"), ("packages", "token-2")] {
            announcers.insert(name.to_owned(), producer(&["*"]), token.to_owned().into()).unwrap();
        }
        let name = |token| announcers.find(token).map(|announcer| announcer.name.as_str());
        assert_eq!(name("token-1"), Some("images"));
        assert_eq!(name("token-2"), Some("packages"));
        assert_eq!((name("token-"), name("token-11"), name("")), (None, None, None));
    }

    #[test]
    fn a_token_is_of_one_and_nobody_shows_it() {
        let mut announcers = Announcers::default();
        let mut insert =
            |name: &str| announcers.insert(name.to_owned(), producer(&[]), "hunter2".into());
        insert("images").unwrap();
        let refused = insert("packages").unwrap_err().to_string();
        assert_eq!(refused, "`producer.images.token` and `producer.packages.token` are the same");
        assert!(!format!("{announcers:?}").contains("hunter2"));
    }
}
