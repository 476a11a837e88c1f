//! What an operator says of a repository: `[git.NAME]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::guard::Policy;
use crate::secret::SecretRef;

/// One repository that series are put on branches of: `[git.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitSettings {
    /// Where its upstream is fetched: an address, or a path on this machine.
    pub upstream: Address,
    /// Further upstreams, by what stands before their branches: `next/master`.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Address>,
    /// The branches of the upstreams that a series is tried upon, in this order.
    #[serde(default = "GitSettings::bases")]
    pub bases: Vec<String>,
    /// The branches for series with this word in brackets before their title, in any case.
    #[serde(default)]
    pub tags: BTreeMap<String, Vec<String>>,
    /// The branches for series that touch such files.
    #[serde(default)]
    pub paths: BTreeMap<String, Vec<String>>,
    /// How old a commit may be that an author announces as the base.
    #[serde(default = "GitSettings::base_age_max", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub base_age_max: Duration,
    /// How long what was fetched counts as new.
    #[serde(default = "GitSettings::fresh", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub fresh: Duration,
    /// Where branches are pushed to: an address, or a path on this machine.
    pub push: Address,
    /// Where those who build fetch them; `push` when absent.
    #[serde(default)]
    pub url: Option<Address>,
    /// The user of `token`, where the server wants to know one.
    #[serde(default = "GitSettings::user")]
    pub user: String,
    /// The password or token for `https://`; it is shown to the host of `push` only, also where
    /// that is an upstream's.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// The private key for `ssh://`.
    #[serde(default)]
    pub ssh_key: Option<PathBuf>,
    /// The file with the public keys of the hosts behind `ssh://`.
    #[serde(default)]
    pub known_hosts: Option<PathBuf>,
    /// What the server is told with each push, if it takes any such thing.
    #[serde(default)]
    pub push_options: Vec<String>,
    /// What the names of our branches begin with.
    #[serde(default = "GitSettings::prefix")]
    pub prefix: String,
    /// The folder in which our own repository is kept.
    pub dir: PathBuf,
    /// Who commits; authors stay who they are.
    #[serde(default)]
    pub committer: Committer,
    /// Whether lines of patches keep a carriage return at their end.
    #[serde(default)]
    pub keep_cr: bool,
    /// What may be in a series, and what somebody has to look at first.
    #[serde(default)]
    pub guard: Policy,
    /// Whether the last commit of a branch adds a job that tells us how the pipeline ended; needs
    /// `service.page_url` and `service.run_secret`.
    #[serde(default)]
    pub report_job: bool,
    /// How long a branch is kept once its builds have ended.
    #[serde(default = "GitSettings::keep", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep: Duration,
    /// How long a series waits for one that it depends on.
    #[serde(default = "GitSettings::wait", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub wait: Duration,
    /// The limit of one fetch.
    #[serde(default = "GitSettings::fetch_timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub fetch_timeout: Duration,
    /// The limit of putting a series upon one base.
    #[serde(default = "GitSettings::apply_timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub apply_timeout: Duration,
    /// The limit of one push.
    #[serde(default = "GitSettings::push_timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub push_timeout: Duration,
    /// How many series are worked on at once.
    #[serde(default = "GitSettings::concurrency")]
    pub concurrency: usize,
}

impl GitSettings {
    fn bases() -> Vec<String> {
        vec!["master".to_owned()]
    }

    fn base_age_max() -> Duration {
        Duration::from_hours(24 * 60)
    }

    fn fresh() -> Duration {
        Duration::from_mins(1)
    }

    fn user() -> String {
        "pointsman".to_owned()
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

    fn fetch_timeout() -> Duration {
        Duration::from_mins(10)
    }

    fn apply_timeout() -> Duration {
        Duration::from_mins(5)
    }

    fn push_timeout() -> Duration {
        Duration::from_mins(5)
    }

    fn concurrency() -> usize {
        2
    }

    /// Every branch that is named anywhere, once, those of `bases` first and in their order.
    pub fn branches(&self) -> Vec<&str> {
        let others = self.tags.values().chain(self.paths.values());
        let mut branches: Vec<&str> = Vec::new();
        for branch in self.bases.iter().chain(others.flatten()) {
            if !branches.contains(&branch.as_str()) {
                branches.push(branch);
            }
        }
        branches
    }

    /// Which upstream has the branch, nothing for `upstream` itself, and what it is called there.
    pub fn upstream_of<'b>(&self, branch: &'b str) -> (Option<&str>, &'b str) {
        let further = branch.split_once('/').and_then(|(name, rest)| {
            Some((Some(self.upstreams.get_key_value(name)?.0.as_str()), rest))
        });
        further.unwrap_or((None, branch))
    }

    /// Where those who build fetch branches.
    pub fn public(&self) -> &Address {
        self.url.as_ref().unwrap_or(&self.push)
    }
}

/// Who commits: `Name <user@host>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Committer {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Default for Committer {
    fn default() -> Self {
        Self { name: "Pointsman".to_owned(), email: "pointsman@localhost".to_owned() }
    }
}

impl JsonSchema for Committer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Committer".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "`Name <user@host>`", "type": "string" })
    }
}

/// A text that says of nobody who commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not written as `Name <user@host>`")]
pub struct InvalidCommitter;

impl TryFrom<String> for Committer {
    type Error = InvalidCommitter;

    fn try_from(text: String) -> Result<Self, InvalidCommitter> {
        let (name, email) = text.split_once(" <").ok_or(InvalidCommitter)?;
        let email = email.strip_suffix('>').ok_or(InvalidCommitter)?;
        let is_bad = |c: char| c.is_control() || matches!(c, '<' | '>');
        let has_name = name.chars().any(char::is_alphanumeric) && name.trim() == name;
        let has_address = !email.contains(char::is_whitespace)
            && email
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if text.len() > 200 || name.contains(is_bad) || email.contains(is_bad) {
            return Err(InvalidCommitter);
        }
        if !(has_name && has_address) {
            return Err(InvalidCommitter);
        }
        Ok(Self { name: name.to_owned(), email: email.to_owned() })
    }
}

impl From<Committer> for String {
    fn from(committer: Committer) -> Self {
        format!("{} <{}>", committer.name, committer.email)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_committer_has_a_name_and_an_address() {
        let read = |text: &str| Committer::try_from(text.to_owned());
        let ada = read("Ada L. <ada@forge.example>").unwrap();
        assert_eq!((ada.name.as_str(), ada.email.as_str()), ("Ada L.", "ada@forge.example"));
        assert_eq!(String::from(ada), "Ada L. <ada@forge.example>");
        for text in [
            "",
            "ada@forge.example",
            "<ada@forge.example>",
            " <ada@forge.example>",
            "Ada",
            "Ada <ada>",
            "Ada <ada@forge.example",
            "Ada <a@b> <c@d>",
            "A\nB <a@b>",
            ". <a@b>",
        ] {
            assert_eq!(read(text), Err(InvalidCommitter), "{text:?}");
        }
    }
}
