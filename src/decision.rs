//! What the rules say to one event, with the reasons.

use serde::{Deserialize, Serialize};

use crate::action::{Action, OnBoard};
use crate::command::Command;
use crate::event::EventKind;
use crate::event::proposal::{Pusher, Standing};
use crate::run::Run;
use crate::subject::{CommitSha, Verdict};

/// What the ledger knows that a decision depends on.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The proposal as it was last heard of.
    pub subject: Option<SubjectState>,
    /// About a proposal: its runs that are open, and those of the event's revision.
    /// About a build: the open runs of its job, where it is not known which run it is.
    pub runs: Vec<Run>,
    /// The run of ours that a build belongs to.
    pub run: Option<Run>,
    /// The last verdict: of the run's rule on its subject before this run, or of the same job
    /// before this build.
    pub previous: Option<Verdict>,
    /// Whether the same rule has ordered the run's revision again since.
    pub is_outdated: bool,
    /// Whether an event of this identity was stored before.
    pub is_repeat: bool,
    /// About a run of ours: the newest runs of the other rules at its revision.
    pub siblings: Vec<Run>,
    /// About a comment: the commands that it was last known to have, if it is known.
    pub commands: Option<Vec<Command>>,
    /// About a comment or a command: how many its giver has given about this subject within the last hour.
    pub given: u32,
    /// About a question why: what happened about the subject, newest first.
    pub history: Vec<Past>,
    /// About a series: the open runs of its earlier versions that its source knows by other ids.
    pub older: Vec<Run>,
    /// About a series: the branches that it is on, each by its repository and its name.
    pub branches: Vec<(String, String)>,
    /// About a series: a newer version of it that its source knows by another id.
    pub newer: Option<u32>,
    /// About a series: the branch of the upstream that its last version was put upon.
    pub last_base: Option<String>,
    /// About a build of a series: the other runs of the same rule at the same version.
    pub parts: Vec<Run>,
    /// About a build that others wait for: those.
    pub waiting: Vec<Waiting>,
    /// About a build of a series: the build of its base by the same rule.
    pub baseline: Option<Run>,
    /// About a run on one kind of board: the run on all of them.
    pub whole: Option<Waiting>,
    /// About a run on boards: the newest on each kind of them.
    pub on_boards: Vec<OnBoard>,
    /// The time of the decision, in milliseconds since 1970.
    pub now: i64,
}

/// A run that another one has to end for before people are told of it.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The run.
    pub run: Run,
    /// The last verdict of its rule on its subject before.
    pub previous: Option<Verdict>,
    /// Whether a newer version of its series is known, or its rule has ordered it again.
    pub is_outdated: bool,
}

/// An earlier event about a subject, and what was decided.
#[derive(Clone, Debug)]
pub struct Past {
    /// What happened.
    pub kind: EventKind,
    /// When it was heard of, in milliseconds since 1970.
    pub at: i64,
    /// What the rules said.
    pub decision: Decision,
}

/// A commit that somebody lets be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The commit, and no other.
    pub head: CommitSha,
    /// Who gave it.
    pub by: String,
    /// The giver's lasting id.
    pub by_id: Option<String>,
    /// What the giver was to the project then.
    pub standing: Standing,
    /// The comment it was given in.
    pub comment: String,
    /// When it was heeded, in milliseconds since 1970.
    pub at: i64,
}

/// A command that was answered, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The comment that the command stood in.
    pub comment: String,
    /// Who gave it, fit to be shown.
    pub by: String,
    /// The command, fit to be shown.
    pub command: String,
    /// The answer.
    pub words: String,
    /// When it was given, in milliseconds since 1970.
    #[serde(default)]
    pub at: i64,
}

/// A proposal as it was last heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectState {
    /// Whether it is open.
    pub is_open: bool,
    /// Its head commit.
    pub head: Option<CommitSha>,
    /// Heads it had before, newest last, at most [`SubjectState::PAST_HEADS_MAX`].
    pub past_heads: Vec<CommitSha>,
    /// The forge's time of the last news, in milliseconds since 1970.
    pub at: Option<i64>,
    /// Whether its author says that it is not ready.
    #[serde(default)]
    pub is_draft: bool,
    /// Since when it has its head, as told by the forge, in milliseconds since 1970.
    #[serde(default)]
    pub head_since: Option<i64>,
    /// The commit that somebody lets be built; a push takes it back.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// The branch it wants to change, where that was told.
    #[serde(default)]
    pub target: Option<String>,
    /// Who pushed its head, where that was somebody else than its author.
    #[serde(default)]
    pub pusher: Option<Pusher>,
    /// The last answers to commands, newest last, at most [`SubjectState::ANSWERS_MAX`].
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// What is known of a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesState>,
    /// What is known of an artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds: Vec<PublishedBuild>,
}

/// A build of an artifact that was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedBuild {
    /// What tells it from other builds.
    pub build: String,
    /// What tells its content from another one.
    pub digest: String,
    /// The commit that it was made of, where that is told.
    #[serde(default)]
    pub sha: Option<CommitSha>,
}

/// A series as it was last heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesState {
    /// Its newest version.
    pub version: u32,
    /// Who lets that version be built, if somebody does.
    #[serde(default)]
    pub approved_by: Option<String>,
    /// What tells which versions of it are known by other ids: its author and `change-id`, if any.
    #[serde(default)]
    pub change: Option<String>,
    /// The same by its author and its title.
    pub name: String,
    /// The branch of the upstream that it was put upon, to try that first next time.
    #[serde(default)]
    pub base: Option<String>,
}

impl SubjectState {
    /// How many past heads are remembered, to tell late news from a return to an old head.
    pub const PAST_HEADS_MAX: usize = 50;
    /// How many builds of an artifact are remembered, to tell one that is published anew.
    pub const BUILDS_MAX: usize = 200;
    /// How many answers are shown in the one comment.
    pub const ANSWERS_MAX: usize = Command::PER_COMMENT_MAX;
    /// How long an answer is shown, in milliseconds, once there is another one or another head.
    pub const ANSWER_AGE_MAX: i64 = 15 * 60_000;

    /// Forgets the answers that are no news any more.
    pub fn keep_answers(&mut self, now: i64) {
        let oldest = now.saturating_sub(Self::ANSWER_AGE_MAX);
        self.answers.retain(|answer| answer.at >= oldest);
    }
}

/// What the rules say to one event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Why no rule was asked, if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_news: Option<String>,
    /// Every rule that was considered, and why it did or did not fire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub considered: Vec<Considered>,
    /// What happens besides what rules want: cancellations, progress of a run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What is to be done.
    #[serde(skip)]
    pub actions: Vec<Action>,
    /// The runs that are new or have changed, whole.
    #[serde(skip)]
    pub runs: Vec<Run>,
    /// The proposal as it is now, if that changed.
    #[serde(skip)]
    pub subject: Option<SubjectState>,
    /// The commands that a comment has now; by them it is known what an edit adds.
    #[serde(skip)]
    pub commands: Option<Vec<Command>>,
}

/// One rule that was considered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    /// Its name.
    pub rule: String,
    /// Where it stands: file and line.
    pub at: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Why a rule did or did not fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It fired; the keys of the actions it caused.
    Fired {
        /// Keys of the actions.
        actions: Vec<String>,
    },
    /// It would have fired, but it is in shadow mode; what it would have done.
    Shadow {
        /// Keys of the actions that were not stored.
        actions: Vec<String>,
    },
    /// A `where` field does not match.
    Elsewhere {
        /// The name.
        name: String,
        /// What the rule wants.
        wanted: String,
        /// What the event has.
        found: Option<String>,
    },
    /// A condition is false.
    Not {
        /// The condition.
        condition: String,
        /// The names in it, and the values seen.
        saw: Vec<(String, String)>,
    },
    /// A condition, parameter or text could not be evaluated.
    Failed {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        error: String,
    },
    /// The same rule has ordered this revision before.
    Already {
        /// That run.
        run: String,
    },
    /// It waits until its forge has said what the author of the change is to the project.
    Asks,
    /// The author of the change is not trusted by the rule: the run waits for an approval.
    Held {
        /// Whose changes the rule builds.
        wanted: String,
        /// What the author is to the project.
        found: String,
        /// The run that waits.
        run: String,
    },
    /// The author of the change is not trusted by the rule.
    Untrusted {
        /// Whose changes the rule builds.
        wanted: String,
        /// What the author is to the project.
        found: String,
    },
    /// The author of the series wants no builds.
    OptedOut {
        /// The word or line that says so.
        word: String,
    },
    /// The event lacks what the rule needs.
    Lacks {
        /// What is missing.
        what: String,
    },
}

impl Outcome {
    /// The word for it in tables and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Fired { .. } => "fired",
            Self::Shadow { .. } => "shadow",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Not { .. } => "not",
            Self::Failed { .. } => "failed",
            Self::Already { .. } => "already",
            Self::Asks => "asks",
            Self::Held { .. } => "held",
            Self::Untrusted { .. } => "untrusted",
            Self::OptedOut { .. } => "opted-out",
            Self::Lacks { .. } => "lacks",
        }
    }
}
