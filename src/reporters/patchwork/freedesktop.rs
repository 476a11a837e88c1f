//! The Patchwork of freedesktop.org: one test result for each rule, on a series or on a patch;
//! where patch series are heard of, and their mails fetched.
//!
//! A series is one over all its revisions.  A result is known by its name, so telling it again
//! replaces it; whom the server then writes letters to is set up there.

mod cursor;
mod poll;
mod probe;
mod read;
mod result;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use super::PatchworkSettings;
use super::client::Client;
use crate::action::{Form, Notice, Report};
use crate::clock::Clock;
use crate::event::series::SeriesEvent;
use crate::executors::Try;
use crate::git::Letters;
use crate::remote::Failure;
use crate::reporters::Reporter;
use crate::source::poll::Poller;
use poll::FreedesktopPoller;

/// A Patchwork of freedesktop.org's kind, as it is read and told.
#[derive(Debug)]
struct Source {
    client: Client,
    /// The host by which events call it.
    instance: String,
}

/// A Patchwork of freedesktop.org's kind.
#[derive(Debug)]
pub struct Freedesktop {
    source: Source,
    /// What stands before the rule in the name of a test.
    context_prefix: String,
}

impl Freedesktop {
    /// The ways in which it can tell; the first is the usual one.
    pub const FORMS: &[Form] = &[Form::Flag];

    /// Reads the password of `[patchwork.NAME]`; one that cannot be read is an error that says
    /// where it should be.  `instance` is the host by which events call it.
    pub fn new(
        name: &str,
        instance: String,
        settings: &PatchworkSettings,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let client = Client::new(name, settings, clock)?;
        let context_prefix = settings.context_prefix.clone();
        Ok(Self { source: Source { client, instance }, context_prefix })
    }

    /// Whom to ask for what is new at `[patchwork.NAME]`, as [`Freedesktop::new`].
    pub fn poller(
        name: &str,
        instance: String,
        settings: &PatchworkSettings,
        clock: Clock,
    ) -> anyhow::Result<Arc<dyn Poller>> {
        let client = Client::new(name, settings, clock)?;
        Ok(Arc::new(FreedesktopPoller::new(Source { client, instance }, settings)))
    }

    /// Asks whether it answers, whether our account is good, and whether each of `projects` is
    /// there: what was asked about, and what is wrong with it.
    pub async fn probe(&self, projects: &[String]) -> Vec<(String, Option<String>)> {
        probe::probe(&self.source.client, projects).await
    }
}

#[async_trait]
impl Reporter for Freedesktop {
    /// Nothing can be looked up before it is told again.  The result is replaced; a letter that
    /// the server writes about it may come twice.
    async fn tell(&self, report: &Report, _attempt: Try) -> Result<(), Failure> {
        match report.form {
            Form::Flag => self.flag(report).await,
            Form::Comment | Form::Message => Err(no_place()),
        }
    }

    async fn notify(&self, _notice: &Notice, _attempt: Try) -> Result<(), Failure> {
        Err(no_place())
    }
}

#[async_trait]
impl Letters for Freedesktop {
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        self.source.letters(series).await
    }
}

fn no_place() -> Failure {
    Failure::give_up(anyhow::anyhow!(
        "this Patchwork has results of tests, and no place for other words"
    ))
}
