//! Our own repository: made where it is missing, and used by everything that is done to it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use tokio::sync::Mutex;
use url::Url;

use super::access::Access;
use super::apply::Committer;
use super::call::{Call, Limits, Output, Protocol};
use super::guard::Guard;
use super::process::Git;
use super::settings::GitSettings;
use super::upstream::lock;
use crate::clock::Clock;
use crate::remote::Failure;

/// All that the settings of the folder say.  Whatever else somebody has written into them could
/// have git run programs or go elsewhere.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";

/// When garbage is worth collecting, and how much that may cost.  The history of the upstream is
/// packed once and for all when it is fetched.
const GC_CONFIG: [(&str, &str); 6] = [
    ("gc.auto", "2000"),
    ("gc.autoPackLimit", "40"),
    ("gc.bigPackThreshold", "256m"),
    ("gc.pruneExpire", "2.weeks.ago"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "256m"),
];
const GC_LIMITS: Limits =
    Limits { time: Duration::from_hours(1), cpu: Duration::from_hours(1), ..Limits::FETCH };

/// The job by which a build tells us how it ended.
#[derive(Clone, Debug)]
pub struct ReportJob {
    /// The file that says how a change is built, at the top of the repository.
    pub file: &'static str,
    /// Where the file with the job is fetched.
    pub url: Url,
}

/// A repository that series are put on branches of.
pub struct Repository {
    /// What it is called in rules: `git.linux`.
    pub(super) name: String,
    pub(super) settings: GitSettings,
    pub(super) git: Git,
    pub(super) access: Access,
    pub(super) committer: Committer,
    pub(super) guard: Guard,
    pub(super) report: Option<ReportJob>,
    pub(super) clock: Clock,
    /// When the last fetch of all branches began.
    pub(super) fetched: Mutex<Option<Timestamp>>,
    /// Whether the folder was seen to be a repository.
    is_ready: AtomicBool,
}

impl Repository {
    /// The repository that rules call `git.<name>`; the secret is read here, and nothing outside
    /// is reached.  With `report` each branch ends with a commit that adds that job.
    pub fn new(
        name: &str,
        settings: &GitSettings,
        report: Option<ReportJob>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let name = format!("git.{name}");
        let what = || format!("cannot use `{name}`");
        let addresses = [&settings.upstream, &settings.push].into_iter();
        let mut protocols: Vec<Protocol> = addresses
            .chain(settings.upstreams.values())
            .map(super::address::Address::protocol)
            .collect();
        protocols.sort();
        protocols.dedup();
        Ok(Self {
            git: Git::open(&settings.dir, &protocols).with_context(what)?,
            access: Access::new(settings).with_context(what)?,
            committer: Committer {
                name: settings.committer.name.clone(),
                email: settings.committer.email.clone(),
            },
            guard: Guard::new(&settings.guard).with_context(what)?,
            report,
            settings: settings.clone(),
            clock,
            fetched: Mutex::default(),
            is_ready: AtomicBool::new(false),
            name,
        })
    }

    /// The folder that everything of ours is in.
    pub(super) fn dir(&self) -> &Path {
        &self.settings.dir
    }

    /// Makes the repository if it is not there, or not any more, and sees to it that it is one.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        if self.is_ready.load(Ordering::Relaxed) && self.git.repository().exists() {
            return Ok(());
        }
        self.git.version().await.map_err(|error| self.retry(&format!("{error:#}")))?;
        let _lock = lock(&self.dir().join("open.lock"), self.settings.apply_timeout).await?;
        if !self.git.repository().exists() {
            self.init().await?;
            *self.fetched.lock().await = None;
        }
        self.write_config().map_err(|error| self.retry(&format!("{error:#}")))?;
        self.local(Call::new(["rev-parse", "--is-bare-repository"])).await?;
        self.is_ready.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Makes the repository beside its place, so that what is in its place is whole.
    async fn init(&self) -> Result<(), Failure> {
        let new = self.dir().join("repository.new");
        let place = |error: std::io::Error| {
            let what = format!("{}: cannot make `{}`", self.name, new.display());
            Failure::retry(anyhow::Error::new(error).context(what))
        };
        if new.exists() {
            std::fs::remove_dir_all(&new).map_err(place)?;
        }
        let init = ["init", "--quiet", "--bare", "--template=", "--initial-branch=none"];
        self.git.succeed(Call::new(init).env("GIT_DIR", &new)).await?;
        std::fs::rename(&new, self.git.repository()).map_err(place)?;
        tracing::info!("{}: made the repository in `{}`", self.name, self.dir().display());
        Ok(())
    }

    /// Sees to it that the folder's own settings say nothing but what we have written.
    fn write_config(&self) -> anyhow::Result<()> {
        let path = self.git.repository().join("config");
        let stands = std::fs::read_to_string(&path).ok();
        if stands.as_deref() == Some(CONFIG) {
            return Ok(());
        }
        let new: PathBuf = path.with_extension("new");
        let what = || format!("cannot write `{}`", path.display());
        std::fs::write(&new, CONFIG).with_context(what)?;
        std::fs::rename(&new, &path).with_context(what)
    }

    /// Packs what lies about, and drops what nothing refers to and is older than two weeks, if
    /// there is enough of it.
    ///
    /// What a series in hand needs is younger, or referred to: nobody has to wait for this.
    pub(super) async fn collect_garbage(&self) -> Result<(), Failure> {
        let _lock = lock(&self.dir().join("gc.lock"), GC_LIMITS.time).await?;
        let mut call = Call::new(["gc", "--auto", "--quiet"]).limits(GC_LIMITS);
        for (key, value) in GC_CONFIG {
            call = call.setting(key, value);
        }
        self.local(call).await?;
        Ok(())
    }

    /// Runs git for something that needs nothing but our own repository: where it cannot be done,
    /// the folder is at fault.
    pub(super) async fn local(&self, call: Call) -> Result<Output, Failure> {
        let output = self.git.run(call).await?;
        if output.is_done() {
            return Ok(output);
        }
        Err(Failure::retry(anyhow!(
            "{}: the repository in `{}` is damaged ({}): once it is moved away, it is made anew",
            self.name,
            self.git.repository().display(),
            output.complaint()
        )))
    }
}
