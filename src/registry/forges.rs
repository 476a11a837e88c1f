//! Forges: where proposals live, people are known, and webhooks come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use secrecy::SecretString;
use url::Url;

use super::{connection_name, ended_door, host, reporting};
use crate::action::Form;
use crate::clock::Clock;
use crate::directory::{Connection, Directory, People};
use crate::executors::gitlab::GitLabCi;
use crate::executors::{Finding, Probe};
use crate::forges::Forge;
use crate::forges::memory::Remembering;
use crate::hooks::Hook;
use crate::hooks::forgejo::ForgejoHook;
use crate::hooks::github::GithubHook;
use crate::hooks::gitlab::GitLabHook;
use crate::hooks::pagure::PagureHook;
use crate::remote::gitlab::settings::GitLabSettings;
use crate::reporters::Reporter;
use crate::reporters::forgejo::Forgejo;
use crate::reporters::github::Github;
use crate::reporters::gitlab::GitLab;
use crate::reporters::pagure::Pagure;
use crate::rules::RuleSet;
use crate::secret::{self, SecretRef};
use crate::settings::Settings;
use crate::subject::ConnectionName;
use crate::worker::Site;
use crate::worker::backoff::Backoff;

/// What they can do.
pub(super) fn list(settings: &Settings, directory: &mut Directory) -> anyhow::Result<()> {
    let mut insert = |(kind, name): (&str, &str),
                      (url, people): (&Url, &People),
                      (forms, edits): (&'static [Form], bool)|
     -> anyhow::Result<()> {
        let connection = Connection {
            hosts: vec![host(url)],
            forms,
            is_forge: true,
            edits,
            people: people.clone(),
            names_last: kind == "pagure",
            ..Connection::default()
        };
        directory.insert(connection_name(kind, Some(name))?, connection);
        Ok(())
    };
    for (name, forgejo) in &settings.forgejo {
        insert(("forgejo", name), (&forgejo.url, &forgejo.people), (Forgejo::FORMS, true))?;
    }
    for (name, github) in &settings.github {
        insert(("github", name), (&github.url, &github.people), (Github::FORMS, true))?;
    }
    for (name, pagure) in &settings.pagure {
        insert(("pagure", name), (&pagure.url, &pagure.people), (Pagure::FORMS, false))?;
    }
    for (name, gitlab) in &settings.gitlab {
        let connection = Connection {
            hosts: vec![host(&gitlab.url)],
            builds: Some(gitlab.poll_min),
            builds_references: true,
            reserved: GitLabCi::reserved(&settings.service.run_parameter),
            forms: GitLab::FORMS,
            is_forge: true,
            edits: true,
            people: gitlab.people.clone(),
            ..Connection::default()
        };
        directory.insert(connection_name("gitlab", Some(name))?, connection);
    }
    Ok(())
}

/// Adds them as the worker uses them.
pub(super) fn add(
    settings: &Settings,
    sites: &mut BTreeMap<ConnectionName, Site>,
    clock: &Clock,
) -> anyhow::Result<()> {
    for (name, of) in &settings.forgejo {
        let forgejo = Forgejo::new(name, host(&of.url), of, clock.clone())?;
        let site = site(forgejo, (host(&of.url), of.concurrency), clock);
        sites.insert(connection_name("forgejo", Some(name))?, site);
    }
    for (name, of) in &settings.github {
        let github = Github::new(name, host(&of.url), of, clock.clone())?;
        let site = site(github, (host(&of.url), of.concurrency), clock);
        sites.insert(connection_name("github", Some(name))?, site);
    }
    for (name, of) in &settings.gitlab {
        let gitlab = GitLab::new(name, host(&of.url), of, clock.clone())?;
        let site = Site {
            poll: Backoff { min: of.poll_min, max: of.poll_max },
            executor: Some(Arc::new(gitlab_ci(settings, (name, of), clock)?)),
            ..site(gitlab, (host(&of.url), of.concurrency), clock)
        };
        sites.insert(connection_name("gitlab", Some(name))?, site);
    }
    for (name, of) in &settings.pagure {
        let pagure = Pagure::new(name, host(&of.url), of, clock.clone())?;
        let site = site(pagure, (host(&of.url), of.concurrency), clock);
        sites.insert(connection_name("pagure", Some(name))?, site);
    }
    Ok(())
}

/// A forge as the worker uses it: reported to, and asked.
fn site<F: Reporter + Forge + 'static>(
    forge: F,
    (host, concurrency): (String, usize),
    clock: &Clock,
) -> Site {
    let forge = Arc::new(forge);
    let reporter: Arc<dyn Reporter> = Arc::<F>::clone(&forge);
    let forge = Arc::new(Remembering::new(forge, clock.clone()));
    Site { forge: Some(forge), ..reporting(host, concurrency, reporter) }
}

/// Those of them that may post to `/hooks/…`.
pub(super) fn hooks(
    settings: &Settings,
    hooks: &mut BTreeMap<ConnectionName, Arc<dyn Hook>>,
    clock: &Clock,
) -> anyhow::Result<()> {
    for (name, forgejo) in &settings.forgejo {
        if let Some((connection, secrets)) = door(("forgejo", name), &forgejo.webhook_secrets)? {
            hooks.insert(connection.clone(), Arc::new(ForgejoHook::new(connection, secrets)));
        }
    }
    for (name, github) in &settings.github {
        if let Some((connection, secrets)) = door(("github", name), &github.webhook_secrets)? {
            hooks.insert(connection.clone(), Arc::new(GithubHook::new(connection, secrets)));
        }
    }
    for (name, gitlab) in &settings.gitlab {
        let (tokens, keys) = GitLab::webhook_secrets(name, gitlab)?;
        if !(tokens.is_empty() && keys.is_empty()) {
            let connection = connection_name("gitlab", Some(name))?;
            let hook = GitLabHook::new(connection.clone(), (tokens, &keys), clock.clone())?;
            hooks.insert(connection, Arc::new(hook));
        }
    }
    for (name, pagure) in &settings.pagure {
        let mut keys = BTreeMap::new();
        for (project, own) in &pagure.webhook_keys {
            if let Some((_, own)) = door(("pagure", name), &own.0)? {
                keys.insert(project.clone(), own);
            }
        }
        if !keys.is_empty() {
            let connection = connection_name("pagure", Some(name))?;
            hooks.insert(connection.clone(), Arc::new(PagureHook::new(connection, keys)));
        }
    }
    Ok(())
}

/// What proves the webhooks of a connection, where it may post any.
pub(super) fn door(
    (kind, name): (&str, &str),
    secrets: &[SecretRef],
) -> anyhow::Result<Option<(ConnectionName, Vec<SecretString>)>> {
    if secrets.is_empty() {
        return Ok(None);
    }
    let connection = connection_name(kind, Some(name))?;
    let what = || format!("cannot use what proves the webhooks of `{connection}`");
    let secrets = secret::read_all(secrets).with_context(what)?;
    Ok(Some((connection, secrets)))
}

/// Who starts the pipelines of a GitLab.
pub(super) fn gitlab_ci(
    settings: &Settings,
    (name, of): (&str, &GitLabSettings),
    clock: &Clock,
) -> anyhow::Result<GitLabCi> {
    let run_parameter = &settings.service.run_parameter;
    GitLabCi::new(name, of, (run_parameter, ended_door(settings)?), clock.clone())
}

/// Asks each whether it can be used for `projects`, and as `rules` want to use it.
pub(super) async fn probe(
    settings: &Settings,
    (rules, projects): (&RuleSet, &[String]),
    clock: &Clock,
) -> anyhow::Result<Vec<(ConnectionName, Vec<Finding>)>> {
    let mut findings = Vec::new();
    for (name, of) in &settings.forgejo {
        let forgejo = Forgejo::new(name, host(&of.url), of, clock.clone())?;
        let connection = connection_name("forgejo", Some(name))?;
        findings.push((connection, told(forgejo.probe(projects).await)));
    }
    for (name, of) in &settings.github {
        let github = Github::new(name, host(&of.url), of, clock.clone())?;
        let connection = connection_name("github", Some(name))?;
        findings.push((connection, told(github.probe(projects).await)));
    }
    for (name, of) in &settings.gitlab {
        let gitlab = GitLab::new(name, host(&of.url), of, clock.clone())?;
        let connection = connection_name("gitlab", Some(name))?;
        let mut found = told(gitlab.probe(projects).await);
        // Where the token is no good each project would only repeat it.
        if found.first().is_some_and(|token| token.problem.is_none()) {
            let jobs = rules.jobs_on(&connection);
            found.extend(gitlab_ci(settings, (name, of), clock)?.probe(&jobs).await);
        }
        findings.push((connection, found));
    }
    for (name, of) in &settings.pagure {
        let pagure = Pagure::new(name, host(&of.url), of, clock.clone())?;
        let connection = connection_name("pagure", Some(name))?;
        findings.push((connection, told(pagure.probe(projects).await)));
    }
    Ok(findings)
}

fn told(found: Vec<(String, Option<String>)>) -> Vec<Finding> {
    found.into_iter().map(|(subject, problem)| Finding { subject, problem }).collect()
}
