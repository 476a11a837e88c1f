//! Jobs, how they end, and what is told of that.

use jiff::Timestamp;
use serde_json::Value;

/// What becomes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs to its end, with these results: `Complete`, even if one of them failed.
    Complete(Vec<Case>),
    /// It breaks off.
    Incomplete {
        /// What was done before.
        cases: Vec<Case>,
        /// Whose fault it is: `Infrastructure`, `Job`, `Test`, `Bug`, …
        error_type: String,
        /// What went wrong.
        error_msg: String,
        /// Whether REST shows the words as `failure_comment`, too.
        is_comment: bool,
    },
    /// Somebody stopped it.
    Canceled,
    /// It is over, and nobody knows how.
    Unknown,
}

impl Outcome {
    /// Every one of these tests (`suite/name`) passes.
    pub fn passes(tests: &[&str]) -> Self {
        Self::Complete(tests.iter().map(|test| Case::new(test, "pass")).collect())
    }

    /// The first tests pass, and the others fail.
    pub fn fails(passed: &[&str], failed: &[&str]) -> Self {
        let passed = passed.iter().map(|test| Case::new(test, "pass"));
        Self::Complete(passed.chain(failed.iter().map(|test| Case::new(test, "fail"))).collect())
    }

    /// The board or its surroundings break, in these words.
    pub fn breaks(words: &str) -> Self {
        Self::Incomplete {
            cases: Vec::new(),
            error_type: "Infrastructure".to_owned(),
            error_msg: words.to_owned(),
            is_comment: true,
        }
    }
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The suite; that of LAVA itself is `lava`.
    pub suite: String,
    /// The name in the suite.
    pub name: String,
    /// `pass`, `fail`, `skip` or `unknown`.
    pub result: String,
    /// What LAVA knows besides, as YAML.
    pub metadata: Option<String>,
}

impl Case {
    /// The result of a test, such as `smoke/net`.
    pub fn new(test: &str, result: &str) -> Self {
        let (suite, name) = test.split_once('/').unwrap_or(("tests", test));
        Self {
            suite: suite.to_owned(),
            name: name.to_owned(),
            result: result.to_owned(),
            metadata: None,
        }
    }
}

/// A job, as it is kept.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// What several jobs of one definition are called: `7.0`, `7.1`.
    pub sub_id: Option<String>,
    /// Who submitted it.
    pub submitter: String,
    /// Its name.
    pub description: String,
    /// The kind of board it is for.
    pub device_type: String,
    /// What a board has to have for it.
    pub tags: Vec<String>,
    /// The board it is on.
    pub device: Option<String>,
    /// `Submitted`, `Scheduling`, `Scheduled`, `Running`, `Canceling` or `Finished`.
    pub state: &'static str,
    /// `Unknown`, `Complete`, `Incomplete` or `Canceled`.
    pub health: &'static str,
    /// Whether only its submitter may see it.
    pub is_personal: bool,
    /// The definition, as LAVA writes it again.
    pub definition: String,
    /// The definition, as it was submitted.
    pub original_definition: String,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What somebody, or LAVA, says about why it broke off.
    pub failure_comment: Option<String>,
    /// Its results.
    pub cases: Vec<Case>,
    /// What it will be once REST knows of its end.
    pub(super) decided: Option<Outcome>,
}

impl Job {
    /// Whether no board has been given to it yet.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, "Submitted" | "Scheduling")
    }

    /// Whether it has ended, as REST knows.
    pub fn is_finished(&self) -> bool {
        self.state == "Finished"
    }
}

/// A callback of a job that ended.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The job.
    pub job: u64,
    /// Where it goes.
    pub url: String,
    /// `GET` or `POST`.
    pub method: String,
    /// The name of the header that carries the token.
    pub header: String,
    /// The token, which stands there alone.
    pub token: Option<String>,
    /// The body; none for a GET.
    pub body: Option<Value>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
}
