//! Whether pipelines of a project can be started, asked before anything depends on it.

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::GitLabCi;
use crate::executors::{Finding, Probe};
use crate::remote::gitlab::{Project, said};
use crate::remote::{Failure, chain};

/// The least with which a pipeline can be started.
const DEVELOPER: u64 = 30;
/// From here on the variables of pipelines that others have started can be read.
const MAINTAINER: u64 = 40;
/// From here on everything can be done.
const OWNER: u64 = 50;

/// A project, as far as it matters here.  What a version does not have, or does not tell
/// everybody, is absent.
#[derive(Deserialize)]
struct Settings {
    path_with_namespace: String,
    #[serde(default)]
    builds_access_level: Option<String>,
    #[serde(default)]
    jobs_enabled: Option<bool>,
    #[serde(default)]
    ci_config_path: Option<String>,
    /// Who may start a pipeline with variables; in new projects on gitlab.com nobody may.
    #[serde(default)]
    ci_pipeline_variables_minimum_override_role: Option<String>,
    /// The same, before there were roles to choose from.
    #[serde(default)]
    restrict_user_defined_variables: bool,
}

#[derive(Deserialize)]
struct Member {
    access_level: u64,
}

#[async_trait]
impl Probe for GitLabCi {
    async fn probe(&self, jobs: &[String]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for job in jobs {
            findings.push(Finding {
                subject: format!("pipelines of `{}`", said(job)),
                problem: self.problem(job).await.unwrap_or_else(|failure| Some(told(&failure))),
            });
        }
        findings
    }
}

impl GitLabCi {
    /// What an operator should think about of the projects whose pipelines are started.  What
    /// cannot be asked is left to the probe.
    pub async fn remarks(&self, jobs: &[String]) -> Vec<String> {
        let mut remarks = Vec::new();
        for job in jobs {
            let Ok(project) = Project::parse(job) else { continue };
            if let Ok(Some(settings)) = self.settings(&project).await
                && settings.has_own_configuration()
            {
                remarks.push(format!(
                    "pipelines of `{project}` do what the built branch itself says: whoever's \
                     change is built can have them do anything with all that its jobs may use; \
                     set its `ci_config_path` to a file of another project (`ci.yml@group/ci`), \
                     or let no secret be there for branches that are not protected"
                ));
            }
        }
        remarks
    }

    async fn settings(&self, project: &Project) -> Result<Option<Settings>, Failure> {
        let what = "it cannot be read";
        let answer =
            self.client.ask(Method::GET, (&["projects", project.as_str()], &[]), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.client.good(answer, what)?.json(what).map(Some)
    }

    async fn problem(&self, job: &str) -> Result<Option<String>, Failure> {
        let project = Project::parse(job)?;
        let Some(settings) = self.settings(&project).await? else {
            let words = "there is no such project, or the token may not see it: a rule's `job` is \
                         the path of a project, `group/project`";
            return Ok(Some(words.to_owned()));
        };
        if let Some(fault) = settings.fault(job) {
            return Ok(Some(fault));
        }
        let own = self.client.own().await?.to_string();
        let path = ["projects", project.as_str(), "members", "all", &own];
        let member: Option<Member> = self.client.find(&path, "it cannot be read").await?;
        let level = member.map_or(0, |member| member.access_level);
        let has_trigger = self.trigger_token(&project).is_some();
        Ok(settings.lacking(level, has_trigger).map(str::to_owned))
    }
}

impl Settings {
    fn fault(&self, job: &str) -> Option<String> {
        if self.path_with_namespace != job {
            return Some(format!(
                "it is called `{}`: write that in the rule, or its webhooks are not known to be \
                 about it",
                said(&self.path_with_namespace)
            ));
        }
        let is_off = self.builds_access_level.as_deref() == Some("disabled")
            || self.jobs_enabled == Some(false);
        is_off.then(|| "its CI/CD is switched off".to_owned())
    }

    /// What somebody with this access level, and perhaps a trigger token, lacks.
    fn lacking(&self, level: u64, has_trigger: bool) -> Option<&'static str> {
        if has_trigger {
            let words = "it is started with a trigger token, and found again by its variables: \
                         the token needs the role Maintainer, or has to be of the user who owns \
                         the trigger token";
            return (level < MAINTAINER).then_some(words);
        }
        if level < DEVELOPER {
            return Some("pipelines need the role Developer, which the token has not");
        }
        let needed = match self.ci_pipeline_variables_minimum_override_role.as_deref() {
            Some("no_one_allowed") => u64::MAX,
            Some("owner") => OWNER,
            Some("maintainer") => MAINTAINER,
            None if self.restrict_user_defined_variables => MAINTAINER,
            Some(_) | None => DEVELOPER,
        };
        let words = "pipelines may not be started with variables by the token, and the run \
                     travels in one: allow it in Settings > CI/CD > Variables, \"Minimum role to \
                     use pipeline variables\"";
        (level < needed).then_some(words)
    }

    /// Whether pipelines do what the branch itself says.
    fn has_own_configuration(&self) -> bool {
        let path = self.ci_config_path.as_deref().unwrap_or_default();
        !path.contains('@') && !path.contains("://")
    }
}

fn told(failure: &Failure) -> String {
    let (Failure::Retry { source, .. } | Failure::GiveUp(source)) = failure;
    chain(source.as_ref())
}
