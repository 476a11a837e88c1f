//! The tables, and how they came to be what they are.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// Every migration, in order; the number of those applied is the database's `user_version`.
/// One that was released is never changed again.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_ledger.sql"),
    include_str!("../../migrations/0002_cursors.sql"),
    include_str!("../../migrations/0003_comments.sql"),
    include_str!("../../migrations/0004_series.sql"),
    include_str!("../../migrations/0005_branches.sql"),
    include_str!("../../migrations/0006_threads.sql"),
];

/// How long a write waits for another process (`pointsman actions retry`) to finish its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many pages (of 4 KiB) are written ahead before they are copied to their places.
///
/// Ids are random, so most messages touch the same pages of the indexes; the more of them come
/// together, the fewer copies are made.
const CHECKPOINT_PAGES: i64 = 16_000;

/// How much of the database a connection keeps in memory: the pages that one batch changes.  What
/// does not fit is written twice.
const CACHE_KIB: i64 = 16_000;

/// Opens the database file, made for its owner only if it is not there.
pub(super) fn open(path: &Path) -> anyhow::Result<Connection> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    std::fs::File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .context("cannot make the file")?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // What a statement would have to undo is kept by the page; in memory that is cheap.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Else every statement with `LIMIT ?` is planned anew each time it is run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a database file that is there, and leaves its tables as they are.
pub(super) fn attach(path: &Path) -> anyhow::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let wanted = MIGRATIONS.len();
    anyhow::ensure!(
        version as usize == wanted,
        "it has version {version} of the tables, and this pointsman works with {wanted}; the \
         service brings an older one up to date when it starts"
    );
    Ok(connection)
}

/// Applies the migrations that the database has not seen.
pub(super) fn migrate(connection: &mut Connection) -> anyhow::Result<()> {
    let behavior = rusqlite::TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior)?;
    let version: usize = transaction
        .pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
        .map(|version| version as usize)?;
    anyhow::ensure!(
        version <= MIGRATIONS.len(),
        "it was made by a newer pointsman (version {version} of the tables, this one knows {})",
        MIGRATIONS.len()
    );
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        transaction
            .execute_batch(migration)
            .with_context(|| format!("cannot apply migration {}", number + 1))?;
    }
    transaction.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len())?)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_is_migrating_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/x.db");
        for _ in 0..2 {
            migrate(&mut open(&path).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_ledger_of_the_future_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = open(&folder.path().join("x.db")).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection).unwrap_err().to_string();
        assert!(error.contains("newer pointsman"), "{error}");
    }

    #[test]
    fn attaching_makes_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        assert!(attach(&path).is_err());
        assert!(!path.exists());

        let connection = open(&path).unwrap();
        let error = attach(&path).unwrap_err().to_string();
        assert!(error.contains("version 0"), "{error}");
        drop(connection);
        migrate(&mut open(&path).unwrap()).unwrap();
        attach(&path).unwrap();
    }

    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        migrate(&mut open(&path).unwrap()).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}
