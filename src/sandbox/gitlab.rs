//! A GitLab with memory, over real HTTP, which posts webhooks as a real one does.
//!
//! What a control does is posted before the control returns, with the status of the answer; what
//! a call to the API causes is posted by [`GitLabStandIn::echo`].

pub mod ci;

mod api;
mod hooks;
mod memory;
mod notes;
mod people;
mod pipelines;
mod server;
mod shape;
mod status;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use url::Url;

use crate::clock::Clock;
use crate::sandbox::serve::Server;
use memory::Memory;

/// The access level of somebody who may see what is not public, and open issues.
pub const GUEST: u8 = 10;
/// The access level of somebody who may see code and pipelines.
pub const REPORTER: u8 = 20;
/// The access level of somebody who may push to branches that are not protected.
pub const DEVELOPER: u8 = 30;
/// The access level of somebody who may push to and merge into protected branches.
pub const MAINTAINER: u8 = 40;

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

/// Where webhooks are posted.
#[derive(Clone, Debug)]
pub struct WebHook {
    /// The address.
    pub url: Url,
    /// The secret token, which is sent as it is.
    pub token: String,
    /// The signing token, `whsec_` and base64, if posts are signed.
    pub signing_token: Option<String>,
}

/// How the stand-in is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its dates come from.
    pub clock: Clock,
    /// Where webhooks are posted; without it they are only returned.
    pub hook: Option<WebHook>,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Clock::system(), hook: None }
    }
}

/// A merge request to be opened.
#[derive(Clone, Debug)]
pub struct NewMergeRequest {
    /// The path of the project it wants to change.
    pub project: String,
    /// The path of the fork that it comes from, if it does.
    pub fork: Option<String>,
    /// Who proposes it.
    pub author: String,
    /// Its title; `Draft: ` at its beginning makes it a draft.
    pub title: String,
    /// The branch that it comes from.
    pub source_branch: String,
    /// The branch it wants to change.
    pub target: String,
    /// Its only commit.
    pub head: String,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Hooked {
    /// What `X-Gitlab-Event` says.
    pub event: String,
    /// The body.
    pub body: Value,
    /// The status of the answer, if it was posted.
    pub status: Option<u16>,
}

/// A comment on a merge request, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub id: u64,
    /// Its words.
    pub text: String,
    /// Who wrote it.
    pub author: String,
    /// The writer's number.
    pub author_id: u64,
    /// Whether GitLab wrote it to tell of something.
    pub is_system: bool,
    /// When it was written.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// A status of a commit, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// The branch it is shown on.
    pub reference: String,
    /// The name of the check.
    pub name: String,
    /// One of `pending`, `running`, `success`, `failed`, `canceled`.
    pub state: String,
    /// The words.
    pub description: Option<String>,
    /// Where it leads.
    pub target_url: Option<String>,
    /// The number of whoever set it.
    pub author: u64,
    /// The pipeline it belongs to.
    pub pipeline: u64,
    /// Whether a newer one of its name took its place.
    pub is_retried: bool,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct GitLabStandIn {
    shared: Arc<Shared>,
    server: Arc<tokio::sync::Mutex<Option<Server>>>,
    address: SocketAddr,
}

/// What the handles and the server have in common.
struct Shared {
    memory: Mutex<Memory>,
    mood: watch::Sender<Mood>,
    answers_to_lose: AtomicUsize,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GitLabStandIn {
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
        });
        let server = Server::start(address, server::router(Arc::clone(&shared))).await?;
        let address = server.address();
        shared.memory().base = format!("http://{address}");
        Ok(Self { shared, server: Arc::new(tokio::sync::Mutex::new(Some(server))), address })
    }

    /// Stops answering; what it knows is kept for [`GitLabStandIn::restart`].
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

    /// Changes where webhooks are posted.
    pub fn set_hook(&self, hook: Option<WebHook>) {
        self.shared.memory().options.hook = hook;
    }

    /// Makes a user if there is none of this name; the number.
    pub fn add_user(&self, name: &str) -> u64 {
        self.shared.memory().user(name)
    }

    /// Says of a user whether it is a program.
    pub fn set_bot(&self, name: &str, is_bot: bool) {
        let mut memory = self.shared.memory();
        let id = memory.user(name);
        if let Some(user) = memory.users.get_mut(&id) {
            user.is_bot = is_bot;
        }
    }

    /// Blocks a user, or lets them in again.
    pub fn set_blocked(&self, name: &str, is_blocked: bool) {
        let mut memory = self.shared.memory();
        let id = memory.user(name);
        if let Some(user) = memory.users.get_mut(&id) {
            user.is_blocked = is_blocked;
        }
    }

    /// Gives a project another path; it answers to the old one, too.
    pub fn rename(&self, path: &str, new: &str) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        let project = memory.project_mut(path)?;
        project.was = Some(std::mem::replace(&mut project.path, new.to_owned()));
        Ok(())
    }

    /// Gives a user another name; whoever takes the old one is somebody else.
    pub fn rename_user(&self, name: &str, new: &str) {
        let mut memory = self.shared.memory();
        let id = memory.user(name);
        if let Some(user) = memory.users.get_mut(&id) {
            new.clone_into(&mut user.name);
        }
    }

    /// Makes a token of `user`.
    pub fn add_token(&self, token: &str, user: &str) {
        let mut memory = self.shared.memory();
        let id = memory.user(user);
        memory.tokens.insert(token.to_owned(), id);
    }

    /// Takes a token back.
    pub fn revoke_token(&self, token: &str) {
        self.shared.memory().tokens.remove(token);
    }

    /// Makes a public project, such as `rail/signalbox`, if it is not there.
    pub fn add_project(&self, path: &str) {
        self.shared.memory().ensure_project(path);
    }

    /// Lets only members see a project.
    pub fn make_private(&self, path: &str) -> anyhow::Result<()> {
        self.shared.memory().project_mut(path)?.is_private = true;
        Ok(())
    }

    /// Removes a project; what came from it has no source any more.
    pub fn remove_project(&self, path: &str) {
        let mut memory = self.shared.memory();
        let gone = memory.project(path).map(|project| project.id);
        memory.projects.retain(|id, _| Some(*id) != gone);
        for project in memory.projects.values_mut() {
            for request in project.requests.values_mut().filter(|request| request.source == gone) {
                request.source = None;
            }
        }
    }

    /// Makes a user a member of a project, such as with [`DEVELOPER`]; 0 is no member.
    pub fn set_access(&self, project: &str, user: &str, access_level: u8) -> anyhow::Result<()> {
        self.shared.memory().set_member(project, user, (access_level, None, true))
    }

    /// Makes a user a member until a day, such as `2026-11-20`.
    pub fn set_access_until(
        &self,
        project: &str,
        user: &str,
        (access_level, day): (u8, &str),
    ) -> anyhow::Result<()> {
        self.shared.memory().set_member(project, user, (access_level, Some(day), true))
    }

    /// Makes a user a member who still waits to be let in.
    pub fn set_access_awaiting(
        &self,
        project: &str,
        user: &str,
        access_level: u8,
    ) -> anyhow::Result<()> {
        self.shared.memory().set_member(project, user, (access_level, None, false))
    }

    /// Lets the API know nothing of a commit, as while GitLab has not fetched it.
    pub fn hide_commit(&self, project: &str, sha: &str) -> anyhow::Result<()> {
        self.shared.memory().project_mut(project)?.commits.remove(sha);
        Ok(())
    }

    /// Lets the API know a commit again.
    pub fn reveal_commit(&self, project: &str, sha: &str) -> anyhow::Result<()> {
        self.shared.memory().project_mut(project)?.commits.insert(sha.to_owned());
        Ok(())
    }

    /// Lets the API know nothing of a merge request, or know it again.
    pub fn set_hidden(&self, project: &str, iid: u64, is_hidden: bool) -> anyhow::Result<()> {
        self.shared.memory().request_mut(project, iid)?.is_hidden = is_hidden;
        Ok(())
    }

    /// Starts a pipeline of GitLab's own for a commit, on a branch or `refs/merge-requests/N/head`.
    pub fn start_pipeline(&self, project: &str, sha: &str, reference: &str) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        let id = memory.project_mut(project)?.id;
        memory.pipeline(id, sha, reference);
        Ok(())
    }

    /// The statuses of a commit, oldest first, without those that newer ones have replaced.
    pub fn statuses(&self, project: &str, sha: &str) -> Vec<Status> {
        let memory = self.shared.memory();
        let all = memory.project(project).into_iter().flat_map(|project| &project.statuses);
        all.filter(|status| status.sha == sha && !status.is_retried).cloned().collect()
    }

    /// The comments on a merge request, oldest first.
    pub fn notes(&self, project: &str, iid: u64) -> Vec<Note> {
        let memory = self.shared.memory();
        let request = memory.request(project, iid).map(|(_, request)| request.notes.clone());
        request.unwrap_or_default()
    }

    /// Whether a merge request is `opened`, `closed` or `merged`.
    pub fn state(&self, project: &str, iid: u64) -> Option<&'static str> {
        let memory = self.shared.memory();
        memory.request(project, iid).ok().map(|(_, request)| request.state.as_str())
    }
}
