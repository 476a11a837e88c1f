//! Proposals, and comments on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventKind;
use crate::message::hash;
use crate::subject::{CommitSha, Subject, SubjectKind};

/// The names that an expression about a proposal may use.
pub(super) const PULL_REQUEST_NAMES: &[&str] = &[
    "event",
    "subject",
    "instance",
    "project",
    "number",
    "url",
    "title",
    "target",
    "author",
    "author_id",
    "standing",
    "agent",
    "agent_id",
    "head.sha",
    "head.short",
    "head.url",
    "head.branch",
    "base.sha",
    "pull_request.draft",
    "pull_request.merged",
];

/// The names that an expression about a comment may use besides those of its proposal.
pub(super) const COMMENT_ONLY_NAMES: &[&str] = &[
    "comment.id",
    "comment.text",
    "comment.author",
    "comment.standing",
    "comment.bot",
    "comment.notification",
];

/// Where the proposed commits are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The newest commit; absent while the forge has not fetched it yet.
    #[serde(default)]
    pub sha: Option<CommitSha>,
    /// The repository to fetch it from.
    #[serde(default)]
    pub url: Option<String>,
    /// The branch it is on.
    #[serde(default)]
    pub branch: Option<String>,
}

/// What the proposal builds upon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The commit, where the forge tells it.
    #[serde(default)]
    pub sha: Option<CommitSha>,
}

/// What somebody is to a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Nobody has said anything about them.
    #[default]
    Stranger,
    /// The project lets them do something.
    Contributor,
    /// They may merge.
    Maintainer,
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Contributor => "contributor",
            Self::Maintainer => "maintainer",
        }
    }
}

/// What a forge said when it was asked about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What the author is to the project; absent where it could not be found out.
    pub standing: Option<Standing>,
    /// What whoever pushed the head is, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<Standing>,
}

/// Somebody who pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pusher {
    /// The forge's lasting id of them, where it was told.
    pub id: Option<String>,
    /// Their name.
    pub name: String,
}

/// What is said about a proposal itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequestState {
    /// Whether its author says that it is not ready.
    #[serde(default)]
    pub draft: bool,
    /// Whether it was merged; only ever true when closed.
    #[serde(default)]
    pub merged: bool,
}

/// A proposal at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequestEvent {
    /// One of the `pull_request.*` kinds.
    pub event: EventKind,
    /// The host of the forge.
    pub instance: String,
    /// The full name of the project it wants to change.
    pub project: String,
    /// Its number in the project.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Its title: text from outside.
    pub title: String,
    /// The branch it wants to change; empty where a message about a comment does not tell.
    #[serde(default)]
    pub target: String,
    /// Who proposes it.
    pub author: String,
    /// The author's lasting id at the forge, where there is one besides the name.
    #[serde(default)]
    pub author_id: Option<String>,
    /// What its author is to the project, where the message tells.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// What its forge said about the author when it was asked; never read from a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Who did what the event tells.
    #[serde(default)]
    pub agent: Option<String>,
    /// The lasting id of who did it, where there is one besides the name.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Where its commits are.
    #[serde(default)]
    pub head: Head,
    /// What they build upon.
    #[serde(default)]
    pub base: Base,
    /// Draft or merged.
    #[serde(default)]
    pub pull_request: PullRequestState,
    /// When the forge last touched it, to tell late news from new ones.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// The forge's id of it, as text.
    pub id: String,
    /// Its words: text from outside.
    pub text: String,
    /// Its words before it was edited, where the message tells.
    #[serde(default)]
    pub before: Option<String>,
    /// Who wrote it.
    pub author: String,
    /// The writer's lasting id at the forge, where there is one besides the name.
    #[serde(default)]
    pub author_id: Option<String>,
    /// What its writer is to the project, where the message tells.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// Whether its writer is a program, as the forge tells.
    #[serde(default)]
    pub bot: bool,
    /// When it was written or last edited.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Whether the forge itself wrote it, to tell of something.
    #[serde(default)]
    pub notification: bool,
}

/// A comment on a proposal, and the proposal as the same message tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommentEvent {
    /// The proposal; its `event` is `comment.added` or `comment.edited`.
    pub on: PullRequestEvent,
    /// The comment.
    pub comment: Comment,
}

impl CommentEvent {
    /// The comment as expressions see it.
    pub(super) fn names(&self) -> Value {
        let mut value = self.on.names();
        if let Some(names) = value.as_object_mut() {
            let Comment { id, text, author, bot, notification, .. } = &self.comment;
            let standing = self.comment.standing.unwrap_or_default();
            let comment = serde_json::json!({
                "id": id, "text": text, "author": author, "standing": standing, "bot": bot,
                "notification": notification,
            });
            names.insert("comment".to_owned(), comment);
        }
        value
    }
}

impl Comment {
    /// What makes it this comment with these words.
    pub(super) fn moment(&self) -> String {
        let words = hash(&[self.text.as_bytes()]);
        let at = self.at.map(|at| at.as_millisecond().to_string()).unwrap_or_default();
        format!("{}/{words}/{at}", self.id)
    }
}

impl PullRequestEvent {
    /// The proposal.
    pub fn subject(&self) -> Subject {
        Subject {
            kind: SubjectKind::PullRequest,
            instance: self.instance.clone(),
            project: self.project.clone(),
            number: self.number,
            name: None,
        }
    }

    /// Who pushed the head that the event brings, if it was not the author.
    pub fn pusher(&self) -> Option<Pusher> {
        let name = self.agent.clone().filter(|_| self.event == EventKind::PullRequestUpdated)?;
        let is_author = match (&self.agent_id, &self.author_id) {
            (Some(agent), Some(author)) => agent == author,
            (Some(_) | None, None) | (None, Some(_)) => name == self.author,
        };
        (!is_author).then(|| Pusher { id: self.agent_id.clone(), name })
    }

    /// What its author is to the project, as far as was told: the forge's answer counts for more
    /// than a message.
    pub fn standing(&self) -> Standing {
        let asked = self.asked.and_then(|asked| asked.standing);
        asked.or(self.standing).unwrap_or_default()
    }

    pub(super) fn moment(&self) -> String {
        let head = self.head.sha.as_ref().map_or("", CommitSha::as_str);
        let at = self.at.map(|at| at.as_millisecond().to_string()).unwrap_or_default();
        let asked = if self.asked.is_some() { "/asked" } else { "" };
        format!("{head}@{at}{asked}")
    }

    /// The proposal as expressions see it.
    pub(super) fn names(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(names) = value.as_object_mut() {
            names.remove("at");
            names.remove("asked");
            names.insert("standing".to_owned(), self.standing().as_str().into());
            names.insert("subject".to_owned(), self.subject().key().into());
            if let (Some(sha), Some(Value::Object(head))) = (&self.head.sha, names.get_mut("head"))
            {
                head.insert("short".to_owned(), sha.short().into());
            }
        }
        value
    }
}
