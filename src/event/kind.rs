//! The kinds of events, and the names that expressions about each may use.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::artifact::ARTIFACT_NAMES;
use super::build::BUILD_NAMES;
use super::command::COMMAND_ONLY_NAMES;
use super::proposal::{COMMENT_ONLY_NAMES, PULL_REQUEST_NAMES};
use super::push::PUSH_NAMES;
use super::series::{BRANCH_NAMES, SERIES_NAMES, TEST_ONLY_NAMES};

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
    /// An artifact was made, and cannot be had yet.
    #[serde(rename = "artifact.created")]
    ArtifactCreated,
    /// An artifact can be had.
    #[serde(rename = "artifact.published")]
    ArtifactPublished,
    /// It is known on which boards an artifact is run.
    #[serde(rename = "boards.found")]
    BoardsFound,
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
    /// An artifact.
    Artifact,
    /// The boards that an artifact is run on.
    Boards,
    /// A build.
    Build,
}

impl EventKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 31] = [
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
        Self::ArtifactCreated,
        Self::ArtifactPublished,
        Self::BoardsFound,
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
            Self::ArtifactCreated => "artifact.created",
            Self::ArtifactPublished => "artifact.published",
            Self::BoardsFound => "boards.found",
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
            Self::ArtifactCreated | Self::ArtifactPublished => Family::Artifact,
            Self::BoardsFound => Family::Boards,
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
            Family::Artifact | Family::Boards => ARTIFACT_NAMES,
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
            Family::Artifact | Family::Boards => &["instance", "artifact", "kind", "project"],
            Family::Build => &["instance", "job", "verdict"],
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
