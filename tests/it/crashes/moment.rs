//! When the process dies.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::gate::{Place, Stretch, Trap};

/// How often the ledger is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// What is counted in the ledger.
const ROWS: [&str; 6] = [
    "messages",
    "events",
    "actions",
    "runs WHERE number IS NOT NULL",
    "actions WHERE state = 'claimed'",
    "actions WHERE state = 'done'",
];

/// What a forge is called for: comments, who somebody is, how a proposal stands, states.
const CALLS: [&str; 5] = ["/comments", "POST", "/collaborators/", "/pulls/", "/statuses/"];

/// What is counted in the ledger where people give commands.
const COMMAND_ROWS: [&str; 5] = [
    "messages",
    "events WHERE kind LIKE 'command.%'",
    "actions WHERE kind = 'inquire' AND state = 'claimed'",
    "actions WHERE kind = 'inquire' AND state = 'done'",
    "actions WHERE kind IN ('report', 'notify') AND state = 'done'",
];

/// When the process dies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// So long after its start.
    Time(Duration),
    /// With the so manieth request at a gate.
    Request(Place, Stretch, usize, &'static str),
    /// With the so manieth acknowledgement of messages.
    Acknowledgement(Stretch, usize),
    /// When there are so many rows more.
    Row(&'static str, i64),
}

impl Moment {
    /// Any moment.
    pub(super) fn any(random: &mut fastrand::Rng, has_broker: bool) -> Self {
        let number = random.usize(1..=6);
        let stretch = [Stretch::Before, Stretch::There, Stretch::Back][random.usize(..3)];
        match random.u32(..100) {
            ..15 => Self::Time(Duration::from_micros(random.u64(..150_000))),
            15..40 => Self::Request(Place::Jenkins, stretch, number, ""),
            40..65 => Self::Request(Place::Forge, stretch, number, ""),
            65..80 if has_broker => {
                let stretch = [Stretch::Before, Stretch::There][random.usize(..2)];
                Self::Acknowledgement(stretch, random.usize(1..=2))
            }
            _ => Self::Row(ROWS[random.usize(..ROWS.len())], random.i64(1..=4)),
        }
    }

    /// Any moment of a life that is about people's commands.
    pub(super) fn about_commands(random: &mut fastrand::Rng) -> Self {
        let stretch = [Stretch::Before, Stretch::There, Stretch::Back][random.usize(..3)];
        let number = random.usize(1..=3);
        match random.u32(..100) {
            ..10 => Self::Time(Duration::from_micros(random.u64(..150_000))),
            10..70 => {
                let words = CALLS[random.usize(..CALLS.len())];
                Self::Request(Place::Forge, stretch, number, words)
            }
            70..80 => Self::Request(Place::Jenkins, stretch, number, ""),
            _ => Self::Row(COMMAND_ROWS[random.usize(..COMMAND_ROWS.len())], random.i64(1..=2)),
        }
    }

    /// The word for it in the account of all deaths.
    pub(super) fn name(self) -> String {
        match self {
            Self::Time(_) => "after a time".to_owned(),
            Self::Request(place, stretch, _, words) => format!("{place:?}{words} {stretch:?}"),
            Self::Acknowledgement(stretch, _) => format!("acknowledgement {stretch:?}"),
            Self::Row(what, _) => format!("row in {what}"),
        }
    }

    /// Gets the trap ready, and waits until the moment has come.
    pub(super) async fn come(self, trap: &Trap, ledger: &Path) {
        match self {
            Self::Time(time) => tokio::time::sleep_until(tokio::time::Instant::now() + time).await,
            Self::Request(place, stretch, number, words) => {
                trap.arm((place, words), stretch, number);
                trap.sprung().await;
            }
            Self::Acknowledgement(stretch, number) => {
                trap.arm((Place::Broker, ""), stretch, number);
                trap.sprung().await;
            }
            Self::Row(what, number) => {
                let count = || count(ledger, what).unwrap_or_default();
                let before = count();
                let mut glances = tokio::time::interval(GLANCE);
                while count() < before + number {
                    glances.tick().await;
                }
            }
        }
    }
}

fn count(path: &Path, what: &str) -> rusqlite::Result<i64> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0))
}
