//! A Pagure with memory, over real HTTP.
//!
//! It answers the calls that reporters make as Pagure does, errors included, and whatever a real
//! one would announce on the bus is handed to whoever asked for it: what a control does is
//! returned, in Pagure's order; what a call to the API causes comes by
//! [`PagureStandIn::announcements`].

mod api;
mod events;
mod memory;
mod server;
mod shape;
#[cfg(test)]
mod tests;
pub mod webhook;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{broadcast, watch};

use crate::clock::Clock;
use crate::sandbox::serve::Server;
use memory::Memory;

/// What Pagure publishes: the topic, prefix included, and the body.
pub type Announcement = (String, Value);

/// How the stand-in behaves towards whoever calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    #[default]
    Normal,
    /// Every call is answered with this status, and changes nothing.
    Failing(u16),
    /// Every call is answered with 429.
    TooMany {
        /// What `Retry-After` says, in seconds.
        retry_after: u64,
    },
    /// A call is accepted, and answered when the mood has changed.
    Hanging,
}

/// Which Pagure it stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// 5.2 (2018) and later.
    #[default]
    Current,
    /// Before: a push is told by a comment of Pagure's own, and by nothing else.
    Old,
}

/// Which Pagure it stands for, and how it is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its dates come from.
    pub clock: Clock,
    /// What stands before `pull-request.new` and the like.
    pub topic_prefix: String,
    /// How old it is.
    pub generation: Generation,
    /// Whether it can tell whose a token is.
    pub has_whoami: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            topic_prefix: "org.example.prod.pagure.".to_owned(),
            generation: Generation::Current,
            has_whoami: true,
        }
    }
}

/// A pull request to be opened, from a branch of its author's fork.
#[derive(Clone, Debug)]
pub struct NewPullRequest {
    /// The full name of the project it wants to change.
    pub project: String,
    /// Who proposes it.
    pub author: String,
    /// Its title.
    pub title: String,
    /// The branch of the fork.
    pub branch_from: String,
    /// The branch it wants to change.
    pub target: String,
    /// Its only commit.
    pub head: String,
}

/// How commits come to a pull request that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// On top of those that are there.
    Added,
    /// In place of those that are there.
    Rebased,
}

/// A flag on a commit, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// What makes it this flag of its commit.
    pub uid: String,
    /// The commit.
    pub commit: String,
    /// The name of the application that is shown.
    pub username: String,
    /// The words.
    pub comment: String,
    /// Where it leads.
    pub url: String,
    /// One of `success`, `failure`, `error`, `pending`, `canceled`.
    pub status: String,
    /// How much is done, of a hundred.
    pub percent: Option<i64>,
    /// Whose token made it.
    pub user: String,
    /// When it was made, in seconds since 1970.
    pub created: String,
    /// When it was last changed, in seconds since 1970.
    pub updated: String,
}

/// A comment on a pull request, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number, unique in the whole Pagure.
    pub id: u64,
    /// Its words.
    pub text: String,
    /// Who wrote it.
    pub user: String,
    /// Whether Pagure wrote it to tell of something.
    pub notification: bool,
    /// When it was written, in seconds since 1970.
    pub created: String,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct PagureStandIn {
    shared: Arc<Shared>,
    server: Arc<tokio::sync::Mutex<Option<Server>>>,
    address: SocketAddr,
}

/// What the handles and the server have in common.
struct Shared {
    memory: Mutex<Memory>,
    mood: watch::Sender<Mood>,
    answers_to_lose: AtomicUsize,
    announced: broadcast::Sender<Announcement>,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many announcements wait for a listener that does not keep up.
const ANNOUNCEMENTS_MAX: usize = 1_024;

impl PagureStandIn {
    /// Starts one on a free port of this machine.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await
    }

    /// Starts one on `address`.
    pub async fn start_on(address: SocketAddr, options: Options) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            memory: Mutex::new(Memory::new(options)),
            mood: watch::Sender::new(Mood::Normal),
            answers_to_lose: AtomicUsize::new(0),
            announced: broadcast::Sender::new(ANNOUNCEMENTS_MAX),
        });
        let server = Server::start(address, server::router(Arc::clone(&shared))).await?;
        let address = server.address();
        shared.memory().base = format!("http://{address}");
        Ok(Self { shared, server: Arc::new(tokio::sync::Mutex::new(Some(server))), address })
    }

    /// Stops answering; what it knows is kept for [`PagureStandIn::restart`].
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Answers again, on the same port and with the same memory.
    pub async fn restart(&self) -> anyhow::Result<()> {
        let mut server = self.server.lock().await;
        if let Some(running) = server.take() {
            running.stop().await;
        }
        let router = server::router(Arc::clone(&self.shared));
        *server = Some(Server::start(self.address, router).await?);
        Ok(())
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how it behaves, also towards calls that hang.
    pub fn set_mood(&self, mood: Mood) {
        self.shared.mood.send_replace(mood);
    }

    /// Does what the next `count` calls ask that change something, and hangs up instead of
    /// answering.
    pub fn lose_answers(&self, count: usize) {
        self.shared.answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// What it publishes from now on because of calls to its API.
    pub fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.shared.announced.subscribe()
    }

    /// Makes a project, such as `rpms/signalbox`, if it is not there.
    pub fn add_project(&self, fullname: &str, owner: &str) {
        self.shared.memory().add_project(fullname, owner);
    }

    /// Gives a user a right on a project: `admin`, `commit`, `collaborator` or `ticket`.
    pub fn grant(&self, project: &str, right: &str, user: &str) -> anyhow::Result<()> {
        self.shared.memory().grant(project, right, user)
    }

    /// Makes a group of these users, or changes who is in it.
    pub fn set_group(&self, group: &str, members: &[&str]) {
        self.shared.memory().set_group(group, members);
    }

    /// Gives a group a right on a project, as [`PagureStandIn::grant`] does.
    pub fn grant_group(&self, project: &str, right: &str, group: &str) -> anyhow::Result<()> {
        self.shared.memory().grant_group(project, right, group)
    }

    /// Bars a user from a project.
    pub fn block(&self, project: &str, user: &str) -> anyhow::Result<()> {
        self.shared.memory().block(project, user)
    }

    /// Makes a token of `user` for a project, or for all when there is none, with these ACLs,
    /// such as `commit_flag` and `pull_request_comment`.
    pub fn add_token(&self, token: &str, user: &str, project: Option<&str>, acls: &[&str]) {
        self.shared.memory().add_token(token, user, project, acls);
    }

    /// Lets a token expire.
    pub fn expire_token(&self, token: &str) {
        self.shared.memory().expire_token(token);
    }

    /// Opens a pull request; its number, and what is published.
    pub fn add_pull_request(
        &self,
        new: &NewPullRequest,
    ) -> anyhow::Result<(u64, Vec<Announcement>)> {
        self.shared.memory().open(new)
    }

    /// Pushes to the branch of a pull request, which then has this head.
    pub fn push(
        &self,
        project: &str,
        id: u64,
        head: &str,
        push: Push,
    ) -> anyhow::Result<Vec<Announcement>> {
        self.shared.memory().push(project, id, head, push)
    }

    /// Comments on a pull request.
    pub fn comment(
        &self,
        project: &str,
        id: u64,
        user: &str,
        text: &str,
    ) -> anyhow::Result<Vec<Announcement>> {
        self.shared.memory().comment(project, id, user, text)
    }

    /// Changes the words of a comment, whoever wrote them.
    pub fn edit_comment(
        &self,
        (project, id): (&str, u64),
        comment: u64,
        user: &str,
        text: &str,
    ) -> anyhow::Result<Vec<Announcement>> {
        self.shared.memory().edit_comment((project, id), comment, (user, text))
    }

    /// Pushes to a branch of a project, which was at `before`.
    pub fn push_to(
        &self,
        project: &str,
        (branch, user): (&str, &str),
        (before, after): (Option<&str>, &str),
    ) -> anyhow::Result<Vec<Announcement>> {
        self.shared.memory().push_to(project, (branch, user), (before, after))
    }

    /// Closes a pull request without merging it.
    pub fn close(&self, project: &str, id: u64, user: &str) -> anyhow::Result<Vec<Announcement>> {
        self.shared.memory().end(project, id, user, memory::Status::Closed)
    }

    /// Merges a pull request.
    pub fn merge(&self, project: &str, id: u64, user: &str) -> anyhow::Result<Vec<Announcement>> {
        self.shared.memory().end(project, id, user, memory::Status::Merged)
    }

    /// Opens a closed pull request again.
    pub fn reopen(&self, project: &str, id: u64, user: &str) -> anyhow::Result<Vec<Announcement>> {
        self.shared.memory().reopen(project, id, user)
    }

    /// Lets the API know nothing of a pull request, as while Pagure has announced it and not yet
    /// committed it to its database.
    pub fn hide(&self, project: &str, id: u64) -> anyhow::Result<()> {
        self.shared.memory().set_hidden(project, id, true)
    }

    /// Lets the API know a pull request again.
    pub fn reveal(&self, project: &str, id: u64) -> anyhow::Result<()> {
        self.shared.memory().set_hidden(project, id, false)
    }

    /// The flags on a commit, oldest first.
    pub fn flags(&self, project: &str, commit: &str) -> Vec<Flag> {
        self.shared.memory().flags(project, commit)
    }

    /// The comments on a pull request, oldest first.
    pub fn comments(&self, project: &str, id: u64) -> Vec<Comment> {
        self.shared.memory().comments(project, id)
    }
}
