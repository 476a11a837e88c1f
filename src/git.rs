//! The git stage: a patch series is put on a branch of a repository of our own, and pushed.
//!
//! Patches are applied to an index, never to files: that is 10 to 30 times faster than a worktree,
//! and no hook, filter or symbolic link of anybody's has a say in it.

use std::time::Duration;

use async_trait::async_trait;

use crate::action::{ApplyOrder, PushOrder};
use crate::event::series::{Branch, Refusal, SeriesEvent};
use crate::remote::Failure;
use crate::subject::CommitSha;

pub mod settings;
pub mod address;
pub mod names;
pub mod call;
pub mod process;
pub mod stop;
pub mod date;
pub mod mail;
pub mod guard;
pub mod apply;
pub mod included;
pub mod repository;

mod access;
mod base;
mod depends;
mod history;
mod probe;
mod push;
mod reject;
mod scratch;
mod search;
mod slice;
mod touched;
mod tree;
mod upstream;
#[cfg(test)]
mod tests;

/// A place where the mails of a series can be fetched.
#[async_trait]
pub trait Letters: Send + Sync {
    /// The mails of the patches, raw, one for each and in their order.
    ///
    /// What the source says of them is not believed: that there are as many as patches, and that
    /// each is one mail, is seen to by whoever fetches them.  Addresses in the series are used
    /// only where they are at the source's own host.
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure>;
}

/// A series that another one depends on; we have put it on a branch before.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// What the dependent series calls it: a Message-ID.
    pub msgid: String,
    /// The branch.
    pub branch: Branch,
    /// Its mails, for where it has to be put upon another dependency.
    pub letters: Vec<Vec<u8>>,
}

impl Dependency {
    /// What others build upon: its last patch.  Whatever is above that on its branch was put there
    /// for its own build.
    pub fn tip(&self) -> &CommitSha {
        self.branch.commits.last().unwrap_or(&self.branch.sha)
    }
}

/// A series to be put on a branch, with everything that is needed for it.
#[derive(Clone, Debug)]
pub struct Work<'a> {
    /// What is ordered.
    pub order: &'a ApplyOrder,
    /// Its mails.
    pub letters: Vec<Vec<u8>>,
    /// What it depends on, in the order in which it says so; what those depend on is in their
    /// branches.
    pub dependencies: Vec<Dependency>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is on a branch, and the branch is pushed.
    Applied(Branch),
    /// It applies to no base.
    Conflict(Refusal),
    /// It touches what somebody has to look at first, and nobody has.
    Held(Refusal),
    /// It is refused, whoever lets it be built.
    Refused(Refusal),
}

/// A repository that series are put on branches of.
#[async_trait]
pub trait Tree: Send + Sync {
    /// Puts a series on a branch and pushes it.
    ///
    /// The same series on the same base gives the same commits, so that doing it again changes
    /// nothing: not here, and not where it is pushed to.
    async fn apply(&self, work: &Work<'_>) -> Result<Outcome, Failure>;

    /// How long a series waits for one that it depends on.
    fn patience(&self) -> Duration {
        Duration::from_hours(24 * 7)
    }

    /// Pushes a commit that an earlier [`Tree::apply`] has made, or a base, as a branch of its own.
    async fn push(&self, order: &PushOrder) -> Result<(), Failure>;

    /// Gets ready for the first series: what takes long is done here, such as to fetch a history.
    async fn prepare(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Tidies up what is kept here, if there is much of it.
    async fn tidy(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Removes a branch that we have pushed, if it is still at `sha`; that it is gone already, or
    /// that it is at something else, is no failure.
    async fn remove(&self, name: &str, sha: &CommitSha) -> Result<(), Failure>;
}
