//! The stand-in's API: which call means what, and what is read.

use axum::http::Method;
use serde_json::{Value, json};

use super::memory::{Memory, Project, Row, Series};
use crate::sandbox::tracker::{Call, Reply};

/// The most that a page has, whoever asks for more.
const PAGE_MAX: usize = 100;

impl Memory {
    pub(super) fn call(&mut self, call: &Call) -> Reply {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        // Without a slash at its end it is another path.
        let ["api", "v1", path @ .., ""] = path.as_slice() else {
            return Reply::not_found();
        };
        let has_slash = path.iter().any(|part| part.contains('/'));
        if has_slash && !self.options.knows_slashes {
            return Reply::not_found();
        }
        let reply = match (&call.method, path) {
            (&Method::POST, ["users", "login"]) => self.login(call),
            (&Method::GET, _) => self.read(call, path),
            (&Method::POST, ["projects", id, "get-test"]) => self.hand_out(call, id),
            (_, ["projects", "by-name", ..]) => self.by_name(path),
            (method @ (&Method::PUT | &Method::PATCH), _) => self.write(call, method, path),
            _ => Ok(Reply::detail(405, "Method not allowed.")),
        };
        reply.unwrap_or_else(|refusal| refusal)
    }

    fn read(&self, call: &Call, path: &[&str]) -> Result<Reply, Reply> {
        // A token that is not valid is refused even where none is needed.
        self.caller(call)?;
        match path {
            [] => {
                let url = |word: &str| format!("{}/api/v1/{word}/", self.base);
                let words = ["users", "projects", "series", "messages"];
                let root: serde_json::Map<String, Value> =
                    words.iter().map(|word| ((*word).to_owned(), url(word).into())).collect();
                Ok(Reply::json(200, &Value::Object(root)))
            }
            ["projects", "by-name", ..] => self.by_name(path),
            ["series", "unapplied"] => self.unapplied(call),
            ["projects", id] => Ok(Reply::json(200, &self.project_json(self.project(id)?))),
            ["projects", id, "series"] => Ok(self.list_series(call, id)),
            ["projects", id, "series", msgid] => {
                let (project, series) = self.series(id, msgid)?;
                Ok(Reply::json(200, &self.detail_json(project, series)))
            }
            ["projects", id, "series", msgid, "mbox"] => {
                let (_, series) = self.series(id, msgid)?;
                mailbox(series).map(|mbox| Reply::text(200, mbox)).ok_or_else(not_complete)
            }
            ["projects", id, "messages", msgid] => self.message(id, msgid, false),
            ["projects", id, "messages", msgid, "mbox"] => self.message(id, msgid, true),
            ["projects", id, "results"] => {
                let project = self.project(id)?;
                Ok(self.rows(call, &self.project_uri(project), &project.results))
            }
            ["projects", id, "series", msgid, "results"] => {
                let (project, series) = self.series(id, msgid)?;
                Ok(self.rows(call, &self.series_uri(project, series), &series.results))
            }
            ["projects", id, "series", msgid, "results", name] => {
                let (project, series) = self.series(id, msgid)?;
                let row = series.results.iter().find(|row| row.name == *name);
                let row = row.ok_or_else(Reply::not_found)?;
                let place = self.series_uri(project, series);
                Ok(Reply::json(200, &Self::result_json(&place, row)))
            }
            _ => Err(Reply::not_found()),
        }
    }

    pub(super) fn project(&self, id: &str) -> Result<&Project, Reply> {
        let project = self.projects.iter().find(|project| project.id.to_string() == id);
        project.ok_or_else(Reply::not_found)
    }

    pub(super) fn series(&self, id: &str, msgid: &str) -> Result<(&Project, &Series), Reply> {
        let project = self.project(id)?;
        let series = project.series.iter().find(|series| series.root == msgid);
        Ok((project, series.ok_or_else(Reply::not_found)?))
    }

    /// Whatever is asked of a project by its name is to be asked by its number.
    fn by_name(&self, path: &[&str]) -> Result<Reply, Reply> {
        let ["projects", "by-name", name, tail @ ..] = path else {
            return Err(Reply::not_found());
        };
        let project = self.projects.iter().find(|project| project.name == *name);
        let mut location = self.project_uri(project.ok_or_else(Reply::not_found)?);
        for part in tail {
            location.push_str(part);
            location.push('/');
        }
        if let Some(elsewhere) = &self.elsewhere {
            location = location.replace(&self.base, elsewhere);
        }
        Ok(Reply::elsewhere(location))
    }

    /// Of a project that does not exist there are no series, and nobody says so.
    fn list_series(&self, call: &Call, id: &str) -> Reply {
        let Ok(project) = self.project(id) else { return self.page(call, Vec::new()) };
        let mut series: Vec<_> = project.series.iter().collect();
        series.sort_by_key(|series| std::cmp::Reverse(series.last_reply));
        let items = series.into_iter().map(|series| self.series_json(project, series)).collect();
        self.page(call, items)
    }

    /// A page of a list, which does not say how many there are.
    pub(super) fn page(&self, call: &Call, items: Vec<Value>) -> Reply {
        let number = |name: &str| call.query.get(name).and_then(|text| text.parse::<usize>().ok());
        let limit = number("limit").unwrap_or(self.options.page_size).min(PAGE_MAX);
        let offset = number("offset").unwrap_or_default();
        let path = call.path.join("/");
        let more = items.len() > offset + limit;
        let next = format!("{}/{path}?limit={limit}&offset={}", self.base, offset + limit);
        let results: Vec<Value> = items.into_iter().skip(offset).take(limit).collect();
        let next = more.then_some(next);
        Reply::json(200, &json!({ "next": next, "previous": null, "results": results }))
    }

    fn rows(&self, call: &Call, place: &str, rows: &[Row]) -> Reply {
        self.page(call, rows.iter().map(|row| Self::result_json(place, row)).collect())
    }

    fn message(&self, id: &str, msgid: &str, is_mbox: bool) -> Result<Reply, Reply> {
        let project = self.project(id)?;
        let mails = project.series.iter().flat_map(|s| s.mails.iter().map(move |mail| (s, mail)));
        let found = mails.into_iter().find(|(_, mail)| mail.msgid == msgid);
        let (series, mail) = found.ok_or_else(Reply::not_found)?;
        Ok(if is_mbox {
            Reply::text(200, mail.raw.clone())
        } else {
            Reply::json(200, &self.message_json((project, series), mail))
        })
    }
}

fn not_complete() -> Reply {
    Reply::text(404, "404 Not Found".to_owned())
}

/// The patches of a series that is complete, as Python writes a mailbox: a line that begins with
/// `From ` is marked within a mail.
fn mailbox(series: &Series) -> Option<String> {
    if !series.is_complete() {
        return None;
    }
    let mails = series.patches().into_iter().map(|mail| {
        let (head, body) = mail.raw.split_once("\n\n").unwrap_or((mail.raw.as_str(), ""));
        let body = body.replace("\nFrom ", "\n>From ");
        format!("From nobody Fri Nov 20 08:15:00 2026\n{head}\n\n{body}")
    });
    Some(mails.collect::<Vec<_>>().join("\n"))
}
