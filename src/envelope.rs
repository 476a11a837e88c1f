//! What a message says, out of whichever envelope it came in: headers, and a body that is a JSON
//! object.  Anything else is refused with a reason, and never with a panic.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::message::{Message, MessageId};

mod cloudevents;
mod fedmsg;
mod fedora_messaging;
mod plain;

/// Headers that are for the transport and may hold secrets; no reading has business with them.
const PRIVATE_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Its length in bytes.
    pub body_bytes: usize,
    /// How deep its arrays and objects may be nested.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 8 * 1024 * 1024, depth: 64 }
    }
}

/// The ways in which messages are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The bare body, with `fedora_messaging_*` headers.
    FedoraMessaging,
    /// The body inside of fedmsg's `{"topic", "msg", "msg_id", …}`.
    Fedmsg,
    /// A `CloudEvent` that is one JSON object with its data inside.
    CloudEventStructured,
    /// A `CloudEvent` with its attributes in the headers and its data as the body.
    CloudEventBinary,
    /// The bare body, and nothing that says more.
    Plain,
}

/// A message that could be read.
#[derive(Clone, PartialEq)]
pub struct Envelope {
    /// The identity of the message.
    pub id: MessageId,
    /// How it was wrapped.
    pub form: Form,
    /// The topic, deployment prefix included.
    pub topic: String,
    /// The headers, without those that may hold secrets; the attributes of a `CloudEvent` are
    /// `ce-source`, `ce-type` and so on, however they were spelled.
    pub headers: Map<String, Value>,
    /// When it was sent, if the sender says so in a way that can be read.
    pub sent_at: Option<Timestamp>,
    /// The body, always an object.
    pub body: Value,
}

impl fmt::Debug for Envelope {
    /// Shows neither headers nor body: there may be passwords in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("id", &self.id)
            .field("form", &self.form)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The body is too large.
    #[error("the body has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The size of the body.
        bytes: usize,
        /// The largest that is accepted.
        limit: usize,
    },
    /// The body is compressed, or in another character set.
    #[error("the content encoding is `{0}`, only UTF-8 is read")]
    Encoding(String),
    /// There is nothing in the body.
    #[error("the body is empty")]
    Empty,
    /// The body is no text.
    #[error("the body is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first byte that does not belong to a character.
        at: usize,
    },
    /// The body is a text, but not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The body is JSON, but not an object.
    #[error("the body is {0}, not an object")]
    NotAnObject(&'static str),
    /// The body is nested too deep.
    #[error("the body is nested deeper than {limit} levels")]
    TooDeep {
        /// The deepest that is accepted.
        limit: usize,
    },
    /// Several CloudEvents in one message.
    #[error("the body is a batch of CloudEvents, which only HTTP may carry")]
    Batch,
    /// A `CloudEvent` without an attribute that every one of them has.
    #[error("the CloudEvent has no `{0}`")]
    CloudEvent(&'static str),
    /// The binary data of a `CloudEvent` cannot be decoded.
    #[error("the `data_base64` of the CloudEvent is not base64")]
    NotBase64,
}

/// Opens the envelope of `message`.
pub fn open(message: &Message, limits: &Limits) -> Result<Envelope, Unreadable> {
    let content_type = message.content_type.as_deref().unwrap_or_default();
    if let Some(rest) = strip_prefix_ignoring_case(content_type, "application/cloudevents") {
        if strip_prefix_ignoring_case(rest, "-batch").is_some() {
            return Err(Unreadable::Batch);
        }
        return cloudevents::structured(message, limits);
    }
    if let Some(spelling) = cloudevents::spelling(&message.headers) {
        return cloudevents::binary(message, spelling, limits);
    }
    if fedora_messaging::is_one(&message.headers) {
        return fedora_messaging::open(message, limits);
    }
    let body = object(&message.body, message, limits)?;
    if fedmsg::is_one(&body) {
        return fedmsg::open(message, body);
    }
    Ok(plain::open(message, body))
}

/// The JSON object in `bytes`; `message` tells how they are encoded.
fn object(
    bytes: &[u8],
    message: &Message,
    limits: &Limits,
) -> Result<Map<String, Value>, Unreadable> {
    if bytes.len() > limits.body_bytes {
        return Err(Unreadable::TooLarge { bytes: bytes.len(), limit: limits.body_bytes });
    }
    check_encoding(message.content_encoding.as_deref().unwrap_or_default())?;
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Unreadable::NotUtf8 { at: error.valid_up_to() })?;
    if text.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    // Into a `Value` first: it lets the last of two equal keys win, as most senders' own
    // libraries do, where a struct would refuse the message.
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        if message.starts_with("recursion limit exceeded") {
            Unreadable::TooDeep { limit: limits.depth }
        } else {
            Unreadable::NotJson(message)
        }
    })?;
    if is_deeper(&value, limits.depth) {
        return Err(Unreadable::TooDeep { limit: limits.depth });
    }
    into_object(value)
}

fn into_object(value: Value) -> Result<Map<String, Value>, Unreadable> {
    match value {
        Value::Object(object) => Ok(object),
        Value::Null => Err(Unreadable::NotAnObject("null")),
        Value::Bool(_) => Err(Unreadable::NotAnObject("a boolean")),
        Value::Number(_) => Err(Unreadable::NotAnObject("a number")),
        Value::String(_) => Err(Unreadable::NotAnObject("a string")),
        Value::Array(_) => Err(Unreadable::NotAnObject("an array")),
    }
}

fn check_encoding(encoding: &str) -> Result<(), Unreadable> {
    const READ: [&str; 6] = ["", "utf-8", "utf8", "us-ascii", "ascii", "identity"];
    let name = encoding.trim();
    if READ.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let shown = name.chars().filter(|c| !c.is_control()).take(40).collect();
    Err(Unreadable::Encoding(shown))
}

/// Whether arrays and objects are nested more than `depth` deep.  The parser has its own limit
/// of 128, so that this cannot recurse far.
fn is_deeper(value: &Value, depth: usize) -> bool {
    let Some(left) = depth.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Value::Array(values) => values.iter().any(|value| is_deeper(value, left)),
        Value::Object(fields) => fields.values().any(|value| is_deeper(value, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The headers that readings may see.
fn public(headers: &Map<String, Value>) -> Map<String, Value> {
    let is_public =
        |name: &str| !PRIVATE_HEADERS.iter().any(|private| name.eq_ignore_ascii_case(private));
    headers
        .iter()
        .filter(|(name, _)| is_public(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A time as senders write it, which is RFC 3339 or nearly so.
fn time(text: &str) -> Option<Timestamp> {
    // The JMS plugin of Jenkins adds the zone as Java prints it: `…-04:00[America/New_York]`.
    let text = text.split('[').next().unwrap_or(text);
    text.trim().parse().ok()
}

/// When the message was sent, from the header that fedora-messaging has for it.
fn sent_at(headers: &Map<String, Value>) -> Option<Timestamp> {
    // `sent_at` is what the JMS plugin of Jenkins writes.
    ["sent-at", "sent_at"].into_iter().find_map(|name| time(headers.get(name)?.as_str()?))
}

fn strip_prefix_ignoring_case<'text>(text: &'text str, prefix: &str) -> Option<&'text str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests;
