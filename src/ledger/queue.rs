//! Actions on their way: claimed, settled, dug out again.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::tally::Tally;
use super::{Decide, Ledger, LedgerError, grave, intake, known};
use crate::action::Task;
use crate::event::Event;
use crate::run::Run;
use crate::subject::{ConnectionName, RunId};

/// How much time there is at least between two questions about one build, however much somebody
/// hurries us.
pub const HURRY_PAUSE: Duration = Duration::from_secs(5);

/// An action that a worker has in hand.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its place in line.
    pub seq: i64,
    /// Its key.
    pub key: String,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// How often it was put off without fault.
    pub rounds: u32,
    /// When it was made, in milliseconds since 1970.
    pub made_at: i64,
    /// The run it belongs to, as it stands now.
    pub run: Option<Run>,
    /// The message that caused it, where one did.
    pub cause: Option<String>,
    /// What to do.
    pub task: Task,
}

/// What became of an action.
#[derive(Debug)]
pub enum Settlement {
    /// It is done; these events tell what came of it.
    Done(Vec<Event>),
    /// It was not needed any more; these events tell what follows from that.
    Superseded(String, Vec<Event>),
    /// Nothing is wrong, but it is to be looked at again; these events tell what was seen.
    Later(Duration, Vec<Event>),
    /// It failed and is tried again.
    Retry(Duration, String),
    /// It failed for good; these events tell what follows from that.
    Buried(String, Vec<Event>),
}

/// What came of digging out an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DugOut {
    /// It is back in line.
    Back,
    /// It was not buried.
    NotBuried,
    /// It would do harm now, and why.
    Refused(&'static str),
}

impl Ledger {
    /// Gives back to the line what was in hand when the last process ended.
    ///
    /// Each such action counts a try, so that whoever takes it next looks for what the last one
    /// may have done.  So does what waits: that it was taken may have been lost in a power cut.
    pub async fn recover(&self) -> Result<usize, LedgerError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE actions SET attempts = 1 WHERE state = 'waiting' AND attempts = 0",
                [],
            )?;
            let changed = transaction
                .execute("UPDATE actions SET state = 'waiting' WHERE state = 'claimed'", [])?;
            Ok(changed)
        })
        .await
    }

    /// Takes up to `count` actions of `connection` that are due and first in their lanes.
    pub async fn claim(
        &self,
        connection: &ConnectionName,
        count: usize,
    ) -> Result<Vec<Claimed>, LedgerError> {
        let (connection, now) = (connection.clone(), self.now());
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        // A transaction that finds nothing writes nothing, and costs no more than a look.
        self.note(move |transaction| {
            let due = due(transaction, (&connection, now), count)?;
            due.into_iter().map(|seq| take(transaction, seq, now)).collect()
        })
        .await
    }

    /// When the next action of `connection` that is first in its lane is due, in milliseconds
    /// since 1970.
    pub async fn next_due(&self, connection: &ConnectionName) -> Result<Option<i64>, LedgerError> {
        let connection = connection.clone();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT due_at FROM actions AS a WHERE state = 'waiting' AND connection = ?1 \
                 AND NOT EXISTS (SELECT 1 FROM actions AS b WHERE b.lane = a.lane \
                 AND b.seq < a.seq AND b.state IN ('waiting', 'claimed')) \
                 ORDER BY due_at, seq LIMIT 1",
            )?;
            Ok(select.query_row([connection.as_str()], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// The connections for which anything waits.
    pub async fn connections_with_work(&self) -> Result<Vec<ConnectionName>, LedgerError> {
        self.read(|db| {
            let mut select =
                db.prepare("SELECT DISTINCT connection FROM actions WHERE state = 'waiting'")?;
            let names = select.query_map([], |row| row.get::<_, String>(0))?;
            let names = names.collect::<Result<Vec<_>, _>>()?;
            Ok(names.into_iter().filter_map(|name| name.try_into().ok()).collect())
        })
        .await
    }

    /// The run `id`, if it is known.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, LedgerError> {
        self.read(move |db| known::run(db, &id)).await
    }

    /// The run that puts the series of a mail (its Message-ID) on a branch of `tree`.
    pub async fn run_of_letter(
        &self,
        tree: ConnectionName,
        msgid: String,
    ) -> Result<Option<Run>, LedgerError> {
        self.read(move |db| {
            let mut select =
                db.prepare_cached("SELECT run FROM letters WHERE tree = ?1 AND msgid = ?2")?;
            let found = select.query_row([tree.as_str(), &msgid], |row| row.get::<_, String>(0));
            match found.optional()?.and_then(|id| RunId::try_from(id).ok()) {
                Some(id) => known::run(db, &id),
                None => Ok(None),
            }
        })
        .await
    }

    /// Has what became of the build of `run` asked now instead of later; `false` for a run that is
    /// not known.
    ///
    /// The pauses begin anew, too: who says that a build has ended may say so before the executor
    /// knows of it, and the answer to the next question may be that it still runs.
    ///
    /// It can be called as often as anybody likes: between two questions there are
    /// [`HURRY_PAUSE`], and a run that has ended is left alone.
    pub async fn hurry(&self, run: RunId) -> Result<bool, LedgerError> {
        let now = self.now();
        let connection = self
            .write(move |transaction| {
                let Some(run) = known::run(transaction, &run)? else { return Ok(None) };
                let mut update = transaction.prepare_cached(
                    "UPDATE actions SET rounds = 0, due_at = MIN(due_at, MAX(?2, changed_at + ?3)) \
                     WHERE run = ?1 AND kind = 'inspect' AND state = 'waiting'",
                )?;
                let pause = i64::try_from(HURRY_PAUSE.as_millis()).unwrap_or(i64::MAX);
                update.execute(params![run.id.as_str(), now, pause])?;
                Ok(Some(run.connection))
            })
            .await?;
        self.bells.ring_at(&connection);
        Ok(connection.is_some())
    }

    /// Writes down what became of an action, and decides about the events that follow from it,
    /// in one transaction.
    pub async fn settle(
        &self,
        seq: i64,
        settlement: Settlement,
        decide: Decide,
    ) -> Result<Tally, LedgerError> {
        let now = self.now();
        let tally = self
            .write(move |transaction| {
                let mut tally = Tally::default();
                let events = close(transaction, seq, settlement, now)?;
                for event in &events {
                    let event = (event, None);
                    intake::decide_and_record(transaction, event, &decide, (now, &mut tally))?;
                }
                Ok(tally)
            })
            .await?;
        self.bells.ring_at(&tally.connections);
        Ok(tally)
    }

    /// Puts a buried action back in line; its tries are not forgotten, so that it looks for its key
    /// first.
    pub async fn dig_out(&self, seq: i64) -> Result<DugOut, LedgerError> {
        let now = self.now();
        let dug_out = self.write(move |transaction| grave::open(transaction, seq, now)).await?;
        self.bells.ring_everywhere();
        Ok(dug_out)
    }
}

/// The actions that can be taken now, those due first in front.
fn due(
    db: &Connection,
    (connection, now): (&ConnectionName, i64),
    count: i64,
) -> Result<Vec<i64>, LedgerError> {
    let mut select = db.prepare_cached(
        "SELECT seq FROM actions AS a WHERE state = 'waiting' AND connection = ?1 AND due_at <= ?2 \
         AND NOT EXISTS (SELECT 1 FROM actions AS b WHERE b.lane = a.lane AND b.seq < a.seq \
         AND b.state IN ('waiting', 'claimed')) ORDER BY due_at, seq LIMIT ?3",
    )?;
    let seqs = select.query_map(params![connection.as_str(), now, count], |row| row.get(0))?;
    Ok(seqs.collect::<Result<_, _>>()?)
}

fn take(transaction: &Transaction<'_>, seq: i64, now: i64) -> Result<Claimed, LedgerError> {
    let mut update = transaction.prepare_cached(
        "UPDATE actions SET state = 'claimed', attempts = attempts + 1, changed_at = ?2 \
         WHERE seq = ?1 RETURNING key, attempts, rounds, made_at, run, body, \
         (SELECT m.id FROM events AS e JOIN messages AS m ON m.seq = e.message \
          WHERE e.seq = actions.event)",
    )?;
    let mut rows = update.query(params![seq, now])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let run: Option<String> = row.get(4)?;
    let body: String = row.get(5)?;
    let run = match run.and_then(|id| RunId::try_from(id).ok()) {
        Some(id) => known::run(transaction, &id)?,
        None => None,
    };
    Ok(Claimed {
        seq,
        key: row.get(0)?,
        attempts: row.get(1)?,
        rounds: row.get(2)?,
        made_at: row.get(3)?,
        run,
        cause: row.get(6)?,
        task: serde_json::from_str(&body)?,
    })
}

/// Changes the state of the action, and returns the events that follow.
fn close(
    transaction: &Transaction<'_>,
    seq: i64,
    settlement: Settlement,
    now: i64,
) -> Result<Vec<Event>, LedgerError> {
    let later =
        |wait: Duration| now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    let end = |state: &str, error: Option<&str>| {
        let mut update = transaction.prepare_cached(
            "UPDATE actions SET state = ?2, error = ?3, changed_at = ?4 WHERE seq = ?1",
        )?;
        update.execute(params![seq, state, error, now])
    };
    match settlement {
        Settlement::Done(events) => {
            end("done", None)?;
            Ok(events)
        }
        Settlement::Superseded(reason, events) => {
            end("superseded", Some(&reason))?;
            Ok(events)
        }
        Settlement::Buried(error, events) => {
            end("buried", Some(&error))?;
            Ok(events)
        }
        Settlement::Later(wait, events) => {
            let mut update = transaction.prepare_cached(
                "UPDATE actions SET state = 'waiting', attempts = 0, rounds = rounds + 1, \
                 error = NULL, due_at = ?2, changed_at = ?3 WHERE seq = ?1",
            )?;
            update.execute(params![seq, later(wait), now])?;
            Ok(events)
        }
        Settlement::Retry(_, error) if has_successor(transaction, seq)? => {
            end("superseded", Some(&error))?;
            Ok(Vec::new())
        }
        Settlement::Retry(wait, error) => {
            let mut update = transaction.prepare_cached(
                "UPDATE actions SET state = 'waiting', error = ?2, due_at = ?3, changed_at = ?4 \
                 WHERE seq = ?1",
            )?;
            update.execute(params![seq, error, later(wait), now])?;
            Ok(Vec::new())
        }
    }
}

/// Whether a newer action waits in the same slot, so that this one need not be tried again.
fn has_successor(transaction: &Transaction<'_>, seq: i64) -> Result<bool, LedgerError> {
    let mut select = transaction.prepare_cached(
        "SELECT 1 FROM actions AS a JOIN actions AS b ON b.slot = a.slot AND b.seq > a.seq \
         AND b.state = 'waiting' WHERE a.seq = ?1 LIMIT 1",
    )?;
    Ok(select.query_row([seq], |_| Ok(())).optional()?.is_some())
}
