//! The stand-in's API: which call means what, who may, and Forgejo's own words for no.

use std::collections::BTreeMap;

use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Status;
use super::memory::{Memory, Project, PullRequest, State};
use super::webhook::Post;

/// How many entries of a list are given at once at most.
const PAGE_MAX: usize = 50;
const STATES: [&str; 5] = ["pending", "success", "error", "failure", "warning"];

/// A call, taken apart.
pub(super) struct Call {
    method: Method,
    path: Vec<String>,
    query: BTreeMap<String, String>,
    token: Option<String>,
    body: Value,
}

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, authorization: Option<&str>, body: &[u8]) -> Self {
        let path = uri.path().trim_end_matches('/').split('/').skip(1);
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let token = authorization.and_then(|text| text.strip_prefix("token "));
        Self {
            method,
            path: path.map(decoded).collect(),
            query: query.into_owned().collect(),
            token: token.map(str::to_owned),
            body: serde_json::from_slice(body).unwrap_or_default(),
        }
    }

    fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str, default: usize) -> usize {
        self.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

/// What a call is answered with, and what it brings about.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) json: Option<Value>,
    /// Whether the list goes on.
    pub(super) has_next: bool,
    pub(super) posts: Vec<Post>,
    /// Whether it left something behind.
    pub(super) is_change: bool,
}

impl Reply {
    fn ok(json: Value) -> Self {
        Self { status: 200, json: Some(json), has_next: false, posts: Vec::new(), is_change: false }
    }

    fn changed(status: u16, json: Option<Value>, posts: Vec<Post>) -> Self {
        Self { status, json, posts, is_change: true, ..Self::ok(Value::Null) }
    }

    pub(super) fn error(status: u16, message: &str) -> Self {
        let json = json!({ "message": message, "url": "https://forge.example/api/swagger" });
        Self { status, ..Self::ok(json) }
    }
}

fn not_found() -> Reply {
    Reply::error(404, "The target couldn't be found.")
}

/// Answers a call.
pub(super) fn answer(memory: &mut Memory, call: &Call) -> Reply {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let ["api", "v1", path @ ..] = path.as_slice() else {
        return not_found();
    };
    let reply = match (call.method.as_str(), path) {
        ("GET", ["version"]) => Ok(Reply::ok(json!({ "version": "12.0.1+gitea-1.22.0" }))),
        ("GET", ["user"]) => user_of(memory, call).map(|id| Reply::ok(memory.user_json(id))),
        ("GET", ["users", name]) => match memory.user_called(name) {
            Some(id) => Ok(Reply::ok(memory.user_json(id))),
            None => Err(Reply::error(404, "user redirect does not exist")),
        },
        (_, ["repos", owner, name, rest @ ..]) => {
            in_project(memory, call, &format!("{owner}/{name}"), rest)
        }
        _ => Err(not_found()),
    };
    reply.unwrap_or_else(|refusal| refusal)
}

fn in_project(memory: &mut Memory, call: &Call, name: &str, rest: &[&str]) -> Result<Reply, Reply> {
    let user = user_of(memory, call)?;
    let project = memory.projects.get(name).ok_or_else(not_found)?;
    let right = Memory::permission(project, user).to_owned();
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::ok(memory.project_json(project, Some(user)))),
        ("GET", ["pulls"]) => Ok(list(memory, call, project)),
        ("GET", ["pulls", number]) => {
            Ok(Reply::ok(memory.request_json(project, known(project, number)?)))
        }
        ("GET", ["issues", number, "comments"]) => {
            let comments = known(project, number)?.comments.iter();
            Ok(Reply::ok(comments.map(|comment| memory.comment_json(comment)).collect()))
        }
        ("GET", ["assignees"]) => {
            let writers = Memory::writers(project).into_iter();
            Ok(Reply::ok(writers.map(|id| memory.user_json(id)).collect()))
        }
        ("GET", ["collaborators", other]) => collaborates(memory, project, other),
        ("GET", ["collaborators", other, "permission"]) => {
            let is_own = memory.user_called(other) == Some(user);
            if !is_own && !matches!(right.as_str(), "owner" | "admin") {
                let words = "Only admins can query all permissions, repo admins can query all \
                             repo permissions, collaborators can query only their own";
                return Err(Reply::error(403, words));
            }
            permission(memory, project, other)
        }
        ("POST", ["statuses", commit]) => set_status(memory, call, name, (user, commit, &right)),
        ("POST", ["issues", number, "comments"]) => {
            let number = known(project, number)?.number;
            let text = call.text("body");
            if text.is_empty() {
                return Err(Reply::error(422, "[Body]: Required"));
            }
            let (id, posts) =
                memory.comment(name, number, (user, text)).map_err(|_gone| not_found())?;
            Ok(Reply::changed(201, told(memory, name, id), posts))
        }
        ("PATCH" | "DELETE", ["issues", "comments", id]) => {
            change_comment(memory, call, name, (user, id, &right))
        }
        _ => Err(not_found()),
    }
}

fn known<'p>(project: &'p Project, number: &str) -> Result<&'p PullRequest, Reply> {
    let number: Option<u64> = number.parse().ok();
    number.and_then(|number| project.requests.get(&number)).ok_or_else(not_found)
}

fn list(memory: &Memory, call: &Call, project: &Project) -> Reply {
    let is_open = |request: &&PullRequest| request.state == State::Open;
    let open: Vec<&PullRequest> = project.requests.values().rev().filter(is_open).collect();
    let limit = call.number("limit", PAGE_MAX).clamp(1, PAGE_MAX);
    let from = call.number("page", 1).max(1).saturating_sub(1).saturating_mul(limit);
    let page = open.iter().skip(from).take(limit);
    let page: Vec<Value> = page.map(|request| memory.request_json(project, request)).collect();
    let has_next = open.len() > from.saturating_add(limit);
    Reply { has_next, ..Reply::ok(page.into()) }
}

fn collaborates(memory: &Memory, project: &Project, name: &str) -> Result<Reply, Reply> {
    let Some(id) = memory.user_called(name) else {
        return Err(Reply::error(422, "user does not exist"));
    };
    if project.collaborators.contains_key(&id) {
        Ok(Reply { status: 204, json: None, ..Reply::ok(Value::Null) })
    } else {
        Err(not_found())
    }
}

fn permission(memory: &Memory, project: &Project, name: &str) -> Result<Reply, Reply> {
    let id = memory.user_called(name);
    let id = id.ok_or_else(|| Reply::error(404, "user does not exist"))?;
    let right = Memory::permission(project, id);
    let user = memory.user_json(id);
    Ok(Reply::ok(json!({ "permission": right, "role_name": right, "user": user })))
}

fn set_status(
    memory: &mut Memory,
    call: &Call,
    name: &str,
    (user, commit, right): (i64, &str, &str),
) -> Result<Reply, Reply> {
    if right == "read" {
        return Err(Reply::error(403, "user should have a permission to write to a repo"));
    }
    if !STATES.contains(&call.text("state")) {
        return Err(Reply::error(422, "[State]: invalid"));
    }
    let creator = memory.users.get(&user).cloned().unwrap_or_default();
    let status = Status {
        context: call.text("context").trim().to_owned(),
        state: call.text("state").to_owned(),
        description: call.text("description").trim().to_owned(),
        target_url: call.text("target_url").trim().to_owned(),
        creator,
    };
    let json = json!({
        "status": status.state,
        "context": status.context,
        "description": status.description,
        "target_url": status.target_url,
    });
    let project = memory.project_mut(name).map_err(|_gone| not_found())?;
    project.statuses.entry(commit.to_owned()).or_default().push(status);
    Ok(Reply::changed(201, Some(json), Vec::new()))
}

fn change_comment(
    memory: &mut Memory,
    call: &Call,
    name: &str,
    (user, id, right): (i64, &str, &str),
) -> Result<Reply, Reply> {
    let id: u64 = id.parse().map_err(|_odd| not_found())?;
    let project = memory.projects.get(name).ok_or_else(not_found)?;
    let mut comments = project.requests.values().flat_map(|request| &request.comments);
    let comment = comments.find(|comment| comment.id == id).ok_or_else(not_found)?;
    if comment.user != user && right == "read" {
        return Err(Reply::error(403, "user should be the author of the comment"));
    }
    if call.method == Method::DELETE {
        let posts = memory.remove_comment(name, id, user).map_err(|_gone| not_found())?;
        return Ok(Reply::changed(204, None, posts));
    }
    let text = call.text("body");
    let posts = memory.edit_comment(name, id, (user, text)).map_err(|_gone| not_found())?;
    Ok(Reply::changed(200, told(memory, name, id), posts))
}

/// A comment as it is now.
fn told(memory: &Memory, project: &str, id: u64) -> Option<Value> {
    let project = memory.projects.get(project)?;
    let mut comments = project.requests.values().flat_map(|request| &request.comments);
    comments.find(|comment| comment.id == id).map(|comment| memory.comment_json(comment))
}

fn user_of(memory: &Memory, call: &Call) -> Result<i64, Reply> {
    let token = call.token.as_ref().ok_or_else(|| Reply::error(401, "token is required"))?;
    let user = memory.tokens.get(token);
    user.copied().ok_or_else(|| Reply::error(401, "user does not exist [uid: 0, name: ]"))
}
