//! Eiffel, as of its edition Arica: a run is an activity.
//!
//! All that is said of an activity refers to the event that it was triggered, so that one comes
//! first.  Ids are computed: the same happening has the same id whenever it is told.  There is no
//! word for a run that waits for somebody's approval, so none is said.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{OwnName, plain};
use crate::action::{Report, Stage};
use crate::message::{Message, computed_name_id};
use crate::source::amqp::publish::Outgoing;
use crate::subject::{SubjectKind, Verdict};

/// What the types of all events begin with.
const FAMILY: &str = "Eiffel";
/// What we are called beside our address; routing keys end in it, so that a domain is one word
/// there.
const SENDER: &str = "pointsman";

/// A type of events, and its version in the edition.
#[derive(Clone, Copy)]
enum Kind {
    Triggered,
    Started,
    Finished,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "EiffelActivityTriggeredEvent",
            Self::Started => "EiffelActivityStartedEvent",
            Self::Finished => "EiffelActivityFinishedEvent",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Triggered => "4.2.0",
            Self::Started => "4.3.0",
            Self::Finished => "3.3.0",
        }
    }

    /// The id of such an event about a run; a reader insists on the versions of UUIDs up to 5.
    fn id(self, report: &Report, name: &OwnName) -> String {
        let parts = [name.as_str(), self.as_str(), report.run.as_str()];
        computed_name_id(&parts.map(str::as_bytes))
    }
}

/// What is told of a run at `now`; `is_triggered` says whether it was told that it was triggered.
pub(super) fn about_run(
    report: &Report,
    name: &OwnName,
    (now, is_triggered): (Timestamp, bool),
) -> Vec<Message> {
    let (is_first, own) = match report.stage {
        Stage::Held => return Vec::new(),
        Stage::Queued => (true, None),
        Stage::Running => (!is_triggered, Some((Kind::Started, started(report)))),
        Stage::Done(verdict) => (!is_triggered, Some((Kind::Finished, finished(report, verdict)))),
    };
    let first = is_first.then(|| (Kind::Triggered, triggered(report)));
    let events = first.into_iter().chain(own);
    events.map(|(kind, data)| message(report, name, (kind, data, now))).collect()
}

/// There is a convention for routing keys, so no prefix stands before them.
fn message(
    report: &Report,
    name: &OwnName,
    (kind, data, now): (Kind, Value, Timestamp),
) -> Message {
    let id = kind.id(report, name);
    // Readers know services apart by their domains.
    let domain = name.host.as_deref().unwrap_or(SENDER);
    let mut source = json!({ "domainId": domain, "name": SENDER, "uri": name.as_str() });
    if let (Some(source), Some(host)) = (source.as_object_mut(), &name.host) {
        source.insert("host".to_owned(), host.as_str().into());
    }
    let links = match kind {
        Kind::Triggered => json!([]),
        Kind::Started | Kind::Finished => {
            let target = Kind::Triggered.id(report, name);
            json!([{ "type": "ACTIVITY_EXECUTION", "target": target }])
        }
    };
    let body = json!({
        "meta": {
            "id": id, "type": kind.as_str(), "version": kind.version(),
            "time": now.as_millisecond(), "source": source,
        },
        "data": data,
        "links": links,
    });
    let topic = format!("eiffel.activity.{}._.{SENDER}", kind.as_str());
    Outgoing { id, topic, headers: Map::new(), body }.message("", now)
}

fn triggered(report: &Report) -> Value {
    let trigger = match report.subject.kind {
        SubjectKind::PullRequest | SubjectKind::Branch | SubjectKind::Tag | SubjectKind::Series => {
            "SOURCE_CHANGE"
        }
        SubjectKind::Artifact | SubjectKind::Job => "OTHER",
    };
    json!({
        "name": report.rule,
        "triggers": [{ "type": trigger, "description": report.subject.key() }],
        "executionType": "AUTOMATED",
        "customData": custom(&plain::whose(report)),
    })
}

fn started(report: &Report) -> Value {
    let mut data = json!({ "customData": custom(&plain::custom(report)) });
    if let (Some(data), Some(url)) = (data.as_object_mut(), &report.url) {
        data.insert("executionUri".to_owned(), url.as_str().into());
    }
    data
}

fn finished(report: &Report, verdict: Verdict) -> Value {
    let mut data = json!({
        "outcome": { "conclusion": conclusion(verdict), "description": report.text },
        "customData": custom(&plain::custom(report)),
    });
    if let (Some(data), Some(url)) = (data.as_object_mut(), &report.url) {
        let logs = json!([{ "name": report.rule, "uri": url }]);
        data.insert("persistentLogs".to_owned(), logs);
    }
    data
}

fn custom(value: &Value) -> Value {
    json!([{ "key": SENDER, "value": value }])
}

/// Of the six words none says unstable, conflict or skipped.
fn conclusion(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Success | Verdict::Skipped => "SUCCESSFUL",
        Verdict::Failure | Verdict::Unstable | Verdict::Conflict => "UNSUCCESSFUL",
        Verdict::Error => "FAILED",
        Verdict::Cancelled => "ABORTED",
    }
}

/// Whether this is such an event, and `name` has said it.
pub(super) fn is_by(name: &OwnName, body: &Value) -> bool {
    let meta = body.get("meta");
    let kind = meta.and_then(|meta| meta.get("type")?.as_str());
    let source = |key: &str| meta?.get("source")?.get(key)?.as_str();
    kind.is_some_and(|kind| kind.starts_with(FAMILY))
        && source("name") == Some(SENDER)
        && source("uri") == Some(name.as_str())
}
