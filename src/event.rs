//! What happened, in our words: a kind and one small struct per family of kinds.
//!
//! The fields that a topic file reads, and the names that a rule may use, are the fields of these
//! structs as they serialise.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::hash;
use crate::subject::{RunId, Subject, SubjectKind, Verdict};

pub mod build;
pub mod command;
pub mod proposal;
pub mod push;
pub mod series;

use build::{BUILD_NAMES, BuildEvent};
use command::{COMMAND_ONLY_NAMES, CommandEvent};
use proposal::{COMMENT_ONLY_NAMES, CommentEvent, PULL_REQUEST_NAMES, PullRequestEvent};
use push::{PUSH_NAMES, PushEvent};
use series::{AppliedEvent, BRANCH_NAMES, SERIES_NAMES, SeriesEvent, TEST_ONLY_NAMES};

static COMMENT_NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| [PULL_REQUEST_NAMES, COMMENT_ONLY_NAMES].concat());
static COMMAND_NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| [PULL_REQUEST_NAMES, COMMAND_ONLY_NAMES].concat());

static TEST_NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| [SERIES_NAMES, TEST_ONLY_NAMES].concat());
static APPLIED_NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| [SERIES_NAMES, BRANCH_NAMES].concat());

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
    /// A draft is ready for review.
    #[serde(rename = "pull_request.ready")]
    PullRequestReady,
    /// A proposal is a draft again.
    #[serde(rename = "pull_request.drafted")]
    PullRequestDrafted,
    /// The proposal was closed or merged.
    #[serde(rename = "pull_request.closed")]
    PullRequestClosed,
    /// Somebody wrote a comment on a proposal.
    #[serde(rename = "comment.added")]
    CommentAdded,
    /// Somebody changed the words of a comment on a proposal.
    #[serde(rename = "comment.edited")]
    CommentEdited,
    /// Somebody asks for builds, whatever their last verdict.
    #[serde(rename = "command.test")]
    CommandTest,
    /// Somebody asks for what failed or is missing.
    #[serde(rename = "command.retest")]
    CommandRetest,
    /// Somebody asks to stop builds.
    #[serde(rename = "command.cancel")]
    CommandCancel,
    /// Somebody lets a commit be built.
    #[serde(rename = "command.ok")]
    CommandOk,
    /// Somebody asks why something was built or not.
    #[serde(rename = "command.why")]
    CommandWhy,
    /// Somebody asks what can be said.
    #[serde(rename = "command.help")]
    CommandHelp,
    /// Somebody said something to us that is no command.
    #[serde(rename = "command.unknown")]
    CommandUnknown,
    /// A branch has a new commit.
    #[serde(rename = "branch.pushed")]
    BranchPushed,
    /// A tag was made or moved.
    #[serde(rename = "tag.pushed")]
    TagPushed,
    /// A patch series is complete.
    #[serde(rename = "series.posted")]
    SeriesPosted,
    /// Somebody asks for the builds of a series again.
    #[serde(rename = "series.recheck")]
    SeriesRecheck,
    /// Somebody lets a series be built.
    #[serde(rename = "series.approved")]
    SeriesApproved,
    /// A source hands out a test of a series.
    #[serde(rename = "series.test")]
    SeriesTest,
    /// A series is on a branch.
    #[serde(rename = "series.applied")]
    SeriesApplied,
    /// A series does not apply to any base.
    #[serde(rename = "series.conflict")]
    SeriesConflict,
    /// A series waits for another one that it depends on.
    #[serde(rename = "series.waiting")]
    SeriesWaiting,
    /// A series touches what somebody has to look at first.
    #[serde(rename = "series.held")]
    SeriesHeld,
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

/// What the kinds of events are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A proposal itself.
    PullRequest,
    /// A comment on a proposal.
    Comment,
    /// A command in a comment.
    Command,
    /// A push to a branch or tag.
    Push,
    /// A patch series.
    Series,
    /// A patch series on its way to a branch.
    Applied,
    /// A build.
    Build,
}

impl EventKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 28] = [
        Self::PullRequestOpened,
        Self::PullRequestUpdated,
        Self::PullRequestReopened,
        Self::PullRequestReady,
        Self::PullRequestDrafted,
        Self::PullRequestClosed,
        Self::CommentAdded,
        Self::CommentEdited,
        Self::CommandTest,
        Self::CommandRetest,
        Self::CommandCancel,
        Self::CommandOk,
        Self::CommandWhy,
        Self::CommandHelp,
        Self::CommandUnknown,
        Self::BranchPushed,
        Self::TagPushed,
        Self::SeriesPosted,
        Self::SeriesRecheck,
        Self::SeriesApproved,
        Self::SeriesTest,
        Self::SeriesApplied,
        Self::SeriesConflict,
        Self::SeriesWaiting,
        Self::SeriesHeld,
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
            Self::PullRequestReady => "pull_request.ready",
            Self::PullRequestDrafted => "pull_request.drafted",
            Self::PullRequestClosed => "pull_request.closed",
            Self::CommentAdded => "comment.added",
            Self::CommentEdited => "comment.edited",
            Self::CommandTest => "command.test",
            Self::CommandRetest => "command.retest",
            Self::CommandCancel => "command.cancel",
            Self::CommandOk => "command.ok",
            Self::CommandWhy => "command.why",
            Self::CommandHelp => "command.help",
            Self::CommandUnknown => "command.unknown",
            Self::BranchPushed => "branch.pushed",
            Self::TagPushed => "tag.pushed",
            Self::SeriesPosted => "series.posted",
            Self::SeriesRecheck => "series.recheck",
            Self::SeriesApproved => "series.approved",
            Self::SeriesTest => "series.test",
            Self::SeriesApplied => "series.applied",
            Self::SeriesConflict => "series.conflict",
            Self::SeriesWaiting => "series.waiting",
            Self::SeriesHeld => "series.held",
            Self::BuildQueued => "build.queued",
            Self::BuildStarted => "build.started",
            Self::BuildFinished => "build.finished",
        }
    }

    /// The kind that is spelled `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What events of this kind are about.
    pub fn family(self) -> Family {
        match self {
            Self::PullRequestOpened
            | Self::PullRequestUpdated
            | Self::PullRequestReopened
            | Self::PullRequestReady
            | Self::PullRequestDrafted
            | Self::PullRequestClosed => Family::PullRequest,
            Self::CommentAdded | Self::CommentEdited => Family::Comment,
            Self::CommandTest
            | Self::CommandRetest
            | Self::CommandCancel
            | Self::CommandOk
            | Self::CommandWhy
            | Self::CommandHelp
            | Self::CommandUnknown => Family::Command,
            Self::BranchPushed | Self::TagPushed => Family::Push,
            Self::SeriesPosted | Self::SeriesRecheck | Self::SeriesApproved | Self::SeriesTest => {
                Family::Series
            }
            Self::SeriesApplied | Self::SeriesConflict | Self::SeriesWaiting | Self::SeriesHeld => {
                Family::Applied
            }
            Self::BuildQueued | Self::BuildStarted | Self::BuildFinished => Family::Build,
        }
    }

    /// The names that an expression about an event of this kind may use.
    pub fn names(self) -> &'static [&'static str] {
        match self.family() {
            Family::PullRequest => PULL_REQUEST_NAMES,
            Family::Comment => &COMMENT_NAMES,
            Family::Command => &COMMAND_NAMES,
            Family::Push => PUSH_NAMES,
            Family::Series if self == Self::SeriesTest => &TEST_NAMES,
            Family::Series => SERIES_NAMES,
            Family::Applied => &APPLIED_NAMES,
            Family::Build => BUILD_NAMES,
        }
    }

    /// The names that `where` may use about an event of this kind.
    pub fn where_names(self) -> &'static [&'static str] {
        match self.family() {
            Family::PullRequest | Family::Comment | Family::Command | Family::Push => {
                &["instance", "project", "target", "author"]
            }
            Family::Series | Family::Applied => &["instance", "project", "author"],
            Family::Build => &["instance", "job", "verdict"],
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
    /// About a command in a comment.
    Command(CommandEvent),
    /// About a branch or tag.
    Push(PushEvent),
    /// About a patch series.
    Series(Box<SeriesEvent>),
    /// About a patch series on its way to a branch.
    Applied(Box<AppliedEvent>),
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
            Self::Build(event) => event.instance.as_deref(),
        }
    }

    /// The proposal that the event is about, if it is about one.
    pub fn pull_request(&self) -> Option<&PullRequestEvent> {
        match self {
            Self::PullRequest(event) => Some(event),
            Self::Comment(event) => Some(&event.on),
            Self::Command(event) => Some(&event.on),
            Self::Push(_) | Self::Series(_) | Self::Applied(_) | Self::Build(_) => None,
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

    /// The event as expressions see it: an object whose fields are [`EventKind::names`].
    pub fn names(&self) -> Value {
        match self {
            Self::PullRequest(event) => event.names(),
            Self::Comment(event) => event.names(),
            Self::Command(event) => event.names(),
            Self::Push(event) => event.names(),
            Self::Series(event) => event.names(),
            Self::Applied(event) => event.names(),
            Self::Build(event) => event.names(),
        }
    }
}
