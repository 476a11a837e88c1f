//! What happens in a stand-in Jenkins, and the messages that the mq-notifier plugin publishes then.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::BuildResult;

/// Something that happened, as plugins hear of it.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happened.
    pub phase: Phase,
    /// The full name of the job.
    pub job: String,
    /// The page of the build, or of the job while there is none, below the configured root.
    pub url: Url,
    /// The number of the build, once it has begun.
    pub number: Option<u64>,
    /// What it was told, in the order of the job's definitions, passwords in clear text.
    pub parameters: Vec<(String, String)>,
    /// Class and sentence of the cause.
    pub cause: (&'static str, String),
}

/// What happened to a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits.
    Queued,
    /// It has begun.
    Started,
    /// It has ended.
    Finished {
        /// How.
        result: BuildResult,
        /// After how long.
        took: Duration,
    },
}

/// Routing key and body of the message that the plugin publishes for `change`.
pub fn mq_notifier_message(change: &Change) -> (String, Value) {
    // Text of the form NAME=VALUE, passwords in clear: so does the plugin.
    let parameters: Vec<String> =
        change.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let host = change.url.host_str().unwrap_or_default();
    let mut body = json!({
        "url": change.url.as_str(),
        "build_job_name": change.job,
        "jenkins_master_fqdn": "stand-in",
        "jenkins_canonical_name": host,
        "parameters": parameters,
    });
    let (key, more) = match &change.phase {
        Phase::Queued => (
            "queue.QUEUED",
            json!({"state": "QUEUED", "listener_type": "queue", "allocated_label": "NO_LABEL"}),
        ),
        Phase::Started => {
            let (class, sentence) = &change.cause;
            (
                "run.STARTED",
                json!({
                    "state": "STARTED", "listener_type": "run", "build_number": change.number,
                    "causes": format!("[{class}, {sentence}]"),
                }),
            )
        }
        Phase::Finished { result, took } => (
            "run.COMPLETED",
            json!({
                "state": "COMPLETED", "listener_type": "run", "build_number": change.number,
                "build_duration": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "status": result.as_str(),
            }),
        ),
    };
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    (key.to_owned(), body)
}
