//! What LAVA tells of jobs, boards and results, and what we make of it.

use serde::Deserialize;
use serde_json::Value;

use crate::neutral;
use crate::subject::RunId;

/// How long LAVA's own words may be where we repeat them, in characters.
pub(super) const WORDS_MAX_CHARS: usize = 200;

/// A part of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    /// How many entries there are in all.
    pub(super) count: u64,
    pub(super) results: Vec<T>,
}

/// A job.
#[derive(Deserialize)]
pub(super) struct Job {
    pub(super) id: u64,
    #[serde(default)]
    submitter: String,
    /// Its name.
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    pub(super) requested_device_type: Option<String>,
    pub(super) state: String,
    health: String,
    #[serde(default)]
    failure_comment: Option<String>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No board was found for it yet.
    Waiting,
    /// It has a board, and has not begun.
    Scheduled,
    /// It goes on, or nobody knows better.
    Running,
    /// It ran to its end, well or not.
    Complete,
    /// It broke off.
    Incomplete,
    /// Somebody stopped it.
    Canceled,
}

/// What LAVA answers to a definition: the numbers of the jobs it made.
#[derive(Deserialize)]
pub(super) struct Made {
    job_ids: Vec<Value>,
}

/// A board.
#[derive(Deserialize)]
pub(super) struct Device {
    #[serde(default, rename = "device_type")]
    pub(super) kind: Option<String>,
    /// The numbers of its tags.
    #[serde(default)]
    pub(super) tags: Vec<Value>,
    pub(super) health: String,
    /// The worker that it hangs on.
    #[serde(default)]
    pub(super) worker_host: Option<String>,
}

/// A worker.
#[derive(Deserialize)]
pub(super) struct Worker {
    pub(super) hostname: String,
    state: String,
    #[serde(default)]
    health: Option<String>,
}

/// A tag.
#[derive(Deserialize)]
pub(super) struct Tag {
    pub(super) id: u64,
    pub(super) name: String,
}

/// A suite of results.
#[derive(Deserialize)]
pub(super) struct Suite {
    pub(super) id: u64,
    pub(super) name: String,
}

/// A result.
#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) id: u64,
    pub(super) name: String,
    /// `pass`, `fail`, `skip` or `unknown`.
    pub(super) result: String,
    /// The number of its suite.
    pub(super) suite: u64,
    /// What LAVA knows besides, as YAML.
    #[serde(default)]
    pub(super) metadata: Option<String>,
}

impl Job {
    /// Whether it is the job of `run`, submitted by `own`.
    pub(super) fn is_of(&self, own: &str, run: &RunId) -> bool {
        let name = self.description.as_deref().unwrap_or_default();
        self.submitter == own && name.ends_with(run.as_str())
    }

    pub(super) fn is_by(&self, user: &str) -> bool {
        self.submitter == user
    }

    pub(super) fn standing(&self) -> Standing {
        match (self.state.as_str(), self.health.as_str()) {
            ("Submitted" | "Scheduling", _) => Standing::Waiting,
            ("Scheduled", _) => Standing::Scheduled,
            ("Finished", "Complete") => Standing::Complete,
            ("Finished", "Incomplete") => Standing::Incomplete,
            ("Finished", "Canceled") => Standing::Canceled,
            // Also what has ended and nobody knows how: LAVA still makes up its mind.
            (_, _) => Standing::Running,
        }
    }

    /// What somebody, or LAVA, says about why it broke off.
    pub(super) fn comment(&self) -> Option<&str> {
        self.failure_comment.as_deref().map(str::trim).filter(|words| !words.is_empty())
    }
}

impl Made {
    /// The number of the job, where it is one.
    pub(super) fn only(&self) -> Option<u64> {
        match self.job_ids.as_slice() {
            [one] => one.as_u64(),
            [] | [_, ..] => None,
        }
    }
}

impl Device {
    /// Whether jobs are given to boards of this health.
    pub(super) fn is_healthy(&self) -> bool {
        matches!(self.health.as_str(), "Good" | "Unknown")
    }

    /// Whether it has a tag, of which LAVA tells the number, and may once tell the name.
    pub(super) fn has(&self, tag: &Tag) -> bool {
        self.tags.iter().any(|own| match own {
            Value::Number(id) => id.as_u64() == Some(tag.id),
            Value::String(name) => *name == tag.name,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        })
    }
}

impl Worker {
    /// Whether it is there, and takes jobs.
    pub(super) fn is_online(&self) -> bool {
        self.state == "Online" && self.health.as_deref().is_none_or(|health| health == "Active")
    }
}

/// LAVA's own words, in one line that is not endless.
pub(super) fn words(text: &str) -> String {
    plain(text, WORDS_MAX_CHARS)
}

/// A text from outside, in one line of at most so many characters.
pub(super) fn plain(text: &str, max_chars: usize) -> String {
    let text = neutral::plain(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(max_chars).collect()
}
