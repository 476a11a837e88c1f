//! GitLab CI: a build is a pipeline of a branch or a tag, and its job is the project.
//!
//! Pipelines are started by the API, not by a push: what a change's author writes into a commit
//! (`[skip ci]`) cannot stop it then, the answer tells which pipeline it is, and the run travels as
//! a variable, by which it is found again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;

use self::search::Carried;
use self::wire::{Pipeline, Standing};
use crate::action::{Lookup, Order, Ticket};
use crate::clock::Clock;
use crate::executors::ended::{self, EndedDoor};
use crate::executors::{BuildState, Executor, Sighting, Try};
use crate::remote::Failure;
use crate::remote::gitlab::settings::GitLabSettings;
use crate::remote::gitlab::{Client, Project, said};
use crate::subject::{RunId, Verdict};

mod jobs;
mod probe;
mod search;
mod start;
#[cfg(test)]
mod tests;
mod wire;

/// The pipelines of one GitLab.
#[derive(Debug)]
pub struct GitLabCi {
    client: Client,
    context_prefix: String,
    run_parameter: String,
    trigger_tokens: BTreeMap<String, SecretString>,
    ended: Option<EndedDoor>,
    /// Whether the operator was told of a status that nobody knows.
    has_told: AtomicBool,
}

impl GitLabCi {
    /// What the configuration of a pipeline is called, unless the project says otherwise.
    pub const CONFIG_FILE: &str = ".gitlab-ci.yml";

    /// The pipelines of `[gitlab.NAME]`; they carry their run id in the variable `run_parameter`,
    /// and are told of `ended` how to say that they have ended.  The secrets are read here, and
    /// nothing is asked yet.
    pub fn new(
        name: &str,
        settings: &GitLabSettings,
        (run_parameter, ended): (&str, Option<EndedDoor>),
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let mut trigger_tokens = BTreeMap::new();
        for (project, token) in &settings.trigger_tokens {
            let cannot = || format!("cannot use `gitlab.{name}.trigger_tokens.{project}`");
            trigger_tokens.insert(project.clone(), token.read().with_context(cannot)?);
        }
        Ok(Self {
            client: Client::new(name, settings, clock)?,
            context_prefix: settings.context_prefix.clone(),
            run_parameter: run_parameter.to_owned(),
            trigger_tokens,
            ended,
            has_told: AtomicBool::new(false),
        })
    }

    /// Names that no parameter of a pipeline can have; one that ends in `*` stands for all that
    /// begin so.  GitLab would let some of its own be replaced, and jobs rely on them.
    pub fn reserved(run_parameter: &str) -> Vec<String> {
        let own = ["CI", "CI_*", "GITLAB_*", "TRIGGER_PAYLOAD"];
        let ours = [run_parameter, ended::ADDRESS_PARAMETER, ended::TOKEN_PARAMETER];
        own.into_iter().chain(ours).map(str::to_owned).collect()
    }

    /// Asks after the pipeline that `lookup` names, and searches for it where it is not known.
    async fn look(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let Lookup { run, ticket } = lookup;
        let project = Project::parse(&ticket.job)?;
        if let Some(number) = ticket.number
            && let Some(pipeline) = self.pipeline(&project, number).await?
        {
            let seen = self.sighting(&project, &pipeline, run.clone()).await?;
            // Who told us the number may have been wrong; that matters once it has ended.
            let is_end = matches!(seen.state, BuildState::Finished(_));
            let Some(run) = run.as_ref().filter(|_| is_end) else { return Ok(seen) };
            if self.is_of(&project, number, run).await? {
                return Ok(seen);
            }
        }
        if let Some(run) = run
            && let Some(pipeline) = self.search(&project, run, None).await?
        {
            return self.sighting(&project, &pipeline, Some(run.clone())).await;
        }
        let (ticket, run) = (ticket.clone(), run.clone());
        Ok(Sighting { state: BuildState::Gone, ticket, run, reason: None })
    }

    /// Whether a pipeline is that of `run`.  What our own token has started it may look at; what a
    /// trigger token has started may be hidden from it.
    async fn is_of(&self, project: &Project, number: u64, run: &RunId) -> Result<bool, Failure> {
        Ok(match self.carried(project, number).await? {
            Carried::Run(carried) => carried == *run,
            Carried::Nothing => false,
            Carried::Hidden => self.trigger_token(project).is_some(),
        })
    }

    /// The pipeline `number`; nothing if there is none.
    async fn pipeline(&self, project: &Project, number: u64) -> Result<Option<Pipeline>, Failure> {
        let what = self.what("ask after a pipeline of", project);
        let path = ["projects", project.as_str(), "pipelines", &number.to_string()];
        self.client.find(&path, &what).await
    }

    /// What a pipeline means.
    async fn sighting(
        &self,
        project: &Project,
        pipeline: &Pipeline,
        run: Option<RunId>,
    ) -> Result<Sighting, Failure> {
        let (state, reason) = match pipeline.standing() {
            Standing::Passed => (BuildState::Finished(Verdict::Success), None),
            Standing::Skipped => (BuildState::Finished(Verdict::Skipped), None),
            Standing::Broken => self.broken(project, pipeline).await?,
            Standing::Open(state) => match self.held_by_us(project, pipeline).await? {
                Some(end) => end,
                None => (state, None),
            },
            Standing::Unknown => {
                self.tell_of_unknown(&pipeline.status);
                (BuildState::Running, None)
            }
        };
        Ok(Sighting { state, ticket: self.ticket(project, pipeline.id), run, reason })
    }

    /// GitLab's own addresses follow its configured one, which may be wrong, so the page's address
    /// is made from ours.
    fn ticket(&self, project: &Project, number: u64) -> Ticket {
        let url = self.client.page(project, &["-", "pipelines", &number.to_string()]);
        Ticket {
            job: project.as_str().to_owned(),
            queued: None,
            number: Some(number),
            url: Some(url.into()),
        }
    }

    /// A status that nobody knows is polled like a running pipeline, and told once.
    fn tell_of_unknown(&self, status: &str) {
        if !self.has_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                status = said(status),
                "`{}` has pipelines of a status that is not known; they count as running",
                self.client.called()
            );
        }
    }

    /// Asks for a pipeline to be stopped.  That it has ended shows when it is looked at again.
    async fn stop(&self, project: &Project, number: u64) -> Result<(), Failure> {
        let what = self.what("cancel a pipeline of", project);
        let number = number.to_string();
        let path = ["projects", project.as_str(), "pipelines", &number, "cancel"];
        let answer = self.client.ask(Method::POST, (&path, &[]), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.client.good(answer, &what).map(drop)
    }

    fn what(&self, verb: &str, project: &Project) -> String {
        format!("cannot {verb} `{project}` on {}", self.client.called())
    }
}

#[async_trait]
impl Executor for GitLabCi {
    async fn start(&self, order: &Order, attempt: Try) -> Result<Sighting, Failure> {
        let project = Project::parse(&order.job)?;
        let reference = order.reference.as_deref().filter(|name| !name.is_empty());
        let reference = reference.ok_or_else(|| {
            let what = self.what("start a pipeline of", &project);
            Failure::give_up(anyhow!(
                "{what}: pipelines are of a branch or a tag; say which by `ref` in the rule's \
                 `build`"
            ))
        })?;
        if attempt == Try::Again {
            let at = Some((reference, order.sha.as_ref()));
            if let Some(pipeline) = self.search(&project, &order.run, at).await? {
                return self.sighting(&project, &pipeline, Some(order.run.clone())).await;
            }
        }
        self.begin(&project, reference, order).await
    }

    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        self.look(lookup).await
    }

    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure> {
        let mut lookup = lookup.clone();
        let project = Project::parse(&lookup.ticket.job)?;
        // Others' pipelines are not to be stopped because somebody told us a wrong number.
        if let (Some(run), Some(number)) = (&lookup.run, lookup.ticket.number)
            && !self.is_of(&project, number, run).await?
        {
            lookup.ticket.number = None;
        }
        let seen = self.look(&lookup).await?;
        let (BuildState::Queued(_) | BuildState::Running, Some(number)) =
            (&seen.state, seen.ticket.number)
        else {
            return Ok(seen);
        };
        self.stop(&project, number).await?;
        self.look(&Lookup { run: lookup.run, ticket: seen.ticket }).await
    }
}
