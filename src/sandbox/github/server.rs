//! The HTTP side of the stand-in: moods, answers that get lost, and webhooks about calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::api::{Call, Reply, answer};
use super::{Mood, Shared};
use crate::sandbox::serve::Line;

/// The largest request that is read.
const REQUEST_MAX_BYTES: usize = 1024 * 1024;

/// The routes of the stand-in.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let mood = *shared.mood.borrow();
    let reply = match mood {
        Mood::Normal => perform(&shared, request).await,
        Mood::Failing(status) => Reply::no(status, "Something is wrong"),
        Mood::TooMany { retry_after } => {
            Reply::no(429, "Too many requests").with("retry-after", &retry_after.to_string())
        }
        Mood::Hasty => Reply::no(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        ),
        Mood::UsedUp { reset } => Reply::no(403, "API rate limit exceeded for user ID 4101.")
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", &reset.to_string()),
    };
    if reply.is_change && loses_answer(&shared) {
        line.cut();
    }
    respond(&reply)
}

fn loses_answer(shared: &Shared) -> bool {
    let one_less = |count: usize| count.checked_sub(1);
    let answers = &shared.answers_to_lose;
    answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
}

async fn perform(shared: &Shared, request: Request) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_MAX_BYTES).await else {
        return Reply::no(413, "Payload too large");
    };
    let authorization = head.headers.get(AUTHORIZATION);
    let call = Call::new(
        head.method,
        &head.uri,
        authorization.and_then(|value| value.to_str().ok()),
        &body,
    );
    let mut reply = answer(&mut shared.memory(), &call);
    let posts = std::mem::take(&mut reply.posts);
    for delivery in shared.deliver_all(posts).await {
        tracing::trace!(?delivery, "GitHub told of a call");
    }
    reply
}

fn respond(reply: &Reply) -> Response {
    let body = reply.json.as_ref().map_or_else(Body::empty, |json| Body::from(json.to_string()));
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    for (name, value) in &reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}
