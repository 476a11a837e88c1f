//! `POST /api/v1/artifacts`: a producer announces an image or a package.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};

use super::Site;
use super::api::{bearer, refuse};
use super::body::Unread;
use super::hooks::Voice;
use crate::envelope;
use crate::event::artifact::message::Announcement;
use crate::ledger::LedgerError;
use crate::message::{Message, computed_id};
use crate::neutral;
use crate::producer::{Announcer, Announcers};
use crate::remote::{Failure, chain};
use crate::source::amqp::publish::Outgoing;
use crate::telemetry::metrics::{self, AnnouncementResult};

/// What an announcement comes to: an answer, or why there is none.
type Outcome = Result<Accepted, Refused>;

/// An announcement that is durable.
struct Accepted {
    id: String,
    subject: String,
    build: String,
    is_repeat: bool,
}

/// An announcement that was not taken.
struct Refused {
    result: AnnouncementResult,
    status: StatusCode,
    words: String,
}

impl Refused {
    fn malformed(words: impl Into<String>) -> Self {
        let (result, status) = (AnnouncementResult::Malformed, StatusCode::BAD_REQUEST);
        Self { result, status, words: words.into() }
    }

    fn forbidden(words: String) -> Self {
        Self { result: AnnouncementResult::Forbidden, status: StatusCode::FORBIDDEN, words }
    }

    /// Nothing is wrong with it, and it can be sent again.
    fn later(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::debug!(error = %chain(error), "Cannot take in an announcement");
        let (result, status) = (AnnouncementResult::Full, StatusCode::SERVICE_UNAVAILABLE);
        Self { result, status, words: "try again later".to_owned() }
    }
}

impl From<Unread> for Refused {
    fn from(unread: Unread) -> Self {
        let result = match unread {
            Unread::TooLarge(_) => AnnouncementResult::TooLarge,
            Unread::TooSlow => AnnouncementResult::Slow,
            Unread::BrokeOff => AnnouncementResult::Malformed,
            Unread::NoRoom => AnnouncementResult::Full,
        };
        Self { result, status: unread.status(), words: unread.to_string() }
    }
}

/// Takes an announcement: 202 with its id once it is durable, 200 if it was stored before.
///
/// The token says who announces; it goes on as the message [`Announcement::TOPIC`].
pub(super) async fn accept(State(site): State<Site>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let announcer = match authorize(&site.announcers, &head.headers) {
        Ok(announcer) => announcer,
        Err((status, words)) => {
            tell(&site, None, (status, words));
            return refuse(status, words);
        }
    };
    // Only now: what a stranger sends is not read.
    let outcome = take(&site, announcer, body).await;
    let result = match &outcome {
        Ok(accepted) if accepted.is_repeat => AnnouncementResult::Repeat,
        Ok(_) => AnnouncementResult::Accepted,
        Err(refused) => refused.result,
    };
    metrics::count_announcements(&announcer.name, result, 1);
    match outcome {
        Ok(accepted) => accepted.into_response(),
        Err(Refused { status, words, .. }) => {
            tell(&site, Some(announcer), (status, &words));
            refuse(status, &words)
        }
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let Self { id, subject, build, is_repeat } = self;
        let mut answer = json!({ "id": id, "subject": subject, "build": build });
        if !is_repeat {
            return (StatusCode::ACCEPTED, Json(answer)).into_response();
        }
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("repeat".to_owned(), true.into());
        }
        (StatusCode::OK, Json(answer)).into_response()
    }
}

fn authorize<'site>(
    announcers: &'site Announcers,
    headers: &HeaderMap,
) -> Result<&'site Announcer, (StatusCode, &'static str)> {
    if announcers.is_empty() {
        let words = "this door is closed: no `producer.NAME.token` is set";
        return Err((StatusCode::FORBIDDEN, words));
    }
    let presented = bearer(headers);
    let presented = presented.ok_or((StatusCode::UNAUTHORIZED, "a bearer token is needed"))?;
    let known = announcers.find(presented);
    known.ok_or((StatusCode::UNAUTHORIZED, "this token is no producer's"))
}

async fn take(site: &Site, announcer: &Announcer, body: Body) -> Outcome {
    let body = site.room.read(body).await?;
    let (announcement, subject) = read(announcer, body.bytes())?;
    let build = announcement.build.clone();
    let mut message = message(site, announcement)?;
    // Its sender is still there to be told; on the bus it would become a dead letter.
    if let Err(reason) = envelope::open(&message, &site.limits) {
        return Err(Refused::malformed(chain(&reason)));
    }
    let later = |error: LedgerError| Refused::later(&error);
    let is_stored = site.ledger.has_message(message.identity()).await.map_err(later)?;
    let is_repeat = is_stored && site.ledger.was_news(message.identity()).await.map_err(later)?;
    if is_stored && !is_repeat {
        // No rule wanted it then, and one may now: it is another message that tells the same.
        let now = site.ledger.clock().now().as_millisecond().to_string();
        let id = message.id.take().unwrap_or_default();
        message.id = Some(computed_id(&[id.as_bytes(), now.as_bytes()]));
    }
    let id = message.identity();
    if !is_repeat {
        site.bus.post(message).await.map_err(|failure| match failure {
            Failure::Retry { .. } => Refused::later(&failure),
            Failure::GiveUp(_) => Refused::malformed("the bus does not take it"),
        })?;
    }
    Ok(Accepted { id: id.to_string(), subject, build, is_repeat })
}

/// What `announcer` announces, which it is let, and the subject that it is about.
fn read(announcer: &Announcer, body: &[u8]) -> Result<(Announcement, String), Refused> {
    let name = &announcer.name;
    let mut announcement = Announcement::parse(body).map_err(Refused::malformed)?;
    match &announcement.producer {
        Some(other) if other != name => {
            let words = "`producer`: the token is of";
            return Err(Refused::forbidden(format!("{words} `producer.{name}`, and of no other")));
        }
        Some(_) | None => announcement.producer = Some(name.clone()),
    }
    let event = announcement.clone().into_event(name.clone());
    let event = event.map_err(|(key, why)| Refused::malformed(format!("`{key}`: {why}")))?;
    let artifact = &announcement.name;
    if !announcer.producer.may_announce(artifact) {
        let words = format!("`producer.{name}` may not announce `{artifact}`");
        return Err(Refused::forbidden(words));
    }
    Ok((announcement, event.subject().key()))
}

/// The message in which it goes on; the same announcement has the same id, however it is written.
fn message(site: &Site, announcement: Announcement) -> Result<Message, Refused> {
    let producer = announcement.producer.clone().unwrap_or_default();
    let body: Value = serde_json::to_value(announcement)
        .map_err(|error| Refused::malformed(error.to_string()))?;
    let parts = [Announcement::TOPIC, &producer, &body.to_string()];
    let id = computed_id(&parts.map(str::as_bytes));
    let topic = Announcement::TOPIC.to_owned();
    let outgoing = Outgoing { id, topic, headers: Map::new(), body };
    Ok(outgoing.message(&site.prefix, site.ledger.clock().now()))
}

/// Tells the operator of a refusal.
fn tell(site: &Site, announcer: Option<&Announcer>, (status, words): (StatusCode, &str)) {
    let producer = announcer.map(|announcer| announcer.name.as_str());
    let (status, reason) = (status.as_u16(), neutral::plain(words));
    let voice = site.quiet.voice(site.ledger.clock().now());
    if voice == Voice::Hushed {
        tracing::debug!(producer, status, reason, "Refused an announcement");
        return;
    }
    tracing::warn!(producer, status, reason, "Refused an announcement");
    if voice == Voice::Last {
        tracing::warn!("Of further refusals nothing is said until the next minute");
    }
}

#[cfg(test)]
mod tests;
