//! The outside systems that are configured, as far as rules need to know them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::Form;
use crate::subject::ConnectionName;

/// One configured outside system.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The hosts (with port, if not the usual one) by which it calls itself.
    pub hosts: Vec<String>,
    /// How soon a build is asked after, if this system runs builds.
    pub builds: Option<Duration>,
    /// Names that it gives a meaning of its own, so that no parameter of a build can have them.
    pub reserved: Vec<String>,
    /// The ways in which it can tell people something; the first is the usual one.
    pub forms: &'static [Form],
    /// Whether proposals live here, so that it can be the origin of an event.
    pub is_forge: bool,
}

/// All of them, by name.
#[derive(Clone, Debug, Default)]
pub struct Directory(BTreeMap<ConnectionName, Connection>);

impl Directory {
    /// Adds a connection.
    pub fn insert(&mut self, name: ConnectionName, connection: Connection) {
        self.0.insert(name, connection);
    }

    /// The connection called `name`.
    pub fn find(&self, name: &ConnectionName) -> Option<&Connection> {
        self.0.get(name)
    }

    /// All connections, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&ConnectionName, &Connection)> {
        self.0.iter()
    }

    /// The forge that calls itself `host`.
    pub fn forge_at(&self, host: &str) -> Option<&ConnectionName> {
        self.at(host, |connection| connection.is_forge)
    }

    /// The executor that calls itself `host`; where no host is told, the only one there is.
    pub fn executor_at(&self, host: Option<&str>) -> Option<&ConnectionName> {
        if let Some(host) = host {
            return self.at(host, |connection| connection.builds.is_some());
        }
        let mut executors = self.0.iter().filter(|(_, connection)| connection.builds.is_some());
        match (executors.next(), executors.next()) {
            (Some((only, _)), None) => Some(only),
            (Some(_) | None, _) => None,
        }
    }

    fn at(&self, host: &str, is_right: impl Fn(&Connection) -> bool) -> Option<&ConnectionName> {
        let is_at = |connection: &Connection| connection.hosts.iter().any(|own| own == host);
        let mut found =
            self.0.iter().filter(|(_, connection)| is_right(connection) && is_at(connection));
        found.next().map(|(name, _)| name)
    }
}
