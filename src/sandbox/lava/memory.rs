//! What the stand-in remembers, and how jobs get boards and end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::callback::Post;
use super::{Callback, Callbacks, Case, Device, Job, Outcome};
use crate::clock::Clock;

/// How many lines of the log of calls are kept.
const REQUESTS_MAX: usize = 20_000;

/// Everything that is known.
pub(super) struct Memory {
    /// The address that all others begin with.
    pub(super) base: String,
    pub(super) clock: Clock,
    /// Whose they are.
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) device_types: BTreeSet<String>,
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) devices: Vec<Kept>,
    /// Tags by name; their numbers.
    pub(super) tags: BTreeMap<String, u64>,
    /// Whether they are there.
    pub(super) workers: BTreeMap<String, bool>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) last_job: u64,
    pub(super) scripts: BTreeMap<String, VecDeque<Outcome>>,
    pub(super) automatic: Option<Duration>,
    pub(super) callbacks: Callbacks,
    pub(super) called_back: Vec<Callback>,
    pub(super) most_waiting: BTreeMap<String, usize>,
    pub(super) most_unfinished: BTreeMap<String, usize>,
    pub(super) requests: VecDeque<String>,
    /// What calls are answered with, by the end of their path.
    pub(super) answers: BTreeMap<String, (u16, String)>,
}

/// A board, as it is kept.
pub(super) struct Kept {
    pub(super) of: Device,
    /// The job that it runs.
    pub(super) job: Option<u64>,
}

impl Memory {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            base: String::new(),
            clock,
            tokens: BTreeMap::new(),
            device_types: BTreeSet::new(),
            aliases: BTreeMap::new(),
            devices: Vec::new(),
            tags: BTreeMap::new(),
            workers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            last_job: 0,
            scripts: BTreeMap::new(),
            automatic: None,
            callbacks: Callbacks::Sent,
            called_back: Vec::new(),
            most_waiting: BTreeMap::new(),
            most_unfinished: BTreeMap::new(),
            requests: VecDeque::new(),
            answers: BTreeMap::new(),
        }
    }

    pub(super) fn note_request(&mut self, line: String) {
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(line);
    }

    /// The number of a tag, made if there is none.
    pub(super) fn tag(&mut self, name: &str) -> u64 {
        let next = self.tags.len() as u64 + 1;
        *self.tags.entry(name.to_owned()).or_insert(next)
    }

    pub(super) fn add_device(&mut self, device: Device) {
        self.device_types.insert(device.device_type.clone());
        self.workers.entry(device.worker.clone()).or_insert(true);
        for tag in &device.tags {
            self.tag(tag);
        }
        self.devices.retain(|kept| kept.of.hostname != device.hostname);
        self.devices.push(Kept { of: device, job: None });
    }

    pub(super) fn device_mut(&mut self, hostname: &str) -> Option<&mut Kept> {
        self.devices.iter_mut().find(|kept| kept.of.hostname == hostname)
    }

    /// Whether a board can run something at all.
    pub(super) fn is_online(&self, device: &Device) -> bool {
        let is_healthy = matches!(device.health.as_str(), "Good" | "Unknown");
        is_healthy && self.workers.get(&device.worker).copied().unwrap_or_default()
    }

    /// Counts anew how much there is at once.
    pub(super) fn count(&mut self) {
        let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
        let mut unfinished: BTreeMap<&str, usize> = BTreeMap::new();
        for job in self.jobs.values().filter(|job| !job.is_finished()) {
            *unfinished.entry(&job.submitter).or_default() += 1;
            if job.is_waiting() {
                *waiting.entry(&job.device_type).or_default() += 1;
            }
        }
        for (now, most) in
            [(waiting, &mut self.most_waiting), (unfinished, &mut self.most_unfinished)]
        {
            for (name, count) in now {
                let most = most.entry(name.to_owned()).or_default();
                *most = count.max(*most);
            }
        }
    }

    /// Gives boards to all jobs that wait and can have one.
    pub(super) fn schedule(&mut self) -> Vec<u64> {
        let is_next = |job: &&Job| matches!(job.state, "Submitted" | "Scheduling" | "Scheduled");
        let waiting: Vec<u64> = self.jobs.values().filter(is_next).map(|job| job.id).collect();
        waiting.into_iter().filter(|id| self.begin(*id)).collect()
    }

    /// Begins a job on a board that is free.
    pub(super) fn begin(&mut self, id: u64) -> bool {
        let now = self.clock.now();
        let Some(job) = self.jobs.get(&id) else { return false };
        if !matches!(job.state, "Submitted" | "Scheduling" | "Scheduled") {
            return false;
        }
        let is_free = |kept: &Kept| {
            kept.job.is_none()
                && kept.of.device_type == job.device_type
                && self.is_online(&kept.of)
                && job.tags.iter().all(|tag| kept.of.tags.contains(tag))
        };
        let Some(place) = self.devices.iter().position(is_free) else { return false };
        let Some(device) = self.devices.get_mut(place) else { return false };
        device.job = Some(id);
        let hostname = device.of.hostname.clone();
        if let Some(job) = self.jobs.get_mut(&id) {
            job.state = "Running";
            job.started = Some(now);
            job.device = Some(hostname);
        }
        true
    }

    pub(super) fn set_waiting_state(&mut self, id: u64, state: &'static str) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        let is_waiting = matches!(job.state, "Submitted" | "Scheduling" | "Scheduled");
        if is_waiting {
            job.state = state;
        }
        is_waiting
    }

    /// The jobs that run, or are being stopped.
    pub(super) fn running(&self) -> Vec<u64> {
        let is_on = |job: &&Job| matches!(job.state, "Running" | "Canceling");
        let on = self.jobs.values().filter(is_on).filter(|job| job.decided.is_none());
        on.map(|job| job.id).collect()
    }

    /// How a job that runs ends by the script.
    pub(super) fn scripted(&mut self, id: u64) -> Option<Outcome> {
        let job = self.jobs.get(&id).filter(|job| job.decided.is_none())?;
        match job.state {
            "Canceling" => return Some(Outcome::Canceled),
            "Running" => {}
            _ => return None,
        }
        let script = self.scripts.entry(job.device_type.clone()).or_default();
        let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        Some(next.unwrap_or_else(|| Outcome::passes(&["smoke/boot"])))
    }

    /// Asks for a job to be stopped; whether it ends at once.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        match job.state {
            "Running" => {
                job.state = "Canceling";
                false
            }
            "Submitted" | "Scheduling" | "Scheduled" => true,
            _ => false,
        }
    }

    /// Decides how a job ends, which REST does not know yet: what is to be sent because of it.
    pub(super) fn decide(&mut self, id: u64, outcome: Outcome) -> Option<Vec<Post>> {
        let job = self.jobs.get_mut(&id)?;
        if job.is_finished() || job.decided.is_some() {
            return None;
        }
        job.decided = Some(outcome);
        let job = self.jobs.get(&id)?;
        Some(super::callback::posts(job, self.callbacks))
    }

    /// Makes the end of a job known.
    pub(super) fn commit(&mut self, id: u64) -> bool {
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        let Some(outcome) = job.decided.take() else { return false };
        job.state = "Finished";
        job.ended = Some(now);
        job.health = health(&outcome);
        let mut has_broken = false;
        match outcome {
            Outcome::Complete(cases) => {
                job.cases = vec![Case::new("lava/validate", "pass")];
                job.cases.extend(cases);
                job.cases.push(Case::new("lava/job", "pass"));
            }
            Outcome::Incomplete { cases, error_type, error_msg, is_comment } => {
                has_broken = error_type == "Infrastructure";
                job.failure_comment = is_comment.then(|| error_msg.clone());
                let words = serde_json::Value::from(error_msg);
                let metadata = format!(
                    "case: job\ndefinition: lava\nerror_msg: {words}\nerror_type: {error_type}\n\
                     result: fail\n"
                );
                let own = Case { metadata: Some(metadata), ..Case::new("lava/job", "fail") };
                job.cases = vec![Case::new("lava/validate", "pass")];
                job.cases.extend(cases);
                job.cases.extend([Case::new("lava/boot-action", "fail"), own]);
            }
            Outcome::Canceled | Outcome::Unknown => {}
        }
        if let Some(device) = self.devices.iter_mut().find(|kept| kept.job == Some(id)) {
            device.job = None;
            if has_broken && device.of.health == "Good" {
                "Unknown".clone_into(&mut device.of.health);
            }
        }
        true
    }

    pub(super) fn note_callback(&mut self, post: Post, status: Option<u16>) {
        self.called_back.push(Callback { status, ..post.of });
    }
}

/// What REST says of a job that ended so.
pub(super) fn health(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Complete(_) => "Complete",
        Outcome::Incomplete { .. } => "Incomplete",
        Outcome::Canceled => "Canceled",
        Outcome::Unknown => "Unknown",
    }
}
