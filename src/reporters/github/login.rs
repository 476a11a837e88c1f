//! Who we are to GitHub: a user with a token, or an App with a key, which is given a token for an
//! hour by each of its installations.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::GithubSettings;
use super::client::{Repo, asked};
use super::refusal::refusal;
use crate::remote::{Answer, Failure, Remote};

/// For whom a call is made.
#[derive(Clone, Copy)]
pub(super) enum Scope<'r> {
    /// The user, or the App as such.
    Own,
    /// The user, or the installation that has this repository.
    Repo(&'r Repo),
}

/// Who we are.
#[derive(Debug)]
pub(super) enum Login {
    /// A user.
    Token(Bearer),
    /// An App.
    App(App),
}

/// What a request proves itself with.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    pub(super) secret: SecretString,
    header: HeaderValue,
}

impl Bearer {
    fn new(secret: SecretString) -> anyhow::Result<Self> {
        // The error would not carry the token, but the cause has nothing to add either.
        let header = HeaderValue::try_from(format!("Bearer {}", secret.expose_secret()));
        let mut header =
            header.map_err(|_error| anyhow!("it is no token: it has odd characters"))?;
        header.set_sensitive(true);
        Ok(Self { secret, header })
    }

    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(AUTHORIZATION, self.header.clone())
    }
}

/// An App.
pub(super) struct App {
    id: u64,
    key: EncodingKey,
    installation: Option<u64>,
    given: Mutex<Given>,
}

/// What installations have given us, as long as it lasts.
#[derive(Default)]
struct Given {
    installations: BTreeMap<Repo, u64>,
    tokens: BTreeMap<u64, (Bearer, Timestamp)>,
}

impl fmt::Debug for App {
    /// Shows neither key nor tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What an App proves itself with.
#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct InstallationToken {
    token: String,
    expires_at: Timestamp,
}

/// How long the word of an App is good; GitHub takes ten minutes at most.
const WORD_LASTS: Duration = Duration::from_mins(9);
/// How far GitHub's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// How long before its end a token is not used any more.
const TOKEN_RESERVE: Duration = Duration::from_mins(5);
/// How many repositories and tokens are remembered; beyond, the memory starts anew.
const GIVEN_MAX: usize = 1_000;

impl Login {
    /// Reads the secrets.
    pub(super) fn read(name: &str, settings: &GithubSettings) -> anyhow::Result<Self> {
        if let Some(token) = &settings.token {
            let token = token.read().map_err(anyhow::Error::from).and_then(Bearer::new);
            return Ok(Self::Token(
                token.with_context(|| format!("cannot use `github.{name}.token`"))?,
            ));
        }
        let (Some(id), Some(key)) = (settings.app_id, &settings.private_key) else {
            return Err(anyhow!("`github.{name}` has neither a `token` nor an App"));
        };
        let what = || format!("cannot use `github.{name}.private_key`");
        let key = key.read().with_context(what)?;
        let key = EncodingKey::from_rsa_pem(key.expose_secret().as_bytes())
            .map_err(|_error| anyhow!("it is no RSA key (PEM)"))
            .with_context(what)?;
        let given = Mutex::default();
        Ok(Self::App(App { id, key, installation: settings.installation_id, given }))
    }

    /// The setting that holds the secret.
    pub(super) fn setting(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::App(_) => "private_key",
        }
    }

    /// What a call in `scope` proves itself with.
    pub(super) async fn bearer(
        &self,
        remote: &Remote,
        scope: Scope<'_>,
        now: Timestamp,
    ) -> Result<Bearer, Failure> {
        match (self, scope) {
            (Self::Token(token), _) => Ok(token.clone()),
            (Self::App(app), Scope::Own) => app.word(now),
            (Self::App(app), Scope::Repo(repo)) => app.token(remote, repo, now).await,
        }
    }

    /// Forgets what was given for `repo`; whether there is something else to be had.
    pub(super) fn forget(&self, scope: Scope<'_>) -> bool {
        match (self, scope) {
            (Self::App(app), Scope::Repo(repo)) => {
                app.forget(repo);
                true
            }
            (Self::App(_), Scope::Own) | (Self::Token(_), _) => false,
        }
    }
}

impl App {
    /// Our own word for who we are, good for some minutes.
    fn word(&self, now: Timestamp) -> Result<Bearer, Failure> {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or_default();
        let claims = Claims {
            iat: now.as_second() - seconds(CLOCK_SKEW),
            exp: now.as_second() + seconds(WORD_LASTS),
            iss: self.id.to_string(),
        };
        let word = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key)
            .map_err(|_error| Failure::give_up(anyhow!("the App's key cannot sign")))?;
        Bearer::new(word.into()).map_err(Failure::GiveUp)
    }

    async fn token(&self, remote: &Remote, repo: &Repo, now: Timestamp) -> Result<Bearer, Failure> {
        let known = match self.installation {
            Some(installation) => Some(installation),
            None => self.given().installations.get(repo).copied(),
        };
        let installation = match known {
            Some(installation) => installation,
            None => self.look_up(remote, repo, now).await?,
        };
        let kept = self.given().tokens.get(&installation).cloned();
        if let Some((token, expires)) = kept
            && expires.duration_since(now).unsigned_abs() > TOKEN_RESERVE
            && expires > now
        {
            return Ok(token);
        }
        self.ask_for_token(remote, installation, now).await
    }

    /// Asks which installation has the repository.
    async fn look_up(&self, remote: &Remote, repo: &Repo, now: Timestamp) -> Result<u64, Failure> {
        let what = format!("cannot find the App's installation for `{repo}`");
        let url = remote.url(&repo.path(&["installation"]));
        let answer = self.call(remote, (Method::GET, url), (&what, now)).await?;
        let Installation { id } = answer.json(&what)?;
        let mut given = self.given();
        if given.installations.len() >= GIVEN_MAX {
            given.installations.clear();
        }
        given.installations.insert(repo.clone(), id);
        Ok(id)
    }

    async fn ask_for_token(
        &self,
        remote: &Remote,
        installation: u64,
        now: Timestamp,
    ) -> Result<Bearer, Failure> {
        let what = format!("cannot get a token of the App's installation {installation}");
        let id = installation.to_string();
        let url = remote.url(&["app", "installations", &id, "access_tokens"]);
        let answer = self.call(remote, (Method::POST, url), (&what, now)).await?;
        // The cause could show a part of the answer.
        let told: InstallationToken = serde_json::from_slice(&answer.body)
            .map_err(|_error| Failure::retry(anyhow!("{what}: the answer cannot be read")))?;
        let token = Bearer::new(told.token.into()).map_err(Failure::retry)?;
        let mut given = self.given();
        if given.tokens.len() >= GIVEN_MAX {
            given.tokens.clear();
        }
        given.tokens.insert(installation, (token.clone(), told.expires_at));
        Ok(token)
    }

    /// A call that the App makes as such.
    async fn call(
        &self,
        remote: &Remote,
        (method, url): (Method, url::Url),
        (what, now): (&str, Timestamp),
    ) -> Result<Answer, Failure> {
        let word = self.word(now)?;
        let answer = remote.send(word.sign(asked(remote.request(method, url)))).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(refusal(remote, now, &answer, (what, word.secret.expose_secret())))
    }

    /// Forgets what was given for `repo`: the App may have been taken away and given back.
    fn forget(&self, repo: &Repo) {
        let mut given = self.given();
        let installation = given.installations.remove(repo).or(self.installation);
        if let Some(installation) = installation {
            given.tokens.remove(&installation);
        }
    }

    fn given(&self) -> std::sync::MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
