//! Pagure: a flag on the commit, a comment on the pull request.
//!
//! A flag has a name of our choosing, so telling it again replaces it.  A comment has none and
//! Pagure does not tell its number: one that may have arrived is looked for by its marker.

mod client;
mod forge;
mod probe;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use self::client::{Client, Project};
use self::forge::Groups;
use crate::action::{Form, Notice, Report, Stage};
use crate::clock::Clock;
use crate::directory::People;
use crate::executors::Try;
use crate::message::hash;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::secret::{SecretRef, SecretRefs};
use crate::subject::{CommitSha, Subject, SubjectKind, Verdict};

/// One Pagure: `[pagure.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagureSettings {
    /// Its address.
    pub url: Url,
    /// The token for projects that have none of their own below.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// Tokens by full project name: an ordinary Pagure token is bound to one project.
    #[serde(default)]
    pub tokens: BTreeMap<String, SecretRef>,
    /// The keys of webhooks by full project name: each is signed with its project's, and speaks
    /// for that project alone.
    #[serde(default)]
    pub webhook_keys: BTreeMap<String, SecretRefs>,
    /// The name under which flags are shown.
    #[serde(default = "PagureSettings::username")]
    pub username: String,
    /// How many calls are under way at once.
    #[serde(default = "PagureSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "PagureSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// What people are, whatever Pagure says of them; by their user names.
    #[serde(default)]
    pub people: People,
}

impl PagureSettings {
    fn username() -> String {
        "Pointsman".to_owned()
    }

    fn concurrency() -> usize {
        4
    }

    fn timeout() -> Duration {
        Duration::from_secs(30)
    }
}

/// A Pagure, with the tokens for its projects.
#[derive(Debug)]
pub struct Pagure {
    client: Client,
    username: String,
    /// The host by which messages call it.
    instance: String,
    groups: Groups,
}

/// How long the words beside a flag may be: Pagure shows them on one line.
const FLAG_COMMENT_MAX_CHARS: usize = 250;
/// How long a comment may be; there is no limit on Pagure's side, but there are readers.
const COMMENT_MAX_CHARS: usize = 60_000;
/// The longest `uid` of a flag that fits Pagure's column; a longer one is an error there.
const UID_MAX_CHARS: usize = 32;

impl Pagure {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Flag, Form::Comment];

    /// Reads the tokens of `[pagure.NAME]`; a token that cannot be read is an error that says
    /// where it should be.  `instance` is the host by which messages call it.
    pub fn new(
        name: &str,
        instance: String,
        settings: &PagureSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(name, settings, clock.clone())?,
            username: settings.username.clone(),
            instance,
            groups: Groups::new(clock),
        })
    }

    /// Asks whether Pagure answers, whether the tokens are good, and whether each of `projects`
    /// is there and has a token: what was asked about, and what is wrong with it.
    pub async fn probe(&self, projects: &[String]) -> Vec<(String, Option<String>)> {
        probe::probe(&self.client, projects).await
    }

    async fn flag(&self, report: &Report) -> Result<(), Failure> {
        let place = Place::of(&report.subject)?;
        let commit = CommitSha::try_from(report.revision.clone()).map_err(Failure::give_up)?;
        let page = || place.page(&self.client, &commit);
        let url = report.url.clone().filter(|url| is_accepted(url));
        let url = url.unwrap_or_else(page);
        let (status, percent) = state(report.stage);
        let words = flag_words(report);
        let uid = uid(&report.flag);
        let mut form = vec![
            ("username", self.username.as_str()),
            ("comment", &words),
            ("url", &url),
            ("status", status),
            ("uid", &uid),
        ];
        // A percentage that is left out is forgotten, which is right for a run that begins again.
        form.extend(percent.map(|percent| ("percent", percent)));
        self.client.flag(&place.project, &commit, &form).await
    }

    async fn comment(&self, subject: &Subject, text: &str, marker: &str) -> Result<(), Failure> {
        let (project, number) = Place::of(subject)?.pull_request(subject)?;
        let text = bounded(text, marker);
        self.client.comment(&project, number, &text).await
    }

    async fn comment_once(
        &self,
        subject: &Subject,
        (text, marker): (&str, &str),
        attempt: Try,
    ) -> Result<(), Failure> {
        if attempt == Try::Again {
            let (project, number) = Place::of(subject)?.pull_request(subject)?;
            let is_there = self.client.is_commented(&project, number, marker);
            if is_there.await? {
                return Ok(());
            }
        }
        self.comment(subject, text, marker).await
    }
}

#[async_trait]
impl Reporter for Pagure {
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        match report.form {
            Form::Flag => self.flag(report).await,
            Form::Comment => {
                let words = (report.text.as_str(), report.marker.as_str());
                self.comment_once(&report.subject, words, attempt).await
            }
            Form::Message => Err(Failure::give_up(anyhow::anyhow!(
                "Pagure has flags and comments, but no messages"
            ))),
        }
    }

    async fn notify(&self, notice: &Notice, attempt: Try) -> Result<(), Failure> {
        let words = (notice.text.as_str(), notice.marker.as_str());
        self.comment_once(&notice.subject, words, attempt).await
    }
}

/// A pull request, a branch or a tag, where Pagure has it.
struct Place {
    project: Project,
    /// The number, if it is a pull request.
    number: Option<u64>,
}

impl Place {
    fn of(subject: &Subject) -> Result<Self, Failure> {
        match subject.kind {
            SubjectKind::PullRequest => {
                let project = Project::parse(&subject.project)?;
                Ok(Self { project, number: Some(subject.number) })
            }
            SubjectKind::Branch | SubjectKind::Tag => {
                Ok(Self { project: Project::parse(&subject.project)?, number: None })
            }
            SubjectKind::Series | SubjectKind::Artifact | SubjectKind::Job => {
                Err(Failure::give_up(anyhow::anyhow!(
                    "`{subject}` is no pull request, and has no place on Pagure"
                )))
            }
        }
    }

    /// The pull request, the only place for a comment.
    fn pull_request(self, subject: &Subject) -> Result<(Project, u64), Failure> {
        let Some(number) = self.number else {
            return Err(Failure::give_up(anyhow::anyhow!(
                "`{subject}` is no pull request, and Pagure has no comments elsewhere"
            )));
        };
        Ok((self.project, number))
    }

    /// The page of the pull request, or else of the commit.
    fn page(&self, client: &Client, commit: &CommitSha) -> String {
        match self.number {
            Some(number) => {
                client.page(&self.project, &["pull-request", number.to_string().as_str()])
            }
            None => client.page(&self.project, &["c", commit.as_str()]),
        }
    }
}

/// Pagure's word for how far a run is, and how much of it is done.
///
/// Of its five words none says unstable or skipped.  Skipped is a success, as `canceled` would
/// say that somebody stopped it; the words beside the flag say which it was.
fn state(stage: Stage) -> (&'static str, Option<&'static str>) {
    match stage {
        Stage::Held | Stage::Queued | Stage::Running => ("pending", None),
        Stage::Done(Verdict::Success | Verdict::Skipped) => ("success", Some("100")),
        Stage::Done(Verdict::Failure | Verdict::Unstable | Verdict::Conflict) => {
            ("failure", Some("0"))
        }
        Stage::Done(Verdict::Error) => ("error", Some("0")),
        Stage::Done(Verdict::Cancelled) => ("canceled", Some("0")),
    }
}

/// The words beside a flag, in one line; a verdict that the flag cannot show stands in them.
fn flag_words(report: &Report) -> String {
    let words: Vec<&str> = report.text.split_whitespace().collect();
    let words = words.join(" ");
    let told = match report.stage {
        Stage::Done(verdict @ (Verdict::Skipped | Verdict::Unstable | Verdict::Conflict)) => {
            Some(verdict.as_str())
        }
        Stage::Done(_) | Stage::Held | Stage::Queued | Stage::Running => None,
    };
    let text = match told {
        Some(told) if !words.to_lowercase().contains(told) => format!("{told}: {words}"),
        _ if words.is_empty() => report.stage.as_str().to_owned(),
        _ => words,
    };
    cut(&text, FLAG_COMMENT_MAX_CHARS)
}

/// A comment that is not endless, and still has its marker.
fn bounded(text: &str, marker: &str) -> String {
    let text = cut(text, COMMENT_MAX_CHARS);
    if text.contains(marker) { text } else { format!("{text}\n\n{marker}") }
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept = text.chars().take(limit.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// The name of a flag: as it is where it fits, and otherwise its hash.
fn uid(flag: &str) -> String {
    let is_short = !flag.is_empty() && flag.chars().count() <= UID_MAX_CHARS;
    // Pagure strips what it is given, and would then not find it again.
    if is_short && flag.trim() == flag { flag.to_owned() } else { hash(&[flag.as_bytes()]) }
}

/// Whether Pagure takes it for an address: it refuses hosts of a single word, such as those of a
/// container network, and IPv6.
fn is_accepted(text: &str) -> bool {
    const URL_MAX_CHARS: usize = 2_000;
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let is_host = match url.host() {
        Some(Host::Domain(host)) => host == "localhost" || host.contains('.'),
        Some(Host::Ipv4(_)) => true,
        Some(Host::Ipv6(_)) | None => false,
    };
    is_host
        && matches!(url.scheme(), "http" | "https")
        && text.len() <= URL_MAX_CHARS
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
