//! The settings: compiled-in defaults < files < environment, read once, with every fault named.
//!
//! The defaults and the explanation of each setting are `config/pointsman.toml`.  A variable
//! `POINTSMAN_LEDGER__PATH` is the key `path` of the section `[ledger]`.  A relative path in a
//! file is relative to the folder of that file; in the environment and in the defaults it is
//! relative to the working directory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use self::extract::Reader;
use self::fault::SettingsFault;
use self::layers::Layers;
use self::size::ByteSize;
use crate::command::CommandSettings;
use crate::directory::OptOut;
use crate::executors::jenkins::JenkinsSettings;
use crate::executors::lava::LavaSettings;
use crate::git::settings::GitSettings;
use crate::producer::ProducerSettings;
use crate::remote::gitlab::settings::GitLabSettings;
use crate::reporters::bus::Language;
use crate::reporters::forgejo::ForgejoSettings;
use crate::reporters::github::GithubSettings;
use crate::reporters::mail::MailSettings;
use crate::reporters::mattermost::MattermostSettings;
use crate::reporters::pagure::PagureSettings;
use crate::reporters::patchew::PatchewSettings;
use crate::reporters::patchwork::PatchworkSettings;
use crate::reporters::slack::SlackSettings;
use crate::secret::SecretRef;
use crate::source::amqp::AmqpSettings;
use crate::telemetry::LogSettings;

pub mod fault;
pub mod size;

mod check;
mod extract;
mod layers;
mod listen;
mod pause;
mod schema;

/// The defaults, which every key is explained in.
const DEFAULTS: &str = include_str!("../config/pointsman.toml");

/// Everything that an operator can say, except the rules.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// The service as a whole.
    pub service: ServiceSettings,
    /// The durable store.
    pub ledger: LedgerSettings,
    /// The service's own pages, API and webhooks.
    pub web: WebSettings,
    /// The log.
    pub log: LogSettings,
    /// Topics of the operator's own.
    pub topics: TopicsSettings,
    /// The rules.
    pub rules: RulesSettings,
    /// How commands in comments are spelled and limited.
    pub commands: CommandSettings,
    /// How authors of patch series say that they want no builds.
    pub series: OptOut,
    /// Looking for what no message has told.
    pub reconcile: ReconcileSettings,
    /// How actions are tried.
    pub worker: WorkerSettings,
    /// The broker; without it only the service's own door takes messages.
    pub amqp: Option<AmqpSettings>,
    /// Forgejos and Giteas, by name.
    pub forgejo: BTreeMap<String, ForgejoSettings>,
    /// Repositories that series are put on branches of, by name.
    pub git: BTreeMap<String, GitSettings>,
    /// GitHub, and Enterprises of it, by name.
    pub github: BTreeMap<String, GithubSettings>,
    /// Connections to GitLab, by name.
    pub gitlab: BTreeMap<String, GitLabSettings>,
    /// Jenkinses, by name.
    pub jenkins: BTreeMap<String, JenkinsSettings>,
    /// LAVAs, by name.
    pub lava: BTreeMap<String, LavaSettings>,
    /// People who are written to, by name.
    pub mail: BTreeMap<String, MailSettings>,
    /// Channels of Mattermosts, by name.
    pub mattermost: BTreeMap<String, MattermostSettings>,
    /// Pagures, by name.
    pub pagure: BTreeMap<String, PagureSettings>,
    /// Patchews, by name.
    pub patchew: BTreeMap<String, PatchewSettings>,
    /// Patchworks, by name.
    pub patchwork: BTreeMap<String, PatchworkSettings>,
    /// Those who announce artifacts, by name.
    pub producer: BTreeMap<String, ProducerSettings>,
    /// Channels of Slacks, by name.
    pub slack: BTreeMap<String, SlackSettings>,
}

/// The service as a whole: `[service]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// The build parameter that carries the id of the run.
    pub run_parameter: String,
    /// The largest message that is read; a larger one becomes a dead letter.
    pub message_size_max: ByteSize,
    /// The address by which people reach the service's own pages; reports link there.
    pub page_url: Option<Url>,
    /// The secret of which the tokens are made by which a build says that it has ended.
    pub run_secret: Option<SecretRef>,
    /// The languages in which `to = "bus"` tells of runs.
    pub publish_as: Vec<Language>,
}

/// The durable store: `[ledger]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// The database file.
    pub path: PathBuf,
    /// How long messages, decisions, and runs and actions that are done are kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep: Duration,
    /// How long dead letters and buried actions are kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep_dead: Duration,
    /// How many messages are committed together at most.
    pub batch_max: usize,
}

/// The service's own pages, API and webhooks: `[web]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebSettings {
    /// Address and port to listen on, or `off`.
    #[serde(deserialize_with = "listen::deserialize")]
    #[schemars(with = "String")]
    pub listen: Option<SocketAddr>,
    /// The bearer token that `POST /api/v1/messages` asks for; without one that door is closed.
    pub token: Option<SecretRef>,
    /// The largest body of a request that is read.
    pub body_max: ByteSize,
}

/// Topics of the operator's own: `[topics]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicsSettings {
    /// Folders with topic files, read after those that come with the program.
    pub dirs: Vec<PathBuf>,
}

/// The rules: `[rules]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesSettings {
    /// The folder with the rules.
    pub dir: PathBuf,
}

/// Looking for what no message has told: `[reconcile]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSettings {
    /// How often the open pull requests of a project are compared with what was heard, or `off`.
    #[serde(deserialize_with = "pause::deserialize")]
    #[schemars(with = "String")]
    pub every: Option<Duration>,
    /// What is done with pull requests that are open when a project is looked at for the first
    /// time.
    pub first: FirstLook,
    /// How long a message may be on its way before what it would tell counts as missed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub patience: Duration,
    /// The pause between two projects.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub pause: Duration,
    /// How many projects are looked at.
    pub projects_max: usize,
}

/// What is done with pull requests that were open before somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirstLook {
    /// They are noted: rules hear of what changes about them.
    Note,
    /// They count as opened.
    Build,
}

/// How actions are tried: `[worker]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// How often an action is tried before it is buried.
    pub attempts_max: u32,
    /// The pause after the first try that failed; it doubles up to `backoff_max`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub backoff_min: Duration,
    /// The longest pause between two tries.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub backoff_max: Duration,
    /// How long a shutdown waits for what is in hand.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub grace: Duration,
}

impl Settings {
    /// Reads `files`, later ones over earlier ones, between the compiled-in defaults and the
    /// environment.  Secrets are not read, only where they are kept.
    ///
    /// All faults are told at once.
    pub fn load(files: &[PathBuf]) -> Result<Self, Vec<SettingsFault>> {
        let (layers, faults) = Layers::read(files);
        let mut reader = Reader::new(&layers, faults);
        reader.refuse_unknown_sections();
        let own = Own::read(&mut reader);
        let forgejo = reader.systems("forgejo");
        let git = reader.connections("git");
        let github = reader.systems("github");
        let gitlab = reader.systems("gitlab");
        let jenkins = reader.systems("jenkins");
        let lava = reader.systems("lava");
        let mail = reader.connections("mail");
        let mattermost = reader.connections("mattermost");
        let pagure = reader.systems("pagure");
        let patchew = reader.systems("patchew");
        let patchwork = reader.systems("patchwork");
        let producer = reader.connections("producer");
        let slack = reader.connections("slack");
        reader.refuse_misspelt_variables();
        let faults = reader.finish();
        if !faults.is_empty() {
            return Err(faults);
        }
        let Some(own) = own else { return Err(faults) };
        Ok(Self {
            service: own.service,
            ledger: own.ledger,
            web: own.web,
            log: own.log,
            topics: own.topics,
            rules: own.rules,
            commands: own.commands,
            series: own.series,
            reconcile: own.reconcile,
            worker: own.worker,
            amqp: own.amqp,
            forgejo,
            git,
            github,
            gitlab,
            jenkins,
            lava,
            mail,
            mattermost,
            pagure,
            patchew,
            patchwork,
            producer,
            slack,
        })
    }

    /// The JSON Schema of a settings file, for editors.
    pub fn schema() -> serde_json::Value {
        schema::of_file()
    }
}

/// What there is once, and about the service itself.
struct Own {
    service: ServiceSettings,
    ledger: LedgerSettings,
    web: WebSettings,
    log: LogSettings,
    topics: TopicsSettings,
    rules: RulesSettings,
    commands: CommandSettings,
    series: OptOut,
    reconcile: ReconcileSettings,
    worker: WorkerSettings,
    amqp: Option<AmqpSettings>,
}

impl Own {
    /// Reads it; nothing where there were faults, and all of them are told.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (service, ledger) = (reader.section("service"), reader.section("ledger"));
        let (web, log) = (reader.section("web"), reader.section("log"));
        let (topics, rules) = (reader.section("topics"), reader.section("rules"));
        let (commands, series) = (reader.section("commands"), reader.section("series"));
        let (reconcile, worker) = (reader.section("reconcile"), reader.section("worker"));
        let amqp = reader.section("amqp");
        Some(Self {
            service: service?,
            ledger: ledger?,
            web: web?,
            log: log?,
            topics: topics?,
            rules: rules?,
            commands: commands?,
            series: series?,
            reconcile: reconcile?,
            worker: worker?,
            amqp,
        })
    }
}

#[cfg(test)]
mod tests;
