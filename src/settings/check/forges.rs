//! What can be wrong with what is said of forges.

use url::Url;

use super::{Complaint, Complaints, Connection};
use crate::remote::gitlab::settings::GitLabSettings;
use crate::reporters::forgejo::ForgejoSettings;
use crate::reporters::github::{Checks, GithubSettings};
use crate::reporters::pagure::PagureSettings;
use crate::settings::extract::Section;

impl Section for ForgejoSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        let is_long = self.context_prefix.chars().count() > Self::CONTEXT_PREFIX_MAX_CHARS;
        complaints.when(is_long, &["context_prefix"], "is too long to leave room for a name");
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.0
    }
}

impl Section for GithubSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        if let Some(url) = &self.api_url {
            complaints.address("api_url", url);
        }
        let is_app = self.app_id.is_some() || self.private_key.is_some();
        complaints.when(
            self.token.is_none() && !is_app,
            &["token"],
            "is missing, and an App (`app_id` and `private_key`), too: nothing could be reported",
        );
        complaints.when(
            self.token.is_some() && is_app,
            &["token"],
            "is not used beside an App: give one of them",
        );
        complaints.when(
            self.app_id.is_some() != self.private_key.is_some(),
            &["app_id", "private_key"],
            "`app_id` and `private_key` belong together",
        );
        complaints.when(
            self.installation_id.is_some() && self.app_id.is_none(),
            &["installation_id"],
            "needs the `app_id` of the App that is installed",
        );
        complaints.when(
            self.checks == Checks::CheckRun && !is_app,
            &["checks"],
            "check runs need an App (`app_id` and `private_key`): GitHub takes them from no user",
        );
        let prefix = &self.context_prefix;
        complaints.when(
            !prefix.starts_with(Self::OWN_PREFIX)
                || prefix.chars().count() > Self::CONTEXT_PREFIX_MAX_CHARS
                || prefix.contains(char::is_control),
            &["context_prefix"],
            "has to begin with `pointsman`, by which our own states are known, and to be short",
        );
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.0
    }
}

impl Section for GitLabSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        let prefix = &self.context_prefix;
        complaints.when(
            prefix.chars().count() > Self::CONTEXT_PREFIX_MAX_CHARS
                || prefix.contains(char::is_control),
            &["context_prefix"],
            "has to be short, and without control characters",
        );
        let is_path = |name: &String| name.contains('/') && !name.starts_with('/');
        complaints.when(
            !self.trigger_tokens.keys().all(is_path),
            &["trigger_tokens"],
            "are by the paths of projects, such as `\"group/project\" = \"file:…\"`",
        );
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.some_time("poll_min", self.poll_min);
        complaints.in_order(["poll_min", "poll_max"], [self.poll_min, self.poll_max]);
        complaints.0
    }
}

impl Section for PagureSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        complaints.when(
            self.token.is_none() && self.tokens.is_empty(),
            &["token"],
            "is missing, and `tokens` by project, too: nothing could be reported",
        );
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.0
    }
}

impl Connection for ForgejoSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &[]
    }
}

impl Connection for GithubSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &[]
    }
}

impl Connection for GitLabSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &[]
    }
}

impl Connection for PagureSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &[]
    }
}
