//! What a monitor asks of `pointsman poll`, which has no other pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::server::serve_router;
use super::{live, nothing_here};
use crate::telemetry::metrics::Metrics;

/// How many connections are open at once; only monitors ask.
const CONNECTIONS_MAX: usize = 32;

/// What there is to be told.
#[derive(Clone, Debug)]
pub struct Page {
    /// How the asking goes.
    pub health: Arc<Health>,
    /// The numbers for Prometheus.
    pub metrics: Metrics,
}

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, page: Page, stop: CancellationToken) {
    serve_router(listener, router(page), CONNECTIONS_MAX, stop).await;
}

fn router(page: Page) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(live))
        .route("/ready", get(ready))
        .fallback(nothing_here)
        .with_state(page)
}

/// Always 200: that a source is away is for people to see, and no reason to begin anew.
async fn ready(State(page): State<Page>) -> Response {
    Json(json!({ "polled": page.health.polled() })).into_response()
}

async fn metrics(State(page): State<Page>) -> Response {
    let kind = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
    (kind, page.metrics.render()).into_response()
}
