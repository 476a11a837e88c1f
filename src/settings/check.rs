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
use crate::source::amqp::AmqpSettings;
use crate::telemetry::{self, LogSettings};

mod artifacts;
mod forges;
mod series;
mod told;
mod trees;

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
        complaints.when(
            self.run_secret.is_some() && self.page_url.is_none(),
            &["run_secret"],
            "needs `page_url`: builds are told where to say that they have ended",
        );
        let languages = &self.publish_as;
        complaints.when(languages.is_empty(), &["publish_as"], "is empty: nothing would be told");
        let is_double = languages
            .iter()
            .enumerate()
            .any(|(at, language)| languages.iter().take(at).any(|earlier| earlier == language));
        complaints.when(is_double, &["publish_as"], "names a language twice");
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

impl Connection for JenkinsSettings {
    fn url(&self) -> &Url {
        &self.url
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }
}
