//! What the jobs of a pipeline say of it, where its own status does not tell.
//!
//! A status that somebody sets on a commit, as our own flags are, joins the pipeline of that
//! commit.  One that is pending keeps the pipeline from ever ending, and ours ends with the
//! pipeline; one that failed lets it fail although all its jobs passed.

use serde::Deserialize;

use super::GitLabCi;
use super::wire::{self, Job, Pipeline};
use crate::executors::BuildState;
use crate::remote::Failure;
use crate::remote::gitlab::{Project, User};
use crate::subject::Verdict;

/// What became of a pipeline, and why.
type End = (BuildState, Option<String>);

/// A status on a commit: one that somebody set, or a job.
#[derive(Deserialize)]
struct Status {
    id: u64,
    name: String,
    #[serde(rename = "status")]
    state: String,
    #[serde(default)]
    author: Option<User>,
}

impl GitLabCi {
    /// What became of a pipeline that is said to have failed or to be cancelled.
    pub(super) async fn broken(
        &self,
        project: &Project,
        pipeline: &Pipeline,
    ) -> Result<End, Failure> {
        let finished = |verdict| BuildState::Finished(verdict);
        let is_canceled = pipeline.status == "canceled";
        if !is_canceled && let Some(end) = self.failed(project, pipeline).await? {
            return Ok(end);
        }
        let jobs = self.jobs(project, pipeline, ("jobs", &[])).await?;
        let bridges = self.jobs(project, pipeline, ("bridges", &[])).await?;
        let jobs = [jobs, bridges].concat();
        let has_all = !jobs.is_empty() && jobs.iter().all(Job::has_ended);
        let (verdict, _) = wire::verdict(&jobs);
        if is_canceled && (!has_all || verdict == Verdict::Cancelled) {
            return Ok((finished(Verdict::Cancelled), None));
        }
        if !has_all {
            let reason = "it failed, and none of its jobs did".to_owned();
            return Ok((finished(Verdict::Error), Some(reason)));
        }
        let reason = "of its own jobs none failed, only a status that was set beside them";
        Ok((finished(verdict), Some(reason.to_owned())))
    }

    /// What let a pipeline fail, if anything of its own did.
    async fn failed(&self, project: &Project, pipeline: &Pipeline) -> Result<Option<End>, Failure> {
        for list in ["jobs", "bridges"] {
            let failed = self.jobs(project, pipeline, (list, &[("scope[]", "failed")])).await?;
            let (verdict, blamed) = wire::verdict(&failed);
            if let Some(reason) = self.blame(project, &blamed) {
                return Ok(Some((BuildState::Finished(verdict), Some(reason))));
            }
        }
        let errors = pipeline.yaml_errors.as_deref().filter(|text| !text.is_empty());
        Ok(errors.map(|errors| {
            let reason = format!("its CI configuration is wrong: {}", wire::words(errors));
            (BuildState::Finished(Verdict::Error), Some(reason))
        }))
    }

    fn blame(&self, project: &Project, failed: &[&Job]) -> Option<String> {
        let page = |id: &str| self.client.page(project, &["-", "jobs", id]).to_string();
        wire::blame(failed, |job| page(&job.id.to_string()))
    }

    /// What became of a pipeline that goes on, if nothing of it goes on but what is ours: our own
    /// flags, or the job that tells us of the end.
    pub(super) async fn held_by_us(
        &self,
        project: &Project,
        pipeline: &Pipeline,
    ) -> Result<Option<End>, Failure> {
        if !matches!(pipeline.status.as_str(), "running" | "pending") {
            return Ok(None);
        }
        let jobs = self.jobs(project, pipeline, ("jobs", &[])).await?;
        let is_over = |job: &Job| job.has_ended() || job.is_reporting();
        if jobs.iter().all(Job::is_reporting) || !jobs.iter().all(is_over) {
            return Ok(None);
        }
        let bridges = self.jobs(project, pipeline, ("bridges", &[])).await?;
        if !bridges.iter().all(Job::has_ended) {
            return Ok(None);
        }
        // GitLab may be about to run a job again that has failed, and then nothing holds it.
        let is_told = jobs.iter().any(|job| job.is_reporting() && !job.has_ended());
        if !is_told && !self.has_open_flag(project, pipeline, &jobs).await? {
            return Ok(None);
        }
        let all = [jobs, bridges].concat();
        let (verdict, blamed) = wire::verdict(&all);
        Ok(Some((BuildState::Finished(verdict), self.blame(project, &blamed))))
    }

    /// Whether a status of ours is open on the commit and branch of the pipeline.
    async fn has_open_flag(
        &self,
        project: &Project,
        pipeline: &Pipeline,
        jobs: &[Job],
    ) -> Result<bool, Failure> {
        let own = self.client.own().await?;
        let what = self.what("read the statuses of a commit of", project);
        let path = ["projects", project.as_str(), "repository", "commits", &pipeline.sha];
        let path = [&path[..], &["statuses"]].concat();
        let query = [("ref", pipeline.reference.as_str())];
        let statuses: Vec<Status> = self.client.list((&path, &query), &what).await?;
        let is_open_flag = |status: &Status| {
            matches!(status.state.as_str(), "pending" | "running")
                && status.name.starts_with(&self.context_prefix)
                && status.author.as_ref().map(|author| author.id) == Some(own)
                && jobs.iter().all(|job| job.id != status.id)
        };
        Ok(statuses.iter().any(is_open_flag))
    }

    /// The jobs of a pipeline, or those that start others (`bridges`), without those that were
    /// run again.
    async fn jobs(
        &self,
        project: &Project,
        pipeline: &Pipeline,
        (list, query): (&str, &[(&str, &str)]),
    ) -> Result<Vec<Job>, Failure> {
        let what = self.what("read the jobs of a pipeline of", project);
        let number = pipeline.id.to_string();
        let path = ["projects", project.as_str(), "pipelines", &number, list];
        self.client.list((&path, query), &what).await
    }
}
