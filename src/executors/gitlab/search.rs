//! Finding a pipeline by the run that it carries.
//!
//! It is not enough that a pipeline is of the right commit and branch: each push starts one, too,
//! and one that is skipped (`ci.skip`) is there like any other.

use anyhow::anyhow;
use reqwest::{Method, StatusCode};

use super::GitLabCi;
use super::wire::{Pipeline, Variable};
use crate::remote::Failure;
use crate::remote::gitlab::Project;
use crate::subject::{CommitSha, RunId};

/// How many pipelines are asked what they carry, the newest first.
const ASKED_MAX: usize = 100;

impl GitLabCi {
    /// The pipeline of `project` that carries `run`; `at` is the branch or tag and the commit that
    /// it has to be of, where they are known.
    pub(super) async fn search(
        &self,
        project: &Project,
        run: &RunId,
        at: Option<(&str, Option<&CommitSha>)>,
    ) -> Result<Option<Pipeline>, Failure> {
        let mut is_unreadable = false;
        for pipeline in self.candidates(project, at).await?.into_iter().take(ASKED_MAX) {
            match self.carried(project, pipeline.id).await? {
                Carried::Run(carried) if carried == *run => return Ok(Some(pipeline)),
                Carried::Run(_) | Carried::Nothing => {}
                Carried::Hidden => is_unreadable = true,
            }
        }
        if !is_unreadable {
            return Ok(None);
        }
        // One of them may be ours: to start another would be to build twice.
        Err(Failure::retry(anyhow!(
            "{}: the variables of pipelines there may not be read, so it cannot be told whether it \
             was started (give the user of `{}.token` the role Maintainer, or let it own the \
             trigger token)",
            self.what("search for a pipeline of", project),
            self.client.called()
        )))
    }

    /// The pipelines that may be ours, the newest first.
    async fn candidates(
        &self,
        project: &Project,
        at: Option<(&str, Option<&CommitSha>)>,
    ) -> Result<Vec<Pipeline>, Failure> {
        let source = if self.trigger_token(project).is_some() { "trigger" } else { "api" };
        let mut query = vec![("order_by", "id"), ("sort", "desc"), ("source", source)];
        // With a trigger token they are its owner's.
        if source == "api" {
            query.push(("username", self.client.own_user().await?.username.as_str()));
        }
        if let Some((reference, sha)) = at {
            query.push(("ref", short(reference)));
            query.extend(sha.map(|sha| ("sha", sha.as_str())));
        }
        let what = self.what("search for a pipeline of", project);
        let path = ["projects", project.as_str(), "pipelines"];
        let found: Vec<Pipeline> = self.client.newest((&path, &query), &what).await?;
        // What a version does not know is not selected by, so it is looked at here, too.
        let may_be_ours = |pipeline: &Pipeline| {
            let is_source = pipeline.source.as_deref().is_none_or(|told| told == source);
            let is_there = at.is_none_or(|(reference, sha)| {
                pipeline.reference == short(reference)
                    && sha.is_none_or(|sha| pipeline.sha == sha.as_str())
            });
            is_source && is_there && pipeline.status != "skipped"
        };
        Ok(found.into_iter().filter(may_be_ours).collect())
    }

    /// The run that a pipeline was started for.
    pub(super) async fn carried(&self, project: &Project, number: u64) -> Result<Carried, Failure> {
        let what = self.what("read the variables of a pipeline of", project);
        let number = number.to_string();
        let path = ["projects", project.as_str(), "pipelines", &number, "variables"];
        let answer = self.client.ask(Method::GET, (&path, &[]), None).await?;
        match answer.status {
            StatusCode::FORBIDDEN => return Ok(Carried::Hidden),
            // It was removed a moment ago.
            StatusCode::NOT_FOUND => return Ok(Carried::Nothing),
            _ => {}
        }
        let variables: Vec<Variable> = self.client.good(answer, &what)?.json(&what)?;
        let ours = variables.into_iter().find(|variable| variable.key == self.run_parameter);
        let run = ours.and_then(|variable| RunId::try_from(variable.value?).ok());
        Ok(run.map_or(Carried::Nothing, Carried::Run))
    }
}

/// What the variables of a pipeline say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// It was started for this run.
    Run(RunId),
    /// It was not started by us.
    Nothing,
    /// We may not know.
    Hidden,
}

/// The name of a branch or tag as GitLab tells it of a pipeline.
pub(super) fn short(reference: &str) -> &str {
    let name = reference.strip_prefix("refs/heads/");
    name.or_else(|| reference.strip_prefix("refs/tags/")).unwrap_or(reference)
}
