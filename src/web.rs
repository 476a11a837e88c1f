//! Our own HTTP: the door for messages, and what a monitor asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde_json::json;

use crate::envelope::Limits;
use crate::hooks::{Hook, Speaker};
use crate::ledger::Ledger;
use crate::message::Message;
use crate::producer::Announcers;
use crate::remote::chain;
use crate::reporters::bus::Post;
use crate::subject::ConnectionName;
use crate::telemetry::metrics::{self as numbers, Metrics};

pub mod api;
pub mod artifacts;
pub mod body;
pub mod health;
pub mod hooks;
pub mod poller;
pub mod runs;
mod server;

use body::Room;
use health::Health;
use hooks::Quiet;
use runs::Ended;

pub use server::serve;

/// What a message that was posted is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Somebody wants it.
    Wanted,
    /// No rule can care.
    Unwanted,
    /// A topic reads it and cannot, for this reason.
    Unreadable(String),
    /// It tells of something for which its sender does not speak; of what, and why not.
    Foreign(String),
}

/// What a message that a connection posted is to us.
pub type Weigh = Arc<dyn Fn(&ConnectionName, &Speaker, &Message) -> Worth + Send + Sync>;

/// What the pages need to know.
#[derive(Clone)]
pub struct Site {
    /// Where accepted messages go.
    pub bus: Arc<dyn Post>,
    /// The token of the door; it is closed without one.
    pub token: Option<SecretString>,
    /// Who may announce artifacts, each by a token of its own.
    pub announcers: Arc<Announcers>,
    /// What stands before the topics of our own messages.
    pub prefix: String,
    /// The room for the bodies of those who have shown a token.
    pub room: Room,
    /// The room for the bodies of webhooks, of which some are proved only by the body.
    pub hook_room: Room,
    /// Those who may post to `/hooks/…`, and how each proves itself.
    pub hooks: Arc<BTreeMap<ConnectionName, Arc<dyn Hook>>>,
    /// What a message that was posted is to us.
    pub weigh: Weigh,
    /// Where builds say that they have ended, if anywhere.
    pub ended: Option<Ended>,
    /// How much is said of webhooks that are refused.
    pub quiet: Arc<Quiet>,
    /// What is read at all.
    pub limits: Limits,
    /// The ledger, for counts.
    pub ledger: Ledger,
    /// Whether the sources are being listened to.
    pub health: Arc<Health>,
    /// All connections: one where nothing waits is told too.
    pub connections: Vec<ConnectionName>,
    /// The numbers for Prometheus.
    pub metrics: Metrics,
}

/// The routes.
pub fn router(site: Site) -> Router {
    site.hooks.keys().for_each(numbers::begin_webhooks);
    site.announcers.names().for_each(numbers::begin_announcements);
    Router::new()
        .route("/api/v1/messages", post(api::accept))
        .route("/api/v1/artifacts", post(artifacts::accept))
        .route("/hooks/{kind}/{name}", post(hooks::accept))
        .route("/runs/{id}/ended", post(runs::accept))
        .route("/ci/report.yml", get(runs::file))
        .route("/metrics", get(metrics))
        .route("/live", get(live))
        .route("/ready", get(ready))
        .fallback(nothing_here)
        .with_state(site)
}

/// Takes the address before anything else is started, so that a second instance fails early.
pub async fn listen(address: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
    use anyhow::Context;
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (`web.listen`)"))
}

async fn live() -> Response {
    Json(json!({ "status": "OK" })).into_response()
}

/// 200 while every source is being listened to, 503 otherwise; the counts in both cases.
async fn ready(State(site): State<Site>) -> Response {
    let counts = match site.ledger.counts().await {
        Ok(counts) => counts,
        Err(error) => {
            tracing::error!(error = %chain(&error), "Cannot count what is in the ledger");
            let answer = json!({ "ready": false, "error": "the ledger cannot be read" });
            return (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response();
        }
    };
    let report = site.health.report(&counts);
    let status =
        if site.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn metrics(State(site): State<Site>) -> Response {
    match site.ledger.counts().await {
        Ok(counts) => {
            for connection in &site.connections {
                let waiting = counts.waiting_at.get(connection.as_str()).copied();
                numbers::set_actions_waiting(connection, waiting.unwrap_or(0));
            }
            numbers::set_buried(counts.buried);
            numbers::set_dead_letters(counts.dead_letters);
            numbers::set_lag(std::time::Duration::from_millis(counts.lag_ms));
            let kind = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
            (kind, site.metrics.render()).into_response()
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "Cannot count what is in the ledger");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn nothing_here() -> Response {
    let answer = json!({ "error": "there is nothing at this address" });
    (StatusCode::NOT_FOUND, Json(answer)).into_response()
}
