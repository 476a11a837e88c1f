//! Labs with boards, and those who announce what is run on them.

use anyhow::Context;

use super::{connection_name, host};
use crate::directory::{Connection, Directory};
use crate::producer::{Announcers, Producer};
use crate::settings::Settings;

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
