//! What happened, in our words: a kind and one small struct per family of kinds.
//!
//! The fields that a topic file reads, and the names that a rule may use, are the fields of these
//! structs as they serialise.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::hash;
use crate::subject::{RunId, Subject, SubjectKind, Verdict};

pub mod artifact;
pub mod build;
pub mod command;
mod kind;
pub mod proposal;
pub mod push;
pub mod series;
pub mod thread;

pub use kind::{EventKind, Family};

use artifact::{ArtifactEvent, BoardsEvent};
use build::BuildEvent;
use command::CommandEvent;
use proposal::{CommentEvent, PullRequestEvent};
use push::PushEvent;
use series::{AppliedEvent, SeriesEvent};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// About a proposal.
    PullRequest(PullRequestEvent),
    /// About a comment on a proposal.
    Comment(CommentEvent),
    /// About a command in a comment.
    Command(CommandEvent),
    /// About a branch or tag.
    Push(PushEvent),
    /// About a patch series.
    Series(Box<SeriesEvent>),
    /// About a patch series on its way to a branch.
    Applied(Box<AppliedEvent>),
    /// About an artifact.
    Artifact(Box<ArtifactEvent>),
    /// About the boards that an artifact is run on.
    Boards(Box<BoardsEvent>),
    /// About a build.
    Build(BuildEvent),
}

impl Event {
    /// Which kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::PullRequest(event) => event.event,
            Self::Comment(event) => event.on.event,
            Self::Command(event) => event.on.event,
            Self::Push(event) => event.event,
            Self::Series(event) => event.event,
            Self::Applied(event) => event.event,
            Self::Artifact(event) => event.event,
            Self::Boards(event) => event.event,
            Self::Build(event) => event.event,
        }
    }

    /// What the event is about; for a build, the build itself.
    pub fn subject(&self) -> Subject {
        match self {
            Self::PullRequest(event) => event.subject(),
            Self::Comment(event) => event.on.subject(),
            Self::Command(event) => event.on.subject(),
            Self::Push(event) => event.subject(),
            Self::Series(event) => event.subject(),
            Self::Applied(event) => event.on.subject(),
            Self::Artifact(event) => event.subject(),
            Self::Boards(event) => event.on.subject(),
            Self::Build(event) => Subject {
                kind: SubjectKind::Job,
                instance: event.instance.clone().unwrap_or_else(|| "unknown".to_owned()),
                project: event.job.clone(),
                number: event.number.unwrap_or(0),
                name: None,
            },
        }
    }

    /// The host of the system that it happened on, where that is told.
    pub fn instance(&self) -> Option<&str> {
        match self {
            Self::PullRequest(event) => Some(&event.instance),
            Self::Comment(event) => Some(&event.on.instance),
            Self::Command(event) => Some(&event.on.instance),
            Self::Push(event) => Some(&event.instance),
            Self::Series(event) => Some(&event.instance),
            Self::Applied(event) => Some(&event.on.instance),
            Self::Artifact(event) => Some(&event.instance),
            Self::Boards(event) => Some(&event.on.instance),
            Self::Build(event) => event.instance.as_deref(),
        }
    }

    /// The proposal that the event is about, if it is about one.
    pub fn pull_request(&self) -> Option<&PullRequestEvent> {
        match self {
            Self::PullRequest(event) => Some(event),
            Self::Comment(event) => Some(&event.on),
            Self::Command(event) => Some(&event.on),
            Self::Push(_)
            | Self::Series(_)
            | Self::Applied(_)
            | Self::Artifact(_)
            | Self::Boards(_)
            | Self::Build(_) => None,
        }
    }

    /// The artifact that the event is about, if it is about one.
    pub fn artifact(&self) -> Option<&ArtifactEvent> {
        match self {
            Self::Artifact(event) => Some(event),
            Self::Boards(event) => Some(&event.on),
            Self::PullRequest(_)
            | Self::Comment(_)
            | Self::Command(_)
            | Self::Push(_)
            | Self::Series(_)
            | Self::Applied(_)
            | Self::Build(_) => None,
        }
    }

    /// The series that the event is about, if it is about one.
    pub fn series(&self) -> Option<&SeriesEvent> {
        match self {
            Self::Series(event) => Some(event),
            Self::Applied(event) => Some(&event.on),
            Self::PullRequest(_)
            | Self::Comment(_)
            | Self::Command(_)
            | Self::Push(_)
            | Self::Artifact(_)
            | Self::Boards(_)
            | Self::Build(_) => None,
        }
    }

    /// The value of a name that `where` may use; `None` where the event does not have it.
    pub fn indexed(&self, name: &str) -> Option<&str> {
        match self {
            Self::PullRequest(_) | Self::Comment(_) | Self::Command(_) => {
                let event = self.pull_request()?;
                match name {
                    "instance" => Some(&event.instance),
                    "project" => Some(&event.project),
                    "target" => Some(&event.target),
                    "author" => Some(&event.author),
                    _ => None,
                }
            }
            Self::Push(event) => match name {
                "instance" => Some(&event.instance),
                "project" => Some(&event.project),
                "target" => Some(&event.target),
                "author" => Some(&event.author),
                _ => None,
            },
            Self::Series(_) | Self::Applied(_) => {
                let event = self.series()?;
                match name {
                    "instance" => Some(&event.instance),
                    "project" => Some(&event.project),
                    "author" => Some(&event.series.submitter.email),
                    _ => None,
                }
            }
            Self::Artifact(_) | Self::Boards(_) => {
                let event = self.artifact()?;
                match name {
                    "instance" => Some(&event.instance),
                    "artifact" => Some(&event.artifact.name),
                    "kind" => event.artifact.kind.as_deref(),
                    "project" => event.change.project.as_deref(),
                    _ => None,
                }
            }
            Self::Build(event) => match name {
                "instance" => event.instance.as_deref(),
                "job" => Some(&event.job),
                "verdict" => event.verdict.map(Verdict::as_str),
                _ => None,
            },
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
            Self::Comment(event) if event.on.event == EventKind::CommentAdded => {
                event.comment.id.clone()
            }
            Self::Comment(event) => event.comment.moment(),
            Self::Command(event) => event.moment(),
            Self::Push(event) => event.moment(),
            Self::Series(event) => event.moment(),
            Self::Applied(event) => event.moment(),
            Self::Artifact(event) => event.moment(),
            Self::Boards(event) => event.run.to_string(),
            Self::Build(event) => {
                let verdict = event.verdict.map_or("", Verdict::as_str);
                let run = event.run.as_ref().map_or("", RunId::as_str);
                // A number tells builds apart; an entry in the queue does while there is none.
                let queued = event.queued.as_deref().or(event.id.as_deref());
                let queued = queued.filter(|_| event.number.is_none());
                format!("{verdict}/{run}/{}", queued.unwrap_or_default())
            }
        };
        hash(&[kind.as_bytes(), subject.as_bytes(), detail.as_bytes()])
    }

    /// The event as expressions see it: an object whose fields are [`EventKind::names`].
    pub fn names(&self) -> Value {
        match self {
            Self::PullRequest(event) => event.names(),
            Self::Comment(event) => event.names(),
            Self::Command(event) => event.names(),
            Self::Push(event) => event.names(),
            Self::Series(event) => event.names(),
            Self::Applied(event) => event.names(),
            Self::Artifact(event) => event.names(),
            Self::Boards(event) => event.on.names(),
            Self::Build(event) => event.names(),
        }
    }
}
