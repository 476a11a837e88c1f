//! What the stand-in remembers, and what happens to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Kept, Options, Test};
use crate::sandbox::mails::{Mail, NewSeries};
use crate::sandbox::tracker::{self, Call, Reply};

/// Everything that is known.
pub(super) struct Memory {
    /// The address that all others begin with.
    pub(super) base: String,
    pub(super) options: Options,
    pub(super) projects: Vec<Project>,
    pub(super) users: BTreeMap<String, User>,
    /// Users by their tokens.
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) logins: usize,
    pub(super) request_max: usize,
    /// Where a redirection leads, where that is not here.
    pub(super) elsewhere: Option<String>,
}

/// An account.
pub(super) struct User {
    pub(super) password: String,
    pub(super) groups: Vec<String>,
}

/// A project.
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) tests: Vec<Test>,
    pub(super) pushurl: Option<String>,
    pub(super) head: Option<String>,
    pub(super) series: Vec<Series>,
    pub(super) results: Vec<Row>,
}

/// A series, and as many of its mails as have come.
pub(super) struct Series {
    pub(super) root: String,
    pub(super) author: (String, String),
    pub(super) total: u32,
    pub(super) mails: Vec<Mail>,
    pub(super) tags: Vec<String>,
    pub(super) last_reply: Timestamp,
    pub(super) is_merged: bool,
    pub(super) is_obsolete: bool,
    /// Whether all its tests were run once.
    pub(super) is_tested: bool,
    pub(super) results: Vec<Row>,
}

/// A result.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) last_update: Timestamp,
    pub(super) data: Value,
    pub(super) log: Option<String>,
}

impl Row {
    fn pending(name: &str, data: Value, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            status: "pending".to_owned(),
            last_update: now,
            data,
            log: None,
        }
    }
}

impl Series {
    /// Its patches, in order.
    pub(super) fn patches(&self) -> Vec<&Mail> {
        let mut patches: Vec<_> = self.mails.iter().filter(|mail| mail.number > 0).collect();
        patches.sort_by_key(|mail| mail.number);
        patches
    }

    /// A series of several patches needs a cover letter for Patchew to see its end.
    pub(super) fn is_complete(&self) -> bool {
        let has_all = (1..=self.total).all(|n| self.mails.iter().any(|mail| mail.number == n));
        let has_cover = self.mails.iter().any(|mail| mail.number == 0);
        has_all && (has_cover || self.total == 1)
    }

    pub(super) fn head(&self) -> Option<&Mail> {
        self.mails.iter().find(|mail| mail.msgid == self.root)
    }
}

impl tracker::Memory for Memory {
    fn answer(&mut self, call: &Call) -> Reply {
        if call.size > self.request_max {
            return Reply::text(413, "<html>Request Entity Too Large</html>".to_owned());
        }
        self.call(call)
    }

    fn is_at(&mut self, base: String) {
        self.base = base;
    }
}

impl Memory {
    pub(super) fn new(options: Options) -> Self {
        Self {
            base: String::new(),
            options,
            projects: Vec::new(),
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            logins: 0,
            request_max: usize::MAX,
            elsewhere: None,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    pub(super) fn add_project(&mut self, name: &str, tests: &[Test]) -> u64 {
        let id = u64::try_from(self.projects.len()).unwrap_or_default() + 1;
        let now = self.now();
        let rows = tests
            .iter()
            .map(|test| Row::pending(&format!("testing.{}", test.name), json!({}), now));
        self.projects.push(Project {
            id,
            name: name.to_owned(),
            tests: tests.to_vec(),
            pushurl: None,
            head: None,
            series: Vec::new(),
            results: rows.collect(),
        });
        id
    }

    fn project_mut(&mut self, name: &str) -> Option<&mut Project> {
        self.projects.iter_mut().find(|project| project.name == name)
    }

    pub(super) fn series_mut(&mut self, project: &str, msgid: &str) -> Option<&mut Series> {
        let series = self.project_mut(project)?.series.iter_mut();
        series.into_iter().find(|series| series.root == msgid)
    }

    pub(super) fn set_mirror(&mut self, project: &str, pushurl: &str) {
        if let Some(project) = self.project_mut(project) {
            project.pushurl = Some(pushurl.to_owned());
        }
    }

    pub(super) fn set_head(&mut self, project: &str, sha: &str) {
        let now = self.now();
        if let Some(project) = self.project_mut(project) {
            project.head = Some(sha.to_owned());
            for row in &mut project.results {
                *row = Row::pending(&row.name, json!({}), now);
            }
        }
    }

    pub(super) fn add_user(&mut self, username: &str, password: &str, groups: &[&str]) {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let user = User { password: password.to_owned(), groups };
        self.users.insert(username.to_owned(), user);
    }

    pub(super) fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn logins(&self) -> usize {
        self.logins
    }

    pub(super) fn set_request_max(&mut self, bytes: usize) {
        self.request_max = bytes;
    }

    pub(super) fn set_elsewhere(&mut self, base: &str) {
        self.elsewhere = Some(base.to_owned());
    }

    pub(super) fn post(&mut self, new: &NewSeries, numbers: &[u32]) {
        let now = self.now();
        let root = new.root();
        let Some(project) = self.project_mut(&new.project) else { return };
        let is_here = |series: &Series| series.root == root;
        if !project.series.iter().any(is_here) {
            project.series.push(Series {
                root: root.clone(),
                author: (new.author.clone(), new.email.clone()),
                total: new.count(),
                mails: Vec::new(),
                tags: Vec::new(),
                last_reply: new.date,
                is_merged: false,
                is_obsolete: false,
                is_tested: false,
                results: Vec::new(),
            });
        }
        let Some(series) = self.series_mut(&new.project, &root) else { return };
        let was_complete = series.is_complete();
        for mail in new.mails().into_iter().filter(|mail| numbers.contains(&mail.number)) {
            // The date is the mail's own: one that comes late does not move its series.
            series.last_reply = series.last_reply.max(mail.date);
            series.mails.push(mail);
        }
        if series.is_complete() && !was_complete {
            series.results.push(Row::pending("git", json!({}), now));
        }
    }

    pub(super) fn reply(&mut self, project: &str, msgid: &str, date: Timestamp) {
        if let Some(series) = self.series_mut(project, msgid) {
            series.last_reply = series.last_reply.max(date);
        }
    }

    pub(super) fn tag(&mut self, project: &str, msgid: &str, tag: &str) {
        if let Some(series) = self.series_mut(project, msgid) {
            series.tags.push(tag.to_owned());
        }
    }

    pub(super) fn set_obsolete(&mut self, project: &str, msgid: &str) {
        if let Some(series) = self.series_mut(project, msgid) {
            series.is_obsolete = true;
        }
    }

    pub(super) fn set_merged(&mut self, project: &str, msgid: &str) {
        if let Some(series) = self.series_mut(project, msgid) {
            series.is_merged = true;
        }
    }

    pub(super) fn reset_git(&mut self, project: &str, msgid: &str, is_for_tags: bool) {
        let now = self.now();
        let data = if is_for_tags { json!({ "git.push_options": "ci.skip" }) } else { json!({}) };
        if let Some(series) = self.series_mut(project, msgid) {
            series.results.retain(|row| row.name != "git");
            series.results.push(Row::pending("git", data, now));
        }
    }

    pub(super) fn set_applied(&mut self, project: &str, msgid: &str, (repo, tag): (&str, &str)) {
        let data = json!({ "repo": repo, "tag": tag, "base": "b".repeat(40) });
        self.settle(project, Some(msgid), "git", |row| {
            "success".clone_into(&mut row.status);
            row.data = data;
        });
    }

    /// Changes a result, and brings about what follows from it; whether there is such a result.
    pub(super) fn settle(
        &mut self,
        project: &str,
        msgid: Option<&str>,
        name: &str,
        change: impl FnOnce(&mut Row),
    ) -> bool {
        let now = self.now();
        let Some(project) = self.project_mut(project) else { return false };
        let tests = project.tests.clone();
        let series = msgid.map(|msgid| project.series.iter_mut().find(|s| s.root == msgid));
        let Some(series) = series else {
            let Some(row) = project.results.iter_mut().find(|row| row.name == name) else {
                return false;
            };
            change(row);
            row.last_update = now;
            return true;
        };
        let Some(series) = series else { return false };
        let Some(row) = series.results.iter_mut().find(|row| row.name == name) else {
            return false;
        };
        change(row);
        row.last_update = now;
        let is_applied = row.name == "git"
            && row.status == "success"
            && row.data.get("tag").is_some()
            && row.data.get("repo").is_some();
        if is_applied && !series.is_tested {
            series.results.retain(|row| !row.name.starts_with("testing."));
            let rows = tests
                .iter()
                .map(|test| Row::pending(&format!("testing.{}", test.name), json!({}), now));
            series.results.extend(rows);
        }
        let is_open = |row: &Row| matches!(row.status.as_str(), "pending" | "running");
        let mut tested = series.results.iter().filter(|row| row.name.starts_with("testing."));
        series.is_tested = tested.clone().count() > 0 && !tested.any(is_open);
        true
    }

    pub(super) fn kept(&self, project: &str, msgid: Option<&str>) -> Vec<Kept> {
        let project = self.projects.iter().find(|known| known.name == project);
        let rows = project.map(|project| match msgid {
            Some(msgid) => {
                let series = project.series.iter().find(|series| series.root == msgid);
                series.map(|series| series.results.as_slice()).unwrap_or_default()
            }
            None => &project.results,
        });
        let rows = rows.unwrap_or_default().iter();
        rows.map(|row| Kept {
            name: row.name.clone(),
            status: row.status.clone(),
            log: row.log.clone().unwrap_or_default(),
            data: row.data.clone(),
        })
        .collect()
    }
}
