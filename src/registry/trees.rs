//! Repositories that series are put on branches of.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};

use super::connection_name;
use crate::clock::Clock;
use crate::directory::{Connection, Directory};
use crate::executors::Finding;
use crate::executors::ended::EndedDoor;
use crate::executors::gitlab::GitLabCi;
use crate::git::repository::{ReportJob, Repository};
use crate::settings::Settings;
use crate::subject::ConnectionName;
use crate::worker::Site;

/// What they can do.
pub(super) fn list(settings: &Settings, directory: &mut Directory) -> anyhow::Result<()> {
    for (name, git) in &settings.git {
        let service = &settings.service;
        // Without the secret the file of the job is not there, and a pipeline that includes it
        // would never begin.
        ensure!(
            !git.report_job || (service.page_url.is_some() && service.run_secret.is_some()),
            "`git.{name}.report_job` needs `service.page_url` and `service.run_secret`: the job is \
             fetched there, and calls us"
        );
        let connection = Connection { is_tree: true, ..Connection::default() };
        directory.insert(connection_name("git", Some(name))?, connection);
    }
    Ok(())
}

/// Adds them as the worker uses them; secrets are read here.
pub(super) fn add(
    settings: &Settings,
    sites: &mut BTreeMap<ConnectionName, Site>,
    clock: &Clock,
) -> anyhow::Result<()> {
    for (name, git) in &settings.git {
        let tree = repository(settings, name, clock)?;
        let site =
            Site { concurrency: git.concurrency, tree: Some(Arc::new(tree)), ..Site::nowhere() };
        sites.insert(connection_name("git", Some(name))?, site);
    }
    Ok(())
}

fn repository(settings: &Settings, name: &str, clock: &Clock) -> anyhow::Result<Repository> {
    let git = settings.git.get(name).context("no such connection")?;
    let page_url = settings.service.page_url.as_ref().filter(|_| git.report_job);
    let report = page_url.map(|page_url| ReportJob {
        file: GitLabCi::CONFIG_FILE,
        url: EndedDoor::file_address(page_url),
    });
    Repository::new(name, git, report, clock.clone())
}

/// Asks each whether it can be used.
pub(super) async fn probe(
    settings: &Settings,
    clock: &Clock,
) -> anyhow::Result<Vec<(ConnectionName, Vec<Finding>)>> {
    let mut findings = Vec::new();
    for name in settings.git.keys() {
        let found = repository(settings, name, clock)?.probe().await;
        let found = found.into_iter();
        let found = found.map(|(subject, problem)| Finding { subject, problem }).collect();
        findings.push((connection_name("git", Some(name))?, found));
    }
    Ok(findings)
}
