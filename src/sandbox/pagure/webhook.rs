//! What the stand-in posts to a webhook, in Pagure's envelope and with its signature.

use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use super::Announcement;
use crate::clock::Clock;
use crate::hooks::signature::sign;
use crate::remote::{Failure, Remote};

/// How long the webhook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The webhook of a project.
#[derive(Debug)]
pub struct Webhook {
    remote: Remote,
    url: Url,
    key: SecretString,
}

impl Webhook {
    /// Posts to `url`, signed with `key`.
    pub fn new(url: &Url, key: SecretString) -> anyhow::Result<Self> {
        let remote = Remote::new(url, TIMEOUT, Clock::system())?;
        Ok(Self { remote, url: url.clone(), key })
    }

    /// Posts what was announced; status and words of the answer.
    ///
    /// A webhook is told the topic without what stands before it on a bus.
    pub async fn send(&self, announced: &Announcement) -> Result<(u16, String), Failure> {
        let (topic, message) = announced;
        let topic = topic.rsplit_once("pagure.").map_or(topic.as_str(), |(_, topic)| topic);
        let envelope = json!({
            "i": 1,
            "msg": message,
            "msg_id": format!("2026-{}", uuid::Uuid::new_v4()),
            "timestamp": 1_795_162_907,
            "topic": topic,
        });
        let body = envelope.to_string().into_bytes();
        let request = self
            .remote
            .request(Method::POST, self.url.clone())
            .header("content-type", "application/json")
            .header("x-pagure-topic", topic)
            .header("x-pagure-signature", "0000000000000000000000000000000000000000")
            .header("x-pagure-signature-256", sign(&self.key, &body))
            .body(body);
        let answer = self.remote.send(request).await?;
        Ok((answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned()))
    }
}
