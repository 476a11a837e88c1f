//! `POST /runs/{id}/ended`: a build says that it has ended; `GET /ci/report.yml`: the job of it
//! that says so.
//!
//! It is said in one of two ways.  A build's own job sends its token as the body, `token=…`.  An
//! executor that can call back itself sends the token alone in `Authorization`, without a scheme,
//! and a body of its own.
//!
//! What is said is not believed: the executor is asked at once what it would have been asked
//! later.  The token of a run can be seen by whoever may see its build, so the body of a callback
//! could be anybody's: it is read to its end, for politeness, and nothing of it is kept.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use super::Site;
use super::api::refuse;
use super::body::{self, Room};
use crate::executors::ended::{self, EndedDoor};
use crate::remote::chain;
use crate::subject::RunId;

/// The largest body that is looked at: a name and a token.
const BODY_MAX_BYTES: usize = 512;
/// The largest body of a callback, of which nothing is looked at.
const CALLBACK_MAX_BYTES: usize = 1024 * 1024;

/// Where builds say that they have ended.
#[derive(Clone, Debug)]
pub struct Ended {
    door: EndedDoor,
    /// The room for the bodies of those who say so, or who try.
    room: Room,
}

impl Ended {
    /// Opens `door`.
    pub fn new(door: EndedDoor) -> Self {
        Self { door, room: Room::new(BODY_MAX_BYTES) }
    }
}

/// Has a run looked at: 202, however often it is said.
///
/// A run that nobody knows, a wrong token and a door that is closed look the same.
pub(super) async fn accept(
    State(site): State<Site>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let unknown = || refuse(StatusCode::NOT_FOUND, "no such run, or not its token");
    let Some(ended) = &site.ended else { return unknown() };
    let Some(run) = path.ok().and_then(|Path(id)| RunId::try_from(id).ok()) else {
        return unknown();
    };
    let has_called = bare_token(request.headers()).map(|token| ended.door.is_token(&run, token));
    let is_let_in = match has_called {
        // Nothing of a stranger is read.
        Some(false) => Ok(false),
        Some(true) => body::drop_all(request.into_body(), CALLBACK_MAX_BYTES).await.map(|()| true),
        None => ended.room.read(request.into_body()).await.map(|body| {
            let token = std::str::from_utf8(body.bytes()).ok().map(str::trim);
            let token = token.and_then(|body| body.strip_prefix("token="));
            token.is_some_and(|token| ended.door.is_token(&run, token))
        }),
    };
    match is_let_in {
        Ok(true) => {}
        Ok(false) => return unknown(),
        Err(unread) => return refuse(unread.status(), &unread.to_string()),
    }
    match site.ledger.hurry(run).await {
        Ok(true) => (StatusCode::ACCEPTED, Json(json!({}))).into_response(),
        Ok(false) => unknown(),
        Err(error) => {
            tracing::error!(error = %chain(&error), "Cannot have a run looked at");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "try again later")
        }
    }
}

/// The token of a callback.  What has a scheme is meant for somebody before us.
fn bare_token(headers: &HeaderMap) -> Option<&str> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    (!token.is_empty() && !token.contains(char::is_whitespace)).then_some(token)
}

/// The file that the configuration of a build includes.
pub(super) async fn file(State(site): State<Site>) -> Response {
    if site.ended.is_none() {
        return refuse(StatusCode::NOT_FOUND, "there is nothing at this address");
    }
    ([("content-type", "application/yaml; charset=utf-8")], ended::FILE).into_response()
}

#[cfg(test)]
mod tests;
