//! Webhooks: what other systems post to us, believed only once the sender is proved.
//!
//! A hook only thinks: headers and body in, message out.  What it lets in goes the way of every
//! message, and is read by the same topics as the same event relayed over a bus.

use axum::http::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::message::{Message, hash};
use crate::subject::ConnectionName;

/// Why a post is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It has no signature (or token) at all.
    #[error("it is not signed: {0}")]
    Unsigned(&'static str),
    /// Its signature (or token) is wrong.
    #[error("its signature or token is not the one")]
    Forged,
    /// Its sender is proved, but it is nothing that can be read.
    #[error("{0}")]
    Malformed(String),
}

/// For whom the sender of a post speaks, by what proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// For all that the connection has: there is one secret for all of it.
    Connection,
    /// For these projects (their full names), whose own key proved it.
    Projects(Vec<String>),
}

/// What was let in.
#[derive(Debug)]
pub enum Admitted {
    /// A message, and for whom its sender speaks.
    Message(Message, Speaker),
    /// The sender tries whether we are there.
    Ping,
}

impl Admitted {
    /// A message whose sender speaks for the whole connection.
    pub fn of_all(message: Message) -> Self {
        Self::Message(message, Speaker::Connection)
    }
}

/// What one connection posts.
pub trait Hook: Send + Sync {
    /// Whether the headers alone speak against it: there is room for the bodies of few, and only
    /// who may be proved has a claim to it.
    fn glance(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let _ = headers;
        Ok(())
    }

    /// The message that was posted, once its sender is proved.
    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal>;
}

/// The message of a post, in the form in which relays put webhooks on a bus:
/// `{"body": …, "headers": {…}, "agent": null}`.
///
/// Its id is computed from what the signature covers, so that the same post under another
/// delivery id is the same message.
pub fn relayed(
    connection: &ConnectionName,
    topic: String,
    headers: Map<String, Value>,
    body: &[u8],
) -> Result<Message, Refusal> {
    let raw: &RawValue = serde_json::from_slice(body)
        .map_err(|error| Refusal::Malformed(format!("the body is no JSON: {error}")))?;
    if !raw.get().starts_with('{') {
        return Err(Refusal::Malformed("the body is no object".to_owned()));
    }
    let id = hash(&[connection.as_str().as_bytes(), topic.as_bytes(), body]);
    let headers = Value::Object(headers);
    Ok(Message {
        id: Some(format!("hook-{id}")),
        topic,
        content_type: Some("application/json".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        headers: Map::new(),
        body: format!(r#"{{"body":{raw},"headers":{headers},"agent":null}}"#).into_bytes(),
    })
}

pub mod forgejo;
pub mod github;
pub mod jenkins;
pub mod pagure;
pub mod gitlab;
pub mod signature;
