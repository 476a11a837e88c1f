//! The HTTP side of the stand-in: moods, and answers that get lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::api::{Call, Reply, answer};
use super::{Mood, Outcome, Shared};
use crate::sandbox::serve::Line;

/// The largest request that is read.
const REQUEST_MAX_BYTES: usize = 2 * 1024 * 1024;

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
        Mood::Failing(status) => page(status),
        Mood::TooMany { retry_after } => {
            let mut response = page(429);
            response.headers_mut().insert(RETRY_AFTER, retry_after.into());
            response
        }
        Mood::Normal | Mood::Hanging => {
            let reply = match perform(&shared, request).await {
                Ok(reply) => reply,
                Err(said) => return said,
            };
            if let Some(id) = reply.ends {
                shared.finish(id, Outcome::Canceled).await;
            }
            if reply.is_change {
                shared.go_on();
                if loses_answer(&shared) {
                    line.cut();
                }
            }
            respond(reply)
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

/// The answer; as an error, what somebody has said instead.
async fn perform(shared: &Shared, request: Request) -> Result<Reply, Response> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_MAX_BYTES).await else {
        return Ok(Reply::bare(413));
    };
    let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let mut memory = shared.memory();
    memory.note_request(format!("{} {}", head.method, head.uri));
    let asked = format!("{} {}", head.method, head.uri.path());
    let said = memory.answers.iter().find(|(path, _)| asked.ends_with(path.as_str()));
    if let Some((_, (status, body))) = said {
        return Err(said_instead(*status, body));
    }
    let who = (header(AUTHORIZATION), header(CONTENT_TYPE));
    let call = Call::new((head.method.clone(), &head.uri), who, body.to_vec(), &memory);
    Ok(answer(&mut memory, &call))
}

fn said_instead(status: u16, body: &str) -> Response {
    let kind = if body.trim_start().starts_with('<') { "text/html" } else { "application/json" };
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = status_code(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn respond(reply: Reply) -> Response {
    let Some(json) = reply.json else {
        let mut response = page(reply.status);
        if let Some(location) = reply.location.and_then(|path| HeaderValue::try_from(path).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        return response;
    };
    said_instead(reply.status, &json.to_string())
}

/// A page for people, such as Django shows where something breaks.
fn page(status: u16) -> Response {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en-us\"><head><title> | HTTP {status} </title></head>\
         <body>Sorry.</body></html>"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status_code(status);
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
