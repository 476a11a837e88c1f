//! A bare JSON body.

use serde_json::{Map, Value};

use super::{Envelope, Form, public, sent_at};
use crate::message::Message;

/// The envelope of a message that has none.
pub(super) fn open(message: &Message, body: Map<String, Value>) -> Envelope {
    Envelope {
        id: message.identity(),
        form: Form::Plain,
        topic: message.topic.clone(),
        headers: public(&message.headers),
        sent_at: sent_at(&message.headers),
        body: Value::Object(body),
    }
}
