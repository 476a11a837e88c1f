//! Systems that run builds, and what is asked of them.

use async_trait::async_trait;

use crate::action::{Lookup, Order, Ticket};
use crate::remote::Failure;
use crate::subject::{RunId, Verdict};

/// Whether an action may have been done before without our knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// Nobody has tried before.
    First,
    /// It was tried, and the answer is not known: look for the key before doing it again.
    Again,
}

/// A build as its executor sees it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// How far it is.
    pub state: BuildState,
    /// Where it is.
    pub ticket: Ticket,
    /// The run id that it carries, if it does.
    pub run: Option<RunId>,
    /// In a few words, why it ended as it did, where the executor tells.
    pub reason: Option<String>,
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// It was not handed over: there is no room for it now; in a few words, why.
    Busy(String),
    /// It waits; in a few words, for what.
    Queued(Option<String>),
    /// It is being built.
    Running,
    /// It has ended.
    Finished(Verdict),
    /// The executor knows nothing of it.
    Gone,
}

/// A system that runs builds.
///
/// Retrying, counting, timing and logging are the worker's; an implementation asks once and says
/// by [`Failure`] whether asking again can help.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Hands over `order` and returns as soon as it is accepted.
    ///
    /// With [`Try::Again`] the build is searched for by its run id first, and one that is found
    /// is taken for the answer.
    async fn start(&self, order: &Order, attempt: Try) -> Result<Sighting, Failure>;

    /// Tells what became of a build.
    async fn inspect(&self, lookup: &Lookup) -> Result<Sighting, Failure>;

    /// Asks to stop a build, waiting or running; it is no failure if it has already ended or
    /// never began.  What became of it is told.
    async fn cancel(&self, lookup: &Lookup) -> Result<Sighting, Failure>;
}

/// A system that knows which kinds of boards it has.
#[async_trait]
pub trait Lab: Send + Sync {
    /// The kinds of boards of which at least one that has all of `tags` can be used now, sorted.
    async fn boards(&self, tags: &[String]) -> Result<Vec<String>, Failure>;
}

/// One thing that was looked at before anything depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, such as ``jenkins.main: job `kernel` ``.
    pub subject: String,
    /// What is wrong with it and what to do; nothing when it is as it has to be.
    pub problem: Option<String>,
}

/// A system that can be asked, before anything is ordered, whether it will do.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Looks at the connection itself, then at each of `jobs`; changes nothing.
    async fn probe(&self, jobs: &[String]) -> Vec<Finding>;
}

pub mod ended;
pub mod gitlab;
pub mod jenkins;
pub mod lava;
