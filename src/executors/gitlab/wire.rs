//! What GitLab tells of pipelines and jobs, and what we make of it.

use serde::Deserialize;

use crate::executors::BuildState;
use crate::executors::ended;
use crate::neutral;
use crate::subject::Verdict;

/// How many names and how many addresses of failed jobs a reason has.
const NAMES_MAX: usize = 5;
const ADDRESSES_MAX: usize = 3;
/// How long the name of a job in a reason may be, in characters.
const NAME_MAX_CHARS: usize = 60;
/// How long GitLab's own words in a reason may be, in characters.
const WORDS_MAX_CHARS: usize = 200;

/// Why a job failed, as GitLab names it, where that says nothing of what was built: nobody ran
/// it, or not to its end.
///
/// `stuck_or_timeout_failure` was divided into others later; `job_execution_timeout` is none of
/// these, for a test that hangs is a test that fails.
const FAULTS_OF_OTHERS: &[&str] = &[
    "api_failure",
    "archived_failure",
    "builds_disabled",
    "ci_quota_exceeded",
    "data_integrity_failure",
    "deployment_rejected",
    "downstream_bridge_project_not_found",
    "downstream_pipeline_creation_failed",
    "environment_creation_failure",
    "failed_outdated_deployment_job",
    "forward_deployment_failure",
    "insufficient_bridge_permissions",
    "insufficient_upstream_permissions",
    "invalid_bridge_trigger",
    "ip_restriction_failure",
    "job_router_failure",
    "job_token_expired",
    "missing_dependency_failure",
    "no_matching_runner",
    "no_updates_canceling",
    "no_updates_running",
    "pipeline_loop_detected",
    "project_deleted",
    "protected_environment_failure",
    "reached_downstream_pipeline_trigger_rate_limit",
    "reached_max_descendant_pipelines_depth",
    "reached_max_pipeline_hierarchy_size",
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "runner_system_failure",
    "runner_unsupported",
    "scheduler_failure",
    "secrets_provider_not_found",
    "stale_schedule",
    "stuck_or_timeout_failure",
    "stuck_pending_no_matching_runners",
    "stuck_pending_with_matching_runners",
    "unmet_prerequisites",
    "upstream_bridge_project_not_found",
    "user_blocked",
];

/// A pipeline.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pipeline {
    pub(super) id: u64,
    pub(super) sha: String,
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) status: String,
    /// How it was started: `api`, `trigger`, `push` and others; old versions do not tell.
    #[serde(default)]
    pub(super) source: Option<String>,
    /// What is wrong with its configuration.
    #[serde(default)]
    pub(super) yaml_errors: Option<String>,
}

/// A variable that a pipeline was started with.
#[derive(Deserialize)]
pub(super) struct Variable {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// A job of a pipeline, or one that starts another pipeline.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) stage: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) allow_failure: bool,
    #[serde(default)]
    pub(super) failure_reason: Option<String>,
}

/// A branch or a tag.
#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) commit: Commit,
}

/// A commit.
#[derive(Deserialize)]
pub(super) struct Commit {
    pub(super) id: String,
}

/// What a status says of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes on.
    Open(BuildState),
    /// All is well.
    Passed,
    /// It ended badly, or was stopped: its jobs tell.
    Broken,
    /// There was nothing to do.
    Skipped,
    /// GitLab has invented a new status.
    Unknown,
}

impl Pipeline {
    pub(super) fn standing(&self) -> Standing {
        let waits = |why: &str| Standing::Open(BuildState::Queued(Some(why.to_owned())));
        match self.status.as_str() {
            "created" | "preparing" | "pending" => Standing::Open(BuildState::Queued(None)),
            "waiting_for_resource" | "waiting_for_callback" => waits("it waits for its turn"),
            "scheduled" => waits("a job of it waits for its time"),
            "manual" => waits("it waits for somebody to start a job of it"),
            "running" | "canceling" => Standing::Open(BuildState::Running),
            "success" => Standing::Passed,
            "failed" | "canceled" => Standing::Broken,
            "skipped" => Standing::Skipped,
            _ => Standing::Unknown,
        }
    }
}

impl Job {
    pub(super) fn has_failed(&self) -> bool {
        self.status == "failed" && !self.allow_failure
    }

    pub(super) fn is_fault_of_others(&self) -> bool {
        self.failure_reason.as_deref().is_some_and(|reason| FAULTS_OF_OTHERS.contains(&reason))
    }

    pub(super) fn has_ended(&self) -> bool {
        let is_optional = self.status == "manual" && self.allow_failure;
        is_optional || matches!(self.status.as_str(), "success" | "failed" | "canceled" | "skipped")
    }

    /// Its name, and why it failed where that is not its own fault.
    fn called(&self) -> String {
        let name = plain(&self.name, NAME_MAX_CHARS);
        match &self.failure_reason {
            Some(reason) if reason != "script_failure" => {
                format!("{name} ({})", plain(reason, NAME_MAX_CHARS))
            }
            Some(_) | None => name,
        }
    }

    /// Whether it is the job that tells us of the end, and waits for nothing else.
    pub(super) fn is_reporting(&self) -> bool {
        self.name == ended::JOB && self.stage == ended::STAGE
    }
}

/// How the jobs of a pipeline that have ended count, and which of them are to blame.
pub(super) fn verdict(jobs: &[Job]) -> (Verdict, Vec<&Job>) {
    let counted: Vec<&Job> = jobs.iter().filter(|job| !job.is_reporting()).collect();
    let failed: Vec<&Job> = counted.iter().copied().filter(|job| job.has_failed()).collect();
    if !failed.is_empty() {
        let is_real = failed.iter().any(|job| !job.is_fault_of_others());
        return (if is_real { Verdict::Failure } else { Verdict::Error }, failed);
    }
    if counted.iter().any(|job| job.status == "canceled" && !job.allow_failure) {
        return (Verdict::Cancelled, Vec::new());
    }
    let is_idle = |job: &&Job| matches!(job.status.as_str(), "skipped" | "manual");
    let verdict = if counted.iter().all(is_idle) { Verdict::Skipped } else { Verdict::Success };
    (verdict, Vec::new())
}

/// Which jobs are to blame, in one line that is not endless; `address` makes the one of a job.
pub(super) fn blame(failed: &[&Job], address: impl Fn(&Job) -> String) -> Option<String> {
    if failed.is_empty() {
        return None;
    }
    let mut names: Vec<String> = failed.iter().take(NAMES_MAX).map(|job| job.called()).collect();
    let others = failed.len().saturating_sub(NAMES_MAX);
    if others > 0 {
        names.push(format!("{others} more"));
    }
    let addresses = failed.iter().take(ADDRESSES_MAX).map(|job| address(job));
    let addresses: Vec<String> = addresses.collect();
    Some(format!("failed: {}; see {}", names.join(", "), addresses.join(" ")))
}

/// GitLab's own words, in one line that is not endless.
pub(super) fn words(text: &str) -> String {
    plain(text, WORDS_MAX_CHARS)
}

fn plain(text: &str, max_chars: usize) -> String {
    let text = neutral::plain(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(max_chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, status: &str, reason: Option<&str>) -> Job {
        Job {
            id: 7,
            name: name.to_owned(),
            stage: "test".to_owned(),
            status: status.to_owned(),
            allow_failure: false,
            failure_reason: reason.map(str::to_owned),
        }
    }

    fn standing(status: &str) -> Standing {
        let pipeline = serde_json::json!({
            "id": 1, "sha": "a1", "ref": "main", "status": status,
        });
        serde_json::from_value::<Pipeline>(pipeline).unwrap().standing()
    }

    #[test]
    fn every_status_means_something() {
        for status in ["created", "preparing", "pending"] {
            assert_eq!(standing(status), Standing::Open(BuildState::Queued(None)), "{status}");
        }
        for status in ["waiting_for_resource", "waiting_for_callback", "scheduled", "manual"] {
            let Standing::Open(BuildState::Queued(Some(why))) = standing(status) else {
                panic!("{status} does not wait for something");
            };
            assert!(!why.is_empty());
        }
        for status in ["running", "canceling"] {
            assert_eq!(standing(status), Standing::Open(BuildState::Running), "{status}");
        }
        assert_eq!(standing("success"), Standing::Passed);
        assert_eq!(standing("failed"), Standing::Broken);
        assert_eq!(standing("canceled"), Standing::Broken);
        assert_eq!(standing("skipped"), Standing::Skipped);
        assert_eq!(standing("pondering"), Standing::Unknown);
    }

    #[test]
    fn a_runner_that_broke_is_no_failure_of_the_change() {
        let of = |jobs: &[Job]| verdict(jobs).0;
        let broke = job("asan", "failed", Some("runner_system_failure"));
        let stuck = job("ubsan", "failed", Some("stuck_pending_no_matching_runners"));
        let failed = job("unit", "failed", Some("script_failure"));
        let hangs = job("unit", "failed", Some("job_execution_timeout"));
        assert_eq!(of(&[broke.clone(), stuck.clone()]), Verdict::Error);
        assert_eq!(of(&[broke.clone(), failed.clone()]), Verdict::Failure);
        assert_eq!(of(&[hangs]), Verdict::Failure);
        assert_eq!(of(&[job("unit", "failed", None)]), Verdict::Failure);
        let allowed = Job { allow_failure: true, ..failed };
        assert_eq!(of(&[allowed.clone(), job("unit", "success", None)]), Verdict::Success);
        assert_eq!(of(&[allowed, job("unit", "canceled", None)]), Verdict::Cancelled);
        assert_eq!(of(&[job("unit", "skipped", None)]), Verdict::Skipped);
    }

    #[test]
    fn what_is_no_fault_of_the_change_is_none_in_webhooks_either() {
        let topic = include_str!("../../../topics/gitlab/pipeline.finished.toml");
        for reason in FAULTS_OF_OTHERS {
            assert!(topic.contains(&format!("'{reason}'")), "{reason}");
        }
    }

    #[test]
    fn the_job_that_tells_of_the_end_does_not_count() {
        let report = Job { stage: ended::STAGE.to_owned(), ..job(ended::JOB, "failed", None) };
        assert_eq!(verdict(&[report.clone(), job("unit", "success", None)]).0, Verdict::Success);
        // Only where nothing can run behind it.
        let early = Job { stage: "test".to_owned(), ..report };
        assert_eq!(verdict(&[early, job("unit", "success", None)]).0, Verdict::Failure);
    }

    #[test]
    fn the_blame_is_short_and_of_one_line() {
        let jobs: Vec<Job> = (0..8)
            .map(|n| job(&format!("t{n}\n\u{1b}[31m{}", "x".repeat(90)), "failed", None))
            .collect();
        let all: Vec<&Job> = jobs.iter().collect();
        let text = blame(&all, |job| format!("https://forge.example/-/jobs/{}", job.id)).unwrap();
        assert!(text.chars().count() < 500, "{text}");
        assert!(text.contains("3 more") && !text.contains(['\n', '\u{1b}']), "{text}");
        let one = [job("asan", "failed", Some("runner_system_failure"))];
        let all: Vec<&Job> = one.iter().collect();
        insta::assert_snapshot!(
            blame(&all, |job| format!("https://forge.example/-/jobs/{}", job.id)).unwrap(),
            @"failed: asan (runner_system_failure); see https://forge.example/-/jobs/7"
        );
        assert_eq!(blame(&[], |_| String::new()), None);
    }
}
