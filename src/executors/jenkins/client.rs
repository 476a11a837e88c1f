//! Who asks a Jenkins, where, and what an unwelcome answer means.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use reqwest::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::JenkinsSettings;
use crate::clock::Clock;
use crate::remote::{Answer, Failure, Remote};

/// The longest full name of a job, far above what a file system lets Jenkins have.
const JOB_MAX_BYTES: usize = 2000;

/// How much of a job's name is shown, in characters.
const JOB_SHOWN_MAX: usize = 200;

/// One Jenkins over HTTP.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    remote: Remote,
    login: Login,
    session: Mutex<Option<Session>>,
}

/// How Jenkins knows who asks.
#[derive(Debug)]
enum Login {
    Nobody,
    Token(String, SecretString),
    Password(String, SecretString),
}

/// What a POST without an API token needs: a crumb, and the cookie of the session it is good for.
type Session = Arc<HeaderMap>;

/// An answer of the crumb issuer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Crumb {
    crumb: String,
    crumb_request_field: String,
}

impl Client {
    pub(super) fn new(
        name: &str,
        settings: &JenkinsSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let url = &settings.url;
        ensure!(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            "the address of {name} begins with neither http:// nor https://"
        );
        ensure!(
            url.username().is_empty() && url.password().is_none(),
            "the address of {name} contains a login: use `user` and `token`"
        );
        let mut base = url.clone();
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            name: name.to_owned(),
            remote: Remote::new(&base, settings.timeout, clock)
                .with_context(|| format!("cannot make a client for {name}"))?,
            login: Login::new(name, settings)?,
            session: Mutex::new(None),
        })
    }

    /// The name of the connection, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The configured address.
    pub(super) fn base(&self) -> &Url {
        self.remote.base()
    }

    /// Whether the settings name a user.
    pub(super) fn has_user(&self) -> bool {
        !matches!(self.login, Login::Nobody)
    }

    /// The address of `segments` below the base.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        self.remote.url(segments)
    }

    /// The address of `segments` below the page of a job, whose folders are separated by `/`.
    pub(super) fn job_url(&self, job: &str, segments: &[&str]) -> Result<Url, Failure> {
        let is_name =
            |name: &str| !matches!(name, "" | "." | "..") && !name.chars().any(char::is_control);
        // The job may come from a message, and must not lead to another page.
        if job.len() > JOB_MAX_BYTES || !job.split('/').all(is_name) {
            let job = shown(job);
            return Err(Failure::give_up(anyhow::anyhow!("`{job}` is no name of a job")));
        }
        let mut all: Vec<&str> = job.split('/').flat_map(|name| ["job", name]).collect();
        all.extend(segments);
        Ok(self.remote.url(&all))
    }

    /// Asks for what must be there.
    pub(super) async fn get(&self, url: Url, what: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.send(self.signed(Method::GET, url), what).await?;
        if answer.status == StatusCode::OK {
            Ok(answer.body)
        } else {
            Err(self.refusal(&answer, what))
        }
    }

    /// Asks for what may not be there.
    pub(super) async fn find(&self, url: Url, what: &str) -> Result<Option<Vec<u8>>, Failure> {
        let answer = self.send(self.signed(Method::GET, url), what).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(&answer, what)),
        }
    }

    /// Has something done.  A crumb that is good no more is replaced once.
    pub(super) async fn post(
        &self,
        url: Url,
        form: &[(&str, &str)],
        what: &str,
    ) -> Result<Answer, Failure> {
        if matches!(self.login, Login::Token(..)) {
            let request = self.signed(Method::POST, url).form(form);
            return self.send(request, what).await;
        }
        let session = self.session(None, what).await?;
        let request = |session: &Session| {
            self.signed(Method::POST, url.clone()).headers((**session).clone()).form(form)
        };
        let answer = self.send(request(&session), what).await?;
        if !wants_crumb(&answer) {
            return Ok(answer);
        }
        let session = self.session(Some(&session), what).await?;
        self.send(request(&session), what).await
    }

    /// What an unwelcome answer means.  Its page is never shown: it is HTML, and may repeat what
    /// was sent.
    pub(super) fn refusal(&self, answer: &Answer, what: &str) -> Failure {
        let hint = match answer.status.as_u16() {
            300..=399 => "it sends us elsewhere: is the configured address right?".to_owned(),
            401 => "Jenkins does not accept the user, or the token or password".to_owned(),
            403 if wants_crumb(answer) => "Jenkins wants a crumb: use an API token".to_owned(),
            403 => match permission(&answer.headers) {
                Some(permission) => format!("the user lacks the permission {permission}"),
                None => "the user may not, or the trigger token is wrong".to_owned(),
            },
            503 => "Jenkins is starting, or not there".to_owned(),
            _ => return self.remote.refusal(answer, what),
        };
        self.remote.refusal(answer, &reason(what, &hint))
    }

    /// The session for POSTs; a new one if there is none yet, or only the `stale` one.
    async fn session(&self, stale: Option<&Session>, what: &str) -> Result<Session, Failure> {
        let mut kept = self.session.lock().await;
        if let Some(session) = &*kept
            && stale.is_none_or(|stale| !Arc::ptr_eq(stale, session))
        {
            return Ok(Arc::clone(session));
        }
        let url = self.remote.url(&["crumbIssuer", "api", "json"]);
        let answer = self.send(self.signed(Method::GET, url), what).await?;
        let session = match answer.status {
            StatusCode::OK => Arc::new(session_headers(&answer, what)?),
            // Crumbs are switched off.
            StatusCode::NOT_FOUND => Arc::new(HeaderMap::new()),
            _ => return Err(self.refusal(&answer, &format!("{what}: cannot fetch a crumb"))),
        };
        *kept = Some(Arc::clone(&session));
        Ok(session)
    }

    fn signed(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.remote.request(method, url);
        match &self.login {
            Login::Nobody => request,
            Login::Token(user, secret) | Login::Password(user, secret) => {
                request.basic_auth(user, Some(secret.expose_secret()))
            }
        }
    }

    async fn send(&self, request: RequestBuilder, what: &str) -> Result<Answer, Failure> {
        let what = || what.to_owned();
        self.remote.send(request).await.map_err(|failure| match failure {
            Failure::Retry { source, after } => {
                Failure::Retry { source: source.context(what()), after }
            }
            Failure::GiveUp(source) => Failure::GiveUp(source.context(what())),
        })
    }
}

impl Login {
    fn new(name: &str, settings: &JenkinsSettings) -> anyhow::Result<Self> {
        let read = |secret: &crate::secret::SecretRef| {
            (secret.read()).with_context(|| format!("cannot log in to {name}"))
        };
        match (&settings.user, &settings.token, &settings.password) {
            (None, None, None) => Ok(Self::Nobody),
            (Some(user), Some(token), None) => Ok(Self::Token(user.clone(), read(token)?)),
            (Some(user), None, Some(password)) => Ok(Self::Password(user.clone(), read(password)?)),
            (Some(_), None, None) => bail!("{name} has a `user`, but no `token` or `password`"),
            (Some(_), Some(_), Some(_)) => bail!("{name} has a `token` and a `password`: keep one"),
            (None, _, _) => bail!("{name} has a `token` or `password`, but no `user`"),
        }
    }
}

/// A job's name for people, who may have to read it in one line.
pub(super) fn shown(job: &str) -> String {
    let plain = job.chars().filter(|c| !c.is_control());
    plain.take(JOB_SHOWN_MAX).collect()
}

/// `what` was tried, and why it did not work.
pub(super) fn reason(what: &str, why: &str) -> String {
    format!("{what} ({why})")
}

/// An answer of another shape than Jenkins gives.  The parser's own words are left out: they quote
/// the answer.
pub(super) fn unreadable(error: &serde_json::Error, what: &str) -> Failure {
    let place = match (error.line(), error.column()) {
        // It is JSON, but of another shape.
        (0, _) => String::new(),
        (line, column) => format!(" (line {line}, column {column})"),
    };
    Failure::retry(anyhow::anyhow!("{what}: the answer is not what Jenkins answers{place}"))
}

fn session_headers(answer: &Answer, what: &str) -> Result<HeaderMap, Failure> {
    let crumb: Crumb =
        serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error, what))?;
    let mut cookies = Vec::new();
    for cookie in answer.headers.get_all(SET_COOKIE) {
        let pair = cookie.as_bytes().split(|byte| *byte == b';').next();
        cookies.push(pair.unwrap_or_default());
    }
    let mut headers = HeaderMap::new();
    let name = HeaderName::from_bytes(crumb.crumb_request_field.as_bytes());
    if let (Ok(name), Ok(value)) = (name, secret_value(crumb.crumb.as_bytes())) {
        headers.insert(name, value);
    }
    if let Ok(value) = secret_value(&cookies.join(&b"; "[..]))
        && !value.is_empty()
    {
        headers.insert(COOKIE, value);
    }
    Ok(headers)
}

fn secret_value(bytes: &[u8]) -> Result<HeaderValue, reqwest::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_bytes(bytes)?;
    value.set_sensitive(true);
    Ok(value)
}

fn wants_crumb(answer: &Answer) -> bool {
    const WORDS: &[u8] = b"No valid crumb";
    answer.status == StatusCode::FORBIDDEN
        && answer.body.windows(WORDS.len()).any(|part| part == WORDS)
}

/// The permission that a refusal names, if it looks like one.
fn permission(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("X-Required-Permission")?.to_str().ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '$' | '_');
    (text.len() <= 100 && text.chars().all(is_plain)).then(|| format!("`{text}`"))
}
