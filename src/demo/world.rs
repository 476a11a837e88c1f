//! Where the demo takes place: a folder that vanishes afterwards, stand-ins, and the settings
//! that lead the service to them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::{boards, series};
use crate::clock::Clock;
use crate::rules::RuleSource;
use crate::sandbox::jenkins::{BuildRecord, JenkinsStandIn, JobSpec, User};
use crate::sandbox::lava::LavaStandIn;
use crate::sandbox::pagure::{Announcement, Comment, PagureStandIn};
use crate::sandbox::patchwork::{PatchworkStandIn, Posted};
use crate::sandbox::repositories::Repositories;
use crate::sandbox::slack::SlackStandIn;
use crate::sandbox::{jenkins, pagure};
use crate::service::Prepared;
use crate::settings::Settings;

/// The rules of the demo.
pub(super) const RULES: &str = include_str!("rules.toml");
/// The settings of the demo, with gaps for the addresses of the stand-ins.
const SETTINGS: &str = include_str!("pointsman.toml");

/// The project that everybody wants to change.
pub(super) const PROJECT: &str = "signalbox";
/// The job that builds branches of series.
pub(super) const SERIES_JOB: &str = "points-series";
/// The job that tests it.
pub(super) const JOB: &str = "signalbox-tests";
/// The name of the service at the stand-ins.
pub(super) const OURSELVES: &str = "pointsman";

/// Folder and stand-ins; with it they are gone.
pub(super) struct World {
    folder: TempDir,
    /// The Jenkins.
    pub(super) jenkins: JenkinsStandIn,
    /// The Pagure.
    pub(super) pagure: PagureStandIn,
    /// The Patchwork.
    pub(super) patchwork: PatchworkStandIn,
    /// The lab with the boards.
    pub(super) lava: LavaStandIn,
    /// The chat.
    pub(super) slack: SlackStandIn,
    /// What the build system of images shows when it announces one.
    pub(super) images_token: SecretString,
    /// Where the service listens, once it does.
    pub(super) door: OnceLock<SocketAddr>,
    /// The series, once it was sent.
    pub(super) posted: OnceLock<Posted>,
}

impl World {
    /// Starts the stand-ins and writes settings, rules and secrets.
    pub(super) async fn make() -> anyhow::Result<Self> {
        let folder = private_folder().context("cannot make a folder for the demo")?;
        let jenkins = JenkinsStandIn::start().await?;
        let pagure = PagureStandIn::start(pagure::Options::default()).await?;
        let patchwork = PatchworkStandIn::start(Clock::system()).await?;
        let world = Self {
            folder,
            jenkins,
            pagure,
            patchwork,
            lava: LavaStandIn::start(Clock::system()).await?,
            slack: SlackStandIn::start().await?,
            images_token: SecretString::from(secret()),
            door: OnceLock::new(),
            posted: OnceLock::new(),
        };
        world.furnish_jenkins()?;
        world.furnish_pagure()?;
        world.furnish_lab()?;
        let ada = world.furnish_patchwork()?;
        let repositories = Repositories::make(world.folder.path()).await?;
        let files = series::upstream();
        let files: Vec<_> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        repositories.commit("main", &files).await?;
        world.write("web-token", &secret())?;
        let addresses = SETTINGS
            .replace("@JENKINS@", world.jenkins.url().as_str())
            .replace("@PAGURE@", &world.pagure.url())
            .replace("@PATCHWORK@", &world.patchwork.url())
            .replace("@LAVA@", &world.lava.url())
            .replace("@ADA@", &ada.to_string())
            .replace("@UPSTREAM@", &repositories.upstream().display().to_string())
            .replace("@SERIES@", &repositories.series().display().to_string());
        world.write("pointsman.toml", &addresses)?;
        fs::create_dir(world.path("rules")).context("cannot make the folder of the rules")?;
        world.write("rules/demo.toml", RULES)?;
        fs::create_dir(world.path("rules/jobs")).context("cannot make the folder of the jobs")?;
        world.write("rules/jobs/nano.yaml", boards::JOB)?;
        Ok(world)
    }

    fn furnish_jenkins(&self) -> anyhow::Result<()> {
        let token = secret();
        self.write("jenkins-token", &token)?;
        self.jenkins.add_job(JobSpec::new(JOB, &["HEAD", "BRANCH", "REPO", "POINTSMAN_RUN"]));
        self.jenkins.add_job(JobSpec::new(SERIES_JOB, &["BRANCH", "REPO", "POINTSMAN_RUN"]));
        self.jenkins.add_user(User {
            name: OURSELVES.to_owned(),
            token: Some(token),
            may_build: true,
            ..User::default()
        });
        self.jenkins.set_automatic(jenkins::Automatic::Nothing);
        Ok(())
    }

    fn furnish_lab(&self) -> anyhow::Result<()> {
        let token = secret();
        self.write("lava-token", &token)?;
        self.write("images-token", self.images_token.expose_secret())?;
        self.write("slack-webhook", &self.slack.webhook(boards::CHANNEL))?;
        boards::furnish(&self.lava, &token);
        Ok(())
    }

    /// Answers with the number by which the sender of the series is known.
    fn furnish_patchwork(&self) -> anyhow::Result<u64> {
        let token = secret();
        self.write("patchwork-token", &token)?;
        self.patchwork.add_project(series::LIST, "points-devel@points.example");
        self.patchwork.add_user(OURSELVES, &token);
        self.patchwork.set_maintainer(series::LIST, OURSELVES, true);
        Ok(self.patchwork.person(series::SENDER))
    }

    fn furnish_pagure(&self) -> anyhow::Result<()> {
        let token = secret();
        self.write("pagure-token", &token)?;
        self.pagure.add_project(PROJECT, "grace");
        self.pagure.grant(PROJECT, "collaborator", "ada")?;
        let acls = ["commit_flag", "pull_request_comment"];
        self.pagure.add_token(&token, OURSELVES, Some(PROJECT), &acls);
        Ok(())
    }

    /// What the service is started with: settings and rules, read as they always are.
    pub(super) fn prepare(&self) -> anyhow::Result<Prepared> {
        let settings = Settings::load(&[self.path("pointsman.toml")]).map_err(|faults| {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("the settings of the demo are faulty: {}", faults.join("; "))
        })?;
        self.refuse_the_real_world(&settings)?;
        let rules = RuleSource { name: "demo.toml".to_owned(), text: RULES.to_owned() };
        let job = RuleSource { name: "jobs/nano.yaml".to_owned(), text: boards::JOB.to_owned() };
        Ok(Prepared::with_rules(settings, &[rules, job])?)
    }

    /// The environment comes on top of the file; whoever has variables for a real service set
    /// does not want the demo to work there.
    pub(super) fn refuse_the_real_world(&self, settings: &Settings) -> anyhow::Result<()> {
        let is_at = |url: &url::Url, own: &str| {
            url.as_str().trim_end_matches('/') == own.trim_end_matches('/')
        };
        let is_ours = settings.amqp.is_none()
            && settings.ledger.path == self.path("pointsman.db")
            && settings.jenkins.values().all(|jenkins| jenkins.url == self.jenkins.url())
            && settings.lava.values().all(|of| is_at(&of.url, &self.lava.url()))
            && settings.slack.len() == 1
            && settings.patchwork.values().all(|of| {
                of.url.as_str().trim_end_matches('/') == self.patchwork.url().trim_end_matches('/')
            })
            && settings
                .pagure
                .values()
                .all(|pagure| pagure.url.as_str().trim_end_matches('/') == self.pagure.url());
        if !is_ours {
            bail!("variables that begin with `POINTSMAN_` change the demo's settings: unset them");
        }
        Ok(())
    }

    /// Where the service listens.
    pub(super) fn open(&self, address: SocketAddr) {
        self.door.get_or_init(|| address);
    }

    /// The path of a file of the demo.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the demo.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Removes the folder.
    pub(super) fn clear(self) -> anyhow::Result<()> {
        let path = self.folder.path().to_owned();
        self.folder.close().with_context(|| format!("cannot remove `{}`", path.display()))
    }

    /// The subject by which the ledger knows a pull request.
    pub(super) fn subject(&self, number: u64) -> String {
        let url = self.pagure.url();
        format!("{}/{PROJECT}#{number}", url.trim_start_matches("http://"))
    }

    /// The subject by which the ledger knows a build that belongs to no pull request.
    pub(super) fn build(&self, number: u64) -> String {
        let url = self.jenkins.url().to_string();
        format!("{}/{JOB}@{number}", url.trim_start_matches("http://").trim_end_matches('/'))
    }

    /// What the service wrote on a pull request.
    pub(super) fn words(&self, number: u64) -> Vec<Comment> {
        let comments = self.pagure.comments(PROJECT, number).into_iter();
        comments.filter(|comment| comment.user == OURSELVES).collect()
    }

    /// The builds of the job that have begun.
    pub(super) fn builds(&self) -> Vec<BuildRecord> {
        self.jenkins.builds(JOB)
    }
}

/// A folder that only its owner can look into: there are secrets in it.
fn private_folder() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("pointsman-demo-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir()
}

/// What `POST /api/v1/messages` takes, for one announcement.
pub(super) fn record((topic, body): &Announcement) -> Value {
    json!({ "id": Uuid::new_v4().to_string(), "topic": topic, "body": body })
}

/// A secret that nobody can guess.
fn secret() -> String {
    Uuid::new_v4().simple().to_string()
}
