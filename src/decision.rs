//! What the rules say to one event, with the reasons.

use serde::{Deserialize, Serialize};

use crate::action::Action;
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
}

/// A proposal as it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectState {
    /// Whether it is open.
    pub is_open: bool,
    /// Its head commit.
    pub head: Option<CommitSha>,
    /// Heads it had before, newest last, at most [`SubjectState::PAST_HEADS_MAX`].
    pub past_heads: Vec<CommitSha>,
    /// The forge's time of the last news, in milliseconds since 1970.
    pub at: Option<i64>,
}

impl SubjectState {
    /// How many past heads are remembered, to tell late news from a return to an old head.
    pub const PAST_HEADS_MAX: usize = 50;
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
    /// The author of the change is not trusted by the rule.
    Untrusted {
        /// Whose changes the rule builds.
        wanted: String,
        /// What the author is to the project.
        found: String,
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
            Self::Untrusted { .. } => "untrusted",
            Self::Lacks { .. } => "lacks",
        }
    }
}
