//! Keeping our own repository as new as its upstreams.
//!
//! What is fetched, and to where, is said with each call: there are no remotes in the settings of
//! the folder.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use super::address::Address;
use super::call::{Call, Limits};
use super::repository::Repository;
use super::settings::GitSettings;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// What old versions of git have let pass, and what old histories are full of.
const OLD_SINS: [&str; 6] = [
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
];

/// The first fetch of a repository brings all of its history.
const FIRST_FETCH_FACTOR: u32 = 6;

/// How often it is tried to have a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(200);

/// The branches of the upstreams that are fetched and there, in the order of
/// [`GitSettings::branches`].
pub(super) type Branches = Vec<(String, CommitSha)>;

/// Where a branch of an upstream is kept in our own repository.
pub(super) fn reference(settings: &GitSettings, branch: &str) -> String {
    match settings.upstream_of(branch) {
        (None, branch) => format!("refs/upstream/{branch}"),
        (Some(name), branch) => format!("refs/upstreams/{name}/{branch}"),
    }
}

/// What branches are called at their upstream, in full.
pub(super) fn heads(branches: &[(&str, &str)]) -> Vec<String> {
    branches.iter().map(|(_, there)| format!("refs/heads/{there}")).collect()
}

impl Repository {
    /// Sees to it that the branches of the upstreams are as they were at `asked`, or later: they
    /// are fetched, but where somebody has done so not longer before than `window`.
    ///
    /// Many who wait for this at once wait for one fetch.
    pub(super) async fn refresh(&self, asked: Timestamp, window: Duration) -> Result<(), Failure> {
        let mut fetched = self.fetched.lock().await;
        let is_new = fetched.is_some_and(|at| {
            asked.duration_since(at) <= jiff::SignedDuration::try_from(window).unwrap_or_default()
        });
        if is_new {
            return Ok(());
        }
        let _lock = lock(&self.dir().join("fetch.lock"), self.settings.fetch_timeout).await?;
        let began = self.clock.now();
        for (upstream, branches) in self.by_upstream() {
            self.fetch(self.upstream_at(upstream), &branches).await?;
        }
        *fetched = Some(began);
        Ok(())
    }

    /// The branches of each upstream, and what each is called there.
    pub(super) fn by_upstream(&self) -> BTreeMap<Option<&str>, Vec<(&str, &str)>> {
        let mut by_upstream: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for branch in self.settings.branches() {
            let (upstream, there) = self.settings.upstream_of(branch);
            by_upstream.entry(upstream).or_default().push((branch, there));
        }
        by_upstream
    }

    /// Where an upstream is.
    pub(super) fn upstream_at(&self, upstream: Option<&str>) -> &Address {
        let further = upstream.and_then(|name| self.settings.upstreams.get(name));
        further.unwrap_or(&self.settings.upstream)
    }

    /// Fetches `branches`, each with what it is called there, as far as there is news.
    async fn fetch(&self, address: &Address, branches: &[(&str, &str)]) -> Result<(), Failure> {
        let heads = heads(branches);
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        let there: BTreeMap<_, _> = self.listed(address, &heads).await?.into_iter().collect();
        let here: BTreeMap<_, _> = self.references().await?.into_iter().collect();
        let mut call = Call::new([
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-show-forced-updates",
            "--refmap=",
        ]);
        call = OLD_SINS
            .iter()
            .fold(call, |call, sin| call.setting(&format!("fetch.fsck.{sin}"), "warn"));
        call = call.arg("--").arg(address.as_str());
        let mut has_news = false;
        for ((branch, _), head) in branches.iter().zip(heads) {
            let own = reference(&self.settings, branch);
            match there.get(head) {
                Some(sha) if here.get(&own) == Some(sha) => {}
                Some(_) => {
                    call = call.arg(format!("+{head}:{own}"));
                    has_news = true;
                }
                None => self.drop_branch(branch, &own, here.contains_key(&own)).await?,
            }
        }
        if !has_news {
            return Ok(());
        }
        let factor = if here.is_empty() { FIRST_FETCH_FACTOR } else { 1 };
        let limits =
            Limits { time: self.settings.fetch_timeout.saturating_mul(factor), ..Limits::FETCH };
        let output = self.git.run(self.access.open(call.limits(limits), address)).await?;
        if output.is_done() {
            return Ok(());
        }
        Err(self.retry(&format!("cannot fetch `{address}`: {}", output.complaint())))
    }

    /// A branch that the upstream has no more is no base; it may come back.
    async fn drop_branch(&self, branch: &str, own: &str, is_here: bool) -> Result<(), Failure> {
        tracing::warn!("{}: the upstream has no branch `{branch}`", self.name);
        if is_here {
            self.git.succeed(Call::new(["update-ref", "-d", own])).await?;
        }
        Ok(())
    }

    /// The branches of the upstreams as they were fetched.
    pub(super) async fn branches(&self) -> Result<Branches, Failure> {
        let here: BTreeMap<_, _> = self.references().await?.into_iter().collect();
        let branches = self.settings.branches().into_iter().filter_map(|branch| {
            let sha = here.get(&reference(&self.settings, branch))?;
            Some((branch.to_owned(), sha.clone()))
        });
        Ok(branches.collect())
    }

    async fn references(&self) -> Result<Vec<(String, CommitSha)>, Failure> {
        // To tell the type the commit is looked at: one that is lost is told here.
        let list = ["for-each-ref", "--format=%(refname) %(objectname) %(objecttype)"];
        let call = Call::new(list).arg("refs/upstream/").arg("refs/upstreams/");
        let text = self.local(call).await?.text();
        let read = |line: &str| {
            let mut words = line.split(' ');
            let (name, sha) = (words.next()?, words.next()?);
            Some((name.to_owned(), CommitSha::try_from(sha.to_owned()).ok()?))
        };
        Ok(text.lines().filter_map(read).collect())
    }

    /// Those branches of the upstreams that have the commit `sha`, in order.
    pub(super) async fn branches_with(&self, sha: &CommitSha) -> Result<Vec<String>, Failure> {
        let contains = format!("--contains={sha}");
        let call = Call::new(["for-each-ref", "--format=%(refname)", contains.as_str()]);
        let output = self.git.run(call.arg("refs/upstream/").arg("refs/upstreams/")).await?;
        // What is no commit of ours is on no branch.
        let text = if output.is_done() { output.text() } else { String::new() };
        let is_with = |branch: &&str| {
            let own = reference(&self.settings, branch);
            text.lines().any(|line| line == own)
        };
        Ok(self.settings.branches().into_iter().filter(is_with).map(str::to_owned).collect())
    }
}

/// Waits until nobody else, of this process or another, has the lock at `path`.
pub(super) async fn lock(path: &Path, patience: Duration) -> Result<File, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::retry(
            anyhow::Error::new(error).context(format!("cannot lock `{}`", path.display())),
        )
    };
    let open = File::options().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(cannot)?;
    let have = async {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
    };
    let had = tokio::time::timeout(patience, have).await;
    had.context("another process holds it all the time")
        .with_context(|| format!("cannot lock `{}`", path.display()))
        .map_err(Failure::retry)??;
    Ok(file)
}
