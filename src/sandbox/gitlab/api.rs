//! The stand-in's API: which call means what, who may, and GitLab's own words for no.

use std::collections::BTreeMap;

use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::memory::{Memory, Project};
use super::{notes, pipelines, status};

/// How many entries a page has, where the caller does not say.
const PER_PAGE: usize = 20;
/// How many entries a page has at most.
const PER_PAGE_MAX: usize = 100;

/// A call, taken apart.
pub(super) struct Call {
    pub(super) method: Method,
    path: Vec<String>,
    query: BTreeMap<String, String>,
    token: Option<String>,
    body: Map<String, Value>,
    form: BTreeMap<String, String>,
}

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, token: Option<&str>, body: &[u8]) -> Self {
        let path = uri.path().trim_end_matches('/').split('/').skip(1);
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self {
            method,
            path: path.map(decoded).collect(),
            query: query.into_owned().collect(),
            token: token.map(str::to_owned),
            body: serde_json::from_slice(body).unwrap_or_default(),
            form: form_urlencoded::parse(body).into_owned().collect(),
        }
    }

    pub(super) fn query(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str)
    }

    pub(super) fn field(&self, key: &str) -> Option<String> {
        self.body.get(key)?.as_str().map(str::to_owned)
    }
}

impl Call {
    /// The entries of a list.
    pub(super) fn list(&self, key: &str) -> Vec<Value> {
        self.body.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// The fields of a form.
    pub(super) fn form(&self) -> &BTreeMap<String, String> {
        &self.form
    }
}

/// What a call is answered with.
pub(super) struct Reply {
    pub(super) status: u16,
    /// A page for people where there is none.
    pub(super) json: Option<Value>,
    /// The number of the page that follows.
    pub(super) next_page: Option<usize>,
    /// Whether it left something behind.
    pub(super) is_change: bool,
}

impl Reply {
    pub(super) fn bare(status: u16) -> Self {
        Self { status, json: None, next_page: None, is_change: false }
    }

    pub(super) fn ok(json: Value) -> Self {
        Self { json: Some(json), ..Self::bare(200) }
    }

    pub(super) fn made(json: Value) -> Self {
        Self { json: Some(json), is_change: true, ..Self::bare(201) }
    }

    pub(super) fn changed(status: u16, json: Option<Value>) -> Self {
        Self { json, is_change: true, ..Self::bare(status) }
    }

    pub(super) fn error(status: u16, message: &str) -> Self {
        Self { json: Some(json!({ "message": message })), ..Self::bare(status) }
    }

    /// One page of a list.
    pub(super) fn page(call: &Call, all: Vec<Value>) -> Self {
        let number = |key: &str| call.query(key).and_then(|text| text.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(PER_PAGE).clamp(1, PER_PAGE_MAX);
        let page = number("page").unwrap_or(1).max(1);
        let before = (page - 1).saturating_mul(size);
        let has_more = all.len() > before.saturating_add(size);
        let entries: Vec<Value> = all.into_iter().skip(before).take(size).collect();
        Self { next_page: has_more.then_some(page + 1), ..Self::ok(entries.into()) }
    }
}

impl Memory {
    /// Who calls.
    pub(super) fn caller(&self, call: &Call) -> Option<u64> {
        let user = self.tokens.get(call.token.as_deref()?)?;
        let user = self.users.get(user).filter(|user| !user.is_blocked)?;
        Some(user.id)
    }

    /// A project, if the caller may know that it is there.
    pub(super) fn seen_project(&self, call: &Call, name: &str) -> Option<&Project> {
        let caller = self.caller(call);
        let is_member =
            |project: &Project| caller.is_some_and(|user| project.members.contains_key(&user));
        self.project(name).filter(|project| !project.is_private || is_member(project))
    }
}

/// Answers a call.
pub(super) fn answer(memory: &mut Memory, call: &Call) -> Reply {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let ["api", "v4", path @ ..] = path.as_slice() else {
        return Reply::bare(404);
    };
    if call.token.is_some() && memory.caller(call).is_none() {
        return Reply::error(401, "401 Unauthorized");
    }
    match (call.method.as_str(), path) {
        ("GET", ["version"]) if call.token.is_some() => {
            Reply::ok(json!({ "version": "18.2.0", "revision": "0a1b2c3d" }))
        }
        ("GET", ["version"]) => Reply::error(401, "401 Unauthorized"),
        ("GET", ["user"]) => {
            let user = memory.caller(call).and_then(|user| memory.users.get(&user));
            user.map_or(Reply::error(401, "401 Unauthorized"), |u| Reply::ok(memory.full_user(u)))
        }
        ("GET", ["users"]) => {
            let name = call.query("username").unwrap_or_default();
            let found = memory.users.values().filter(|user| user.name.eq_ignore_ascii_case(name));
            Reply::page(call, found.map(|user| memory.basic_user(user)).collect())
        }
        ("GET", ["users", id]) => {
            let user = id.parse().ok().and_then(|id: u64| memory.users.get(&id));
            user.map_or(Reply::error(404, "404 User Not Found"), |u| Reply::ok(memory.full_user(u)))
        }
        ("GET", ["projects", project]) => match memory.seen_project(call, project) {
            Some(project) => Reply::ok(memory.project_json(project)),
            None => Reply::error(404, "404 Project Not Found"),
        },
        ("GET", ["projects", project, "members", "all", user]) => {
            member(memory, call, project, user)
        }
        ("GET", ["projects", project, "merge_requests"]) => requests(memory, call, project),
        ("GET", ["projects", project, "merge_requests", iid]) => {
            request(memory, call, project, iid)
        }
        (_, ["projects", project, "merge_requests", iid, "notes", rest @ ..]) => {
            notes::answer(memory, call, (project, iid), rest)
        }
        ("GET", ["projects", project, "repository", "commits", sha, "statuses"]) => {
            status::list(memory, call, project, sha)
        }
        ("GET", ["projects", project, "repository", rest @ ..]) => {
            pipelines::repository(memory, call, project, rest)
        }
        (_, ["projects", project, "pipeline" | "pipelines" | "trigger", ..]) => {
            pipelines::answer(memory, call, project, path.get(2..).unwrap_or_default())
        }
        ("POST", ["projects", project, "statuses", sha]) => status::set(memory, call, project, sha),
        _ => Reply::error(404, "404 Not Found"),
    }
}

fn member(memory: &Memory, call: &Call, project: &str, user: &str) -> Reply {
    let Some(project) = memory.seen_project(call, project) else {
        return Reply::error(404, "404 Project Not Found");
    };
    let user = user.parse().ok().and_then(|id: u64| memory.users.get(&id));
    let found = user.and_then(|user| Some((user, project.members.get(&user.id)?)));
    let Some((user, member)) = found else {
        return Reply::error(404, "404 Not found");
    };
    let mut json = memory.basic_user(user);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("access_level".to_owned(), member.access_level.into());
        fields.insert("expires_at".to_owned(), member.expires_at.clone().into());
        let state = if member.is_active { "active" } else { "awaiting" };
        fields.insert("membership_state".to_owned(), state.into());
    }
    Reply::ok(json)
}

fn requests(memory: &Memory, call: &Call, project: &str) -> Reply {
    let Some(project) = memory.seen_project(call, project) else {
        return Reply::error(404, "404 Project Not Found");
    };
    let state = call.query("state").unwrap_or("all");
    let found = project.requests.values().rev().filter(|request| {
        !request.is_hidden && (state == "all" || request.state.as_str() == state)
    });
    let mut found: Vec<_> = found.map(|request| memory.request_json(project, request)).collect();
    if call.query("sort") == Some("asc") {
        found.reverse();
    }
    Reply::page(call, found)
}

fn request(memory: &Memory, call: &Call, project: &str, iid: &str) -> Reply {
    let found = memory.seen_project(call, project).and_then(|project| {
        let request = project.requests.get(&iid.parse().ok()?)?;
        (!request.is_hidden).then_some((project, request))
    });
    match found {
        Some((project, request)) => Reply::ok(memory.request_json(project, request)),
        None => Reply::error(404, "404 Not found"),
    }
}
