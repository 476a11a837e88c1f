//! Patch series from posted to told, with a repository and builds that are only said to be there.

mod again;
mod world;

use std::collections::BTreeSet;

use super::START;
use crate::clock::from_millis;
use crate::event::EventKind;
use crate::event::series::{Refusal, SeriesEvent, TestRequest};
use crate::git::Outcome;

use world::{World, asks, posted};

const RULES: &str = r#"
[[rule]]
name = "kvm"
on = "series.posted"
where = { project = "points-devel" }
git = "points"
build = { on = "builds.main", job = "kvm", parameters = { BRANCH = "{{ branch.name }}", SHA = "{{ branch.short }}" } }
each_patch = "on_failure"
report = [{ to = "origin", as = "check" }, { to = "chat.ops", when = "changed" }]
"#;

#[tokio::test]
async fn a_series_is_put_on_a_branch_built_and_told() {
    let world = World::new(RULES);
    let did = world.hears(posted("71", 1, 3)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "message kvm: success",
        "flag kvm: success",
    ]
    "#);
    assert_eq!(world.hears(posted("71", 1, 3)).await, [""; 0]);
}

#[tokio::test]
async fn the_first_bad_patch_is_found_by_halving() {
    let world = World::new(RULES);
    *world.company.bad_from.lock().unwrap() = 3;
    let did = world.hears(posted("71", 1, 5)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "push pointsman/lists/71/v1-p0",
        "build pointsman/lists/71/v1-p0",
        "push pointsman/lists/71/v1-p2",
        "flag kvm: failure",
        "build pointsman/lists/71/v1-p2",
        "push pointsman/lists/71/v1-p3",
        "build pointsman/lists/71/v1-p3",
        "message kvm: failure, patch 3 is bad",
        "flag kvm: failure, patch 3 is bad",
    ]
    "#);
    let builds = did.iter().filter(|what| what.starts_with("build")).count();
    assert!(builds <= 1 + 3, "{builds}");
}

#[tokio::test]
async fn every_patch_can_be_the_first_bad_one() {
    for count in 1..=9 {
        for bad in 1..=count {
            let world = World::new(RULES);
            *world.company.bad_from.lock().unwrap() = bad;
            let did = world.hears(posted("71", 1, count)).await;
            let last = did.last().unwrap();
            assert!(last.ends_with(&format!("patch {bad} is bad")), "{bad} of {count}: {did:#?}");
            let words = did.iter().filter(|what| what.starts_with("message")).count();
            assert_eq!(words, 1, "{did:#?}");
        }
    }
}

#[tokio::test]
async fn what_fails_on_its_base_too_is_said_to_and_written_to_nobody() {
    let world = World::new(RULES);
    *world.company.bad_from.lock().unwrap() = 1;
    *world.company.is_base_bad.lock().unwrap() = true;
    let did = world.hears(posted("71", 1, 2)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "push pointsman/lists/71/v1-p0",
        "build pointsman/lists/71/v1-p0",
        "flag kvm: failure, so is the base",
    ]
    "#);
    // The next series upon that base finds its verdict in the ledger.
    let did = world.hears(posted("72", 1, 2)).await;
    assert!(!did.iter().any(|what| what.starts_with("build") && what.ends_with("-p0")), "{did:?}");
}

#[tokio::test]
async fn a_branch_that_cannot_be_pushed_blames_nobody() {
    let world = World::new(RULES);
    *world.company.bad_from.lock().unwrap() = 1;
    *world.company.protected.lock().unwrap() = Some("pointsman/lists/71/v1-p2".to_owned());
    let did = world.hears(posted("71", 1, 4)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: success",
        "build pointsman/lists/71/v1",
        "push pointsman/lists/71/v1-p0",
        "build pointsman/lists/71/v1-p0",
        "push pointsman/lists/71/v1-p2",
        "flag kvm: failure",
        "message kvm: failure",
    ]
    "#);
}

#[tokio::test]
async fn what_does_not_apply_is_told_once_by_all_rules_together() {
    let second = RULES.replace("\"kvm\"", "\"xen\"");
    let world = World::new(&format!("{RULES}{second}"));
    let refusal = Refusal { reason: "drivers/x.c:17".to_owned(), ..Refusal::default() };
    *world.company.outcome.lock().unwrap() = Some(Outcome::Conflict(refusal));
    let did = world.hears(posted("71", 1, 2)).await;
    insta::assert_debug_snapshot!(did, @r#"
    [
        "apply 71 v1 on []",
        "flag git.points: conflict",
        "message git.points: conflict",
    ]
    "#);
    // Asked again, it is tried again.
    *world.company.outcome.lock().unwrap() = None;
    let again = asks(posted("71", 1, 2), EventKind::SeriesRecheck, "2");
    let did = world.hears(again).await;
    assert_eq!(did.iter().filter(|what| what.starts_with("build")).count(), 2, "{did:#?}");
}

#[tokio::test]
async fn a_new_version_under_another_id_takes_the_place_of_the_old_one() {
    let world = World::new(RULES);
    *world.company.outcome.lock().unwrap() =
        Some(Outcome::Held(Refusal { reason: "it touches CI".to_owned(), ..Refusal::default() }));
    world.hears(posted("71", 1, 2)).await;
    let did = world.hears(posted("80", 2, 2)).await;
    assert!(did.contains(&"flag git.points: cancelled".to_owned()), "{did:#?}");
    let late = world.hears(posted("79", 1, 2)).await;
    assert_eq!(late, [""; 0]);
}

#[tokio::test]
async fn nobody_else_takes_the_place_of_a_series() {
    let world = World::new(RULES);
    let ours = |id: &str, version: u32| {
        let mut event = posted(id, version, 1);
        event.series.hints.change_id = Some("20261120-oil".to_owned());
        event.series.submitter.vouched = true;
        event
    };
    *world.company.outcome.lock().unwrap() =
        Some(Outcome::Held(Refusal { reason: "it touches CI".to_owned(), ..Refusal::default() }));
    world.hears(ours("71", 1)).await;
    let mut theirs = ours("80", 4_000_000_000);
    theirs.series.submitter.id = Some("99".to_owned());
    assert_eq!(world.hears(theirs).await, ["flag kvm: held"]);
    // From her by its own word only.
    let mut forged = ours("81", 4_000_000_000);
    forged.series.submitter.vouched = false;
    let did = world.hears(forged).await;
    assert!(!did.contains(&"flag git.points: cancelled".to_owned()), "{did:#?}");
    let did = world.hears(ours("82", 2)).await;
    assert!(did.contains(&"apply 82 v2 on []".to_owned()), "{did:#?}");
    assert_eq!(
        did.iter().filter(|what| *what == "flag git.points: cancelled").count(),
        1,
        "{did:#?}"
    );
}

#[tokio::test]
async fn what_touches_ci_waits_for_an_approval_of_this_version() {
    let world = World::new(RULES);
    *world.company.outcome.lock().unwrap() =
        Some(Outcome::Held(Refusal { reason: "it touches CI".to_owned(), ..Refusal::default() }));
    let did = world.hears(posted("71", 1, 1)).await;
    assert_eq!(did, ["apply 71 v1 on []", "flag git.points: held"]);
    assert_eq!(
        world.hears(asks(posted("71", 1, 1), EventKind::SeriesApproved, "2")).await,
        [""; 0]
    );
    let did = world.hears(asks(posted("71", 1, 1), EventKind::SeriesApproved, "1")).await;
    assert!(did.contains(&"build pointsman/lists/71/v1".to_owned()), "{did:#?}");
}

#[tokio::test]
async fn a_stranger_waits_and_is_built_once_approved() {
    let world = World::new(RULES);
    let stranger = |mut event: SeriesEvent| {
        event.series.submitter.id = Some("99".to_owned());
        event
    };
    let did = world.hears(stranger(posted("71", 1, 1))).await;
    assert_eq!(did, ["flag kvm: held"]);
    let again = asks(stranger(posted("71", 1, 1)), EventKind::SeriesRecheck, "99");
    assert_eq!(world.hears(again).await, [""; 0]);
    let approved = asks(stranger(posted("71", 1, 1)), EventKind::SeriesApproved, "1");
    let did = world.hears(approved).await;
    assert!(did.contains(&"build pointsman/lists/71/v1".to_owned()), "{did:#?}");
    // The next version is the stranger's own again.
    let did = world.hears(stranger(posted("71", 2, 1))).await;
    assert_eq!(did, ["flag kvm: held"]);
}

#[tokio::test]
async fn a_series_waits_for_what_it_depends_on() {
    let world = World::new(RULES);
    let mut dependent = posted("72", 1, 1);
    dependent.series.title = "Grease".to_owned();
    dependent.series.hints.depends = vec!["71-v1-0@points.example".to_owned()];
    let did = world.hears(dependent).await;
    assert_eq!(did, ["flag git.points: queued"]);
    world.hears(posted("71", 1, 1)).await;
    world.hand.forward_to(from_millis(START + 3_600_000));
    let did = world.did().await;
    assert_eq!(did[0], "apply 72 v1 on [\"pointsman/lists/71/v1\"]");
    assert!(did.contains(&"build pointsman/lists/72/v1".to_owned()), "{did:#?}");
}

#[tokio::test]
async fn a_rule_builds_nobody_whom_it_does_not_trust_below_a_series_either() {
    let any = RULES.replace("\"kvm\"", "\"lint\"").replace("git =", "trust = \"anyone\"\ngit =");
    let world = World::new(&format!("{RULES}{any}"));
    let mut foreign = posted("71", 1, 1);
    foreign.series.submitter.id = Some("99".to_owned());
    let did = world.hears(foreign.clone()).await;
    assert_eq!(did.iter().filter(|what| what.starts_with("build")).count(), 1, "{did:#?}");
    let mut dependent = posted("72", 1, 1);
    dependent.series.title = "Grease".to_owned();
    dependent.series.hints.depends = vec!["71-v1-0@points.example".to_owned()];
    assert_eq!(world.hears(dependent).await, ["flag git.points: queued"]);
    // Once all rules build it, they build what depends on it.
    let did = world.hears(asks(foreign, EventKind::SeriesApproved, "1")).await;
    assert_eq!(did.iter().filter(|what| what.starts_with("build")).count(), 1, "{did:#?}");
    world.hand.forward_to(from_millis(START + 3_600_000));
    let did = world.did().await;
    assert_eq!(did[0], "apply 72 v1 on [\"pointsman/lists/71/v1\"]");
    assert_eq!(did.iter().filter(|what| what.starts_with("build")).count(), 2, "{did:#?}");
}

#[tokio::test]
async fn each_of_three_rules_builds_the_branch_that_they_share() {
    let others = ["xen", "tcg"].map(|name| RULES.replace("\"kvm\"", &format!("\"{name}\"")));
    let world = World::new(&[RULES, &others[0], &others[1]].concat());
    let did = world.hears(posted("71", 1, 1)).await;
    assert_eq!(did.iter().filter(|what| what.starts_with("build")).count(), 3, "{did:#?}");
    assert_eq!(did.iter().filter(|what| what.starts_with("apply")).count(), 1, "{did:#?}");
}

#[tokio::test]
async fn series_that_depend_on_each_other_are_told_so() {
    let world = World::new(RULES);
    let depends = |id: &str, on: &str| {
        let mut event = posted(id, 1, 1);
        event.series.title = format!("Grease {id}");
        event.series.hints.depends = vec![format!("{on}-v1-0@points.example")];
        event
    };
    world.hears(depends("71", "72")).await;
    let did = world.hears(depends("72", "71")).await;
    assert!(did.iter().any(|what| what.contains("conflict")), "{did:#?}");
}

#[tokio::test]
async fn whoever_wants_no_builds_gets_none() {
    let world = World::new(RULES);
    let mut rfc = posted("71", 1, 1);
    rfc.series.tags = vec!["rfc".to_owned()];
    assert_eq!(world.hears(rfc.clone()).await, [""; 0]);
    let mut skipped = posted("72", 1, 1);
    skipped.series.hints.notes = vec!["ci-tag: skip".to_owned()];
    assert_eq!(world.hears(skipped).await, [""; 0]);
    // Who asks for it gets it.
    let did = world.hears(asks(rfc, EventKind::SeriesRecheck, "1")).await;
    assert!(did.contains(&"build pointsman/lists/71/v1".to_owned()), "{did:#?}");
}

#[tokio::test]
async fn a_test_that_is_handed_out_again_is_run_again_but_not_without_end() {
    let world = World::new(
        r#"
[[rule]]
name = "asan"
on = "series.test"
build = { on = "builds.main", job = "kvm", parameters = { BRANCH = "{{ test.head }}" } }
"#,
    );
    let handed = |minute: i64| {
        let test = TestRequest {
            name: "asan".to_owned(),
            repo: "https://git.example/points".to_owned(),
            head: "points".to_owned(),
            base: None,
            timeout: None,
            requirements: None,
            handed_at: Some(from_millis(START + minute * 60_000)),
        };
        SeriesEvent { event: EventKind::SeriesTest, test: Some(test), ..posted("71", 1, 1) }
    };
    assert_eq!(world.hears(handed(0)).await, ["build points"]);
    assert_eq!(world.hears(handed(0)).await, [""; 0]);
    *world.company.is_broken.lock().unwrap() = true;
    let mut did = Vec::new();
    for minute in 1..20 {
        did.extend(world.hears(handed(minute)).await);
    }
    assert_eq!(did, ["build points"; 5]);
}

#[tokio::test]
async fn each_patch_has_a_verdict_of_its_own_where_the_rule_says_so() {
    let world = World::new(&RULES.replace("on_failure", "always"));
    let did: BTreeSet<_> = world.hears(posted("71", 1, 3)).await.into_iter().collect();
    for wanted in ["flag kvm 1: success", "flag kvm 2: success", "flag kvm: success"] {
        assert!(did.contains(wanted), "{wanted}: {did:#?}");
    }
}

#[tokio::test]
async fn whatever_a_life_ends_with_in_hand_nothing_is_built_or_told_twice() {
    let (world, lives) = (World::new(RULES), World::new(RULES));
    for world in [&world, &lives] {
        *world.company.bad_from.lock().unwrap() = 3;
    }
    let told = |did: Vec<String>| {
        // Applying and pushing again change nothing.
        let changes = |what: &&String| !(what.starts_with("apply") || what.starts_with("push"));
        let mut did: Vec<_> = did.iter().filter(changes).cloned().collect();
        did.sort();
        did
    };
    let wanted = told(world.hears(posted("71", 1, 5)).await);
    assert_eq!(told(lives.hears_and_dies(posted("71", 1, 5)).await), wanted);
}
