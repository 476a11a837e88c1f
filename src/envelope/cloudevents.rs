//! CloudEvents 1.0, structured and binary.
//!
//! There is no official binding to AMQP 0-9-1, so senders spell the headers of the binary form in
//! four ways: the two of the AMQP 1.0 binding, Knative's reader and Knative's writer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{
    Envelope, Form, Limits, Unreadable, into_object, object, public, strip_prefix_ignoring_case,
    time,
};
use crate::message::{Message, MessageId, hash};

/// What stands before the name of an attribute in a header.
const PREFIXES: [&str; 3] = ["cloudEvents_", "cloudEvents:", "ce-"];
/// The attributes that every `CloudEvent` has.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];
/// The attributes of an event without a prefix that are copied; other headers may be anything.
const BARE: [&str; 8] =
    ["specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema"];

/// How the attributes of an event are spelled in its headers.
#[derive(Clone, Copy)]
pub(super) enum Spelling {
    /// With this before each.
    Prefixed(&'static str),
    /// As they are.
    Bare,
}

/// How the attributes are spelled, if there are any.
pub(super) fn spelling(headers: &Map<String, Value>) -> Option<Spelling> {
    let is_prefixed = |prefix: &str| {
        headers.keys().any(|name| {
            strip_prefix_ignoring_case(name, prefix)
                .is_some_and(|rest| rest.eq_ignore_ascii_case("specversion"))
        })
    };
    if let Some(prefix) = PREFIXES.into_iter().find(|prefix| is_prefixed(prefix)) {
        return Some(Spelling::Prefixed(prefix));
    }
    // Without a prefix all four have to be there: `id` or `type` alone can be anybody's.
    REQUIRED.iter().all(|name| headers.contains_key(*name)).then_some(Spelling::Bare)
}

/// Opens an event whose attributes are in the headers.
pub(super) fn binary(
    message: &Message,
    spelling: Spelling,
    limits: &Limits,
) -> Result<Envelope, Unreadable> {
    let mut attributes = Map::new();
    for (header, value) in &message.headers {
        let name = match spelling {
            Spelling::Prefixed(prefix) => strip_prefix_ignoring_case(header, prefix),
            Spelling::Bare => BARE.contains(&header.as_str()).then_some(header.as_str()),
        };
        if let Some(name) = name {
            attributes.insert(name.to_ascii_lowercase(), value.clone());
        }
    }
    let body = object(&message.body, message, limits)?;
    envelope(message, Form::CloudEventBinary, attributes, body)
}

/// Opens an event that is one JSON object.
pub(super) fn structured(message: &Message, limits: &Limits) -> Result<Envelope, Unreadable> {
    let mut attributes = object(&message.body, message, limits)?;
    let data = attributes.remove("data");
    let data = match (data, attributes.remove("data_base64")) {
        (Some(data), _) => into_object(data)?,
        (None, Some(encoded)) => {
            let encoded = encoded.as_str().ok_or(Unreadable::NotBase64)?;
            let bytes = STANDARD.decode(encoded).map_err(|_what_exactly| Unreadable::NotBase64)?;
            object(&bytes, message, limits)?
        }
        // An event may have no data at all; what it says is in its attributes.
        (None, None) => Map::new(),
    };
    envelope(message, Form::CloudEventStructured, attributes, data)
}

fn envelope(
    message: &Message,
    form: Form,
    attributes: Map<String, Value>,
    body: Map<String, Value>,
) -> Result<Envelope, Unreadable> {
    let required = |name: &'static str| {
        let text = attributes.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).ok_or(Unreadable::CloudEvent(name))
    };
    for name in REQUIRED {
        required(name)?;
    }
    let identity = hash(&[required("source")?.as_bytes(), required("id")?.as_bytes()]);
    let topic =
        if message.topic.is_empty() { required("type")?.to_owned() } else { message.topic.clone() };
    let sent_at = attributes.get("time").and_then(Value::as_str).and_then(time);
    let mut headers = public(&message.headers);
    for (name, value) in attributes {
        headers.insert(format!("ce-{name}"), value);
    }
    Ok(Envelope {
        id: MessageId::known(format!("sha256-{identity}")),
        form,
        topic,
        headers,
        sent_at,
        body: Value::Object(body),
    })
}
