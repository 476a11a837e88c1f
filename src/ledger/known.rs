//! What the ledger knows that a decision depends on.

use rusqlite::{Connection, OptionalExtension, params};

use super::{LedgerError, people};
use crate::command::Command;
use crate::decision::{Known, SubjectState};
use crate::event::Event;
use crate::event::build::BuildEvent;
use crate::event::proposal::{CommentEvent, Head};
use crate::run::Run;
use crate::subject::{CommitSha, ConnectionName, RunId, Verdict};

mod boards;
mod series;

/// The most runs that a decision is told of; a subject with more is past helping.
const RUNS_MAX: u32 = 200;

/// Loads what is known about `event`.
pub fn load(connection: &Connection, event: &Event, now: i64) -> Result<Known, LedgerError> {
    let subject = event.subject().key();
    let mut known = match event {
        Event::PullRequest(proposal) => about_subject(connection, &subject, &proposal.head)?,
        Event::Comment(said) => Known {
            commands: commands_of(connection, said)?,
            given: people::given(connection, (&subject, &said.comment), now)?,
            ..about_subject(connection, &subject, &said.on.head)?
        },
        Event::Command(said) => Known {
            given: people::given(connection, (&subject, &said.comment), now)?,
            history: people::history(connection, said)?,
            ..about_subject(connection, &subject, &said.on.head)?
        },
        Event::Push(push) => about_subject(connection, &subject, &push.head)?,
        Event::Series(event) => series::about(connection, event, now)?,
        Event::Applied(event) => series::about_branch(connection, event)?,
        Event::Artifact(event) => boards::about_artifact(connection, event)?,
        Event::Boards(event) => boards::about(connection, event)?,
        Event::Build(build) => about_build(connection, build)?,
    };
    known.now = now;
    let mut find = connection.prepare_cached("SELECT 1 FROM events WHERE identity = ?1 LIMIT 1")?;
    known.is_repeat = find.exists([event.identity()])?;
    Ok(known)
}

fn subject_state(
    connection: &Connection,
    subject: &str,
) -> Result<Option<SubjectState>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT body FROM subjects WHERE id = ?1")?;
    let state: Option<String> = select.query_row([subject], |row| row.get(0)).optional()?;
    Ok(state.map(|body| serde_json::from_str(&body)).transpose()?)
}

fn about_subject(
    connection: &Connection,
    subject: &str,
    head: &Head,
) -> Result<Known, LedgerError> {
    let revision = head.sha.as_ref().map_or("", CommitSha::as_str);
    about_revision(connection, (subject, revision), RUNS_MAX)
}

fn about_revision(
    connection: &Connection,
    (subject, revision): (&str, &str),
    runs_max: u32,
) -> Result<Known, LedgerError> {
    let state = subject_state(connection, subject)?;
    let mut select = connection.prepare_cached(
        "SELECT body FROM runs WHERE subject = ?1 AND (is_done = 0 OR revision = ?2) \
         ORDER BY ordered_at DESC LIMIT ?3",
    )?;
    let runs = runs(select.query(params![subject, revision, runs_max])?)?;
    Ok(Known { subject: state, runs, ..Known::default() })
}

fn about_build(connection: &Connection, build: &BuildEvent) -> Result<Known, LedgerError> {
    let told = match &build.run {
        Some(id) => run(connection, id)?.filter(|run| is_build_of(run, build)),
        None => None,
    };
    let run = match told {
        Some(run) => Some(run),
        None => run_of_build(connection, build)?,
    };
    let mut known = Known { run, ..Known::default() };
    if known.run.is_none() && build.run.is_none() {
        known.runs = open_runs_of_job(connection, build)?;
    }
    if let Some(run) = known.run.clone() {
        series::about_build_of(connection, &run, &mut known)?;
        boards::about_build_of(connection, &run, &mut known)?;
    }
    known.previous = match &known.run {
        Some(run) => {
            known.is_outdated |= is_outdated(connection, run)?;
            known.subject = subject_state(connection, &run.subject.key())?;
            known.siblings = siblings(connection, run)?;
            previous_of_run(connection, run)?
        }
        None => previous_of_job(connection, build)?,
    };
    Ok(known)
}

/// The commands that a comment was last known to have.
fn commands_of(
    connection: &Connection,
    said: &CommentEvent,
) -> Result<Option<Vec<Command>>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT commands FROM comments WHERE id = ?1")?;
    let found: Option<String> =
        select.query_row([people::comment_id(said)], |row| row.get(0)).optional()?;
    Ok(found.map(|commands| serde_json::from_str(&commands)).transpose()?)
}

/// Whether `build`, which carries the id of `run`, is the one that was ordered for it.
///
/// A parameter is passed on: to builds that ours starts in turn, to one that somebody repeats by
/// hand, and to whoever reads the bus.  None of them speaks for our run.
fn is_build_of(run: &Run, build: &BuildEvent) -> bool {
    let is_job = run.ticket.job == build.job
        || (is_short(&build.job) && run.ticket.job.rsplit('/').next() == Some(&build.job));
    let is_executor = match (&build.connection, &build.instance) {
        (Some(connection), _) => *connection == run.connection,
        (None, instance) => instance.is_none(),
    };
    let is_number = match (run.ticket.number, build.number) {
        (Some(known), Some(told)) => known == told,
        (Some(_) | None, _) => true,
    };
    is_job && is_executor && is_number
}

/// Whether a message may have left out the folders of a job.
fn is_short(job: &str) -> bool {
    !job.contains('/')
}

/// The run `id`.
pub fn run(connection: &Connection, id: &RunId) -> Result<Option<Run>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT body FROM runs WHERE id = ?1")?;
    let body: Option<String> = select.query_row([id.as_str()], |row| row.get(0)).optional()?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}

/// The open runs of the job, by its full name or, where that is all a message tells, its last part.
fn open_runs_of_job(connection: &Connection, build: &BuildEvent) -> Result<Vec<Run>, LedgerError> {
    let executor = build.connection.as_ref().map(ConnectionName::as_str);
    if !is_short(&build.job) {
        let mut select = connection.prepare_cached(
            "SELECT body FROM runs WHERE is_done = 0 AND state <> 'held' AND job = ?1 \
             AND (?2 IS NULL OR connection = ?2) ORDER BY ordered_at DESC LIMIT ?3",
        )?;
        return runs(select.query(params![build.job, executor, RUNS_MAX])?);
    }
    let mut select = connection.prepare_cached(
        "SELECT body FROM runs WHERE is_done = 0 AND state <> 'held' AND (job = ?1 OR job LIKE ?2 ESCAPE '!') \
         AND (?3 IS NULL OR connection = ?3) ORDER BY job <> ?1, ordered_at DESC LIMIT ?4",
    )?;
    let escaped = build.job.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let ending = format!("%/{escaped}");
    runs(select.query(params![build.job, ending, executor, RUNS_MAX])?)
}

/// The run that is known to be this build, by job and number.
fn run_of_build(connection: &Connection, build: &BuildEvent) -> Result<Option<Run>, LedgerError> {
    let (Some(executor), Some(number)) = (&build.connection, build.number) else {
        return Ok(None);
    };
    let mut select = connection.prepare_cached(
        "SELECT body FROM runs WHERE job = ?1 AND number = ?2 AND connection = ?3 \
         ORDER BY is_done, ordered_at DESC LIMIT 1",
    )?;
    let found = runs(select.query(params![build.job, number.cast_signed(), executor.as_str()])?)?;
    Ok(found.into_iter().next())
}

fn runs(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Run>, LedgerError> {
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        runs.push(serde_json::from_str(&body)?);
    }
    Ok(runs)
}

/// Whether the run's rule has ordered its revision again since.
fn is_outdated(connection: &Connection, run: &Run) -> Result<bool, LedgerError> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM runs WHERE subject = ?1 AND rule = ?2 AND revision = ?3 \
         AND body ->> '$.attempt' > ?4 LIMIT 1",
    )?;
    Ok(select.exists(params![run.subject.key(), run.rule, run.revision, run.attempt])?)
}

/// The runs of the other rules at the same revision.
fn siblings(connection: &Connection, run: &Run) -> Result<Vec<Run>, LedgerError> {
    let mut select = connection.prepare_cached(
        "SELECT body FROM runs WHERE subject = ?1 AND revision = ?2 AND rule <> ?3 \
         ORDER BY ordered_at DESC LIMIT ?4",
    )?;
    runs(select.query(params![run.subject.key(), run.revision, run.rule, RUNS_MAX])?)
}

/// The last verdict of the run's rule on its subject; one that says nothing of the change does
/// not count, nor one that was told to nobody because the run was ordered again.
fn previous_of_run(connection: &Connection, run: &Run) -> Result<Option<Verdict>, LedgerError> {
    let mut select = connection.prepare_cached(
        "SELECT state FROM runs WHERE subject = ?1 AND rule = ?2 AND id <> ?3 AND is_done = 1 \
         AND state <> 'skipped' AND body ->> '$.cancelling' IS NULL \
         AND NOT (state = 'error' AND number IS NOT NULL \
         AND coalesce(body ->> '$.retry.left', 0) > 0) ORDER BY ordered_at DESC, changed_at DESC LIMIT 1",
    )?;
    let word: Option<String> = select
        .query_row(params![run.subject.key(), run.rule, run.id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(word.and_then(|word| verdict(&word)))
}

fn previous_of_job(
    connection: &Connection,
    build: &BuildEvent,
) -> Result<Option<Verdict>, LedgerError> {
    let mut select = connection.prepare_cached(
        "SELECT verdict FROM jobs WHERE instance = ?1 AND job = ?2 AND number <> ?3",
    )?;
    let instance = build.instance.as_deref().unwrap_or_default();
    let number = build.number.unwrap_or(u64::MAX >> 1).cast_signed();
    let word: Option<String> =
        select.query_row(params![instance, build.job, number], |row| row.get(0)).optional()?;
    Ok(word.and_then(|word| verdict(&word)))
}

fn verdict(word: &str) -> Option<Verdict> {
    serde_json::from_value(word.into()).ok()
}
