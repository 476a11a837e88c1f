//! Patchew's JSON, as far as it matters here.
//!
//! What a series is pushed to, with the password for it, is in some answers: it has no field.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A page of a list; how many there are in all is not told.
#[derive(Deserialize)]
pub(super) struct Page {
    /// Where the next one is: only that there is one is believed.
    #[serde(default)]
    pub(super) next: Option<Value>,
    /// What is on it; one that cannot be read does not spoil the others.
    #[serde(default)]
    pub(super) results: Vec<Value>,
}

/// Who sent a mail; without a name where it is the address.
#[derive(Clone, Deserialize)]
pub(super) struct Address {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) address: String,
}

/// A series: with its patches if it was asked for by itself.
#[derive(Clone, Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub(super) resource_uri: String,
    pub(super) message_id: String,
    #[serde(default)]
    pub(super) subject: String,
    pub(super) date: String,
    #[serde(default)]
    pub(super) sender: Option<Address>,
    #[serde(default)]
    pub(super) last_reply_date: Option<String>,
    #[serde(default)]
    pub(super) total_patches: u32,
    #[serde(default)]
    pub(super) is_complete: bool,
    #[serde(default)]
    pub(super) is_merged: bool,
    #[serde(default)]
    pub(super) is_obsolete: bool,
    #[serde(default)]
    pub(super) patches: Vec<Patch>,
}

/// A patch of a series.
#[derive(Clone, Deserialize)]
pub(super) struct Patch {
    pub(super) message_id: String,
    #[serde(default)]
    pub(super) subject: String,
    pub(super) date: String,
    #[serde(default)]
    pub(super) sender: Option<Address>,
    #[serde(default, rename = "patch_num")]
    pub(super) number: Option<u32>,
}

/// A project, or a result: where it is.
#[derive(Deserialize)]
pub(super) struct Place {
    #[serde(default)]
    pub(super) resource_uri: String,
}

/// A result that stands.
#[derive(Deserialize)]
pub(super) struct ResultRow {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) last_update: Option<String>,
    #[serde(default)]
    pub(super) data: Value,
}

/// The answer to a login.
#[derive(Deserialize)]
pub(super) struct Key {
    pub(super) key: String,
}

/// What Django says no with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct No {
    pub(super) detail: String,
}

/// A test that was handed out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Job {
    #[serde(default)]
    pub(super) repo: String,
    #[serde(default)]
    pub(super) head: String,
    #[serde(default)]
    pub(super) base: Option<String>,
    pub(super) test: JobTest,
    pub(super) identity: Identity,
}

/// The test itself; its script is not for us.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct JobTest {
    pub(super) name: String,
    #[serde(default)]
    pub(super) timeout: Option<u64>,
    #[serde(default)]
    pub(super) requirements: Option<String>,
}

/// What is tested.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Identity {
    /// `series` or `project`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, rename = "message-id")]
    pub(super) message_id: Option<String>,
}

/// A date of Patchew's: without a zone, and UTC.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let civil: DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_without_a_zone_is_utc() {
        let seen = |text| date(text).map(|time| time.to_string());
        assert_eq!(seen("2026-11-20T08:15:31"), Some("2026-11-20T08:15:31Z".to_owned()));
        assert_eq!(seen("2026-11-20T08:15:31.123456"), Some("2026-11-20T08:15:31.123456Z".into()));
        assert_eq!(seen("2026-11-20T08:15:31+02:00"), Some("2026-11-20T06:15:31Z".to_owned()));
        assert_eq!(seen("yesterday"), None);
    }
}
