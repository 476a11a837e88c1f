//! Whether there is room for one more job.
//!
//! LAVA takes whatever it is given, and lets it wait.  Who gives it thousands of jobs at once has
//! others wait behind them for days, so we keep to limits, and to what LAVA says of its queue
//! whenever we look at it: what others submit counts, and so does what is of an answer that was
//! lost.  Jobs that our user may not see do not count; jobs of ours are all those of our user.

use anyhow::anyhow;

use super::Lava;
use super::wire::{self, Job, Page};
use crate::remote::Failure;

/// The jobs that no board was found for yet.
const WAITING: &str = "Submitted,Scheduling";
/// The jobs that have not ended.
const UNFINISHED: &str = "Submitted,Scheduling,Scheduled,Running,Canceling";

impl Lava {
    /// Why a job for this kind of board cannot be submitted now.
    ///
    /// Where no board of the kind is known there is nothing to be said here: LAVA refuses it, in
    /// its own words, or knows it by another name.
    pub(super) async fn no_room(&self, kind: &str) -> Result<Option<String>, Failure> {
        let shown = wire::words(kind);
        let own = self.client.own().await?;
        let query = [("submitter__username", own), ("state__in", UNFINISHED)];
        let unfinished = self.count(&query, |job| job.is_by(own)).await?;
        if unfinished >= self.jobs_max {
            return Ok(Some(format!("{unfinished} of our jobs have not ended")));
        }
        let boards = self.boards_by(&[("device_type__name", kind)]).await?;
        let is_other = |kind_of: Option<&str>| kind_of.is_some_and(|of| of != kind);
        if boards.online.iter().any(|board| is_other(board.kind.as_deref())) {
            return Err(self.unfiltered("boards"));
        }
        if boards.known == 0 {
            return Ok(None);
        }
        let online = boards.online.len() as u64;
        if online == 0 {
            return Ok(Some(format!("none of the {} `{shown}` is online", boards.known)));
        }
        let query = [("requested_device_type__name", kind), ("state__in", WAITING)];
        let is_for = |job: &Job| !is_other(job.requested_device_type.as_deref());
        let waiting = self.count(&query, is_for).await?;
        let is_full = waiting >= self.queue_depth.saturating_mul(online);
        let wait = if waiting == 1 { "job waits" } else { "jobs wait" };
        Ok(is_full.then(|| format!("{waiting} {wait} for `{shown}` ({online} online)")))
    }

    /// How many jobs `query` selects; `is_one` says whether a job may be one of them.
    async fn count(
        &self,
        query: &[(&str, &str)],
        is_one: impl Fn(&Job) -> bool,
    ) -> Result<u64, Failure> {
        let what = self.what("count the jobs on");
        let query = [query, &[("limit", "1")]].concat();
        let page: Page<Job> = self.client.get((&["jobs"], &query), &what).await?;
        // A filter that it does not know it ignores, and would seem to be full for ever.
        let states = query.iter().find(|(key, _)| *key == "state__in").map(|(_, states)| *states);
        let is_selected = |job: &Job| {
            let is_state = |states: &str| states.split(',').any(|state| state == job.state);
            states.is_none_or(is_state) && is_one(job)
        };
        if page.results.iter().all(is_selected) {
            Ok(page.count)
        } else {
            Err(self.unfiltered("jobs"))
        }
    }

    fn unfiltered(&self, what: &str) -> Failure {
        let tried = self.what("look for room on");
        Failure::retry(anyhow!(
            "{tried}: it does not select {what} as asked, as if it were older than 2023.01"
        ))
    }
}
