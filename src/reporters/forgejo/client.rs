//! The API of Forgejo and Gitea, as far as it is called.

use std::fmt;
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow};
use reqwest::header::{AUTHORIZATION, HeaderValue, LINK};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::ForgejoSettings;
use crate::clock::Clock;
use crate::neutral;
use crate::remote::{Answer, Failure, Remote};

/// How much of the forge's own words an error repeats.
const WORDS_MAX_CHARS: usize = 200;

/// A Forgejo or Gitea, as far as it is called.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    remote: Remote,
    secret: SecretString,
    header: HeaderValue,
    own: OnceLock<User>,
}

/// The full name of a repository, of which a URL can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repo {
    owner: String,
    name: String,
}

/// Somebody, as the forge tells of them.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    /// Lasting; -1 for somebody who is gone.
    pub(super) id: i64,
    pub(super) login: String,
}

/// What the forge says when it says no.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: String,
}

impl Repo {
    pub(super) fn parse(full_name: &str) -> Result<Self, Failure> {
        match full_name.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err(Failure::give_up(anyhow!(
                "`{}` is no repository on Forgejo (`owner/name`)",
                shown(full_name)
            ))),
        }
    }

    /// The path of something in it.
    pub(super) fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", &self.owner, &self.name], rest].concat()
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Whether it can be a part of a path: what a URL's path understands differently cannot.
pub(super) fn is_name(text: &str) -> bool {
    const MAX_CHARS: usize = 200;
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_CHARS).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.chars().all(is_letter)
}

impl Client {
    pub(super) fn new(
        name: &str,
        settings: &ForgejoSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let remote = Remote::new(&settings.url, settings.timeout, clock)
            .with_context(|| format!("cannot set up `forgejo.{name}`"))?;
        let what = || format!("cannot use `forgejo.{name}.token`");
        let secret = settings.token.read().with_context(what)?;
        // The error would not carry the token, but the cause has nothing to add either.
        let header = HeaderValue::try_from(format!("token {}", secret.expose_secret()))
            .map_err(|_error| anyhow!("it is no token: it has odd characters"));
        let mut header = header.with_context(what)?;
        header.set_sensitive(true);
        Ok(Self { name: name.to_owned(), remote, secret, header, own: OnceLock::new() })
    }

    /// Asks; any answer is one, also a refusal.
    pub(super) async fn ask(
        &self,
        (method, path): (Method, &[&str]),
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let path = [&["api", "v1"], path].concat();
        let mut url = self.remote.url(&path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request =
            self.remote.request(method, url).header(AUTHORIZATION, self.header.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        self.remote.send(request).await
    }

    /// Reads, and takes only a success for an answer; `what` says what is tried.
    pub(super) async fn get(&self, path: &[&str], what: &str) -> Result<Answer, Failure> {
        self.success(self.ask((Method::GET, path), &[], None).await?, what)
    }

    /// Posts, and takes only a success for an answer.
    pub(super) async fn post(
        &self,
        path: &[&str],
        body: &Value,
        what: &str,
    ) -> Result<Answer, Failure> {
        self.success(self.ask((Method::POST, path), &[], Some(body)).await?, what)
    }

    /// The answer, if it is a success.
    pub(super) fn success(&self, answer: Answer, what: &str) -> Result<Answer, Failure> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let said: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let words = said.message.replace(self.secret.expose_secret(), "[token]");
        let mut what = what.to_owned();
        if !words.is_empty() {
            what = format!("{what}: {}", shown(words.trim_end_matches('.')));
        }
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            what = format!("{what} (see `forgejo.{}.token`)", self.name);
        }
        Err(self.remote.refusal(&answer, &what))
    }

    /// Who we are.
    pub(super) async fn own(&self) -> Result<&User, Failure> {
        if let Some(user) = self.own.get() {
            return Ok(user);
        }
        let what = "cannot ask who we are";
        let user: User = self.get(&["user"], what).await?.json(what)?;
        Ok(self.own.get_or_init(|| user))
    }
}

/// Whether a list goes on (RFC 8288).
pub(super) fn has_next(answer: &Answer) -> bool {
    let links = answer.headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
    links.flat_map(|links| links.split(',')).any(|link| link.contains("rel=\"next\""))
}

/// A text from outside, in one line and not endless.
pub(super) fn shown(text: &str) -> String {
    let text = neutral::plain(text).replace('\n', " ");
    text.chars().take(WORDS_MAX_CHARS).collect()
}
