//! The durable store: messages seen, events and decisions, runs, actions.
//!
//! It is a SQLite database in WAL mode with `synchronous=FULL`: what a call has answered survives
//! a power cut.  There is one exception, for speed: that the worker has taken an action survives the
//! end of the process, but the last such notes may be lost in a power cut.  Then the action is
//! found waiting, and looked for before it is done.  One thread writes, another reads for people; both take their work from a bounded
//! queue, so that a slow disk slows its callers down instead of filling memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::decision::{Decision, Known};
use crate::event::Event;

pub mod bell;
pub mod branches;
pub mod cursors;
mod grave;
pub mod inbox;
pub mod intake;
pub mod known;
pub mod prune;
pub mod queue;
pub mod tally;
mod people;
mod record;
mod schema;
mod threads;
pub mod view;

/// Proof that a batch is in the ledger.  Only the ledger makes one.
///
/// ```compile_fail
/// let forged = pointsman::ledger::Stored(());
/// ```
#[derive(Debug)]
#[must_use = "the messages are not acknowledged yet"]
pub struct Stored(());

/// How an event is decided upon: the rules in force, as a function.
pub type Decide = Arc<dyn Fn(&Event, &Known) -> Decision + Send + Sync>;

/// What went wrong in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be made or opened.
    #[error("cannot open the ledger `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: anyhow::Error,
    },
    /// There is no such file.
    #[error("there is no ledger at `{path}` (`ledger.path`); the service makes it when it starts")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("the ledger refused")]
    Database(#[from] rusqlite::Error),
    /// A row does not hold what it should.
    #[error("the ledger holds something unreadable")]
    Corrupt(#[from] serde_json::Error),
    /// The thread that owns the database has ended.
    #[error("the ledger is closed")]
    Closed,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The ledger, as many parts of the service hold it.
#[derive(Clone)]
pub struct Ledger {
    writer: mpsc::Sender<Job>,
    reader: mpsc::Sender<Job>,
    clock: Clock,
    bells: bell::Bells,
    path: PathBuf,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The right to be the one service on a ledger, as long as it is held.
#[derive(Debug)]
pub struct Tenancy {
    _lock: std::fs::File,
}

impl Ledger {
    /// How many calls wait for a thread before callers have to.
    const QUEUE: usize = 64;

    /// Opens the ledger at `path`, makes it if there is none, and brings its tables up to date.
    ///
    /// The file is readable by its owner only: bodies of messages are in it.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, LedgerError> {
        let open = |source: anyhow::Error| LedgerError::Open { path: path.to_owned(), source };
        let mut writing = schema::open(path).map_err(open)?;
        schema::migrate(&mut writing).map_err(open)?;
        let reading = schema::open(path).map_err(open)?;
        Self::on((writing, reading), path, clock)
    }

    /// Opens the ledger at `path` beside a service that may be running on it: it has to be there,
    /// and its tables stay as they are.
    pub fn attach(path: &Path, clock: Clock) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        let open = |source: anyhow::Error| LedgerError::Open { path: path.to_owned(), source };
        let writing = schema::attach(path).map_err(open)?;
        let reading = schema::attach(path).map_err(open)?;
        reading.pragma_update(None, "query_only", true)?;
        Self::on((writing, reading), path, clock)
    }

    /// Starts the threads that own the connections.
    fn on(
        (writing, reading): (Connection, Connection),
        path: &Path,
        clock: Clock,
    ) -> Result<Self, LedgerError> {
        let open = |source: anyhow::Error| LedgerError::Open { path: path.to_owned(), source };
        let start = |name, connection| thread(name, connection).map_err(|e| open(e.into()));
        Ok(Self {
            writer: start("ledger-writer", writing)?,
            reader: start("ledger-reader", reading)?,
            clock,
            bells: bell::Bells::default(),
            path: path.to_owned(),
        })
    }

    /// Makes sure that no other service works on this ledger.
    pub fn occupy(&self) -> Result<Tenancy, LedgerError> {
        let path = self.path.with_extension("db.lock");
        let open = |source: anyhow::Error| LedgerError::Open { path: path.clone(), source };
        let lock = std::fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| open(error.into()))?;
        lock.try_lock().map_err(|error| {
            open(anyhow::Error::new(error).context("another pointsman is running on it"))
        })?;
        Ok(Tenancy { _lock: lock })
    }

    /// The clock by which rows are dated.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs `work` in a transaction on the writing thread; when this returns it is durable.
    async fn write<T, W>(&self, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Transaction<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        let answer = ask(&self.writer, move |connection| transact(connection, work)).await?;
        self.bells.ring();
        Ok(answer)
    }

    /// As [`Ledger::write`], but without waiting for the disk: a power cut may undo it, as long as
    /// no later [`Ledger::write`] has returned.
    async fn note<T, W>(&self, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Transaction<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        let noting = move |connection: &mut Connection| {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let answer = transact(connection, work);
            connection.pragma_update(None, "synchronous", "FULL")?;
            answer
        };
        let answer = ask(&self.writer, noting).await?;
        self.bells.ring();
        Ok(answer)
    }

    /// Runs `work` on the reading thread.
    async fn read<T, W>(&self, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        ask(&self.reader, move |connection| work(connection)).await
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// Runs `work` in a transaction.
fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    // Taking the write lock at once means waiting for another process here, where SQLite waits,
    // and not in the middle, where it gives up.
    let behavior = rusqlite::TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior)?;
    let answer = work(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}

/// Hands `work` to a thread and waits for its answer.
async fn ask<T, W>(thread: &mpsc::Sender<Job>, work: W) -> Result<T, LedgerError>
where
    T: Send + 'static,
    W: FnOnce(&mut Connection) -> Result<T, LedgerError> + Send + 'static,
{
    let (give, take) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        if give.send(work(connection)).is_err() {
            tracing::debug!("Whoever asked the ledger did not wait for the answer");
        }
    });
    // The error carries the job, which nobody can use any more.
    thread.send(job).await.map_err(|_closed| LedgerError::Closed)?;
    take.await.map_err(|_closed| LedgerError::Closed)?
}

/// Starts a thread that owns `connection` until every handle of the ledger is dropped.
fn thread(name: &str, mut connection: Connection) -> std::io::Result<mpsc::Sender<Job>> {
    let (give, mut take) = mpsc::channel::<Job>(Ledger::QUEUE);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        while let Some(job) = take.blocking_recv() {
            job(&mut connection);
        }
    })?;
    Ok(give)
}

#[cfg(test)]
mod tests;
