//! GitLab's webhooks, proved by a secret token or by a signature.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::Map;

use super::signature::mac;
use super::{Admitted, Hook, Refusal, relayed};
use crate::clock::Clock;
use crate::secret::is_same;
use crate::subject::ConnectionName;

/// The secret token, as it is.
const TOKEN: HeaderName = HeaderName::from_static("x-gitlab-token");
/// What the post is about, such as `Merge Request Hook`.
const EVENT: HeaderName = HeaderName::from_static("x-gitlab-event");
/// Signatures, as Standard Webhooks have them: `v1,` and base64, several with spaces between.
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// The id of the delivery, which is signed.
const ID: HeaderName = HeaderName::from_static("webhook-id");
/// When it was signed, in seconds since 1970.
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// How far from our clock a signature may have been made.
const TOLERANCE: Duration = Duration::from_mins(5);
/// How many signatures of one post are looked at.
const SIGNATURES_MAX: usize = 8;
/// How long the name of an event may be.
const EVENT_MAX_CHARS: usize = 60;

/// What one GitLab posts.
///
/// A post is let in if it carries one of our signatures that is not older than five minutes, or
/// one of our secret tokens.  The signature is the HMAC-SHA-256, by the decoded key, over
/// `webhook-id`, a dot, `webhook-timestamp`, a dot and the body as it came.  The token proves
/// the sender alone: neither body nor time.  A signature that is wrong is not made good by a
/// token.
#[derive(Debug)]
pub struct GitLabHook {
    connection: ConnectionName,
    tokens: Vec<SecretString>,
    keys: Vec<SecretSlice<u8>>,
    clock: Clock,
}

/// What a post is proved with.
enum Presented<'h> {
    /// One of our tokens.
    Token,
    /// Signatures, over this and the body.
    Signature { signatures: &'h str, id: &'h str, at: &'h str },
}

impl GitLabHook {
    /// The posts of `connection`, with one of `tokens` or signed by one of `keys`
    /// (`whsec_` and base64); there are several while one takes the place of the other.
    pub fn new(
        connection: ConnectionName,
        (tokens, keys): (Vec<SecretString>, &[SecretString]),
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let keys = keys.iter().map(key).collect::<Result<_, _>>();
        let keys = keys.with_context(|| format!("cannot use the signing keys of `{connection}`"));
        Ok(Self { connection, tokens, keys: keys?, clock })
    }

    /// What proves it: a token, which is proved with this, or a signature, which is not.
    fn presented<'h>(&self, headers: &'h HeaderMap) -> Result<Presented<'h>, Refusal> {
        let signature = text(headers, &SIGNATURE).filter(|_| !self.keys.is_empty());
        let token = text(headers, &TOKEN).filter(|_| !self.tokens.is_empty());
        match (signature, token) {
            (Some(signatures), _) => match (text(headers, &ID), text(headers, &TIMESTAMP)) {
                (Some(id), Some(at)) => Ok(Presented::Signature { signatures, id, at }),
                _ => Err(Refusal::Unsigned("`webhook-id` or `webhook-timestamp` is missing")),
            },
            (None, Some(presented)) => {
                // All are compared, each in time that does not tell where they differ.
                let same = self.tokens.iter().filter(|token| is_same(token, presented)).count();
                if same > 0 { Ok(Presented::Token) } else { Err(Refusal::Forged) }
            }
            (None, None) => Err(Refusal::Unsigned(match (&*self.tokens, &*self.keys) {
                (_, []) => "`x-gitlab-token` is missing; set the webhook's secret token",
                ([], _) => "`webhook-signature` is missing; set the webhook's signing token",
                _ => "`webhook-signature` and `x-gitlab-token` are missing",
            })),
        }
    }

    fn prove(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let Presented::Signature { signatures, id, at } = self.presented(headers)? else {
            return Ok(());
        };
        let signed = [id.as_bytes(), at.as_bytes(), body].join(&b'.');
        let presented = signatures.split(' ').take(SIGNATURES_MAX);
        let presented = presented.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
        let made_it = |presented: &Vec<u8>, key: &SecretSlice<u8>| {
            let mac = mac(key.expose_secret(), &signed);
            mac.is_some_and(|mac| mac.verify_slice(presented).is_ok())
        };
        let right = presented
            .flat_map(|presented| self.keys.iter().map(move |key| (presented.clone(), key)))
            .filter(|(presented, key)| made_it(presented, key))
            .count();
        if right == 0 {
            return Err(Refusal::Forged);
        }
        if !self.is_recent(at) {
            return Err(Refusal::Unsigned(
                "its signature is good, but was made more than five minutes from now by our clock",
            ));
        }
        Ok(())
    }

    fn is_recent(&self, timestamp: &str) -> bool {
        let made = timestamp.parse().ok().and_then(|time| Timestamp::from_second(time).ok());
        made.is_some_and(|made| self.clock.now().duration_since(made).unsigned_abs() <= TOLERANCE)
    }
}

impl Hook for GitLabHook {
    fn glance(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.presented(headers).map(drop)
    }

    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal> {
        self.prove(headers, body)?;
        let name = text(headers, &EVENT).unwrap_or_default();
        if name == "System Hook" {
            return Err(Refusal::Malformed(
                "it is a system hook: set a webhook of the project or the group instead".to_owned(),
            ));
        }
        let event = event(name).ok_or_else(|| {
            Refusal::Malformed("`x-gitlab-event` names no event, such as `Push Hook`".to_owned())
        })?;
        // Nothing proves headers.  Only the name of the event goes on: with the id of the
        // delivery, the same post sent again would be another message.
        let kept = Map::from_iter([(EVENT.as_str().to_owned(), name.into())]);
        relayed(&self.connection, format!("gitlab.{event}"), kept, body).map(Admitted::of_all)
    }
}

/// The key in `whsec_…`.
fn key(secret: &SecretString) -> anyhow::Result<SecretSlice<u8>> {
    let written = secret.expose_secret().strip_prefix("whsec_");
    let written = written.ok_or_else(|| anyhow!("a signing token begins with `whsec_`"))?;
    // The error would show a character of it.
    let bytes = STANDARD.decode(written).ok().filter(|bytes| !bytes.is_empty());
    bytes.map(SecretSlice::from).ok_or_else(|| anyhow!("it is no base64 after `whsec_`"))
}

/// `merge_request` of `Merge Request Hook`: as relays name topics.
fn event(name: &str) -> Option<String> {
    let words = name.strip_suffix(" Hook")?;
    let is_name = (1..=EVENT_MAX_CHARS).contains(&words.len())
        && words.bytes().all(|byte| byte == b' ' || byte.is_ascii_alphabetic());
    is_name.then(|| words.to_ascii_lowercase().replace(' ', "_"))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
