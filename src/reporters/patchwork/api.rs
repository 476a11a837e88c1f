//! The API of getpatchwork.org's Patchwork, as far as it is called, since its version 1.2.

use anyhow::anyhow;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use url::Url;

use super::client::{Caller, Client, read, shown};
use crate::remote::{Answer, Failure};
use crate::reporters::patches::vouch::is_vouched;

/// How many entries are asked for at once; a server gives fewer if it likes.
pub(super) const PER_PAGE: &str = "250";

/// How much of the API there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// Since Patchwork 2.2.
    V1_2,
    /// Since Patchwork 3.1; it tells of comments.
    V1_3,
}

impl Version {
    /// As addresses have it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// A project.
#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub(super) link_name: String,
    #[serde(default)]
    pub(super) maintainers: Vec<Maintainer>,
}

/// A maintainer of a project.  Patchwork's number of them is not always that of the user: it
/// counts something else.
#[derive(Debug, Deserialize)]
pub(super) struct Maintainer {
    pub(super) id: u64,
    pub(super) username: String,
}

/// Something that happened.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) date: Date,
    #[serde(default)]
    pub(super) payload: Payload,
}

/// What it happened to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Payload {
    pub(super) series: Option<Numbered>,
    pub(super) patch: Option<Numbered>,
    pub(super) cover: Option<Numbered>,
    pub(super) comment: Option<Numbered>,
}

/// Something that has a number.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Numbered {
    pub(super) id: u64,
}

/// Somebody who sends mails.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Person {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) email: String,
}

/// A series.
#[derive(Debug, Deserialize)]
pub(super) struct Series {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) web_url: Option<String>,
    pub(super) project: Option<InProject>,
    pub(super) version: u32,
    pub(super) total: u32,
    pub(super) received_all: bool,
    #[serde(default)]
    pub(super) mbox: Option<String>,
    pub(super) cover_letter: Option<Item>,
    pub(super) patches: Vec<Item>,
}

/// The project that something is of.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct InProject {
    pub(super) link_name: String,
    #[serde(default)]
    pub(super) list_email: String,
}

/// A mail of a series, in few words.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Item {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) web_url: Option<String>,
    pub(super) msgid: String,
    /// When it was sent, as it says itself, in UTC.
    pub(super) date: Date,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) mbox: Option<String>,
}

/// A patch, as the list of them tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) id: u64,
    pub(super) submitter: Person,
}

/// A patch, a cover letter or a comment, with all its words.
#[derive(Debug, Deserialize)]
pub(super) struct Mail {
    pub(super) msgid: String,
    pub(super) date: Date,
    pub(super) submitter: Person,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) project: Option<InProject>,
    #[serde(default)]
    pub(super) series: Vec<Numbered>,
    #[serde(default)]
    pub(super) headers: Headers,
    #[serde(default)]
    pub(super) content: Option<String>,
    #[serde(default)]
    pub(super) diff: Option<String>,
}

/// The headers of a mail, as they came: a text each, or several where there were several.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Headers(Map<String, Value>);

impl Headers {
    /// Those called `name`, in any case, in the order in which they stand in the mail.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for (key, value) in &self.0 {
            if !key.eq_ignore_ascii_case(name) {
                continue;
            }
            match value {
                Value::String(text) => found.push(text.as_str()),
                Value::Array(all) => found.extend(all.iter().filter_map(Value::as_str)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
            }
        }
        found
    }

    /// Whether `server` says that the mail is from `email`.
    pub(super) fn vouch_for(&self, server: &str, email: &str) -> bool {
        is_vouched(|name| self.all(name), server, email)
    }

    /// The first called `name`.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }
}

/// A date as Patchwork writes it: without a zone.
///
/// That of a mail is in UTC.  That of an event is in UTC, or in the local time of a server that
/// does not tell its zone, since Patchwork 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Date(DateTime);

impl Date {
    /// As a moment in UTC.
    pub(super) fn in_utc(self) -> Option<Timestamp> {
        TimeZone::UTC.to_timestamp(self.0).ok()
    }

    /// The date that a clock shows in UTC.
    pub(super) fn of(time: Timestamp) -> Self {
        Self(TimeZone::UTC.to_datetime(time))
    }

    /// Another date.
    pub(super) fn plus(self, span: jiff::SignedDuration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl TryFrom<String> for Date {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        // Should one ever have a zone, it is the one that all of them are in.
        let place = text.find(['Z', 'z', '+']).unwrap_or(text.len());
        text.get(..place).unwrap_or(&text).parse().map(Self)
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.0.to_string()
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The API at a Patchwork, in the newest version of it that is known here and there.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) client: Client,
    version: OnceCell<Version>,
}

impl Api {
    pub(super) fn new(client: Client) -> Self {
        Self { client, version: OnceCell::new() }
    }

    /// Which version it is, asked once: an unknown one is not found.
    pub(super) async fn version(&self) -> Result<Version, Failure> {
        let asked = async {
            let what = "cannot ask for the version of the API";
            for version in [Version::V1_3, Version::V1_2] {
                let url = self.client.url(&["api", version.as_str()], &[]);
                let answer = self.client.ask(Caller::Anybody, (Method::GET, url), None).await?;
                if answer.status == StatusCode::NOT_FOUND {
                    continue;
                }
                let answer = self.client.success(answer, what)?;
                return read::<Map<String, Value>>(&answer, what).map(|_index| version);
            }
            Err(Failure::give_up(anyhow!("there is no API 1.2 of Patchwork")))
        };
        self.version.get_or_try_init(|| asked).await.copied()
    }

    /// The address of something in the API.
    pub(super) async fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        let version = self.version().await?.as_str();
        Ok(self.client.url(&[&["api", version], path].concat(), query))
    }

    /// Reads one thing; `what` says what is tried.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        what: &str,
    ) -> Result<T, Failure> {
        let url = self.url(path, &[]).await?;
        read(&self.client.get(Caller::Anybody, url, what).await?, what)
    }

    /// Reads a list to its end, which has to come within `pages_max` pages.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        first: Url,
        pages_max: usize,
        what: &str,
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let mut url = first;
        for _ in 0..pages_max {
            let answer = self.client.get(Caller::Anybody, url, what).await?;
            all.extend(read::<Vec<T>>(&answer, what)?);
            match self.client.next(&answer, what)? {
                Some(next) => url = next,
                None => return Ok(all),
            }
        }
        Err(Failure::retry(anyhow!("{what}: it has more than {pages_max} pages")))
    }
}

/// The entries of a page that can be read, and what is wrong with those that cannot.
pub(super) fn entries<T: DeserializeOwned>(
    answer: &Answer,
    what: &str,
) -> Result<(Vec<T>, Vec<String>), Failure> {
    let mut all = Vec::new();
    let mut faults = Vec::new();
    for entry in read::<Vec<Value>>(answer, what)? {
        match serde_path_to_error::deserialize(entry) {
            Ok(entry) => all.push(entry),
            Err(error) => faults.push(shown(&error.to_string())),
        }
    }
    Ok((all, faults))
}
