//! A run: one build that one rule ordered for one revision, from ordered to verdict.

use serde::{Deserialize, Serialize};

use crate::action::{Form, Order, Ticket};
use crate::event::artifact::ArtifactEvent;
use crate::event::series::{Branch, Refusal, SeriesEvent};
use crate::subject::{ConnectionName, RunId, Subject, SubjectKind, Verdict};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It waits for somebody to let its commit be built.
    Held,
    /// Decided, and not yet known to the executor.
    Ordered,
    /// In the executor's queue.
    Queued,
    /// Being built.
    Running,
    /// Ended.
    Done(Verdict),
}

impl RunState {
    /// Whether the run has ended.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// The word for it in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Ordered => "ordered",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done(verdict) => verdict.as_str(),
        }
    }

    /// How far on its way; a message that arrives late never takes a run back.
    pub fn rank(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Ordered => 1,
            Self::Queued => 2,
            Self::Running => 3,
            Self::Done(_) => 4,
        }
    }
}

/// When a report is made.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// At every verdict.
    #[default]
    Always,
    /// When the verdict differs from the last one of the same rule on the same subject.
    Changed,
    /// When somebody has to look: failure, unstable, error.
    Failed,
    /// Not at all: the entry stays in the file and does nothing.
    Never,
}

/// One place where a run is reported, with the connection resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportTo {
    /// The connection.
    pub to: ConnectionName,
    /// How.
    #[serde(rename = "as")]
    pub form: Form,
    /// When.
    pub when: When,
    /// The operator's own words, a template; the default text when absent.
    pub text: Option<String>,
}

/// One build that one rule ordered for one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// What it builds.
    pub subject: Subject,
    /// At which revision.
    pub revision: String,
    /// The rule that ordered it.
    pub rule: String,
    /// How often this rule has ordered this revision, from 1.
    pub attempt: u32,
    /// The executor.
    pub connection: ConnectionName,
    /// How far it is.
    pub state: RunState,
    /// Where the executor has it.
    pub ticket: Ticket,
    /// Where it is reported.
    pub reports: Vec<ReportTo>,
    /// Whether a newer revision cancels it.
    pub supersede: bool,
    /// Why it is to be cancelled, once that was decided.
    pub cancelling: Option<String>,
    /// What its executor said about how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is known of it where it builds a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Box<OfSeries>>,
    /// What is known of it where it tests an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Box<OfArtifact>>,
    /// How it is ordered again where its infrastructure fails, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<Retry>>,
}

/// What a run that tests an artifact knows besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfArtifact {
    /// The artifact, as it was published.
    pub of: ArtifactEvent,
    /// The rule that ordered it, as it is called in its file; a run on one board has a name of its
    /// own.
    pub rule: String,
    /// What part of the work it is.
    pub part: BoardPart,
}

/// What part of testing an artifact a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardPart {
    /// All of it, as one build.
    Only,
    /// All of it, on these boards once they are known; each has a run of its own.
    All(Option<Vec<String>>),
    /// That on this kind of board.
    Board(String),
}

impl OfArtifact {
    /// The kind of board, of a run on one.
    pub fn board(&self) -> Option<&str> {
        match &self.part {
            BoardPart::Board(board) => Some(board),
            BoardPart::Only | BoardPart::All(_) => None,
        }
    }
}

/// How a run is ordered again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// What was ordered.
    pub order: Order,
    /// How often it still may be.
    pub left: u32,
}

/// What a run that builds a series knows besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfSeries {
    /// The series, as it was posted.
    pub of: SeriesEvent,
    /// The rule that ordered it, as it is called in its file; a run of a part has a name of its own.
    pub rule: String,
    /// Of a run that puts it on a branch: the rules that want it there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted_by: Vec<String>,
    /// What part of it is built.
    pub role: Role,
    /// The repository that it is put on a branch of.
    #[serde(default)]
    pub tree: Option<ConnectionName>,
    /// The branch it is on, once it is on one.
    pub branch: Option<Branch>,
    /// The run that has to end before people are told of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<RunId>,
    /// Whether the same fails on the base.
    #[serde(default)]
    pub was_broken: bool,
    /// Why it cannot be put on a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The number of the first bad patch, once that was found out.
    #[serde(default)]
    pub blamed: Option<u32>,
}

/// What part of a series is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// None: it is put on a branch.
    Apply,
    /// All of it.
    Whole,
    /// The patches up to this number, for their own verdict.
    Prefix(u32),
    /// The patches up to this number, to find the first bad one.
    Bisect(u32),
    /// None: its base is built, to compare.
    Base,
}

impl Run {
    /// The part of a series that it builds, if it is about one.
    pub fn role(&self) -> Option<Role> {
        self.series.as_ref().map(|series| series.role)
    }

    /// The rule that ordered it, as it is called in its file.
    pub fn ordered_by(&self) -> &str {
        let of_artifact = self.artifact.as_ref().map(|of| &of.rule);
        let rule = self.series.as_ref().map(|of| &of.rule).or(of_artifact);
        rule.unwrap_or(&self.rule)
    }

    /// The run that has to end before people are told of this one.
    pub fn awaits(&self) -> Option<&RunId> {
        self.series.as_ref()?.awaits.as_ref()
    }
}

impl OfSeries {
    /// The base of `branch` as a subject of its own: all series upon it share it.
    pub fn base(instance: &str, branch: &Branch, tree: &ConnectionName) -> Subject {
        Subject {
            kind: SubjectKind::Branch,
            instance: instance.to_owned(),
            project: tree.to_string(),
            number: 0,
            name: Some(branch.base.branch.clone()),
        }
    }

    /// The run that builds the base by the same rule, as it was or will be ordered.
    pub fn base_run(&self) -> Option<RunId> {
        let (branch, tree) = (self.branch.as_ref()?, self.tree.as_ref()?);
        let subject = Self::base(&self.of.instance, branch, tree);
        let rule = format!("{}@base", self.rule);
        Some(RunId::of(&subject, branch.base.sha.as_str(), &rule, 1))
    }
}
