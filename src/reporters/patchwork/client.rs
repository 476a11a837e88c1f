//! What all Patchworks have in common: how they are called, who calls, and what a refusal means.
//!
//! What it says of addresses is not believed: they are used only where they are at the configured
//! host, and our credentials are sent only where they are needed.

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, LINK};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::PatchworkSettings;
use crate::clock::Clock;
use crate::neutral;
use crate::remote::{Answer, Failure, Remote};
use crate::secret::SecretRef;

/// How much of Patchwork's own words an error repeats.
const WORDS_MAX_CHARS: usize = 200;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Anybody: what is read is public, and a token that has expired must not stop it.
    Anybody,
    /// Our account, if there is one.
    Ourselves,
}

/// A Patchwork, as far as it is called.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    remote: Remote,
    login: Option<Login>,
}

/// What proves who we are.
#[derive(Debug)]
struct Login {
    /// The setting that says where the secret is.
    setting: &'static str,
    secret: SecretString,
    header: HeaderValue,
}

impl Login {
    fn new(setting: &'static str, secret: SecretString, header: &str) -> anyhow::Result<Self> {
        // The error would not carry the secret, but the cause has nothing to add either.
        let mut header =
            HeaderValue::try_from(header).map_err(|_error| anyhow!("it has odd characters"))?;
        header.set_sensitive(true);
        Ok(Self { setting, secret, header })
    }

    fn token(reference: &SecretRef) -> anyhow::Result<Self> {
        let secret = reference.read()?;
        let header = format!("Token {}", secret.expose_secret());
        Self::new("token", secret, &header)
    }

    fn password(username: &str, reference: &SecretRef) -> anyhow::Result<Self> {
        let secret = reference.read()?;
        let both = format!("{username}:{}", secret.expose_secret());
        Self::new("password", secret, &format!("Basic {}", STANDARD.encode(both)))
    }
}

impl Client {
    /// Reads the secrets of `[patchwork.NAME]`.
    pub(super) fn new(
        name: &str,
        settings: &PatchworkSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let remote = Remote::new(&settings.url, settings.timeout, clock)
            .with_context(|| format!("cannot set up `patchwork.{name}`"))?;
        let login = match (&settings.token, &settings.username, &settings.password) {
            (Some(token), _, _) => Some(("token", Login::token(token))),
            (None, Some(username), Some(password)) => {
                Some(("password", Login::password(username, password)))
            }
            (None, _, _) => None,
        };
        let login = login.map(|(setting, login)| {
            login.with_context(|| format!("cannot use `patchwork.{name}.{setting}`"))
        });
        Ok(Self { name: name.to_owned(), remote, login: login.transpose()? })
    }

    /// The connection, as settings and people call it.
    pub(super) fn connection(&self) -> String {
        format!("patchwork.{}", self.name)
    }

    /// The setting that says where our secret is, if we have an account.
    pub(super) fn login_setting(&self) -> Option<String> {
        self.login.as_ref().map(|login| format!("{}.{}", self.connection(), login.setting))
    }

    /// The address of something below the base.  It ends with a slash, as all of Patchwork's do:
    /// without it a post fails.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.remote.url(&[path, &[""]].concat());
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// An address that Patchwork tells, if it is at the configured host.
    ///
    /// A Patchwork that does not know that it is reached by TLS tells addresses without: they are
    /// taken for those with it, never the other way round.
    pub(super) fn own(&self, address: &str) -> Option<Url> {
        let mut url = Url::parse(address).ok()?;
        let base = self.remote.base();
        if base.scheme() == "https" && url.scheme() == "http" && url.port().is_none() {
            url.set_scheme("https").ok()?;
        }
        let is_own = url.scheme() == base.scheme()
            && url.host() == base.host()
            && url.port_or_known_default() == base.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none();
        is_own.then_some(url)
    }

    /// Asks; any answer is one, also a refusal.
    pub(super) async fn ask(
        &self,
        caller: Caller,
        (method, url): (Method, Url),
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let mut request = self.remote.request(method, url);
        if let (Caller::Ourselves, Some(login)) = (caller, &self.login) {
            request = request.header(AUTHORIZATION, login.header.clone());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.remote.send(request).await
    }

    /// Reads, and takes only a success for an answer; `what` says what is tried.
    pub(super) async fn get(
        &self,
        caller: Caller,
        url: Url,
        what: &str,
    ) -> Result<Answer, Failure> {
        self.success(self.ask(caller, (Method::GET, url), None).await?, what)
    }

    /// The answer, if it is a success.
    pub(super) fn success(&self, answer: Answer, what: &str) -> Result<Answer, Failure> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let mut what = what.to_owned();
        let words = self.words(&answer);
        if !words.is_empty() {
            what = format!("{what}: {words}");
        }
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            && let Some(setting) = self.login_setting()
        {
            what = format!("{what} (see `{setting}`)");
        }
        Err(self.remote.refusal(&answer, &what))
    }

    /// What Patchwork says when it says no, in one line: a `detail`, or what is wrong with fields.
    fn words(&self, answer: &Answer) -> String {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
        };
        let fields = said.as_object().into_iter().flatten();
        let faults = fields.map(|(field, said)| match field.as_str() {
            "detail" => text(said),
            _ => format!("{field}: {}", text(said)),
        });
        let mut words = faults.collect::<Vec<_>>().join(", ");
        if let Some(login) = &self.login {
            words = words.replace(login.secret.expose_secret(), "[secret]");
        }
        shown(words.trim_end_matches('.'))
    }

    /// The next page of a list, if there is one (RFC 8288): the address as it is told, at our own
    /// host.  One elsewhere is a failure: a list that ends too early would look complete.
    pub(super) fn next(&self, answer: &Answer, what: &str) -> Result<Option<Url>, Failure> {
        let links = answer.headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
        let Some(next) = links.flat_map(split_links).find_map(next_of) else {
            return Ok(None);
        };
        let own = self.own(next).ok_or_else(|| {
            let base = self.remote.base().host_str().unwrap_or_default();
            Failure::give_up(anyhow!("{what}: its next page is not at `{base}`: {}", shown(next)))
        });
        own.map(Some)
    }
}

/// The links of a header; a comma within an address does not end it.
fn split_links(header: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    header.split(move |c: char| {
        is_inside = match c {
            '<' => true,
            '>' => false,
            _ => is_inside,
        };
        c == ',' && !is_inside
    })
}

/// The address of a link to a next page.
fn next_of(link: &str) -> Option<&str> {
    let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| {
        let parameter = parameter.trim();
        parameter == "rel=\"next\"" || parameter == "rel=next"
    };
    parameters.split(';').any(is_next).then_some(address)
}

/// The body of an answer, which has to be JSON of a known shape.
///
/// A filter against bots answers with a page and 200: that says nothing, and passes.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer, what: &str) -> Result<T, Failure> {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json")) {
        let why = "the answer is no JSON, but perhaps the page of a filter against bots";
        return Err(Failure::retry(anyhow!("{what}: {why}")));
    }
    answer.json(what)
}

/// When the answer was given, by the clock of whoever gave it.
pub(super) fn answered_at(answer: &Answer) -> Option<jiff::Timestamp> {
    let text = answer.headers.get(DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// A text from outside, in one line and not endless.
pub(super) fn shown(text: &str) -> String {
    let text = neutral::plain(text).replace('\n', " ");
    text.chars().take(WORDS_MAX_CHARS).collect()
}
