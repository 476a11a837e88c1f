//! Whether a Jenkins and its jobs will do, asked before anything depends on it.

use async_trait::async_trait;
use serde::Deserialize;

use super::{Jenkins, client, wire};
use crate::executors::{Finding, Probe};
use crate::remote::{Failure, chain};

/// The answer to "who am I?".
#[derive(Deserialize)]
struct WhoAmI {
    authenticated: bool,
    anonymous: bool,
}

#[async_trait]
impl Probe for Jenkins {
    async fn probe(&self, jobs: &[String]) -> Vec<Finding> {
        let subject = self.client.name().to_owned();
        let problem =
            self.connection_problem().await.unwrap_or_else(|failure| Some(told(&failure)));
        let is_reachable = problem.is_none();
        let mut findings = vec![Finding { subject, problem }];
        // Where the connection fails each job would only repeat it.
        for job in jobs.iter().filter(|_| is_reachable) {
            findings.push(Finding {
                subject: format!("{}: job `{}`", self.client.name(), client::shown(job)),
                problem: self.job_problem(job).await.unwrap_or_else(|failure| Some(told(&failure))),
            });
        }
        findings
    }
}

impl Jenkins {
    async fn connection_problem(&self) -> Result<Option<String>, Failure> {
        let what = "cannot ask Jenkins who we are".to_owned();
        let url = self.client.url(&["whoAmI", "api", "json"]);
        let body = self.client.get(url, &what).await?;
        let me: WhoAmI =
            serde_json::from_slice(&body).map_err(|error| client::unreadable(&error, &what))?;
        let is_stranger = me.anonymous || !me.authenticated;
        Ok((self.client.has_user() && is_stranger).then(|| {
            "Jenkins takes us for a stranger although a user is configured: check `user` and its \
             `token` or `password`"
                .to_owned()
        }))
    }

    async fn job_problem(&self, job: &str) -> Result<Option<String>, Failure> {
        let what = self.what("look at", job);
        let mut url = self.client.job_url(job, &["api", "json"])?;
        url.set_query(Some(wire::JOB_QUERY));
        let Some(body) = self.client.find(url, &what).await? else {
            return Ok(Some(
                "there is no such job, or the user may not see it: give its full name, folders \
                 separated by `/`, and grant Job/Read"
                    .to_owned(),
            ));
        };
        let job = wire::job(&body).map_err(|error| client::unreadable(&error, &what))?;
        Ok(self.fault(&job))
    }

    fn fault(&self, job: &wire::Job) -> Option<String> {
        let name = &self.run_parameter;
        if !job.buildable {
            return Some("the job is disabled, or no job that builds: enable it".to_owned());
        }
        if job.parameters().next().is_none() {
            return Some(format!(
                "the job takes no parameters, so that it refuses every order: make it \
                 parameterised and add a string parameter `{name}`"
            ));
        }
        let Some(parameter) = job.parameters().find(|parameter| parameter.name == *name) else {
            return Some(format!(
                "the job does not define the parameter `{name}`, and Jenkins silently drops what a \
                 job does not define: a build whose answer is lost would be started twice; add a \
                 string parameter of that name"
            ));
        };
        let is_text = parameter.kind.is_empty()
            || parameter.kind == "StringParameterDefinition"
            || parameter.kind == "TextParameterDefinition";
        (!is_text).then(|| {
            format!("the parameter `{name}` cannot be read back: make it a string parameter")
        })
    }
}

fn told(failure: &Failure) -> String {
    let (Failure::Retry { source, .. } | Failure::GiveUp(source)) = failure;
    chain(source.as_ref())
}
