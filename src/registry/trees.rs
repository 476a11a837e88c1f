//! Repositories that series are put on branches of.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::ensure;

use super::connection_name;
use crate::clock::Clock;
use crate::directory::{Connection, Directory};
use crate::executors::Finding;
use crate::git::repository::Repository;
use crate::settings::Settings;
use crate::subject::ConnectionName;
use crate::worker::Site;

/// What they can do.
pub(super) fn list(settings: &Settings, directory: &mut Directory) -> anyhow::Result<()> {
    for (name, git) in &settings.git {
        ensure!(
            !git.report_job || settings.service.page_url.is_some(),
            "`git.{name}.report_job` needs `service.page_url`: the job calls us there"
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
        let tree = Repository::new(name, git, clock.clone())?;
        let site =
            Site { concurrency: git.concurrency, tree: Some(Arc::new(tree)), ..Site::nowhere() };
        sites.insert(connection_name("git", Some(name))?, site);
    }
    Ok(())
}

/// Asks each whether it can be used.
pub(super) async fn probe(
    settings: &Settings,
    clock: &Clock,
) -> anyhow::Result<Vec<(ConnectionName, Vec<Finding>)>> {
    let mut findings = Vec::new();
    for (name, git) in &settings.git {
        let found = Repository::new(name, git, clock.clone())?.probe().await;
        let found = found.into_iter();
        let found = found.map(|(subject, problem)| Finding { subject, problem }).collect();
        findings.push((connection_name("git", Some(name))?, found));
    }
    Ok(findings)
}
