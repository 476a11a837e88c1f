//! The stand-in's API: which call means what, who may, and GitHub's own words for no.

use std::collections::BTreeMap;

use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::access::Caller;
use super::hooks::Post;
use super::memory::Memory;
use super::shape::Detail;
use super::{Role, writes};

/// What stands before every path.
const ROOT: &str = "/api/v3/";
/// How many entries a page has if the caller does not say, and at most.
const PAGE_USUAL: usize = 30;
const PAGE_MAX: usize = 100;

/// A call as it came.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
    authorization: Option<String>,
    whole: String,
}

/// What is answered.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) json: Option<Value>,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Whether something is different now.
    pub(super) is_change: bool,
    /// What is told by webhook.
    pub(super) posts: Vec<Post>,
}

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, authorization: Option<&str>, body: &[u8]) -> Self {
        let path = uri.path().strip_prefix(ROOT).unwrap_or_default();
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self {
            method,
            path: path.split('/').map(decode).collect(),
            query: query.into_owned().collect(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            authorization: authorization.map(str::to_owned),
            whole: uri.to_string(),
        }
    }
}

impl Reply {
    pub(super) fn yes(status: u16, json: Value) -> Self {
        let is_change = false;
        Self { status, json: Some(json), headers: Vec::new(), is_change, posts: Vec::new() }
    }

    /// A success that has changed something, and what is told of it.
    pub(super) fn done(status: u16, json: Option<Value>, posts: Vec<Post>) -> Self {
        Self { status, json, headers: Vec::new(), is_change: true, posts }
    }

    pub(super) fn no(status: u16, message: &str) -> Self {
        Self::yes(
            status,
            json!({
                "message": message,
                "documentation_url": "https://docs.github.example/rest",
                "status": status.to_string(),
            }),
        )
    }

    /// A refusal of what was said.
    pub(super) fn invalid(message: &str) -> Self {
        let mut reply = Self::no(422, "Validation Failed");
        if let Some(Value::Object(json)) = &mut reply.json {
            json.insert("errors".to_owned(), json!([{ "code": "custom", "message": message }]));
        }
        reply
    }

    /// A refusal of who does not have a permission.
    pub(super) fn forbidden(permission: &str) -> Self {
        Self::no(403, "Resource not accessible by personal access token")
            .with("x-accepted-github-permissions", &format!("{permission}=write"))
    }

    pub(super) fn nothing_there() -> Self {
        Self::no(404, "Not Found")
    }

    pub(super) fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }
}

/// Answers a call.
pub(super) fn answer(memory: &mut Memory, call: &Call) -> Reply {
    if let Some(root) = &memory.gone_to {
        return Reply::no(307, "Temporary Redirect").with("location", root);
    }
    let Some(caller) = memory.caller(call.authorization.as_deref()) else {
        return Reply::no(401, "Bad credentials");
    };
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["user"] => own_user(memory, &caller),
        ["users", login] => match memory.known_person(login) {
            Some(_) => Reply::yes(200, memory.user(login)),
            None => Reply::nothing_there(),
        },
        ["app"] => own_app(memory, &caller),
        ["app", "installations", id, "access_tokens"] if call.method == Method::POST => {
            installation_token(memory, &caller, id)
        }
        ["repos", owner, name, rest @ ..] => {
            let repo = format!("{owner}/{name}");
            if let Some(now) = memory.moved.get(&repo) {
                let path = call.whole.replacen(&repo, now, 1);
                let status = if call.method == Method::GET { 301 } else { 307 };
                return Reply::no(status, "Moved Permanently")
                    .with("location", &format!("{}{path}", memory.base));
            }
            of_repository(memory, (&caller, &repo), call, rest)
        }
        _ => Reply::nothing_there(),
    }
}

fn own_user(memory: &Memory, caller: &Caller) -> Reply {
    match caller {
        Caller::User(user, scopes) => {
            let reply = Reply::yes(200, memory.user(user));
            match scopes {
                Some(scopes) => reply.with("x-oauth-scopes", &scopes.join(", ")),
                None => reply,
            }
        }
        Caller::App | Caller::Installation(_) => {
            Reply::no(403, "Resource not accessible by integration")
        }
    }
}

fn own_app(memory: &Memory, caller: &Caller) -> Reply {
    match (caller, &memory.app) {
        (Caller::App, Some(app)) => Reply::yes(
            200,
            json!({
                "id": app.id,
                "slug": app.slug,
                "name": app.slug,
                "permissions": app.permissions,
            }),
        ),
        (_, _) => Reply::no(401, "A JSON web token could not be decoded"),
    }
}

fn installation_token(memory: &mut Memory, caller: &Caller, id: &str) -> Reply {
    if *caller != Caller::App {
        return Reply::no(401, "A JSON web token could not be decoded");
    }
    match id.parse().ok().and_then(|id| memory.give_token(id)) {
        Some((token, expires)) => {
            Reply::yes(201, json!({ "token": token, "expires_at": expires.to_string() }))
        }
        None => Reply::nothing_there(),
    }
}

fn of_repository(
    memory: &mut Memory,
    (caller, repo): (&Caller, &str),
    call: &Call,
    rest: &[&str],
) -> Reply {
    if let ["installation"] = rest {
        return installation(memory, caller, repo);
    }
    if !memory.repos.contains_key(repo) || !memory.sees(caller, repo) {
        return Reply::nothing_there();
    }
    if call.method != Method::GET {
        return writes::answer(memory, (caller, repo), call, rest);
    }
    match rest {
        [] => {
            let mut told = memory.repository(repo);
            let user = memory.name_of(caller);
            if let Some(told) = told.as_object_mut() {
                let permissions = memory.permissions(repo, user.as_deref());
                told.insert("permissions".to_owned(), permissions);
            }
            Reply::yes(200, told)
        }
        ["pulls"] => pulls(memory, repo, call),
        ["pulls", number] => match number.parse().map(|number| memory.pull_of(repo, number)) {
            Ok(Ok(pull)) => Reply::yes(200, memory.pull(repo, pull, Detail::Full)),
            Ok(Err(_)) | Err(_) => Reply::nothing_there(),
        },
        ["collaborators", user, "permission"] => permission(memory, (caller, repo), user),
        ["commits", commit, "check-runs"] => checks(memory, repo, (call, commit)),
        ["issues", number, "comments"] => match number.parse() {
            Ok(number) if memory.pull_of(repo, number).is_ok() => {
                let comments = memory.comments(repo, number);
                let told = comments.iter().map(|comment| memory.comment(repo, comment));
                page(&told.collect::<Vec<_>>(), call, |entries| Value::Array(entries.to_vec()))
            }
            Ok(_) | Err(_) => Reply::nothing_there(),
        },
        _ => Reply::nothing_there(),
    }
}

fn installation(memory: &Memory, caller: &Caller, repo: &str) -> Reply {
    let app = memory.app.as_ref().filter(|_| *caller == Caller::App);
    let Some(app) = app else {
        return Reply::no(401, "A JSON web token could not be decoded");
    };
    match app.installations.get(repo) {
        Some(id) => Reply::yes(
            200,
            json!({ "id": id, "permissions": app.permissions, "suspended_at": null }),
        ),
        None => Reply::nothing_there(),
    }
}

fn pulls(memory: &Memory, repo: &str, call: &Call) -> Reply {
    let is_newest_first = call.query.get("direction").is_none_or(|word| word == "desc");
    let all = memory.repos.get(repo).into_iter().flat_map(|repo| repo.pulls.values());
    let open = all.filter(|pull| pull.is_open);
    let mut told: Vec<Value> = open.map(|pull| memory.pull(repo, pull, Detail::Short)).collect();
    if is_newest_first {
        told.reverse();
    }
    page(&told, call, |entries| Value::Array(entries.to_vec()))
}

fn permission(memory: &Memory, (caller, repo): (&Caller, &str), user: &str) -> Reply {
    if let Caller::User(own, _) = caller
        && memory.role(repo, own) < Some(Role::Write)
    {
        return Reply::no(403, "Must have push access to view collaborator permission.");
    }
    if memory.known_person(user).is_none() {
        return Reply::nothing_there();
    }
    let (permission, role) = match memory.role(repo, user) {
        Some(Role::Admin) => ("admin", "admin"),
        Some(Role::Maintain) => ("write", "maintain"),
        Some(Role::Write) => ("write", "write"),
        Some(Role::Triage) => ("read", "triage"),
        Some(Role::Read) => ("read", "read"),
        None => ("none", "none"),
    };
    let told = json!({ "permission": permission, "role_name": role, "user": memory.user(user) });
    Reply::yes(200, told)
}

fn checks(memory: &Memory, repo: &str, (call, commit): (&Call, &str)) -> Reply {
    let name = call.query.get("check_name");
    let is_wanted = |check: &&super::CheckRun| name.is_none_or(|name| check.name == *name);
    let found = memory.check_runs(repo, commit);
    let told: Vec<Value> =
        found.iter().filter(is_wanted).map(|check| memory.check(repo, check)).collect();
    page(&told, call, |entries| json!({ "total_count": told.len(), "check_runs": entries }))
}

/// One page of a list, and whether it goes on.
fn page(entries: &[Value], call: &Call, told: impl Fn(&[Value]) -> Value) -> Reply {
    let number = |key: &str| call.query.get(key).and_then(|text| text.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(PAGE_USUAL).clamp(1, PAGE_MAX);
    let page = number("page").unwrap_or(1).max(1);
    let chunk = entries.chunks(size).nth(page - 1).unwrap_or_default();
    let reply = Reply::yes(200, told(chunk));
    if page * size >= entries.len() {
        return reply;
    }
    let next = format!("<https://elsewhere.example/?page={}>; rel=\"next\"", page + 1);
    reply.with("link", &format!("{next}, <https://elsewhere.example/?page=9>; rel=\"last\""))
}
