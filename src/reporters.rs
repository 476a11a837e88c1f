//! Places where people look, and what is told there.

use async_trait::async_trait;

use crate::action::{Notice, Report};
use crate::executors::Try;
use crate::remote::Failure;

/// A place where people look.
#[async_trait]
pub trait Reporter: Send + Sync {
    /// Tells it.  Told the same report twice, people see one: with [`Try::Again`] it is searched
    /// for by its marker first.
    async fn tell(&self, report: &Report, attempt: Try) -> Result<(), Failure>;

    /// Tells something that is about no run of ours, once, as [`Reporter::tell`] does.
    async fn notify(&self, notice: &Notice, attempt: Try) -> Result<(), Failure>;
}

mod board;
mod chat;
mod markup;

pub mod bus;
pub mod forgejo;
pub mod github;
pub mod gitlab;
pub mod mail;
pub mod mattermost;
pub mod pagure;
pub mod patches;
pub mod patchew;
pub mod patchwork;
pub mod slack;

#[cfg(test)]
pub(crate) mod contract;
