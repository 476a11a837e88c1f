//! The stand-in's API: which call means what, who may, and its own words for no.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Kept;
use super::memory::{Memory, Patch, Series, User, of};
use crate::sandbox::tracker::{Call, Reply};

const STATES: [&str; 5] = ["pending", "info", "success", "warning", "failure"];
/// The most that a page has, and what it has unless asked for more.
const PAGE_MAX: usize = 100;
const PAGE: usize = 20;

/// A date as it is written there: no zone.
fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

fn parsed(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

impl Memory {
    pub(super) fn call(&mut self, call: &Call) -> Reply {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let ["api", "1.0", path @ .., ""] = path.as_slice() else {
            return Reply::not_found();
        };
        let reply = match (&call.method, path) {
            (_, [.., "test-results"]) => self.results_of(call, path),
            (&Method::GET, _) => self.read(call, path),
            _ => Err(Reply::detail(405, "Method not allowed.")),
        };
        reply.unwrap_or_else(|refusal| refusal)
    }

    fn read(&self, call: &Call, path: &[&str]) -> Result<Reply, Reply> {
        match path {
            // It is older than it says.
            [] => Ok(Reply::json(200, &json!({ "revision": 2 }))),
            ["projects", name] => {
                let id = self.project_id(name).ok_or_else(Reply::not_found)?;
                let project = json!({ "id": id, "name": name, "linkname": name });
                Ok(Reply::json(200, &project))
            }
            ["projects", name, "events"] => Ok(self.events(call, name)),
            ["projects", name, "series"] => Ok(self.list_series(call, name)),
            ["series", id] => Ok(Reply::json(200, &Self::series_json(number(id), self.one(id)?))),
            ["series", id, "revisions", version] => {
                let at = version.parse::<usize>().unwrap_or_default().checked_sub(1);
                let revision = at.and_then(|at| self.one(id).ok()?.revisions.get(at));
                let revision = revision.ok_or_else(Reply::not_found)?;
                let version = at.unwrap_or_default() + 1;
                let cover = &revision.cover;
                let patches = &revision.patches;
                let json = json!({ "version": version, "cover_letter": cover, "patches": patches });
                Ok(Reply::json(200, &json))
            }
            ["patches", id] => {
                let one = self.patch(id)?;
                let json = json!({
                    "id": number(id),
                    "project": one.project,
                    "name": one.mail.title,
                    "date": date(one.mail.date),
                    "submitter": one.submitter,
                    "state": 1,
                    "content": "diff",
                });
                Ok(Reply::json(200, &json))
            }
            ["patches", id, "mbox"] => {
                let mail = &self.patch(id)?.mail;
                Ok(Reply::text(
                    200,
                    format!("From patchwork Fri Nov 20 08:00:00 2026\n{}", mail.raw),
                ))
            }
            _ => Err(Reply::not_found()),
        }
    }

    fn one(&self, id: &str) -> Result<&Series, Reply> {
        of(&self.series, number(id)).ok_or_else(Reply::not_found)
    }

    fn patch(&self, id: &str) -> Result<&Patch, Reply> {
        let patch = of(&self.patches, number(id)).ok_or_else(Reply::not_found)?;
        if self.broken.contains(&patch.mail.msgid) {
            return Err(Reply::detail(500, "Server error."));
        }
        Ok(patch)
    }

    fn series_json(id: u64, series: &Series) -> Value {
        let last = series.revisions.last();
        json!({
            "id": id,
            "project": series.project,
            "name": series.name,
            "n_patches": last.map_or(0, |revision| revision.total),
            "submitter": series.submitter,
            "submitted": date(series.submitted),
            "last_updated": date(series.updated),
            "version": series.revisions.len(),
            "reviewer": null,
            "test_state": null,
        })
    }

    /// `since` leaves out what is of the very same date.
    fn events(&self, call: &Call, project: &str) -> Reply {
        let id = self.project_id(project);
        let asked = |name: &str| call.query.get(name).map(String::as_str);
        let since = asked("since").and_then(parsed);
        let series = asked("series").map(number);
        let mut events: Vec<_> = self
            .events
            .iter()
            .filter(|told| of(&self.series, told.series).map(|series| series.project) == id)
            .filter(|told| since.is_none_or(|since| told.at > since))
            .filter(|told| series.is_none_or(|series| told.series == series))
            .collect();
        match asked("ordering") {
            Some("event_time") => events.sort_by_key(|told| told.at),
            _ => events.sort_by_key(|told| std::cmp::Reverse(told.at)),
        }
        let json = events.into_iter().map(|told| {
            json!({
                "name": "series-new-revision",
                "event_time": date(told.at),
                "series": told.series,
                "patch": null,
                "user": told.user,
                "parameters": { "revision": told.revision },
            })
        });
        self.page(call, json.collect())
    }

    fn list_series(&self, call: &Call, project: &str) -> Reply {
        let id = self.project_id(project);
        let since = call.query.get("updated_since").and_then(|text| parsed(text));
        let all = self.series.iter().zip(1..);
        let here = all.filter(|(series, _)| Some(series.project) == id);
        let mut new: Vec<_> =
            here.filter(|(series, _)| since.is_none_or(|since| series.updated > since)).collect();
        new.sort_by_key(|(series, _)| series.updated);
        let json = new.into_iter().map(|(series, number)| Self::series_json(number, series));
        self.page(call, json.collect())
    }

    fn page(&self, call: &Call, items: Vec<Value>) -> Reply {
        let asked = |name: &str| call.query.get(name).and_then(|text| text.parse::<usize>().ok());
        let size = asked("perpage").unwrap_or(PAGE).min(PAGE_MAX);
        let page = asked("page").unwrap_or(1).max(1);
        let count = items.len();
        let next = format!("{}/{}?page={}", self.base, call.path.join("/"), page + 1);
        let next = (count > page * size).then_some(next);
        let items: Vec<Value> = items.into_iter().skip((page - 1) * size).take(size).collect();
        let json = json!({ "count": count, "next": next, "previous": null, "results": items });
        Reply::json(200, &json)
    }

    /// Who calls, by name and password.
    fn caller(&self, call: &Call) -> Result<&User, Reply> {
        let missing = || Reply::detail(401, "Authentication credentials were not provided.");
        let header = call.authorization.as_deref().ok_or_else(missing)?;
        let both = header.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
        let both = both.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let known =
            self.users.iter().find(|user| both == format!("{}:{}", user.name, user.password));
        known.ok_or_else(|| Reply::detail(401, "Invalid username/password"))
    }

    fn results_of(&mut self, call: &Call, path: &[&str]) -> Result<Reply, Reply> {
        let maintains = self.caller(call)?.maintains.clone();
        if call.method != Method::POST {
            return Err(Reply::detail(405, "Method 'GET' not allowed."));
        }
        let (project, place) = match path {
            ["series", id, "revisions", version, _] => {
                let series = self.one(id)?;
                let count = series.revisions.len();
                if !(1..=count).contains(&version.parse().unwrap_or_default()) {
                    return Err(Reply::not_found());
                }
                (series.project, format!("series/{id}/{version}"))
            }
            ["patches", id, _] => (self.patch(id)?.project, format!("patches/{id}")),
            _ => return Err(Reply::not_found()),
        };
        let project = of(&self.projects, project).cloned().unwrap_or_default();
        if !maintains.contains(&project) {
            return Err(Reply::detail(403, "You do not have permission to perform this action."));
        }
        let field = |name: &str| call.body.get(name).and_then(Value::as_str).unwrap_or_default();
        let required = |name: &str| Reply::json(400, &json!({ name: ["This field is required."] }));
        if field("test_name").is_empty() {
            return Err(required("test_name"));
        }
        if !STATES.contains(&field("state")) {
            return Err(Reply::json(400, &json!({ "state": ["Select a valid choice."] })));
        }
        let has_url = call.body.get("url").is_some();
        if has_url && !field("url").contains('.') {
            return Err(Reply::json(400, &json!({ "url": ["Enter a valid URL."] })));
        }
        self.keep(Kept {
            of: place,
            name: field("test_name").to_owned(),
            state: field("state").to_owned(),
            url: field("url").to_owned(),
            summary: field("summary").to_owned(),
        });
        Ok(Reply::json(201, &call.body).changed())
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}
