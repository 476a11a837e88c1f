//! What can be wrong with what is said of patch series and of where they come from.

use url::Url;

use super::{Complaint, Complaints, Connection};
use crate::directory::OptOut;
use crate::reporters::patchew::{PatchewSettings, Role};
use crate::reporters::patchwork::{Fork, PatchworkSettings};
use crate::settings::extract::Section;

impl Section for OptOut {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        let is_blank = |words: &[String]| words.iter().any(|word| word.trim().is_empty());
        complaints.when(is_blank(&self.tags), &["tags"], "has an empty word in it");
        complaints.when(is_blank(&self.notes), &["notes"], "has an empty line in it");
        complaints.0
    }
}

impl Section for PatchworkSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        complaints.when(self.projects.is_empty(), &["projects"], "names no project");
        complaints.when(
            self.username.is_some() != self.password.is_some(),
            &["username", "password"],
            "`username` and `password` belong together",
        );
        complaints.when(
            self.fork == Fork::Freedesktop && self.token.is_some(),
            &["token"],
            "is not known to the Patchwork of freedesktop.org: give `username` and `password`",
        );
        complaints.when(
            self.fork == Fork::Freedesktop && self.authserv_id.is_some(),
            &["authserv_id"],
            "does not help: the Patchwork of freedesktop.org does not show what mail servers say",
        );
        complaints.when(
            !is_slug(&self.context_prefix),
            &["context_prefix"],
            "has other characters than `a-z`, `A-Z`, `0-9`, `-` and `_`, or more than 100 of them",
        );
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.some_time("poll", self.poll);
        complaints.some_time("incomplete", self.incomplete);
        complaints.some_time("age_max", self.age_max);
        complaints.0
    }
}

/// Whether it can begin the name of a check.
fn is_slug(prefix: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    prefix.len() <= PatchworkSettings::CONTEXT_PREFIX_MAX_CHARS && prefix.chars().all(is_letter)
}

impl Section for PatchewSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        complaints.when(self.projects.is_empty(), &["projects"], "names no project");
        complaints.when(
            self.username.is_some() != self.password.is_some(),
            &["username", "password"],
            "`username` and `password` belong together",
        );
        complaints.when(self.roles.is_empty(), &["roles"], "names no role, so nothing is heard of");
        let needs_account = self.roles.iter().any(|role| *role != Role::Search);
        complaints.when(
            needs_account && self.username.is_none(),
            &["username"],
            "is missing: queues are only for those who have an account",
        );
        let is_blank = self.authserv_id.as_ref().is_some_and(|server| server.trim().is_empty());
        complaints.when(is_blank, &["authserv_id"], "is empty");
        complaints.when(self.tester.trim().is_empty(), &["tester"], "is empty");
        let is_blank = self.capabilities.iter().any(|word| word.trim().is_empty());
        complaints.when(is_blank, &["capabilities"], "has an empty word in it");
        let is_blank = self.target_repo.as_ref().is_some_and(|target| target.trim().is_empty());
        complaints.when(is_blank, &["target_repo"], "is empty");
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.some_time("poll", self.poll);
        complaints.some_time("age_max", self.age_max);
        complaints.0
    }
}

impl Connection for PatchworkSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &[]
    }
}

impl Connection for PatchewSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &[]
    }
}
