//! The outside systems, from their settings to something that can be used: one line for each kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use secrecy::SecretString;
use url::Url;

use crate::clock::Clock;
use crate::directory::{Connection, Directory};
use crate::executors::jenkins::Jenkins;
use crate::executors::{Executor, Finding, Probe};
use crate::hooks::Hook;
use crate::hooks::forgejo::ForgejoHook;
use crate::hooks::jenkins::JenkinsHook;
use crate::hooks::pagure::PagureHook;
use crate::reporters::Reporter;
use crate::reporters::bus::{Bus, Post};
use crate::reporters::forgejo::{Forgejo, ForgejoSettings};
use crate::reporters::pagure::{Pagure, PagureSettings};
use crate::rules::RuleSet;
use crate::secret::{self, SecretRef};
use crate::settings::Settings;
use crate::subject::ConnectionName;
use crate::worker::Site;
use crate::worker::backoff::Backoff;

/// What all systems can do, without any of them being reached for it.
pub fn directory(settings: &Settings) -> anyhow::Result<Directory> {
    let mut directory = Directory::default();
    for (name, forgejo) in &settings.forgejo {
        let connection = Connection {
            hosts: vec![host(&forgejo.url)],
            forms: Forgejo::FORMS,
            is_forge: true,
            edits: true,
            people: forgejo.people.clone(),
            ..Connection::default()
        };
        directory.insert(connection_name("forgejo", Some(name))?, connection);
    }
    for (name, jenkins) in &settings.jenkins {
        let mut hosts = vec![host(&jenkins.url)];
        hosts.extend(jenkins.aliases.iter().map(|alias| alias.to_lowercase()));
        let reserved = Jenkins::RESERVED_PARAMETERS.iter().map(|name| (*name).to_owned());
        let reserved = reserved.chain([settings.service.run_parameter.clone()]).collect();
        let builds = Some(jenkins.poll_min);
        let connection = Connection { hosts, builds, reserved, ..Connection::default() };
        directory.insert(connection_name("jenkins", Some(name))?, connection);
    }
    for (name, pagure) in &settings.pagure {
        let connection = Connection {
            hosts: vec![host(&pagure.url)],
            forms: Pagure::FORMS,
            is_forge: true,
            people: pagure.people.clone(),
            ..Connection::default()
        };
        directory.insert(connection_name("pagure", Some(name))?, connection);
    }
    let bus = Connection { forms: Bus::FORMS, ..Connection::default() };
    directory.insert(connection_name("bus", None)?, bus);
    Ok(directory)
}

/// The systems as the worker uses them; secrets are read here.  `bus` is where our own messages
/// go, and what stands before their topics.
pub fn sites(
    settings: &Settings,
    (bus, prefix): (Arc<dyn Post>, String),
    clock: &Clock,
) -> anyhow::Result<BTreeMap<ConnectionName, Site>> {
    let mut sites = BTreeMap::new();
    for (name, forgejo) in &settings.forgejo {
        let system = Arc::new(forgejo_at(name, forgejo, clock)?);
        let reporter: Arc<dyn Reporter> = Arc::<Forgejo>::clone(&system);
        let site = reporting(host(&forgejo.url), forgejo.concurrency, reporter);
        let site = Site { forge: Some(system), ..site };
        sites.insert(connection_name("forgejo", Some(name))?, site);
    }
    for (name, jenkins) in &settings.jenkins {
        let executor: Arc<dyn Executor> = Arc::new(jenkins_at(settings, name, clock)?);
        let poll = Backoff { min: jenkins.poll_min, max: jenkins.poll_max };
        let site = Site {
            host: host(&jenkins.url),
            concurrency: jenkins.concurrency,
            poll,
            executor: Some(executor),
            reporter: None,
            forge: None,
        };
        sites.insert(connection_name("jenkins", Some(name))?, site);
    }
    for (name, pagure) in &settings.pagure {
        let system = Arc::new(pagure_at(name, pagure, clock)?);
        let reporter: Arc<dyn Reporter> = Arc::<Pagure>::clone(&system);
        let site = reporting(host(&pagure.url), pagure.concurrency, reporter);
        let site = Site { forge: Some(system), ..site };
        sites.insert(connection_name("pagure", Some(name))?, site);
    }
    let reporter: Arc<dyn Reporter> = Arc::new(Bus::new(bus, prefix, clock.clone()));
    sites.insert(connection_name("bus", None)?, reporting("bus".to_owned(), 1, reporter));
    Ok(sites)
}

/// Those who may post to `/hooks/…`; secrets are read here.
pub fn hooks(settings: &Settings) -> anyhow::Result<BTreeMap<ConnectionName, Arc<dyn Hook>>> {
    let mut hooks: BTreeMap<ConnectionName, Arc<dyn Hook>> = BTreeMap::new();
    for (name, forgejo) in &settings.forgejo {
        if let Some((connection, secrets)) = door(("forgejo", name), &forgejo.webhook_secrets)? {
            hooks.insert(connection.clone(), Arc::new(ForgejoHook::new(connection, secrets)));
        }
    }
    for (name, jenkins) in &settings.jenkins {
        if let Some((connection, secrets)) = door(("jenkins", name), &jenkins.webhook_secrets)? {
            hooks.insert(connection.clone(), Arc::new(JenkinsHook::new(connection, secrets)));
        }
    }
    for (name, pagure) in &settings.pagure {
        if let Some((connection, keys)) = door(("pagure", name), &pagure.webhook_keys)? {
            hooks.insert(connection.clone(), Arc::new(PagureHook::new(connection, keys)));
        }
    }
    Ok(hooks)
}

/// The door of a connection, which has one if it has secrets.
fn door(
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

/// Asks every system whether it can be used as `rules` want to use it.
pub async fn probe(
    settings: &Settings,
    rules: &RuleSet,
    clock: &Clock,
) -> anyhow::Result<Vec<(ConnectionName, Vec<Finding>)>> {
    let mut findings = Vec::new();
    for name in settings.jenkins.keys() {
        let connection = connection_name("jenkins", Some(name))?;
        let jobs = rules.jobs_on(&connection);
        let found = jenkins_at(settings, name, clock)?.probe(&jobs).await;
        findings.push((connection, found));
    }
    let projects = rules.projects();
    for (name, forgejo) in &settings.forgejo {
        let connection = connection_name("forgejo", Some(name))?;
        let found = forgejo_at(name, forgejo, clock)?.probe(&projects).await;
        findings.push((connection, told(found)));
    }
    for (name, pagure) in &settings.pagure {
        let connection = connection_name("pagure", Some(name))?;
        let found = pagure_at(name, pagure, clock)?.probe(&projects).await;
        findings.push((connection, told(found)));
    }
    Ok(findings)
}

fn told(found: Vec<(String, Option<String>)>) -> Vec<Finding> {
    found.into_iter().map(|(subject, problem)| Finding { subject, problem }).collect()
}

fn forgejo_at(name: &str, settings: &ForgejoSettings, clock: &Clock) -> anyhow::Result<Forgejo> {
    Forgejo::new(name, host(&settings.url), settings, clock.clone())
}

fn pagure_at(name: &str, settings: &PagureSettings, clock: &Clock) -> anyhow::Result<Pagure> {
    Pagure::new(name, host(&settings.url), settings, clock.clone())
}

fn jenkins_at(settings: &Settings, name: &str, clock: &Clock) -> anyhow::Result<Jenkins> {
    let jenkins = settings.jenkins.get(name).context("no such connection")?;
    Jenkins::new(name, jenkins, &settings.service.run_parameter, clock.clone())
}

fn reporting(host: String, concurrency: usize, reporter: Arc<dyn Reporter>) -> Site {
    let poll = Backoff { min: std::time::Duration::ZERO, max: std::time::Duration::ZERO };
    Site { host, concurrency, poll, executor: None, reporter: Some(reporter), forge: None }
}

fn connection_name(kind: &str, name: Option<&str>) -> anyhow::Result<ConnectionName> {
    let text = name.map_or_else(|| kind.to_owned(), |name| format!("{kind}.{name}"));
    ConnectionName::try_from(text).context("cannot name a connection")
}

/// Host and, if it is not the usual one, port: what messages call a system.
fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}
