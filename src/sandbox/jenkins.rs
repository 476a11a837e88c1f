//! A stand-in Jenkins: what it answers, and that it remembers, follows recordings of Jenkins 2.426.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::Router;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use url::Url;

use self::memory::Memory;
use self::notifier::Change;
use crate::clock::Clock;
use crate::sandbox::serve::Server;

mod door;
mod memory;
pub mod notifier;
mod pages;
mod queue;
mod start;
#[cfg(test)]
mod tests;

/// A job; folders in its name are separated by `/`.
#[derive(Clone, Debug, Default)]
pub struct JobSpec {
    /// The full name.
    pub name: String,
    /// What it can be told.
    pub parameters: Vec<ParameterSpec>,
    /// Whether starts are refused with 409.
    pub disabled: bool,
    /// The "trigger builds remotely" token.
    pub trigger_token: Option<String>,
    /// Whether several builds may run at once; otherwise the next is blocked.
    pub concurrent: bool,
    /// A label that no node has, so that its builds are stuck in the queue.
    pub label: Option<String>,
    /// Whether a build goes on when it is told to stop, until it is finished by hand.
    pub ignores_stop: bool,
}

impl JobSpec {
    /// A job with string parameters, whose builds may run side by side.
    pub fn new(name: &str, parameters: &[&str]) -> Self {
        let parameter = |name: &&str| ParameterSpec::new(name, ParameterKind::Text, "");
        Self {
            name: name.to_owned(),
            parameters: parameters.iter().map(parameter).collect(),
            concurrent: true,
            ..Self::default()
        }
    }
}

/// A parameter that a job defines.
#[derive(Clone, Debug)]
pub struct ParameterSpec {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub kind: ParameterKind,
    /// Its value when none is given.
    pub default: String,
}

impl ParameterSpec {
    /// A parameter.
    pub fn new(name: &str, kind: ParameterKind, default: &str) -> Self {
        Self { name: name.to_owned(), kind, default: default.to_owned() }
    }
}

/// What a parameter takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Any text.
    Text,
    /// `true`, or anything else for false.
    Boolean,
    /// One of these; any other is answered with 500.
    Choice(Vec<String>),
    /// A text that is never shown, except in messages.
    Password,
}

/// Somebody with an account.  As soon as there is one, strangers may only read.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// The name.
    pub name: String,
    /// The API token.
    pub token: Option<String>,
    /// The password; it needs a crumb.
    pub password: Option<String>,
    /// Whether builds may be started and cancelled.
    pub may_build: bool,
}

/// How the stand-in feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Normal,
    /// It answers 503 without `Retry-After`.
    StartingUp,
    /// It answers everything with this status.
    Failing(u16),
    /// It answers everything with 429.
    TooMany {
        /// In seconds.
        retry_after: u64,
    },
    /// It takes requests and answers none until the mood changes.
    Hanging,
    /// It takes orders and begins none.
    QuietDown,
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildResult {
    /// `SUCCESS`
    Success,
    /// `UNSTABLE`
    Unstable,
    /// `FAILURE`
    Failure,
    /// `ABORTED`
    Aborted,
    /// `NOT_BUILT`
    NotBuilt,
    /// A word that Jenkins itself does not use.
    Other(String),
}

impl BuildResult {
    /// Jenkins' word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Success => "SUCCESS",
            Self::Unstable => "UNSTABLE",
            Self::Failure => "FAILURE",
            Self::Aborted => "ABORTED",
            Self::NotBuilt => "NOT_BUILT",
            Self::Other(word) => word,
        }
    }
}

/// A build that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRecord {
    /// The full name of its job.
    pub job: String,
    /// Its number.
    pub number: u64,
    /// The entry of the queue that it was.
    pub queue_id: u64,
    /// What it was told, in clear text.
    pub parameters: BTreeMap<String, String>,
    /// Jenkins' sentence about where it came from.
    pub cause: String,
    /// How it ended, once it has.
    pub result: Option<BuildResult>,
    /// Whether it goes on.
    pub running: bool,
}

/// Chooses how a build ends.
pub type Chooser = Arc<dyn Fn(&BuildRecord) -> BuildResult + Send + Sync>;

/// What happens by itself.
#[derive(Clone, Default)]
pub enum Automatic {
    /// Nothing: builds wait for [`JenkinsStandIn::begin`].
    #[default]
    Nothing,
    /// Builds begin when they are ordered, and wait for [`JenkinsStandIn::finish`].
    Begin,
    /// Builds begin when they are ordered, and end at once.
    Finish(Chooser),
    /// Builds begin when they are ordered, and end after a while.
    FinishAfter(Duration, Chooser),
}

/// A Jenkins that is none.  Clones are handles of the same; with the last one its server ends.
#[derive(Clone)]
pub struct JenkinsStandIn {
    world: Arc<World>,
    server: Arc<tokio::sync::Mutex<Option<Server>>>,
}

/// What outlives the server.
struct World {
    memory: Mutex<Memory>,
    mood: watch::Sender<Mood>,
    later: Mutex<JoinSet<()>>,
    changes: broadcast::Sender<Change>,
}

impl JenkinsStandIn {
    /// How many changes a slow listener may fall behind before it loses the oldest.
    const CHANGES_MAX: usize = 1024;

    /// Starts at any free port of this machine.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts at `address`.
    pub async fn start_on(address: SocketAddr) -> anyhow::Result<Self> {
        let own = Url::parse(&format!("http://{address}/"))?;
        let (changes, _) = broadcast::channel(Self::CHANGES_MAX);
        let world = Arc::new(World {
            memory: Mutex::new(Memory::new(own, Clock::system(), changes.clone())),
            mood: watch::Sender::new(Mood::Normal),
            later: Mutex::default(),
            changes,
        });
        let this = Self { world, server: Arc::default() };
        this.restart().await?;
        Ok(this)
    }

    /// Dies: nothing is answered, the port is closed, the memory is kept.
    pub async fn stop(&self) {
        let server = self.server.lock().await.take();
        if let Some(server) = server {
            server.stop().await;
        }
    }

    /// Comes back at the port it had; nothing if it is there.  Entries of the queue that have left
    /// it are forgotten, as they are when Jenkins is started again.
    pub async fn restart(&self) -> anyhow::Result<()> {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let router = Router::new().fallback(door::answer).with_state(Arc::clone(&self.world));
            let own = self.world.memory().own.clone();
            let port = own.port_or_known_default().unwrap_or_default();
            let host = own.host_str().unwrap_or_default();
            let started = Server::start(format!("{host}:{port}").parse()?, router).await?;
            let url = format!("http://{}{}", started.address(), own.path());
            let mut memory = self.world.memory();
            memory.own = Url::parse(&url)?;
            memory.forget_left_items();
            drop(memory);
            *server = Some(started);
        }
        Ok(())
    }

    /// Where to ask, prefix included.
    pub fn url(&self) -> Url {
        self.world.memory().own.clone()
    }

    /// Moves everything below `/prefix`, as `--prefix` does.
    pub fn set_prefix(&self, prefix: &str) {
        let path = format!("/{}/", prefix.trim_matches('/'));
        self.world.memory().own.set_path(&path);
    }

    /// Has build URLs follow `root` instead of the address that is asked, as the configured root
    /// URL does.
    pub fn set_root_url(&self, root: Url) {
        self.world.memory().root = Some(root);
    }

    /// Adds a job, or replaces its definition.
    pub fn add_job(&self, spec: JobSpec) {
        self.world.memory().add_job(spec);
    }

    /// Adds an account; from the first on, strangers may only read.
    pub fn add_user(&self, user: User) {
        self.world.memory().users.push(user);
    }

    /// Ends all sessions, and with them their crumbs.
    pub fn forget_sessions(&self) {
        self.world.memory().sessions.clear();
    }

    /// Forgets the entries of the queue that have left it, as time and restarts do.
    pub fn forget_left_items(&self) {
        self.world.memory().forget_left_items();
    }

    /// Removes a build from the history.
    pub fn delete_build(&self, job: &str, number: u64) {
        self.world.memory().delete_build(job, number);
    }

    /// Changes the mood.
    pub fn set_mood(&self, mood: Mood) {
        let mut memory = self.world.memory();
        memory.is_quiet = mood == Mood::QuietDown;
        memory.begin_all();
        drop(memory);
        self.world.run_later();
        self.world.mood.send_replace(mood);
    }

    /// Chooses what happens by itself from now on.
    pub fn set_automatic(&self, automatic: Automatic) {
        self.world.memory().automatic = automatic;
    }

    /// Obeys the next `count` starts, and drops the connection instead of answering.
    pub fn lose_answers(&self, count: u32) {
        self.world.memory().answers_to_lose = count;
    }

    /// Has somebody start a build on the page of `job`; what they do not fill in has its default.
    /// False if there is no such job.
    pub fn order(&self, job: &str, user: &str, parameters: &[(&str, &str)]) -> bool {
        let is_taken = self.world.memory().order(job, user, parameters);
        self.world.run_later();
        is_taken
    }

    /// Begins the build of `job` that has waited longest; its number, if there is one.
    pub fn begin(&self, job: &str) -> Option<u64> {
        let number = self.world.memory().begin_oldest(job);
        self.world.run_later();
        number
    }

    /// Ends a build; false if it does not run.
    pub fn finish(&self, job: &str, number: u64, result: BuildResult) -> bool {
        self.world.finish(job, number, result)
    }

    /// The builds of a job that have begun, oldest first.
    pub fn builds(&self, job: &str) -> Vec<BuildRecord> {
        self.world.memory().records(job)
    }

    /// The ids of the entries of the queue that wait, oldest first.
    pub fn waiting(&self) -> Vec<u64> {
        self.world.memory().waiting()
    }

    /// The starts that were taken: job and parameters by name, passwords masked.
    pub fn asked(&self) -> Vec<String> {
        self.world.memory().asked.iter().cloned().collect()
    }

    /// The requests that came: method, path and query, as a log of accesses has them.
    pub fn requests(&self) -> Vec<String> {
        self.world.memory().requests.iter().cloned().collect()
    }

    /// What happens from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.world.changes.subscribe()
    }
}

impl World {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(self: &Arc<Self>, job: &str, number: u64, result: BuildResult) -> bool {
        let is_finished = self.memory().finish(job, number, result);
        self.run_later();
        is_finished
    }

    /// Lets the builds that have begun by themselves end in their time.
    fn run_later(self: &Arc<Self>) {
        let due = std::mem::take(&mut self.memory().due);
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        while later.try_join_next().is_some() {}
        for end in due {
            let world = Arc::downgrade(self);
            later.spawn(async move {
                tokio::time::sleep(end.after).await;
                if let Some(world) = Weak::upgrade(&world) {
                    world.finish(&end.job, end.number, end.result);
                }
            });
        }
    }
}
