//! The lists of the API, page by page.

use serde_json::{Value, json};

use super::api::{Call, Reply};
use super::filter::{self, NoChoice};
use super::memory::Memory;
use super::{Job, shape};

/// How many entries a page has, where the caller does not say.
const LIMIT: usize = 50;

/// One page of a list.
fn page<T>(memory: &Memory, call: &Call, all: Vec<T>, show: impl Fn(T) -> Value) -> Reply {
    let number = |key: &str| call.query(key).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(LIMIT);
    let offset = number("offset").unwrap_or_default();
    let count = all.len();
    let link =
        |offset: usize| format!("{}{}?limit={limit}&offset={offset}", memory.base, call.path());
    let next = offset.saturating_add(limit);
    let entries: Vec<Value> = all.into_iter().skip(offset).take(limit).map(show).collect();
    Reply::ok(json!({
        "count": count,
        "next": (next < count).then(|| link(next)),
        "previous": (offset > 0).then(|| link(offset.saturating_sub(limit))),
        "results": entries,
    }))
}

/// The entries that every part of the query keeps.
fn kept<T>(
    all: impl Iterator<Item = T>,
    call: &Call,
    keeps: impl Fn(&T, (&str, &str)) -> Result<bool, NoChoice>,
) -> Result<Vec<T>, NoChoice> {
    let mut found = Vec::new();
    for entry in all {
        let mut is_kept = true;
        for (key, value) in call.queries() {
            is_kept &= keeps(&entry, (key, value))?;
        }
        if is_kept {
            found.push(entry);
        }
    }
    Ok(found)
}

fn answer<T>(
    memory: &Memory,
    call: &Call,
    found: Result<Vec<T>, NoChoice>,
    show: impl Fn(T) -> Value,
) -> Reply {
    match found {
        Ok(found) => page(memory, call, found, show),
        Err(words) => Reply::json(400, json!([words])),
    }
}

/// The jobs that the caller may see.
pub(super) fn jobs(memory: &Memory, call: &Call) -> Reply {
    let seen = memory.jobs.values().filter(|job| call.may_see(job));
    let mut found = kept(seen, call, |job, part| filter::keeps_job(memory, job, part));
    if let (Ok(found), Some(order)) = (&mut found, call.query("ordering"))
        && order.starts_with('-')
    {
        found.reverse();
    }
    answer(memory, call, found, |job| memory.job_json(job))
}

/// The boards; those that are retired only where all are asked for.
pub(super) fn devices(memory: &Memory, call: &Call) -> Reply {
    let wants_all = call.query("all").is_some();
    let seen = memory.devices.iter().filter(|kept| wants_all || kept.of.health != "Retired");
    let found = kept(seen, call, |device, part| filter::keeps_device(memory, device, part));
    answer(memory, call, found, |device| memory.device_json(device))
}

pub(super) fn device_types(memory: &Memory, call: &Call) -> Reply {
    let all = memory.device_types.iter().collect();
    page(memory, call, all, |name: &String| shape::device_type_json(name))
}

pub(super) fn tags(memory: &Memory, call: &Call) -> Reply {
    let tag = |(name, id): (&String, &u64)| json!({ "id": id, "name": name, "description": null });
    page(memory, call, memory.tags.iter().collect(), tag)
}

pub(super) fn workers(memory: &Memory, call: &Call) -> Reply {
    let worker = |(name, online): (&String, &bool)| shape::worker_json(name, *online);
    page(memory, call, memory.workers.iter().collect(), worker)
}

/// The suites of a job.
pub(super) fn suites(memory: &Memory, call: &Call, job: &Job) -> Reply {
    let named = |name: &str| call.query("name").is_none_or(|wanted| wanted == name);
    let all = shape::suites(job).into_iter().enumerate().filter(|(_, name)| named(name));
    page(memory, call, all.collect(), |suite| memory.suite_json(job, suite))
}

/// The results of a job, or of one suite of it.
pub(super) fn tests(memory: &Memory, call: &Call, (job, suite): (&Job, Option<&str>)) -> Reply {
    let number = |key: &str| call.query(key).and_then(|text| text.parse::<u64>().ok());
    let after = number("id__gt").unwrap_or_default();
    let suites = shape::suites(job);
    let is_number = |(at, _): &(usize, &&str)| {
        suite.is_some_and(|suite| shape::number(job, *at).to_string() == suite)
    };
    let of = suites.iter().enumerate().find(is_number).map(|(_, name)| *name);
    let all = job.cases.iter().enumerate().filter(|(at, case)| {
        let is_result = call.query("result").is_none_or(|wanted| wanted == case.result);
        let is_suite = call.query("suite__name").is_none_or(|wanted| wanted == case.suite);
        let of_suite = suite.is_none() || of == Some(case.suite.as_str());
        is_result && is_suite && of_suite && shape::number(job, *at) > after
    });
    page(memory, call, all.collect(), |case| memory.case_json((job, &suites), case))
}
