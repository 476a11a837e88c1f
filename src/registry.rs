//! The outside systems, from their settings to something that can be used: one line for each kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use url::Url;

use crate::clock::Clock;
use crate::command::Grammar;
use crate::directory::{Connection, Directory};
use crate::executors::ended::EndedDoor;
use crate::executors::jenkins::Jenkins;
use crate::executors::{Executor, Finding, Probe};
use crate::hooks::Hook;
use crate::hooks::jenkins::JenkinsHook;
use crate::reporters::Reporter;
use crate::reporters::bus::{Bus, OwnName, Post, Speech};
use crate::rules::RuleSet;
use crate::settings::{ServiceSettings, Settings};
use crate::subject::ConnectionName;
use crate::worker::Site;
use crate::worker::backoff::Backoff;

mod forges;
mod messengers;
mod trees;
pub mod labs;
pub mod series;

/// What all systems can do, without any of them being reached for it.
pub fn directory(settings: &Settings) -> anyhow::Result<Directory> {
    let mut directory = Directory::default();
    let commands = Grammar::new(&settings.commands).context("cannot spell commands")?;
    directory.commands = Arc::new(commands);
    for (name, jenkins) in &settings.jenkins {
        let mut hosts = vec![host(&jenkins.url)];
        hosts.extend(jenkins.aliases.iter().map(|alias| alias.to_lowercase()));
        let reserved = Jenkins::RESERVED_PARAMETERS.iter().map(|name| (*name).to_owned());
        let reserved = reserved.chain([settings.service.run_parameter.clone()]).collect();
        let builds = Some(jenkins.poll_min);
        let connection = Connection { hosts, builds, reserved, ..Connection::default() };
        directory.insert(connection_name("jenkins", Some(name))?, connection);
    }
    forges::list(settings, &mut directory)?;
    messengers::list(settings, &mut directory)?;
    series::list(settings, &mut directory)?;
    trees::list(settings, &mut directory)?;
    labs::list(settings, &mut directory)?;
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
    for (name, jenkins) in &settings.jenkins {
        let executor: Arc<dyn Executor> = Arc::new(jenkins_at(settings, name, clock)?);
        let poll = Backoff { min: jenkins.poll_min, max: jenkins.poll_max };
        let site = Site {
            host: host(&jenkins.url),
            concurrency: jenkins.concurrency,
            poll,
            executor: Some(executor),
            lab: None,
            reporter: None,
            forge: None,
            letters: None,
            tree: None,
        };
        sites.insert(connection_name("jenkins", Some(name))?, site);
    }
    forges::add(settings, &mut sites, clock)?;
    messengers::add(settings, &mut sites, clock)?;
    series::add(settings, &mut sites, clock)?;
    trees::add(settings, &mut sites, clock)?;
    labs::add(settings, &mut sites, clock)?;
    let (languages, name) = (settings.service.publish_as.clone(), own_name(settings));
    let speech = Speech { prefix, languages, name };
    let reporter: Arc<dyn Reporter> = Arc::new(Bus::new(bus, speech, clock.clone()));
    sites.insert(connection_name("bus", None)?, reporting("bus".to_owned(), 1, reporter));
    Ok(sites)
}

/// What the service calls itself on the bus.
pub fn own_name(settings: &Settings) -> OwnName {
    OwnName::new(settings.service.page_url.as_ref())
}

/// Those who may post to `/hooks/…`; secrets are read here.
pub fn hooks(
    settings: &Settings,
    clock: &Clock,
) -> anyhow::Result<BTreeMap<ConnectionName, Arc<dyn Hook>>> {
    let mut hooks: BTreeMap<ConnectionName, Arc<dyn Hook>> = BTreeMap::new();
    for (name, jenkins) in &settings.jenkins {
        if let Some((connection, secrets)) =
            forges::door(("jenkins", name), &jenkins.webhook_secrets)?
        {
            hooks.insert(connection.clone(), Arc::new(JenkinsHook::new(connection, secrets)));
        }
    }
    forges::hooks(settings, &mut hooks, clock)?;
    Ok(hooks)
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
    findings.extend(forges::probe(settings, (rules, &rules.projects()), clock).await?);
    findings.extend(messengers::probe(settings, clock).await?);
    findings.extend(series::probe(settings, clock).await?);
    findings.extend(trees::probe(settings, clock).await?);
    findings.extend(labs::probe(settings, clock).await?);
    Ok(findings)
}

/// What an operator should think about of the systems as `rules` want to use them, although
/// nothing is wrong with them.
pub async fn remarks(
    settings: &Settings,
    rules: &RuleSet,
    clock: &Clock,
) -> anyhow::Result<Vec<String>> {
    let mut remarks = Vec::new();
    for (name, gitlab) in &settings.gitlab {
        let connection = connection_name("gitlab", Some(name))?;
        let jobs = rules.jobs_on(&connection);
        let told = forges::gitlab_ci(settings, (name, gitlab), clock)?.remarks(&jobs).await;
        remarks.extend(told.into_iter().map(|remark| format!("{connection}: {remark}")));
    }
    Ok(remarks)
}

/// Where builds say that they have ended, if anywhere; the secret is read here.
pub fn ended_door(settings: &Settings) -> anyhow::Result<Option<EndedDoor>> {
    let ServiceSettings { page_url, run_secret, .. } = &settings.service;
    let (Some(page_url), Some(secret)) = (page_url, run_secret) else { return Ok(None) };
    let door = secret.read().map_err(anyhow::Error::from);
    let door = door.and_then(|secret| EndedDoor::new(page_url, secret));
    door.map(Some).context("cannot use `service.run_secret`")
}

fn jenkins_at(settings: &Settings, name: &str, clock: &Clock) -> anyhow::Result<Jenkins> {
    let jenkins = settings.jenkins.get(name).context("no such connection")?;
    Jenkins::new(
        &format!("jenkins.{name}"),
        jenkins,
        &settings.service.run_parameter,
        clock.clone(),
    )
}

fn reporting(host: String, concurrency: usize, reporter: Arc<dyn Reporter>) -> Site {
    let poll = Backoff { min: std::time::Duration::ZERO, max: std::time::Duration::ZERO };
    Site {
        host,
        concurrency,
        poll,
        executor: None,
        lab: None,
        reporter: Some(reporter),
        forge: None,
        letters: None,
        tree: None,
    }
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
