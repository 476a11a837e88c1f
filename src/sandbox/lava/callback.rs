//! What is posted when a job ends, and how.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::memory::health;
use super::{Callback, Callbacks, Job};
use crate::clock::{Clock, from_millis};
use crate::remote::Remote;
use crate::yaml::Node;

/// How long whoever is called may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A callback that is to be sent, or is lost.
pub(super) struct Post {
    pub(super) of: Callback,
    is_lost: bool,
}

/// The callbacks of a job whose end is decided.
pub(super) fn posts(job: &Job, callbacks: Callbacks) -> Vec<Post> {
    let Ok(definition) = Node::parse(&job.definition) else { return Vec::new() };
    let Some(notify) = definition.get("notify") else { return Vec::new() };
    let word = |node: &Node, key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let wanted = notify.get("criteria").and_then(|criteria| word(criteria, "status"));
    let ended = job.decided.as_ref().map(health).unwrap_or_default();
    let is_wanted = wanted
        .as_deref()
        .is_some_and(|wanted| wanted == "finished" || wanted.eq_ignore_ascii_case(ended));
    if !is_wanted {
        return Vec::new();
    }
    let one = notify.get("callback").into_iter();
    let all = notify.get("callbacks").map(Node::items).unwrap_or_default();
    let post = |node: &Node| {
        let method = word(node, "method").unwrap_or_else(|| "GET".to_owned());
        let token = word(node, "token");
        let body = (method == "POST").then(|| body(job, token.as_deref()));
        let of = Callback {
            job: job.id,
            url: word(node, "url").unwrap_or_default(),
            header: word(node, "header").unwrap_or_else(|| "Authorization".to_owned()),
            method,
            token,
            body,
            status: None,
        };
        Post { of, is_lost: callbacks == Callbacks::Lost }
    };
    one.chain(all).map(post).collect()
}

impl Post {
    /// Sends it, once; the status of the answer.
    pub(super) async fn send(&self) -> Option<u16> {
        let url = Url::parse(&self.of.url).ok().filter(|_| !self.is_lost)?;
        // No time is asked for: there is no second try.
        let clock = Clock::manual(crate::clock::Hand::at(from_millis(0)));
        let remote = Remote::new(&url, TIMEOUT, clock).ok()?;
        let method = if self.of.method == "POST" { Method::POST } else { Method::GET };
        let mut request = remote.request(method, url);
        if let Some(token) = &self.of.token {
            let name = HeaderName::from_bytes(self.of.header.as_bytes()).ok()?;
            request = request.header(name, HeaderValue::from_str(token).ok()?);
        }
        if let Some(body) = &self.of.body {
            request = request.json(body);
        }
        let answer = remote.send(request).await.ok()?;
        Some(answer.status.as_u16())
    }
}

/// The minimal set of data.  What is odd in it is odd in LAVA, too: it is written before the end
/// is.
fn body(job: &Job, token: Option<&str>) -> Value {
    let health = job.decided.as_ref().map(health).unwrap_or_default();
    let (status, number) = match health {
        "Complete" => (2, 1),
        "Incomplete" => (3, 2),
        "Canceled" => (4, 3),
        _ => (0, 0),
    };
    let date = |at: Option<Timestamp>| match at {
        Some(at) => at.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string(),
        None => "None".to_owned(),
    };
    json!({
        "id": job.id,
        "status": status,
        "status_string": health.to_lowercase(),
        "state": 5,
        "state_string": "Finished",
        "health": number,
        "health_string": health,
        "submit_time": date(Some(job.submitted)),
        "start_time": date(job.started),
        "end_time": "None",
        "submitter_username": job.submitter,
        "failure_comment": null,
        "priority": 50,
        "description": job.description,
        "actual_device_id": job.device,
        "definition": job.definition,
        "metadata": [],
        "token": token,
    })
}
