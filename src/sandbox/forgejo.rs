//! A Forgejo with memory, over real HTTP.
//!
//! It answers the calls that reporters make as Forgejo does, errors included.  Whatever happens to
//! a pull request, by a control or by a call, is posted to the webhook if there is one, signed,
//! and the control returns once the webhook has answered.

mod api;
mod memory;
mod server;
mod shape;
#[cfg(test)]
mod tests;
mod webhook;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use tokio::sync::watch;
use url::Url;

use crate::clock::Clock;
use crate::sandbox::serve::Server;
use memory::{Memory, State};
use webhook::{Post, Webhook};

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

/// A pull request to be opened, from a branch of its author's fork.
#[derive(Clone, Debug)]
pub struct NewPullRequest {
    /// The full name of the project it wants to change.
    pub project: String,
    /// Who proposes it.
    pub author: String,
    /// Its title; one that begins with `WIP:` makes it a draft.
    pub title: String,
    /// The branch of the fork.
    pub branch: String,
    /// The branch it wants to change.
    pub target: String,
    /// Its newest commit.
    pub head: String,
}

/// A status of a commit, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name; of several of one name the newest counts.
    pub context: String,
    /// One of `pending`, `success`, `error`, `failure`, `warning`.
    pub state: String,
    /// The words.
    pub description: String,
    /// Where it leads.
    pub target_url: String,
    /// Whose token made it.
    pub creator: String,
}

/// A comment on a pull request, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number, unique in the whole Forgejo.
    pub id: u64,
    /// Its words.
    pub text: String,
    /// The number of who wrote it.
    pub user: i64,
    /// When it was written.
    pub created: String,
    /// When it was last changed.
    pub updated: String,
}

/// What a webhook answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What it was told.
    pub event: String,
    /// The status, or none where nobody answered.
    pub status: Option<u16>,
    /// Its words.
    pub answer: String,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct ForgejoStandIn {
    shared: Arc<Shared>,
    server: Arc<tokio::sync::Mutex<Option<Server>>>,
    address: SocketAddr,
}

/// What the handles and the server have in common.
struct Shared {
    memory: Mutex<Memory>,
    webhook: Mutex<Option<Arc<Webhook>>>,
    deliveries: Mutex<Vec<Delivery>>,
    mood: watch::Sender<Mood>,
    answers_to_lose: AtomicUsize,
}

/// How many answers of webhooks are kept.
const DELIVERIES_MAX: usize = 1_000;

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts to the webhook, if there is one, one after the other.
    async fn deliver(&self, posts: Vec<Post>) {
        let webhook = self.webhook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(webhook) = webhook else { return };
        for post in posts {
            let delivery = webhook.send(&post).await;
            let mut kept = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < DELIVERIES_MAX {
                kept.push(delivery);
            }
        }
    }
}

impl ForgejoStandIn {
    /// Starts one on a free port of this machine.
    pub async fn start(clock: Clock) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), clock).await
    }

    /// Starts one on `address`.
    pub async fn start_on(address: SocketAddr, clock: Clock) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            memory: Mutex::new(Memory::new(clock)),
            webhook: Mutex::default(),
            deliveries: Mutex::default(),
            mood: watch::Sender::new(Mood::Normal),
            answers_to_lose: AtomicUsize::new(0),
        });
        let server = Server::start(address, server::router(Arc::clone(&shared))).await?;
        let address = server.address();
        shared.memory().base = format!("http://{address}");
        Ok(Self { shared, server: Arc::new(tokio::sync::Mutex::new(Some(server))), address })
    }

    /// Stops answering; what it knows is kept for [`ForgejoStandIn::restart`].
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

    /// Posts whatever happens from now on to `url`, signed with `secret`.
    pub fn set_webhook(&self, url: &Url, secret: SecretString) -> anyhow::Result<()> {
        let webhook = Webhook::new(url, secret)?;
        let mut place = self.shared.webhook.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::new(webhook));
        Ok(())
    }

    /// What the webhook answered, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a user, if there is none of that name; the number.
    pub fn add_user(&self, name: &str) -> i64 {
        self.shared.memory().ensure_user(name)
    }

    /// Gives a user another name; the old one is free.
    pub fn rename_user(&self, old: &str, new: &str) -> anyhow::Result<()> {
        self.shared.memory().rename_user(old, new)
    }

    /// Makes a project, such as `rail/signalbox`, if it is not there.
    pub fn add_project(&self, full_name: &str) -> anyhow::Result<()> {
        self.shared.memory().add_project(full_name)
    }

    /// Gives a project another name, by which it calls itself; it answers to the old one still.
    pub fn rename(&self, project: &str, name: &str) -> anyhow::Result<()> {
        name.clone_into(&mut self.shared.memory().project_mut(project)?.full_name);
        Ok(())
    }

    /// Lets a user collaborate on a project: `admin`, `write`, `read`; or not any more: `none`.
    pub fn set_permission(
        &self,
        project: &str,
        user: &str,
        permission: &str,
    ) -> anyhow::Result<()> {
        self.shared.memory().set_permission(project, user, permission)
    }

    /// Makes a token of `user`, who may do all that the user may.
    pub fn add_token(&self, token: &str, user: &str) {
        self.shared.memory().add_token(token, user);
    }

    /// Opens a pull request; its number.
    pub async fn open(&self, new: &NewPullRequest) -> anyhow::Result<u64> {
        let (number, posts) = self.shared.memory().open(new)?;
        self.shared.deliver(posts).await;
        Ok(number)
    }

    /// Pushes to the branch of a pull request, which then has this head.
    pub async fn push(&self, project: &str, number: u64, head: &str) -> anyhow::Result<()> {
        let posts = self.shared.memory().push(project, number, head)?;
        self.shared.deliver(posts).await;
        Ok(())
    }

    /// Pushes to a branch (or `refs/tags/…`) of a project, which was at `before`.
    pub async fn push_to(
        &self,
        project: &str,
        (branch, user): (&str, &str),
        (before, after): (Option<&str>, &str),
    ) -> anyhow::Result<()> {
        let posts = self.shared.memory().push_to(project, (branch, user), (before, after))?;
        self.shared.deliver(posts).await;
        Ok(())
    }

    /// Comments on a pull request; the number of the comment.
    pub async fn comment(
        &self,
        project: &str,
        number: u64,
        user: &str,
        text: &str,
    ) -> anyhow::Result<u64> {
        let user = self.shared.memory().ensure_user(user);
        let (id, posts) = self.shared.memory().comment(project, number, (user, text))?;
        self.shared.deliver(posts).await;
        Ok(id)
    }

    /// Changes the words of a comment, whoever wrote them.
    pub async fn edit_comment(
        &self,
        project: &str,
        id: u64,
        user: &str,
        text: &str,
    ) -> anyhow::Result<()> {
        let user = self.shared.memory().ensure_user(user);
        let posts = self.shared.memory().edit_comment(project, id, (user, text))?;
        self.shared.deliver(posts).await;
        Ok(())
    }

    /// Closes a pull request without merging it.
    pub async fn close(&self, project: &str, number: u64, user: &str) -> anyhow::Result<()> {
        self.change_state(project, number, user, State::Closed).await
    }

    /// Merges a pull request.
    pub async fn merge(&self, project: &str, number: u64, user: &str) -> anyhow::Result<()> {
        self.change_state(project, number, user, State::Merged).await
    }

    /// Opens a closed pull request again.
    pub async fn reopen(&self, project: &str, number: u64, user: &str) -> anyhow::Result<()> {
        self.change_state(project, number, user, State::Open).await
    }

    async fn change_state(
        &self,
        project: &str,
        number: u64,
        user: &str,
        state: State,
    ) -> anyhow::Result<()> {
        let posts = self.shared.memory().change_state(project, number, user, state)?;
        self.shared.deliver(posts).await;
        Ok(())
    }

    /// Takes the `WIP:` from the title of a pull request.
    pub async fn ready(&self, project: &str, number: u64) -> anyhow::Result<()> {
        let posts = self.shared.memory().retitle(project, number, memory::Title::Ready)?;
        self.shared.deliver(posts).await;
        Ok(())
    }

    /// Puts `WIP:` before the title of a pull request.
    pub async fn draft(&self, project: &str, number: u64) -> anyhow::Result<()> {
        let posts = self.shared.memory().retitle(project, number, memory::Title::Draft)?;
        self.shared.deliver(posts).await;
        Ok(())
    }

    /// The statuses of a commit that are shown: of each name the newest.
    pub fn statuses(&self, project: &str, commit: &str) -> Vec<Status> {
        self.shared.memory().statuses(project, commit)
    }

    /// The comments on a pull request, oldest first.
    pub fn comments(&self, project: &str, number: u64) -> Vec<Comment> {
        self.shared.memory().comments(project, number)
    }
}
