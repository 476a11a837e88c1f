//! Where patch series come from.

use std::sync::Arc;

use crate::action::Form;
use crate::clock::Clock;
use crate::directory::{Connection, Directory};
use crate::reporters::patchew::Patchew;
use crate::settings::Settings;
use crate::source::poll::{Polled, PolledBy};

use super::{connection_name, host};

/// The ways in which the sources of series can tell; the first is the usual one.
const FORMS: &[Form] = &[Form::Flag];

/// Those that have to be asked, by the service or by `pointsman poll`; secrets are read here.
pub fn pollers(settings: &Settings, clock: &Clock) -> anyhow::Result<Vec<Polled>> {
    let mut pollers = Vec::new();
    for (name, patchew) in &settings.patchew {
        if patchew.polled_by == PolledBy::Nobody {
            continue;
        }
        let source = Patchew::new(name, host(&patchew.url), patchew, clock.clone())?;
        pollers.push(Polled {
            connection: connection_name("patchew", Some(name))?,
            poller: Arc::new(source.poller(patchew)),
            every: patchew.poll,
            by: patchew.polled_by,
        });
    }
    Ok(pollers)
}

/// What they can do.
pub(super) fn list(settings: &Settings, directory: &mut Directory) -> anyhow::Result<()> {
    let patchworks =
        settings.patchwork.iter().map(|(name, of)| ("patchwork", name, &of.url, &of.people));
    let patchews = settings.patchew.iter().map(|(name, of)| ("patchew", name, &of.url, &of.people));
    for (kind, name, url, people) in patchworks.chain(patchews) {
        let connection = Connection {
            hosts: vec![host(url)],
            forms: FORMS,
            is_forge: true,
            has_series: true,
            names_last: kind == "patchew",
            people: people.clone(),
            ..Connection::default()
        };
        directory.insert(connection_name(kind, Some(name))?, connection);
    }
    directory.opt_out = settings.series.clone();
    Ok(())
}
