//! One thing to do, as data: it can be printed, compared, stored and repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::event::artifact::ArtifactEvent;
use crate::event::proposal::{CommentEvent, PullRequestEvent, Pusher};
use crate::event::series::{Branch, SeriesEvent};
use crate::subject::{CommitSha, ConnectionName, RunId, Subject, Verdict};

/// One thing to do, and where it stands in line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// What makes it this action and no other; the same key is never stored twice.
    pub key: String,
    /// Actions of one lane are performed in order, one at a time.
    pub lane: String,
    /// Of the actions that wait in one slot only the newest counts.
    pub slot: Option<String>,
    /// The outside system that it is done at.
    pub connection: ConnectionName,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// How long after the decision it is due; at once when absent.
    pub delay: Option<Duration>,
    /// What to do.
    pub task: Task,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Start a build.
    Start(Order),
    /// Ask what became of a build.
    Inspect(Lookup),
    /// Stop a build.
    Cancel(Lookup),
    /// Tell people about a run.
    Report(Report),
    /// Tell people something that is about no run of ours.
    Notify(Notice),
    /// Ask a forge who somebody is, and how a proposal stands.
    Inquire(Inquiry),
    /// Ask on which boards an artifact can be run.
    Survey(Box<Survey>),
    /// Put a series on a branch.
    Apply(Box<ApplyOrder>),
    /// Put a commit that is there on a branch.
    Push(PushOrder),
}

impl Task {
    /// The word for it in tables, logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Inspect(_) => "inspect",
            Self::Cancel(_) => "cancel",
            Self::Report(_) => "report",
            Self::Notify(_) => "notify",
            Self::Inquire(_) => "inquire",
            Self::Survey(_) => "survey",
            Self::Apply(_) => "apply",
            Self::Push(_) => "push",
        }
    }
}

/// What a forge is asked; its answer is an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inquiry {
    /// What the author of a proposal is to its project.
    Author {
        /// The proposal.
        proposal: Box<PullRequestEvent>,
        /// Who pushed its head, where that was somebody else.
        pusher: Option<Pusher>,
    },
    /// What the writer of these commands is to the project, and how the proposal stands.
    Commands {
        /// The comment.
        said: Box<CommentEvent>,
        /// Those of its commands that are to be heeded.
        commands: Vec<Command>,
        /// Whether the ledger knows the proposal, so that a push it has missed is news to it.
        is_known: bool,
        /// Who pushed the head that the ledger knows, where that was somebody else.
        #[serde(default)]
        pusher: Option<(CommitSha, Pusher)>,
    },
}

/// On which boards an artifact can be run, to be asked of those who have them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// The run that waits for the answer.
    pub run: RunId,
    /// The artifact.
    pub artifact: ArtifactEvent,
    /// What a board has to have.
    pub tags: Vec<String>,
}

/// The one comment about a subject that is kept up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// A word that stands in all versions of the comment and nowhere else.
    pub word: String,
    /// Whether people are to be told: the comment is posted anew, and older ones are removed.
    pub is_news: bool,
}

/// A series to be put on a branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApplyOrder {
    /// The run it is for.
    pub run: RunId,
    /// The series, as it was posted.
    pub series: SeriesEvent,
    /// Where its mails are fetched.
    pub origin: ConnectionName,
    /// How often the version was put on a branch before, each time on a newer base: the branch
    /// has a name of its own.
    pub respin: u32,
    /// The branch that the last version, or this one, was put upon: tried first.
    pub last_base: Option<String>,
    /// Whether somebody let it be built, whatever it touches.
    pub is_approved: bool,
}

/// A commit to be put on a branch, for an executor that builds branches only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushOrder {
    /// What is pushed for.
    pub subject: Subject,
    /// The commit; it is in our repository.
    pub sha: CommitSha,
    /// The name of the branch, without `refs/heads/`.
    pub name: String,
}

/// A build to be started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The run it is for; travels as a build parameter.
    pub run: RunId,
    /// The full name of the job, folders separated by `/`.
    pub job: String,
    /// What the job is told, all rendered; text from outside reaches it only as values.
    pub parameters: BTreeMap<String, String>,
    /// The branch or tag to build, for executors that build those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The commit that it has to be at, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<CommitSha>,
    /// The whole definition of the job, for executors that are given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// The kind of board that it runs on, for executors that have boards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// One line for people who look at the build and ask where it comes from.
    pub cause: String,
}

/// What an executor needs to find a build again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// The run id that the build carries; absent for a build that is not ours.
    pub run: Option<RunId>,
    /// Where it was last seen.
    pub ticket: Ticket,
}

/// Where a build was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The full name of the job.
    pub job: String,
    /// The entry in the executor's queue.
    pub queued: Option<String>,
    /// The number of the build.
    pub number: Option<u64>,
    /// The page of the build, or of the job while there is none, on the host of the connection.
    pub url: Option<String>,
}

/// How something is told.
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
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A state on the commit or patch, replaced as the run goes on; also written `check`.
    #[serde(alias = "check")]
    Flag,
    /// Words on the pull request, posted when the run has ended.
    Comment,
    /// A message: in the chat, on the bus.
    Message,
}

impl Form {
    /// The word for it in rules and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Comment => "comment",
            Self::Message => "message",
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It waits for somebody to let this commit be built.
    Held,
    /// It waits in the executor's queue.
    Queued,
    /// It is being built.
    Running,
    /// It has ended.
    Done(Verdict),
}

impl Stage {
    /// The word for it in keys, topics and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done(verdict) => verdict.as_str(),
        }
    }
}

/// What is told about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The rule that ordered it; what people see as the name of the check.
    pub rule: String,
    /// What was built.
    pub subject: Subject,
    /// At which commit (or other revision).
    pub revision: String,
    /// How it is told.
    pub form: Form,
    /// How far the run is.
    pub stage: Stage,
    /// The words, rendered, text from outside neutralised.
    pub text: String,
    /// The page to look at.
    pub url: Option<String>,
    /// A word that is in the text and nowhere else, by which a report that may have arrived is
    /// found again.
    pub marker: String,
    /// The comment that it is a version of, where comments can be edited.
    #[serde(default)]
    pub board: Option<Board>,
    /// The identity of the flag, the same for all reports of one subject and rule.
    pub flag: String,
    /// The series that was built, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Box<AboutSeries>>,
    /// The artifact that was tested, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Box<AboutArtifact>>,
}

/// What a report tells of the artifact that was tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AboutArtifact {
    /// The artifact.
    pub of: ArtifactEvent,
    /// Its boards, sorted; none where it was built as a whole.
    pub boards: Vec<OnBoard>,
}

/// How far the run on one kind of board is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnBoard {
    /// The kind of board.
    pub board: String,
    /// How far.
    pub stage: Stage,
    /// In a few words, why it ended as it did.
    pub reason: Option<String>,
    /// The page to look at.
    pub url: Option<String>,
    /// How often it was tried, from 1.
    pub attempt: u32,
}

/// What a report tells of the series that was built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AboutSeries {
    /// The series, as it was posted.
    pub of: SeriesEvent,
    /// The branch it is on, if it is on one.
    pub branch: Option<Branch>,
    /// The number of the patch that the report is about, from 1; the whole series when absent.
    pub patch: Option<u32>,
    /// What the report is about.
    pub part: Part,
    /// Whether the same fails on the base: it was broken before.
    pub was_broken: bool,
    /// The number of the first bad patch, where that was found out.
    pub blamed: Option<u32>,
}

/// What a report about a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Putting it on a branch.
    Apply,
    /// A build.
    Build,
}

/// What is told about something that is no run of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The rule that wants it told.
    pub rule: String,
    /// Where a comment belongs, where the event has such a place.
    pub subject: Subject,
    /// The words, rendered, text from outside neutralised.
    pub text: String,
    /// As [`Report::marker`].
    pub marker: String,
    /// As [`Report::board`].
    #[serde(default)]
    pub board: Option<Board>,
    /// The series that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Box<SeriesEvent>>,
}
