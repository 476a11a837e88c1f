//! A Patchwork with memory, over real HTTP, as getpatchwork.org's is.
//!
//! Mails come in as they do there: they are sorted into series by their subjects and references,
//! replies become comments, and events tell of it, with dates in the server's own time and without
//! a zone.  What others call answers as Patchwork does, errors included: a filter that nobody
//! knows finds nothing, checks are only ever added, and the mails of a patch grow by what readers
//! reply.

mod api;
mod intake;
mod lists;
mod mbox;
mod memory;
mod server;
mod shape;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::sandbox::serve::Server;
use memory::Memory;

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
    /// A filter stands before it, and answers everything with a page and 200.
    Filtered,
    /// A call is accepted, and answered when the mood has changed.
    Hanging,
}

/// A mail that is sent to the list of a project.
#[derive(Clone, Debug, Default)]
pub struct NewMail {
    /// Whom it is from: `Ada <ada@points.example>`.
    pub from: String,
    /// Its subject, with all in brackets; one that begins with `Re:` is a reply.
    pub subject: String,
    /// Its Message-ID, without `<` and `>`.
    pub msgid: String,
    /// The Message-IDs of what it answers, oldest first.
    pub references: Vec<String>,
    /// When it was sent, as it says; now when absent.
    pub date: Option<Timestamp>,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// Its text, and the diff.
    pub body: String,
}

/// A series to be sent: a mail for each patch, and one for the cover letter.
#[derive(Clone, Debug, Default)]
pub struct NewSeries {
    /// The short name of the project.
    pub project: String,
    /// Whom it is from: `Ada <ada@points.example>`.
    pub from: String,
    /// What its Message-IDs begin with.
    pub msgid: String,
    /// Words in brackets besides `PATCH`, such as `net-next`.
    pub tags: Vec<String>,
    /// Which version it is; 0 counts as 1.
    pub version: u32,
    /// Title and text of the cover letter, if there is one.
    pub cover: Option<(String, String)>,
    /// The patches.
    pub patches: Vec<NewPatch>,
    /// More headers, of every mail.
    pub headers: Vec<(String, String)>,
}

/// A patch of a [`NewSeries`].
#[derive(Clone, Debug, Default)]
pub struct NewPatch {
    /// Its title, without brackets.
    pub title: String,
    /// The message of the commit.
    pub message: String,
    /// The diff, as `git diff` writes it.
    pub diff: String,
}

/// Where Patchwork has put a series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Its number.
    pub series: u64,
    /// The number of the cover letter.
    pub cover: Option<u64>,
    /// The numbers of the patches.
    pub patches: Vec<u64>,
    /// The Message-IDs of all its mails, the cover letter's first if there is one.
    pub msgids: Vec<String>,
}

/// A check on a patch, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its number.
    pub id: u64,
    /// Who made it.
    pub user: u64,
    /// One of `pending`, `success`, `warning`, `fail`.
    pub state: String,
    /// Its name; of several of one name and user the newest counts.
    pub context: String,
    /// The words.
    pub description: String,
    /// Where it leads.
    pub target_url: Option<String>,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct PatchworkStandIn {
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

impl PatchworkStandIn {
    /// Starts one on a free port of this machine.
    pub async fn start(clock: Clock) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), clock).await
    }

    /// Starts one on `address`.
    pub async fn start_on(address: SocketAddr, clock: Clock) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            memory: Mutex::new(Memory::new(clock)),
            mood: watch::Sender::new(Mood::Normal),
            answers_to_lose: AtomicUsize::new(0),
        });
        let server = Server::start(address, server::router(Arc::clone(&shared))).await?;
        let address = server.address();
        shared.memory().base = format!("http://{address}");
        Ok(Self { shared, server: Arc::new(tokio::sync::Mutex::new(Some(server))), address })
    }

    /// Stops answering; what it knows is kept for [`PatchworkStandIn::restart`].
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

    /// Answers every call whose path has `part` in it with this status; 0 ends it.
    pub fn set_broken(&self, part: &str, status: u16) {
        self.shared.memory().set_broken(part, status);
    }

    /// How far the server's clock is from UTC, in hours: events are dated by it.
    pub fn set_zone(&self, hours: i64) {
        self.shared.memory().zone_hours = hours;
    }

    /// The newest version of the API that it has: `1.2` or `1.3`.
    pub fn set_api(&self, version: &str) {
        version.clone_into(&mut self.shared.memory().api);
    }

    /// How many entries of a list are given at once at most.
    pub fn set_page_max(&self, count: usize) {
        self.shared.memory().page_max = count;
    }

    /// The number of the next event, as after a move to another machine.
    pub fn set_next_event(&self, id: u64) {
        self.shared.memory().next_event = id;
    }

    /// Tells addresses of the next pages at this base instead of its own.
    pub fn set_link_base(&self, base: &str) {
        self.shared.memory().link_base = Some(base.to_owned());
    }

    /// Makes a project with the mailing list `list_email`, if it is not there.
    pub fn add_project(&self, link_name: &str, list_email: &str) {
        self.shared.memory().add_project(link_name, list_email);
    }

    /// Takes a project away: it is not found, and filters by it find nothing.
    pub fn remove_project(&self, link_name: &str) {
        self.shared.memory().projects.remove(link_name);
    }

    /// Makes a user with a token; the number.
    pub fn add_user(&self, username: &str, token: &str) -> u64 {
        self.shared.memory().add_user(username, token)
    }

    /// Lets a user maintain a project, or not any more.
    pub fn set_maintainer(&self, project: &str, username: &str, is_one: bool) {
        self.shared.memory().set_maintainer(project, username, is_one);
    }

    /// The number of whoever sends mails as `from`: `Ada <ada@points.example>`.
    pub fn person(&self, from: &str) -> u64 {
        self.shared.memory().person(from)
    }

    /// Says that a user and whoever sends mails as `from` are the same.
    pub fn link_person(&self, from: &str, username: &str) {
        self.shared.memory().link_person(from, username);
    }

    /// Takes in a mail; the number of the patch, cover letter or comment that it became.
    pub fn deliver(&self, project: &str, mail: &NewMail) -> anyhow::Result<u64> {
        self.shared.memory().deliver(project, mail)
    }

    /// Puts a patch into a series under a number of its own, whatever its subject says: older
    /// servers do so with an answer to a series.
    pub fn put_into(&self, mail: &NewMail, (series, number): (u64, u32)) {
        self.shared.memory().put_into(mail, (series, number));
    }

    /// Takes in all mails of a series, in order.
    pub fn post_series(&self, new: &NewSeries) -> anyhow::Result<Posted> {
        let mut posted = Posted::default();
        for mail in self.mails_of(new) {
            let is_cover = posted.msgids.is_empty() && new.cover.is_some();
            posted.msgids.push(mail.msgid.clone());
            let id = self.deliver(&new.project, &mail)?;
            if is_cover {
                posted.cover = Some(id);
            } else {
                posted.patches.push(id);
            }
        }
        let first = posted.patches.first().copied().unwrap_or_default();
        posted.series = self.shared.memory().series_of_patch(first).unwrap_or_default();
        Ok(posted)
    }

    /// The mails of a series, the cover letter's first, for those who deliver them one by one.
    pub fn mails_of(&self, new: &NewSeries) -> Vec<NewMail> {
        intake::mails_of(new)
    }

    /// Replies to a mail of a series; the number of the comment.
    pub fn comment(
        &self,
        project: &str,
        to: &str,
        (from, msgid): (&str, &str),
        text: &str,
    ) -> anyhow::Result<u64> {
        let mail = NewMail {
            from: from.to_owned(),
            subject: "Re: [PATCH] a patch".to_owned(),
            msgid: msgid.to_owned(),
            references: vec![to.to_owned()],
            body: text.to_owned(),
            ..NewMail::default()
        };
        self.deliver(project, &mail)
    }

    /// Keeps a patch from being seen, as one that is announced before it is stored.
    pub fn hold_back(&self, patch: u64) {
        self.shared.memory().held.insert(patch);
    }

    /// Lets all be seen that was held back.
    pub fn release(&self) {
        self.shared.memory().held.clear();
    }

    /// Tells once more that a series is complete.
    pub fn tell_again(&self, series: u64) {
        self.shared.memory().tell_complete(series);
    }

    /// Forgets all that happened, as events are that nobody has told.
    pub fn forget_events(&self) {
        self.shared.memory().events.clear();
    }

    /// The checks on a patch, oldest first.
    pub fn checks(&self, patch: u64) -> Vec<Check> {
        self.shared.memory().checks.get(&patch).cloned().unwrap_or_default()
    }

    /// Adds a check as somebody else.
    pub fn add_check(&self, patch: u64, check: &Check) {
        self.shared.memory().add_check(patch, check.clone());
    }

    /// The calls that were made, as `GET /api/1.3/…`, oldest first; and whether each proved who
    /// makes it.
    pub fn calls(&self) -> Vec<(String, bool)> {
        self.shared.memory().calls.clone()
    }
}
