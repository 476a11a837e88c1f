//! Forges, as those who know: who people are, and how proposals stand.

use async_trait::async_trait;

use crate::event::proposal::{PullRequestEvent, Standing};
use crate::remote::Failure;
use crate::subject::Subject;

pub mod memory;

/// Somebody, as a message names them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// The forge's lasting id of them; where a message does not tell it, the name is asked about.
    pub id: Option<String>,
    /// Their name.
    pub name: String,
}

/// What a forge says of somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// What they are to the project.
    pub standing: Standing,
    /// Whether it is our own account.
    pub is_own: bool,
    /// Whether it is a program, as far as the forge tells.
    pub is_bot: bool,
}

/// A forge that can be asked.
#[async_trait]
pub trait Forge: Send + Sync {
    /// A proposal as it is now: `pull_request.updated`, or `pull_request.closed` where it is not
    /// open; with head, target and the author's id, and without standing.
    ///
    /// It is told under the name that its project has now: one that was renamed answers to the
    /// old name, too, and what follows must not have two subjects.
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure>;

    /// What somebody is to a project (its full name) now.
    ///
    /// A project that is not there, or an account that is not who it was, is a stranger's.
    async fn person(&self, project: &str, account: &Account) -> Result<Person, Failure>;

    /// The open proposals of a project, as [`Forge::proposal`] tells each, the newest first: where
    /// there are too many, the oldest are left out, and that is logged.
    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure>;
}
