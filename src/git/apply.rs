//! Putting patches upon a base: one commit each, in an index and without any file.
//!
//! The same patches upon the same base are the same commits, whenever and wherever that is done:
//! committer and date are taken from settings and mail, never from the machine.  Whether a patch
//! applies is told by git's exit code alone; what git says is read for the reason only.

use super::call::Call;
use super::date::Date;
use super::guard::{self, Finding, Guard};
use super::history::{Content, History};
use super::mail::{self, Patch};
use super::process::Git;
use super::reject::{self, Reject};
use super::scratch::Scratch;
use super::slice::Slice;
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
    let work = Work { git, base, patches: &patches.patches, how };
    let done = match work.with_slice().await? {
        Some(done) => done,
        None => work.with_all().await?,
    };
    let Done { scratch, commits, is_merged } = done;
    let touched = how.guard.commits(git, &scratch, &patches.patches, &commits).await?;
    let touched = guard::refuse(touched)?;
    if !how.is_approved {
        guard::hold(patches.findings.iter().chain(&touched))?;
    }
    scratch.keep().await?;
    Ok(Applied { commits, is_merged })
}

/// A series that has been put upon a base, in a folder of its own.
struct Done {
    scratch: Scratch,
    commits: Vec<CommitSha>,
    is_merged: bool,
}

/// One series at one base.
struct Work<'a> {
    git: &'a Git,
    base: &'a CommitSha,
    patches: &'a [Patch],
    how: &'a How<'a>,
}

impl Work<'_> {
    /// Puts the series upon the files that it seems to touch; `None` where that does not tell
    /// what it would do to all files.
    async fn with_slice(&self) -> Result<Option<Done>, Stop> {
        let scratch = self.git.scratch()?;
        let slice = Slice::fill(self.git, &scratch, self.base, self.patches).await?;
        let Some(mut slice) = slice else { return Ok(None) };
        let mut history = self.history(&scratch).await?;
        let mut is_merged = false;
        for patch in self.patches {
            let was_merged = match self.change(&scratch, patch).await {
                Ok(was_merged) => was_merged,
                Err(Stop::Conflict(refusal)) if !slice.knows(&refusal) => return Ok(None),
                Err(stop) => return Err(stop),
            };
            let Some(changes) = slice.changes(self.git, &scratch).await? else {
                return Ok(None);
            };
            if changes.is_empty() {
                return Err(nothing(patch, was_merged));
            }
            is_merged |= was_merged;
            history.add(patch, &Content::Files(changes));
        }
        let commits = history.write(self.git, &scratch).await?;
        Ok(Some(Done { scratch, commits, is_merged }))
    }

    /// Puts the series upon all files of the base.
    async fn with_all(&self) -> Result<Done, Stop> {
        let scratch = self.git.scratch()?;
        let read = scratch.call(&["read-tree", "--end-of-options", self.base.as_str()]);
        self.git.succeed(read).await?;
        let mut history = self.history(&scratch).await?;
        let mut before = self.tree(&scratch).await?;
        let mut is_merged = false;
        for patch in self.patches {
            let was_merged = self.change(&scratch, patch).await?;
            let tree = self.tree(&scratch).await?;
            if tree == before {
                return Err(nothing(patch, was_merged));
            }
            is_merged |= was_merged;
            history.add(patch, &Content::Tree(tree.clone()));
            before = tree;
        }
        let commits = history.write(self.git, &scratch).await?;
        Ok(Done { scratch, commits, is_merged })
    }

    /// A history without commits.  A patch without a date is given that of the base: our own
    /// clock would make it another commit each time.
    async fn history(&self, scratch: &Scratch) -> Result<History, Failure> {
        let mut date = Date::START;
        if self.patches.iter().any(|patch| patch.date.is_none()) {
            let log = ["log", "-1", "--no-show-signature", "--format=%ct", "--end-of-options"];
            let output = self.git.succeed(scratch.call(&log).arg(self.base.as_str()).arg("--"));
            date = Date::of_seconds(&output.await?.text()).unwrap_or(date);
        }
        Ok(History::begin(self.base, self.how.committer, date))
    }

    /// Writes what is in the index.  Trees refer to what is in the base, which git need not look
    /// up again.
    async fn tree(&self, scratch: &Scratch) -> Result<String, Failure> {
        let output = self.git.succeed(scratch.call(&["write-tree", "--missing-ok"])).await?;
        Ok(output.text())
    }

    /// Changes the index, and says whether that took a merge.
    async fn change(&self, scratch: &Scratch, patch: &Patch) -> Result<bool, Stop> {
        let refusal = match self.try_to(scratch, patch, &[]).await? {
            None => return Ok(false),
            Some(Reject::Refused(refusal)) => return Err(Stop::Refused(refusal)),
            Some(Reject::Conflict(refusal)) => refusal,
        };
        if self.try_to(scratch, patch, &["--check", "--reverse"]).await?.is_none() {
            let reason = THERE_ALREADY.to_owned();
            return Err(Stop::Conflict(Refusal { reason, ..refusal }));
        }
        match self.how.fit {
            Fit::Plain => Err(Stop::Conflict(refusal)),
            Fit::Merged => match self.try_to(scratch, patch, &["--3way"]).await? {
                None => Ok(true),
                // The lines that did not fit are in the first answer.
                Some(_) => Err(Stop::Conflict(refusal)),
            },
        }
    }

    /// Asks git to apply a patch; `None` says that it is done.
    async fn try_to(
        &self,
        scratch: &Scratch,
        patch: &Patch,
        options: &[&str],
    ) -> Result<Option<Reject>, Failure> {
        let call = scratch.call(&["apply", "--cached", "--whitespace=nowarn"]);
        let call = options.iter().fold(call, Call::arg).arg("-").stdin(patch.diff.clone());
        let output = self.git.run(call).await?;
        if output.is_done() { Ok(None) } else { reject::why(patch.number, &output).map(Some) }
    }
}

/// What a patch is refused for that has been applied before, by whomever.
const THERE_ALREADY: &str = "what it does is there already";

/// A patch that is applied and leaves everything as it was.
fn nothing(patch: &Patch, was_merged: bool) -> Stop {
    let reason = if was_merged { THERE_ALREADY } else { "it changes nothing" };
    Stop::Conflict(at_patch(patch.number, reason))
}

/// The id of a commit, as git tells it.
pub(super) fn sha(text: String) -> Result<CommitSha, Failure> {
    CommitSha::try_from(text).map_err(Failure::retry)
}
