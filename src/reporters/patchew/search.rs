//! Series that were posted, as Patchew lists them: those that were answered last come first.
//!
//! There are no events and there is no `since`, so the list is read until it is older than what
//! was read before, and somewhat further: a mail that comes late does not move its series.

use jiff::{SignedDuration, Timestamp};

use super::client::{By, said};
use super::cursor::{Place, Waiting, mark};
use super::poll::{Haul, PatchewPoller};
use super::series::Found;
use super::wire::{Head, date};
use crate::remote::{Failure, chain};
use crate::reporters::patches::is_msgid;
use crate::source::poll::message;

/// How much further than to the newest date of the last look the list is read.
const OVERLAP: SignedDuration = SignedDuration::from_hours(6);
/// How far ahead of our clock a date may be and still be believed: a mail's date is written by
/// its sender, and one of the year 2038 would have us read nothing until then.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(1);
/// How many series that lack patches are asked after in one look, besides those that are listed.
const ASKED_AFTER_MAX: usize = 20;

/// How many series in a row cannot be read until it is the server that is ill; and how many of
/// those that could not be read before are tried in vain in one look.
pub(super) const FAILURES_MAX: usize = 3;
/// How many series are read at most when all are gone through.
const RECONCILED_MAX: usize = 500;

/// What becomes of a listed series.
enum Fate {
    /// It is no news, and will not be.
    Past,
    /// It lacks patches.
    Waits,
    /// It has to be read.
    News,
}

impl PatchewPoller {
    /// Tells what was posted to a project since `place`, and moves that on; what was there at the
    /// first look is not told.
    pub(super) async fn search(
        &self,
        project: &str,
        place: &mut Place,
        now: Timestamp,
        haul: &mut Haul,
    ) -> Result<(), Failure> {
        let is_first = place.newest.is_none();
        let until = place.newest.map(|newest| newest - OVERLAP);
        let heads = self.heads(project, until).await?;
        let newest = newest(&heads, now).or(place.newest);
        let mut sift = Sift { place, is_first, seen: Vec::new(), waiting: Vec::new() };
        let (news, put_off) = sift.sort(self, (project, now), &heads);
        let asked = sift.others(self, now, &heads);
        let Sift { mut seen, mut waiting, .. } = sift;
        let mut is_left = false;
        let mut failures = 0;
        let mut in_vain = Vec::new();
        for (count, msgid) in news.iter().chain(&asked).chain(&put_off).enumerate() {
            let was_put_off = put_off.contains(msgid);
            if count >= Self::READ_MAX || failures >= FAILURES_MAX || haul.is_late() {
                is_left = true;
                haul.has_more |= failures == 0 && !was_put_off;
                break;
            }
            match self.read(project, msgid).await {
                Ok(Some(Found { event, is_whole: true })) => {
                    haul.messages.push(message(&event));
                    seen.push(mark(project, msgid));
                    waiting.retain(|waiting| waiting.msgid != *msgid);
                }
                Ok(Some(_)) => wait(&mut waiting, &place.waiting, &heads, (msgid, now)),
                // It cannot be asked for, or is gone.
                Ok(None) => {
                    let series = said(msgid);
                    tracing::warn!(project, series, "Left out a series that cannot be read");
                    seen.push(mark(project, msgid));
                    waiting.retain(|waiting| waiting.msgid != *msgid);
                }
                // It is tried again as long as it is news, and keeps no other from being told.
                Err(failure) => {
                    if !was_put_off {
                        let (series, error) = (said(msgid), chain(&failure));
                        tracing::warn!(project, series, error, "Cannot read a series");
                    }
                    // What will not be answered says nothing of the server.
                    failures += usize::from(was_put_off || is_ill(&failure));
                    is_left = true;
                    in_vain.push(mark(project, msgid));
                    continue;
                }
            }
            failures = 0;
        }
        haul.waiting += waiting.len();
        haul.newest = haul.newest.max(newest);
        place.keep(seen, waiting);
        let put_off: Vec<_> = put_off.iter().map(|msgid| mark(project, msgid)).collect();
        place.put_off(&put_off, in_vain);
        if is_first {
            place.began = newest.or(Some(now));
        }
        // What was not read yet has to be listed again.
        if !is_left || is_first {
            place.newest = newest.or(Some(now));
        }
        Ok(())
    }

    /// Tells all that was posted to a project in the last days, since it was looked at first.
    pub(super) async fn search_all(
        &self,
        project: &str,
        began: Timestamp,
        now: Timestamp,
        haul: &mut Haul,
    ) -> Result<(), Failure> {
        let heads = self.heads(project, Some(now - self.age_max)).await?;
        haul.newest = haul.newest.max(newest(&heads, now));
        let place = Place::default();
        let mut sift =
            Sift { place: &place, is_first: false, seen: Vec::new(), waiting: Vec::new() };
        let (news, _) = sift.sort(self, (project, now), &heads);
        haul.waiting += sift.waiting.len();
        if news.len() > RECONCILED_MAX {
            tracing::warn!(project, count = news.len(), "Goes through the newest series only");
        }
        let mut failures = 0;
        for msgid in news.into_iter().rev().take(RECONCILED_MAX) {
            if haul.is_late() {
                tracing::warn!(project, "Goes through a part of the series only: it takes long");
                break;
            }
            let found = match self.read(project, &msgid).await {
                Ok(found) => found,
                Err(failure) => {
                    failures += usize::from(is_ill(&failure));
                    if failures >= FAILURES_MAX {
                        return Err(failure);
                    }
                    let (series, error) = (said(&msgid), chain(&failure));
                    tracing::warn!(project, series, error, "Cannot read a series");
                    continue;
                }
            };
            failures = 0;
            if let Some(Found { event, is_whole: true }) = found
                && event.at.is_none_or(|at| at > began)
            {
                haul.messages.push(message(&event));
            }
        }
        Ok(())
    }

    /// The series of a project that were answered last, until one that was before `until`; one
    /// page of them without.
    async fn heads(&self, project: &str, until: Option<Timestamp>) -> Result<Vec<Head>, Failure> {
        let client = &self.source.client;
        let id = client.project(project).await?.to_string();
        let path = ["projects", id.as_str(), "series"];
        let what = format!("cannot list the series of `{project}`");
        let is_enough = |heads: &[Head]| {
            until.is_none_or(|until| {
                // One that has no date may come first or last.
                let dates = heads.iter().filter_map(answered);
                dates.min().is_some_and(|oldest| oldest < until)
            })
        };
        client
            .list((By::Anybody, &path, &[("ordering", "-last_reply_date")]), &what, is_enough)
            .await
    }
}

/// Sorts what is listed.
struct Sift<'a> {
    place: &'a Place,
    is_first: bool,
    seen: Vec<String>,
    waiting: Vec<Waiting>,
}

impl Sift<'_> {
    /// Those that have to be read, the oldest first, and those of them that could not be read
    /// before, in turn.
    fn sort(
        &mut self,
        poller: &PatchewPoller,
        (project, now): (&str, Timestamp),
        heads: &[Head],
    ) -> (Vec<String>, Vec<String>) {
        let mut news = Vec::new();
        let mut put_off = Vec::new();
        for head in heads.iter().rev() {
            let mark = mark(project, &head.message_id);
            match self.fate(poller, head, (&mark, now)) {
                Fate::Past => self.seen.push(mark),
                Fate::Waits => {
                    let known = &self.place.waiting;
                    wait(&mut self.waiting, known, heads, (&head.message_id, now));
                }
                Fate::News => {
                    match self.place.put_off.iter().position(|put_off| *put_off == mark) {
                        Some(turn) => put_off.push((turn, head.message_id.clone())),
                        None => news.push(head.message_id.clone()),
                    }
                }
            }
        }
        put_off.sort();
        (news, put_off.into_iter().map(|(_, msgid)| msgid).collect())
    }

    fn fate(&self, poller: &PatchewPoller, head: &Head, (mark, now): (&str, Timestamp)) -> Fate {
        let mut waiting = self.place.waiting.iter();
        let known = waiting.find(|known| known.msgid == head.message_id).map(|known| known.since);
        let is_past = head.is_merged
            || head.is_obsolete
            || !is_msgid(&head.message_id)
            || poller.is_old(known.or_else(|| date(&head.date)), now);
        if is_past || self.place.has_seen(mark) {
            Fate::Past
        } else if !head.is_complete {
            Fate::Waits
        } else if self.is_first {
            Fate::Past
        } else {
            Fate::News
        }
    }

    /// Those that were waited for and are not listed: a patch that came late does not move its
    /// series.  In turn, as they may be many; those that are too old are waited for no more.
    fn others(&mut self, poller: &PatchewPoller, now: Timestamp, heads: &[Head]) -> Vec<String> {
        let is_listed = |msgid: &str| heads.iter().any(|head| head.message_id == msgid);
        let young = |waiting: &&Waiting| !poller.is_old(Some(waiting.since), now);
        let others = self.place.waiting.iter().filter(|waiting| !is_listed(&waiting.msgid));
        let others: Vec<_> = others.filter(young).cloned().collect();
        self.waiting.extend(others.iter().cloned());
        let turn = usize::try_from(now.as_second()).unwrap_or_default() / 60;
        let from = if others.is_empty() { 0 } else { turn % others.len() };
        let turned = others.iter().cycle().skip(from).take(others.len().min(ASKED_AFTER_MAX));
        turned.map(|waiting| waiting.msgid.clone()).collect()
    }
}

/// Waits for a series that lacks patches; those that are `known` are waited for since then.
fn wait(
    waiting: &mut Vec<Waiting>,
    known: &[Waiting],
    heads: &[Head],
    (msgid, now): (&str, Timestamp),
) {
    if waiting.iter().any(|known| known.msgid == msgid) {
        return;
    }
    let known = known.iter().find(|known| known.msgid == msgid).map(|known| known.since);
    let head = heads.iter().find(|head| head.message_id == msgid);
    // A date is the sender's: one that is yet to come would be waited for until then.
    let since = known.or_else(|| head.and_then(|head| date(&head.date))).unwrap_or(now).min(now);
    waiting.push(Waiting { msgid: msgid.to_owned(), since });
}

/// Whether a failure speaks of the server, and not of what was asked for.
pub(super) fn is_ill(failure: &Failure) -> bool {
    matches!(failure, Failure::Retry { .. })
}

/// When a series was answered last.
fn answered(head: &Head) -> Option<Timestamp> {
    head.last_reply_date.as_deref().and_then(date)
}

/// The newest date that can be believed.
fn newest(heads: &[Head], now: Timestamp) -> Option<Timestamp> {
    heads.iter().filter_map(answered).filter(|date| *date <= now + AHEAD_MAX).max()
}
