//! What happened, in our words: a kind and one small struct per family of kinds.
//!
//! The fields that a topic file reads, and the names that a rule may use, are the fields of these
//! structs as they serialise.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::hash;
use crate::subject::{RunId, Subject, SubjectKind, Verdict};

pub mod build;
pub mod proposal;

use build::{BUILD_NAMES, BuildEvent};
use proposal::{COMMENT_NAMES, CommentEvent, PULL_REQUEST_NAMES, PullRequestEvent};

/// The kinds of events, as `on` in a rule and `event` in a topic file spell them.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
pub enum EventKind {
    /// Somebody proposes a change.
    #[serde(rename = "pull_request.opened")]
    PullRequestOpened,
    /// The proposal has another head commit.
    #[serde(rename = "pull_request.updated")]
    PullRequestUpdated,
    /// A closed proposal is open again.
    #[serde(rename = "pull_request.reopened")]
    PullRequestReopened,
    /// The proposal was closed or merged.
    #[serde(rename = "pull_request.closed")]
    PullRequestClosed,
    /// Somebody wrote a comment on a proposal.
    #[serde(rename = "comment.added")]
    CommentAdded,
    /// A build waits in the queue of its executor.
    #[serde(rename = "build.queued")]
    BuildQueued,
    /// A build is running.
    #[serde(rename = "build.started")]
    BuildStarted,
    /// A build has ended.
    #[serde(rename = "build.finished")]
    BuildFinished,
}

impl EventKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::PullRequestOpened,
        Self::PullRequestUpdated,
        Self::PullRequestReopened,
        Self::PullRequestClosed,
        Self::CommentAdded,
        Self::BuildQueued,
        Self::BuildStarted,
        Self::BuildFinished,
    ];

    /// The spelling in files and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PullRequestOpened => "pull_request.opened",
            Self::PullRequestUpdated => "pull_request.updated",
            Self::PullRequestReopened => "pull_request.reopened",
            Self::PullRequestClosed => "pull_request.closed",
            Self::CommentAdded => "comment.added",
            Self::BuildQueued => "build.queued",
            Self::BuildStarted => "build.started",
            Self::BuildFinished => "build.finished",
        }
    }

    /// The kind that is spelled `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The names that an expression about an event of this kind may use.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::PullRequestOpened
            | Self::PullRequestUpdated
            | Self::PullRequestReopened
            | Self::PullRequestClosed => PULL_REQUEST_NAMES,
            Self::CommentAdded => COMMENT_NAMES,
            Self::BuildQueued | Self::BuildStarted | Self::BuildFinished => BUILD_NAMES,
        }
    }

    /// The names that `where` may use about an event of this kind.
    pub fn where_names(self) -> &'static [&'static str] {
        match self {
            Self::PullRequestOpened
            | Self::PullRequestUpdated
            | Self::PullRequestReopened
            | Self::PullRequestClosed
            | Self::CommentAdded => &["instance", "project", "target", "author"],
            Self::BuildQueued | Self::BuildStarted | Self::BuildFinished => {
                &["instance", "job", "verdict"]
            }
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// About a proposal.
    PullRequest(PullRequestEvent),
    /// About a comment on a proposal.
    Comment(CommentEvent),
    /// About a build.
    Build(BuildEvent),
}

impl Event {
    /// Which kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::PullRequest(event) => event.event,
            Self::Comment(event) => event.on.event,
            Self::Build(event) => event.event,
        }
    }

    /// What the event is about; for a build, the build itself.
    pub fn subject(&self) -> Subject {
        match self {
            Self::PullRequest(event) => event.subject(),
            Self::Comment(event) => event.on.subject(),
            Self::Build(event) => Subject {
                kind: SubjectKind::Job,
                instance: event.instance.clone().unwrap_or_else(|| "unknown".to_owned()),
                project: event.job.clone(),
                number: event.number.unwrap_or(0),
            },
        }
    }

    /// The proposal that the event is about, if it is about one.
    pub fn pull_request(&self) -> Option<&PullRequestEvent> {
        match self {
            Self::PullRequest(event) => Some(event),
            Self::Comment(event) => Some(&event.on),
            Self::Build(_) => None,
        }
    }

    /// The value of a name that `where` may use; `None` where the event does not have it.
    pub fn indexed(&self, name: &str) -> Option<&str> {
        match (self, name) {
            (Self::PullRequest(_) | Self::Comment(_), _) => {
                let event = self.pull_request()?;
                match name {
                    "instance" => Some(&event.instance),
                    "project" => Some(&event.project),
                    "target" => Some(&event.target),
                    "author" => Some(&event.author),
                    _ => None,
                }
            }
            (Self::Build(event), "instance") => event.instance.as_deref(),
            (Self::Build(event), "job") => Some(&event.job),
            (Self::Build(event), "verdict") => event.verdict.map(Verdict::as_str),
            (Self::Build(_), _) => None,
        }
    }

    /// What makes this happening the same as one told before, by whichever message.
    ///
    /// For a proposal it is subject, kind, head and the forge's own time; whether a head is news
    /// at all is for [`decide`](fn@crate::rules::decide), which knows the subject.
    pub fn identity(&self) -> String {
        let kind = self.kind().as_str();
        let subject = self.subject().key();
        let detail = match self {
            Self::PullRequest(event) => event.moment(),
            Self::Comment(event) => event.comment.id.clone(),
            Self::Build(event) => {
                let verdict = event.verdict.map_or("", Verdict::as_str);
                let run = event.run.as_ref().map_or("", RunId::as_str);
                // A number tells builds apart; an entry in the queue does while there is none.
                let queued = event.queued.as_deref().filter(|_| event.number.is_none());
                format!("{verdict}/{run}/{}", queued.unwrap_or_default())
            }
        };
        hash(&[kind.as_bytes(), subject.as_bytes(), detail.as_bytes()])
    }
}

impl Event {
    /// The event as expressions see it: an object whose fields are [`EventKind::names`].
    pub fn names(&self) -> Value {
        match self {
            Self::PullRequest(event) => event.names(),
            Self::Comment(event) => {
                let mut value = event.on.names();
                if let Some(names) = value.as_object_mut() {
                    let comment = serde_json::to_value(&event.comment).unwrap_or_default();
                    names.insert("comment".to_owned(), comment);
                }
                value
            }
            Self::Build(event) => event.names(),
        }
    }
}
