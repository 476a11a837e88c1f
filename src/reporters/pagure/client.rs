//! Pagure's API as far as reports need it, and what its errors mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::PagureSettings;
use super::refusal::{Refusal, said};
use crate::clock::Clock;
use crate::remote::{Answer, Failure, Remote};
use crate::secret::SecretRef;
use crate::subject::CommitSha;

/// The calls that reports need.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    remote: Remote,
    token: Option<Token>,
    tokens: BTreeMap<String, Token>,
}

/// A token, and whose it is once that was asked.
#[derive(Debug)]
pub(super) struct Token {
    secret: SecretString,
    header: HeaderValue,
    owner: OnceLock<String>,
}

/// The full name of a project, of which a URL can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project(String);

impl Project {
    /// The longest path of a project: `forks/user/namespace/name`, and room for more namespaces.
    const SEGMENTS_MAX: usize = 6;

    pub(super) fn parse(fullname: &str) -> Result<Self, Failure> {
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && !matches!(segment, "." | "..")
                && !segment.contains(|c: char| c.is_control() || c.is_whitespace())
        };
        let is_name = fullname.len() <= 300
            && fullname.split('/').count() <= Self::SEGMENTS_MAX
            && fullname.split('/').all(is_segment);
        if is_name {
            Ok(Self(fullname.to_owned()))
        } else {
            let shown = said(fullname);
            Err(Failure::give_up(anyhow!("`{shown}` is no name of a project on Pagure")))
        }
    }

    /// The path of its page, which for a fork is not its name.
    fn segments(&self) -> Vec<&str> {
        match self.0.strip_prefix("forks/") {
            Some(rest) => std::iter::once("fork").chain(rest.split('/')).collect(),
            None => self.0.split('/').collect(),
        }
    }
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Deserialize)]
struct Whoami {
    username: String,
}

/// A pull request, as far as it matters here.
#[derive(Deserialize)]
struct PullRequest {
    #[serde(default)]
    comments: Vec<Comment>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Comment {
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    name: Option<String>,
}

impl Token {
    fn read(reference: &SecretRef) -> anyhow::Result<Self> {
        let secret = reference.read()?;
        // The error would not carry the token, but the cause has nothing to add either.
        let header = HeaderValue::try_from(format!("token {}", secret.expose_secret()));
        let mut header = header.map_err(|_error| anyhow!("it is no token: it has odd characters"));
        if let Ok(header) = &mut header {
            header.set_sensitive(true);
        }
        Ok(Self { secret, header: header?, owner: OnceLock::new() })
    }
}

impl Client {
    pub(super) fn new(name: &str, settings: &PagureSettings, clock: Clock) -> anyhow::Result<Self> {
        let remote = Remote::new(&settings.url, settings.timeout, clock)
            .with_context(|| format!("cannot set up `pagure.{name}`"))?;
        let token = settings.token.as_ref().map(Token::read).transpose();
        let token = token.with_context(|| format!("cannot use `pagure.{name}.token`"))?;
        let mut tokens = BTreeMap::new();
        for (project, reference) in &settings.tokens {
            let token = Token::read(reference)
                .with_context(|| format!("cannot use {}", setting(name, project)))?;
            tokens.insert(project.clone(), token);
        }
        Ok(Self { name: name.to_owned(), remote, token, tokens })
    }

    /// The address of a page of the project.
    pub(super) fn page(&self, project: &Project, rest: &[&str]) -> String {
        let path = [project.segments().as_slice(), rest].concat();
        self.remote.url(&path).to_string()
    }

    /// Sets a flag; the one of the same `uid` is replaced.
    pub(super) async fn flag(
        &self,
        project: &Project,
        commit: &CommitSha,
        form: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let what = format!("cannot flag commit {} of `{project}`", commit.short());
        let path = ["c", commit.as_str(), "flag"];
        self.post(project, &path, form, &what).await
    }

    /// Posts a comment, also one that is there already.
    pub(super) async fn comment(
        &self,
        project: &Project,
        number: u64,
        text: &str,
    ) -> Result<(), Failure> {
        let what = format!("cannot comment on `{project}#{number}`");
        let number = number.to_string();
        let path = ["pull-request", &number, "comment"];
        self.post(project, &path, &[("comment", text)], &what).await
    }

    /// Whether a comment of ours has the marker.
    ///
    /// Where Pagure does not tell who we are, anybody's will do: nobody knows a marker before it
    /// has been posted.
    pub(super) async fn is_commented(
        &self,
        project: &Project,
        number: u64,
        marker: &str,
    ) -> Result<bool, Failure> {
        let what = format!("cannot read the comments on `{project}#{number}`");
        let token = self.token_for(project)?;
        let us = self.owner(token).await?;
        let number = number.to_string();
        let request = self.api(Method::GET, project, &["pull-request", &number]);
        let answer = self.remote.send(signed(request, token)).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&answer, &what, (project, token)));
        }
        let pull_request: PullRequest = answer.json(&what)?;
        Ok(pull_request.comments.iter().any(|comment| {
            let author = comment.user.as_ref().and_then(|user| user.name.as_deref());
            let is_ours = us.is_none() || author == us;
            let text = comment.comment.as_deref().unwrap_or_default();
            is_ours && !marker.is_empty() && text.contains(marker)
        }))
    }

    /// The token for a project.
    pub(super) fn token_for(&self, project: &Project) -> Result<&Token, Failure> {
        let token = self.tokens.get(&project.0).or(self.token.as_ref());
        token.ok_or_else(|| {
            let key = setting(&self.name, &project.0);
            Failure::give_up(anyhow!(
                "there is no token for `{project}`: set {key}, or `pagure.{}.token`",
                self.name
            ))
        })
    }

    /// The setting that the token for a project is from.
    fn setting_of(&self, project: &Project) -> String {
        if self.tokens.contains_key(&project.0) {
            setting(&self.name, &project.0)
        } else {
            format!("`pagure.{}.token`", self.name)
        }
    }

    /// Every token, and the setting that it is from.
    pub(super) fn all_tokens(&self) -> impl Iterator<Item = (String, &Token)> {
        let common = self.token.iter();
        let common = common.map(|token| (format!("`pagure.{}.token`", self.name), token));
        let own = self.tokens.iter();
        common.chain(own.map(|(project, token)| (setting(&self.name, project), token)))
    }

    /// Whose token it is; `None` where Pagure is too old to tell, or does not want to.
    pub(super) async fn owner<'a>(&self, token: &'a Token) -> Result<Option<&'a str>, Failure> {
        if let Some(owner) = token.owner.get() {
            return Ok(Some(owner));
        }
        let answer = self.whoami(token).await?;
        match answer.status {
            status if status.is_success() => {
                let whoami: Whoami = answer.json("cannot read whose token it is")?;
                Ok(Some(token.owner.get_or_init(|| whoami.username)))
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED => Ok(None),
            _ => Err(self.remote.refusal(&answer, "cannot ask whose token it is")),
        }
    }

    /// Asks whose token it is.
    pub(super) async fn whoami(&self, token: &Token) -> Result<Answer, Failure> {
        let url = self.remote.url(&["api", "0", "-", "whoami"]);
        self.remote.send(signed(self.remote.request(Method::POST, url), token)).await
    }

    /// Asks which API it has.
    pub(super) async fn version(&self) -> Result<Answer, Failure> {
        let url = self.remote.url(&["api", "0", "version"]);
        self.remote.send(self.remote.request(Method::GET, url)).await
    }

    /// Asks for a project, with its token if it has one.
    pub(super) async fn project(&self, project: &Project) -> Result<Answer, Failure> {
        self.ask(project, &[], &[]).await
    }

    /// Asks for something in a project, with its token if it has one; any answer is one.
    pub(super) async fn ask(
        &self,
        project: &Project,
        rest: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let path = [&["api", "0"], project.segments().as_slice(), rest].concat();
        let mut url = self.remote.url(&path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.remote.request(Method::GET, url);
        let request = match self.token_for(project) {
            Ok(token) => signed(request, token),
            Err(_) => request,
        };
        self.remote.send(request).await
    }

    /// As [`Client::ask`], and takes only a success for an answer.
    pub(super) async fn read(
        &self,
        project: &Project,
        (rest, query): (&[&str], &[(&str, &str)]),
        what: &str,
    ) -> Result<Answer, Failure> {
        let answer = self.ask(project, rest, query).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        match self.token_for(project) {
            Ok(token) => Err(self.refusal(&answer, what, (project, token))),
            Err(_) => Err(self.remote.refusal(&answer, what)),
        }
    }

    /// What an answer means that is no success.
    pub(super) fn refused(&self, answer: &Answer, what: &str) -> Failure {
        self.remote.refusal(answer, what)
    }

    /// Asks who is in a group; none where there is no such group.
    pub(super) async fn members(&self, group: &str) -> Result<BTreeSet<String>, Failure> {
        let what = format!("cannot ask who is in the group `{}`", said(group));
        let url = self.remote.url(&["api", "0", "group", group]);
        let answer = self.remote.send(self.remote.request(Method::GET, url)).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(BTreeSet::new()),
            status if status.is_success() => Ok(answer.json::<Group>(&what)?.members),
            _ => Err(self.remote.refusal(&answer, &what)),
        }
    }

    fn api(&self, method: Method, project: &Project, rest: &[&str]) -> RequestBuilder {
        let path = [&["api", "0"], project.segments().as_slice(), rest].concat();
        self.remote.request(method, self.remote.url(&path))
    }

    async fn post(
        &self,
        project: &Project,
        path: &[&str],
        form: &[(&str, &str)],
        what: &str,
    ) -> Result<(), Failure> {
        let token = self.token_for(project)?;
        let request = signed(self.api(Method::POST, project, path), token).form(form);
        let answer = self.remote.send(request).await?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(self.refusal(&answer, what, (project, token)))
        }
    }

    /// What a refusal means.
    ///
    /// Pagure announces a pull request before it has committed it to its database, so what it
    /// does not find may be there in a moment.
    fn refusal(&self, answer: &Answer, what: &str, about: (&Project, &Token)) -> Failure {
        let (project, token) = about;
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut what = what.to_owned();
        if !refusal.error_code.is_empty() {
            let words = refusal.words().replace(token.secret.expose_secret(), "[token]");
            what = format!("{what}: {}", said(&words));
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            what = format!("{what} (see {})", self.setting_of(project));
        }
        let is_passing = match (answer.status, refusal.error_code.as_str()) {
            (StatusCode::NOT_FOUND, code) => code != "EPULLREQUESTSDISABLED",
            (StatusCode::BAD_REQUEST, code) => code == "EDBERROR",
            _ => false,
        };
        match self.remote.refusal(answer, &what) {
            Failure::GiveUp(source) if is_passing => Failure::retry(source),
            failure @ (Failure::GiveUp(_) | Failure::Retry { .. }) => failure,
        }
    }
}

fn signed(request: RequestBuilder, token: &Token) -> RequestBuilder {
    request.header(AUTHORIZATION, token.header.clone())
}

/// The setting that holds the token for a project.
fn setting(name: &str, project: &str) -> String {
    format!("`pagure.{name}.tokens.\"{}\"`", said(project))
}
