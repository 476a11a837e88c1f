use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::TempDir;
use url::Url;

use super::*;
use crate::clock::{Hand, from_millis};
use crate::directory::People;
use crate::remote::chain;
use crate::reporters::contract::{pull_request, report};
use crate::sandbox::gitlab::{
    DEVELOPER, GitLabStandIn, MAINTAINER, Mood, NewMergeRequest, Options, Status,
};

mod comment;
mod flag;
mod forge;
mod probe;

const PROJECT: &str = "rail/yard/signalbox";
const FORK: &str = "ada/signalbox";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "glpat-SECRET0SIGNALBOX";

/// A GitLab with one merge request, and a reporter with a token that is a developer's.
struct World {
    gitlab: GitLabStandIn,
    reporter: GitLab,
    subject: Subject,
    hand: Hand,
    _secrets: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(None).await
    }

    /// With a merge request from a fork, or from a branch of the project.
    async fn with(fork: Option<&str>) -> Self {
        let hand = Hand::at(from_millis(1_795_162_907_582));
        let clock = Clock::manual(hand.clone());
        let options = Options { clock: clock.clone(), hook: None };
        let gitlab = GitLabStandIn::start(options).await.unwrap();
        gitlab.add_project(PROJECT);
        gitlab.set_access(PROJECT, "grace", MAINTAINER).unwrap();
        gitlab.set_access(PROJECT, "pointsman", DEVELOPER).unwrap();
        gitlab.set_bot("pointsman", true);
        gitlab.add_token(TOKEN, "pointsman");
        let (number, _) = gitlab.open(&proposal(fork)).await.unwrap();
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let settings = settings(&gitlab, file);
        let reporter = GitLab::new("main", "forge.example".to_owned(), &settings, clock).unwrap();
        let subject = pull_request("forge.example", PROJECT, number);
        Self { reporter, subject, gitlab, hand, _secrets: secrets }
    }

    fn report(&self, form: Form) -> Report {
        report(&self.subject, HEAD, form)
    }

    fn place(&self) -> (&str, u64) {
        (&self.subject.project, self.subject.number)
    }

    fn notes(&self) -> Vec<String> {
        let notes = self.gitlab.notes(PROJECT, self.subject.number);
        notes.into_iter().map(|note| note.text).collect()
    }

    fn statuses(&self) -> Vec<Status> {
        self.gitlab.statuses(PROJECT, HEAD)
    }

    async fn tell(&self, report: &Report) -> Result<(), Failure> {
        self.reporter.tell(report, Try::First).await
    }

    async fn fails(&self, report: &Report) -> String {
        shown(&self.tell(report).await.unwrap_err())
    }
}

/// Whether it may pass, and why; never with a secret.
fn shown(failure: &Failure) -> String {
    let text = chain(failure);
    assert!(!text.contains(TOKEN), "{text}");
    text
}

fn proposal(fork: Option<&str>) -> NewMergeRequest {
    NewMergeRequest {
        project: PROJECT.to_owned(),
        fork: fork.map(str::to_owned),
        author: "ada".to_owned(),
        title: "Lock the blades".to_owned(),
        source_branch: "blades".to_owned(),
        target: "main".to_owned(),
        head: HEAD.to_owned(),
    }
}

fn settings(gitlab: &GitLabStandIn, token: std::path::PathBuf) -> GitLabSettings {
    GitLabSettings {
        url: Url::parse(&gitlab.url()).unwrap(),
        token: SecretRef::File(token),
        trigger_tokens: BTreeMap::new(),
        webhook_tokens: Vec::new(),
        webhook_signing_tokens: Vec::new(),
        context_prefix: GitLabSettings::context_prefix(),
        concurrency: 1,
        timeout: Duration::from_secs(30),
        poll_min: Duration::from_secs(10),
        poll_max: Duration::from_mins(5),
        people: People::default(),
    }
}

/// What stands on the commit, a line for each.
fn outline(statuses: &[Status]) -> String {
    let line = |status: &Status| {
        let Status { reference, name, state, description, target_url, .. } = status;
        let words = description.as_deref().unwrap_or("-");
        format!("{reference} {name} {state} {words:?} {}", target_url.as_deref().unwrap_or("-"))
    };
    statuses.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_series_has_no_place_here() {
    let world = World::new().await;
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
    world.gitlab.set_mood(Mood::Failing(503));
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
}
