//! What CI is about: subjects, their revisions, and the names of things outside.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::message::hash;

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A pull or merge request on a forge.
    PullRequest,
    /// A branch of a project on a forge.
    Branch,
    /// A tag of a project on a forge.
    Tag,
    /// A patch series.
    Series,
    /// An image or a package, all builds of it.
    Artifact,
    /// A job of a build system that nobody ordered here.
    Job,
}

/// A pull request, a series, a branch or a tag (or a job that was not ours), wherever it lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// The host (and port, if not the usual one) of the system it lives on.
    pub instance: String,
    /// The full name of its project or job.
    pub project: String,
    /// Its number within the project; 0 for what has a name instead.
    pub number: u64,
    /// The name of a branch or tag, or the id of a series that is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Subject {
    /// The text under which the subject is known in the ledger and on the command line.
    pub fn key(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, instance, project, number, name } = self;
        let name = name.as_deref().unwrap_or_default();
        match kind {
            SubjectKind::PullRequest => write!(f, "{instance}/{project}#{number}"),
            SubjectKind::Branch => write!(f, "{instance}/{project}:{name}"),
            SubjectKind::Tag => write!(f, "{instance}/{project}:refs/tags/{name}"),
            SubjectKind::Series if self.name.is_some() => {
                write!(f, "{instance}/{project}/series/{name}")
            }
            SubjectKind::Series => write!(f, "{instance}/{project}/series/{number}"),
            SubjectKind::Artifact => write!(f, "{instance}/artifacts/{project}"),
            SubjectKind::Job => write!(f, "{instance}/{project}@{number}"),
        }
    }
}

/// A commit id: 40 or 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitSha(String);

/// A text that is no commit id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no commit id (40 or 64 hexadecimal digits)")]
pub struct InvalidCommitSha(String);

impl CommitSha {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for CommitSha {
    type Error = InvalidCommitSha;

    fn try_from(text: String) -> Result<Self, InvalidCommitSha> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && (text.len() == 40 || text.len() == 64) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidCommitSha(text.chars().take(80).collect()))
        }
    }
}

impl From<CommitSha> for String {
    fn from(sha: CommitSha) -> Self {
        sha.0
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A configured outside system: `kind.name`, such as `jenkins.fedora`, or just `bus`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionName(String);

/// A text that is no connection name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no connection name (`kind.name`, lower case)")]
pub struct InvalidConnectionName(String);

impl ConnectionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConnectionName {
    type Error = InvalidConnectionName;

    fn try_from(text: String) -> Result<Self, InvalidConnectionName> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        if text.split('.').count() <= 2 && text.split('.').all(is_word) {
            Ok(Self(text))
        } else {
            Err(InvalidConnectionName(text))
        }
    }
}

impl From<ConnectionName> for String {
    fn from(name: ConnectionName) -> Self {
        name.0
    }
}

impl fmt::Display for ConnectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a run: 32 hexadecimal digits, computed, never drawn.
///
/// It travels to the executor as a build parameter and is found again there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// A text that is no run id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no run id (32 hexadecimal digits)")]
pub struct InvalidRunId(String);

impl RunId {
    /// The id of the run that `rule` orders for `revision` of `subject` the `attempt`th time.
    pub fn of(subject: &Subject, revision: &str, rule: &str, attempt: u32) -> Self {
        let subject = subject.key();
        let attempt = attempt.to_string();
        Self(hash(&[subject.as_bytes(), revision.as_bytes(), rule.as_bytes(), attempt.as_bytes()]))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RunId {
    type Error = InvalidRunId;

    fn try_from(text: String) -> Result<Self, InvalidRunId> {
        if text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text))
        } else {
            Err(InvalidRunId(text.chars().take(80).collect()))
        }
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything passed.
    Success,
    /// The change is bad.
    Failure,
    /// It was built, but some tests failed.
    Unstable,
    /// The change does not apply to what it is to change.
    Conflict,
    /// The infrastructure's fault; nothing is known about the change.
    Error,
    /// Stopped, by us or by somebody else.
    Cancelled,
    /// It was decided on the way that nothing had to be done.
    Skipped,
}

impl Verdict {
    /// The word for it, as rules and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unstable => "unstable",
            Self::Conflict => "conflict",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether somebody has to look.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failure | Self::Unstable | Self::Conflict | Self::Error)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
