//! `CDEvents` 0.5: a run is a pipeline run.
//!
//! Each event is a `CloudEvent` in structured form, whose data is the whole event; the topic is
//! its type.  There is no word for a run that waits for somebody's approval, so none is said.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{OwnName, plain, stage};
use crate::action::{Report, Stage};
use crate::message::{Message, computed_id};
use crate::source::amqp::publish::Outgoing;
use crate::subject::Verdict;

/// The version of the specification.
const SPEC_VERSION: &str = "0.5.0";
/// The version of events about pipeline runs in it.
const EVENT_VERSION: &str = "0.3.0";
/// What the types of all events begin with.
const FAMILY: &str = "dev.cdevents.";

/// An event, and what its message is made of.
pub(super) struct Event(Outgoing);

impl Event {
    /// The message as it is sent at `now`.
    pub(super) fn message(&self, prefix: &str, now: Timestamp) -> Message {
        let content_type = Some("application/cloudevents+json".to_owned());
        Message { content_type, ..self.0.message(prefix, now) }
    }
}

/// What is told of a run, if there is a word for it.
pub(super) fn about_run(report: &Report, name: &OwnName, now: Timestamp) -> Option<Event> {
    let (predicate, verdict) = match report.stage {
        Stage::Held => return None,
        Stage::Queued | Stage::Running | Stage::Done(_) => stage(report.stage),
    };
    let kind = format!("{FAMILY}pipelinerun.{predicate}.{EVENT_VERSION}");
    let id =
        computed_id(&[b"cdevents", report.marker.as_bytes(), report.stage.as_str().as_bytes()]);
    let (source, timestamp) = (name.as_str(), now.to_string());
    let event = json!({
        "context": {
            "specversion": SPEC_VERSION, "id": id, "source": source, "type": kind,
            "timestamp": timestamp,
        },
        "subject": { "id": report.run, "source": source, "content": content(report, verdict) },
        "customData": { "pointsman": plain::custom(report) },
        "customDataContentType": "application/json",
    });
    let body = json!({
        "specversion": "1.0", "id": id, "source": source, "type": kind,
        "subject": report.run, "time": timestamp, "datacontenttype": "application/json",
        "data": event,
    });
    Some(Event(Outgoing { id, topic: kind, headers: Map::new(), body }))
}

fn content(report: &Report, verdict: Option<Verdict>) -> Value {
    let mut content = Map::from_iter([("pipelineName".to_owned(), report.rule.as_str().into())]);
    // A run that has started has to have an address.
    let uri = match (&report.url, report.stage) {
        (Some(url), _) => Some(url.clone()),
        (None, Stage::Running) => Some(format!("urn:pointsman:run:{}", report.run)),
        (None, Stage::Held | Stage::Queued | Stage::Done(_)) => None,
    };
    content.extend(uri.map(|uri| ("uri".to_owned(), uri.into())));
    if let Some(verdict) = verdict {
        let outcome = outcome(verdict);
        content.insert("outcome".to_owned(), outcome.into());
        if outcome != "success" {
            content.insert("errors".to_owned(), report.text.as_str().into());
        }
    }
    Value::Object(content)
}

/// Of the four words none says unstable, conflict or skipped.
fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Success | Verdict::Skipped => "success",
        Verdict::Failure | Verdict::Unstable | Verdict::Conflict => "failure",
        Verdict::Error => "error",
        Verdict::Cancelled => "cancel",
    }
}

/// Whether this is such an event, and `name` has said it.
pub(super) fn is_by(name: &OwnName, body: &Value) -> bool {
    let context = |key: &str| body.get("context")?.get(key)?.as_str();
    context("type").is_some_and(|kind| kind.starts_with(FAMILY))
        && context("source") == Some(name.as_str())
}
