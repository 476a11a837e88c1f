//! LAVA's REST API as far as builds need it, and what its errors mean.

use anyhow::{Context as _, anyhow};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::LavaSettings;
use super::wire::{self, Page};
use crate::clock::Clock;
use crate::remote::{Answer, Failure, Remote};

/// What stands where a secret was.
pub(super) const HIDDEN: &str = "[token]";

/// The calls that are made.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    remote: Remote,
    secret: SecretString,
    header: HeaderValue,
    own: OnceCell<String>,
}

/// What is asked for: the parts of a path below the API, and the query.
pub(super) type Place<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

#[derive(Deserialize)]
struct WhoAmI {
    user: String,
}

impl Client {
    /// The calls to `[lava.NAME]`; its token is read here.
    pub(super) fn new(name: &str, settings: &LavaSettings, clock: Clock) -> anyhow::Result<Self> {
        let remote = Remote::new(&settings.url, settings.timeout, clock)
            .with_context(|| format!("cannot set up `lava.{name}`"))?;
        let cannot = || format!("cannot use `lava.{name}.token`");
        let secret = settings.token.read().with_context(cannot)?;
        // The error would not carry the token, but the cause has nothing to add either.
        let header = HeaderValue::try_from(format!("Token {}", secret.expose_secret()));
        let header = header.map_err(|_error| anyhow!("it is no token: it has odd characters"));
        let mut header = header.with_context(cannot)?;
        header.set_sensitive(true);
        Ok(Self { name: name.to_owned(), remote, secret, header, own: OnceCell::new() })
    }

    /// What settings call it, `lava.NAME`.
    pub(super) fn called(&self) -> String {
        format!("lava.{}", self.name)
    }

    /// The address of a page for people.
    pub(super) fn page(&self, segments: &[&str]) -> Url {
        self.remote.url(segments)
    }

    /// Calls; whatever comes is an answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        (path, query): Place<'_>,
        (body, what): (Option<&Value>, &str),
    ) -> Result<Answer, Failure> {
        // Without the slash at the end LAVA sends us elsewhere.
        let path = [&["api", "v0.2"], path, &[""]].concat();
        let mut url = self.remote.url(&path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.remote.request(method, url).header(AUTHORIZATION, self.header.clone());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.remote.send(request).await.map_err(|failure| match failure {
            Failure::Retry { source, after } => {
                Failure::Retry { source: source.context(what.to_owned()), after }
            }
            Failure::GiveUp(source) => Failure::GiveUp(source.context(what.to_owned())),
        })
    }

    /// What there is.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        place: Place<'_>,
        what: &str,
    ) -> Result<T, Failure> {
        let answer = self.ask(Method::GET, place, (None, what)).await?;
        self.good(&answer, what)?;
        self.read(&answer, what)
    }

    /// What there is at `path`; none where LAVA says that there is nothing.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        path: &[&str],
        what: &str,
    ) -> Result<Option<T>, Failure> {
        let answer = self.ask(Method::GET, (path, &[]), (None, what)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.good(&answer, what)?;
        self.read(&answer, what).map(Some)
    }

    /// The entries of a list, `limit` at a time and at most `pages_max` times, and how many there
    /// are in all.  LAVA's own addresses of further pages are not followed.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        (path, query): Place<'_>,
        (limit, pages_max): (usize, usize),
        what: &str,
    ) -> Result<(Vec<T>, u64), Failure> {
        let mut entries = Vec::new();
        let mut count = 0;
        for _ in 0..pages_max {
            let (limit, offset) = (limit.to_string(), entries.len().to_string());
            let query = [query, &[("limit", &limit), ("offset", &offset)]].concat();
            let page: Page<T> = self.get((path, &query), what).await?;
            count = page.count;
            let is_empty = page.results.is_empty();
            entries.extend(page.results);
            if is_empty || entries.len() as u64 >= count {
                break;
            }
        }
        Ok((entries, count))
    }

    /// Our own user; asked once.
    pub(super) async fn own(&self) -> Result<&str, Failure> {
        let ask = async || {
            let what = format!("cannot ask {} whose token it is", self.called());
            let me: WhoAmI = self.get((&["system", "whoami"], &[]), &what).await?;
            if me.user.is_empty() {
                // The whole world would be ours to search.
                let why = format!("it takes us for nobody (see `{}.token`)", self.called());
                return Err(Failure::give_up(anyhow!("{what}: {why}")));
            }
            Ok(me.user)
        };
        self.own.get_or_try_init(ask).await.map(String::as_str)
    }

    /// Makes sure that an answer is a good one.
    pub(super) fn good(&self, answer: &Answer, what: &str) -> Result<(), Failure> {
        if answer.status.is_success() { Ok(()) } else { Err(self.refusal(answer, (what, None))) }
    }

    /// An answer of a known shape.  The parser's own words are left out: they quote the answer.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        what: &str,
    ) -> Result<T, Failure> {
        serde_json::from_slice(&answer.body).map_err(|_error| {
            Failure::retry(anyhow!(
                "{what}: it does not answer as LAVA does (see `{}.url`)",
                self.called()
            ))
        })
    }

    /// What a refusal means; `token` is one that its words may repeat.
    pub(super) fn refusal(
        &self,
        answer: &Answer,
        (what, token): (&str, Option<&SecretString>),
    ) -> Failure {
        let mut words = self.words(answer);
        if let Some(token) = token {
            words = words.replace(token.expose_secret(), HIDDEN);
        }
        let mut what = what.to_owned();
        if !words.is_empty() {
            what = format!("{what}: {}", wire::words(&words));
        }
        let hint = match answer.status {
            // A token that is none is forbidden here, not unauthorized.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(("see", "token")),
            status if status.is_redirection() => {
                Some(("it has moved, or the address is not that of", "url"))
            }
            _ => None,
        };
        if let Some((hint, setting)) = hint {
            what = format!("{what} ({hint} `{}.{setting}`)", self.called());
        }
        self.remote.refusal(answer, &what)
    }

    /// LAVA's own words, whole and without our token; none where the answer is a page for people.
    fn words(&self, answer: &Answer) -> String {
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let first = |value: &Value| match value {
            Value::String(words) => Some(words.clone()),
            Value::Array(all) => all.first().and_then(Value::as_str).map(str::to_owned),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        let words = match &told {
            Value::Object(fields) => ["message", "detail"]
                .into_iter()
                .filter_map(|key| fields.get(key))
                .chain(fields.values())
                .find_map(first),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)) => first(other),
        };
        words.unwrap_or_default().replace(self.secret.expose_secret(), HIDDEN)
    }
}
