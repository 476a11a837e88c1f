//! Where patch series come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{connection_name, host, reporting};
use crate::action::Form;
use crate::clock::Clock;
use crate::command::Grammar;
use crate::directory::{Connection, Directory};
use crate::executors::Finding;
use crate::git::Letters;
use crate::reporters::Reporter;
use crate::reporters::patchew::Patchew;
use crate::reporters::patchwork::freedesktop::Freedesktop;
use crate::reporters::patchwork::{Fork, Patchwork};
use crate::settings::Settings;
use crate::source::poll::{Polled, PolledBy};
use crate::subject::ConnectionName;
use crate::worker::Site;

/// The ways in which the sources of series can tell; the first is the usual one.
const FORMS: &[Form] = &[Form::Flag];

/// Those that have to be asked, by the service or by `pointsman poll`; secrets are read here.
pub fn pollers(settings: &Settings, clock: &Clock) -> anyhow::Result<Vec<Polled>> {
    let mut pollers = Vec::new();
    let grammar = Arc::new(Grammar::new(&settings.commands)?);
    for (name, of) in &settings.patchwork {
        let (at, time) = (host(&of.url), clock.clone());
        let poller = match of.fork {
            Fork::Upstream => Patchwork::poller(name, at, of, (Arc::clone(&grammar), time))?,
            Fork::Freedesktop => Freedesktop::poller(name, at, of, time)?,
        };
        let connection = connection_name("patchwork", Some(name))?;
        pollers.push(Polled { connection, poller, every: of.poll, by: of.polled_by });
    }
    for (name, of) in &settings.patchew {
        let poller = Patchew::poller(name, host(&of.url), of, clock.clone())?;
        let connection = connection_name("patchew", Some(name))?;
        pollers.push(Polled { connection, poller, every: of.poll, by: of.polled_by });
    }
    pollers.retain(|polled| polled.by != PolledBy::Nobody);
    Ok(pollers)
}

/// What they can do.
pub(super) fn list(settings: &Settings, directory: &mut Directory) -> anyhow::Result<()> {
    let patchworks = settings.patchwork.iter().map(|(name, of)| {
        let vouches = of.authserv_id.is_some();
        (("patchwork", name), (&of.url, &of.people), (vouches, of.polled_by))
    });
    let patchews = settings.patchew.iter().map(|(name, of)| {
        (("patchew", name), (&of.url, &of.people), (of.authserv_id.is_some(), of.polled_by))
    });
    for ((kind, name), (url, people), (vouches, polled_by)) in patchworks.chain(patchews) {
        let connection = Connection {
            hosts: vec![host(url)],
            forms: FORMS,
            is_forge: true,
            has_series: true,
            names_last: kind == "patchew",
            vouches,
            hears_itself: polled_by == PolledBy::Service,
            people: people.clone(),
            ..Connection::default()
        };
        directory.insert(connection_name(kind, Some(name))?, connection);
    }
    directory.opt_out = settings.series.clone();
    Ok(())
}

/// Adds them as the worker uses them.
pub(super) fn add(
    settings: &Settings,
    sites: &mut BTreeMap<ConnectionName, Site>,
    clock: &Clock,
) -> anyhow::Result<()> {
    for (name, of) in &settings.patchwork {
        let (at, time) = (host(&of.url), clock.clone());
        let site = match of.fork {
            Fork::Upstream => site(Patchwork::new(name, of, time)?, (at, of.concurrency)),
            Fork::Freedesktop => {
                let own = Freedesktop::new(name, at.clone(), of, time)?;
                site(own, (at, of.concurrency))
            }
        };
        sites.insert(connection_name("patchwork", Some(name))?, site);
    }
    for (name, of) in &settings.patchew {
        let patchew = Patchew::new(name, host(&of.url), of, clock.clone())?;
        let site = site(patchew, (host(&of.url), of.concurrency));
        sites.insert(connection_name("patchew", Some(name))?, site);
    }
    Ok(())
}

/// A source as the worker uses it: reported to, and asked for mails.
fn site<S: Reporter + Letters + 'static>(source: S, (host, concurrency): (String, usize)) -> Site {
    let source = Arc::new(source);
    let reporter: Arc<dyn Reporter> = Arc::<S>::clone(&source);
    Site { letters: Some(source), ..reporting(host, concurrency, reporter) }
}

/// Asks each whether it can be used.
pub(super) async fn probe(
    settings: &Settings,
    clock: &Clock,
) -> anyhow::Result<Vec<(ConnectionName, Vec<Finding>)>> {
    let mut findings = Vec::new();
    for (name, of) in &settings.patchwork {
        let (at, time) = (host(&of.url), clock.clone());
        let found = match of.fork {
            Fork::Upstream => Patchwork::new(name, of, time)?.probe(&of.projects).await,
            Fork::Freedesktop => Freedesktop::new(name, at, of, time)?.probe(&of.projects).await,
        };
        findings.push((connection_name("patchwork", Some(name))?, told(found)));
    }
    for (name, of) in &settings.patchew {
        let found = Patchew::new(name, host(&of.url), of, clock.clone())?.probe(of).await;
        findings.push((connection_name("patchew", Some(name))?, told(found)));
    }
    Ok(findings)
}

fn told(found: Vec<(String, Option<String>)>) -> Vec<Finding> {
    found.into_iter().map(|(subject, problem)| Finding { subject, problem }).collect()
}
