//! The stand-in's pipelines, as tests and demos play them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::memory::{Memory, Project};
use super::{GitLabStandIn, Hooked, Status};

/// What `X-Gitlab-Event` says of pipelines.
const PIPELINE: &str = "Pipeline Hook";

/// How the CI of a project is set up.
#[derive(Clone, Debug, Default)]
pub struct CiSettings {
    /// What its configuration is like.
    pub configuration: Configuration,
    /// Whether CI is switched off.
    pub is_off: bool,
    /// Where its configuration is, unless it is in the repository.
    pub config_path: Option<String>,
    /// The least role that may start a pipeline with variables: `no_one_allowed`, `owner`,
    /// `maintainer` or `developer`.
    pub variables_role: Option<String>,
    /// A bare repository on this machine, whose branches it has.
    pub repository: Option<PathBuf>,
}

/// What the configuration of pipelines is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Configuration {
    /// It has jobs.
    #[default]
    Fine,
    /// It has none for the pipeline that is to be started.
    Empty,
    /// It cannot be read; GitLab says why.
    Broken(String),
}

/// A job of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiJob {
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// Its status, such as `success`.
    pub status: String,
    /// Whether the pipeline goes on without it.
    pub may_fail: bool,
    /// Why it failed, such as `script_failure`.
    pub reason: Option<String>,
    /// Whether it starts another pipeline.
    pub is_bridge: bool,
}

impl CiJob {
    /// A job of the stage `test`.
    pub fn new(name: &str, status: &str) -> Self {
        Self {
            name: name.to_owned(),
            stage: "test".to_owned(),
            status: status.to_owned(),
            may_fail: false,
            reason: (status == "failed").then(|| "script_failure".to_owned()),
            is_bridge: false,
        }
    }
}

/// A pipeline, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its number.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// The branch or tag, or `refs/merge-requests/N/head`.
    pub reference: String,
    /// How it was started: `api`, `trigger`, `push`; `external` for one of statuses alone.
    pub source: &'static str,
    /// How far it is.
    pub status: String,
    /// Who started it.
    pub user: u64,
    /// What it was started with.
    pub variables: BTreeMap<String, String>,
    /// What is wrong with its configuration.
    pub yaml_errors: Option<String>,
    /// Its jobs, each with its number.
    pub jobs: Vec<(u64, CiJob)>,
}

impl Pipeline {
    /// The status that jobs and statuses that others have set make together.
    fn sum(&self, statuses: &[Status]) -> Option<&'static str> {
        let of_jobs = self.jobs.iter().map(|(_, job)| match job.status.as_str() {
            "failed" | "canceled" | "manual" if job.may_fail => "success",
            status => status,
        });
        let beside = statuses
            .iter()
            .filter(|status| status.pipeline == self.id && !status.is_retried)
            .map(|status| status.state.as_str());
        let all: Vec<&str> = of_jobs.chain(beside).collect();
        let has = |status: &str| all.contains(&status);
        let waits = has("pending") || has("created");
        let has_begun = has("success") || has("failed") || has("canceled");
        if self.jobs.is_empty() {
            None
        } else if has("running") || (waits && has_begun) {
            Some("running")
        } else if waits {
            Some("pending")
        } else if has("failed") {
            Some("failed")
        } else if has("canceled") {
            Some("canceled")
        } else if all.iter().all(|status| *status == "skipped") {
            Some("skipped")
        } else {
            Some("success")
        }
    }
}

impl GitLabStandIn {
    /// Changes how the CI of a project is set up.
    pub fn set_ci(&self, project: &str, settings: CiSettings) -> anyhow::Result<()> {
        self.shared.memory().project_mut(project)?.ci = settings;
        Ok(())
    }

    /// Puts a branch at a commit, without telling anybody.
    pub fn set_branch(&self, project: &str, branch: &str, head: &str) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        let project = memory.project_mut(project)?;
        project.commits.insert(head.to_owned());
        project.branches.insert(branch.to_owned(), head.to_owned());
        Ok(())
    }

    /// Puts a tag at a commit, without telling anybody.
    pub fn set_tag(&self, project: &str, tag: &str, head: &str) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        let project = memory.project_mut(project)?;
        project.commits.insert(head.to_owned());
        project.tags.insert(tag.to_owned(), head.to_owned());
        Ok(())
    }

    /// Makes a trigger token, with which pipelines are started as `owner`.
    pub fn add_trigger(&self, project: &str, token: &str, owner: &str) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        let owner = memory.user(owner);
        memory.project_mut(project)?.triggers.insert(token.to_owned(), owner);
        Ok(())
    }

    /// Takes all trigger tokens of a project back.
    pub fn remove_triggers(&self, project: &str) -> anyhow::Result<()> {
        self.shared.memory().project_mut(project)?.triggers.clear();
        Ok(())
    }

    /// Lets somebody push to a branch just before the next pipeline of it begins.
    pub fn move_at_start(&self, project: &str, branch: &str, head: &str) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        let moved = (branch.to_owned(), head.to_owned());
        memory.project_mut(project)?.moves_at_start = Some(moved);
        Ok(())
    }

    /// The pipelines of a project, oldest first, without those that are nothing but statuses.
    pub fn pipelines(&self, project: &str) -> Vec<Pipeline> {
        let memory = self.shared.memory();
        let all = memory.project(project).into_iter().flat_map(|project| &project.pipelines);
        all.filter(|pipeline| pipeline.source != "external").cloned().collect()
    }

    /// Starts the pipeline that a push to a branch starts, or skips (`ci.skip`); its number.
    pub async fn push_pipeline(
        &self,
        (project, branch): (&str, &str),
        user: &str,
        is_skipped: bool,
    ) -> anyhow::Result<(u64, Hooked)> {
        let id = {
            let mut memory = self.shared.memory();
            let user = memory.user(user);
            let project = memory.project(project).context("no such project")?;
            let head = project.branch(branch).context("no such branch")?;
            let id = project.id;
            let begun = memory.begin(id, (&head, branch), ("push", user));
            let status = if is_skipped { "skipped" } else { "pending" };
            status.clone_into(&mut memory.pipeline_mut(id, begun)?.status);
            begun
        };
        Ok((id, self.tell((project, id)).await?))
    }

    /// Gives a pipeline a status, whatever its jobs say.
    pub async fn play(&self, (project, id): (&str, u64), status: &str) -> anyhow::Result<Hooked> {
        {
            let mut memory = self.shared.memory();
            let project = memory.project(project).context("no such project")?.id;
            status.clone_into(&mut memory.pipeline_mut(project, id)?.status);
        }
        self.tell((project, id)).await
    }

    /// Gives a pipeline these jobs, and the status that follows from them.  It is posted if it is
    /// another one.
    pub async fn set_jobs(
        &self,
        (project, id): (&str, u64),
        jobs: Vec<CiJob>,
    ) -> anyhow::Result<Option<Hooked>> {
        let is_other = {
            let mut memory = self.shared.memory();
            let of = memory.project(project).context("no such project")?.id;
            let mut numbered = Vec::new();
            for job in jobs {
                numbered.push((memory.next_id(), job));
            }
            memory.pipeline_mut(of, id)?.jobs = numbered;
            memory.sum_up(of, id)
        };
        if is_other { self.tell((project, id)).await.map(Some) } else { Ok(None) }
    }

    /// Posts what a pipeline is now.
    pub async fn tell(&self, (project, id): (&str, u64)) -> anyhow::Result<Hooked> {
        let body = self.shared.memory().pipeline_hook(project, id)?;
        self.post(PIPELINE, body).await
    }
}

impl Project {
    /// The commit that a branch is at.
    pub(super) fn branch(&self, name: &str) -> Option<String> {
        let pushed = self.ci.repository.as_deref().and_then(|path| head_in(path, name));
        pushed.or_else(|| self.branches.get(name).cloned())
    }

    /// Whether a commit is in the repository.
    pub(super) fn has_commit(&self, sha: &str) -> bool {
        let is_pushed = |path: &Path| git(path, &["cat-file", "-e", sha]).is_some();
        self.commits.contains(sha) || self.ci.repository.as_deref().is_some_and(is_pushed)
    }
}

fn head_in(repository: &Path, branch: &str) -> Option<String> {
    let name = format!("refs/heads/{branch}");
    let told = git(repository, &["rev-parse", "--verify", "--quiet", &name])?;
    Some(told.trim().to_owned())
}

fn git(repository: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let output = command.arg("--git-dir").arg(repository).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Memory {
    /// Makes a pipeline of a commit, on a branch or tag; its number.
    pub(super) fn begin(
        &mut self,
        project: u64,
        (sha, reference): (&str, &str),
        (source, user): (&'static str, u64),
    ) -> u64 {
        let id = self.next_id();
        let pipeline = Pipeline {
            id,
            sha: sha.to_owned(),
            reference: reference.to_owned(),
            source,
            status: "created".to_owned(),
            user,
            variables: BTreeMap::new(),
            yaml_errors: None,
            jobs: Vec::new(),
        };
        if let Some(project) = self.projects.get_mut(&project) {
            project.pipelines.push(pipeline);
        }
        id
    }

    pub(super) fn pipeline_mut(&mut self, project: u64, id: u64) -> anyhow::Result<&mut Pipeline> {
        let project = self.projects.get_mut(&project).context("no such project")?;
        let found = project.pipelines.iter_mut().find(|pipeline| pipeline.id == id);
        found.context("no such pipeline")
    }

    /// Gives a pipeline the status that follows from its jobs and from the statuses beside them;
    /// whether it is another one.
    pub(super) fn sum_up(&mut self, project: u64, id: u64) -> bool {
        let Some(project) = self.projects.get_mut(&project) else { return false };
        let Project { pipelines, statuses, .. } = project;
        let Some(pipeline) = pipelines.iter_mut().find(|pipeline| pipeline.id == id) else {
            return false;
        };
        let Some(sum) = pipeline.sum(statuses) else { return false };
        let is_other = pipeline.status != sum;
        sum.clone_into(&mut pipeline.status);
        is_other
    }
}
