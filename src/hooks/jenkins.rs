//! Posts of Jenkins' Notification plugin, which signs nothing: it sends the user and password that
//! stand in its endpoint's URL, and the password is the secret.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::Map;
use serde_json::value::RawValue;

use super::{Admitted, Hook, Refusal};
use crate::message::{Message, hash};
use crate::secret::is_same;
use crate::subject::ConnectionName;

/// What one Jenkins posts.
#[derive(Debug)]
pub struct JenkinsHook {
    connection: ConnectionName,
    secrets: Vec<SecretString>,
}

impl JenkinsHook {
    /// The posts of `connection`, with one of `secrets` as password or bearer token.
    pub fn new(connection: ConnectionName, secrets: Vec<SecretString>) -> Self {
        Self { connection, secrets }
    }

    fn prove(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, rest)) = authorization.and_then(|text| text.split_once(' ')) else {
            let what = "there is no password; write the endpoint as `https://x:SECRET@…`";
            return Err(Refusal::Unsigned(what));
        };
        let presented = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(rest.trim().to_owned()),
            "basic" => password(rest.trim()),
            _ => None,
        };
        let presented = presented.ok_or(Refusal::Forged)?;
        let fits = self.secrets.iter().filter(|secret| is_same(secret, &presented)).count();
        if fits > 0 { Ok(()) } else { Err(Refusal::Forged) }
    }
}

impl Hook for JenkinsHook {
    /// The password does not cover the body: nothing more is proved with it.
    fn glance(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.prove(headers)
    }

    fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<Admitted, Refusal> {
        self.prove(headers)?;
        let raw: &RawValue = serde_json::from_slice(body).map_err(|error| {
            let what = "the body is no JSON; choose the format JSON for the endpoint";
            Refusal::Malformed(format!("{what}: {error}"))
        })?;
        if !raw.get().starts_with('{') {
            return Err(Refusal::Malformed("the body is no object".to_owned()));
        }
        let id = hash(&[self.connection.as_str().as_bytes(), body]);
        Ok(Admitted::of_all(Message {
            id: Some(format!("hook-{id}")),
            topic: "jenkins.notification".to_owned(),
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            headers: Map::new(),
            body: body.to_vec(),
        }))
    }
}

/// The password of `user:password` in base64.
fn password(encoded: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"name": "unit", "build": {"number": 7, "phase": "FINALIZED"}}"#;

    fn told(authorization: Option<&str>, body: &[u8]) -> String {
        let connection = ConnectionName::try_from("jenkins.main".to_owned()).unwrap();
        let secrets = ["old", "points:and:blades"].map(|text| SecretString::from(text.to_owned()));
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        let hook = JenkinsHook::new(connection, secrets.to_vec());
        let glance = hook.glance(&headers);
        match hook.admit(&headers, body) {
            Ok(Admitted::Message(message, _)) => message.topic,
            Ok(Admitted::Ping) => "ping".to_owned(),
            Err(refusal) => {
                // The headers are all that proves it.
                let is_malformed = matches!(refusal, Refusal::Malformed(_));
                assert_eq!(glance.is_ok(), is_malformed, "{refusal}");
                refusal.to_string()
            }
        }
    }

    fn basic(login: &str) -> String {
        format!("Basic {}", STANDARD.encode(login))
    }

    #[test]
    fn the_password_in_the_url_or_a_bearer_token_proves_it() {
        for login in [basic("x:old"), basic("x:points:and:blades"), "bearer old".to_owned()] {
            assert_eq!(told(Some(&login), BODY), "jenkins.notification", "{login}");
        }
    }

    #[test]
    fn anything_else_does_not() {
        let unsigned =
            "it is not signed: there is no password; write the endpoint as `https://x:SECRET@…`";
        assert_eq!(told(None, BODY), unsigned);
        assert_eq!(told(Some("old"), BODY), unsigned);
        let logins = [basic("old"), basic("old:"), basic("x:guess"), basic("x:"), "Basic %".into()];
        for login in logins.into_iter().chain(["Bearer guess".into(), "Digest old".into()]) {
            assert_eq!(
                told(Some(&login), BODY),
                "its signature or token is not the one",
                "{login}"
            );
        }
    }

    #[test]
    fn xml_is_explained() {
        insta::assert_snapshot!(told(Some("Bearer old"), b"<job/>"), @"the body is no JSON; choose the format JSON for the endpoint: expected value at line 1 column 1");
        assert_eq!(told(Some("Bearer old"), b"[]"), "the body is no object");
    }
}
