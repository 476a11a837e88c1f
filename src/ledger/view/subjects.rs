//! Proposals as they were last heard of.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Ledger, LedgerError};
use crate::decision::SubjectState;
use crate::subject::{Subject, SubjectKind};

/// How many open proposals of a project are told.
const OPEN_MAX: u32 = 5_000;

impl Ledger {
    /// The proposals of `project` on any of `instances` that are open as far as was heard, and
    /// those of `others` that were ever heard of.
    pub async fn proposals(
        &self,
        instances: Vec<String>,
        project: String,
        others: Vec<Subject>,
    ) -> Result<BTreeMap<Subject, SubjectState>, LedgerError> {
        self.read(move |db| {
            let mut found = BTreeMap::new();
            for instance in instances {
                found.extend(open(db, &instance, &project)?);
            }
            let mut select = db.prepare_cached("SELECT body FROM subjects WHERE id = ?1")?;
            for subject in others {
                let body: Option<String> =
                    select.query_row([subject.key()], |row| row.get(0)).optional()?;
                if let Some(body) = body {
                    found.insert(subject, serde_json::from_str(&body)?);
                }
            }
            Ok(found)
        })
        .await
    }
}

fn open(
    db: &Connection,
    instance: &str,
    project: &str,
) -> Result<Vec<(Subject, SubjectState)>, LedgerError> {
    let of = |number: u64| Subject {
        kind: SubjectKind::PullRequest,
        instance: instance.to_owned(),
        project: project.to_owned(),
        number,
        name: None,
    };
    // Keys are `instance/project#number`, and `$` comes after `#`.
    let start = format!("{instance}/{project}#");
    let end = format!("{instance}/{project}$");
    let mut select = db.prepare_cached(
        "SELECT id, body FROM subjects WHERE id >= ?1 AND id < ?2 AND is_open = 1 LIMIT ?3",
    )?;
    let mut rows = select.query(params![start, end, OPEN_MAX])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, body): (String, String) = (row.get(0)?, row.get(1)?);
        let number = id.strip_prefix(&start).and_then(|number| number.parse().ok());
        if let Some(number) = number {
            found.push((of(number), serde_json::from_str(&body)?));
        }
    }
    Ok(found)
}
