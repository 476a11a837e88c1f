//! The stand-in's API: which call means what, who may, and Patchwork's own words for no.

use axum::http::{Method, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::memory::{Memory, Submission};
use super::{Check, lists, mbox};

/// What a check can say.
const STATES: [&str; 4] = ["pending", "success", "warning", "fail"];

/// A call, taken apart.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path, decoded; the last segment is empty where there is a slash at the end.
    pub(super) path: Vec<String>,
    pub(super) raw_path: String,
    pub(super) query: Vec<(String, String)>,
    login: Option<String>,
    body: Value,
}

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, authorization: Option<&str>, body: &[u8]) -> Self {
        let path = uri.path().split('/').skip(1);
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self {
            method,
            path: path.map(decoded).collect(),
            raw_path: uri.path().to_owned(),
            query: query.into_owned().collect(),
            login: authorization.map(str::to_owned),
            body: serde_json::from_slice(body).unwrap_or_default(),
        }
    }

    /// All values of a parameter; which may be given more than once.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.query.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The last value of a parameter.
    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.all(name).pop()
    }

    fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What a call is answered with.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: String,
    pub(super) link: Option<String>,
    /// Whether it left something behind.
    pub(super) is_change: bool,
}

impl Reply {
    pub(super) fn ok(json: &Value) -> Self {
        let body = json.to_string();
        Self { status: 200, kind: "application/json", body, link: None, is_change: false }
    }

    pub(super) fn page(text: &str) -> Self {
        Self { kind: "text/html; charset=utf-8", body: text.to_owned(), ..Self::ok(&Value::Null) }
    }

    fn plain(text: String) -> Self {
        Self { kind: "text/plain", body: text, ..Self::ok(&Value::Null) }
    }

    pub(super) fn error(status: u16, detail: &str) -> Self {
        Self { status, ..Self::ok(&json!({ "detail": detail })) }
    }

    fn wrong(field: &str, what: &str) -> Self {
        Self { status: 400, ..Self::ok(&json!({ field: [what] })) }
    }
}

pub(super) fn not_found() -> Reply {
    Reply::error(404, "Not found.")
}

/// Answers a call.
pub(super) fn answer(memory: &mut Memory, call: &Call) -> Reply {
    memory.remember(format!("{} {}", call.method, call.raw_path), call.login.is_some());
    if let Some(status) = memory.broken(&call.raw_path) {
        return Reply::error(status, "Sorry.");
    }
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let reply = match path.as_slice() {
        // Without the slash at its end an address is another one.
        [.., last] if !last.is_empty() => Err(not_found()),
        ["api", version, rest @ .., ""] => in_api(memory, call, version, rest),
        [rest @ .., ""] => mbox::answer(memory, rest).map(Reply::plain).ok_or_else(not_found),
        _ => Err(not_found()),
    };
    reply.unwrap_or_else(|refusal| refusal)
}

fn in_api(memory: &mut Memory, call: &Call, version: &str, rest: &[&str]) -> Result<Reply, Reply> {
    let is_known = matches!(version, "1.0" | "1.1" | "1.2") || version == memory.api;
    if !is_known {
        let missing = Reply::page("<h1>Not Found</h1>");
        return Err(Reply { status: 404, ..missing });
    }
    let user = user_of(memory, call)?;
    let get = call.method == Method::GET;
    match rest {
        [] => Ok(Reply::ok(
            &json!({ "projects": format!("{}/api/{version}/projects/", memory.base) }),
        )),
        ["events"] if get => lists::events(memory, call, version),
        ["series"] if get => lists::series(memory, call),
        ["patches"] if get => lists::patches(memory, call),
        ["projects"] if get => lists::projects(memory, call),
        ["projects", name] if get => {
            memory.project_json(name).map(|json| Reply::ok(&json)).ok_or_else(not_found)
        }
        ["users"] if get => lists::users(memory, call),
        ["users", id] if get => {
            let json = number(id).and_then(|id| memory.user_detail(id, user));
            json.map(|json| Reply::ok(&json)).ok_or_else(not_found)
        }
        ["series", id] if get => {
            let json = number(id).and_then(|id| memory.series_json(id));
            json.map(|json| Reply::ok(&json)).ok_or_else(not_found)
        }
        ["covers", id] if get => {
            let (id, cover) = of(&memory.covers, id)?;
            Ok(Reply::ok(&memory.submission_json("covers", id, cover)))
        }
        ["patches", id] if get => {
            let (id, patch) = of(&memory.patches, id)?;
            if memory.held.contains(&id) {
                return Err(not_found());
            }
            Ok(Reply::ok(&memory.submission_json("patches", id, patch)))
        }
        [kind @ ("patches" | "covers"), id, "comments", comment] if get => {
            let json = number(id).zip(number(comment));
            let json = json.and_then(|(id, comment)| memory.comment_json(kind, id, comment));
            json.map(|json| Reply::ok(&json)).ok_or_else(not_found)
        }
        ["patches", id, "checks"] if get => {
            let (id, _) = of(&memory.patches, id)?;
            lists::checks(memory, call, id)
        }
        ["patches", id, "checks"] if call.method == Method::POST => {
            let (id, patch) = of(&memory.patches, id)?;
            let user = user.filter(|user| memory.may_edit(*user, patch));
            let user = user.ok_or_else(|| {
                Reply::error(403, "You do not have permission to perform this action.")
            })?;
            let check = checked(call, user)?;
            let check = memory.add_check(id, check);
            let json = memory.check_json(id, &check);
            Ok(Reply { status: 201, is_change: true, ..Reply::ok(&json) })
        }
        _ => Err(not_found()),
    }
}

/// The check that a call wants to make.
fn checked(call: &Call, user: u64) -> Result<Check, Reply> {
    let (state, context) = (call.text("state"), call.text("context"));
    if state.is_empty() {
        return Err(Reply::wrong("state", "A check must have a state."));
    }
    if !STATES.contains(&state) {
        return Err(Reply::wrong("state", &format!("\"{state}\" is not a valid choice.")));
    }
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if context.is_empty() || !context.chars().all(is_letter) {
        let words =
            "Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens.";
        return Err(Reply::wrong("context", words));
    }
    if context.len() > 255 {
        return Err(Reply::wrong("context", "Ensure this field has no more than 255 characters."));
    }
    let url = call.body.get("target_url").and_then(Value::as_str);
    if let Some(url) = url.filter(|url| !url.is_empty()) {
        if url.chars().count() > 200 {
            let words = "Ensure this field has no more than 200 characters.";
            return Err(Reply::wrong("target_url", words));
        }
        if Url::parse(url).is_err() || url.contains(' ') {
            return Err(Reply::wrong("target_url", "Enter a valid URL."));
        }
    }
    Ok(Check {
        id: 0,
        user,
        state: state.to_owned(),
        context: context.to_owned(),
        description: call.text("description").to_owned(),
        target_url: url.map(str::to_owned),
    })
}

/// Who calls, if anybody says so; whoever says it wrongly is refused, whatever is asked.
fn user_of(memory: &Memory, call: &Call) -> Result<Option<u64>, Reply> {
    let Some(login) = &call.login else { return Ok(None) };
    let mut users = memory.users.iter();
    let found = if let Some(token) = login.strip_prefix("Token ") {
        users.find(|(_, user)| user.token == token)
    } else {
        let basic = login.strip_prefix("Basic ").unwrap_or_default();
        let both = STANDARD.decode(basic).unwrap_or_default();
        // The password of a user of the stand-in is the token.
        users.find(|(_, user)| format!("{}:{}", user.username, user.token).into_bytes() == both)
    };
    let id = found.map(|(id, _)| *id);
    id.map(Some).ok_or_else(|| Reply::error(401, "Invalid token."))
}

pub(super) fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn of<'m>(
    all: &'m std::collections::BTreeMap<u64, Submission>,
    id: &str,
) -> Result<(u64, &'m Submission), Reply> {
    let id = number(id).ok_or_else(not_found)?;
    all.get(&id).map(|found| (id, found)).ok_or_else(not_found)
}
