//! Mattermost's API as far as posts need it, and what its errors mean.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MattermostSettings;
use super::markdown::written;
use crate::clock::Clock;
use crate::executors::Finding;
use crate::message::hash;
use crate::remote::{Answer, Failure, Remote};
use crate::reporters::chat::{Edited, Posted, Room, SEARCH_MAX, Said, Webhook, cause, word};
use crate::secret::SecretRef;

/// How many posts are asked for at once; Mattermost gives no more.
const PAGE: usize = 200;
/// What says that a post cannot be changed any more.
const TOO_LATE: &[&str] =
    &["api.post.update_post.permissions_time_limit.app_error", "app.post.get.app_error"];

/// An incoming webhook.
#[derive(Debug)]
pub(super) struct Hook {
    name: String,
    webhook: Webhook,
}

#[derive(Serialize)]
struct Payload<'a> {
    text: &'a str,
    props: Props<'a>,
}

impl Hook {
    pub(super) fn new(
        name: &str,
        webhook: &SecretRef,
        (timeout, clock): (Duration, Clock),
    ) -> anyhow::Result<Self> {
        let webhook = Webhook::read(webhook, timeout, clock)
            .with_context(|| format!("cannot use `mattermost.{name}.webhook`"))?;
        Ok(Self { name: name.to_owned(), webhook })
    }

    pub(super) async fn post(&self, said: &Said<'_>) -> Result<(), Failure> {
        let text = written(said.text);
        let answer = self.webhook.post(&Payload { text: &text, props: Props::of(said) }).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let what = format!("cannot post to the webhook of `mattermost.{}`", self.name);
        Err(refusal(self.webhook.remote(), &answer, &what))
    }
}

/// A channel that can be read and written with a token.
#[derive(Debug)]
pub(super) struct Channel {
    name: String,
    remote: Remote,
    token: HeaderValue,
    id: String,
    /// Who we are, once that was asked.
    us: OnceLock<String>,
}

#[derive(Serialize)]
struct NewPost<'a> {
    channel_id: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_id: Option<&'a str>,
    /// For half a minute Mattermost knows by it what it was told already.
    pending_post_id: String,
    props: Props<'a>,
}

#[derive(Serialize)]
struct Patch<'a> {
    message: &'a str,
    props: Props<'a>,
}

#[derive(Serialize)]
struct Props<'a> {
    pointsman: Mark<'a>,
}

#[derive(Serialize)]
struct Mark<'a> {
    marker: &'a str,
    stage: &'a str,
}

impl<'a> Props<'a> {
    fn of(said: &'a Said<'_>) -> Self {
        Self { pointsman: Mark { marker: said.marker, stage: said.stage } }
    }
}

#[derive(Deserialize)]
struct User {
    id: String,
}

#[derive(Deserialize)]
struct Posts {
    #[serde(default)]
    order: Vec<String>,
    #[serde(default)]
    posts: HashMap<String, Post>,
}

#[derive(Deserialize)]
struct Post {
    id: String,
    #[serde(default)]
    user_id: String,
    #[serde(default)]
    root_id: String,
    /// Anybody can write anything here.
    #[serde(default)]
    props: Value,
}

impl Post {
    /// The marker and the stage, if the post is one of ours.
    fn mark(&self, us: &str) -> Option<(&str, &str)> {
        let text = |path| self.props.pointer(path)?.as_str();
        let mark = (text("/pointsman/marker")?, text("/pointsman/stage")?);
        (self.user_id == us).then_some(mark)
    }
}

/// What Mattermost says when it says no.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    id: String,
}

impl Channel {
    pub(super) fn new(
        name: &str,
        settings: &MattermostSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let missing = |key: &str| format!("`mattermost.{name}.{key}` is missing");
        let token = settings.token.as_ref().with_context(|| missing("token"))?;
        let token =
            token.read().with_context(|| format!("cannot use `mattermost.{name}.token`"))?;
        let header = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
        let mut header = header.map_err(|_error| {
            anyhow!("what `mattermost.{name}.token` names is no token: it has odd characters")
        })?;
        header.set_sensitive(true);
        let url = settings.url.as_ref().with_context(|| missing("url"))?;
        let id = settings.channel_id.clone().with_context(|| missing("channel_id"))?;
        Ok(Self {
            name: name.to_owned(),
            remote: Remote::new(url, settings.timeout, clock)
                .with_context(|| format!("cannot set up `mattermost.{name}`"))?,
            token: header,
            id,
            us: OnceLock::new(),
        })
    }

    pub(super) async fn probe(&self) -> Vec<Finding> {
        let token = self.us().await.err().map(|failure| cause(&failure));
        let is_good = token.is_none();
        let subject = format!("the token in `mattermost.{}.token`", self.name);
        let mut findings = vec![Finding { subject, problem: token }];
        if is_good {
            let problem = self.page(0, 1).await.err().map(|failure| cause(&failure));
            findings.push(Finding { subject: format!("channel `{}`", self.id), problem });
        }
        findings
    }

    /// Who we are.
    async fn us(&self) -> Result<&str, Failure> {
        if let Some(us) = self.us.get() {
            return Ok(us);
        }
        let what = format!("cannot use the token in `mattermost.{}.token`", self.name);
        let answer = self.ask(self.request(Method::GET, &["users", "me"]), &what).await?;
        let user: User = answer.json(&what)?;
        Ok(self.us.get_or_init(|| user.id))
    }

    async fn page(&self, number: usize, per_page: usize) -> Result<Posts, Failure> {
        let mut url = self.remote.url(&["api", "v4", "channels", &self.id, "posts"]);
        url.query_pairs_mut()
            .append_pair("page", &number.to_string())
            .append_pair("per_page", &per_page.to_string());
        let request = self.remote.request(Method::GET, url);
        let request = request.header(AUTHORIZATION, self.token.clone());
        let what = format!("cannot read the channel of `mattermost.{}`", self.name);
        self.ask(request, &what).await?.json(&what)
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let url = self.remote.url(&[&["api", "v4"], path].concat());
        self.remote.request(method, url).header(AUTHORIZATION, self.token.clone())
    }

    async fn ask(&self, request: RequestBuilder, what: &str) -> Result<Answer, Failure> {
        let answer = self.remote.send(request).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(refusal(&self.remote, &answer, what))
        }
    }
}

#[async_trait]
impl Room for Channel {
    async fn find(&self, marker: &str) -> Result<Option<Posted>, Failure> {
        let us = self.us().await?;
        for number in 0..SEARCH_MAX / PAGE {
            let page = self.page(number, PAGE).await?;
            let posts = page.order.iter().filter_map(|id| page.posts.get(id));
            let found = posts.filter(|post| post.root_id.is_empty()).find_map(|post| {
                let (found, stage) = post.mark(us)?;
                let posted = || Posted { id: post.id.clone(), stage: stage.to_owned() };
                (found == marker).then(posted)
            });
            if found.is_some() || page.order.len() < PAGE {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn is_said(&self, thread: &str, said: &Said<'_>) -> Result<bool, Failure> {
        let us = self.us().await?;
        let what = format!("cannot read a thread of `mattermost.{}`", self.name);
        let request = self.request(Method::GET, &["posts", thread, "thread"]);
        let posts: Posts = self.ask(request, &what).await?.json(&what)?;
        Ok(posts.posts.values().any(|post| {
            !post.root_id.is_empty() && post.mark(us) == Some((said.marker, said.stage))
        }))
    }

    async fn post(&self, said: &Said<'_>, thread: Option<&str>) -> Result<(), Failure> {
        let what = format!("cannot post to the channel of `mattermost.{}`", self.name);
        let place = thread.unwrap_or_default();
        let post = NewPost {
            channel_id: &self.id,
            message: &written(said.text),
            root_id: thread,
            pending_post_id: hash(&[said.marker, said.stage, place].map(str::as_bytes)),
            props: Props::of(said),
        };
        let request = self.request(Method::POST, &["posts"]).json(&post);
        self.ask(request, &what).await.map(|_| ())
    }

    async fn edit(&self, id: &str, said: &Said<'_>) -> Result<Edited, Failure> {
        let what = format!("cannot edit in the channel of `mattermost.{}`", self.name);
        let patch = Patch { message: &written(said.text), props: Props::of(said) };
        let request = self.request(Method::PUT, &["posts", id, "patch"]).json(&patch);
        let answer = self.remote.send(request).await?;
        if answer.status.is_success() {
            return Ok(Edited::Done);
        }
        if TOO_LATE.contains(&word_of(&answer).as_str()) {
            return Ok(Edited::TooLate);
        }
        Err(refusal(&self.remote, &answer, &what))
    }
}

/// What a refusal means, with Mattermost's own word for it.
fn refusal(remote: &Remote, answer: &Answer, what: &str) -> Failure {
    match word(&word_of(answer)) {
        Some(word) => remote.refusal(answer, &format!("{what}: {word}")),
        None => remote.refusal(answer, what),
    }
}

fn word_of(answer: &Answer) -> String {
    serde_json::from_slice::<Refusal>(&answer.body).unwrap_or_default().id
}
