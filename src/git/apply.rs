//! Putting patches upon a base: one commit each, in an index and without any file.
//!
//! The same patches upon the same base are the same commits, whenever and wherever that is done:
//! committer and date are taken from settings and mail, never from the machine.  Whether a patch
//! applies is told by git's exit code alone; what git says is read for the reason only.

use super::call::Call;
use super::date::Date;
use super::guard::{self, Finding, Guard};
use super::mail::{self, Patch};
use super::process::Git;
use super::reject::{self, Reject};
use super::scratch::Scratch;
use super::stop::{Stop, at_patch};
use crate::event::series::Refusal;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// Who our commits say has made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committer {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Default for Committer {
    fn default() -> Self {
        Self { name: "Pointsman".to_owned(), email: "pointsman@localhost".to_owned() }
    }
}

/// How well a patch has to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// As it is.
    Plain,
    /// As it is, or else merged: what it was made upon has to be in our repository.
    Merged,
}

/// How a series is read and put upon a base.
#[derive(Clone, Debug)]
pub struct How<'a> {
    /// How well each patch has to fit.
    pub fit: Fit,
    /// Whether carriage returns at the ends of lines belong to the patches.
    pub keep_cr: bool,
    /// Who commits.
    pub committer: &'a Committer,
    /// What may not be in a series, or not before somebody has looked at it.
    pub guard: &'a Guard,
    /// Whether somebody has.
    pub is_approved: bool,
}

/// A series that has been read.
#[derive(Clone, Debug)]
pub struct Patches {
    patches: Vec<Patch>,
    /// What somebody has to look at.
    findings: Vec<Finding>,
}

impl Patches {
    /// The diffs, in order.
    pub fn diffs(&self) -> impl Iterator<Item = &[u8]> {
        self.patches.iter().map(|patch| patch.diff.as_slice())
    }
}

/// A series upon a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// One commit for each patch, in order.  They are in our repository, and nothing refers to
    /// them yet.
    pub commits: Vec<CommitSha>,
    /// Whether some patch had to be merged.
    pub is_merged: bool,
}

/// Reads the mails of a series, each of which has to be one mail with one patch.
///
/// What is refused whatever the base is, is refused here; what is held is held when the series
/// has been applied, so that everything there is to look at is told at once.
pub async fn read(git: &Git, letters: &[Vec<u8>], how: &How<'_>) -> Result<Patches, Stop> {
    guard::refuse(how.guard.letters(letters))?;
    let patches = mail::read(git, letters, how).await?;
    let findings = guard::refuse(how.guard.patches(&patches))?;
    Ok(Patches { patches, findings })
}

/// Puts a series upon `base`, a commit that is in our repository.
///
/// On any [`Stop`] nothing is left: there is no such thing as a part of a series.
pub async fn apply(
    git: &Git,
    base: &CommitSha,
    patches: &Patches,
    how: &How<'_>,
) -> Result<Applied, Stop> {
    let scratch = git.scratch()?;
    let work = Work { git, scratch: &scratch, how };
    let mut tip = work.begin(base).await?;
    let mut commits = Vec::with_capacity(patches.patches.len());
    let mut is_merged = false;
    for patch in &patches.patches {
        let (next, was_merged) = work.put(patch, tip).await?;
        is_merged |= was_merged;
        commits.push(next.commit.clone());
        tip = next;
    }
    let touched = how.guard.commits(git, &scratch, &patches.patches, &commits).await?;
    let touched = guard::refuse(touched)?;
    if !how.is_approved {
        guard::hold(patches.findings.iter().chain(&touched))?;
    }
    scratch.keep().await?;
    Ok(Applied { commits, is_merged })
}

/// A commit that the next patch is put upon.
struct Tip {
    commit: CommitSha,
    tree: String,
    /// The date of a patch that has none: that of its base, as our own clock would make it
    /// another commit each time.
    date: Date,
}

/// One series at one base.
struct Work<'a> {
    git: &'a Git,
    scratch: &'a Scratch,
    how: &'a How<'a>,
}

impl Work<'_> {
    /// Fills the index with what is in the base.
    async fn begin(&self, base: &CommitSha) -> Result<Tip, Failure> {
        let log = ["log", "-1", "--no-show-signature", "--format=%H %T %ct", "--end-of-options"];
        let output = self.git.succeed(self.scratch.call(&log).arg(base.as_str()).arg("--")).await?;
        let text = output.text();
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (commit, tree) = (sha(word())?, word());
        let date = Date::of_seconds(&word()).unwrap_or(Date::START);
        let call = self.scratch.call(&["read-tree", "--end-of-options"]).arg(&tree);
        self.git.succeed(call).await?;
        Ok(Tip { commit, tree, date })
    }

    /// Puts a patch upon what is there, and says whether it had to be merged.
    async fn put(&self, patch: &Patch, tip: Tip) -> Result<(Tip, bool), Stop> {
        let is_merged = self.change(patch).await?;
        // Trees refer to what is in the base, which git need not look up again.
        let output = self.git.succeed(self.scratch.call(&["write-tree", "--missing-ok"])).await?;
        let tree = output.text();
        if tree == tip.tree {
            let reason =
                if is_merged { "what it does is there already" } else { "it changes nothing" };
            return Err(Stop::Conflict(at_patch(patch.number, reason)));
        }
        let commit = self.commit(patch, &tree, &tip).await?;
        Ok((Tip { commit, tree, date: tip.date }, is_merged))
    }

    /// Changes the index, and says whether that took a merge.
    async fn change(&self, patch: &Patch) -> Result<bool, Stop> {
        let refusal = match self.try_to(patch, &[]).await? {
            None => return Ok(false),
            Some(Reject::Refused(refusal)) => return Err(Stop::Refused(refusal)),
            Some(Reject::Conflict(refusal)) => refusal,
        };
        if self.try_to(patch, &["--check", "--reverse"]).await?.is_none() {
            let reason = "what it does is there already";
            return Err(Stop::Conflict(Refusal { reason: reason.to_owned(), ..refusal }));
        }
        match self.how.fit {
            Fit::Plain => Err(Stop::Conflict(refusal)),
            Fit::Merged => match self.try_to(patch, &["--3way"]).await? {
                None => Ok(true),
                // The lines that did not fit are in the first answer.
                Some(_) => Err(Stop::Conflict(refusal)),
            },
        }
    }

    /// Asks git to apply a patch; `None` says that it is done.
    async fn try_to(&self, patch: &Patch, options: &[&str]) -> Result<Option<Reject>, Failure> {
        let call = self.scratch.call(&["apply", "--cached", "--whitespace=nowarn"]);
        let call = options.iter().fold(call, Call::arg).arg("-").stdin(patch.diff.clone());
        let output = self.git.run(call).await?;
        if output.is_done() { Ok(None) } else { reject::why(patch.number, &output).map(Some) }
    }

    async fn commit(&self, patch: &Patch, tree: &str, tip: &Tip) -> Result<CommitSha, Failure> {
        let date = patch.date.unwrap_or(tip.date).to_string();
        let call = self.scratch.call(&["commit-tree", "-p", tip.commit.as_str(), "-F", "-", tree]);
        let call = call
            .env("GIT_AUTHOR_NAME", &patch.name)
            .env("GIT_AUTHOR_EMAIL", &patch.email)
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_NAME", &self.how.committer.name)
            .env("GIT_COMMITTER_EMAIL", &self.how.committer.email)
            .env("GIT_COMMITTER_DATE", &date)
            .stdin(patch.message.clone());
        sha(self.git.succeed(call).await?.text())
    }
}

/// The id of a commit, as git tells it.
pub(super) fn sha(text: String) -> Result<CommitSha, Failure> {
    CommitSha::try_from(text).map_err(Failure::retry)
}
