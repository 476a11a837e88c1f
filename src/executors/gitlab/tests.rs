//! The executor against the stand-in, over real HTTP.

use std::collections::BTreeMap;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::clock::{Hand, from_millis};
use crate::remote::chain;
use crate::sandbox::gitlab::ci::{CiJob, CiSettings, Configuration};
use crate::sandbox::gitlab::{DEVELOPER, GitLabStandIn, MAINTAINER, Mood, Options, REPORTER};
use crate::secret::SecretRef;
use crate::subject::CommitSha;

mod ending;
mod lost;
mod probing;
mod refusals;
mod starting;

const PROJECT: &str = "rail/yard/signalbox";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const TOKEN: &str = "glpat-SECRET0SIGNALBOX";
const TRIGGER: &str = "glptt-SECRET0TRIGGER";

/// A GitLab with one project, and us with a developer's token beside it.
struct Ci {
    gitlab: GitLabStandIn,
    us: GitLabCi,
    secrets: TempDir,
}

impl Ci {
    /// With the branch `blades` at [`HEAD`].
    async fn open() -> Self {
        let clock = Clock::manual(Hand::at(from_millis(1_795_162_907_582)));
        let options = Options { clock, hook: None };
        let gitlab = GitLabStandIn::start(options).await.unwrap();
        gitlab.add_project(PROJECT);
        gitlab.set_access(PROJECT, "pointsman", DEVELOPER).unwrap();
        gitlab.set_access(PROJECT, "grace", MAINTAINER).unwrap();
        gitlab.add_token(TOKEN, "pointsman");
        gitlab.set_branch(PROJECT, "blades", HEAD).unwrap();
        let secrets = TempDir::new().unwrap();
        let us = us(&gitlab, &secrets, None);
        Self { gitlab, us, secrets }
    }

    /// As [`Ci::open`], with a trigger token of `owner`.
    async fn with_trigger(owner: &str) -> Self {
        let mut ci = Self::open().await;
        ci.gitlab.add_trigger(PROJECT, TRIGGER, owner).unwrap();
        let path = ci.secrets.path().join("trigger");
        std::fs::write(&path, TRIGGER).unwrap();
        let token = SecretRef::File(path);
        ci.us = us(&ci.gitlab, &ci.secrets, Some(token));
        ci
    }

    async fn start(&self) -> Sighting {
        self.us.start(&order(1), Try::First).await.unwrap()
    }

    fn set_ci(&self, settings: CiSettings) {
        self.gitlab.set_ci(PROJECT, settings).unwrap();
    }

    /// The started pipelines, a line for each.
    fn started(&self) -> String {
        let line = |pipeline: crate::sandbox::gitlab::ci::Pipeline| {
            let given = pipeline.variables.iter().map(|(key, value)| format!("{key}={value}"));
            let given: Vec<_> = given.collect();
            let sha = pipeline.sha.get(..4).unwrap();
            let start = format!("{} {}@{sha}", pipeline.source, pipeline.reference);
            format!("{start} {}: {}", pipeline.status, given.join(" "))
        };
        self.gitlab.pipelines(PROJECT).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The text with port and numbers taken out, and no secret in it.
    fn mask(&self, text: impl std::fmt::Display) -> String {
        let text = text.to_string().replace(&self.gitlab.url(), "https://forge.example");
        for secret in [TOKEN, TRIGGER] {
            assert!(!text.contains(secret), "{text}");
        }
        text
    }

    /// What the failure means, and says.
    fn told(&self, result: Result<Sighting, Failure>) -> String {
        self.mask(match result {
            Ok(Sighting { state, reason, .. }) => format!("{state:?}: {reason:?}"),
            Err(Failure::GiveUp(source)) => format!("gives up: {}", chain(source.as_ref())),
            Err(Failure::Retry { source, after }) => {
                format!("tries again {after:?}: {}", chain(source.as_ref()))
            }
        })
    }
}

fn us(gitlab: &GitLabStandIn, secrets: &TempDir, trigger: Option<SecretRef>) -> GitLabCi {
    let file = secrets.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let settings = json!({ "url": gitlab.url(), "token": format!("file:{}", file.display()) });
    let mut settings: GitLabSettings = serde_json::from_value(settings).unwrap();
    settings.trigger_tokens.extend(trigger.map(|token| (PROJECT.to_owned(), token)));
    let clock = Clock::manual(Hand::at(from_millis(1_795_162_907_582)));
    GitLabCi::new("main", &settings, ("RUN", None), clock).unwrap()
}

fn run(number: u8) -> RunId {
    RunId::try_from(format!("{number:032x}")).unwrap()
}

fn order(number: u8) -> Order {
    Order {
        definition: None,
        board: None,
        run: run(number),
        job: PROJECT.to_owned(),
        parameters: BTreeMap::from([("LINE".to_owned(), "$up & down".to_owned())]),
        reference: Some("blades".to_owned()),
        sha: Some(CommitSha::try_from(HEAD.to_owned()).unwrap()),
        cause: "rail/yard/signalbox!7".to_owned(),
    }
}

fn lookup(sighting: &Sighting) -> Lookup {
    Lookup { run: sighting.run.clone(), ticket: sighting.ticket.clone() }
}

/// A run of which nothing else is known.
fn only_run(number: u8) -> Lookup {
    let ticket = Ticket { job: PROJECT.to_owned(), ..Ticket::default() };
    Lookup { run: Some(run(number)), ticket }
}

fn number(sighting: &Sighting) -> u64 {
    sighting.ticket.number.unwrap()
}
