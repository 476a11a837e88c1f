//! The status of a commit, and where it has to stand to be seen.
//!
//! GitLab keeps statuses in pipelines, one for each commit and branch.  One that is pending or
//! running is changed, by its name and whose it is; it cannot become pending again, nor running
//! twice (400, "Cannot transition status").  One that has ended is never changed: a new one of
//! its name takes its place.  So the status that stands is looked at first.  Where it could not be
//! changed although its words are other ones, it is ended as canceled and set anew.
//!
//! A merge request shows the pipelines of its own project and branch: of a fork, where our token
//! may do nothing as a rule.  It is tried there first, and otherwise set in the project that the
//! change is meant for, where the commit shows it and the merge request does not.

use std::collections::BTreeSet;

use anyhow::anyhow;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::cut;
use crate::action::{Report, Stage};
use crate::remote::gitlab::{Client, Project, User};
use crate::remote::{Answer, Failure};
use crate::subject::{CommitSha, SubjectKind, Verdict};

/// How long name, words and address of a status may be.
const TEXT_MAX_CHARS: usize = 255;

/// A status that is to stand.
struct Wanted<'r> {
    commit: CommitSha,
    name: String,
    state: &'static str,
    description: String,
    target_url: Option<&'r str>,
}

/// A status as GitLab tells it.
#[derive(Clone, Debug, Deserialize)]
struct Status {
    id: u64,
    name: String,
    #[serde(rename = "status")]
    state: String,
    #[serde(default, rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    author: Option<User>,
}

/// A merge request, as far as it matters here.
#[derive(Deserialize)]
struct MergeRequest {
    source_branch: String,
    #[serde(default)]
    source_project_id: Option<u64>,
    target_project_id: u64,
    #[serde(default)]
    head_pipeline: Option<Pipeline>,
}

#[derive(Deserialize)]
struct Pipeline {
    project_id: u64,
    sha: String,
    #[serde(rename = "ref")]
    reference: String,
}

/// Where a status may be set.
struct Place {
    project: Project,
    /// The branch (or what is like one) that it is shown with.
    reference: String,
    /// All that it may have been shown with before, for the same merge request.
    references: Vec<String>,
}

/// What has to be done for a status to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It stands.
    Nothing,
    /// It can be set.
    Set,
    /// What stands has to end first.
    EndAndSet,
}

impl Status {
    fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "running")
    }

    fn is(&self, wanted: &Wanted<'_>) -> bool {
        self.state == wanted.state
            && self.description.as_deref() == Some(&wanted.description)
            && (wanted.target_url.is_none() || self.target_url.as_deref() == wanted.target_url)
    }

    /// What leads from this status to `wanted`.
    fn step(&self, wanted: &Wanted<'_>) -> Step {
        if self.is(wanted) {
            return Step::Nothing;
        }
        match (self.state.as_str(), wanted.state) {
            ("pending" | "running", "pending") | ("running", "running") => Step::EndAndSet,
            _ => Step::Set,
        }
    }
}

/// Sets the status of the report's commit.
pub(super) async fn set(client: &Client, prefix: &str, report: &Report) -> Result<(), Failure> {
    let commit = CommitSha::try_from(report.revision.clone()).map_err(Failure::give_up)?;
    let wanted = Wanted {
        commit,
        name: cut(&format!("{prefix}{}", report.rule), TEXT_MAX_CHARS),
        state: state(report.stage),
        description: cut(&words(report), TEXT_MAX_CHARS),
        target_url: report.url.as_deref().filter(|url| is_accepted(url)),
    };
    let places = places(client, report, &wanted.commit).await?;
    let mut refused = None;
    for place in places {
        match set_at(client, &place, &wanted).await {
            // Not ours to set there, or not there at all: somewhere else, if anywhere.
            Err((failure, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)) => {
                refused = Some(failure);
            }
            Err((failure, _)) => return Err(failure),
            Ok(()) => return Ok(()),
        }
    }
    Err(refused.unwrap_or_else(|| Failure::give_up(anyhow!("there is no place for it"))))
}

/// Where the status may be set, the best place first.
async fn places(
    client: &Client,
    report: &Report,
    commit: &CommitSha,
) -> Result<Vec<Place>, Failure> {
    let subject = &report.subject;
    let project = Project::parse(&subject.project)?;
    if subject.kind != SubjectKind::PullRequest {
        let reference = subject.name.clone().unwrap_or_default();
        return Ok(vec![Place { project, reference, references: Vec::new() }]);
    }
    let number = subject.number.to_string();
    let what = format!("cannot read `{project}!{number}`");
    let path = ["projects", project.as_str(), "merge_requests", &number];
    let request: MergeRequest = client.get(&path, &what).await?;
    let target = request.target_project_id;
    // The pipeline that the merge request shows, if it is one of this commit: with merge request
    // pipelines it is not that of the branch.
    let shown = request.head_pipeline.filter(|pipeline| pipeline.sha == commit.as_str());
    let is_fork = request.source_project_id != Some(target);
    let own = format!("refs/merge-requests/{number}/head");
    let references = vec![request.source_branch.clone(), own.clone()];
    let at = |id: u64, reference| {
        let project = if id == target { project.clone() } else { Project::numbered(id) };
        Place { project, reference, references: references.clone() }
    };
    let mut places = Vec::new();
    if let Some(Pipeline { project_id, reference, .. }) = shown {
        places.push(at(project_id, reference));
    } else if let Some(source) = request.source_project_id {
        places.push(at(source, request.source_branch));
    }
    if is_fork {
        places.push(at(target, own));
    }
    Ok(places)
}

/// Sets the status at one place; with a failure, what GitLab answered.
async fn set_at(
    client: &Client,
    place: &Place,
    wanted: &Wanted<'_>,
) -> Result<(), (Failure, StatusCode)> {
    let standing = standing(client, place, wanted).await?;
    // One that was begun in another pipeline, before this one was there, must not stay open; that
    // of another branch with the same commit is not ours to end.
    let is_ended = !matches!(wanted.state, "pending" | "running");
    let open = standing.iter().filter(|status| is_ended && status.is_open());
    let others: BTreeSet<String> = open
        .filter_map(|status| status.reference.clone())
        .filter(|other| *other != place.reference && place.references.contains(other))
        .collect();
    let here = standing
        .iter()
        .filter(|status| status.reference.as_deref() == Some(&place.reference))
        .max_by_key(|status| status.id);
    let step = here.map_or(Step::Set, |here| here.step(wanted));
    if step == Step::EndAndSet {
        post(client, (place, &place.reference), wanted, "canceled").await?;
    }
    if step != Step::Nothing {
        post(client, (place, &place.reference), wanted, wanted.state).await?;
    }
    for reference in others {
        post(client, (place, &reference), wanted, wanted.state).await?;
    }
    Ok(())
}

/// Our statuses of this name on the commit.
async fn standing(
    client: &Client,
    place: &Place,
    wanted: &Wanted<'_>,
) -> Result<Vec<Status>, (Failure, StatusCode)> {
    // What is lost on the way is no answer of GitLab's.
    let lost = |failure| (failure, StatusCode::OK);
    let own = client.own().await.map_err(lost)?;
    let project = place.project.as_str();
    let path = ["projects", project, "repository", "commits", wanted.commit.as_str(), "statuses"];
    let query = [("name", wanted.name.as_str()), ("per_page", "100")];
    let answer = client.ask(Method::GET, (&path, &query), None).await.map_err(lost)?;
    if !answer.status.is_success() {
        return Err(refused(client, place, wanted, &answer));
    }
    let found: Vec<Status> = answer.json("cannot read the statuses of a commit").map_err(lost)?;
    let is_ours = |status: &Status| {
        let author = status.author.as_ref().map(|author| author.id);
        status.name == wanted.name && author == Some(own)
    };
    Ok(found.into_iter().filter(is_ours).collect())
}

async fn post(
    client: &Client,
    (place, reference): (&Place, &str),
    wanted: &Wanted<'_>,
    state: &str,
) -> Result<(), (Failure, StatusCode)> {
    let lost = |failure| (failure, StatusCode::OK);
    let mut body = json!({
        "state": state,
        "name": wanted.name,
        "description": wanted.description,
        "ref": reference,
    });
    if let (Some(url), Some(fields)) = (wanted.target_url, body.as_object_mut()) {
        fields.insert("target_url".to_owned(), url.into());
    }
    let path = ["projects", place.project.as_str(), "statuses", wanted.commit.as_str()];
    let answer = client.ask(Method::POST, (&path, &[]), Some(&body)).await.map_err(lost)?;
    if answer.status.is_success() {
        return Ok(());
    }
    Err(refused(client, place, wanted, &answer))
}

/// What a refusal means.
///
/// A commit that is not there has not been fetched from the fork yet.  A transition that is
/// refused although what stood was looked at means that somebody else has set it in between:
/// the next try looks again.
fn refused(
    client: &Client,
    place: &Place,
    wanted: &Wanted<'_>,
    answer: &Answer,
) -> (Failure, StatusCode) {
    let what =
        format!("cannot set a status on commit {} of `{}`", wanted.commit.short(), place.project);
    let words = client.words(answer);
    let is_passing = match answer.status {
        StatusCode::NOT_FOUND => words.contains("Commit Not") || words.contains("References for"),
        StatusCode::BAD_REQUEST => words.contains("Cannot transition"),
        _ => false,
    };
    let failure = match client.refusal(answer, &what) {
        Failure::GiveUp(source) if is_passing => Failure::retry(source),
        failure @ (Failure::GiveUp(_) | Failure::Retry { .. }) => failure,
    };
    (failure, answer.status)
}

/// GitLab's word for how far a run is.
///
/// Of its words none says unstable or error.  It knows `skipped` since 17.6, which counts as not
/// passed; nothing is wrong with the change, so that is a success.
fn state(stage: Stage) -> &'static str {
    match stage {
        Stage::Held | Stage::Queued => "pending",
        Stage::Running => "running",
        Stage::Done(Verdict::Success | Verdict::Skipped) => "success",
        Stage::Done(Verdict::Failure | Verdict::Unstable | Verdict::Conflict | Verdict::Error) => {
            "failed"
        }
        Stage::Done(Verdict::Cancelled) => "canceled",
    }
}

/// The words beside a status, in one line; what the state cannot show stands in them.
fn words(report: &Report) -> String {
    let words: Vec<&str> = report.text.split_whitespace().collect();
    let words = words.join(" ");
    let told = match report.stage {
        Stage::Done(
            verdict @ (Verdict::Skipped | Verdict::Unstable | Verdict::Conflict | Verdict::Error),
        ) => Some(verdict.as_str()),
        Stage::Done(_) | Stage::Held | Stage::Queued | Stage::Running => None,
    };
    match told {
        Some(told) if !words.to_lowercase().contains(told) => format!("{told}: {words}"),
        _ if words.is_empty() => report.stage.as_str().to_owned(),
        _ => words,
    }
}

/// Whether GitLab takes it for an address.
fn is_accepted(text: &str) -> bool {
    let is_web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    is_web
        && text.chars().count() <= TEXT_MAX_CHARS
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
