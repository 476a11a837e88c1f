//! Webhooks: what is posted, signed, and to whom.

use std::sync::PoisonError;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::{Delivery, Shared};
use crate::clock::Clock;
use crate::hooks::signature::sign;
use crate::remote::{Remote, chain};

/// How many webhooks can be sent again.
const SENT_MAX: usize = 100;
/// How long GitHub waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A webhook.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) event: &'static str,
    pub(super) body: Value,
    delivery: String,
}

impl Post {
    pub(super) fn new(event: &'static str, body: Value) -> Self {
        Self { event, body, delivery: Uuid::new_v4().to_string() }
    }
}

/// Whoever carries webhooks; where to, is said for each.
pub(super) fn postman(clock: Clock) -> anyhow::Result<Remote> {
    Ok(Remote::new(&Url::parse("http://127.0.0.1/")?, TIMEOUT, clock)?)
}

impl Shared {
    /// Sends each, in this order, and waits for the answers.
    pub(super) async fn deliver_all(&self, posts: Vec<Post>) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for post in posts {
            {
                let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                sent.push_back(post.clone());
                if sent.len() > SENT_MAX {
                    sent.pop_front();
                }
            }
            deliveries.extend(self.deliver(&post).await);
        }
        deliveries
    }

    /// Sends one, if somebody asked for it.
    pub(super) async fn deliver(&self, post: &Post) -> Option<Delivery> {
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let body = post.body.to_string();
        let request = self
            .postman
            .request(Method::POST, hook.url)
            .header(CONTENT_TYPE, "application/json")
            .header("user-agent", "GitHub-Hookshot/stand-in")
            .header("x-github-event", post.event)
            .header("x-github-delivery", &post.delivery)
            .header("x-github-hook-installation-target-type", "repository")
            .header(
                "x-hub-signature-256",
                format!("sha256={}", sign(&hook.secret, body.as_bytes())),
            )
            .body(body);
        let status = match self.postman.send(request).await {
            Ok(answer) => Some(answer.status.as_u16()),
            Err(failure) => {
                // GitHub notes it, and does not try again.
                tracing::debug!(error = chain(&failure), "Nobody took a webhook");
                None
            }
        };
        Some(Delivery { event: post.event, status })
    }

    pub(super) fn last_post(&self) -> Option<Post> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }
}
