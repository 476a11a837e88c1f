//! A LAVA with memory, over real HTTP: it answers as LAVA 2023.01 does.
//!
//! What becomes of a job is said by whoever drives it ([`LavaStandIn::begin`],
//! [`LavaStandIn::finish`]), by a script ([`LavaStandIn::set_outcomes`], [`LavaStandIn::play`]),
//! or happens by itself after a while ([`LavaStandIn::set_automatic`]).

mod api;
mod callback;
mod filter;
mod job;
mod lists;
mod memory;
mod server;
mod shape;
mod submit;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::sandbox::serve::Server;
use memory::Memory;

pub use job::{Callback, Case, Job, Outcome};

/// How the stand-in behaves towards whoever calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    #[default]
    Normal,
    /// Every call is answered with this status and a page for people, and changes nothing.
    Failing(u16),
    /// Every call is answered with 429.
    TooMany {
        /// What `Retry-After` says, in seconds.
        retry_after: u64,
    },
    /// A call is accepted, and answered when the mood has changed.
    Hanging,
}

/// A board.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name.
    pub hostname: String,
    /// What kind of board it is.
    pub device_type: String,
    /// What it has.
    pub tags: Vec<String>,
    /// `Good`, `Unknown`, `Looping`, `Bad`, `Maintenance` or `Retired`.
    pub health: String,
    /// The machine that it hangs on.
    pub worker: String,
}

impl Device {
    /// A good board, on the worker `shed`.
    pub fn new(hostname: &str, device_type: &str, tags: &[&str]) -> Self {
        Self {
            hostname: hostname.to_owned(),
            device_type: device_type.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            health: "Good".to_owned(),
            worker: "shed".to_owned(),
        }
    }
}

/// How the callbacks of jobs that end are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callbacks {
    /// They are sent, once, and a failure is forgotten.
    #[default]
    Sent,
    /// They are kept, and go nowhere.
    Lost,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct LavaStandIn {
    shared: Arc<Shared>,
    server: Arc<tokio::sync::Mutex<Option<Server>>>,
    address: SocketAddr,
}

/// What the handles and the server have in common.
struct Shared {
    memory: Mutex<Memory>,
    mood: watch::Sender<Mood>,
    answers_to_lose: AtomicUsize,
    later: Mutex<JoinSet<()>>,
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives boards to jobs, where that happens by itself.
    fn go_on(self: &Arc<Self>) {
        let (after, begun) = {
            let mut memory = self.memory();
            let Some(after) = memory.automatic else { return };
            (after, memory.schedule())
        };
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        while later.try_join_next().is_some() {}
        for id in begun {
            let shared = Arc::downgrade(self);
            later.spawn(async move {
                tokio::time::sleep(after).await;
                let Some(shared) = shared.upgrade() else { return };
                let scripted = shared.memory().scripted(id);
                if let Some(outcome) = scripted {
                    shared.finish(id, outcome).await;
                    shared.go_on();
                }
            });
        }
    }

    /// Ends a job: its callbacks are sent first, and only then does REST know.
    async fn finish(&self, id: u64, outcome: Outcome) -> bool {
        if !self.announce(id, outcome).await {
            return false;
        }
        self.memory().commit(id)
    }

    async fn announce(&self, id: u64, outcome: Outcome) -> bool {
        let Some(posts) = self.memory().decide(id, outcome) else { return false };
        for post in posts {
            let status = post.send().await;
            self.memory().note_callback(post, status);
        }
        true
    }
}

impl LavaStandIn {
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
            later: Mutex::default(),
        });
        let server = Server::start(address, server::router(Arc::clone(&shared))).await?;
        let address = server.address();
        shared.memory().base = format!("http://{address}");
        Ok(Self { shared, server: Arc::new(tokio::sync::Mutex::new(Some(server))), address })
    }

    /// Stops answering; what it knows is kept for [`LavaStandIn::restart`].
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

    /// Answers calls whose path ends in `path` (such as `/jobs/`) with `status` and `body`, and
    /// does nothing else for them; without a body as it should.
    pub fn set_answer(&self, path: &str, status: u16, body: Option<&str>) {
        let mut memory = self.shared.memory();
        memory.answers.remove(path);
        if let Some(body) = body {
            memory.answers.insert(path.to_owned(), (status, body.to_owned()));
        }
    }

    /// Does what the next `count` calls ask that change something, and hangs up instead of
    /// answering.
    pub fn lose_answers(&self, count: usize) {
        self.shared.answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// Makes a token of `user`.
    pub fn add_token(&self, token: &str, user: &str) {
        self.shared.memory().tokens.insert(token.to_owned(), user.to_owned());
    }

    /// Takes a token back.
    pub fn revoke_token(&self, token: &str) {
        self.shared.memory().tokens.remove(token);
    }

    /// Makes a kind of board, of which there may be none.
    pub fn add_device_type(&self, name: &str) {
        self.shared.memory().device_types.insert(name.to_owned());
    }

    /// Makes another name for a kind of board.
    pub fn add_alias(&self, alias: &str, device_type: &str) {
        self.shared.memory().aliases.insert(alias.to_owned(), device_type.to_owned());
    }

    /// Adds a board, with its kind, its tags and its worker where they are not there.
    pub fn add_device(&self, device: Device) {
        self.shared.memory().add_device(device);
        self.shared.go_on();
    }

    /// Makes a tag that no board has.
    pub fn add_tag(&self, name: &str) {
        self.shared.memory().tag(name);
    }

    /// Changes the health of a board; see [`Device::health`].
    pub fn set_health(&self, hostname: &str, health: &str) {
        if let Some(device) = self.shared.memory().device_mut(hostname) {
            health.clone_into(&mut device.of.health);
        }
        self.shared.go_on();
    }

    /// Says of a worker whether it is there.
    pub fn set_online(&self, worker: &str, is_online: bool) {
        self.shared.memory().workers.insert(worker.to_owned(), is_online);
        self.shared.go_on();
    }

    /// Says what becomes of the jobs that begin on a kind of board from now on: the first outcome
    /// is that of the first job, and the last that of all that follow.
    pub fn set_outcomes(&self, device_type: &str, outcomes: Vec<Outcome>) {
        self.shared.memory().scripts.insert(device_type.to_owned(), outcomes.into());
    }

    /// Has jobs begin as soon as there is a board, and end so long after; without it they wait for
    /// somebody to say so.
    pub fn set_automatic(&self, after: Option<Duration>) {
        self.shared.memory().automatic = after;
        self.shared.go_on();
    }

    /// Says what becomes of callbacks.
    pub fn set_callbacks(&self, callbacks: Callbacks) {
        self.shared.memory().callbacks = callbacks;
    }

    /// Submits a job as `user`, as if by hand; the answer's words where it is refused.
    pub fn submit(&self, user: &str, definition: &str) -> Result<u64, String> {
        let made = self.shared.memory().submit(user, definition);
        self.shared.go_on();
        let ids = made.map_err(|refused| refused.message)?;
        ids.first().copied().ok_or_else(|| "no job".to_owned())
    }

    /// Gives the boards that are free to the jobs that wait; the jobs that begin by that.
    pub fn schedule(&self) -> Vec<u64> {
        self.shared.memory().schedule()
    }

    /// Begins a job that waits, on a board that is free; false if there is none.
    pub fn begin(&self, id: u64) -> bool {
        self.shared.memory().begin(id)
    }

    /// Puts a job that waits into another state, such as `Scheduling` or `Scheduled`; false if it
    /// does not wait.
    pub fn set_state(&self, id: u64, state: &'static str) -> bool {
        self.shared.memory().set_waiting_state(id, state)
    }

    /// Ends a job: its callbacks are sent, and then REST knows.  False if there is no such job, or
    /// it has ended.
    pub async fn finish(&self, id: u64, outcome: Outcome) -> bool {
        let is_finished = self.shared.finish(id, outcome).await;
        self.shared.go_on();
        is_finished
    }

    /// Does the first half of [`LavaStandIn::finish`]: callbacks are sent, and REST knows nothing
    /// of an end.
    pub async fn announce(&self, id: u64, outcome: Outcome) -> bool {
        self.shared.announce(id, outcome).await
    }

    /// Does the second half of [`LavaStandIn::finish`]: REST knows.
    pub fn commit(&self, id: u64) -> bool {
        let is_known = self.shared.memory().commit(id);
        self.shared.go_on();
        is_known
    }

    /// Has everything happen that the scripts say, until no job can go on: jobs get boards and
    /// end.  How many ended.
    pub async fn play(&self) -> usize {
        let mut count = 0;
        loop {
            self.shared.memory().schedule();
            let running = self.shared.memory().running();
            if running.is_empty() {
                return count;
            }
            for id in running {
                let scripted = self.shared.memory().scripted(id);
                if let Some(outcome) = scripted
                    && self.shared.finish(id, outcome).await
                {
                    count += 1;
                }
            }
        }
    }

    /// Forgets a job.
    pub fn remove_job(&self, id: u64) {
        self.shared.memory().jobs.remove(&id);
    }

    /// All jobs, oldest first.
    pub fn jobs(&self) -> Vec<Job> {
        self.shared.memory().jobs.values().cloned().collect()
    }

    /// The callbacks of jobs that have ended, sent or lost, oldest first.
    pub fn callbacks(&self) -> Vec<Callback> {
        self.shared.memory().called_back.clone()
    }

    /// How many jobs waited for a kind of board at once, at most.
    pub fn most_waiting(&self, device_type: &str) -> usize {
        self.shared.memory().most_waiting.get(device_type).copied().unwrap_or_default()
    }

    /// How many jobs of `user` had not ended at once, at most.
    pub fn most_unfinished(&self, user: &str) -> usize {
        self.shared.memory().most_unfinished.get(user).copied().unwrap_or_default()
    }

    /// The calls that came: method, path and query, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.shared.memory().requests.iter().cloned().collect()
    }

    /// Forgets the calls that came.
    pub fn forget_requests(&self) {
        self.shared.memory().requests.clear();
    }
}
