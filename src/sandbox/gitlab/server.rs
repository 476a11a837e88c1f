//! The HTTP side of the stand-in: moods, and answers that get lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
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
    let mood = tokio::select! {
        mood = awake(&shared) => mood,
        () = line.unplugged() => Mood::Failing(503),
    };
    match mood {
        Mood::Failing(status) => page(status, None),
        Mood::TooMany { retry_after } => page(429, Some(retry_after)),
        Mood::Normal | Mood::Hanging => {
            let reply = perform(&shared, request).await;
            if reply.is_change && loses_answer(&shared) {
                line.cut();
            }
            respond(&reply)
        }
    }
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
        return Reply::bare(413);
    };
    let token = head.headers.get("private-token").and_then(|value| value.to_str().ok());
    let call = Call::new(head.method, &head.uri, token, &body);
    answer(&mut shared.memory(), &call)
}

fn respond(reply: &Reply) -> Response {
    let Some(json) = &reply.json else {
        return page(reply.status, None);
    };
    let mut response = Response::new(Body::from(json.to_string()));
    *response.status_mut() = status_code(reply.status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Empty on the last page.
    let next = reply.next_page.map(HeaderValue::from);
    headers.insert("x-next-page", next.unwrap_or_else(|| HeaderValue::from_static("")));
    response
}

/// A page for people, such as a proxy or GitLab itself shows where there is no API.
fn page(status: u16, retry_after: Option<u64>) -> Response {
    let html = format!("<!DOCTYPE html><html><title>{status}</title><p>Sorry.</p></html>");
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status_code(status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
