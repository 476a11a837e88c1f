//! Who calls, and what they may.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::Role;
use super::memory::Memory;

/// The public half of [`GithubStandIn::APP_KEY`](super::GithubStandIn::APP_KEY).
const PUBLIC_KEY: &str = include_str!("app.pub.pem");
/// How long the word of an App may be good, and how far its clock may be ahead.
const WORD_MAX_SECONDS: i64 = 660;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Somebody with a token, which has scopes if it is a classic one.
    User(String, Option<Vec<String>>),
    /// The App as such.
    App,
    /// An installation of the App.
    Installation(u64),
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

impl Memory {
    /// Who calls with this header, if GitHub believes it.
    pub(super) fn caller(&self, authorization: Option<&str>) -> Option<Caller> {
        let (scheme, token) = authorization?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
            return None;
        }
        if let Some(known) = self.tokens.get(token) {
            return Some(Caller::User(known.user.clone(), known.scopes.clone()));
        }
        if let Some((installation, expires)) = self.given.get(token) {
            return (*expires > self.clock.now()).then_some(Caller::Installation(*installation));
        }
        self.is_word_of_app(token).then_some(Caller::App)
    }

    fn is_word_of_app(&self, word: &str) -> bool {
        let Some(app) = &self.app else {
            return false;
        };
        let Ok(key) = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()) else {
            return false;
        };
        // The library would ask the machine for the time.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        let Ok(told) = jsonwebtoken::decode::<Claims>(word, &key, &validation) else {
            return false;
        };
        let (Claims { iat, exp, iss }, now) = (told.claims, self.clock.now().as_second());
        iss == app.id.to_string() && iat <= now && exp > now && exp - iat <= WORD_MAX_SECONDS
    }

    /// What the user is called whom this caller is.
    pub(super) fn name_of(&self, caller: &Caller) -> Option<String> {
        match caller {
            Caller::User(user, _) => Some(user.clone()),
            Caller::App => None,
            Caller::Installation(_) => Some(format!("{}[bot]", self.app.as_ref()?.slug)),
        }
    }

    /// Whether the caller sees a repository.
    pub(super) fn sees(&self, caller: &Caller, repo: &str) -> bool {
        match caller {
            Caller::User(user, scopes) => {
                let is_private = self.repos.get(repo).is_some_and(|repo| repo.is_private);
                let has_repo =
                    scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|own| own == "repo"));
                self.role(repo, user).is_some() && (!is_private || has_repo)
            }
            Caller::App => false,
            Caller::Installation(id) => self.has_installation(*id, repo),
        }
    }

    fn has_installation(&self, id: u64, repo: &str) -> bool {
        self.app.as_ref().is_some_and(|app| app.installations.get(repo) == Some(&id))
    }

    /// Whether the caller may write `what` (the name of an App's permission) in a repository
    /// that it sees.
    pub(super) fn may_write(&self, caller: &Caller, repo: &str, what: &str) -> bool {
        match caller {
            Caller::User(user, scopes) => {
                let is_in_scope = scopes.as_ref().is_none_or(|scopes| {
                    scopes.iter().any(|own| own == "repo" || own == "public_repo")
                });
                // Everybody may comment.
                let least = if what == "pull_requests" { Role::Read } else { Role::Write };
                is_in_scope && self.role(repo, user) >= Some(least)
            }
            Caller::App => false,
            Caller::Installation(id) => {
                let permissions = self.app.as_ref().map(|app| &app.permissions);
                let level = permissions.and_then(|permissions| permissions.get(what));
                self.has_installation(*id, repo) && level.is_some_and(|level| level == "write")
            }
        }
    }

    /// Gives an installation a token for an hour.
    pub(super) fn give_token(&mut self, installation: u64) -> Option<(String, Timestamp)> {
        let app = self.app.as_ref()?;
        app.installations.values().find(|id| **id == installation)?;
        let token = format!("ghs_{installation}x{}", self.next_id());
        let expires = self.clock.now().checked_add(jiff::SignedDuration::from_hours(1)).ok()?;
        self.given.insert(token.clone(), (installation, expires));
        Some((token, expires))
    }
}
