//! `POST /hooks/{kind}/{name}`: what other systems post to us.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use serde_json::json;

use super::api::refuse;
use super::body::Unread;
use super::{Site, Worth};
use crate::envelope;
use crate::hooks::{Admitted, Hook, Refusal};
use crate::message::Message;
use crate::remote::chain;
use crate::subject::ConnectionName;
use crate::telemetry::metrics::{self, WebhookResult};

/// How many refusals a minute are told to the operator; all of them are counted.
const TOLD_A_MINUTE: u32 = 10;

/// How much is said of webhooks that are refused, so that a flood does not fill a disk.
#[derive(Debug, Default)]
pub struct Quiet(Mutex<(i64, u32)>);

/// How loudly something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Aloud,
    /// As the last one for a while.
    Last,
    Hushed,
}

impl Quiet {
    pub(super) fn voice(&self, now: Timestamp) -> Voice {
        let minute = now.as_second() / 60;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 != minute {
            *state = (minute, 0);
        }
        state.1 = state.1.saturating_add(1);
        match state.1 {
            told if told < TOLD_A_MINUTE => Voice::Aloud,
            TOLD_A_MINUTE => Voice::Last,
            _ => Voice::Hushed,
        }
    }
}

/// What a post comes to.
struct Outcome {
    result: WebhookResult,
    status: StatusCode,
    /// The id of what was accepted, or why it was not.
    words: String,
}

impl Outcome {
    fn refused(result: WebhookResult, status: StatusCode, words: impl Into<String>) -> Self {
        Self { result, status, words: words.into() }
    }

    fn fine(result: WebhookResult) -> Self {
        Self { result, status: StatusCode::OK, words: String::new() }
    }
}

impl From<Unread> for Outcome {
    fn from(unread: Unread) -> Self {
        let result = match unread {
            Unread::TooLarge(_) => WebhookResult::TooLarge,
            Unread::TooSlow => WebhookResult::Slow,
            Unread::BrokeOff => WebhookResult::Malformed,
            Unread::NoRoom => WebhookResult::Full,
        };
        Self::refused(result, unread.status(), unread.to_string())
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        let (result, status) = match refusal {
            Refusal::Unsigned(_) => (WebhookResult::Unsigned, StatusCode::UNAUTHORIZED),
            Refusal::Forged => (WebhookResult::Forged, StatusCode::UNAUTHORIZED),
            Refusal::Malformed(_) => (WebhookResult::Malformed, StatusCode::BAD_REQUEST),
        };
        Self::refused(result, status, chain(&refusal))
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let answer = match self.result {
            WebhookResult::Accepted => json!({ "id": self.words }),
            WebhookResult::Repeat => json!({ "repeat": true }),
            WebhookResult::Ignored => json!({ "ignored": true }),
            WebhookResult::Ping => json!({ "ping": true }),
            WebhookResult::Unsigned
            | WebhookResult::Forged
            | WebhookResult::Malformed
            | WebhookResult::TooLarge
            | WebhookResult::Slow
            | WebhookResult::Full => return refuse(self.status, &self.words),
        };
        (self.status, Json(answer)).into_response()
    }
}

/// Takes what a connection posts: 202 with its id once it is durable.
///
/// A connection without a webhook secret has no door, and looks like one that does not exist.
pub(super) async fn accept(
    State(site): State<Site>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let Some((connection, hook)) = path.ok().and_then(|Path(path)| find(&site, path)) else {
        return refuse(StatusCode::NOT_FOUND, "no webhook here");
    };
    let outcome = take(&site, (&connection, hook.as_ref()), request).await;
    metrics::count_webhooks(&connection, outcome.result, 1);
    if !outcome.status.is_success() {
        tell(&site, &connection, &outcome);
    }
    outcome.into_response()
}

fn find(site: &Site, (kind, name): (String, String)) -> Option<(ConnectionName, Arc<dyn Hook>)> {
    let name = ConnectionName::try_from(format!("{kind}.{name}")).ok()?;
    let hook = site.hooks.get(&name)?;
    Some((name, Arc::clone(hook)))
}

async fn take(
    site: &Site,
    (connection, hook): (&ConnectionName, &dyn Hook),
    request: Request,
) -> Outcome {
    let (head, body) = request.into_parts();
    // Before the body: what strangers send takes no room.
    if let Err(refusal) = hook.glance(&head.headers) {
        return refusal.into();
    }
    let body = match site.hook_room.read(body).await {
        Ok(body) => body,
        Err(unread) => return unread.into(),
    };
    let (message, speaker) = match hook.admit(&head.headers, body.bytes()) {
        Ok(Admitted::Message(message, speaker)) => (message, speaker),
        Ok(Admitted::Ping) => return Outcome::fine(WebhookResult::Ping),
        Err(refusal) => return refusal.into(),
    };
    // Its sender is still there to be told; later it would become a dead letter.
    if let Err(reason) = envelope::open(&message, &site.limits) {
        return Refusal::Malformed(chain(&reason)).into();
    }
    match (site.weigh)(connection, &speaker, &message) {
        Worth::Wanted => post(site, message).await,
        // Busy repositories tell much that nobody asked for.
        Worth::Unwanted => Outcome::fine(WebhookResult::Ignored),
        // Its sender can send it again; whoever knows it may have mended the topic by then.
        Worth::Unreadable(reason) => Refusal::Malformed(reason).into(),
        // Whoever knows one secret does not speak for the forges that have another.
        Worth::Foreign(words) => Refusal::Malformed(words).into(),
    }
}

async fn post(site: &Site, message: Message) -> Outcome {
    let full = |error: &(dyn std::error::Error + 'static)| {
        tracing::debug!(error = %chain(error), "Cannot take in a webhook");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Outcome::refused(WebhookResult::Full, status, "try again later")
    };
    let id = message.identity();
    match site.ledger.has_message(id.clone()).await {
        Ok(true) => return Outcome::fine(WebhookResult::Repeat),
        Ok(false) => {}
        Err(error) => return full(&error),
    }
    match site.bus.post(message).await {
        Ok(()) => Outcome {
            result: WebhookResult::Accepted,
            status: StatusCode::ACCEPTED,
            words: id.to_string(),
        },
        Err(failure) => full(&failure),
    }
}

/// Tells the operator of a refusal.  Nothing of what was sent is in it.
fn tell(site: &Site, connection: &ConnectionName, outcome: &Outcome) {
    let (result, status) = (outcome.result.as_str(), outcome.status.as_u16());
    let reason = outcome.words.as_str();
    let voice = site.quiet.voice(site.ledger.clock().now());
    if voice == Voice::Hushed {
        tracing::debug!(%connection, result, status, reason, "Refused a webhook");
        return;
    }
    tracing::warn!(%connection, result, status, reason, "Refused a webhook");
    if voice == Voice::Last {
        tracing::warn!("Of further refusals nothing is said until the next minute");
    }
}

#[cfg(test)]
mod tests;
