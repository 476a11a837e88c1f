//! The stand-in's answers, field by field as LAVA writes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::memory::{Kept, Memory};
use super::{Case, Job};

/// How far the numbers of the results of one job are from those of the next.
const PER_JOB: u64 = 1_000_000;

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl Memory {
    pub(super) fn job_json(&self, job: &Job) -> Value {
        let tags = job.tags.iter().filter_map(|tag| self.tags.get(tag));
        json!({
            "id": job.id,
            "submitter": job.submitter,
            "viewing_groups": [],
            "description": job.description,
            "health_check": false,
            "requested_device_type": job.device_type,
            "tags": tags.collect::<Vec<_>>(),
            "actual_device": job.device,
            "submit_time": date(job.submitted),
            "start_time": job.started.map(date),
            "end_time": job.ended.map(date),
            "state": job.state,
            "health": job.health,
            "priority": 50,
            "definition": job.definition,
            "original_definition": job.original_definition,
            "multinode_definition": if job.sub_id.is_some() { &job.original_definition } else { "" },
            "failure_tags": [],
            "failure_comment": job.failure_comment,
        })
    }

    /// Tags are told by their numbers.
    pub(super) fn device_json(&self, device: &Kept) -> Value {
        let tags = device.of.tags.iter().filter_map(|tag| self.tags.get(tag));
        json!({
            "hostname": device.of.hostname,
            "device_type": device.of.device_type,
            "device_version": null,
            "physical_owner": null,
            "physical_group": null,
            "description": null,
            "tags": tags.collect::<Vec<_>>(),
            "state": device.state(),
            "health": device.of.health,
            "last_health_report_job": null,
            "worker_host": device.of.worker,
            "is_synced": false,
        })
    }

    pub(super) fn suite_json(&self, job: &Job, (at, name): (usize, &str)) -> Value {
        let id = number(job, at);
        json!({
            "id": id,
            "resource_uri": format!("{}/api/v0.2/jobs/{}/suites/{id}/", self.base, job.id),
            "name": name,
            "job": job.id,
        })
    }

    pub(super) fn case_json(
        &self,
        (job, suites): (&Job, &[&str]),
        (at, case): (usize, &Case),
    ) -> Value {
        let suite = suites.iter().position(|name| *name == case.suite).unwrap_or_default();
        let (id, suite) = (number(job, at), number(job, suite));
        let uri = format!("{}/api/v0.2/jobs/{}/suites/{suite}/tests/{id}/", self.base, job.id);
        json!({
            "id": id,
            "result": case.result,
            "resource_uri": uri,
            "unit": "",
            "name": case.name,
            "measurement": null,
            "metadata": case.metadata,
            "start_log_line": null,
            "end_log_line": null,
            "logged": date(job.ended.unwrap_or(job.submitted)),
            "suite": suite,
            "test_set": null,
        })
    }
}

/// The suites of a job, in the order of their first results.
pub(super) fn suites(job: &Job) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for case in &job.cases {
        if !names.contains(&case.suite.as_str()) {
            names.push(&case.suite);
        }
    }
    names
}

/// The number of the entry at this place.
pub(super) fn number(job: &Job, at: usize) -> u64 {
    job.id * PER_JOB + at as u64 + 1
}

pub(super) fn device_type_json(name: &str) -> Value {
    json!({
        "name": name, "architecture": null, "processor": null, "cpu_model": null, "aliases": [],
        "bits": null, "cores": [], "core_count": null, "description": null,
        "health_frequency": 24, "disable_health_check": false, "health_denominator": "hours",
        "display": true,
    })
}

pub(super) fn worker_json(name: &str, is_online: bool) -> Value {
    json!({
        "hostname": name,
        "health": "Active",
        "state": if is_online { "Online" } else { "Offline" },
        "description": null,
        "last_ping": null,
        "job_limit": 0,
        "version": "2023.01",
    })
}
