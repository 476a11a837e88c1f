//! What the stand-in posts to a webhook, as Forgejo signs and heads it.

use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::Delivery;
use crate::clock::Clock;
use crate::hooks::signature::sign;
use crate::remote::{Remote, chain};

/// How long the webhook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One thing to be posted.
pub(super) struct Post {
    /// As `X-Forgejo-Event` says it.
    pub(super) event: &'static str,
    /// As `X-Forgejo-Event-Type` says it.
    pub(super) finer: &'static str,
    pub(super) body: Value,
}

/// Where it is posted.
pub(super) struct Webhook {
    remote: Remote,
    url: Url,
    secret: SecretString,
}

impl Webhook {
    pub(super) fn new(url: &Url, secret: SecretString) -> anyhow::Result<Self> {
        let remote = Remote::new(url, TIMEOUT, Clock::system())?;
        Ok(Self { remote, url: url.clone(), secret })
    }

    pub(super) async fn send(&self, post: &Post) -> Delivery {
        // Indented, as Forgejo writes it.
        let body = serde_json::to_vec_pretty(&post.body).unwrap_or_default();
        let signature = sign(&self.secret, &body);
        let mut request = self
            .remote
            .request(Method::POST, self.url.clone())
            .header("content-type", "application/json")
            .header("x-hub-signature-256", format!("sha256={signature}"))
            .header("x-github-event", post.event)
            .header("x-gogs-event", post.event);
        let id = uuid::Uuid::new_v4().to_string();
        for forge in ["forgejo", "gitea"] {
            request = request
                .header(format!("x-{forge}-delivery"), &id)
                .header(format!("x-{forge}-event"), post.event)
                .header(format!("x-{forge}-event-type"), post.finer)
                .header(format!("x-{forge}-signature"), &signature);
        }
        let (status, answer) = match self.remote.send(request.body(body)).await {
            Ok(answer) => {
                (Some(answer.status.as_u16()), String::from_utf8_lossy(&answer.body).into_owned())
            }
            Err(failure) => (None, chain(&failure)),
        };
        Delivery { event: post.finer.to_owned(), status, answer }
    }
}
