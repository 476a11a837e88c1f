//! Pagure's webhooks: the messages that it puts on a bus, each in an envelope, and signed.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Map;
use serde_json::value::RawValue;

use super::signature::is_signed;
use super::{Admitted, Hook, Refusal, Speaker};
use crate::message::{Message, hash};
use crate::subject::ConnectionName;

/// The signature that counts.
const SIGNATURE: HeaderName = HeaderName::from_static("x-pagure-signature-256");
/// The signature of old, which is not enough.
const OLD_SIGNATURE: HeaderName = HeaderName::from_static("x-pagure-signature");
/// How long a topic or an id may be.
const TEXT_MAX_CHARS: usize = 100;

/// What one Pagure posts.
#[derive(Debug)]
pub struct PagureHook {
    connection: ConnectionName,
    keys: BTreeMap<String, Vec<SecretString>>,
}

/// The envelope.  All of it is signed, the topic and the id too.
#[derive(Deserialize)]
struct Envelope<'b> {
    /// Such as `pull-request.new`: without what stands before it on a bus.
    topic: String,
    msg_id: String,
    #[serde(borrow)]
    msg: &'b RawValue,
}

impl PagureHook {
    /// The posts of `connection`, signed with the `keys` of projects, which are by full name.
    ///
    /// All who may change a project can read its key, so it proves nothing about another.
    pub fn new(connection: ConnectionName, keys: BTreeMap<String, Vec<SecretString>>) -> Self {
        Self { connection, keys }
    }

    /// The projects whose key signed it: one, unless somebody gave two the same.
    fn prove(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<String>, Refusal> {
        let signature = presented(headers)?;
        // All are tried, so that the time does not tell whose key it was.
        let signers = self.keys.iter().filter(|(_, keys)| is_signed(keys, body, signature));
        let projects: Vec<String> = signers.map(|(project, _)| project.clone()).collect();
        if projects.is_empty() { Err(Refusal::Forged) } else { Ok(projects) }
    }
}

/// The signature, which only the body proves.
fn presented(headers: &HeaderMap) -> Result<&str, Refusal> {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    signature.ok_or_else(|| {
        Refusal::Unsigned(if headers.contains_key(OLD_SIGNATURE) {
            "`x-pagure-signature` alone (SHA-1) does not count, `x-pagure-signature-256` is missing"
        } else {
            "`x-pagure-signature-256` is missing"
        })
    })
}

impl Hook for PagureHook {
    fn glance(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        presented(headers).map(drop)
    }

    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal> {
        let projects = self.prove(headers, body)?;
        let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|error| {
            Refusal::Malformed(format!("the body is no message of Pagure: {error}"))
        })?;
        if !is_topic(&envelope.topic) {
            return Err(Refusal::Malformed("`topic` is none".to_owned()));
        }
        if !envelope.msg.get().starts_with('{') {
            return Err(Refusal::Malformed("`msg` is no object".to_owned()));
        }
        if envelope.msg_id.is_empty() || envelope.msg_id.len() > TEXT_MAX_CHARS {
            return Err(Refusal::Malformed("`msg_id` is none".to_owned()));
        }
        // Pagure's own id is another one on each of the ways by which it tells the same.
        let parts = [self.connection.as_str().as_bytes(), envelope.msg_id.as_bytes(), body];
        let message = Message {
            id: Some(format!("hook-{}", hash(&parts))),
            topic: format!("pagure.{}", envelope.topic),
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            headers: Map::new(),
            body: envelope.msg.get().as_bytes().to_vec(),
        };
        Ok(Admitted::Message(message, Speaker::Projects(projects)))
    }
}

/// Whether it can stand in a topic: words of letters and dashes, with dots between.
fn is_topic(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| matches!(byte, b'-' | b'_') || byte.is_ascii_lowercase())
    };
    text.len() <= TEXT_MAX_CHARS && text.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::signature::sign;

    const BODY: &str = r#"{"i": 7, "msg": {"agent": "ada", "pagure_instance": "https://forge.example/"}, "msg_id": "2026-0a1b", "timestamp": 1795162907, "topic": "pull-request.new"}"#;

    fn key(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    fn posted(body: &str, lines: &[(HeaderName, &str)]) -> Result<(Message, Speaker), String> {
        let connection = ConnectionName::try_from("pagure.io".to_owned()).unwrap();
        let keys = [("rail/signalbox", vec!["signalbox"]), ("rail/points", vec!["old", "points"])];
        let keys = keys.map(|(project, keys)| {
            (project.to_owned(), keys.into_iter().map(key).collect::<Vec<_>>())
        });
        let hook = PagureHook::new(connection, BTreeMap::from(keys));
        let headers = lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        let headers = headers.collect();
        match hook.admit(&headers, body.as_bytes()) {
            Ok(Admitted::Message(message, speaker)) => Ok((message, speaker)),
            Ok(Admitted::Ping) => Err("ping".to_owned()),
            Err(refusal) => {
                // What has no signature is refused without its body.
                let is_unsigned = matches!(refusal, Refusal::Unsigned(_));
                assert_eq!(hook.glance(&headers).is_err(), is_unsigned, "{refusal}");
                Err(refusal.to_string())
            }
        }
    }

    fn signed(body: &str) -> Result<Message, String> {
        posted(body, &[(SIGNATURE, &sign(&key("points"), body.as_bytes()))]).map(|told| told.0)
    }

    #[test]
    fn a_key_speaks_for_its_own_project() {
        let speaker = |by: &str| {
            let signature = sign(&key(by), BODY.as_bytes());
            posted(BODY, &[(SIGNATURE, &signature)]).map(|told| told.1)
        };
        let of = |project: &str| Ok(Speaker::Projects(vec![project.to_owned()]));
        assert_eq!(speaker("signalbox"), of("rail/signalbox"));
        assert_eq!(speaker("old"), of("rail/points"));
        assert_eq!(speaker("points"), of("rail/points"));
        assert_eq!(speaker("guess"), Err("its signature or token is not the one".to_owned()));
    }

    #[test]
    fn what_is_in_the_envelope_is_the_message_of_the_bus() {
        let message = signed(BODY).unwrap();
        assert_eq!(message.topic, "pagure.pull-request.new");
        let body = String::from_utf8(message.body.clone()).unwrap();
        assert_eq!(body, r#"{"agent": "ada", "pagure_instance": "https://forge.example/"}"#);
        assert_eq!(message.identity(), signed(BODY).unwrap().identity());
        let another = signed(&BODY.replace("0a1b", "0a1c")).unwrap();
        assert_ne!(message.identity(), another.identity());
    }

    #[test]
    fn what_is_not_signed_is_not_let_in() {
        let old = posted(BODY, &[(OLD_SIGNATURE, "00")]).unwrap_err();
        let guess = sign(&key("guess"), BODY.as_bytes());
        let told = [
            posted(BODY, &[]).unwrap_err(),
            old,
            posted(BODY, &[(SIGNATURE, &guess)]).unwrap_err(),
            posted("{}", &[(SIGNATURE, &sign(&key("points"), BODY.as_bytes()))]).unwrap_err(),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        it is not signed: `x-pagure-signature-256` is missing
        it is not signed: `x-pagure-signature` alone (SHA-1) does not count, `x-pagure-signature-256` is missing
        its signature or token is not the one
        its signature or token is not the one
        ");
    }

    #[test]
    fn what_is_signed_and_cannot_be_read_is_explained() {
        let told = [
            signed("{}").unwrap_err(),
            signed("<html>").unwrap_err(),
            signed(&BODY.replace("pull-request.new", "pull request.#")).unwrap_err(),
            signed(&BODY.replace("2026-0a1b", "")).unwrap_err(),
            signed(r#"{"msg": [], "msg_id": "1", "topic": "a.b"}"#).unwrap_err(),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        the body is no message of Pagure: missing field `topic` at line 1 column 2
        the body is no message of Pagure: expected value at line 1 column 1
        `topic` is none
        `msg_id` is none
        `msg` is no object
        ");
    }
}
