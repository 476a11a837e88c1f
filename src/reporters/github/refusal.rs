//! What GitHub means when it says no.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use crate::neutral;
use crate::remote::{Answer, Failure, Remote};

/// How much of GitHub's own words an error repeats.
const WORDS_MAX_CHARS: usize = 200;
/// How long to wait where GitHub says that there were too many calls and not how long: its
/// documentation asks for at least a minute.
const WAIT_UNTOLD: Duration = Duration::from_mins(1);

/// The body of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    message: String,
    /// Texts, or objects with a `message` or with `field` and `code`.
    errors: Value,
}

/// What `answer`, which is no success, means for whoever tried `what` at `now`.
///
/// GitHub says 403 both to who may not and to who asks too often.
pub(super) fn refusal(
    remote: &Remote,
    now: Timestamp,
    answer: &Answer,
    (what, secret): (&str, &str),
) -> Failure {
    let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words = said.words().replace(secret, "[token]");
    let mut tried = what.to_owned();
    for part in [shown(&words), hint(answer)] {
        let is_repeated = answer.status.canonical_reason() == Some(&part);
        if !part.is_empty() && !is_repeated {
            tried.push_str(": ");
            tried.push_str(&part);
        }
    }
    match remote.refusal(answer, &tried) {
        Failure::Retry { source, after } if answer.status == StatusCode::TOO_MANY_REQUESTS => {
            Failure::Retry { source, after: Some(wait(after, &answer.headers, now)) }
        }
        Failure::GiveUp(source) if is_too_often(answer, &said.message) => {
            let after = remote.retry_after(&answer.headers);
            Failure::Retry { source, after: Some(wait(after, &answer.headers, now)) }
        }
        failure @ (Failure::GiveUp(_) | Failure::Retry { .. }) => failure,
    }
}

impl Said {
    fn words(&self) -> String {
        let text = |value: &Value, key: &str| {
            value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let fault = |fault: &Value| {
            if let Some(text) = fault.as_str() {
                text.to_owned()
            } else if fault.get("message").is_some() {
                text(fault, "message")
            } else {
                format!("`{}` is {}", text(fault, "field"), text(fault, "code"))
            }
        };
        let faults = self.errors.as_array().into_iter().flatten().map(fault);
        let parts: Vec<String> = std::iter::once(self.message.clone()).chain(faults).collect();
        parts.join(", ").trim_matches([',', ' ']).to_owned()
    }
}

/// What is missing, as far as GitHub tells.
fn hint(answer: &Answer) -> String {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let needed = header("x-accepted-github-permissions").filter(|needed| !needed.is_empty());
    match answer.status {
        StatusCode::UNAUTHORIZED => "the token is not valid, or has expired".to_owned(),
        StatusCode::FORBIDDEN if needed.is_some() => {
            format!("it needs the permission {}", shown(needed.unwrap_or_default()))
        }
        // GitHub hides what one may not see.
        StatusCode::NOT_FOUND => "it is not there, or the login may not see it".to_owned(),
        status if status.is_redirection() => "it has moved to another host".to_owned(),
        _ => String::new(),
    }
}

/// Whether a 403 only means that there were too many calls.
fn is_too_often(answer: &Answer, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let is_said = ["rate limit", "abuse detection", "too quickly"];
    answer.status == StatusCode::FORBIDDEN
        && (answer.headers.contains_key("retry-after")
            || number(&answer.headers, "x-ratelimit-remaining") == Some(0)
            || is_said.iter().any(|words| message.contains(words)))
}

/// How long to wait: as `Retry-After` says, until the limit is lifted, or a minute.
fn wait(after: Option<Duration>, headers: &HeaderMap, now: Timestamp) -> Duration {
    let until_lifted = || {
        let is_used_up = number(headers, "x-ratelimit-remaining") == Some(0);
        let lifted = number(headers, "x-ratelimit-reset").filter(|_| is_used_up)?;
        // At the very second it may not be lifted yet.
        u64::try_from(lifted.saturating_sub(now.as_second()).max(0) + 1).ok()
    };
    after
        .or_else(|| until_lifted().map(Duration::from_secs))
        .unwrap_or(WAIT_UNTOLD)
        .min(Remote::RETRY_AFTER_MAX)
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// A text from outside, in one line and not endless.
pub(super) fn shown(text: &str) -> String {
    let text = neutral::plain(text).replace('\n', " ");
    text.chars().take(WORDS_MAX_CHARS).collect()
}
