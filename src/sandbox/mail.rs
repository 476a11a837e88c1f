//! A mail server with memory, over real SMTP: it keeps what it is handed, and shows it as a
//! reader would.

mod door;
mod reader;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How the server behaves towards whoever connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    #[default]
    Normal,
    /// It gives this reply to a command, such as `451 4.3.0 Try later` to `MAIL`.  `GREETING` and
    /// `END` (of the data) count as commands.
    Says {
        /// The command.
        to: &'static str,
        /// The reply.
        reply: &'static str,
    },
    /// It accepts a connection and never says a word.
    Silent,
}

/// A letter, as it was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Whom the envelope says it is from.
    pub from: String,
    /// Whom the envelope says it is for.
    pub to: Vec<String>,
    /// Headers and text, as they came.
    pub source: String,
}

/// A handle on the stand-in; it stops when the last one is dropped.
#[derive(Clone)]
pub struct MailStandIn {
    memory: Arc<Mutex<Memory>>,
    address: SocketAddr,
    _server: Arc<JoinSet<()>>,
}

#[derive(Default)]
struct Memory {
    letters: Vec<Letter>,
    users: BTreeMap<String, String>,
    refused: BTreeMap<String, &'static str>,
    mood: Mood,
    answers_to_lose: usize,
}

fn locked(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MailStandIn {
    /// Starts one on a free port of this machine.
    pub async fn start() -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(address).await.context("cannot listen")?;
        let address = listener.local_addr()?;
        let memory: Arc<Mutex<Memory>> = Arc::default();
        let mut server = JoinSet::new();
        server.spawn(door::serve(listener, Arc::clone(&memory)));
        Ok(Self { memory, address, _server: Arc::new(server) })
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Makes a user; from then on nobody sends anything without logging in.
    pub fn add_user(&self, user: &str, password: &str) {
        locked(&self.memory).users.insert(user.to_owned(), password.to_owned());
    }

    /// Gives this reply whenever somebody wants to write to `address`.
    pub fn refuse(&self, address: &str, reply: &'static str) {
        locked(&self.memory).refused.insert(address.to_owned(), reply);
    }

    /// Changes how it behaves.
    pub fn set_mood(&self, mood: Mood) {
        locked(&self.memory).mood = mood;
    }

    /// Takes the next `count` letters, and hangs up instead of saying so.
    pub fn lose_answers(&self, count: usize) {
        locked(&self.memory).answers_to_lose = count;
    }

    /// All letters that it was handed, oldest first, also those that came twice.
    pub fn letters(&self) -> Vec<Letter> {
        locked(&self.memory).letters.clone()
    }

    /// The letters as a reader shows them that knows them by their `Message-ID`.
    pub fn inbox(&self) -> Vec<Letter> {
        let mut seen = std::collections::BTreeSet::new();
        let is_new = |letter: &Letter| seen.insert(letter.header("Message-ID"));
        self.letters().into_iter().filter(is_new).collect()
    }
}
