//! `POST /api/v1/messages`: a message handed to us directly.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Site;
use crate::envelope;
use crate::message::Message;
use crate::remote::{Failure, chain};
use crate::secret;

/// A message in the form in which fedora-messaging records it.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// The topic, deployment prefix included.
    pub topic: String,
    /// The body.
    pub body: Value,
    /// The headers.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// The id.
    #[serde(default)]
    pub id: Option<String>,
}

impl Recorded {
    /// The longest topic: AMQP's limit of a routing key.
    const TOPIC_MAX_BYTES: usize = 255;

    /// The message; `Err` says what is wrong with the record.
    pub fn into_message(self) -> Result<Message, String> {
        if self.topic.is_empty() || self.topic.len() > Self::TOPIC_MAX_BYTES {
            return Err(format!("`topic` has 1 to {} bytes", Self::TOPIC_MAX_BYTES));
        }
        Ok(Message {
            id: self.id,
            topic: self.topic,
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            headers: self.headers,
            body: self.body.to_string().into_bytes(),
        })
    }
}

/// Accepts a message: 202 with its id once it is durable.
///
/// The body is a record as fedora-messaging writes it (`{"topic", "body", "headers", "id"}`), or
/// a `CloudEvent` in structured or binary form (CloudEvents HTTP binding 1.0).
pub(super) async fn accept(State(site): State<Site>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(refusal) = authorize(&site, &head.headers) {
        return refusal;
    }
    // Only now: what a stranger sends is not read.
    let body = match site.room.read(body).await {
        Ok(body) => body,
        Err(unread) => return refuse(unread.status(), &unread.to_string()),
    };
    let mut message = match read(&head.headers, body.bytes()) {
        Ok(message) => message,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    // Its sender is still there to be told; on the bus it would become a dead letter.
    let id = match envelope::open(&message, &site.limits) {
        Ok(envelope) => {
            // A `CloudEvent` has no topic but its type.
            message.topic = envelope.topic;
            envelope.id
        }
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, &chain(&reason)),
    };
    if message.topic.is_empty() || message.topic.len() > Recorded::TOPIC_MAX_BYTES {
        let words = format!("a topic has 1 to {} bytes", Recorded::TOPIC_MAX_BYTES);
        return refuse(StatusCode::BAD_REQUEST, &words);
    }
    match site.bus.post(message).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response(),
        Err(failure) => {
            tracing::warn!(error = %chain(&failure), "Cannot take in a message");
            let (status, words) = match failure {
                Failure::Retry { .. } => (StatusCode::SERVICE_UNAVAILABLE, "try again later"),
                Failure::GiveUp(_) => (StatusCode::BAD_REQUEST, "the bus does not take it"),
            };
            refuse(status, words)
        }
    }
}

fn authorize(site: &Site, headers: &HeaderMap) -> Result<(), Response> {
    let Some(token) = &site.token else {
        let words = "this door is closed: `web.token` is not set";
        return Err(refuse(StatusCode::FORBIDDEN, words));
    };
    match bearer(headers) {
        Some(presented) if secret::is_same(token, presented) => Ok(()),
        Some(_) => Err(refuse(StatusCode::UNAUTHORIZED, "this token is not the one")),
        None => Err(refuse(StatusCode::UNAUTHORIZED, "a bearer token is needed")),
    }
}

/// The bearer token that somebody presents.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
}

pub(super) fn refuse(status: StatusCode, words: &str) -> Response {
    let challenge = (status == StatusCode::UNAUTHORIZED)
        .then_some([(HeaderName::from_static("www-authenticate"), "Bearer")]);
    let answer = (status, Json(json!({ "error": words }))).into_response();
    match challenge {
        Some(challenge) => (challenge, answer).into_response(),
        None => answer,
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Message, String> {
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok());
    let is_cloud_event = headers.contains_key("ce-specversion")
        || content_type
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/cloudevents"));
    if is_cloud_event {
        return Ok(Message {
            content_type: content_type.map(str::to_owned),
            headers: event_headers(headers),
            body: body.to_vec(),
            ..Message::default()
        });
    }
    let recorded: Recorded =
        serde_json::from_slice(body).map_err(|error| format!("the body is no record: {error}"))?;
    recorded.into_message()
}

/// The headers of a binary `CloudEvent`, and no others: those are between us and the sender.
fn event_headers(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("ce-"))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into())))
        .collect()
}
