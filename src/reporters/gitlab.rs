//! GitLab: a status on the commit, a comment on the merge request, and whom it knows.
//!
//! A status has a name of our choosing, and what can follow upon what is GitLab's own affair (see
//! `flag`).  Comments can be edited, so there is one that is kept up to date.

mod flag;
mod forge;
mod probe;
#[cfg(test)]
mod tests;
mod thread;

use anyhow::Context as _;
use async_trait::async_trait;
use secrecy::SecretString;

use super::board;
use crate::action::{Board, Form, Notice, Report};
use crate::clock::Clock;
use crate::executors::Try;
use crate::remote::Failure;
use crate::remote::gitlab::Client;
use crate::remote::gitlab::settings::GitLabSettings;
use crate::reporters::Reporter;
use crate::secret::SecretRef;
use crate::subject::{Subject, SubjectKind};

/// A GitLab, with the token of who reports there.
#[derive(Debug)]
pub struct GitLab {
    client: Client,
    /// The host by which messages call it.
    instance: String,
    context_prefix: String,
    clock: Clock,
}

/// What its posts are proved by: secret tokens, and signing tokens.
pub type WebhookSecrets = (Vec<SecretString>, Vec<SecretString>);

/// How long a comment may be: GitLab takes a million characters, readers do not.
const COMMENT_MAX_CHARS: usize = 60_000;
/// Stands before a slash at the beginning of a line; nobody sees it.
const SEAM: char = '\u{2060}';

impl GitLab {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Flag, Form::Comment];

    /// Reads the token of `[gitlab.NAME]`; `instance` is the host by which messages call it.
    pub fn new(
        name: &str,
        instance: String,
        settings: &GitLabSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(name, settings, clock.clone())?,
            instance,
            context_prefix: settings.context_prefix.clone(),
            clock,
        })
    }

    /// Reads what webhooks are proved by.
    pub fn webhook_secrets(
        name: &str,
        settings: &GitLabSettings,
    ) -> anyhow::Result<WebhookSecrets> {
        let read = |references: &[SecretRef], key: &str| {
            let secrets = references.iter().map(SecretRef::read).collect::<Result<_, _>>();
            secrets.with_context(|| format!("cannot use `gitlab.{name}.{key}`"))
        };
        let tokens = read(&settings.webhook_tokens, "webhook_tokens")?;
        Ok((tokens, read(&settings.webhook_signing_tokens, "webhook_signing_tokens")?))
    }

    /// Asks whether GitLab answers, whether the token is good, and whether each of `projects` is
    /// there and can be reported to: what was asked about, and what is wrong with it.
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
            return Err(no_place(subject, "comments are made on merge requests only"));
        }
        let words = [Some(marker), board.map(|board| board.word.as_str())];
        let text = harmless(&bounded(text, words.into_iter().flatten()));
        board::keep(&self.client, (subject, &text, marker), board, attempt).await
    }
}

#[async_trait]
impl Reporter for GitLab {
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
                "GitLab has statuses and comments, but no messages"
            ))),
        }
    }

    async fn notify(&self, notice: &Notice, attempt: Try) -> Result<(), Failure> {
        let words = (&notice.subject, notice.text.as_str(), notice.marker.as_str());
        self.comment(words, notice.board.as_ref(), attempt).await
    }
}

fn no_place(subject: &Subject, why: &str) -> Failure {
    Failure::give_up(anyhow::anyhow!("`{subject}` has no place on GitLab: {why}"))
}

/// The text without lines that GitLab would obey: `/merge` at the beginning of one merges, with
/// our rights, and the line is not shown.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_start = true;
    for c in text.chars() {
        if is_start && c == '/' {
            out.push(SEAM);
        }
        // White space may be trimmed before commands are looked for.
        is_start = matches!(c, '\n' | '\r') || (is_start && c.is_whitespace());
        out.push(c);
    }
    out
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
