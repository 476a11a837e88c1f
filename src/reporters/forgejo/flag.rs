//! The state of a commit.

use serde_json::{Value, json};
use url::Url;

use super::client::{Client, Repo};
use super::cut;
use crate::action::{Report, Stage};
use crate::message::hash;
use crate::remote::Failure;
use crate::subject::{CommitSha, Verdict};

/// How long the words beside a status may be: they are shown on one line.
const DESCRIPTION_MAX_CHARS: usize = 250;
/// How long the name of a status may be.
const CONTEXT_MAX_CHARS: usize = 255;
/// How long an address may be.
const URL_MAX_CHARS: usize = 2_000;

/// Sets the status of the report's commit.  The forge keeps all of a name and shows the newest.
pub(super) async fn set(client: &Client, prefix: &str, report: &Report) -> Result<(), Failure> {
    let repo = Repo::parse(&report.subject.project)?;
    let commit = CommitSha::try_from(report.revision.clone()).map_err(Failure::give_up)?;
    let what = format!("cannot set a status on commit {} of `{repo}`", commit.short());
    let mut body = json!({
        "state": state(report.stage),
        "context": context(prefix, report),
        "description": cut(&words(report), DESCRIPTION_MAX_CHARS),
    });
    if let (Some(fields), Some(url)) = (body.as_object_mut(), address(report)) {
        fields.insert("target_url".to_owned(), url);
    }
    client.post(&repo.path(&["statuses", commit.as_str()]), &body, &what).await?;
    Ok(())
}

/// Forgejo's word for how far a run is.
///
/// Of its words none says skipped: that is a success, as nothing is wrong with the change.  An
/// unstable build is a failure: `warning` lets a change be merged where the check is required.
fn state(stage: Stage) -> &'static str {
    match stage {
        Stage::Held | Stage::Queued | Stage::Running => "pending",
        Stage::Done(Verdict::Success | Verdict::Skipped) => "success",
        Stage::Done(Verdict::Failure | Verdict::Unstable | Verdict::Conflict) => "failure",
        Stage::Done(Verdict::Error | Verdict::Cancelled) => "error",
    }
}

/// The name of the status, by which it can be required.
fn context(prefix: &str, report: &Report) -> String {
    let context = format!("{prefix}{}", report.rule);
    if context.chars().count() <= CONTEXT_MAX_CHARS {
        return context;
    }
    // Two long names must not become one.
    let hash = hash(&[context.as_bytes()]);
    let kept: String = context.chars().take(CONTEXT_MAX_CHARS - hash.len() - 1).collect();
    format!("{kept}-{hash}")
}

/// The words beside a state, in one line; a verdict that the state cannot show stands in them.
fn words(report: &Report) -> String {
    let words: Vec<&str> = report.text.split_whitespace().collect();
    let words = words.join(" ");
    let told = match report.stage {
        Stage::Done(
            verdict @ (Verdict::Skipped
            | Verdict::Unstable
            | Verdict::Conflict
            | Verdict::Cancelled
            | Verdict::Error),
        ) => Some(verdict.as_str()),
        Stage::Done(Verdict::Success | Verdict::Failure)
        | Stage::Held
        | Stage::Queued
        | Stage::Running => None,
    };
    match told {
        _ if words.is_empty() => report.stage.as_str().to_owned(),
        Some(told) if !words.to_lowercase().contains(told) => format!("{told}: {words}"),
        Some(_) | None => words,
    }
}

/// The page to look at, if it is one.
fn address(report: &Report) -> Option<Value> {
    let url = report.url.as_deref().filter(|url| url.len() <= URL_MAX_CHARS)?;
    let parsed = Url::parse(url).ok()?;
    let is_page = matches!(parsed.scheme(), "http" | "https") && parsed.host_str().is_some();
    is_page.then(|| parsed.as_str().into())
}
