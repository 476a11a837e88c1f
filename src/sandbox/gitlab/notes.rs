//! Comments, and what GitLab does when one of their lines begins with a slash.

use axum::http::Method;
use serde_json::json;

use super::api::{Call, Reply};
use super::memory::{Memory, State};

/// Answers a call about the comments on a merge request.
pub(super) fn answer(
    memory: &mut Memory,
    call: &Call,
    (project, iid): (&str, &str),
    rest: &[&str],
) -> Reply {
    let Some(path) = memory.seen_project(call, project).map(|project| project.path.clone()) else {
        return Reply::error(404, "404 Project Not Found");
    };
    let iid: u64 = iid.parse().unwrap_or_default();
    let place = (path.as_str(), iid);
    if memory.request(&path, iid).map_or(true, |(_, request)| request.is_hidden) {
        return Reply::error(404, "404 Not found");
    }
    let id = rest.first().and_then(|id| id.parse().ok());
    match (&call.method, rest, id) {
        (&Method::GET, [], _) => list(memory, call, place),
        (&Method::POST, [], _) => post(memory, call, place),
        (&Method::PUT, [_], Some(id)) => edit(memory, call, place, id),
        (&Method::DELETE, [_], Some(id)) => remove(memory, call, place, id),
        _ => Reply::error(404, "404 Not found"),
    }
}

fn list(memory: &Memory, call: &Call, (project, iid): (&str, u64)) -> Reply {
    let Ok((_, request)) = memory.request(project, iid) else {
        return Reply::error(404, "404 Not found");
    };
    let mut notes: Vec<_> = request.notes.iter().collect();
    // GitLab tells the newest first, unless it is asked otherwise.
    if call.query("sort") != Some("asc") {
        notes.reverse();
    }
    Reply::page(call, notes.into_iter().map(|note| memory.note_json(note, iid)).collect())
}

fn post(memory: &mut Memory, call: &Call, place: (&str, u64)) -> Reply {
    let Some(user) = memory.caller(call) else {
        return Reply::error(401, "401 Unauthorized");
    };
    let Some(body) = call.field("body") else {
        return Reply::error(400, "body is missing");
    };
    let (text, commands) = memory.obey(place, &body);
    if text.trim().is_empty() {
        let changes = json!({ "commands_changes": {}, "summary": [format!("{commands:?}")] });
        return Reply::changed(202, Some(changes));
    }
    let Ok(id) = memory.write(place, user, &text) else {
        return Reply::error(404, "404 Not found");
    };
    told(memory, place, id, "create", 201)
}

fn edit(memory: &mut Memory, call: &Call, place: (&str, u64), id: u64) -> Reply {
    if let Err(reply) = own(memory, call, place, id) {
        return reply;
    }
    let (text, _) = memory.obey(place, &call.field("body").unwrap_or_default());
    let now = memory.now();
    if let Ok(request) = memory.request_mut(place.0, place.1)
        && let Some(note) = request.notes.iter_mut().find(|note| note.id == id)
    {
        note.text = text;
        note.updated = now;
    }
    told(memory, place, id, "update", 200)
}

fn remove(memory: &mut Memory, call: &Call, place: (&str, u64), id: u64) -> Reply {
    if let Err(reply) = own(memory, call, place, id) {
        return reply;
    }
    if let Ok(request) = memory.request_mut(place.0, place.1) {
        request.notes.retain(|note| note.id != id);
    }
    Reply::changed(204, None)
}

/// Whether the note is the caller's, who may change no other.
fn own(memory: &Memory, call: &Call, (project, iid): (&str, u64), id: u64) -> Result<(), Reply> {
    let Some(user) = memory.caller(call) else {
        return Err(Reply::error(401, "401 Unauthorized"));
    };
    let note = memory
        .request(project, iid)
        .ok()
        .and_then(|(_, request)| request.notes.iter().find(|note| note.id == id));
    match note {
        Some(note) if note.author_id == user => Ok(()),
        Some(_) => Err(Reply::error(403, "403 Forbidden")),
        None => Err(Reply::error(404, "404 Note Not Found")),
    }
}

/// The answer, and the post that it causes.
fn told(memory: &mut Memory, place: (&str, u64), id: u64, action: &str, status: u16) -> Reply {
    let note = memory
        .request(place.0, place.1)
        .ok()
        .and_then(|(_, request)| request.notes.iter().find(|note| note.id == id).cloned());
    let Some(note) = note else {
        return Reply::error(404, "404 Note Not Found");
    };
    if let Ok(body) = memory.note_hook(place, note.author_id, (&note, action)) {
        memory.echo("Note Hook", body);
    }
    Reply::changed(status, Some(memory.note_json(&note, place.1)))
}

impl Memory {
    /// Does what lines that begin with a slash say, and takes them out of the text.
    fn obey(&mut self, (project, iid): (&str, u64), text: &str) -> (String, Vec<String>) {
        let mut kept = Vec::new();
        let mut commands = Vec::new();
        for line in text.lines() {
            let state = match line.split_whitespace().next() {
                Some("/close") => State::Closed,
                Some("/reopen") => State::Opened,
                Some("/merge") => State::Merged,
                _ => {
                    kept.push(line);
                    continue;
                }
            };
            commands.push(line.to_owned());
            if let Ok(request) = self.request_mut(project, iid) {
                request.state = state;
            }
        }
        (kept.join("\n"), commands)
    }
}
