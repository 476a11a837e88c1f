//! Which entries of a list are asked for.  As in LAVA, a filter that it does not know is ignored.

use super::Job;
use super::memory::{Kept, Memory};

/// What LAVA says where a filter has no such value.
pub(super) type NoChoice = String;

const STATES: [&str; 6] =
    ["Submitted", "Scheduling", "Scheduled", "Running", "Canceling", "Finished"];
const HEALTHS: [&str; 4] = ["Unknown", "Complete", "Incomplete", "Canceled"];

/// Whether `value` is one of `choices`, and the same as `own`.
fn chosen(own: &str, value: &str, choices: &[&str]) -> Result<bool, NoChoice> {
    if choices.contains(&value) {
        return Ok(own == value);
    }
    Err(format!("Select a valid choice. {value} is not one of the available choices: {choices:?}"))
}

/// Whether one of the values, separated by commas, is the same as `own`.
fn one_of(own: &str, values: &str, choices: &[&str]) -> Result<bool, NoChoice> {
    let mut is_one = false;
    for value in values.split(',') {
        is_one |= chosen(own, value, choices)?;
    }
    Ok(is_one)
}

pub(super) fn keeps_job(
    memory: &Memory,
    job: &Job,
    (key, value): (&str, &str),
) -> Result<bool, NoChoice> {
    let number = || value.parse::<u64>().unwrap_or_default();
    Ok(match key {
        "id" => job.id == number(),
        "id__gt" => job.id > number(),
        "id__lt" => job.id < number(),
        "submitter__username" => job.submitter == value,
        "requested_device_type" if !memory.device_types.contains(value) => {
            return Err("Select a valid choice. That choice is not one of the available \
                        choices."
                .to_owned());
        }
        "requested_device_type" | "requested_device_type__name" => job.device_type == value,
        "state" => chosen(job.state, value, &STATES)?,
        "state__in" => one_of(job.state, value, &STATES)?,
        "health" => chosen(job.health, value, &HEALTHS)?,
        "health__in" => one_of(job.health, value, &HEALTHS)?,
        "description" => job.description == value,
        "description__contains" => job.description.contains(value),
        "description__endswith" => job.description.ends_with(value),
        "definition__contains" => job.definition.contains(value),
        _ => true,
    })
}

pub(super) fn keeps_device(
    memory: &Memory,
    device: &Kept,
    (key, value): (&str, &str),
) -> Result<bool, NoChoice> {
    Ok(match key {
        "hostname" => device.of.hostname == value,
        "device_type" | "device_type__name" => device.of.device_type == value,
        "health" => device.of.health.eq_ignore_ascii_case(value),
        "state" => chosen(device.state(), value, &["Idle", "Reserved", "Running"])?,
        "tags__name" => device.of.tags.iter().any(|tag| tag == value),
        "worker_host__state" => {
            let is_online = memory.workers.get(&device.of.worker).copied().unwrap_or_default();
            is_online == (value == "Online")
        }
        _ => true,
    })
}

impl Kept {
    pub(super) fn state(&self) -> &'static str {
        if self.job.is_some() { "Running" } else { "Idle" }
    }
}
