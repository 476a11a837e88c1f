//! Forgejo and Gitea: a status on the commit, a comment on the pull request.
//!
//! Of all statuses of one name the newest is shown, so telling it again replaces it.  Comments can
//! be edited, so there is one that is kept up to date.

mod client;
mod flag;
mod forge;
mod probe;
#[cfg(test)]
mod tests;
mod thread;

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

/// One Forgejo or Gitea: `[forgejo.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgejoSettings {
    /// Its address.
    pub url: Url,
    /// The token of the user that reports.
    pub token: SecretRef,
    /// The secrets that webhooks are signed with: one, or two while one replaces the other.
    #[serde(default)]
    pub webhook_secrets: Vec<SecretRef>,
    /// What stands before the rule in the name of a status.
    #[serde(default = "ForgejoSettings::context_prefix")]
    pub context_prefix: String,
    /// How many calls are under way at once.
    #[serde(default = "ForgejoSettings::concurrency")]
    pub concurrency: usize,
    /// The limit of one call.
    #[serde(default = "ForgejoSettings::timeout", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// What people are, whatever the forge says of them; by their numbers.
    #[serde(default)]
    pub people: People,
}

impl ForgejoSettings {
    /// How long `context_prefix` may be.
    pub const CONTEXT_PREFIX_MAX_CHARS: usize = 100;

    fn context_prefix() -> String {
        "pointsman/".to_owned()
    }

    fn concurrency() -> usize {
        4
    }

    fn timeout() -> Duration {
        Duration::from_secs(30)
    }
}

/// A Forgejo or Gitea, with the token of who reports there.
#[derive(Debug)]
pub struct Forgejo {
    client: Client,
    /// The host by which messages call it.
    instance: String,
    context_prefix: String,
}

/// How long a comment may be; there is no limit on the forge's side, but there are readers.
const COMMENT_MAX_CHARS: usize = 60_000;

impl Forgejo {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Flag, Form::Comment];

    /// Reads the token of `[forgejo.NAME]`; `instance` is the host by which messages call it.
    pub fn new(
        name: &str,
        instance: String,
        settings: &ForgejoSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let context_prefix = settings.context_prefix.clone();
        Ok(Self { client: Client::new(name, settings, clock)?, instance, context_prefix })
    }

    /// Asks whether the forge answers, whether the token is good, and whether each of `projects`
    /// is there and can be reported to: what was asked about, and what is wrong with it.
    pub async fn probe(&self, projects: &[String]) -> Vec<(String, Option<String>)> {
        probe::probe(&self.client, projects).await
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
impl Reporter for Forgejo {
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure> {
        match report.form {
            Form::Flag if report.subject.kind == SubjectKind::Job => {
                Err(no_place(&report.subject, "a job has no commit there"))
            }
            Form::Flag if report.subject.kind == SubjectKind::Series => {
                Err(no_place(&report.subject, "a series has no commit there"))
            }
            Form::Flag => flag::set(&self.client, &self.context_prefix, report).await,
            Form::Comment => {
                let words = (&report.subject, report.text.as_str(), report.marker.as_str());
                self.comment(words, report.board.as_ref(), attempt).await
            }
            Form::Message => Err(Failure::give_up(anyhow::anyhow!(
                "Forgejo has statuses and comments, but no messages"
            ))),
        }
    }

    async fn notify(&self, notice: &Notice, attempt: Try) -> Result<(), Failure> {
        let words = (&notice.subject, notice.text.as_str(), notice.marker.as_str());
        self.comment(words, notice.board.as_ref(), attempt).await
    }
}

fn no_place(subject: &Subject, why: &str) -> Failure {
    Failure::give_up(anyhow::anyhow!("`{subject}` has no place on Forgejo: {why}"))
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
