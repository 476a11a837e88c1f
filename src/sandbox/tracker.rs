//! What the stand-ins that keep patch series have in common: moods, and answers that get lost.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::sandbox::serve::{Line, Server};

/// How a stand-in behaves towards whoever calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    #[default]
    Normal,
    /// Every call is answered with this status, and changes nothing.
    Failing(u16),
    /// Every call is answered with 429.
    TooMany {
        /// What `Retry-After` says, in seconds.
        retry_after: u64,
    },
    /// As it should for so many calls, and then as [`Mood::Failing`] with 502.
    FailingAfter(usize),
}

/// What somebody asks.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The parts of the path, decoded; the last is empty where it ends with a slash.
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) authorization: Option<String>,
    pub(super) body: Value,
    /// How long the body is.
    pub(super) size: usize,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) location: Option<String>,
    pub(super) is_change: bool,
}

impl Reply {
    /// A document, after which nothing is other than before.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// A text.
    pub(super) fn text(status: u16, body: String) -> Self {
        Self { status, body, location: None, is_change: false }
    }

    /// What Django says no with.
    pub(super) fn detail(status: u16, words: &str) -> Self {
        Self::json(status, &serde_json::json!({ "detail": words }))
    }

    /// There is no such thing.
    pub(super) fn not_found() -> Self {
        Self::detail(404, "Not found.")
    }

    /// The same call is to be made there.
    pub(super) fn elsewhere(location: String) -> Self {
        Self { location: Some(location), ..Self::text(307, String::new()) }
    }

    /// The same, as the answer to something that was done.
    pub(super) fn changed(self) -> Self {
        Self { is_change: true, ..self }
    }
}

/// What a system knows, and how it answers.
pub(super) trait Memory: Send + 'static {
    /// Does what is asked.
    fn answer(&mut self, call: &Call) -> Reply;

    /// Learns by which address it is called.
    fn is_at(&mut self, base: String);
}

/// What the handles and the server have in common.
struct Desk<M> {
    memory: Mutex<M>,
    mood: Mutex<Mood>,
    /// What is refused, whatever the mood: a part of an address, and the status.
    refused: Mutex<Option<(String, u16)>>,
    answers_to_lose: AtomicUsize,
    /// The calls that were made, as `GET /path?query`.
    calls: Mutex<Vec<String>>,
}

impl<M> Desk<M> {
    fn memory(&self) -> MutexGuard<'_, M> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, Vec<String>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mood towards the next call.
    fn mood(&self) -> Mood {
        let mut mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match *mood {
            Mood::FailingAfter(0) => Mood::Failing(502),
            Mood::FailingAfter(left) => {
                *mood = Mood::FailingAfter(left - 1);
                Mood::Normal
            }
            now @ (Mood::Normal | Mood::Failing(_) | Mood::TooMany { .. }) => now,
        };
        drop(mood);
        now
    }

    /// With what a call is refused, if it is.
    fn refusal(&self, words: &str) -> Option<u16> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().filter(|(part, _)| words.contains(part)).map(|(_, status)| *status)
    }

    fn loses_answer(&self) -> bool {
        let one_less = |count: usize| count.checked_sub(1);
        let answers = &self.answers_to_lose;
        answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}

/// A handle on a system that answers; it stops when the last one is dropped.
pub(super) struct StandIn<M> {
    desk: Arc<Desk<M>>,
    server: Arc<tokio::sync::Mutex<Option<Server>>>,
    address: SocketAddr,
}

// Derived, it would want what the system knows to be copied.
impl<M> Clone for StandIn<M> {
    fn clone(&self) -> Self {
        Self {
            desk: Arc::clone(&self.desk),
            server: Arc::clone(&self.server),
            address: self.address,
        }
    }
}

impl<M: Memory> StandIn<M> {
    /// Starts on a free port of this machine.
    pub(super) async fn start(memory: M) -> anyhow::Result<Self> {
        let desk = Arc::new(Desk {
            memory: Mutex::new(memory),
            mood: Mutex::default(),
            refused: Mutex::default(),
            answers_to_lose: AtomicUsize::new(0),
            calls: Mutex::default(),
        });
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(anywhere, router(&desk)).await?;
        let address = server.address();
        desk.memory().is_at(format!("http://{address}"));
        Ok(Self { desk, server: Arc::new(tokio::sync::Mutex::new(Some(server))), address })
    }

    /// Stops answering; what it knows is kept.
    pub(super) async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Answers again, on the same port.
    pub(super) async fn restart(&self) -> anyhow::Result<()> {
        self.stop().await;
        let server = Server::start(self.address, router(&self.desk)).await?;
        *self.server.lock().await = Some(server);
        Ok(())
    }

    /// Its address, without a slash at the end.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, M> {
        self.desk.memory()
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        *self.desk.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Answers with a status wherever an address has this in it, until told otherwise.
    pub(super) fn refuse(&self, what: Option<(&str, u16)>) {
        let what = what.map(|(part, status)| (part.to_owned(), status));
        *self.desk.refused.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    pub(super) fn lose_answers(&self, count: usize) {
        self.desk.answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// The calls since this was last asked.
    pub(super) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.desk.calls())
    }
}

/// The largest request that is read.
const REQUEST_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How many calls are remembered.
const CALLS_MAX: usize = 10_000;

fn router<M: Memory>(desk: &Arc<Desk<M>>) -> Router {
    Router::new().fallback(handle::<M>).with_state(Arc::clone(desk))
}

async fn handle<M: Memory>(
    State(desk): State<Arc<Desk<M>>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let words = format!("{} {}", request.method(), request.uri());
    let Some(call) = read(request).await else {
        return respond(Reply::text(413, "too large".to_owned()), None);
    };
    let refusal = desk.refusal(&words);
    {
        let mut calls = desk.calls();
        if calls.len() < CALLS_MAX {
            calls.push(words);
        }
    }
    if let Some(status) = refusal {
        return respond(Reply::text(status, "<!DOCTYPE html><p>No.</p>".to_owned()), None);
    }
    let reply = match desk.mood() {
        Mood::Normal | Mood::FailingAfter(_) => desk.memory().answer(&call),
        Mood::Failing(status) => Reply::text(status, "<!DOCTYPE html><p>Sorry.</p>".to_owned()),
        Mood::TooMany { retry_after } => {
            return respond(Reply::text(429, "too many".to_owned()), Some(retry_after));
        }
    };
    if reply.is_change && desk.loses_answer() {
        line.cut();
    }
    respond(reply, None)
}

async fn read(request: Request) -> Option<Call> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, REQUEST_MAX_BYTES).await.ok()?;
    let query = head.uri.query().unwrap_or_default();
    let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    Some(Call {
        method: head.method,
        path: head.uri.path().split('/').skip(1).map(decoded).collect(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        authorization: authorization.map(str::to_owned),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        size: body.len(),
    })
}

fn respond(reply: Reply, retry_after: Option<u64>) -> Response {
    let is_json = reply.body.starts_with(['{', '[']);
    let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    let mut response = Response::new(Body::from(reply.body));
    let status = StatusCode::from_u16(reply.status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(location) = reply.location.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(LOCATION, location);
    }
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}
