//! The state of a commit: a status, or a check run.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::client::{Call, Client, Repo};
use super::cut;
use crate::action::{Report, Stage};
use crate::message::hash;
use crate::neutral;
use crate::remote::Failure;
use crate::subject::{CommitSha, Verdict};

/// How long the words beside a status may be.
const DESCRIPTION_MAX_CHARS: usize = 140;
/// How long the title of a check run is at most; GitHub shows it on one line.
const TITLE_MAX_CHARS: usize = 250;
/// How long the name of a status or check run may be.
const CONTEXT_MAX_CHARS: usize = 255;
/// How long an address may be.
const URL_MAX_CHARS: usize = 2_000;
/// How many pages of check runs of one name on one commit are looked through.
const PAGES_MAX: usize = 10;
/// What the ids of our check runs begin with; topics know it too.
const EXTERNAL_ID: &str = "pointsman:";

/// A commit in a repository.
struct Place {
    repo: Repo,
    commit: CommitSha,
}

impl Place {
    fn of(report: &Report) -> Result<Self, Failure> {
        let repo = Repo::parse(&report.subject.project)?;
        let commit = CommitSha::try_from(report.revision.clone()).map_err(Failure::give_up)?;
        Ok(Self { repo, commit })
    }

    fn what(&self, what: &str) -> String {
        format!("cannot set {what} on commit {} of `{}`", self.commit.short(), self.repo)
    }
}

/// Sets the status of the report's commit.  GitHub keeps all of a name and shows the newest.
pub(super) async fn set_status(
    client: &Client,
    prefix: &str,
    report: &Report,
) -> Result<(), Failure> {
    let place = Place::of(report)?;
    let mut body = json!({
        "state": state(report.stage),
        "context": context(prefix, report),
        "description": cut(&words(report), DESCRIPTION_MAX_CHARS),
    });
    insert(&mut body, "target_url", address(report));
    let path = place.repo.path(&["statuses", place.commit.as_str()]);
    client.call(&place.repo, Call::post(&path, &body), &place.what("a status")).await?;
    Ok(())
}

/// GitHub's word for how far a run is.
///
/// Of its four words none says skipped: that is a success, as nothing is wrong with the change.
fn state(stage: Stage) -> &'static str {
    match stage {
        Stage::Held | Stage::Queued | Stage::Running => "pending",
        Stage::Done(Verdict::Success | Verdict::Skipped) => "success",
        Stage::Done(Verdict::Failure | Verdict::Unstable | Verdict::Conflict) => "failure",
        Stage::Done(Verdict::Error | Verdict::Cancelled) => "error",
    }
}

/// A check run, as far as it matters here.
#[derive(Deserialize)]
struct CheckRun {
    id: u64,
    #[serde(default)]
    external_id: Option<String>,
}

/// Sets the check run of the report's run: makes it, or changes the one that is there.
pub(super) async fn set_check_run(
    client: &Client,
    prefix: &str,
    report: &Report,
) -> Result<(), Failure> {
    let place = Place::of(report)?;
    let what = place.what("a check run");
    let name = context(prefix, report);
    let external_id = format!("{EXTERNAL_ID}{}:{}", report.flag, report.run);
    let words = words(report);
    let mut body = json!({
        "name": &name,
        "external_id": &external_id,
        // The summary is Markdown, and what stands beside a commit is not.
        "output": { "title": cut(&words, TITLE_MAX_CHARS), "summary": neutral::line(&words) },
    });
    let (status, conclusion) = progress(report.stage);
    insert(&mut body, "status", Some(status.into()));
    insert(&mut body, "conclusion", conclusion.map(Value::from));
    insert(&mut body, "details_url", address(report));

    let path = place.repo.path(&["commits", place.commit.as_str(), "check-runs"]);
    let query = [("check_name", name.as_str()), ("filter", "all")];
    let listed = client
        .list::<CheckRun>(&place.repo, (&path, &query), (Some("check_runs"), PAGES_MAX), &what)
        .await?;
    // Only an App can make check runs, and no other knows this id before it is there.
    let is_it = |check: &&CheckRun| check.external_id.as_deref() == Some(&external_id);
    let (method, path) = if let Some(check) = listed.entries.iter().find(is_it) {
        (Method::PATCH, vec![check.id.to_string()])
    } else {
        insert(&mut body, "head_sha", Some(place.commit.as_str().into()));
        (Method::POST, Vec::new())
    };
    let rest: Vec<&str> =
        std::iter::once("check-runs").chain(path.iter().map(String::as_str)).collect();
    let path = place.repo.path(&rest);
    let call = Call { method: &method, path: &path, query: &[], body: Some(&body) };
    client.call(&place.repo, call, &what).await?;
    Ok(())
}

/// GitHub's words for how far a check is and how it ended.
///
/// What could not be built is a failure: of GitHub's other words, `neutral` would let the change
/// be merged where the check is required.
fn progress(stage: Stage) -> (&'static str, Option<&'static str>) {
    match stage {
        Stage::Held | Stage::Queued => ("queued", None),
        Stage::Running => ("in_progress", None),
        Stage::Done(verdict) => (
            "completed",
            Some(match verdict {
                Verdict::Success => "success",
                Verdict::Failure | Verdict::Unstable | Verdict::Conflict | Verdict::Error => {
                    "failure"
                }
                Verdict::Cancelled => "cancelled",
                Verdict::Skipped => "skipped",
            }),
        ),
    }
}

/// The name of the status or check, by which it can be required.
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

/// The page to look at, if GitHub takes it for one.
fn address(report: &Report) -> Option<Value> {
    let url = report.url.as_deref().filter(|url| url.len() <= URL_MAX_CHARS)?;
    let parsed = Url::parse(url).ok()?;
    let is_page = matches!(parsed.scheme(), "http" | "https") && parsed.host_str().is_some();
    is_page.then(|| parsed.as_str().into())
}

fn insert(body: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (body.as_object_mut(), value) {
        object.insert(key.to_owned(), value);
    }
}
