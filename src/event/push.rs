//! Pushes: a branch or a tag has a new commit, whatever proposal brought it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventKind;
use super::proposal::{Base, Head};
use crate::subject::{CommitSha, Subject, SubjectKind};

/// The names that an expression about a push may use.
pub(super) const PUSH_NAMES: &[&str] = &[
    "event",
    "subject",
    "instance",
    "project",
    "url",
    "target",
    "author",
    "head.sha",
    "head.short",
    "head.url",
    "head.branch",
    "base.sha",
    "push.forced",
];

/// How a branch was pushed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushState {
    /// Whether commits were taken away, as far as the forge tells.
    #[serde(default)]
    pub forced: bool,
}

/// A branch or tag of a project has a new commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushEvent {
    /// `branch.pushed` or `tag.pushed`.
    pub event: EventKind,
    /// The host of the forge.
    pub instance: String,
    /// The full name of the project.
    pub project: String,
    /// The page of the change or of the project.
    pub url: String,
    /// The branch or tag, without `refs/heads/` or `refs/tags/`.
    pub target: String,
    /// Who pushed.
    pub author: String,
    /// Where the commit is; `branch` is the same as `target`.
    #[serde(default)]
    pub head: Head,
    /// What the branch was at before; absent when it is new.
    #[serde(default)]
    pub base: Base,
    /// How it was pushed to.
    #[serde(default)]
    pub push: PushState,
    /// When, as the forge tells.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

impl PushEvent {
    /// The branch or tag.
    pub fn subject(&self) -> Subject {
        let is_tag = self.event == EventKind::TagPushed;
        let kind = if is_tag { SubjectKind::Tag } else { SubjectKind::Branch };
        Subject {
            kind,
            instance: self.instance.clone(),
            project: self.project.clone(),
            number: 0,
            name: Some(self.target.clone()),
        }
    }

    pub(super) fn moment(&self) -> String {
        let sha = |sha: &Option<CommitSha>| sha.as_ref().map(CommitSha::to_string);
        let at = self.at.map(|at| at.as_millisecond().to_string()).unwrap_or_default();
        let (head, base) = (sha(&self.head.sha), sha(&self.base.sha));
        format!("{}..{}@{at}", base.unwrap_or_default(), head.unwrap_or_default())
    }

    /// The push as expressions see it.
    pub(super) fn names(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(names) = value.as_object_mut() {
            names.remove("at");
            names.insert("subject".to_owned(), self.subject().key().into());
            if let (Some(sha), Some(Value::Object(head))) = (&self.head.sha, names.get_mut("head"))
            {
                head.insert("short".to_owned(), sha.short().into());
            }
        }
        value
    }
}
