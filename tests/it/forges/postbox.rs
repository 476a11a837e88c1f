//! Somebody to whom a forge posts in our place: what came is kept, and can be delivered later.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use pointsman::clock::Clock;
use pointsman::remote::Remote;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::world::PATIENCE;

/// A webhook as it came.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Post {
    /// Something that nobody sends by himself.
    pub(crate) fn of(headers: &[(&str, String)], body: String) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Self { headers: headers.collect(), body }
    }

    /// What a header says.
    pub(crate) fn says(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The same post without a header.
    pub(crate) fn without(&self, name: &str) -> Self {
        let headers = self.headers.iter().filter(|(known, _)| known != name);
        Self { headers: headers.cloned().collect(), ..self.clone() }
    }

    /// The same post with this header, in place of one that it may have.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut post = self.without(name);
        post.headers.push((name.to_owned(), value.to_owned()));
        post
    }

    /// Posts it; status and words of the answer.
    pub(crate) async fn send(&self, url: &Url) -> String {
        let remote = Remote::new(url, PATIENCE, Clock::system()).unwrap();
        let mut request = remote.request(Method::POST, url.clone()).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = remote.send(request).await.unwrap();
        format!("{} {}", answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
    }

    /// Topic and body that webhook-to-fedora-messaging makes of it, which hands on all headers;
    /// Pagure publishes by itself what is in its envelopes.
    pub(crate) fn relayed(&self, forge: &str) -> (String, Value) {
        if forge == "pagure" {
            let envelope: Value = serde_json::from_str(&self.body).unwrap();
            let topic = envelope["topic"].as_str().unwrap();
            return (format!("io.pagure.prod.pagure.{topic}"), envelope["msg"].clone());
        }
        let event = self.says(&format!("x-{forge}-event")).unwrap();
        let event = event.trim_end_matches(" Hook").to_lowercase().replace(' ', "_");
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let topic = format!("org.fedoraproject.prod.{forge}.{event}");
        (topic, json!({ "body": body, "headers": headers, "agent": null }))
    }
}

/// Keeps what is posted to it.
pub(crate) struct Postbox {
    pub(crate) url: Url,
    kept: Arc<Mutex<Vec<Post>>>,
    _server: JoinSet<()>,
}

impl Postbox {
    pub(crate) async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let kept = Arc::<Mutex<Vec<Post>>>::default();
        let router = Router::new().fallback(keep).with_state(Arc::clone(&kept));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, kept, _server: server }
    }

    /// Takes out what has come, oldest first.
    pub(crate) fn take(&self) -> Vec<Post> {
        std::mem::take(&mut *self.kept.lock().unwrap())
    }
}

async fn keep(State(kept): State<Arc<Mutex<Vec<Post>>>>, headers: HeaderMap, body: String) {
    // A connection's own matters, which the next one has its own of.
    let is_own = |name: &str| matches!(name, "host" | "content-length" | "connection");
    let headers = headers.iter().filter(|(name, _)| !is_own(name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()));
    kept.lock().unwrap().push(Post { headers: headers.collect(), body });
}
