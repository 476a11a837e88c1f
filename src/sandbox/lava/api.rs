//! The stand-in's API: which call means what, who may, and LAVA's own words for no.

use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::memory::Memory;
use super::submit::{self, Refused};
use super::{Job, lists, shape};
use crate::yaml::Node;

/// A call, taken apart.
pub(super) struct Call {
    method: Method,
    path: String,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    caller: Caller,
    content_type: String,
    body: Vec<u8>,
}

/// Who calls.
enum Caller {
    Nobody,
    User(String),
    /// With a token that is none.
    Refused,
}

/// What a call is answered with.
pub(super) struct Reply {
    pub(super) status: u16,
    /// A page for people where there is none.
    pub(super) json: Option<Value>,
    /// Where it is instead.
    pub(super) location: Option<String>,
    /// Whether it left something behind.
    pub(super) is_change: bool,
    /// The job that ends by it.
    pub(super) ends: Option<u64>,
}

impl Reply {
    pub(super) fn bare(status: u16) -> Self {
        Self { status, json: None, location: None, is_change: false, ends: None }
    }

    pub(super) fn json(status: u16, json: Value) -> Self {
        Self { json: Some(json), ..Self::bare(status) }
    }

    pub(super) fn ok(json: Value) -> Self {
        Self::json(200, json)
    }

    fn detail(status: u16, words: &str) -> Self {
        Self::json(status, json!({ "detail": words }))
    }
}

impl Call {
    pub(super) fn new(
        (method, uri): (Method, &Uri),
        (token, content_type): (Option<&str>, Option<&str>),
        body: Vec<u8>,
        memory: &Memory,
    ) -> Self {
        let path = uri.path().to_owned();
        let parts = path.trim_matches('/').split('/');
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let segments = parts.map(decoded).collect();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        // Another scheme is not looked at.
        let caller = match token.and_then(|text| text.strip_prefix("Token ")) {
            None => Caller::Nobody,
            Some(token) => match memory.tokens.get(token) {
                Some(user) => Caller::User(user.clone()),
                None => Caller::Refused,
            },
        };
        Self {
            method,
            segments,
            query: query.into_owned().collect(),
            caller,
            content_type: content_type.unwrap_or_default().to_owned(),
            body,
            path,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(super) fn query(&self, key: &str) -> Option<&str> {
        self.queries().find(|(own, _)| *own == key).map(|(_, value)| value)
    }

    fn user(&self) -> Option<&str> {
        match &self.caller {
            Caller::User(name) => Some(name),
            Caller::Nobody | Caller::Refused => None,
        }
    }

    pub(super) fn may_see(&self, job: &Job) -> bool {
        !job.is_personal || self.user() == Some(&job.submitter)
    }

    /// The field `definition` of what was sent, or the answer to what is none.
    fn definition(&self) -> Result<String, Reply> {
        let missing = |words: &str| Reply::json(400, json!({ "definition": [words] }));
        let text = match self.content_type.split(';').next().unwrap_or_default().trim() {
            "application/json" => {
                let body: Result<Value, _> = serde_json::from_slice(&self.body);
                let body = body.map_err(|_error| Reply::detail(400, "JSON parse error"))?;
                body.get("definition").and_then(Value::as_str).map(str::to_owned)
            }
            "application/x-www-form-urlencoded" => {
                let mut form = form_urlencoded::parse(&self.body);
                form.find(|(key, _)| key == "definition").map(|(_, text)| text.into_owned())
            }
            other => {
                let words = format!("Unsupported media type \"{other}\" in request.");
                return Err(Reply::detail(415, &words));
            }
        };
        match text {
            None => Err(missing("This field is required.")),
            Some(text) if text.trim().is_empty() => Err(missing("This field may not be blank.")),
            Some(text) => Ok(text),
        }
    }
}

/// Does what a call asks.
pub(super) fn answer(memory: &mut Memory, call: &Call) -> Reply {
    let is_slashed = call.path.ends_with('/');
    let parts: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    if !is_slashed {
        let path = format!("{}/", call.path);
        return Reply { location: Some(path), ..Reply::bare(301) };
    }
    let ["api", "v0.2", rest @ ..] = parts.as_slice() else {
        let is_page = matches!(parts.as_slice(), ["scheduler", "job", _]);
        return Reply::bare(if is_page { 200 } else { 404 });
    };
    if matches!(call.caller, Caller::Refused) {
        return Reply::detail(403, "Invalid token.");
    }
    match (&call.method, rest) {
        (&Method::GET, ["system", "whoami"]) => {
            Reply::ok(json!({ "user": call.user().unwrap_or_default() }))
        }
        (&Method::GET, ["system", "version"]) => Reply::ok(json!({ "version": "2023.01" })),
        (&Method::GET, ["jobs"]) => lists::jobs(memory, call),
        (&Method::POST, ["jobs"]) => submit(memory, call),
        (&Method::POST, ["jobs", "validate"]) => validate(call),
        (method, ["jobs", id, rest @ ..]) => job(memory, (call, method), (id, rest)),
        (&Method::GET, ["devices"]) => lists::devices(memory, call),
        (&Method::GET, ["devicetypes"]) => lists::device_types(memory, call),
        (&Method::GET, ["devicetypes", name]) if memory.device_types.contains(*name) => {
            Reply::ok(shape::device_type_json(name))
        }
        (&Method::GET, ["tags"]) if call.user().is_none() => unknown_caller(),
        (&Method::GET, ["tags"]) => lists::tags(memory, call),
        (&Method::GET, ["workers"]) => lists::workers(memory, call),
        (&Method::GET, _) => not_found(),
        (method, _) => Reply::detail(405, &format!("Method \"{method}\" not allowed.")),
    }
}

fn not_found() -> Reply {
    Reply::detail(404, "Not found.")
}

fn unknown_caller() -> Reply {
    Reply::detail(403, "Authentication credentials were not provided.")
}

fn submit(memory: &mut Memory, call: &Call) -> Reply {
    let Some(user) = call.user() else { return unknown_caller() };
    match call.definition() {
        Ok(text) => submitted(memory, user, &text),
        Err(reply) => reply,
    }
}

/// Always a list; with its parent's number for each job of a group.
fn submitted(memory: &mut Memory, user: &str, text: &str) -> Reply {
    match memory.submit(user, text) {
        Ok(ids) => {
            let shown = |id: &u64| match memory.jobs.get(id).and_then(|job| job.sub_id.clone()) {
                Some(sub_id) => Value::from(sub_id),
                None => Value::from(*id),
            };
            let ids: Vec<Value> = ids.iter().map(shown).collect();
            let json = json!({ "message": "job(s) successfully submitted", "job_ids": ids });
            Reply { is_change: true, ..Reply::json(201, json) }
        }
        Err(Refused { status: 400, message }) => Reply::json(400, json!({ "message": message })),
        Err(Refused { status, .. }) => Reply::bare(status),
    }
}

/// 200, also where it is invalid.
fn validate(call: &Call) -> Reply {
    let words = match call.definition() {
        Err(reply) => return reply,
        Ok(text) => match Node::parse(&text) {
            // LAVA does not expect it.
            Err(_) => return Reply::bare(500),
            Ok(definition) => match submit::fault(&definition) {
                Some(fault) => format!("Job invalid: {fault}"),
                None => "Job valid.".to_owned(),
            },
        },
    };
    Reply::ok(json!({ "message": words }))
}

/// What is about one job.
fn job(
    memory: &mut Memory,
    (call, method): (&Call, &Method),
    (id, rest): (&str, &[&str]),
) -> Reply {
    let id: Option<u64> = id.parse().ok();
    let found = id.and_then(|id| memory.jobs.get(&id)).filter(|job| call.may_see(job));
    let Some(job) = found else {
        // LAVA does not expect that somebody cancels what is not there.
        return if rest == ["cancel"] { Reply::bare(500) } else { not_found() };
    };
    match (method, rest) {
        (&Method::GET, []) => Reply::ok(memory.job_json(job)),
        (&Method::GET, ["suites"]) => lists::suites(memory, call, job),
        (&Method::GET, ["tests"]) => lists::tests(memory, call, (job, None)),
        (&Method::GET, ["suites", suite, "tests"]) => {
            lists::tests(memory, call, (job, Some(suite)))
        }
        (&Method::POST, ["resubmit"]) => {
            let Some(user) = call.user() else { return unknown_caller() };
            let (user, text) = (user.to_owned(), job.definition.clone());
            submitted(memory, &user, &text)
        }
        (&Method::GET, ["cancel"]) => {
            let is_over = matches!(job.state, "Finished" | "Canceling");
            if !is_over && call.user() != Some(&job.submitter) {
                return Reply::detail(403, "You do not have permission to perform this action.");
            }
            let id = job.id;
            let ends = memory.cancel(id).then_some(id);
            let json = json!({ "message": "Job cancel signal sent." });
            Reply { is_change: true, ends, ..Reply::ok(json) }
        }
        (&Method::GET, _) => not_found(),
        (method, _) => Reply::detail(405, &format!("Method \"{method}\" not allowed.")),
    }
}
