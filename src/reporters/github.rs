//! GitHub: a status or a check run on the commit, a comment on the pull request.
//!
//! A status has a name of our choosing, so telling it again replaces it.  A check run has an id
//! of our choosing beside GitHub's, by which it is found again.  Comments can be edited, so there
//! is one that is kept up to date.

mod client;
mod flag;
mod forge;
mod login;
mod probe;
mod refusal;
#[cfg(test)]
mod tests;
mod thread;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use self::client::Client;
use super::board;
use crate::action::{Board, Form, Notice, Report};
use crate::clock::Clock;
use crate::directory::People;
use crate::executors::Try;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::secret::SecretRef;
use crate::subject::{Subject, SubjectKind};

/// One GitHub: `[github.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubSettings {
    /// Its address: `https://github.com/`, or that of a GitHub Enterprise.
    #[serde(default = "GithubSettings::url")]
    pub url: Url,
    /// The address of its API, where it is not the usual one.
    #[serde(default)]
    pub api_url: Option<Url>,
    /// The token of the user that reports; not beside an App.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// The number of the App that reports; not beside a token.
    #[serde(default)]
    pub app_id: Option<u64>,
    /// The number of the App's installation; without one it is asked for by repository.
    #[serde(default)]
    pub installation_id: Option<u64>,
    /// The private key (PEM) of the App.
    #[serde(default)]
    pub private_key: Option<SecretRef>,
    /// The secrets that webhooks are signed with: one, or two while one replaces the other.
    #[serde(default)]
    pub webhook_secrets: Vec<SecretRef>,
    /// What is set on commits: `status`, or `check_run`, for which GitHub wants an App.
    #[serde(default)]
    pub checks: Checks,
    /// What stands before the rule in the name of a status or check; begins with `pointsman`.
    #[serde(default = "GithubSettings::context_prefix")]
    pub context_prefix: String,
    /// How many calls are under way at once.
    #[serde(default = "GithubSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "GithubSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// What people are, whatever GitHub says of them; by their numbers.
    #[serde(default)]
    pub people: People,
}

/// What is set on commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checks {
    /// A commit status.
    #[default]
    Status,
    /// A check run, which has more states and more words.
    CheckRun,
}

impl GithubSettings {
    /// What the names of our statuses begin with: by it they are known when GitHub tells of them.
    pub const OWN_PREFIX: &str = "pointsman";
    /// How long `context_prefix` may be.
    pub const CONTEXT_PREFIX_MAX_CHARS: usize = 100;

    #[expect(clippy::expect_used, reason = "the text does not change")]
    fn url() -> Url {
        Url::parse("https://github.com/").expect("it is an address")
    }

    fn context_prefix() -> String {
        "pointsman/".to_owned()
    }

    fn concurrency() -> usize {
        4
    }

    fn timeout() -> Duration {
        Duration::from_secs(30)
    }

    /// Where the API is: on a host of its own for github.com, below the pages elsewhere.
    fn api(&self) -> anyhow::Result<Url> {
        if let Some(url) = &self.api_url {
            return Ok(url.clone());
        }
        if self.url.host_str() == Some("github.com") {
            return Ok(Url::parse("https://api.github.com/")?);
        }
        let mut url = self.url.clone();
        url.set_path(&format!("{}/api/v3", self.url.path().trim_end_matches('/')));
        Ok(url)
    }
}

/// A GitHub, with the login of who reports there.
#[derive(Debug)]
pub struct Github {
    client: Client,
    /// The host by which messages call it.
    instance: String,
    checks: Checks,
    context_prefix: String,
    /// Whether it was told that nobody can be asked about.
    is_warned: AtomicBool,
}

/// How long a comment may be: GitHub takes 65,536 characters.
const COMMENT_MAX_CHARS: usize = 60_000;

impl Github {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Flag, Form::Comment];

    /// Reads the secrets of `[github.NAME]`; `instance` is the host by which messages call it.
    pub fn new(
        name: &str,
        instance: String,
        settings: &GithubSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(name, settings, clock)?,
            instance,
            checks: settings.checks,
            context_prefix: settings.context_prefix.clone(),
            is_warned: AtomicBool::new(false),
        })
    }

    /// Asks whether GitHub answers, whether the login is good, and whether each of `projects` is
    /// there and can be reported to: what was asked about, and what is wrong with it.
    pub async fn probe(&self, projects: &[String]) -> Vec<(String, Option<String>)> {
        probe::probe(&self.client, self.checks, projects).await
    }

    async fn comment(
        &self,
        (subject, text, marker): (&Subject, &str, &str),
        board: Option<&Board>,
        attempt: Try,
    ) -> Result<(), Failure> {
        if subject.kind != SubjectKind::PullRequest {
            return Err(no_place(subject, "comments are made on pull requests only"));
        }
        let words = [Some(marker), board.map(|board| board.word.as_str())];
        let text = bounded(text, words.into_iter().flatten());
        board::keep(&self.client, (subject, &text, marker), board, attempt).await
    }
}

#[async_trait]
impl Reporter for Github {
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        match (report.form, self.checks) {
            (Form::Flag, _) if report.subject.kind == SubjectKind::Job => {
                Err(no_place(&report.subject, "a job has no commit there"))
            }
            (Form::Flag, _) if report.subject.kind == SubjectKind::Series => {
                Err(no_place(&report.subject, "a series has no commit there"))
            }
            (Form::Flag, Checks::Status) => {
                flag::set_status(&self.client, &self.context_prefix, report).await
            }
            (Form::Flag, Checks::CheckRun) => {
                flag::set_check_run(&self.client, &self.context_prefix, report).await
            }
            (Form::Comment, _) => {
                let words = (&report.subject, report.text.as_str(), report.marker.as_str());
                self.comment(words, report.board.as_ref(), attempt).await
            }
            (Form::Message, _) => Err(Failure::give_up(anyhow::anyhow!(
                "GitHub has statuses and comments, but no messages"
            ))),
        }
    }

    async fn notify(&self, notice: &Notice, attempt: Try) -> Result<(), Failure> {
        let words = (&notice.subject, notice.text.as_str(), notice.marker.as_str());
        self.comment(words, notice.board.as_ref(), attempt).await
    }
}

fn no_place(subject: &Subject, why: &str) -> Failure {
    Failure::give_up(anyhow::anyhow!("`{subject}` has no place on GitHub: {why}"))
}

/// A comment that is not endless, and still has the words by which it is found.
fn bounded<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> String {
    let mut text = cut(text, COMMENT_MAX_CHARS);
    for word in words {
        if !text.contains(word) {
            text.push_str("\n\n");
            text.push_str(word);
        }
    }
    text
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept = text.chars().take(limit.saturating_sub(1));
    kept.chain(['…']).collect()
}
