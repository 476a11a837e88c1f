//! What is wrong with settings although each value by itself is right.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use super::extract::Section;
use super::fault::nearest;
use super::{
    LedgerSettings, ReconcileSettings, RulesSettings, ServiceSettings, TopicsSettings, WebSettings,
    WorkerSettings,
};
use crate::command::{CommandSettings, Grammar};
use crate::executors::jenkins::JenkinsSettings;
use crate::reporters::forgejo::ForgejoSettings;
use crate::reporters::github::{Checks, GithubSettings};
use crate::reporters::gitlab::GitLabSettings;
use crate::reporters::pagure::PagureSettings;
use crate::source::amqp::AmqpSettings;
use crate::telemetry::{self, LogSettings};

mod told;

/// Something wrong with one key, or with several together.
pub(super) struct Complaint {
    /// The keys, within the section.
    pub(super) keys: Vec<&'static str>,
    /// What is wrong.
    pub(super) message: String,
}

/// A connection to a system that messages name by its host.
pub(super) trait Connection {
    /// Its address.
    fn url(&self) -> &Url;

    /// Other hosts by which it is known.
    fn aliases(&self) -> &[String];
}

/// The hosts, with port if it is not the usual one, by which a connection is known.
pub(super) fn hosts(connection: &impl Connection) -> BTreeSet<String> {
    let url = connection.url();
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let aliases = connection.aliases().iter();
    aliases.map(|alias| alias.to_ascii_lowercase()).chain([host]).collect()
}

/// Collects complaints.
#[derive(Default)]
struct Complaints(Vec<Complaint>);

impl Complaints {
    /// Complains about `keys` if `is_wrong`.
    fn when(&mut self, is_wrong: bool, keys: &[&'static str], message: &str) {
        if is_wrong {
            self.0.push(Complaint { keys: keys.to_vec(), message: message.to_owned() });
        }
    }

    fn at_least_one<T: Default + PartialEq>(&mut self, key: &'static str, number: &T) {
        self.when(*number == T::default(), &[key], "has to be at least 1");
    }

    fn some_time(&mut self, key: &'static str, duration: Duration) {
        self.when(duration.is_zero(), &[key], "has to be longer than nothing");
    }

    fn in_order(&mut self, keys: [&'static str; 2], durations: [Duration; 2]) {
        let [min, max] = keys;
        let [from, to] = durations;
        let message = format!("`{min}` is longer than `{max}`");
        self.when(from > to, &keys, &message);
    }

    /// An address of a web page or API.  It is shown in logs and reports.
    fn address(&mut self, key: &'static str, url: &Url) {
        let is_web = matches!(url.scheme(), "http" | "https");
        self.when(!is_web, &[key], "is neither `http://` nor `https://`");
        self.when(
            url.password().is_some() || !url.username().is_empty(),
            &[key],
            "carries a user or password, which do not belong into an address",
        );
        self.when(
            url.query().is_some() || url.fragment().is_some(),
            &[key],
            "ends in `?` or `#`, which an address to which paths are added cannot",
        );
    }
}

impl Section for ServiceSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        let name = &self.run_parameter;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        complaints.when(
            !is_name,
            &["run_parameter"],
            "is no name of a build parameter: letters, digits and `_`, no digit first",
        );
        complaints.at_least_one("message_size_max", &self.message_size_max.bytes());
        if let Some(url) = &self.page_url {
            complaints.address("page_url", url);
        }
        complaints.0
    }
}

impl Section for LedgerSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        let has_path = !self.path.as_os_str().is_empty();
        complaints.when(!has_path, &["path"], "is empty");
        complaints.some_time("keep", self.keep);
        complaints.some_time("keep_dead", self.keep_dead);
        complaints.at_least_one("batch_max", &self.batch_max);
        complaints.0
    }
}

impl Section for WebSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.at_least_one("body_max", &self.body_max.bytes());
        complaints.0
    }
}

impl Section for LogSettings {
    fn complaints(&self) -> Vec<Complaint> {
        const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error", "off"];
        let mut complaints = Complaints::default();
        let is_filter = telemetry::filter(&self.filter).is_ok();
        complaints.when(
            !is_filter,
            &["filter"],
            "is neither a level nor directives such as `info,pointsman::worker=debug`",
        );
        for word in self.filter.split(',').map(str::trim) {
            // A word alone that is no level is taken for the name of a module, and silences all
            // others: `inof` would log nothing.
            let is_level = LEVELS.contains(&word.to_ascii_lowercase().as_str());
            let near = nearest(word, LEVELS).filter(|_| !is_level && !word.contains(['=', '[']));
            if let Some(near) = near {
                let message = format!("`{word}` is no level; did you mean `{near}`?");
                complaints.when(true, &["filter"], &message);
            }
        }
        complaints.0
    }
}

impl Section for TopicsSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        let has_empty = self.dirs.iter().any(|dir| dir.as_os_str().is_empty());
        complaints.when(has_empty, &["dirs"], "one of them is empty");
        complaints.0
    }
}

impl Section for RulesSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        let has_dir = !self.dir.as_os_str().is_empty();
        complaints.when(!has_dir, &["dir"], "is empty");
        complaints.0
    }
}

impl Section for CommandSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        for fault in Grammar::faults(self) {
            complaints.when(true, &[fault.key()], &fault.to_string());
        }
        complaints.at_least_one("per_hour", &self.per_hour);
        complaints.0
    }
}

impl Section for ReconcileSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        if let Some(every) = self.every {
            complaints.some_time("every", every);
        }
        complaints.at_least_one("projects_max", &self.projects_max);
        complaints.0
    }
}

impl Section for WorkerSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.at_least_one("attempts_max", &self.attempts_max);
        complaints.some_time("backoff_min", self.backoff_min);
        complaints.in_order(["backoff_min", "backoff_max"], [self.backoff_min, self.backoff_max]);
        complaints.0
    }
}

impl Section for AmqpSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.when(
            self.url.is_none() && self.fedora_messaging.is_none(),
            &["url"],
            "is missing, and `fedora_messaging`, which could tell it, too",
        );
        if let Some(url) = &self.url {
            let url = Url::parse(url).ok();
            let is_broker =
                url.as_ref().is_some_and(|url| matches!(url.scheme(), "amqp" | "amqps"));
            complaints.when(
                !is_broker,
                &["url"],
                "is no address of a broker, such as `amqps://user@broker.example/vhost`",
            );
            complaints.when(
                url.is_some_and(|url| url.password().is_some()),
                &["url"],
                "carries a password: take it out and say in `password` where it is kept",
            );
        }
        complaints.when(
            self.certificate.is_some() && self.key.is_none(),
            &["certificate"],
            "needs the `key` that belongs to it",
        );
        complaints.when(
            self.key.is_some() && self.certificate.is_none(),
            &["key"],
            "needs the `certificate` that it belongs to",
        );
        // Without a limit the broker would pour its whole queue into our memory.
        complaints.at_least_one("prefetch", &self.prefetch);
        complaints.0
    }
}

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
        complaints.at_least_one("concurrency", &self.concurrency);
        complaints.some_time("timeout", self.timeout);
        complaints.0
    }
}

impl Section for JenkinsSettings {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Complaints::default();
        complaints.address("url", &self.url);
        let has_password = self.token.is_some() || self.password.is_some();
        complaints.when(
            self.token.is_some() && self.password.is_some(),
            &["password"],
            "is not used beside `token`: give one of them",
        );
        complaints.when(
            self.user.is_some() && !has_password,
            &["user"],
            "needs a `token` (or a `password`)",
        );
        complaints.when(
            self.user.is_none() && has_password,
            &["user"],
            "is missing: a `token` or `password` is some user's",
        );
        complaints.when(
            self.user.is_none() && !has_password && self.trigger_token.is_none(),
            &["user"],
            "is missing: builds are started with `user` and `token`, or with a `trigger_token`",
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

impl Connection for JenkinsSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
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
