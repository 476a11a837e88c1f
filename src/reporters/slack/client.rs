//! Slack's Web API as far as messages need it, and what its errors mean.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::SlackSettings;
use super::mrkdwn::written;
use crate::clock::Clock;
use crate::executors::Finding;
use crate::remote::{Answer, Failure, Remote};
use crate::reporters::chat::{Edited, Posted, Room, SEARCH_MAX, Said, Webhook, cause, word};
use crate::secret::SecretRef;

/// The type of our metadata.
const EVENT_TYPE: &str = "pointsman_report";
/// How many messages are asked for at once; Slack recommends no more.
const PAGE: usize = 200;
/// What Slack says when trying again can help.
const PASSING: &[&str] = &[
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
];
/// What it says when a message cannot be changed any more.
const TOO_LATE: &[&str] = &["cant_update_message", "edit_window_closed", "message_not_found"];

/// An incoming webhook.
#[derive(Debug)]
pub(super) struct Hook {
    name: String,
    webhook: Webhook,
}

impl Hook {
    pub(super) fn new(
        name: &str,
        webhook: &SecretRef,
        (timeout, clock): (Duration, Clock),
    ) -> anyhow::Result<Self> {
        let webhook = Webhook::read(webhook, timeout, clock)
            .with_context(|| format!("cannot use `slack.{name}.webhook`"))?;
        Ok(Self { name: name.to_owned(), webhook })
    }

    pub(super) async fn post(&self, said: &Said<'_>) -> Result<(), Failure> {
        let text = written(said.text);
        let body = Words { text: &text, unfurl_links: false, unfurl_media: false };
        let answer = self.webhook.post(&body).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let what = format!("cannot post to the webhook of `slack.{}`", self.name);
        let said = std::str::from_utf8(&answer.body).ok().and_then(word);
        Err(self.webhook.remote().refusal(&answer, &with_word(&what, said)))
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
struct Words<'a> {
    text: &'a str,
    unfurl_links: bool,
    unfurl_media: bool,
}

#[derive(Serialize)]
struct Post<'a> {
    channel: &'a str,
    #[serde(flatten)]
    words: Words<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    /// What is said in a thread is for all in the channel.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reply_broadcast: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a str>,
    parse: &'static str,
    link_names: bool,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    event_type: &'static str,
    event_payload: Mark<'a>,
}

#[derive(Serialize)]
struct Mark<'a> {
    marker: &'a str,
    stage: &'a str,
}

/// Any answer of the Web API.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reply {
    ok: bool,
    error: Option<String>,
    /// The scope that is missing.
    needed: Option<String>,
    user_id: Option<String>,
    messages: Vec<Message>,
    response_metadata: Option<Cursor>,
}

#[derive(Deserialize)]
struct Cursor {
    #[serde(default)]
    next_cursor: String,
}

#[derive(Deserialize)]
struct Message {
    ts: String,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    thread_ts: Option<String>,
    /// Anybody's application can write anything here.
    #[serde(default)]
    metadata: Value,
}

impl Message {
    /// The marker and the stage, if the message is one of ours.
    fn mark(&self, us: &str) -> Option<(&str, &str)> {
        let text = |path| self.metadata.pointer(path)?.as_str();
        let mark = (text("/event_payload/marker")?, text("/event_payload/stage")?);
        let is_ours = self.user.as_deref() == Some(us) && text("/event_type") == Some(EVENT_TYPE);
        is_ours.then_some(mark)
    }

    fn is_in_thread(&self) -> bool {
        self.thread_ts.as_ref().is_some_and(|thread| *thread != self.ts)
    }
}

impl Channel {
    pub(super) fn new(name: &str, settings: &SlackSettings, clock: Clock) -> anyhow::Result<Self> {
        let key = format!("slack.{name}.token");
        let token = settings.token.as_ref().with_context(|| format!("`{key}` is missing"))?;
        let token = token.read().with_context(|| format!("cannot use `{key}`"))?;
        let header = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
        let mut header = header
            .map_err(|_error| anyhow!("what `{key}` names is no token: it has odd characters"))?;
        header.set_sensitive(true);
        let id = settings.channel.clone();
        let url = settings.url.clone().map_or_else(|| Url::parse(SlackSettings::URL), Ok);
        let remote = url.map(|url| Remote::new(&url, settings.timeout, clock));
        Ok(Self {
            name: name.to_owned(),
            remote: remote?.with_context(|| format!("cannot set up `slack.{name}`"))?,
            token: header,
            id: id.with_context(|| format!("`slack.{name}.channel` is missing"))?,
            us: OnceLock::new(),
        })
    }

    pub(super) async fn probe(&self) -> Vec<Finding> {
        let token = self.us().await.err().map(|failure| cause(&failure));
        let is_good = token.is_none();
        let subject = format!("the token in `slack.{}.token`", self.name);
        let mut findings = vec![Finding { subject, problem: token }];
        if is_good {
            let read = self.page("conversations.history", &[("limit", "1")]).await;
            let problem = read.err().map(|failure| cause(&failure));
            findings.push(Finding { subject: format!("channel `{}`", self.id), problem });
        }
        findings
    }

    /// Who we are.
    async fn us(&self) -> Result<&str, Failure> {
        if let Some(us) = self.us.get() {
            return Ok(us);
        }
        let what = format!("cannot use the token in `slack.{}.token`", self.name);
        let request = self.request(Method::POST, "auth.test", &[]);
        let (answer, reply) = self.ask(request, &what).await?;
        let reply = self.accepted(&answer, reply, &what)?;
        let us = reply.user_id.context("whose it is, is not told").map_err(Failure::retry)?;
        Ok(self.us.get_or_init(|| us))
    }

    /// A page of messages.
    async fn page(&self, method: &str, parameters: &[(&str, &str)]) -> Result<Reply, Failure> {
        let what = format!("cannot read channel `{}` of `slack.{}`", self.id, self.name);
        let all = [("channel", self.id.as_str()), ("include_all_metadata", "true")];
        let parameters = [all.as_slice(), parameters].concat();
        let (answer, reply) =
            self.ask(self.request(Method::GET, method, &parameters), &what).await?;
        self.accepted(&answer, reply, &what)
    }

    /// The first of the newest messages for which `wanted` has an answer.
    async fn search<T>(
        &self,
        (method, thread): (&str, Option<&str>),
        wanted: impl Fn(&Message) -> Option<T> + Send,
    ) -> Result<Option<T>, Failure> {
        let limit = PAGE.to_string();
        let mut cursor = String::new();
        for _ in 0..SEARCH_MAX / PAGE {
            let mut parameters = vec![("limit", limit.as_str())];
            parameters.extend(thread.map(|ts| ("ts", ts)));
            if !cursor.is_empty() {
                parameters.push(("cursor", &cursor));
            }
            let page = self.page(method, &parameters).await?;
            if let Some(found) = page.messages.iter().find_map(&wanted) {
                return Ok(Some(found));
            }
            match page.response_metadata {
                Some(next) if !next.next_cursor.is_empty() => cursor = next.next_cursor,
                Some(_) | None => break,
            }
        }
        Ok(None)
    }

    fn words<'a>(&'a self, text: &'a str, said: &'a Said<'_>) -> Post<'a> {
        Post {
            channel: &self.id,
            words: Words { text, unfurl_links: false, unfurl_media: false },
            thread_ts: None,
            reply_broadcast: false,
            ts: None,
            // Left to itself, an edit would look for names to link.
            parse: "none",
            link_names: false,
            metadata: Metadata {
                event_type: EVENT_TYPE,
                event_payload: Mark { marker: said.marker, stage: said.stage },
            },
        }
    }

    fn request(&self, method: Method, call: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.remote.url(&["api", call]);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        self.remote.request(method, url).header(AUTHORIZATION, self.token.clone())
    }

    async fn ask(&self, request: RequestBuilder, what: &str) -> Result<(Answer, Reply), Failure> {
        let answer = self.remote.send(request).await?;
        let reply = match answer.json::<Reply>(what) {
            Ok(reply) => reply,
            Err(_) if !answer.status.is_success() => Reply::default(),
            Err(failure) => return Err(failure),
        };
        Ok((answer, reply))
    }

    /// The reply, unless it says no, which Slack does with status 200.
    fn accepted(&self, answer: &Answer, reply: Reply, what: &str) -> Result<Reply, Failure> {
        if reply.ok && answer.status.is_success() {
            return Ok(reply);
        }
        let said = reply.error.as_deref();
        let mut what = with_word(what, said.map(|said| word(said).unwrap_or("refused")));
        let needed = reply.needed.as_deref().unwrap_or_default();
        if !needed.is_empty()
            && needed.chars().all(|c| c.is_ascii_lowercase() || ":.,_".contains(c))
        {
            what = format!("{what} (it needs {needed})");
        }
        if answer.status.is_success() {
            return Err(match said {
                Some("ratelimited" | "rate_limited") => {
                    self.remote.refusal(&too_many(answer), &what)
                }
                Some(said) if PASSING.contains(&said) => Failure::retry(anyhow!(what)),
                Some(_) | None => Failure::give_up(anyhow!(what)),
            });
        }
        Err(self.remote.refusal(answer, &what))
    }
}

#[async_trait]
impl Room for Channel {
    async fn find(&self, marker: &str) -> Result<Option<Posted>, Failure> {
        let us = self.us().await?;
        let wanted = |message: &Message| {
            let (found, stage) = message.mark(us)?;
            let is_it = found == marker && !message.is_in_thread();
            is_it.then(|| Posted { id: message.ts.clone(), stage: stage.to_owned() })
        };
        self.search(("conversations.history", None), wanted).await
    }

    async fn is_said(&self, thread: &str, said: &Said<'_>) -> Result<bool, Failure> {
        let us = self.us().await?;
        let wanted = |message: &Message| {
            let is_it = message.mark(us)? == (said.marker, said.stage) && message.is_in_thread();
            is_it.then_some(())
        };
        let found = self.search(("conversations.replies", Some(thread)), wanted).await?;
        Ok(found.is_some())
    }

    async fn post(&self, said: &Said<'_>, thread: Option<&str>) -> Result<(), Failure> {
        let what = format!("cannot post to channel `{}` of `slack.{}`", self.id, self.name);
        let text = written(said.text);
        let is_reply = thread.is_some();
        let words = self.words(&text, said);
        let post = Post { thread_ts: thread, reply_broadcast: is_reply, ..words };
        let request = self.request(Method::POST, "chat.postMessage", &[]).json(&post);
        let (answer, reply) = self.ask(request, &what).await?;
        self.accepted(&answer, reply, &what).map(|_| ())
    }

    async fn edit(&self, id: &str, said: &Said<'_>) -> Result<Edited, Failure> {
        let what = format!("cannot edit in channel `{}` of `slack.{}`", self.id, self.name);
        let text = written(said.text);
        let post = Post { ts: Some(id), ..self.words(&text, said) };
        let request = self.request(Method::POST, "chat.update", &[]).json(&post);
        let (answer, reply) = self.ask(request, &what).await?;
        if reply.error.as_deref().is_some_and(|said| TOO_LATE.contains(&said)) {
            return Ok(Edited::TooLate);
        }
        self.accepted(&answer, reply, &what).map(|_| Edited::Done)
    }
}

fn with_word(what: &str, word: Option<&str>) -> String {
    word.map_or_else(|| what.to_owned(), |word| format!("{what}: {word}"))
}

fn too_many(answer: &Answer) -> Answer {
    Answer {
        status: StatusCode::TOO_MANY_REQUESTS,
        headers: answer.headers.clone(),
        body: Vec::new(),
    }
}
