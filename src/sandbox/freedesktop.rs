//! A Patchwork as freedesktop.org's is, with memory, over real HTTP: one series over all its
//! revisions, events that have no number, and results of tests that are replaced.

mod api;
mod memory;
#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::sandbox::mails::NewSeries;
use crate::sandbox::tracker::StandIn;
use memory::Memory;

pub use crate::sandbox::tracker::Mood;

/// The result of a test, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is of: `series/1/2` or `patches/7`.
    pub of: String,
    /// The name of the test.
    pub name: String,
    /// How it ended.
    pub state: String,
    /// Where it leads.
    pub url: String,
    /// The words.
    pub summary: String,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct FreedesktopStandIn(StandIn<Memory>);

impl FreedesktopStandIn {
    /// Starts one on a free port of this machine; the dates of events come from `clock`, a mail's
    /// from itself.
    pub async fn start(clock: Clock) -> anyhow::Result<Self> {
        Ok(Self(StandIn::start(Memory::new(clock)).await?))
    }

    /// Stops answering; what it knows is kept for [`FreedesktopStandIn::restart`].
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

    /// Makes a project; its number.
    pub fn add_project(&self, name: &str) -> u64 {
        self.0.memory().add_project(name)
    }

    /// Makes an account that is a maintainer of these projects; its number.
    pub fn add_user(&self, username: &str, password: &str, maintains: &[&str]) -> u64 {
        self.0.memory().add_user(username, password, maintains)
    }

    /// Sends a series to its list; the number of the series.
    pub fn post(&self, new: &NewSeries) -> u64 {
        let all: Vec<u32> = (1..=new.count()).collect();
        self.0.memory().post(None, new, &all)
    }

    /// Sends a series of which some patches are missing.
    pub fn post_some(&self, new: &NewSeries, numbers: &[u32]) -> u64 {
        self.0.memory().post(None, new, numbers)
    }

    /// Sends the next revision of a series.
    pub fn revise(&self, series: u64, new: &NewSeries) {
        let all: Vec<u32> = (1..=new.count()).collect();
        self.0.memory().post(Some(series), new, &all);
    }

    /// Somebody wants the newest revision tested again: it is there twice then.
    pub fn rerun(&self, series: u64) {
        self.0.memory().rerun(series);
    }

    /// The same on an older server: a user lets it tell of the newest revision once more.
    pub fn tell_again(&self, series: u64, user: Option<u64>) {
        self.0.memory().tell(series, user);
    }

    /// The newest revision of a series is told once more, by a clock that is wrong.
    pub fn tell_at(&self, series: u64, date: jiff::Timestamp) {
        self.0.memory().tell_at(series, None, date);
    }

    /// A mail is lost: its patch cannot be read.
    pub fn break_patch(&self, msgid: &str, is_broken: bool) {
        self.0.memory().break_patch(msgid, is_broken);
    }

    /// The numbers of the patches of the newest revision of a series.
    pub fn patches(&self, series: u64) -> Vec<u64> {
        self.0.memory().patches(series)
    }

    /// The results of tests, oldest first.
    pub fn results(&self) -> Vec<Kept> {
        self.0.memory().results.clone()
    }
}
