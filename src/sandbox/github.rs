//! A GitHub with memory, over real HTTP, such as an Enterprise: its pages at the root, its API
//! below `/api/v3`.
//!
//! It answers the calls that reporters make as GitHub does, errors included, and posts signed
//! webhooks to whoever asked for them: about what a control does before the control returns, and
//! about what a call to the API causes before the call is answered.

mod access;
mod acts;
mod api;
mod hooks;
mod memory;
mod people;
mod server;
mod shape;
#[cfg(test)]
mod tests;
mod writes;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use tokio::sync::watch;
use url::Url;

use crate::clock::Clock;
use crate::remote::Remote;
use crate::sandbox::serve::Server;
use hooks::Post;
use memory::Memory;

pub use memory::{CheckRun, Comment, Status};

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
    /// Every call is answered with 403: there were too many in too short a time.
    Hasty,
    /// Every call is answered with 403: there were too many in this hour.
    UsedUp {
        /// When the next hour begins, in seconds since 1970.
        reset: i64,
    },
}

/// What somebody may do in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Sort issues and pull requests.
    Triage,
    /// Push and merge.
    Write,
    /// Write, and a part of the settings.
    Maintain,
    /// Everything.
    Admin,
}

/// Where webhooks go, and what they are signed with.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The address.
    pub url: Url,
    /// The secret.
    pub secret: SecretString,
}

/// How the stand-in is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its dates come from.
    pub clock: Clock,
    /// Where webhooks go; more can be said later, by [`GithubStandIn::hook_to`].
    pub hook: Option<Webhook>,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Clock::system(), hook: None }
    }
}

/// A pull request to be opened.
#[derive(Clone, Debug)]
pub struct NewPullRequest {
    /// The full name of the repository it wants to change.
    pub repo: String,
    /// Who proposes it, from a fork of theirs, or from a branch of the repository if they may
    /// write there.
    pub author: String,
    /// Its title.
    pub title: String,
    /// The branch it comes from.
    pub branch: String,
    /// The branch it wants to change.
    pub target: String,
    /// Its newest commit.
    pub head: String,
    /// Whether it is a draft.
    pub draft: bool,
}

/// A webhook that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event, such as `pull_request`.
    pub event: &'static str,
    /// The status of the answer; none where nobody answered.
    pub status: Option<u16>,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct GithubStandIn {
    shared: Arc<Shared>,
    server: Arc<tokio::sync::Mutex<Option<Server>>>,
    address: SocketAddr,
}

/// What the handles and the server have in common.
struct Shared {
    memory: Mutex<Memory>,
    mood: watch::Sender<Mood>,
    answers_to_lose: AtomicUsize,
    hook: Mutex<Option<Webhook>>,
    sent: Mutex<VecDeque<Post>>,
    postman: Remote,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GithubStandIn {
    /// The private key (PEM) of every App of a stand-in: it opens nothing else.
    pub const APP_KEY: &str = include_str!("github/app.pem");

    /// Starts one on a free port of this machine.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await
    }

    /// Starts one on `address`.
    pub async fn start_on(address: SocketAddr, options: Options) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            postman: hooks::postman(options.clock.clone())?,
            memory: Mutex::new(Memory::new(options.clock)),
            mood: watch::Sender::new(Mood::Normal),
            answers_to_lose: AtomicUsize::new(0),
            hook: Mutex::new(options.hook),
            sent: Mutex::default(),
        });
        let server = Server::start(address, server::router(Arc::clone(&shared))).await?;
        let address = server.address();
        shared.memory().base = format!("http://{address}");
        Ok(Self { shared, server: Arc::new(tokio::sync::Mutex::new(Some(server))), address })
    }

    /// Stops answering; what it knows is kept for [`GithubStandIn::restart`].
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

    /// The host by which its messages call it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Changes how it behaves towards calls.
    pub fn set_mood(&self, mood: Mood) {
        self.shared.mood.send_replace(mood);
    }

    /// Does what the next `count` calls ask that change something, and hangs up instead of
    /// answering.
    pub fn lose_answers(&self, count: usize) {
        self.shared.answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// Sends webhooks there from now on, or nowhere.
    pub fn hook_to(&self, hook: Option<Webhook>) {
        *self.shared.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Sends the last webhook again, as somebody who presses "Redeliver".
    pub async fn redeliver(&self) -> Option<Delivery> {
        let post = self.shared.last_post()?;
        self.shared.deliver(&post).await
    }

    /// Makes a repository, such as `rail/signalbox`, if it is not there.
    pub fn add_repo(&self, full_name: &str) {
        self.shared.memory().add_repo(full_name);
    }

    /// Makes a repository private, so that only those with a role see it.
    pub fn make_private(&self, repo: &str) -> anyhow::Result<()> {
        self.shared.memory().repo_mut(repo)?.is_private = true;
        Ok(())
    }

    /// Archives a repository.
    pub fn archive(&self, repo: &str) -> anyhow::Result<()> {
        self.shared.memory().repo_mut(repo)?.is_archived = true;
        Ok(())
    }

    /// Sends every call to `root` from now on, as a company that has moved; or not any more.
    pub fn send_away(&self, root: Option<String>) {
        self.shared.memory().gone_to = root;
    }

    /// Gives a repository another name; calls by the old one are sent to where it is.
    pub fn rename(&self, repo: &str, name: &str) -> anyhow::Result<()> {
        self.shared.memory().rename(repo, name)
    }

    /// Says what somebody may do in a repository.
    pub fn set_permission(&self, repo: &str, user: &str, role: Role) -> anyhow::Result<()> {
        self.shared.memory().set_permission(repo, user, role)
    }

    /// Somebody's number, which they keep.
    pub fn user_id(&self, user: &str) -> u64 {
        self.shared.memory().person(user)
    }

    /// Lets somebody else have a name, with whatever rights it has.
    pub fn give_away(&self, user: &str) {
        self.shared.memory().give_away(user);
    }

    /// Makes a token of `user`; a classic one if it has scopes, such as `repo`.
    pub fn add_token(&self, token: &str, user: &str, scopes: Option<&[&str]>) {
        self.shared.memory().add_token(token, user, scopes);
    }

    /// Lets a token expire.
    pub fn expire_token(&self, token: &str) {
        self.shared.memory().tokens.remove(token);
    }

    /// Makes the App `slug`, which signs with [`GithubStandIn::APP_KEY`]; its number.
    pub fn add_app(&self, slug: &str, permissions: &[(&str, &str)]) -> u64 {
        self.shared.memory().add_app(slug, permissions)
    }

    /// Installs the App for a repository; the number of the installation.
    pub fn install(&self, repo: &str) -> anyhow::Result<u64> {
        self.shared.memory().install(repo)
    }

    /// How many tokens were given to installations.
    pub fn tokens_given(&self) -> usize {
        self.shared.memory().given.len()
    }

    /// Takes back the tokens that were given to installations; how many there were.
    pub fn revoke_tokens(&self) -> usize {
        std::mem::take(&mut self.shared.memory().given).len()
    }

    /// The newest status of each name on a commit.
    pub fn statuses(&self, repo: &str, commit: &str) -> Vec<Status> {
        self.shared.memory().newest_statuses(repo, commit)
    }

    /// The check runs on a commit, oldest first.
    pub fn check_runs(&self, repo: &str, commit: &str) -> Vec<CheckRun> {
        self.shared.memory().check_runs(repo, commit)
    }

    /// The comments on a pull request, oldest first.
    pub fn comments(&self, repo: &str, number: u64) -> Vec<Comment> {
        self.shared.memory().comments(repo, number)
    }
}
