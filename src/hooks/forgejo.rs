//! Webhooks of Forgejo and Gitea, signed with HMAC-SHA-256 over the body.

use axum::http::HeaderMap;
use secrecy::SecretString;
use serde_json::Map;

use super::signature::is_signed;
use super::{Admitted, Hook, Refusal, relayed};
use crate::subject::ConnectionName;

/// The signatures that count; of several the first.  All are the same.
const SIGNATURES: [&str; 3] = ["x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"];
/// What the post is about; in the second pair more finely, where the first says nothing.
const EVENTS: [&str; 4] =
    ["x-forgejo-event", "x-gitea-event", "x-forgejo-event-type", "x-gitea-event-type"];
/// How long the name of an event may be.
const EVENT_MAX_CHARS: usize = 60;

/// What one Forgejo or Gitea posts.
#[derive(Debug)]
pub struct ForgejoHook {
    connection: ConnectionName,
    secrets: Vec<SecretString>,
}

impl ForgejoHook {
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
    let signature = SIGNATURES.iter().find_map(|name| text(headers, name));
    // Without a secret the headers are there, and empty.
    let Some(signature) = signature.filter(|signature| !signature.is_empty()) else {
        let what = "`x-forgejo-signature` is missing; set the webhook's secret";
        return Err(Refusal::Unsigned(what));
    };
    Ok(signature.strip_prefix("sha256=").unwrap_or(signature))
}

impl Hook for ForgejoHook {
    fn glance(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        presented(headers).map(drop)
    }

    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal> {
        self.prove(headers, body)?;
        let mut events = EVENTS.iter().filter_map(|name| text(headers, name));
        let event = events
            .find(|event| is_event(event))
            .ok_or_else(|| Refusal::Malformed("`x-forgejo-event` names no event".to_owned()))?;
        // The signature does not cover headers.  Only the name of the event goes on: with the id
        // of the delivery, the same post sent again would be another message.
        let kept = Map::from_iter([("x-forgejo-event".to_owned(), event.into())]);
        relayed(&self.connection, format!("forgejo.{event}"), kept, body).map(Admitted::of_all)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Whether it can stand in a topic.
fn is_event(name: &str) -> bool {
    (1..=EVENT_MAX_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;
    use crate::hooks::signature::sign;

    const BODY: &[u8] = br#"{"action": "opened", "number": 7}"#;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    fn hook() -> ForgejoHook {
        let connection = ConnectionName::try_from("forgejo.main".to_owned()).unwrap();
        ForgejoHook::new(connection, vec![secret("old"), secret("points")])
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        lines.iter().map(line).collect()
    }

    fn topic(lines: &[(&'static str, &str)]) -> String {
        match hook().admit(&headers(lines), BODY) {
            Ok(Admitted::Message(message, _)) => message.topic,
            Ok(Admitted::Ping) => "ping".to_owned(),
            Err(refusal) => {
                // What has no signature is refused without its body.
                let is_unsigned = matches!(refusal, Refusal::Unsigned(_));
                assert_eq!(hook().glance(&headers(lines)).is_err(), is_unsigned, "{refusal}");
                refusal.to_string()
            }
        }
    }

    #[test]
    fn both_forges_and_all_their_signatures_are_known() {
        let hex = sign(&secret("points"), BODY);
        let hub = format!("sha256={hex}");
        for lines in [
            [("x-forgejo-signature", hex.as_str()), ("x-forgejo-event", "push")],
            [("x-gitea-signature", &hex), ("x-gitea-event", "push")],
            [("x-hub-signature-256", &hub), ("x-gitea-event", "push")],
        ] {
            assert_eq!(topic(&lines), "forgejo.push", "{lines:?}");
        }
        let finer = [
            ("x-forgejo-signature", hex.as_str()),
            ("x-forgejo-event", ""),
            ("x-forgejo-event-type", "action_run_failure"),
        ];
        assert_eq!(topic(&finer), "forgejo.action_run_failure");
    }

    #[test]
    fn a_post_becomes_the_message_that_a_relay_makes_of_it() {
        let hex = sign(&secret("old"), BODY);
        let post = |delivery: &str| {
            let headers = headers(&[
                ("x-forgejo-signature", &hex),
                ("x-forgejo-event", "pull_request"),
                ("x-forgejo-delivery", delivery),
                ("authorization", "Basic c2VjcmV0"),
            ]);
            match hook().admit(&headers, BODY).unwrap() {
                Admitted::Message(message, _) => message,
                Admitted::Ping => panic!("a ping"),
            }
        };
        let message = post("1");
        let body = String::from_utf8(message.body.clone()).unwrap();
        let relayed = r#"{"body":{"action": "opened", "number": 7},"headers":{"x-forgejo-event":"pull_request"},"agent":null}"#;
        assert_eq!(body, relayed);
        assert_eq!(
            (message.identity(), message.digest()),
            (post("2").identity(), post("2").digest())
        );
    }

    #[test]
    fn what_is_not_signed_is_not_let_in() {
        let hex = sign(&secret("points"), BODY);
        let other = sign(&secret("other"), BODY);
        let unsigned =
            "it is not signed: `x-forgejo-signature` is missing; set the webhook's secret";
        let forged = "its signature or token is not the one";
        let event = ("x-forgejo-event", "push");
        assert_eq!(topic(&[event]), unsigned);
        assert_eq!(topic(&[event, ("x-forgejo-signature", "")]), unsigned);
        assert_eq!(topic(&[event, ("x-forgejo-signature", &other)]), forged);
        // A good one does not mend a bad one.
        let both = [event, ("x-forgejo-signature", other.as_str()), ("x-gitea-signature", &hex)];
        assert_eq!(topic(&both), forged);
        let odd = [("x-forgejo-signature", hex.as_str()), ("x-forgejo-event", "push.evil")];
        assert_eq!(topic(&odd), "`x-forgejo-event` names no event");
    }
}
