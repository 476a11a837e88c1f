//! The queue of a stand-in Jenkins: what waits, for what, and what became of it.

use jiff::Timestamp;

use super::Automatic;
use super::memory::{Build, Cause, Given, KEPT_MAX, Memory};
use super::notifier::Phase;

/// An entry of the queue.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) id: u64,
    pub(super) job: String,
    pub(super) given: Vec<Given>,
    pub(super) cause: Cause,
    pub(super) since: Timestamp,
    pub(super) fate: Fate,
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fate {
    Waits,
    Left(u64),
    Cancelled,
}

/// For what an entry waits.
pub(super) enum Wait {
    Quiet,
    Shutdown,
    Blocked(u64),
    Stuck(String),
}

/// What became of the wish to cancel an entry.
pub(super) enum Cancelling {
    Done,
    TooLate,
    Unknown,
}

impl Item {
    /// The entry that a build once was.
    pub(super) fn of_build(job: &str, build: &Build) -> Self {
        Self {
            id: build.queue_id,
            job: job.to_owned(),
            given: build.given.clone(),
            cause: build.cause.clone(),
            since: build.begun,
            fate: Fate::Left(build.number),
        }
    }
}

impl Memory {
    /// Takes an order; the entry of the queue, and whether it was there already.
    pub(super) fn enqueue(&mut self, job: &str, given: Vec<Given>, cause: Cause) -> (u64, bool) {
        self.note_asked(job, &given);
        let mut waiting = self.items.values();
        let twin =
            waiting.find(|item| item.fate == Fate::Waits && item.job == job && item.given == given);
        if let Some(twin) = twin {
            return (twin.id, true);
        }
        if self.items.len() >= KEPT_MAX {
            self.forget_left_items();
        }
        self.last_item += 1;
        let item = Item {
            id: self.last_item,
            job: job.to_owned(),
            given,
            cause,
            since: self.clock.now(),
            fate: Fate::Waits,
        };
        self.tell(Phase::Queued, job, None, &item);
        self.items.insert(item.id, item);
        let id = self.last_item;
        if !matches!(self.automatic, Automatic::Nothing) {
            self.begin_oldest(job);
        }
        (id, false)
    }

    /// Begins the build of `job` that has waited longest, if nothing is in its way.
    pub(super) fn begin_oldest(&mut self, job: &str) -> Option<u64> {
        let mut items = self.items.values();
        let item = items.find(|item| item.fate == Fate::Waits && item.job == job)?;
        let item = item.clone();
        match self.wait(&item) {
            Wait::Quiet => {}
            Wait::Shutdown | Wait::Blocked(_) | Wait::Stuck(_) => return None,
        }
        // It leaves first: a build that ends at once begins the next one.
        let number = self.jobs.get(job)?.last_number + 1;
        if let Some(item) = self.items.get_mut(&item.id) {
            item.fate = Fate::Left(number);
        }
        self.add_build(&item)
    }

    /// Begins what nothing keeps waiting any more, if builds begin by themselves.
    pub(super) fn begin_all(&mut self) {
        if matches!(self.automatic, Automatic::Nothing) {
            return;
        }
        let jobs: Vec<String> = self.jobs.keys().cloned().collect();
        for job in jobs {
            while self.begin_oldest(&job).is_some() {}
        }
    }

    /// For what an entry waits.
    pub(super) fn wait(&self, item: &Item) -> Wait {
        if self.is_quiet {
            return Wait::Shutdown;
        }
        if let Some(number) = self.in_the_way(&item.job) {
            return Wait::Blocked(number);
        }
        let job = self.jobs.get(&item.job);
        match job.and_then(|job| job.spec.label.clone()) {
            Some(label) => Wait::Stuck(label),
            None => Wait::Quiet,
        }
    }

    pub(super) fn cancel(&mut self, id: u64) -> Cancelling {
        match self.items.get_mut(&id) {
            Some(item) if item.fate == Fate::Waits => {
                item.fate = Fate::Cancelled;
                Cancelling::Done
            }
            Some(_) => Cancelling::TooLate,
            None => Cancelling::Unknown,
        }
    }

    pub(super) fn waiting(&self) -> Vec<u64> {
        let items = self.items.values();
        let waiting = items.filter(|item| item.fate == Fate::Waits);
        waiting.map(|item| item.id).collect()
    }

    pub(super) fn forget_left_items(&mut self) {
        self.items.retain(|_, item| item.fate == Fate::Waits);
    }
}
