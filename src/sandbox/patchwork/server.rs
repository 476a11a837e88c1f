//! The HTTP side of the stand-in: moods, and answers that get lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, LINK, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use jiff::fmt::rfc2822::DateTimePrinter;

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
    let mood = tokio::select! {
        mood = awake(&shared) => mood,
        () = line.unplugged() => Mood::Failing(503),
    };
    let reply = match mood {
        Mood::Failing(status) => Reply::error(status, "Sorry."),
        Mood::TooMany { .. } => Reply::error(429, "Request was throttled."),
        Mood::Filtered => Reply::page("<html>Making sure that you are not a bot!</html>"),
        Mood::Normal | Mood::Hanging => {
            let reply = perform(&shared, request).await;
            if reply.is_change && loses_answer(&shared) {
                line.cut();
            }
            reply
        }
    };
    let mut response = respond(&shared, reply);
    if let Mood::TooMany { retry_after } = mood {
        response.headers_mut().insert(RETRY_AFTER, retry_after.into());
    }
    response
}

/// The mood, once it is not to hang.
async fn awake(shared: &Shared) -> Mood {
    let mut moods = shared.mood.subscribe();
    match moods.wait_for(|mood| *mood != Mood::Hanging).await {
        Ok(mood) => *mood,
        // The sender is in `shared`, and cannot be gone.
        Err(_) => Mood::Normal,
    }
}

fn loses_answer(shared: &Shared) -> bool {
    let one_less = |count: usize| count.checked_sub(1);
    let answers = &shared.answers_to_lose;
    answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
}

async fn perform(shared: &Shared, request: Request) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_MAX_BYTES).await else {
        return Reply::error(413, "too large");
    };
    let authorization = head.headers.get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let call = Call::new(head.method, &head.uri, authorization, &body);
    answer(&mut shared.memory(), &call)
}

fn respond(shared: &Shared, reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    let status = StatusCode::from_u16(reply.status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.kind));
    if let Some(link) = reply.link.and_then(|link| HeaderValue::try_from(link).ok()) {
        headers.insert(LINK, link);
    }
    // By the stand-in's clock, which may be a test's.
    let now = shared.memory().clock.now();
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Some(date) = date.ok().and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(DATE, date);
    }
    response
}
