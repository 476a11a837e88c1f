//! What can be wrong with what is said of a repository that series are put on branches of.

use std::path::Path;

use globset::Glob;

use super::{Complaint, Complaints};
use crate::git::address::Address;
use crate::git::call::Protocol;
use crate::git::guard::Guard;
use crate::git::names::is_branch;
use crate::git::settings::GitSettings;
use crate::settings::extract::Section;

impl Section for GitSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.branches(self);
        complaints.access(self);
        let has_dir = !self.dir.as_os_str().is_empty();
        complaints.when(!has_dir, &["dir"], "is empty");
        complaints.when(
            !is_branch(&self.prefix),
            &["prefix"],
            "cannot be the beginning of a branch's name",
        );
        for option in &self.push_options {
            let is_wrong = option.is_empty() || option.contains(char::is_control);
            complaints.when(is_wrong, &["push_options"], "has one that is empty or no line");
        }
        if let Err(error) = Guard::new(&self.guard) {
            complaints.when(true, &["guard"], &format!("{error:#}"));
        }
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("base_age_max", self.base_age_max);
        complaints.some_time("keep", self.keep);
        complaints.some_time("wait", self.wait);
        complaints.some_time("fetch_timeout", self.fetch_timeout);
        complaints.some_time("apply_timeout", self.apply_timeout);
        complaints.some_time("push_timeout", self.push_timeout);
        complaints.0
    }
}

impl Complaints {
    /// The branches that series are tried upon.
    fn branches(&mut self, git: &GitSettings) {
        self.when(git.bases.is_empty(), &["bases"], "names no branch");
        for name in git.upstreams.keys() {
            let is_name = is_branch(name) && !name.contains('/');
            let message = format!("`{name}` cannot stand before a branch");
            self.when(!is_name, &["upstreams"], &message);
            let message = format!("`{name}` is not used: no branch is named `{name}/…`");
            let is_its = |branch: &&str| git.upstream_of(branch).0 == Some(name.as_str());
            let is_used = git.branches().iter().any(is_its);
            self.when(is_name && !is_used, &["upstreams"], &message);
        }
        let mut named = |key, branches: &[String]| {
            for branch in branches.iter().filter(|branch| !is_branch(branch)) {
                self.when(true, &[key], &format!("has {branch:?}, which is no name of a branch"));
            }
        };
        named("bases", &git.bases);
        git.tags.values().for_each(|branches| named("tags", branches));
        git.paths.values().for_each(|branches| named("paths", branches));
        for glob in git.paths.keys() {
            if let Err(error) = Glob::new(glob) {
                self.when(true, &["paths"], &format!("`{glob}`: {}", error.kind()));
            }
        }
        for (key, names) in [("tags", &git.tags), ("paths", &git.paths)] {
            for (name, branches) in names {
                let message = format!("says of `{name}` no branch");
                self.when(branches.is_empty(), &[key], &message);
            }
        }
    }

    /// The ways to the repositories.
    fn access(&mut self, git: &GitSettings) {
        let all = || [&git.upstream, &git.push].into_iter().chain(git.upstreams.values());
        let uses = |protocol| all().any(|address: &Address| address.protocol() == protocol);
        let is_web = matches!(git.push.protocol(), Protocol::Https | Protocol::Http);
        self.when(
            git.token.is_some() && !is_web,
            &["token"],
            "is not used where `push` is not `https://…`",
        );
        let is_user = !git.user.is_empty()
            && git.user.chars().all(|c| !c.is_control() && !c.is_whitespace() && c != ':');
        self.when(!is_user, &["user"], "is no name of a user");
        for (key, path) in [("ssh_key", &git.ssh_key), ("known_hosts", &git.known_hosts)] {
            let Some(path) = path else { continue };
            let has_ssh = uses(Protocol::Ssh);
            self.when(!has_ssh, &[key], "is not used where no address is `ssh://…`");
            self.when(!is_plain(path), &[key], "has signs in it that ssh gives a meaning");
        }
    }
}

/// Whether ssh takes a path as it is: quotes, `%h`, `${HOME}` and `~` mean something to it.
fn is_plain(path: &Path) -> bool {
    let is_sign = |c: char| c.is_control() || "\"'%$\\~".contains(c);
    path.to_str().is_some_and(|path| !path.is_empty() && !path.contains(is_sign))
}
