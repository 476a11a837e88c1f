//! The stand-in's API: which call means what, who may, and Pagure's own words for no.

use std::collections::BTreeMap;

use axum::http::Uri;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::memory::{Memory, PullRequest};
use super::shape::{Comments, Place};
use super::{Announcement, Flag};
use crate::message::hash;

/// The longest `uid` that fits the column.
const UID_MAX: usize = 32;
const STATUSES: [&str; 5] = ["success", "failure", "error", "pending", "canceled"];

/// A call, taken apart.
pub(super) struct Call {
    is_post: bool,
    path: Vec<String>,
    query: BTreeMap<String, String>,
    token: Option<String>,
    form: BTreeMap<String, String>,
}

impl Call {
    pub(super) fn new(is_post: bool, uri: &Uri, authorization: Option<&str>, body: &[u8]) -> Self {
        let path = uri.path().trim_end_matches('/').split('/').skip(1);
        // Pagure looks for the word anywhere in the header, and takes what follows.
        let token = authorization.and_then(|text| text.split_once("token"));
        Self {
            is_post,
            path: path.map(decoded).collect(),
            query: form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            token: token.map(|(_, token)| token.trim().to_owned()),
            form: form_urlencoded::parse(body).into_owned().collect(),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let value = self.form.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// What a call is answered with, and what it brings about.
pub(super) struct Reply {
    pub(super) status: u16,
    /// A page for people where there is none.
    pub(super) json: Option<Value>,
    pub(super) announced: Vec<Announcement>,
    /// Whether it left something behind.
    pub(super) is_change: bool,
}

impl Reply {
    pub(super) fn page(status: u16) -> Self {
        Self { status, json: None, announced: Vec::new(), is_change: false }
    }

    fn ok(json: Value) -> Self {
        Self { json: Some(json), ..Self::page(200) }
    }

    fn changed(json: Value, announced: Vec<Announcement>) -> Self {
        Self { announced, is_change: true, ..Self::ok(json) }
    }

    fn error(status: u16, code: &str, errors: Option<Value>) -> Self {
        let text = match code {
            "ENOPROJECT" => "Project not found",
            "ENOGROUP" => "Group not found",
            "ENOREQ" => "Pull-Request not found",
            "ENOCOMMIT" => "No such commit found in this repository",
            "EINVALIDTOK" => "Invalid or expired token. Please get or renew your API token.",
            "EUBLOCKED" => "You have been blocked from this project",
            "EDBERROR" => {
                "An error occurred at the database level and prevent the action from reaching \
                 completion"
            }
            _ => "Invalid or incomplete input submitted",
        };
        let mut json = json!({ "error": text, "error_code": code });
        if let (Some(errors), Some(fields)) = (errors, json.as_object_mut()) {
            fields.insert("errors".to_owned(), errors);
        }
        Self { json: Some(json), ..Self::page(status) }
    }
}

/// Answers a call.
pub(super) fn answer(memory: &mut Memory, call: &Call) -> Reply {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let ["api", "0", path @ ..] = path.as_slice() else {
        return Reply::page(404);
    };
    let reply = match (call.is_post, path) {
        (false, ["version"]) => Ok(Reply::ok(json!({ "version": "0.31" }))),
        (false, ["group", group]) => view_group(memory, group),
        (true, ["-", "whoami"]) if memory.options.has_whoami => whoami(memory, call),
        (true, [project @ .., "pull-request", id, "comment"]) => {
            comment(memory, call, &fullname(project), id)
        }
        (true, [project @ .., "pull-request", id, "flag"]) => {
            flag_request(memory, call, &fullname(project), id)
        }
        (true, [project @ .., "c", commit, "flag"]) => {
            flag_commit(memory, call, &fullname(project), commit)
        }
        (false, [project @ .., "pull-requests"]) => list_requests(memory, call, &fullname(project)),
        (false, [project @ .., "pull-request", id]) => {
            view_request(memory, call, &fullname(project), id)
        }
        (false, [project @ .., "c", commit, "flag"]) => {
            view_flags(memory, &fullname(project), commit)
        }
        (false, [_, ..]) => view_project(memory, &fullname(path)),
        _ => Ok(Reply::page(404)),
    };
    reply.unwrap_or_else(|refusal| refusal)
}

/// The name of the project at a path.
fn fullname(path: &[&str]) -> String {
    match path {
        ["fork", rest @ ..] => format!("forks/{}", rest.join("/")),
        _ => path.join("/"),
    }
}

fn view_project(memory: &Memory, project: &str) -> Result<Reply, Reply> {
    known_project(memory, project)?;
    Ok(Reply::ok(memory.project(project)))
}

fn view_group(memory: &Memory, group: &str) -> Result<Reply, Reply> {
    let members = memory.groups.get(group);
    let members = members.ok_or_else(|| Reply::error(404, "ENOGROUP", None))?;
    Ok(Reply::ok(json!({ "name": group, "group_type": "user", "members": members })))
}

/// Newest first, in pages.
fn list_requests(memory: &Memory, call: &Call, project: &str) -> Result<Reply, Reply> {
    known_project(memory, project)?;
    let requests = memory.projects.get(project).map(|entry| &entry.requests);
    let wanted = call.query.get("status").map_or("Open", String::as_str);
    let is_wanted = |request: &&PullRequest| {
        !request.is_hidden && (wanted == "all" || request.status.as_str() == wanted)
    };
    let requests = requests.into_iter().flat_map(|requests| requests.values().rev());
    let ids: Vec<u64> = requests.filter(is_wanted).map(|request| request.id).collect();
    let number = |name: &str| call.query.get(name).and_then(|text| text.parse().ok());
    let per_page = number("per_page").unwrap_or(20).clamp(1, 100);
    let page = number("page").unwrap_or(1).max(1);
    let shown = ids.chunks(per_page).nth(page - 1).unwrap_or_default();
    let shown: Vec<Value> =
        shown.iter().map(|id| memory.pull_request(project, *id, Comments::Told)).collect();
    Ok(Reply::ok(json!({
        "requests": shown,
        "total_requests": ids.len(),
        "pagination": { "page": page, "per_page": per_page, "pages": ids.len().div_ceil(per_page) },
    })))
}

fn view_request(memory: &Memory, call: &Call, project: &str, id: &str) -> Result<Reply, Reply> {
    let id = known_request(memory, project, id)?;
    let is_left = call.query.get("comments").is_some_and(|told| told == "false");
    let comments = if is_left { Comments::Left } else { Comments::Told };
    Ok(Reply::ok(memory.pull_request(project, id, comments)))
}

fn view_flags(memory: &Memory, project: &str, commit: &str) -> Result<Reply, Reply> {
    known_project(memory, project)?;
    let flags = memory.flags(project, commit);
    let flags: Vec<Value> = flags.iter().map(|f| memory.flag(f, Place::Answer)).collect();
    Ok(Reply::ok(json!({ "flags": flags })))
}

fn whoami(memory: &Memory, call: &Call) -> Result<Reply, Reply> {
    let user = user_of(memory, call, None)?;
    Ok(Reply::ok(json!({ "username": user })))
}

fn comment(memory: &mut Memory, call: &Call, project: &str, id: &str) -> Result<Reply, Reply> {
    let user = allowed(memory, call, project, "pull_request_comment")?;
    let id = known_request(memory, project, id)?;
    let Some(text) = call.field("comment") else {
        return Err(invalid("comment", "This field is required."));
    };
    let announced = memory.comment(project, id, &user, text).unwrap_or_default();
    Ok(Reply::changed(json!({ "message": "Comment added" }), announced))
}

fn flag_request(memory: &mut Memory, call: &Call, project: &str, id: &str) -> Result<Reply, Reply> {
    let user = allowed(memory, call, project, "pull_request_flag")?;
    let id = known_request(memory, project, id)?;
    let request = memory.projects.get(project).and_then(|p| p.requests.get(&id));
    let commit = request.map(|r| r.commit_stop.clone()).unwrap_or_default();
    let derived = match call.field("percent") {
        None => "pending",
        Some("0") => "failure",
        Some(_) => "success",
    };
    let status = call.field("status").unwrap_or(derived);
    let flag = checked_flag(memory, call, (&user, &commit, status))?;
    let mut reply = keep(memory, project, flag);
    let told = reply.announced.first().cloned();
    if let Some((topic, Value::Object(mut body))) = told {
        body.remove("repo");
        let request = memory.pull_request(project, id, Comments::Told);
        body.insert("pullrequest".to_owned(), request);
        let topic = topic.replace("commit.flag", "pull-request.flag");
        reply.announced.push((topic, Value::Object(body)));
    }
    Ok(reply)
}

fn flag_commit(
    memory: &mut Memory,
    call: &Call,
    project: &str,
    commit: &str,
) -> Result<Reply, Reply> {
    let user = allowed(memory, call, project, "commit_flag")?;
    // A commit that is not there is no fault, only a text that is no commit.
    if commit.len() < 4 || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Reply::error(404, "ENOCOMMIT", None));
    }
    let Some(status) = call.field("status") else {
        return Err(invalid("status", "Not a valid choice."));
    };
    let flag = checked_flag(memory, call, (&user, commit, status))?;
    Ok(keep(memory, project, flag))
}

fn checked_flag(
    memory: &Memory,
    call: &Call,
    (user, commit, status): (&str, &str, &str),
) -> Result<Flag, Reply> {
    let required = |name: &str| {
        let value = call.field(name).map(str::to_owned);
        value.ok_or_else(|| invalid(name, "This field is required."))
    };
    let (username, comment, url) = (required("username")?, required("comment")?, required("url")?);
    if !is_url(&url) {
        return Err(invalid("url", "Invalid input."));
    }
    if !STATUSES.contains(&status) {
        return Err(invalid("status", "Not a valid choice."));
    }
    let now = memory.now();
    let drawn = || hash(&[commit.as_bytes(), now.as_bytes(), comment.as_bytes()]);
    let uid = call.field("uid").map_or_else(drawn, str::to_owned);
    let percent = call.field("percent").map(str::parse).transpose();
    let (Ok(percent), true) = (percent, uid.chars().count() <= UID_MAX) else {
        return Err(Reply::error(400, "EDBERROR", None));
    };
    Ok(Flag {
        uid,
        commit: commit.to_owned(),
        username,
        comment,
        url,
        status: status.to_owned(),
        percent,
        user: user.to_owned(),
        created: now.clone(),
        updated: now,
    })
}

/// As much of Pagure's pattern as matters: a host has a dot, or is `localhost`.
fn is_url(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return false;
    };
    let is_host = url.host_str().is_some_and(|host| host == "localhost" || host.contains('.'));
    matches!(url.scheme(), "http" | "https" | "ftp" | "ftps")
        && is_host
        && !text.contains(char::is_whitespace)
}

/// Keeps a flag: in place of the one with its uid, of which it leaves the name.
fn keep(memory: &mut Memory, project: &str, flag: Flag) -> Reply {
    let Ok(entry) = memory.project_mut(project) else {
        return Reply::error(404, "ENOPROJECT", None);
    };
    let same = |old: &&mut Flag| old.commit == flag.commit && old.uid == flag.uid;
    let (flag, how) = if let Some(old) = entry.flags.iter_mut().find(same) {
        *old = Flag { username: old.username.clone(), created: old.created.clone(), ..flag };
        (old.clone(), "updated")
    } else {
        entry.flags.push(flag.clone());
        (flag, "added")
    };
    let body = json!({
        "agent": flag.user,
        "repo": memory.project(project),
        "flag": memory.flag(&flag, Place::Message),
    });
    let announced = vec![memory.announce(&format!("commit.flag.{how}"), body)];
    let json = json!({
        "message": format!("Flag {how}"),
        "uid": flag.uid,
        "flag": memory.flag(&flag, Place::Answer),
        "avatar_url": format!("{}/avatar/{}", memory.base, flag.user),
        "user": flag.user,
    });
    Reply::changed(json, announced)
}

fn invalid(field: &str, text: &str) -> Reply {
    Reply::error(400, "EINVALIDREQ", Some(json!({ field: [text] })))
}

fn known_project(memory: &Memory, project: &str) -> Result<(), Reply> {
    let is_known = memory.projects.contains_key(project);
    let unknown = || Reply::error(404, "ENOPROJECT", None);
    is_known.then_some(()).ok_or_else(unknown)
}

fn known_request(memory: &Memory, project: &str, id: &str) -> Result<u64, Reply> {
    known_project(memory, project)?;
    let requests = memory.projects.get(project).map(|project| &project.requests);
    let id: Option<u64> = id.parse().ok();
    let request = id.and_then(|id| requests?.get(&id)).filter(|r| !r.is_hidden);
    let unknown = || Reply::error(404, "ENOREQ", None);
    request.map(|request| request.id).ok_or_else(unknown)
}

/// Whose token it is, if it is good for `acl`.
fn user_of(memory: &Memory, call: &Call, acl: Option<&str>) -> Result<String, Reply> {
    let refused = |text: String| Reply::error(401, "EINVALIDTOK", Some(text.into()));
    let token = call.token.as_ref().and_then(|token| memory.tokens.get(token));
    let Some(token) = token else {
        return Err(refused("Invalid token".to_owned()));
    };
    if token.is_expired {
        return Err(refused("Expired token".to_owned()));
    }
    match acl {
        Some(acl) if !token.acls.contains(acl) => Err(refused(format!("Missing ACLs: {acl}"))),
        Some(_) | None => Ok(token.user.clone()),
    }
}

/// Whose token it is, if it is good for `acl` on this project; the order of the checks is
/// Pagure's.
fn allowed(memory: &Memory, call: &Call, project: &str, acl: &str) -> Result<String, Reply> {
    let user = user_of(memory, call, Some(acl))?;
    known_project(memory, project)?;
    let token = call.token.as_ref().and_then(|token| memory.tokens.get(token));
    let bound_to = token.and_then(|token| token.project.as_deref());
    if bound_to.is_some_and(|bound_to| bound_to != project) {
        return Err(Reply::error(401, "EINVALIDTOK", None));
    }
    let entry = memory.projects.get(project);
    if entry.is_some_and(|entry| entry.blocked.contains(&user)) {
        return Err(Reply::error(403, "EUBLOCKED", None));
    }
    Ok(user)
}
