//! Series that are asked for again, and what became of their branches meanwhile.

use super::world::{World, asks, posted};
use super::{RULES, START};
use crate::clock::from_millis;
use crate::event::EventKind;
use crate::event::series::{Refusal, Request, SeriesEvent};
use crate::git::Outcome;

/// Somebody asks for the series again, upon its base as that is now if `rebase`.
fn recheck(by: &str, rebase: bool) -> SeriesEvent {
    let event = asks(posted("71", 1, 1), EventKind::SeriesRecheck, by);
    let request = event.request.map(|request| Request { rebase, ..request });
    SeriesEvent { request, ..event }
}

fn builds(did: &[String]) -> Vec<&str> {
    did.iter().filter_map(|what| what.strip_prefix("build pointsman/lists/")).collect()
}

#[tokio::test]
async fn what_was_swept_away_is_put_on_another_branch_and_built_there() {
    let world = World::new(RULES);
    *world.company.is_broken.lock().unwrap() = true;
    let did = world.hears(posted("71", 1, 1)).await;
    assert_eq!(builds(&did), ["71/v1"]);
    let did = world.hears(recheck("1", false)).await;
    assert_eq!(builds(&did), ["71/v1"]);
    assert!(!did.contains(&"apply 71 v1 on []".to_owned()), "{did:#?}");
    world.sweeps().await;
    let did = world.hears(recheck("2", false)).await;
    assert_eq!(builds(&did), ["71/v1-r1"]);
}

#[tokio::test]
async fn what_was_good_needs_no_branch_again() {
    let world = World::new(RULES);
    world.hears(posted("71", 1, 1)).await;
    world.sweeps().await;
    assert_eq!(world.hears(recheck("1", false)).await, [""; 0]);
}

#[tokio::test]
async fn a_series_is_built_anew_where_that_is_asked_although_its_base_is_the_same() {
    let world = World::new(RULES);
    world.hears(posted("71", 1, 1)).await;
    let did = world.hears(recheck("1", true)).await;
    assert_eq!(builds(&did), ["71/v1-r1"]);
}

#[tokio::test]
async fn a_build_that_goes_on_keeps_no_branch_from_being_built() {
    let world = World::new(RULES);
    *world.company.is_slow.lock().unwrap() = true;
    let did = world.hears(posted("71", 1, 1)).await;
    assert_eq!(builds(&did), ["71/v1"]);
    let did = world.hears(recheck("1", true)).await;
    assert_eq!(builds(&did), ["71/v1-r1"]);
}

#[tokio::test]
async fn whoever_built_a_series_before_builds_what_depends_on_it() {
    let second = RULES.replace("\"kvm\"", "\"xen\"");
    let world = World::new(&format!("{RULES}{second}"));
    world.hears(posted("71", 1, 1)).await;
    let mut named = recheck("1", true);
    named.request.as_mut().unwrap().names = vec!["xen".to_owned()];
    assert_eq!(builds(&world.hears(named).await), ["71/v1-r1"]);
    let mut dependent = posted("72", 1, 1);
    dependent.series.title = "Grease".to_owned();
    dependent.series.hints.depends = vec!["71-v1-0@points.example".to_owned()];
    let did = world.hears(dependent).await;
    assert_eq!(did[0], "apply 72 v1 on [\"pointsman/lists/71/v1-r1\"]");
}

const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn a_base_is_needed_by_its_own_build_and_not_by_those_of_later_ones() {
    let world = World::new(RULES);
    *world.company.bad_from.lock().unwrap() = 1;
    world.hears(posted("71", 1, 1)).await;
    world.hand.forward_to(from_millis(START + 20 * DAY));
    "more".clone_into(&mut world.company.base.lock().unwrap());
    let mut later = posted("72", 1, 1);
    later.series.title = "Grease".to_owned();
    world.hears(later).await;
    let unneeded = world.unneeded(START + 10 * DAY).await;
    assert_eq!(unneeded, ["pointsman/lists/71/v1", "pointsman/lists/71/v1-p0"]);
    // Each is needed as long as its own is new.
    assert_eq!(world.unneeded(START).await, [""; 0]);
}

#[tokio::test]
async fn mails_are_fetched_where_they_are_and_once_all_are_there() {
    let world = World::new(RULES);
    let mut other = posted("71", 1, 1);
    other.instance = "other.example".to_owned();
    other.series.title = "Grease".to_owned();
    world.hears(other).await;
    let mut dependent = posted("72", 1, 1);
    let depends = ["71-v1-0@points.example", "73-v1-0@points.example"];
    dependent.series.hints.depends = depends.map(str::to_owned).to_vec();
    world.company.fetched.lock().unwrap().clear();
    assert_eq!(world.hears(dependent).await, ["flag git.points: queued"]);
    assert!(world.company.fetched.lock().unwrap().is_empty());
    let mut last = posted("73", 1, 1);
    last.series.title = "Paint".to_owned();
    world.hears(last).await;
    world.company.fetched.lock().unwrap().clear();
    world.hand.forward_to(from_millis(START + 3_600_000));
    let did = world.did().await;
    assert_eq!(builds(&did), ["72/v1"]);
    assert_eq!(*world.company.fetched.lock().unwrap(), ["other 71", "main 73", "main 72"]);
}

#[tokio::test]
async fn an_approval_that_is_given_while_a_series_waits_is_not_lost() {
    let world = World::new(RULES);
    *world.company.outcome.lock().unwrap() =
        Some(Outcome::Held(Refusal { reason: "it touches CI".to_owned(), ..Refusal::default() }));
    let mut dependent = posted("72", 1, 1);
    dependent.series.title = "Grease".to_owned();
    dependent.series.hints.depends = vec!["71-v1-0@points.example".to_owned()];
    assert_eq!(world.hears(dependent.clone()).await, ["flag git.points: queued"]);
    world.hears(asks(dependent, EventKind::SeriesApproved, "1")).await;
    world.hears(posted("71", 1, 1)).await;
    world.hears(asks(posted("71", 1, 1), EventKind::SeriesApproved, "1")).await;
    world.hand.forward_to(from_millis(START + 3_600_000));
    assert_eq!(builds(&world.did().await), ["72/v1"]);
}
