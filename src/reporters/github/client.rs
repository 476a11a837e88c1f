//! GitHub's API: calls, pages of lists, and repositories that have moved.

use std::fmt;
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow};
use reqwest::header::{ACCEPT, LINK};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::GithubSettings;
use super::login::{Login, Scope};
use super::refusal::{refusal, shown};
use crate::clock::Clock;
use crate::remote::{Answer, Failure, Remote};

/// How often one call follows to where a repository has moved.
const REDIRECTS_MAX: usize = 3;
/// How many entries of a list are asked for at once; GitHub gives no more.
const PAGE_SIZE: &str = "100";

/// A GitHub, as far as it is called.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    pub(super) remote: Remote,
    pub(super) login: Login,
    clock: Clock,
    own: OnceLock<User>,
}

/// The full name of a repository, of which a URL can be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Repo {
    owner: String,
    name: String,
}

/// One call.
#[derive(Clone, Copy)]
pub(super) struct Call<'c> {
    pub(super) method: &'c Method,
    pub(super) path: &'c [&'c str],
    pub(super) query: &'c [(&'c str, &'c str)],
    pub(super) body: Option<&'c Value>,
}

/// Somebody, as GitHub tells of them.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
struct AppItself {
    slug: String,
}

/// A list, or the beginning of one.
pub(super) struct Listed<T> {
    pub(super) entries: Vec<T>,
    /// Whether it is all of it.
    pub(super) is_whole: bool,
}

impl Repo {
    const MAX_CHARS: usize = 200;

    pub(super) fn parse(full_name: &str) -> Result<Self, Failure> {
        match full_name.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err(Failure::give_up(anyhow!(
                "`{}` is no repository on GitHub (`owner/name`)",
                shown(full_name)
            ))),
        }
    }

    /// The path of something in it.
    pub(super) fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", &self.owner, &self.name], rest].concat()
    }
}

/// Whether it can be a part of a path: what a URL's path understands differently cannot.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=Repo::MAX_CHARS).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.chars().all(is_letter)
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl<'c> Call<'c> {
    pub(super) fn get(path: &'c [&'c str]) -> Self {
        Self { method: &Method::GET, path, query: &[], body: None }
    }

    pub(super) fn post(path: &'c [&'c str], body: &'c Value) -> Self {
        Self { method: &Method::POST, path, query: &[], body: Some(body) }
    }

    pub(super) fn patch(path: &'c [&'c str], body: &'c Value) -> Self {
        Self { method: &Method::PATCH, path, query: &[], body: Some(body) }
    }

    pub(super) fn delete(path: &'c [&'c str]) -> Self {
        Self { method: &Method::DELETE, path, query: &[], body: None }
    }
}

/// A request as GitHub wants it.
pub(super) fn asked(request: RequestBuilder) -> RequestBuilder {
    let request = request.header(ACCEPT, "application/vnd.github+json");
    request.header("x-github-api-version", "2022-11-28")
}

impl Client {
    pub(super) fn new(name: &str, settings: &GithubSettings, clock: Clock) -> anyhow::Result<Self> {
        let what = || format!("cannot set up `github.{name}`");
        let api = settings.api().with_context(what)?;
        let remote = Remote::new(&api, settings.timeout, clock.clone()).with_context(what)?;
        let login = Login::read(name, settings)?;
        Ok(Self { name: name.to_owned(), remote, login, clock, own: OnceLock::new() })
    }

    /// Asks; any answer is one, also a refusal.
    ///
    /// Of an App's token GitHub may think no more before its time: it is asked for anew, once.
    pub(super) async fn ask(&self, scope: Scope<'_>, call: Call<'_>) -> Result<Answer, Failure> {
        let answer = self.ask_once(scope, call).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.login.forget(scope) {
            return self.ask_once(scope, call).await;
        }
        Ok(answer)
    }

    async fn ask_once(&self, scope: Scope<'_>, call: Call<'_>) -> Result<Answer, Failure> {
        let bearer = self.login.bearer(&self.remote, scope, self.clock.now()).await?;
        let mut url = self.remote.url(call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        for _ in 0..=REDIRECTS_MAX {
            let request = asked(self.remote.request(call.method.clone(), url.clone()));
            let request = bearer.sign(request);
            let request = call.body.into_iter().fold(request, RequestBuilder::json);
            let answer = self.remote.send(request).await?;
            match self.moved_to(&answer, &url) {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        Err(Failure::give_up(anyhow!("GitHub sends us from one place to another without end")))
    }

    /// Where a repository that was renamed is now.  The token goes nowhere but to GitHub.
    fn moved_to(&self, answer: &Answer, from: &Url) -> Option<Url> {
        if !matches!(answer.status.as_u16(), 301 | 302 | 307 | 308) {
            return None;
        }
        let mut next = answer.location(from)?;
        let base = self.remote.base();
        let is_here = next.origin() == base.origin() && next.path().starts_with(base.path());
        if next.query().is_none() {
            next.set_query(from.query());
        }
        is_here.then_some(next)
    }

    /// Asks, and takes only a success for an answer; `what` says what is tried.
    pub(super) async fn call(
        &self,
        repo: &Repo,
        call: Call<'_>,
        what: &str,
    ) -> Result<Answer, Failure> {
        let answer = self.ask(Scope::Repo(repo), call).await?;
        self.success(answer, what)
    }

    /// The answer, if it is a success.
    pub(super) fn success(&self, answer: Answer, what: &str) -> Result<Answer, Failure> {
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer, what)) }
    }

    fn refusal(&self, answer: &Answer, what: &str) -> Failure {
        let secret = match &self.login {
            Login::Token(token) => token.secret.expose_secret(),
            // It lasts an hour, and GitHub does not repeat it.
            Login::App(_) => "\0",
        };
        let what = if answer.status == StatusCode::UNAUTHORIZED {
            format!("{what} (see `github.{}.{}`)", self.name, self.login.setting())
        } else {
            what.to_owned()
        };
        refusal(&self.remote, self.clock.now(), answer, (&what, secret))
    }

    /// A list, or as much of it as is on the first `pages` pages; `key` is where GitHub puts it
    /// if it does not stand alone.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        repo: &Repo,
        (path, query): (&[&str], &[(&str, &str)]),
        (key, pages): (Option<&str>, usize),
        what: &str,
    ) -> Result<Listed<T>, Failure> {
        let mut entries = Vec::new();
        for page in 1..=pages {
            let page = page.to_string();
            let query = [query, &[("per_page", PAGE_SIZE), ("page", &page)]].concat();
            let answer = self.call(repo, Call { query: &query, ..Call::get(path) }, what).await?;
            let value: Value = answer.json(what)?;
            let list = key.map_or(Some(&value), |key| value.get(key)).cloned().unwrap_or_default();
            let found: Vec<T> = serde_json::from_value(list).map_err(|error| {
                Failure::retry(anyhow::Error::new(error).context(what.to_owned()))
            })?;
            entries.extend(found);
            if !has_next(&answer) {
                return Ok(Listed { entries, is_whole: true });
            }
        }
        Ok(Listed { entries, is_whole: false })
    }

    /// Who we are: the token's user, or the user that GitHub made for the App.
    pub(super) async fn own(&self, repo: &Repo) -> Result<&User, Failure> {
        if let Some(user) = self.own.get() {
            return Ok(user);
        }
        let what = "cannot ask who we are";
        let user: User = match &self.login {
            Login::Token(_) => self.call(repo, Call::get(&["user"]), what).await?.json(what)?,
            Login::App(_) => {
                let answer = self.ask(Scope::Own, Call::get(&["app"])).await?;
                let app: AppItself = self.success(answer, what)?.json(what)?;
                let login = format!("{}[bot]", app.slug);
                self.call(repo, Call::get(&["users", &login]), what).await?.json(what)?
            }
        };
        Ok(self.own.get_or_init(|| user))
    }
}

/// Whether a list goes on (RFC 8288).
fn has_next(answer: &Answer) -> bool {
    let links = answer.headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
    links.flat_map(|links| links.split(',')).any(|link| link.contains("rel=\"next\""))
}
