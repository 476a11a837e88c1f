//! Patchew's API as far as it is needed, and what its errors mean.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::PatchewSettings;
use super::wire::{Key, No, Page, Place};
use crate::clock::Clock;
use crate::neutral;
use crate::remote::{Answer, Failure, Remote};
use crate::reporters::patches::is_msgid;

/// The calls that are needed.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    remote: Remote,
    login: Option<Login>,
    /// What the last login gave; whoever holds it logs in for all.
    token: tokio::sync::Mutex<Option<HeaderValue>>,
    /// The numbers of projects by their names: they do not change.
    projects: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug)]
struct Login {
    username: String,
    password: SecretString,
}

/// Who may read a list.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Anybody,
    /// Our account.
    Us,
}

impl Client {
    /// How many pages of a list are read, at most.
    const PAGES_MAX: usize = 40;
    /// How many are asked for at once.
    const PAGE_SIZE: usize = 50;

    pub(super) fn new(
        name: &str,
        settings: &PatchewSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let remote = Remote::new(&settings.url, settings.timeout, clock)
            .with_context(|| format!("cannot set up `patchew.{name}`"))?;
        let login = match (&settings.username, &settings.password) {
            (Some(username), Some(password)) => {
                let password = password.read();
                let password =
                    password.with_context(|| format!("cannot use `patchew.{name}.password`"))?;
                Some(Login { username: username.clone(), password })
            }
            (Some(_), None) | (None, _) => None,
        };
        Ok(Self {
            name: name.to_owned(),
            remote,
            login,
            token: tokio::sync::Mutex::default(),
            projects: Mutex::default(),
        })
    }

    /// The address of something below the API's root; every path ends with a slash there.
    pub(super) fn api(&self, path: &[&str]) -> Url {
        self.remote.url(&[&["api", "v1"], path, &[""]].concat())
    }

    /// The address of a page for people.
    pub(super) fn page(&self, path: &[&str]) -> Url {
        self.remote.url(&[path, &[""]].concat())
    }

    /// Reads something that everybody may.
    pub(super) async fn get(&self, url: Url, what: &str) -> Result<Answer, Failure> {
        let answer = self.ask(url).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer, what)) }
    }

    /// As [`Client::get`]; nothing where there is no such thing.
    pub(super) async fn find(&self, url: Url, what: &str) -> Result<Option<Answer>, Failure> {
        let answer = self.ask(url).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer)),
            _ => Err(self.refusal(&answer, what)),
        }
    }

    /// Asks; any answer is one.
    pub(super) async fn ask(&self, url: Url) -> Result<Answer, Failure> {
        self.remote.send(self.remote.request(Method::GET, url)).await
    }

    /// The number of a project.
    ///
    /// Its name is asked for, and not the list of its series: of a project that does not exist
    /// that is an empty list.
    pub(super) async fn project(&self, name: &str) -> Result<u64, Failure> {
        let known = self.known().get(name).copied();
        match known {
            Some(id) => Ok(id),
            None => self.look_up(name).await,
        }
    }

    /// As [`Client::project`], but asks again.
    pub(super) async fn look_up(&self, name: &str) -> Result<u64, Failure> {
        let shown = said(name);
        let what = format!("cannot find project `{shown}`");
        if !is_segment(name) {
            return Err(Failure::give_up(anyhow!("`{shown}` is no name of a project on Patchew")));
        }
        let url = self.api(&["projects", "by-name", name]);
        let answer = self.ask(url.clone()).await?;
        let id = match answer.status {
            StatusCode::TEMPORARY_REDIRECT => {
                self.local(&answer, &what)?.path_segments().and_then(last_number)
            }
            status if status.is_success() => {
                let place: Place = answer.json(&what)?;
                number_of(&place.resource_uri, "projects")
            }
            StatusCode::NOT_FOUND => {
                let refusal =
                    anyhow!("there is no project `{shown}` (see `patchew.{}.projects`)", self.name);
                return Err(Failure::give_up(refusal));
            }
            _ => return Err(self.refusal(&answer, &what)),
        };
        let id = id.ok_or_else(|| Failure::retry(anyhow!("{what}: it has no number")))?;
        self.known().insert(name.to_owned(), id);
        Ok(id)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a redirection points, if that is at this Patchew.
    fn local(&self, answer: &Answer, what: &str) -> Result<Url, Failure> {
        let base = self.remote.base();
        let url = answer.location(base);
        let is_here = |url: &Url| {
            url.origin() == base.origin() && url.path().starts_with(self.api(&[]).path())
        };
        url.filter(is_here).ok_or_else(|| {
            Failure::give_up(anyhow!("{what}: it sends us elsewhere, and we do not go"))
        })
    }

    /// Goes through a list, page by page, until `is_enough` of one page; whatever can be read.
    ///
    /// A page is found by its number: the address that is told may be of a host behind a proxy.
    pub(super) async fn list<T: DeserializeOwned + Send + Sync>(
        &self,
        (by, path, query): (By, &[&str], &[(&str, &str)]),
        what: &str,
        is_enough: impl Fn(&[T]) -> bool + Send,
    ) -> Result<Vec<T>, Failure> {
        let mut items: Vec<T> = Vec::new();
        let mut offset = 0;
        for _ in 0..Self::PAGES_MAX {
            let mut url = self.api(path);
            url.query_pairs_mut()
                .extend_pairs(query)
                .append_pair("limit", &Self::PAGE_SIZE.to_string())
                .append_pair("offset", &offset.to_string());
            let answer = match by {
                By::Anybody => self.get(url, what).await?,
                By::Us => self.peek(url, what).await?,
            };
            let page: Page = answer.json(what)?;
            let count = page.results.len();
            let read: Vec<T> =
                page.results.into_iter().filter_map(|item| readable(item, what)).collect();
            let is_last = count == 0 || page.next.is_none() || is_enough(&read);
            items.extend(read);
            if is_last {
                return Ok(items);
            }
            offset += count;
        }
        tracing::warn!(patchew = %self.name, "Read the first {} pages only: {what}", Self::PAGES_MAX);
        Ok(items)
    }

    /// Changes a result; any answer is one.
    pub(super) async fn put(&self, url: &Url, body: &Value, what: &str) -> Result<Answer, Failure> {
        let request = || self.remote.request(Method::PUT, url.clone()).json(body);
        self.signed(&request, what).await
    }

    /// Asks something that is done by asking; one redirection within this Patchew is followed,
    /// with what is asked.
    pub(super) async fn post(&self, url: Url, body: &Value, what: &str) -> Result<Answer, Failure> {
        let request = |url: &Url| self.remote.request(Method::POST, url.clone()).json(body);
        let answer = self.signed(&|| request(&url), what).await?;
        if answer.status != StatusCode::TEMPORARY_REDIRECT {
            return self.accepted(answer, what);
        }
        let url = self.local(&answer, what)?;
        let answer = self.signed(&|| request(&url), what).await?;
        self.accepted(answer, what)
    }

    /// Reads something that only our account may.
    pub(super) async fn peek(&self, url: Url, what: &str) -> Result<Answer, Failure> {
        let request = || self.remote.request(Method::GET, url.clone());
        self.accepted(self.signed(&request, what).await?, what)
    }

    fn accepted(&self, answer: Answer, what: &str) -> Result<Answer, Failure> {
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer, what)) }
    }

    /// Sends with our token; where that is not good any more, once again with a new one.
    async fn signed(
        &self,
        request: &(dyn Fn() -> RequestBuilder + Sync),
        what: &str,
    ) -> Result<Answer, Failure> {
        let token = self.token(None).await?;
        let answer = self.remote.send(request().header(AUTHORIZATION, token.clone())).await?;
        if !is_stale(&answer) {
            return Ok(answer);
        }
        let token = self.token(Some(&token)).await?;
        let answer = self.remote.send(request().header(AUTHORIZATION, token)).await?;
        if is_stale(&answer) {
            let words = "the token that it has just given us is not valid";
            return Err(Failure::give_up(anyhow!("{what}: {words}: {}", answer.status)));
        }
        Ok(answer)
    }

    /// Our token; a new one where `stale` is not good any more, and nobody else has got one.
    async fn token(&self, stale: Option<&HeaderValue>) -> Result<HeaderValue, Failure> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| Some(*token) != stale) {
            return Ok(token.clone());
        }
        let token = self.log_in().await?;
        *kept = Some(token.clone());
        drop(kept);
        Ok(token)
    }

    /// Logs in.
    pub(super) async fn log_in(&self) -> Result<HeaderValue, Failure> {
        let Some(login) = &self.login else {
            return Err(Failure::give_up(anyhow!(
                "there is no account: set `patchew.{0}.username` and `patchew.{0}.password`",
                self.name
            )));
        };
        let what = format!("cannot log in as `{}`", login.username);
        let body =
            json!({ "username": login.username, "password": login.password.expose_secret() });
        let request = self.remote.request(Method::POST, self.api(&["users", "login"])).json(&body);
        let answer = self.remote.send(request).await?;
        if matches!(answer.status.as_u16(), 400 | 401 | 403) {
            let what = format!("{what} (see `patchew.{}.password`)", self.name);
            return Err(self.remote.refusal(&answer, &what));
        }
        if !answer.status.is_success() {
            return Err(self.remote.refusal(&answer, &what));
        }
        let Key { key } = answer.json(&what)?;
        // The error would not carry the token, but the cause has nothing to add either.
        let token = HeaderValue::try_from(format!("Token {key}"));
        let mut token = token.map_err(|_error| {
            Failure::retry(anyhow!("{what}: it gives no token that can be used"))
        })?;
        token.set_sensitive(true);
        Ok(token)
    }

    /// Whether there is an account.
    pub(super) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// The name of our account.
    pub(super) fn username(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.username.as_str())
    }

    /// What an unwelcome answer means, with Patchew's own words where it has some.
    pub(super) fn refusal(&self, answer: &Answer, what: &str) -> Failure {
        let No { detail } = serde_json::from_slice(&answer.body).unwrap_or_default();
        let what =
            if detail.is_empty() { what.to_owned() } else { format!("{what}: {}", said(&detail)) };
        self.remote.refusal(answer, &what)
    }
}

/// Whether a token is not good any more: 401, or 403 where browsers log in, too.
fn is_stale(answer: &Answer) -> bool {
    if answer.status != StatusCode::FORBIDDEN {
        return answer.status == StatusCode::UNAUTHORIZED;
    }
    let No { detail } = serde_json::from_slice(&answer.body).unwrap_or_default();
    detail.to_ascii_lowercase().contains("invalid token")
}

/// One thing of a list, if it can be read.
fn readable<T: DeserializeOwned>(item: Value, what: &str) -> Option<T> {
    match serde_json::from_value(item) {
        Ok(item) => Some(item),
        Err(error) => {
            tracing::warn!(%error, "Left out what could not be read in a list: {what}");
            None
        }
    }
}

/// The number after `word` in an address.
pub(super) fn number_of(address: &str, word: &str) -> Option<u64> {
    let mut parts = address.split('/');
    parts.by_ref().find(|part| *part == word)?;
    parts.next()?.parse().ok()
}

fn last_number<'a>(parts: impl Iterator<Item = &'a str>) -> Option<u64> {
    parts.filter(|part| !part.is_empty()).last()?.parse().ok()
}

/// Whether it can be a part of a path: a name of a project may have spaces in it.
pub(super) fn is_segment(name: &str) -> bool {
    name.len() <= 300
        && is_msgid(&name.replace(' ', "_"))
        && !name.starts_with(' ')
        && !name.contains('/')
}

/// A text from outside, in one line and not endless.
pub(super) fn said(text: &str) -> String {
    const WORDS_MAX_CHARS: usize = 200;
    neutral::plain(text).replace('\n', " ").chars().take(WORDS_MAX_CHARS).collect()
}
