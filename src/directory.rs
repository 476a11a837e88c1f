//! The outside systems that are configured, as far as rules need to know them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::Form;
use crate::command::Grammar;
use crate::event::proposal::Standing;
use crate::producer::Producers;
use crate::subject::ConnectionName;

/// One configured outside system.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a system")]
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The hosts (with port, if not the usual one) by which it calls itself.
    pub hosts: Vec<String>,
    /// How soon a build is asked after, if this system runs builds.
    pub builds: Option<Duration>,
    /// Names that it gives a meaning of its own, so that no parameter of a build can have them;
    /// one that ends in `*` stands for all that begin so.
    pub reserved: Vec<String>,
    /// The ways in which it can tell people something; the first is the usual one.
    pub forms: &'static [Form],
    /// Whether what lives here are patch series, and not pull requests.
    pub has_series: bool,
    /// Whether its messages are letters, which have room for all that is known.
    pub letters: bool,
    /// Whether series are put on branches of it.
    pub is_tree: bool,
    /// Whether its builds are of branches and tags, so that a rule has to say which.
    pub builds_references: bool,
    /// Whether a job there is a file beside the rules that defines it, and no name.
    pub takes_definitions: bool,
    /// Whether it has boards, and can be asked which.
    pub has_boards: bool,
    /// How often a build is ordered again there whose infrastructure failed, unless a rule says.
    pub retries: u32,
    /// Whether proposals live here, so that it can be the origin of an event.
    pub is_forge: bool,
    /// Whether our comments there can be edited, so that one is kept up to date.
    pub edits: bool,
    /// Whether messages there can follow a run: they are edited, or programs listen.
    pub follows: bool,
    /// What the operator says of people there.
    pub people: People,
    /// Whether people have no other lasting id there than their name.
    pub names_last: bool,
    /// Whether the service itself asks there what is new, so that nobody else has to be believed.
    pub hears_itself: bool,
    /// Whether senders of mails are strangers there unless somebody vouches for them.
    pub vouches: bool,
}

impl Connection {
    /// Whether no parameter of a build there can have this name.
    pub fn reserves(&self, name: &str) -> bool {
        self.reserved.iter().any(|reserved| match reserved.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => reserved == name,
        })
    }
}

/// What the operator says of people on a forge, whatever the forge says: `people = { … }`.
///
/// People are named by the forge's lasting id (a number on most forges, the user name
/// where there is none): names can be given away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// Who counts as one who may merge.
    pub maintainers: BTreeSet<String>,
    /// Who counts as one whom the project lets do something.
    pub contributors: BTreeSet<String>,
    /// Who counts as a stranger, and whose commands are not heeded.
    pub blocked: BTreeSet<String>,
    /// Programs whose comments are read for commands all the same.
    pub bots: BTreeSet<String>,
}

impl People {
    /// What somebody is, where the operator says so; `id` is the lasting one.
    pub fn standing(&self, id: &str) -> Option<Standing> {
        if self.blocked.contains(id) {
            Some(Standing::Stranger)
        } else if self.maintainers.contains(id) {
            Some(Standing::Maintainer)
        } else if self.contributors.contains(id) {
            Some(Standing::Contributor)
        } else {
            None
        }
    }
}

/// How authors of patch series say that they want no builds: `[series]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptOut {
    /// Words in brackets before the title, in any case.
    pub tags: Vec<String>,
    /// Lines of the cover letter or of a patch's message, in any case.
    pub notes: Vec<String>,
}

/// All of them, by name.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    connections: BTreeMap<ConnectionName, Connection>,
    /// How commands are spelled.
    pub commands: Arc<Grammar>,
    /// How authors of series say that they want no builds.
    pub opt_out: OptOut,
    /// Who announces artifacts.
    pub producers: Producers,
}

impl Directory {
    /// Adds a connection.
    pub fn insert(&mut self, name: ConnectionName, connection: Connection) {
        self.connections.insert(name, connection);
    }

    /// The connection called `name`.
    pub fn find(&self, name: &ConnectionName) -> Option<&Connection> {
        self.connections.get(name)
    }

    /// All connections, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&ConnectionName, &Connection)> {
        self.connections.iter()
    }

    /// The forge that calls itself `host`.
    pub fn forge_at(&self, host: &str) -> Option<&ConnectionName> {
        self.at(host, |connection| connection.is_forge)
    }

    /// The executor that calls itself `host`; where no host is told, the only one there is of
    /// those that may not tell.  One that builds branches is a forge, which says where it is.
    pub fn executor_at(&self, host: Option<&str>) -> Option<&ConnectionName> {
        if let Some(host) = host {
            return self.at(host, |connection| connection.builds.is_some());
        }
        let mut executors = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.builds.is_some() && !connection.builds_references);
        match (executors.next(), executors.next()) {
            (Some((only, _)), None) => Some(only),
            (Some(_) | None, _) => None,
        }
    }

    fn at(&self, host: &str, is_right: impl Fn(&Connection) -> bool) -> Option<&ConnectionName> {
        let is_at = |connection: &Connection| connection.hosts.iter().any(|own| own == host);
        let mut found = self
            .connections
            .iter()
            .filter(|(_, connection)| is_right(connection) && is_at(connection));
        found.next().map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ConnectionName {
        ConnectionName::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn what_tells_no_host_is_of_the_only_executor_that_may_not_tell() {
        let builds = Some(Duration::from_secs(10));
        let mut directory = Directory::default();
        let plain = Connection { builds, ..Connection::default() };
        let forge = Connection {
            hosts: vec!["forge.example".to_owned()],
            builds,
            builds_references: true,
            ..Connection::default()
        };
        directory.insert(name("forge.main"), forge);
        assert_eq!(directory.executor_at(None), None);
        assert_eq!(directory.executor_at(Some("forge.example")), Some(&name("forge.main")));
        directory.insert(name("builds.main"), plain.clone());
        assert_eq!(directory.executor_at(None), Some(&name("builds.main")));
        directory.insert(name("builds.other"), plain);
        assert_eq!(directory.executor_at(None), None);
    }

    #[test]
    fn a_reserved_name_may_stand_for_many() {
        let reserved = vec!["CI_*".to_owned(), "RUN".to_owned()];
        let connection = Connection { reserved, ..Connection::default() };
        let is = |name: &str| connection.reserves(name);
        assert!(is("CI_JOB_TOKEN") && is("RUN"));
        assert!(!is("RUNNER") && !is("MY_CI_URL"));
    }
}
