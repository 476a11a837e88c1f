//! Labs with boards, and those who announce what is run on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;

use super::{connection_name, ended_door, host};
use crate::clock::Clock;
use crate::directory::{Connection, Directory};
use crate::executors::lava::{Lava, LavaSettings};
use crate::executors::{Executor, Finding, Lab, Probe};
use crate::producer::{Announcers, Producer};
use crate::settings::Settings;
use crate::subject::ConnectionName;
use crate::worker::Site;
use crate::worker::backoff::Backoff;

/// What they can do.
pub(super) fn list(settings: &Settings, directory: &mut Directory) -> anyhow::Result<()> {
    for (name, lava) in &settings.lava {
        let mut hosts = vec![host(&lava.url)];
        hosts.extend(lava.aliases.iter().map(|alias| alias.to_lowercase()));
        let connection = Connection {
            hosts,
            builds: Some(lava.poll_min),
            takes_definitions: true,
            has_boards: true,
            retries: lava.retries,
            ..Connection::default()
        };
        directory.insert(connection_name("lava", Some(name))?, connection);
    }
    for (name, of) in &settings.producer {
        let producer =
            Producer::new(of).with_context(|| format!("cannot use `producer.{name}`"))?;
        directory.producers.insert(name.clone(), producer);
    }
    Ok(())
}

/// Who may post what they announce; their tokens are read here.
pub fn announcers(settings: &Settings) -> anyhow::Result<Announcers> {
    let mut announcers = Announcers::default();
    for (name, of) in &settings.producer {
        let Some(token) = &of.token else { continue };
        let token = token.read().with_context(|| format!("cannot read `producer.{name}.token`"))?;
        let producer =
            Producer::new(of).with_context(|| format!("cannot use `producer.{name}`"))?;
        announcers.insert(name.clone(), producer, token)?;
    }
    Ok(announcers)
}

/// Adds them as the worker uses them; secrets are read here.
pub(super) fn add(
    settings: &Settings,
    sites: &mut BTreeMap<ConnectionName, Site>,
    clock: &Clock,
) -> anyhow::Result<()> {
    for (name, of) in &settings.lava {
        let lava = Arc::new(lava(settings, (name, of), clock)?);
        let executor: Arc<dyn Executor> = Arc::<Lava>::clone(&lava);
        let lab: Arc<dyn Lab> = lava;
        let site = Site {
            host: host(&of.url),
            concurrency: of.concurrency,
            poll: Backoff { min: of.poll_min, max: of.poll_max },
            executor: Some(executor),
            lab: Some(lab),
            ..Site::nowhere()
        };
        sites.insert(connection_name("lava", Some(name))?, site);
    }
    Ok(())
}

/// Asks each whether it can be used.
pub(super) async fn probe(
    settings: &Settings,
    clock: &Clock,
) -> anyhow::Result<Vec<(ConnectionName, Vec<Finding>)>> {
    let mut findings = Vec::new();
    for (name, of) in &settings.lava {
        let found = lava(settings, (name, of), clock)?.probe(&[]).await;
        findings.push((connection_name("lava", Some(name))?, found));
    }
    Ok(findings)
}

fn lava(
    settings: &Settings,
    (name, of): (&str, &LavaSettings),
    clock: &Clock,
) -> anyhow::Result<Lava> {
    Lava::new(name, of, ended_door(settings)?, clock.clone())
}
