//! fedora-messaging: a bare JSON body, told by its headers.
//!
//! None of the headers is certain to be there, and none is validated: a schema that nobody knows
//! or a severity of 25 is no reason to refuse a message.

use serde_json::{Map, Value};

use super::{Envelope, Form, Limits, Unreadable, object, plain};
use crate::message::Message;

/// Whether the headers are those of fedora-messaging.
pub(super) fn is_one(headers: &Map<String, Value>) -> bool {
    headers.contains_key("fedora_messaging_schema")
        || headers.contains_key("fedora_messaging_severity")
}

/// Opens such a message.
pub(super) fn open(message: &Message, limits: &Limits) -> Result<Envelope, Unreadable> {
    let body = object(&message.body, message, limits)?;
    Ok(Envelope { form: Form::FedoraMessaging, ..plain::open(message, body) })
}
