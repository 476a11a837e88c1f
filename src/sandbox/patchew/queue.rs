//! The stand-in's queues: series that wait to be put on a branch, and tests that wait to be run.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Test;
use super::memory::{Memory, Row};
use crate::sandbox::tracker::{Call, Reply};

/// For how long a test is nobody else's.
const LEASE: Duration = Duration::from_hours(1);

impl Memory {
    /// Nothing says who has taken a series: it stays here until there is a result.
    pub(super) fn unapplied(&self, call: &Call) -> Result<Reply, Reply> {
        self.only(call, "importers")?;
        let wanted = call.query.get("target_repo").map(String::as_str).unwrap_or_default();
        let mut items = Vec::new();
        for project in &self.projects {
            let pushurl = project.pushurl.as_deref();
            if pushurl.is_none_or(|url| !url.starts_with(wanted)) {
                continue;
            }
            for series in &project.series {
                let waits = |row: &Row| row.name == "git" && row.status == "pending";
                if series.results.iter().any(waits) {
                    items.push(self.unapplied_json(project, series));
                }
            }
        }
        Ok(self.page(call, items))
    }

    /// Hands out a test: the project's own first, and one that is handed out and not done again
    /// after an hour.
    pub(super) fn hand_out(&mut self, call: &Call, id: &str) -> Result<Reply, Reply> {
        self.only(call, "testers")?;
        let can: Vec<&str> = call
            .body
            .get("capabilities")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |words| words.iter().filter_map(Value::as_str).collect());
        let now = self.now();
        let project = self.project(id)?;
        let (tests, name) = (project.tests.clone(), project.name.clone());
        let own = project.head.as_ref().and_then(|head| {
            let (row, test) = next(&project.results, (&tests, &can), now)?;
            let base = self.project_uri(project);
            let job = json!({
                "repo": "https://git.example/points.git main",
                "head": head,
                "base": null,
                "identity": { "type": "project", "head": head },
                "result_uri": format!("{base}results/{}/", row.name),
            });
            Some((None, row.name.clone(), with_test(job, test)))
        });
        let of_series = project.series.iter().find_map(|series| {
            let git = series.results.iter().find(|row| row.name == "git")?;
            if git.status != "success" {
                return None;
            }
            let (row, test) = next(&series.results, (&tests, &can), now)?;
            let subject = series.head().map(|mail| mail.subject.clone());
            let uri = self.series_uri(project, series);
            let job = json!({
                "repo": git.data.get("repo"),
                "head": git.data.get("tag"),
                "base": git.data.get("base"),
                "identity": { "type": "series", "message-id": series.root, "subject": subject },
                "result_uri": format!("{uri}results/{}/", row.name),
            });
            Some((Some(series.root.clone()), row.name.clone(), with_test(job, test)))
        });
        let Some((msgid, result, job)) = own.or(of_series) else {
            return Ok(Reply::text(204, String::new()));
        };
        self.settle(&name, msgid.as_deref(), &result, |row| {
            "running".clone_into(&mut row.status);
            row.last_update = now;
        });
        Ok(Reply::json(200, &job).changed())
    }
}

/// The result that waits the longest for a test that can be run.
fn next<'a>(
    rows: &'a [Row],
    (tests, can): (&'a [Test], &[&str]),
    now: Timestamp,
) -> Option<(&'a Row, &'a Test)> {
    let is_free = |row: &Row| {
        row.status == "pending" || (row.status == "running" && row.last_update < now - LEASE)
    };
    rows.iter().filter(|row| is_free(row)).find_map(|row| {
        let test = tests.iter().find(|test| row.name == format!("testing.{}", test.name))?;
        let mut needs = test.requirements.split(',').map(str::trim).filter(|word| !word.is_empty());
        needs.all(|word| can.contains(&word)).then_some((row, test))
    })
}

fn with_test(mut job: Value, test: &Test) -> Value {
    let mut words = json!({
        "name": test.name,
        "script": "#!/bin/bash\nmake check\n",
        "requirements": test.requirements,
        "enabled": true,
    });
    if let (Some(words), Some(timeout)) = (words.as_object_mut(), test.timeout) {
        words.insert("timeout".to_owned(), timeout.into());
    }
    if let Some(job) = job.as_object_mut() {
        job.insert("test".to_owned(), words);
    }
    job
}
