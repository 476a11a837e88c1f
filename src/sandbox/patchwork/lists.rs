//! The stand-in's lists: filters, order and pages.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::api::{Call, Reply, number};
use super::memory::{Event, Memory, date};

/// How many entries of a list are given at once when nobody says.
const PAGE: usize = 30;
/// What events can be filtered by; those of comments since version 1.3.
const CATEGORIES: [&str; 9] = [
    "cover-created",
    "patch-created",
    "patch-completed",
    "patch-state-changed",
    "patch-delegated",
    "patch-relation-changed",
    "check-created",
    "series-created",
    "series-completed",
];
const COMMENT_CATEGORIES: [&str; 2] = ["cover-comment-created", "patch-comment-created"];

pub(super) fn events(memory: &Memory, call: &Call, version: &str) -> Result<Reply, Reply> {
    let knows_comments = version == "1.3";
    let category = call.last("category");
    let is_known = |wanted: &str| {
        CATEGORIES.contains(&wanted) || (knows_comments && COMMENT_CATEGORIES.contains(&wanted))
    };
    // A filter that cannot be met is no error: it finds nothing.
    if !category.is_none_or(is_known) || !are_projects(memory, call) {
        return page(memory, call, Vec::new());
    }
    let is_wanted = |event: &&Event| {
        category.is_none_or(|wanted| event.category == wanted)
            && (knows_comments || !COMMENT_CATEGORIES.contains(&event.category))
            && is_in_project(call, &event.project)
            && call.last("since").is_none_or(|since| event.date.as_str() >= since)
            && call.last("before").is_none_or(|before| event.date.as_str() < before)
    };
    let mut found: Vec<&Event> = memory.events.iter().filter(is_wanted).collect();
    // Entries of one date come in any order.
    match call.last("order") {
        Some("date") => found.sort_by(|one, other| one.date.cmp(&other.date)),
        Some(_) | None => found.sort_by(|one, other| other.date.cmp(&one.date)),
    }
    page(memory, call, found.into_iter().map(|event| memory.event_json(event)).collect())
}

pub(super) fn series(memory: &Memory, call: &Call) -> Result<Reply, Reply> {
    if !are_projects(memory, call) {
        return page(memory, call, Vec::new());
    }
    let mut found: Vec<_> = memory
        .series
        .iter()
        .filter(|(_, series)| is_in_project(call, &series.project))
        .map(|(id, series)| (date(series.date), *id))
        .filter(|(date, _)| call.last("since").is_none_or(|since| date.as_str() >= since))
        .collect();
    match call.last("order") {
        Some("date") => found.sort(),
        Some("-date") => found.sort_by(|one, other| other.cmp(one)),
        Some(_) | None => found.sort_by_key(|(_, id)| *id),
    }
    page(memory, call, found.into_iter().filter_map(|(_, id)| memory.series_json(id)).collect())
}

pub(super) fn patches(memory: &Memory, call: &Call) -> Result<Reply, Reply> {
    let wanted: Vec<Option<u64>> = call.all("series").into_iter().map(number).collect();
    let is_known = |id: &Option<u64>| id.is_some_and(|id| memory.series.contains_key(&id));
    if !wanted.iter().all(is_known) {
        return page(memory, call, Vec::new());
    }
    let found = memory.patches.iter().filter(|(id, patch)| {
        !memory.held.contains(id) && (wanted.is_empty() || wanted.contains(&patch.series))
    });
    page(memory, call, found.map(|(id, patch)| memory.listed_json(*id, patch)).collect())
}

pub(super) fn projects(memory: &Memory, call: &Call) -> Result<Reply, Reply> {
    let found = memory.projects.keys().filter_map(|name| memory.project_json(name));
    page(memory, call, found.collect())
}

pub(super) fn users(memory: &Memory, call: &Call) -> Result<Reply, Reply> {
    let wanted = call.last("q").unwrap_or_default();
    let found = memory.users.iter().filter(|(_, user)| user.username.contains(wanted));
    page(memory, call, found.map(|(id, _)| memory.user_json(*id)).collect())
}

pub(super) fn checks(memory: &Memory, call: &Call, patch: u64) -> Result<Reply, Reply> {
    let checks = memory.checks.get(&patch).into_iter().flatten();
    page(memory, call, checks.map(|check| memory.check_json(patch, check)).collect())
}

/// Whether every project that is asked for is there, by name in any case or by number.
fn are_projects(memory: &Memory, call: &Call) -> bool {
    call.all("project").iter().all(|wanted| {
        memory.projects.iter().any(|(name, project)| {
            name.eq_ignore_ascii_case(wanted) || number(wanted) == Some(project.id)
        })
    })
}

fn is_in_project(call: &Call, project: &str) -> bool {
    let wanted = call.all("project");
    wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(project))
}

/// One page of a list, and where the next one is.
fn page(memory: &Memory, call: &Call, all: Vec<Value>) -> Result<Reply, Reply> {
    let wanted = |name: &str| call.last(name).and_then(|text| text.parse::<usize>().ok());
    let size = wanted("per_page").filter(|size| *size > 0).unwrap_or(PAGE).min(memory.page_max);
    let number = wanted("page").unwrap_or(1);
    let from = number.saturating_sub(1).saturating_mul(size);
    if number == 0 || (number > 1 && from >= all.len()) {
        return Err(Reply::error(404, "Invalid page."));
    }
    let rest = all.len().saturating_sub(from);
    let link = |page: usize, relation: &str| {
        let base = memory.link_base.as_ref().unwrap_or(&memory.base);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(call.query.iter().filter(|(key, _)| key != "page"));
        query.append_pair("page", &page.to_string());
        format!("<{base}{}?{}>; rel=\"{relation}\"", call.raw_path, query.finish())
    };
    let next = (rest > size).then(|| link(number.saturating_add(1), "next"));
    let previous = (number > 1).then(|| link(number.saturating_sub(1), "prev"));
    let links: Vec<String> = next.into_iter().chain(previous).collect();
    let entries: Vec<Value> = all.into_iter().skip(from).take(size).collect();
    let reply = Reply::ok(&json!(entries));
    Ok(Reply { link: (!links.is_empty()).then(|| links.join(", ")), ..reply })
}
