//! GitHub's webhooks, signed with HMAC-SHA-256 over the body.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use secrecy::SecretString;
use serde_json::Map;

use super::signature::is_signed;
use super::{Admitted, Hook, Refusal, relayed};
use crate::subject::ConnectionName;

/// The signature that counts.
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
/// The signature of old, which is not enough.
const OLD_SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature");
/// What the post is about.
const EVENT: HeaderName = HeaderName::from_static("x-github-event");
/// How long the name of an event may be.
const EVENT_MAX_CHARS: usize = 60;

/// What one GitHub posts.
#[derive(Debug)]
pub struct GithubHook {
    connection: ConnectionName,
    secrets: Vec<SecretString>,
}

impl GithubHook {
    /// The posts of `connection`, signed with one of `secrets`.
    pub fn new(connection: ConnectionName, secrets: Vec<SecretString>) -> Self {
        Self { connection, secrets }
    }

    fn prove(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let hex = presented(headers)?;
        if is_signed(&self.secrets, body, hex) { Ok(()) } else { Err(Refusal::Forged) }
    }
}

/// The signature, which only the body proves.
fn presented(headers: &HeaderMap) -> Result<&str, Refusal> {
    let Some(signature) = text(headers, &SIGNATURE) else {
        return Err(Refusal::Unsigned(if headers.contains_key(OLD_SIGNATURE) {
            "`x-hub-signature` alone (SHA-1) does not count, `x-hub-signature-256` is missing"
        } else {
            "`x-hub-signature-256` is missing; set the webhook's secret"
        }));
    };
    signature.strip_prefix("sha256=").ok_or(Refusal::Forged)
}

impl Hook for GithubHook {
    fn glance(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        presented(headers).map(drop)
    }

    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal> {
        self.prove(headers, body)?;
        let event = text(headers, &EVENT).filter(|event| is_event(event));
        let event = event.ok_or_else(|| malformed("`x-github-event` names no event"))?;
        // A form is signed as it is sent, and is no JSON.
        let content_type = text(headers, &CONTENT_TYPE).unwrap_or_default();
        if content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Err(malformed(
                "it is a form: set the webhook's content type to application/json",
            ));
        }
        if event == "ping" {
            return Ok(Admitted::Ping);
        }
        // The signature does not cover headers.  Only the name of the event goes on: with the id
        // of the delivery, the same post sent again would be another message.
        let kept = Map::from_iter([(EVENT.as_str().to_owned(), event.into())]);
        relayed(&self.connection, format!("github.{event}"), kept, body).map(Admitted::of_all)
    }
}

fn malformed(what: &str) -> Refusal {
    Refusal::Malformed(what.to_owned())
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Whether it can stand in a topic.
fn is_event(name: &str) -> bool {
    (1..=EVENT_MAX_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::signature::sign;

    const BODY: &[u8] = br#"{"action": "opened", "number": 7}"#;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    fn hook() -> GithubHook {
        let connection = ConnectionName::try_from("github.main".to_owned()).unwrap();
        GithubHook::new(connection, vec![secret("old"), secret("points")])
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        lines.iter().map(line).collect()
    }

    fn signed(event: &str, by: &str, body: &[u8]) -> HeaderMap {
        let signature = format!("sha256={}", sign(&secret(by), body));
        headers(&[
            ("x-hub-signature-256", &signature),
            ("x-hub-signature", "sha1=0000000000000000000000000000000000000000"),
            ("x-github-event", event),
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("authorization", "Basic c2VjcmV0"),
            ("content-type", "application/json"),
        ])
    }

    fn refused(headers: &HeaderMap, body: &[u8]) -> String {
        let refusal = hook().admit(headers, body).unwrap_err();
        // What has no signature is refused without its body.
        let is_unsigned = matches!(refusal, Refusal::Unsigned(_));
        assert!(!is_unsigned || hook().glance(headers).is_err(), "{refusal}");
        let kind = match refusal {
            Refusal::Unsigned(_) => "unsigned",
            Refusal::Forged => "forged",
            Refusal::Malformed(_) => "malformed",
        };
        format!("{kind}: {refusal}")
    }

    #[test]
    fn a_post_becomes_the_message_that_a_relay_makes_of_it() {
        for by in ["old", "points"] {
            let admitted = hook().admit(&signed("pull_request", by, BODY), BODY).unwrap();
            let Admitted::Message(message, _) = admitted else { panic!("{admitted:?}") };
            assert_eq!(message.topic, "github.pull_request");
            let body = String::from_utf8(message.body).unwrap();
            let relayed = r#"{"body":{"action": "opened", "number": 7},"headers":{"x-github-event":"pull_request"},"agent":null}"#;
            assert_eq!(body, relayed);
        }
    }

    #[test]
    fn the_same_post_under_another_delivery_is_the_same_message() {
        let message = |delivery: &str| {
            let mut headers = signed("push", "points", BODY);
            headers.insert("x-github-delivery", delivery.parse().unwrap());
            match hook().admit(&headers, BODY).unwrap() {
                Admitted::Message(message, _) => message,
                Admitted::Ping => panic!("a ping"),
            }
        };
        assert_eq!(message("1").identity(), message("2").identity());
        assert_eq!(message("1").digest(), message("2").digest());
    }

    #[test]
    fn a_ping_is_no_message_and_has_to_be_signed_too() {
        let admitted = hook().admit(&signed("ping", "points", BODY), BODY).unwrap();
        assert!(matches!(admitted, Admitted::Ping), "{admitted:?}");
        let headers = headers(&[("x-github-event", "ping")]);
        assert!(matches!(hook().admit(&headers, BODY), Err(Refusal::Unsigned(_))));
    }

    #[test]
    fn what_is_not_signed_is_not_let_in() {
        let mut old = signed("push", "points", BODY);
        old.remove("x-hub-signature-256");
        let mut odd = signed("push", "points", BODY);
        odd.insert("x-hub-signature-256", sign(&secret("points"), BODY).parse().unwrap());
        let lines = [
            refused(&HeaderMap::new(), BODY),
            refused(&old, BODY),
            refused(&odd, BODY),
            refused(&signed("push", "other", BODY), BODY),
            refused(&signed("push", "points", BODY), b"{}"),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        unsigned: it is not signed: `x-hub-signature-256` is missing; set the webhook's secret
        unsigned: it is not signed: `x-hub-signature` alone (SHA-1) does not count, `x-hub-signature-256` is missing
        forged: its signature or token is not the one
        forged: its signature or token is not the one
        forged: its signature or token is not the one
        ");
    }

    #[test]
    fn what_is_signed_and_cannot_be_read_is_explained() {
        let form = b"payload=%7B%7D";
        let mut as_form = signed("push", "points", form);
        as_form.insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        let mut nameless = signed("push", "points", BODY);
        nameless.remove(EVENT);
        let lines = [
            refused(&as_form, form),
            refused(&nameless, BODY),
            refused(&signed("push.evil", "points", BODY), BODY),
            refused(&signed(&"a".repeat(61), "points", BODY), BODY),
            refused(&signed("push", "points", b"[1]"), b"[1]"),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        malformed: it is a form: set the webhook's content type to application/json
        malformed: `x-github-event` names no event
        malformed: `x-github-event` names no event
        malformed: `x-github-event` names no event
        malformed: the body is no object
        ");
    }
}
