//! A Patchew with memory, over real HTTP.
//!
//! It answers the calls that are made of it as Patchew does, errors included: lists that begin
//! with what was answered last, a mailbox only of what is complete, results that can be changed
//! but not made, and queues for those who apply and who test, with leases of an hour.

mod api;
mod memory;
mod queue;
mod shape;
#[cfg(test)]
mod tests;
mod write;

use serde_json::Value;

use crate::clock::Clock;
use crate::sandbox::mails::NewSeries;
use crate::sandbox::tracker::StandIn;
use memory::Memory;

pub use crate::sandbox::tracker::Mood;

/// How it is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its dates come from.
    pub clock: Clock,
    /// Whether a Message-ID with a slash in it can be asked for: behind most servers it cannot,
    /// because a path is decoded before it is taken apart.
    pub knows_slashes: bool,
    /// With what a token is refused that is not valid: 401, or 403 where browsers log in, too.
    pub refuses_with: u16,
    /// How many there are on a page of a list, unless asked for fewer.
    pub page_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Clock::system(), knows_slashes: false, refuses_with: 401, page_size: 50 }
    }
}

/// A test that a project defines.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// What the machine has to have, separated by commas.
    pub requirements: String,
    /// How long it may take, in seconds.
    pub timeout: Option<u64>,
}

impl Test {
    /// A test that any machine can run.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), requirements: String::new(), timeout: None }
    }
}

/// A result, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// `git`, or `testing.` and the name of a test.
    pub name: String,
    /// One of `pending`, `running`, `success`, `failure`.
    pub status: String,
    /// The words.
    pub log: String,
    /// What else was told.
    pub data: Value,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct PatchewStandIn(StandIn<Memory>);

impl PatchewStandIn {
    /// Starts one on a free port of this machine.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        Ok(Self(StandIn::start(Memory::new(options)).await?))
    }

    /// Stops answering; what it knows is kept for [`PatchewStandIn::restart`].
    pub async fn stop(&self) {
        self.0.stop().await;
    }

    /// Answers again, on the same port and with the same memory.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.0.restart().await
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Changes how it behaves.
    pub fn set_mood(&self, mood: Mood) {
        self.0.set_mood(mood);
    }

    /// Answers with a status wherever an address has this in it, until told otherwise.
    pub fn refuse(&self, what: Option<(&str, u16)>) {
        self.0.refuse(what);
    }

    /// Does what the next `count` calls ask that change something, and hangs up instead of
    /// answering.
    pub fn lose_answers(&self, count: usize) {
        self.0.lose_answers(count);
    }

    /// The calls since this was last asked, as `GET /path?query`.
    pub fn take_calls(&self) -> Vec<String> {
        self.0.take_calls()
    }

    /// Makes a project that defines these tests; its number.
    pub fn add_project(&self, name: &str, tests: &[Test]) -> u64 {
        self.0.memory().add_project(name, tests)
    }

    /// Says where series of a project are pushed to; it may carry a password.
    pub fn set_mirror(&self, project: &str, pushurl: &str) {
        self.0.memory().set_mirror(project, pushurl);
    }

    /// Says where a project's own branch is; its tests are to be run.
    pub fn set_head(&self, project: &str, sha: &str) {
        self.0.memory().set_head(project, sha);
    }

    /// Makes an account that is in these groups: `importers` may say what was applied, `testers`
    /// what was tested.
    pub fn add_user(&self, username: &str, password: &str, groups: &[&str]) {
        self.0.memory().add_user(username, password, groups);
    }

    /// Forgets all tokens that were given.
    pub fn expire_tokens(&self) {
        self.0.memory().expire_tokens();
    }

    /// How many logins there were.
    pub fn logins(&self) -> usize {
        self.0.memory().logins()
    }

    /// Refuses requests that are longer than this.
    pub fn set_request_max(&self, bytes: usize) {
        self.0.memory().set_request_max(bytes);
    }

    /// Says of everything that is asked for by a project's name that it is there.
    pub fn redirect_to(&self, base: &str) {
        self.0.memory().set_elsewhere(base);
    }

    /// Sends a series to its list.
    pub fn post(&self, series: &NewSeries) {
        let all: Vec<u32> = (0..=series.count()).collect();
        self.post_some(series, &all);
    }

    /// Sends those mails of a series that have these numbers; 0 is the cover letter.
    pub fn post_some(&self, series: &NewSeries, numbers: &[u32]) {
        self.0.memory().post(series, numbers);
    }

    /// Somebody answers a series, at this time by their own clock.
    pub fn reply(&self, project: &str, msgid: &str, date: jiff::Timestamp) {
        self.0.memory().reply(project, msgid, date);
    }

    /// Somebody's answer has a tag in it, such as `Based-on: <a@b>`.
    pub fn tag(&self, project: &str, msgid: &str, tag: &str) {
        self.0.memory().tag(project, msgid, tag);
    }

    /// There is a newer version of a series.
    pub fn set_obsolete(&self, project: &str, msgid: &str) {
        self.0.memory().set_obsolete(project, msgid);
    }

    /// A series is in the project's own branch.
    pub fn set_merged(&self, project: &str, msgid: &str) {
        self.0.memory().set_merged(project, msgid);
    }

    /// Somebody presses the button to have a series put on a branch again.
    pub fn reset_git(&self, project: &str, msgid: &str) {
        self.0.memory().reset_git(project, msgid, false);
    }

    /// The tags of a series have changed: it is to be put on a branch again, and not tested.
    pub fn update_tags(&self, project: &str, msgid: &str) {
        self.0.memory().reset_git(project, msgid, true);
    }

    /// Somebody else has put a series on a branch or tag.
    pub fn set_applied(&self, project: &str, msgid: &str, repo: &str, tag: &str) {
        self.0.memory().set_applied(project, msgid, (repo, tag));
    }

    /// The results of a series, or of a project by no Message-ID.
    pub fn results(&self, project: &str, msgid: Option<&str>) -> Vec<Kept> {
        self.0.memory().kept(project, msgid)
    }

    /// Something about the result of a series, or of a project by no Message-ID; empty where there
    /// is none.
    pub fn status(&self, project: &str, msgid: Option<&str>, name: &str) -> String {
        let results = self.results(project, msgid);
        let found = results.into_iter().find(|result| result.name == name);
        found.map(|result| result.status).unwrap_or_default()
    }
}
