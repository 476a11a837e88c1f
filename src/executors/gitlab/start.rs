//! Starting a pipeline, and what GitLab answers when it does not.

use anyhow::anyhow;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::GitLabCi;
use super::search::short;
use super::wire::{self, Pipeline, Reference};
use crate::action::{Order, Ticket};
use crate::executors::ended;
use crate::executors::{BuildState, Sighting};
use crate::remote::gitlab::Project;
use crate::remote::{Answer, Failure, chain};
use crate::subject::{CommitSha, RunId, Verdict};

/// GitLab's words for: the configuration has no job for this pipeline.
const NO_JOBS: &[&str] = &[
    "No stages / jobs for this pipeline",
    "prevented any jobs from being added",
    "No jobs for this pipeline",
];

impl GitLabCi {
    /// Starts the pipeline of `order` on `reference`.
    pub(super) async fn begin(
        &self,
        project: &Project,
        reference: &str,
        order: &Order,
    ) -> Result<Sighting, Failure> {
        let what = self.what("start a pipeline of", project);
        if let Some(sha) = &order.sha {
            self.expect_at(project, reference, sha).await?;
        }
        let answer = self.post(project, reference, order).await?;
        if !answer.status.is_success() {
            return self.not_begun((project, reference), &order.run, &answer);
        }
        let pipeline: Pipeline = answer.json(&what)?;
        if let Some(sha) = &order.sha
            && pipeline.sha != sha.as_str()
        {
            // The branch was pushed to in between: what would be tested is not what is told.
            if let Err(failure) = self.stop(project, pipeline.id).await {
                tracing::warn!(error = chain(&failure), "Cannot stop a pipeline of another commit");
            }
            return Err(self.moved(project, (reference, sha), &pipeline.sha));
        }
        self.sighting(project, &pipeline, Some(order.run.clone())).await
    }

    /// Makes sure that `reference` is at `sha`, for a pipeline cannot be ordered of a commit.
    async fn expect_at(
        &self,
        project: &Project,
        reference: &str,
        sha: &CommitSha,
    ) -> Result<(), Failure> {
        let what = self.what("start a pipeline of", project);
        let name = short(reference);
        let mut found: Option<Reference> = None;
        if !reference.starts_with("refs/tags/") {
            let path = ["projects", project.as_str(), "repository", "branches", name];
            found = self.client.find(&path, &what).await?;
        }
        if found.is_none() && !reference.starts_with("refs/heads/") {
            let path = ["projects", project.as_str(), "repository", "tags", name];
            found = self.client.find(&path, &what).await?;
        }
        let Some(found) = found else {
            let name = wire::words(name);
            let why = format!("{what}: there is no branch or tag `{name}` there (yet)");
            return Err(Failure::retry(anyhow!(why)));
        };
        if found.commit.id == sha.as_str() {
            return Ok(());
        }
        // A commit that is not there yet is on its way, as to a mirror.
        let path = ["projects", project.as_str(), "repository", "commits", sha.as_str()];
        let answer = self.client.ask(Method::GET, (&path, &[]), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            let (name, sha) = (wire::words(name), sha.short());
            let why = format!("{what}: `{name}` is not at commit {sha} yet");
            return Err(Failure::retry(anyhow!(why)));
        }
        self.client.good(answer, &what)?;
        Err(self.moved(project, (reference, sha), &found.commit.id))
    }

    fn moved(&self, project: &Project, (reference, sha): (&str, &CommitSha), to: &str) -> Failure {
        let what = self.what("start a pipeline of", project);
        let name = wire::words(short(reference));
        let to: String = to.chars().filter(char::is_ascii_hexdigit).take(12).collect();
        Failure::give_up(anyhow!(
            "{what}: `{name}` is not at commit {} any more, but at {to}",
            sha.short()
        ))
    }

    /// The trigger token of a project, where pipelines are started with one.
    pub(super) fn trigger_token(&self, project: &Project) -> Option<&SecretString> {
        self.trigger_tokens.get(project.as_str())
    }

    async fn post(
        &self,
        project: &Project,
        reference: &str,
        order: &Order,
    ) -> Result<Answer, Failure> {
        let variables = self.variables(order);
        let Some(token) = self.trigger_token(project) else {
            let variable = |(key, value): &(String, String)| json!({ "key": key, "value": value });
            let variables: Vec<Value> = variables.iter().map(variable).collect();
            let body = json!({ "ref": reference, "variables": variables });
            let path = ["projects", project.as_str(), "pipeline"];
            return self.client.ask(Method::POST, (&path, &[]), Some(&body)).await;
        };
        let fields = variables.iter().map(|(key, value)| (format!("variables[{key}]"), value));
        let fields: Vec<(String, &String)> = fields.collect();
        let mut form = vec![("token", token.expose_secret()), ("ref", reference)];
        form.extend(fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let path = ["projects", project.as_str(), "trigger", "pipeline"];
        self.client.post_form(&path, &form).await
    }

    /// The variables of the pipeline: each name once, or GitLab refuses.
    fn variables(&self, order: &Order) -> Vec<(String, String)> {
        let mut ours = vec![(self.run_parameter.clone(), order.run.as_str().to_owned())];
        if let Some(door) = &self.ended {
            let token = door.token(&order.run).expose_secret().to_owned();
            ours.push((ended::ADDRESS_PARAMETER.to_owned(), door.address(&order.run).into()));
            ours.push((ended::TOKEN_PARAMETER.to_owned(), token));
        }
        let is_free = |name: &str| ours.iter().all(|(own, _)| own != name);
        let theirs: Vec<(String, String)> = (order.parameters.iter())
            .filter(|(name, _)| is_free(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        ours.extend(theirs);
        ours
    }

    /// What an answer means that is no pipeline.
    fn not_begun(
        &self,
        (project, reference): (&Project, &str),
        run: &RunId,
        answer: &Answer,
    ) -> Result<Sighting, Failure> {
        let what = self.what("start a pipeline of", project);
        let words = self.client.words(answer);
        if answer.status == StatusCode::BAD_REQUEST && NO_JOBS.iter().any(|no| words.contains(no)) {
            let url = self.client.page(project, &[]);
            let ticket = Ticket {
                job: project.as_str().to_owned(),
                url: Some(url.into()),
                ..Ticket::default()
            };
            return Ok(Sighting {
                state: BuildState::Finished(Verdict::Skipped),
                ticket,
                run: Some(run.clone()),
                reason: Some("the CI configuration has no job for it".to_owned()),
            });
        }
        let hint = self.hint((project, reference), answer.status, &words);
        let what = if hint.is_empty() { what } else { format!("{what} ({hint})") };
        Err(self.client.refusal(answer, &what))
    }

    fn hint(
        &self,
        (project, reference): (&Project, &str),
        status: StatusCode,
        words: &str,
    ) -> String {
        let called = self.client.called();
        let has_trigger = self.trigger_token(project).is_some();
        match status {
            StatusCode::BAD_REQUEST if words.contains("pipeline variables") => {
                "allow it in the project's Settings > CI/CD > Variables, \"Minimum role to use \
                 pipeline variables\""
                    .to_owned()
            }
            StatusCode::BAD_REQUEST if words.contains("Reference not found") => {
                format!("there is no branch or tag `{}`", wire::words(short(reference)))
            }
            StatusCode::FORBIDDEN => {
                "the role Developer is needed, on a protected branch the right to push or merge"
                    .to_owned()
            }
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND if has_trigger => {
                format!("is the trigger token in `{called}.trigger_tokens` that of this project?")
            }
            _ => String::new(),
        }
    }
}
