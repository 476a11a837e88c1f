//! Finding the base that a series applies to, and making the branch upon it.

use super::Work;
use super::apply::{self, Applied, Fit, How, Patches};
use super::base::{Candidate, Candidates};
use super::call::Call;
use super::included::{self, Include};
use super::repository::{ReportJob, Repository};
use super::stop::Stop;
use crate::event::series::{Base, Branch, Refusal, Tried};
use crate::remote::Failure;
use crate::subject::CommitSha;

impl Repository {
    /// How patches are read and put upon a base.
    pub(super) fn how(&self, fit: Fit, is_approved: bool) -> How<'_> {
        How {
            fit,
            keep_cr: self.settings.keep_cr,
            committer: &self.committer,
            guard: &self.guard,
            is_approved,
        }
    }

    /// Puts `patches` upon `base`, in no more time than that may take.
    pub(super) async fn put(
        &self,
        base: &CommitSha,
        patches: &Patches,
        how: &How<'_>,
    ) -> Result<Applied, Stop> {
        let limit = self.settings.apply_timeout;
        let put = apply::apply(&self.git, base, patches, how);
        tokio::time::timeout(limit, put).await.unwrap_or_else(|_elapsed| {
            let what = format!("the patches are not upon `{base}` after {limit:?}");
            Err(Stop::Failed(self.retry(&what)))
        })
    }

    /// The branch `name` of the series, upon the first of `candidates` that it applies to: as it
    /// is if there is one, and merged otherwise.
    pub(super) async fn search(
        &self,
        name: &str,
        (work, patches): (&Work<'_>, &Patches),
        candidates: Candidates,
    ) -> Result<Branch, Stop> {
        let Candidates { list, dismissed } = candidates;
        if list.is_empty() {
            let what = "none of the branches that are configured is there";
            return Err(Stop::Failed(self.retry(what)));
        }
        let mut prepared = Vec::new();
        let mut refusals: Vec<(&Candidate, CommitSha, Refusal)> = Vec::new();
        let is_approved = work.order.is_approved;
        for candidate in &list {
            let base = match self.base_for(candidate, work).await {
                Ok(base) => base,
                Err(Stop::Conflict(refusal)) => {
                    refusals.push((candidate, candidate.sha.clone(), refusal));
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            match self.put(&base, patches, &self.how(Fit::Plain, is_approved)).await {
                Ok(applied) => {
                    let tried = tried(dismissed, &refusals, None);
                    return Ok(self.branch(name, (candidate, base), applied, tried).await?);
                }
                Err(Stop::Conflict(refusal)) => refusals.push((candidate, base.clone(), refusal)),
                Err(stop) => return Err(with(stop, dismissed, &refusals)),
            }
            prepared.push((candidate, base));
        }
        for (candidate, base) in prepared {
            match self.put(&base, patches, &self.how(Fit::Merged, is_approved)).await {
                Ok(applied) => {
                    let tried = tried(dismissed, &refusals, Some(&base));
                    return Ok(self.branch(name, (candidate, base), applied, tried).await?);
                }
                Err(Stop::Conflict(_)) => {}
                Err(stop) => return Err(with(stop, dismissed, &refusals)),
            }
        }
        let best = nearest(&refusals);
        Err(with(Stop::Conflict(best), dismissed, &refusals))
    }

    /// The branch that `stands`, if it is this series, upon a base that it may be upon, and
    /// nothing else.
    ///
    /// That is so if doing it again makes the very same commits: what somebody else has put
    /// there is not ours, whatever it says of itself.
    pub(super) async fn recognize(
        &self,
        (name, stands): (&str, &CommitSha),
        (work, patches): (&Work<'_>, &Patches),
        candidates: &Candidates,
    ) -> Result<Option<Branch>, Stop> {
        // One commit for each patch, and perhaps one for the job that reports.
        let count = work.letters.len();
        let counts = [Some(count), self.report.is_some().then(|| count.saturating_add(1))];
        for count in counts.into_iter().flatten() {
            let base = self.commit_at(&format!("{stands}~{count}^{{commit}}")).await?;
            let Some(base) = base else { continue };
            let series = (work, patches);
            let found = self.recognize_upon(base, (name, stands), series, candidates).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn recognize_upon(
        &self,
        base: CommitSha,
        (name, stands): (&str, &CommitSha),
        (work, patches): (&Work<'_>, &Patches),
        candidates: &Candidates,
    ) -> Result<Option<Branch>, Stop> {
        let mut branch = self.branches_with(&base).await?.into_iter().next();
        if let (None, false) = (&branch, work.dependencies.is_empty()) {
            for candidate in &candidates.list {
                let prepared = self.base_for(candidate, work).await;
                if prepared.is_ok_and(|prepared| prepared == base) {
                    branch = Some(candidate.branch.clone());
                    break;
                }
            }
        }
        let Some(branch) = branch else { return Ok(None) };
        let why = "as it was put there before".to_owned();
        let candidate = Candidate { sha: base.clone(), branch, why };
        for fit in [Fit::Plain, Fit::Merged] {
            let how = self.how(fit, work.order.is_approved);
            match self.put(&base, patches, &how).await {
                Ok(applied) => {
                    let upon = (&candidate, base.clone());
                    let made = self.branch(name, upon, applied, Vec::new()).await?;
                    return Ok(Some(made).filter(|made| made.sha == *stands));
                }
                Err(Stop::Conflict(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(None)
    }

    async fn branch(
        &self,
        name: &str,
        (candidate, base): (&Candidate, CommitSha),
        applied: Applied,
        tried: Vec<Tried>,
    ) -> Result<Branch, Failure> {
        let Candidate { branch, why, .. } = candidate.clone();
        let mut tip = applied.commits.last().unwrap_or(&base).clone();
        if let Some(ReportJob { file, url }) = &self.report {
            let include = Include { file, url, committer: &self.committer };
            tip = included::include(&self.git, &tip, &include).await?.unwrap_or(tip);
        }
        Ok(Branch {
            url: self.settings.public().to_string(),
            name: name.to_owned(),
            sha: tip,
            base: Base { sha: base, branch, why },
            commits: applied.commits,
            tried,
            is_merged: applied.is_merged,
        })
    }

    /// Where our own branch `name` is in our own repository.
    pub(super) async fn own_branch(&self, name: &str) -> Result<Option<CommitSha>, Failure> {
        self.commit_at(&format!("refs/heads/{name}")).await
    }

    async fn commit_at(&self, revision: &str) -> Result<Option<CommitSha>, Failure> {
        let call = Call::new(["rev-parse", "--quiet", "--verify", "--end-of-options", revision]);
        let output = self.git.run(call).await?;
        Ok(CommitSha::try_from(output.text()).ok())
    }
}

/// The record of what was tried, without the base that was taken.
fn tried(
    mut dismissed: Vec<Tried>,
    refusals: &[(&Candidate, CommitSha, Refusal)],
    taken: Option<&CommitSha>,
) -> Vec<Tried> {
    for (candidate, base, refusal) in refusals {
        if Some(base) == taken {
            continue;
        }
        let why_not = match refusal.patch {
            Some(patch) => format!("patch {patch}: {}", refusal.reason),
            None => refusal.reason.clone(),
        };
        let (branch, sha) = (candidate.branch.clone(), candidate.sha.clone());
        dismissed.push(Tried { branch, sha, why_not });
    }
    dismissed
}

/// What keeps the series from the base that it is nearest to: the one that takes the most of its
/// patches.
fn nearest(refusals: &[(&Candidate, CommitSha, Refusal)]) -> Refusal {
    let mut best: Option<&(&Candidate, CommitSha, Refusal)> = None;
    for refusal in refusals {
        if best.is_none_or(|best| refusal.2.patch > best.2.patch) {
            best = Some(refusal);
        }
    }
    let Some((candidate, _, refusal)) = best else { return Refusal::default() };
    let reason = format!("on `{}`, {}", candidate.branch, refusal.reason);
    Refusal { reason, ..refusal.clone() }
}

/// A stop that tells what was tried before.
fn with(stop: Stop, dismissed: Vec<Tried>, refusals: &[(&Candidate, CommitSha, Refusal)]) -> Stop {
    let tried = tried(dismissed, refusals, None);
    match stop {
        Stop::Conflict(refusal) => Stop::Conflict(Refusal { tried, ..refusal }),
        Stop::Held(refusal) => Stop::Held(Refusal { tried, ..refusal }),
        Stop::Refused(refusal) => Stop::Refused(Refusal { tried, ..refusal }),
        Stop::Failed(failure) => Stop::Failed(failure),
    }
}
