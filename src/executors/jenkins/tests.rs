//! The executor against the stand-in, over real HTTP.

use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::remote::chain;
use crate::sandbox::jenkins::{JenkinsStandIn, JobSpec, User};
use crate::subject::Verdict;

mod cancelling;
mod inspecting;
mod login;
mod lost;
mod probing;
mod refusals;
mod starting;

/// A Jenkins, and us beside it.
struct Ci {
    jenkins: JenkinsStandIn,
    secrets: TempDir,
}

impl Ci {
    /// A Jenkins with the job `points`, where anybody may do anything.
    async fn open() -> Self {
        let jenkins = JenkinsStandIn::start().await.unwrap();
        jenkins.add_job(JobSpec::new("points", &["RUN", "BRANCH"]));
        Self { jenkins, secrets: TempDir::new().unwrap() }
    }

    /// As [`Ci::open`], but only Ada may build, and Grace may look.
    async fn closed() -> Self {
        let ci = Self::open().await;
        for (name, may_build) in [("ada", true), ("grace", false)] {
            ci.jenkins.add_user(User {
                name: name.to_owned(),
                token: Some(format!("{name}-token")),
                password: Some(format!("{name}-password")),
                may_build,
            });
        }
        ci
    }

    /// An executor without a login.
    fn us(&self) -> Jenkins {
        self.with(&[]).unwrap()
    }

    /// An executor with these settings; the value of a secret is put where the setting says.
    fn with(&self, more: &[(&str, &str)]) -> anyhow::Result<Jenkins> {
        let mut settings = json!({"url": self.jenkins.url()});
        for (name, value) in more {
            settings[name] = if *name == "user" || *name == "url" {
                json!(value)
            } else {
                let path = self.secrets.path().join(name);
                std::fs::write(&path, value).unwrap();
                json!(format!("file:{}", path.display()))
            };
        }
        let settings = serde_json::from_value(settings).unwrap();
        Jenkins::new("jenkins.main", &settings, "RUN", Clock::system())
    }

    /// The text with the port taken out.
    fn mask(&self, text: impl std::fmt::Display) -> String {
        let url = self.jenkins.url();
        let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        text.to_string().replace(&address, "ci.example")
    }

    fn verdict(&self, number: u64) -> Option<String> {
        let mut builds = self.jenkins.builds("points").into_iter();
        let build = builds.find(|build| build.number == number)?;
        Some(build.result?.as_str().to_owned())
    }
}

fn run(number: u8) -> RunId {
    RunId::try_from(format!("{number:032x}")).unwrap()
}

fn order(number: u8) -> Order {
    Order {
        definition: None,
        board: None,
        run: run(number),
        job: "points".to_owned(),
        parameters: [("BRANCH".to_owned(), "fix".to_owned())].into(),
        reference: None,
        sha: None,
        cause: "signalbox/points#7".to_owned(),
    }
}

fn lookup(sighting: &Sighting) -> Lookup {
    Lookup { run: sighting.run.clone(), ticket: sighting.ticket.clone() }
}

/// The build `number` of `job`, as a message tells of it.
fn build(job: &str, number: u64) -> Lookup {
    Lookup {
        run: None,
        ticket: Ticket { job: job.to_owned(), number: Some(number), ..Ticket::default() },
    }
}

/// A run of `points` of which nothing else is known.
fn only_run(number: u8) -> Lookup {
    Lookup {
        run: Some(run(number)),
        ticket: Ticket { job: "points".to_owned(), ..Ticket::default() },
    }
}

fn is_retry(result: &Result<Sighting, Failure>) -> bool {
    matches!(result, Err(Failure::Retry { .. }))
}

/// What the failure means, and says.
fn told(result: Result<Sighting, Failure>) -> String {
    match result {
        Ok(sighting) => format!("{:?}", sighting.state),
        Err(Failure::GiveUp(source)) => format!("gives up: {}", chain(source.as_ref())),
        Err(Failure::Retry { source, after }) => {
            format!("tries again {after:?}: {}", chain(source.as_ref()))
        }
    }
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let ci = Ci::closed().await;
    let us = ci
        .with(&[("user", "ada"), ("password", "ada-password"), ("trigger_token", "hush")])
        .unwrap();
    us.start(&order(1), Try::First).await.unwrap();
    let text = format!("{us:?}");
    for secret in ["ada-password", "hush", "crumb-1", "node1"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(us.trigger_token.unwrap().expose_secret(), "hush");
}
