//! Series that others build upon: their branches as bases, and their patches upon other bases.

use std::collections::BTreeSet;

use super::apply::{self, Fit};
use super::base::Candidate;
use super::call::{Call, Limits};
use super::repository::Repository;
use super::stop::Stop;
use super::touched::Touched;
use super::{Dependency, Work};
use crate::event::series::Refusal;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// In how many commits a patch is looked for.
const COMMITS_MAX: &str = "--max-count=500";

impl Repository {
    /// Whether the commit `sha` is in our repository.
    pub(super) async fn has(&self, sha: &CommitSha) -> Result<bool, Failure> {
        let call = Call::new(["cat-file", "-e"]).arg(format!("{sha}^{{commit}}"));
        Ok(self.git.run(call).await?.is_done())
    }

    /// Whether the branch of a dependency is in our repository, or can be brought back to it.
    pub(super) async fn has_dependency(&self, dependency: &Dependency) -> Result<bool, Failure> {
        let branch = &dependency.branch;
        if self.has(&branch.sha).await? {
            return Ok(true);
        }
        if self.pushed(&branch.name).await?.as_ref() == Some(&branch.sha) {
            self.bring_back(&branch.name, &format!("refs/heads/{}", branch.name)).await?;
        }
        self.has(&branch.sha).await
    }

    /// Fetches a branch from where ours are pushed to, and keeps it as `reference`.
    pub(super) async fn bring_back(&self, name: &str, reference: &str) -> Result<(), Failure> {
        let address = &self.settings.push;
        let limits = Limits { time: self.settings.fetch_timeout, ..Limits::FETCH };
        let call = Call::new(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"])
            .arg("--no-recurse-submodules")
            .arg("--refmap=")
            .arg("--")
            .arg(address.as_str())
            .arg(format!("+refs/heads/{name}:{reference}"))
            .limits(limits);
        let output = self.git.run(self.access.open(call, address)).await?;
        if output.is_done() {
            return Ok(());
        }
        Err(self.retry(&format!("cannot fetch `{name}` from `{address}`: {}", output.complaint())))
    }

    /// The commit that the series is put upon for `candidate`: that commit itself, with whatever
    /// the series depends on and is not in it put upon it.
    pub(super) async fn base_for(
        &self,
        candidate: &Candidate,
        work: &Work<'_>,
    ) -> Result<CommitSha, Stop> {
        let mut tip = candidate.sha.clone();
        for dependency in &work.dependencies {
            tip = self.stack(dependency, tip).await?;
        }
        Ok(tip)
    }

    /// Puts those patches of `dependency` upon `tip` that are not there.
    async fn stack(&self, dependency: &Dependency, tip: CommitSha) -> Result<CommitSha, Stop> {
        let has_branch = self.has_dependency(dependency).await?;
        if has_branch && self.is_ancestor(dependency.tip(), &tip).await? {
            return Ok(tip);
        }
        // Whether they may be built was asked when they were put on their own branch.
        let how = self.how(Fit::Plain, true);
        let all = apply::read(&self.git, &dependency.letters, &how).await?;
        let touched = Touched::of(all.diffs());
        let there = if has_branch {
            self.patches_of(dependency, &tip, &touched).await?
        } else {
            vec![false; dependency.letters.len()]
        };
        let letters = dependency.letters.iter().zip(there);
        let missing: Vec<Vec<u8>> =
            letters.filter(|(_, is_there)| !is_there).map(|(letter, _)| letter.clone()).collect();
        if missing.is_empty() {
            return Ok(tip);
        }
        let patches = apply::read(&self.git, &missing, &how).await?;
        match self.put(&tip, &patches, &how).await {
            Ok(applied) => Ok(applied.commits.last().cloned().unwrap_or(tip)),
            Err(Stop::Conflict(refusal)) => Err(Stop::Conflict(Refusal {
                reason: format!("what it depends on does not apply: {}", refusal.reason),
                ..Refusal::default()
            })),
            Err(stop) => Err(stop),
        }
    }

    async fn is_ancestor(&self, sha: &CommitSha, of: &CommitSha) -> Result<bool, Failure> {
        let call = Call::new(["merge-base", "--is-ancestor", sha.as_str(), of.as_str()]);
        Ok(self.git.run(call).await?.is_done())
    }

    /// Which patches of `dependency` are among the newest commits of `tip` that are not below it.
    async fn patches_of(
        &self,
        dependency: &Dependency,
        tip: &CommitSha,
        touched: &Touched,
    ) -> Result<Vec<bool>, Failure> {
        let branch = &dependency.branch;
        let below = format!("^{}", branch.base.sha);
        let list = ["rev-list", "--no-merges", COMMITS_MAX, tip.as_str(), below.as_str()];
        let commits = self.local(Call::new(list)).await?.text();
        let there: BTreeSet<String> =
            self.patch_ids(&commits, touched).await?.into_iter().map(|(id, _)| id).collect();
        let own: Vec<&str> = branch.commits.iter().map(CommitSha::as_str).collect();
        let own = self.patch_ids(&own.join("\n"), touched).await?;
        let is_there = |commit: &CommitSha| {
            own.iter().any(|(id, of)| of == commit.as_str() && there.contains(id))
        };
        let mut flags: Vec<bool> = branch.commits.iter().map(is_there).collect();
        flags.resize(dependency.letters.len(), false);
        Ok(flags)
    }

    /// What tells the changes of `commits` from others, as far as they are to files that are
    /// touched, with the commit of each.
    async fn patch_ids(
        &self,
        commits: &str,
        touched: &Touched,
    ) -> Result<Vec<(String, String)>, Failure> {
        let call =
            Call::new(["diff-tree", "--stdin", "-p", "-r", "--no-ext-diff", "--no-textconv"]);
        let call = call.env("GIT_LITERAL_PATHSPECS", "1").arg("--");
        let call = touched.paths().take(Self::PATHS_MAX).fold(call, Call::arg);
        let diffs = self.local(call.stdin(format!("{commits}\n"))).await?.stdout;
        let ids = self.local(Call::new(["patch-id", "--stable"]).stdin(diffs)).await?.text();
        let pairs = ids.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs.map(|(id, commit)| (id.to_owned(), commit.to_owned())).collect())
    }

    /// How many paths fit into one call.
    const PATHS_MAX: usize = 200;
}
