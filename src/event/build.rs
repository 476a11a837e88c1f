//! Builds, ours or not.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventKind;
use super::thread::Thread;
use crate::subject::{ConnectionName, RunId, Verdict};

/// The names that an expression about a build may use.
pub(super) const BUILD_NAMES: &[&str] = &[
    "event",
    "instance",
    "build.job",
    "build.number",
    "build.url",
    "build.reason",
    "build.id",
    "build.of",
    "verdict",
    "previous.verdict",
    "run.id",
    "run.rule",
    "run.subject",
    "run.revision",
    "run.ours",
];

/// A build of some executor, ours or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildEvent {
    /// One of the `build.*` kinds.
    pub event: EventKind,
    /// The host of the executor; absent where its messages do not tell.
    #[serde(default)]
    pub instance: Option<String>,
    /// The connection that this executor is; filled in when the event comes in, not read.
    #[serde(default)]
    pub connection: Option<ConnectionName>,
    /// The full name of the job, folders separated by `/`.
    pub job: String,
    /// The number of the build; absent while it is queued.
    #[serde(default)]
    pub number: Option<u64>,
    /// The page of the build.
    #[serde(default)]
    pub url: Option<String>,
    /// How it ended, where that is known.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// The run id that it carries as a parameter; a text that is none is as good as absent.
    #[serde(default)]
    pub run: Option<RunId>,
    /// The executor's own name of the entry in its queue.
    #[serde(default)]
    pub queued: Option<String>,
    /// In a few words, why it is as it is; empty when there is nothing to say.
    #[serde(default)]
    pub reason: Option<String>,
    /// What its system calls this build, where builds have no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is built or tested, as its system calls that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Which messages it belongs together with.
    #[serde(default, skip_serializing_if = "Thread::is_nothing")]
    pub thread: Thread,
}

impl BuildEvent {
    /// The build as expressions see it; the ledger's part (`previous`, `run`) is added later.
    pub(super) fn names(&self) -> Value {
        serde_json::json!({
            "event": self.event,
            "instance": self.instance,
            "verdict": self.verdict,
            "build": {
                "job": self.job, "number": self.number, "url": self.url, "reason": self.reason,
                "id": self.id, "of": self.of,
            },
        })
    }
}
