//! The envelope of legacy fedmsg, in which bridges and Pagure's webhooks still wrap a body.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Envelope, Form, Unreadable, into_object, public, sent_at};
use crate::message::Message;

/// Whether `body` is such an envelope and not just a body with a topic in it.
pub(super) fn is_one(body: &Map<String, Value>) -> bool {
    body.get("topic").is_some_and(Value::is_string)
        && body.get("msg").is_some_and(Value::is_object)
        && (body.contains_key("msg_id") || body.contains_key("timestamp"))
}

/// Unwraps what is inside.
pub(super) fn open(
    message: &Message,
    mut body: Map<String, Value>,
) -> Result<Envelope, Unreadable> {
    let inside = body.remove("msg").unwrap_or_default();
    let id = body.get("msg_id").and_then(Value::as_str);
    let id = match id {
        Some(id) => Message { id: Some(id.to_owned()), ..Message::default() }.identity(),
        None => message.identity(),
    };
    let topic = body.get("topic").and_then(Value::as_str).unwrap_or_default();
    Ok(Envelope {
        id,
        form: Form::Fedmsg,
        topic: longer(&message.topic, topic).to_owned(),
        headers: public(&message.headers),
        sent_at: sent_at(&message.headers).or_else(|| timestamp(body.get("timestamp")?)),
        body: Value::Object(into_object(inside)?),
    })
}

/// The topic of the envelope, unless the one on the outside is the same with more before it:
/// Pagure's webhooks say `pull-request.new` where the bus says `….pagure.pull-request.new`.
fn longer<'topic>(outside: &'topic str, inside: &'topic str) -> &'topic str {
    match outside.strip_suffix(inside) {
        Some(prefix) if prefix.ends_with('.') => outside,
        Some(_) | None => inside,
    }
}

/// Seconds since 1970, which some senders give with a fraction.
fn timestamp(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_f64()?;
    let time = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_millisecond(i64::try_from(time.as_millis()).ok()?).ok()
}
