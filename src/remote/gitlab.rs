//! GitLab's API as far as builds, reports and inquiries need it, and what its errors mean.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use self::settings::GitLabSettings;
use crate::clock::Clock;
use crate::neutral;
use crate::remote::{Answer, Failure, Remote};

pub mod settings;

/// Where the token stands: for personal, project and group tokens alike.
const TOKEN: HeaderName = HeaderName::from_static("private-token");
/// The number of the page that follows; empty on the last.
const NEXT_PAGE: HeaderName = HeaderName::from_static("x-next-page");
/// When calls are let through again, in seconds since 1970.
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
/// How many entries are asked for at once: as many as GitLab gives.
const PER_PAGE: &str = "100";
/// How many pages of a list are read.
pub(crate) const PAGES_MAX: u32 = 10;
/// How much of GitLab's own words an error repeats.
const WORDS_MAX_CHARS: usize = 200;

/// The calls that are made.
#[derive(Debug)]
pub(crate) struct Client {
    name: String,
    remote: Remote,
    clock: Clock,
    secret: SecretString,
    header: HeaderValue,
    own: OnceCell<User>,
}

/// The path (or, from GitLab itself, the number) of a project, of which a URL can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project(String);

impl Project {
    /// How deep groups go: twenty below the first, and the project.
    const SEGMENTS_MAX: usize = 22;

    pub(crate) fn parse(path: &str) -> Result<Self, Failure> {
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && !matches!(segment, "." | "..")
                && !segment.contains(|c: char| c.is_control() || c.is_whitespace())
        };
        let segments = path.split('/').count();
        let is_path = path.len() <= 1_000
            && (2..=Self::SEGMENTS_MAX).contains(&segments)
            && path.split('/').all(is_segment);
        if is_path {
            Ok(Self(path.to_owned()))
        } else {
            let shown = said(path);
            Err(Failure::give_up(anyhow!("`{shown}` is no path of a project on GitLab")))
        }
    }

    pub(crate) fn numbered(id: u64) -> Self {
        Self(id.to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody, as GitLab tells them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) username: String,
}

/// What GitLab says when it says no.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: Value,
    error: Value,
}

impl Client {
    /// The calls to `[gitlab.NAME]`; its token is read here.
    pub(crate) fn new(name: &str, settings: &GitLabSettings, clock: Clock) -> anyhow::Result<Self> {
        let remote = Remote::new(&settings.url, settings.timeout, clock.clone())
            .with_context(|| format!("cannot set up `gitlab.{name}`"))?;
        let cannot = || format!("cannot use `gitlab.{name}.token`");
        let secret = settings.token.read().with_context(cannot)?;
        // The error would not carry the token, but the cause has nothing to add either.
        let header = HeaderValue::try_from(secret.expose_secret());
        let header = header.map_err(|_error| anyhow!("it is no token: it has odd characters"));
        let mut header = header.with_context(cannot)?;
        header.set_sensitive(true);
        let name = name.to_owned();
        Ok(Self { name, remote, clock, secret, header, own: OnceCell::new() })
    }

    /// What settings call it, `gitlab.NAME`.
    pub(crate) fn called(&self) -> String {
        format!("gitlab.{}", self.name)
    }

    /// Calls `path` below the API; whatever comes is an answer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        (path, query): (&[&str], &[(&str, &str)]),
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let path = [&["api", "v4"], path].concat();
        let mut url = self.remote.url(&path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.remote.request(method, url).header(TOKEN, self.header.clone());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.remote.send(request).await
    }

    /// Posts a form to `path` below the API, without our token: what proves it is in the form.
    pub(crate) async fn post_form(
        &self,
        path: &[&str],
        form: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let url = self.remote.url(&[&["api", "v4"], path].concat());
        self.remote.send(self.remote.request(Method::POST, url).form(form)).await
    }

    /// The address of a page, such as that of a pipeline, below the one of GitLab.
    pub(crate) fn page(&self, project: &Project, segments: &[&str]) -> Url {
        let project: Vec<&str> = project.as_str().split('/').collect();
        self.remote.url(&[&project, segments].concat())
    }

    /// The answer, if it is a good one; `what` says what was tried.
    pub(crate) fn good(&self, answer: Answer, what: &str) -> Result<Answer, Failure> {
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer, what)) }
    }

    /// What there is at `path`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        what: &str,
    ) -> Result<T, Failure> {
        let answer = self.ask(Method::GET, (path, &[]), None).await?;
        self.good(answer, what)?.json(what)
    }

    /// What there is at `path`; none where GitLab says that there is nothing.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: &[&str],
        what: &str,
    ) -> Result<Option<T>, Failure> {
        let answer = self.ask(Method::GET, (path, &[]), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.good(answer, what)?.json(what).map(Some)
    }

    /// The entries of a list, at most [`PAGES_MAX`] pages of it.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        (path, query): (&[&str], &[(&str, &str)]),
        what: &str,
    ) -> Result<Vec<T>, Failure> {
        let mut entries = Vec::new();
        let mut page = "1".to_owned();
        for _ in 0..PAGES_MAX {
            let paged = [query, &[("per_page", PER_PAGE), ("page", &page)]].concat();
            let answer = self.ask(Method::GET, (path, &paged), None).await?;
            let answer = self.good(answer, what)?;
            entries.extend(answer.json::<Vec<T>>(what)?);
            match next_page(&answer.headers) {
                Some(next) => page = next,
                None => return Ok(entries),
            }
        }
        tracing::warn!(gitlab.name = %self.name, "More than {PAGES_MAX} pages; {what} beyond");
        Ok(entries)
    }

    /// The newest entries of a list, at most [`PER_PAGE`] of them.
    pub(crate) async fn newest<T: DeserializeOwned>(
        &self,
        (path, query): (&[&str], &[(&str, &str)]),
        what: &str,
    ) -> Result<Vec<T>, Failure> {
        let query = [query, &[("per_page", PER_PAGE)]].concat();
        let answer = self.ask(Method::GET, (path, &query), None).await?;
        self.good(answer, what)?.json(what)
    }

    /// Our own number.
    pub(crate) async fn own(&self) -> Result<u64, Failure> {
        Ok(self.own_user().await?.id)
    }

    /// Whose token it is; asked once.
    pub(crate) async fn own_user(&self) -> Result<&User, Failure> {
        let ask = || self.get(&["user"], "cannot ask whose token it is");
        self.own.get_or_try_init(ask).await
    }

    /// What a refusal means.
    pub(crate) fn refusal(&self, answer: &Answer, what: &str) -> Failure {
        let words = self.words(answer);
        let mut what = what.to_owned();
        if !words.is_empty() {
            what = format!("{what}: {words}");
        }
        let hint = match answer.status {
            StatusCode::UNAUTHORIZED => "see",
            StatusCode::FORBIDDEN => "more rights are needed for",
            StatusCode::NOT_FOUND => "it is not there, or cannot be seen with",
            status if status.is_redirection() => "it has moved, or the address is not that of",
            _ => "",
        };
        if !hint.is_empty() {
            let setting = if answer.status.is_redirection() { "url" } else { "token" };
            what = format!("{what} ({hint} `gitlab.{}.{setting}`)", self.name);
        }
        match self.remote.refusal(answer, &what) {
            Failure::Retry { source, after } => {
                Failure::Retry { source, after: after.or_else(|| self.reset(answer)) }
            }
            // Another update of the same is under way.
            Failure::GiveUp(source) if answer.status == StatusCode::CONFLICT => {
                Failure::retry(source)
            }
            failure @ Failure::GiveUp(_) => failure,
        }
    }

    /// GitLab's own words, in one line.
    pub(crate) fn words(&self, answer: &Answer) -> String {
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let told = [refusal.message, refusal.error].into_iter().find(|told| !told.is_null());
        let words = match told {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        // `404 Not Found` is what the status says by itself.
        let status = answer.status.to_string();
        let words = if words.eq_ignore_ascii_case(&status) { String::new() } else { words };
        said(&words.replace(self.secret.expose_secret(), "[token]"))
    }

    /// How long until the limit of calls is lifted, where only that is told.
    fn reset(&self, answer: &Answer) -> Option<Duration> {
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        let at: i64 = answer.headers.get(RATE_LIMIT_RESET)?.to_str().ok()?.trim().parse().ok()?;
        let seconds = at.saturating_sub(self.clock.now().as_second());
        let wait = Duration::from_secs(u64::try_from(seconds).ok()?);
        Some(wait.min(Remote::RETRY_AFTER_MAX))
    }
}

fn next_page(headers: &HeaderMap) -> Option<String> {
    let page = headers.get(NEXT_PAGE)?.to_str().ok()?;
    let is_number = (1..=9).contains(&page.len()) && page.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| page.to_owned())
}

/// A text from outside, in one line and not endless.
pub(crate) fn said(text: &str) -> String {
    let text = neutral::plain(text).replace('\n', " ");
    text.chars().take(WORDS_MAX_CHARS).collect()
}
