//! Images and boards, from the announcement to the one summary.

mod callbacks;
mod killed;
mod lab;
mod refused;

use lab::{BUILD, Lab, RULES, image};
use pointsman::sandbox::lava::Outcome;

/// Three kinds of boards: one fails a test, one breaks at first, one passes.
async fn three(rules: &str) -> Lab {
    let lab = Lab::open(rules, &["beagle", "qemu", "rk3399"]).await;
    lab.lava.set_outcomes("beagle", vec![Outcome::fails(&["smoke/boot"], &["smoke/net"])]);
    let passes = Outcome::passes(&["smoke/boot", "smoke/net"]);
    lab.lava.set_outcomes("qemu", vec![passes.clone()]);
    lab.lava.set_outcomes("rk3399", vec![Outcome::breaks("no power"), passes]);
    lab
}

/// What there has to be in the end, however the image was announced.
async fn is_tested_once(lab: &mut Lab) {
    lab.plays_until(4).await;
    let look = lab.world.finish().await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(look.runs(), @"
        smoke 2026 failure
        smoke/beagle 2026 failure
        smoke/qemu 2026 success
        smoke/rk3399 2026 error
        smoke/rk3399 2026 success
        ");
        insta::assert_snapshot!(lab.said(), @"
        *smoke* on <https://ci.example/nano/2026-11-20.3|nano-cortex> 26.11, build 2026-11-20.3: *failed* (2 of 3 boards passed)

        • beagle: failed: 1 of 2 tests failed: smoke/net (<https://lava.example/scheduler/job/1|job>)
        • qemu: passed: 2 tests passed (<https://lava.example/scheduler/job/2|job>)
        • rk3399: passed: 2 tests passed (<https://lava.example/scheduler/job/4|job>), try 2
        ");
        insta::assert_snapshot!(lab.masked(&lab.world.flags('a')), @"failure: smoke: failed on beagle (2 of 3 boards passed) 0 % <https://lava.example/scheduler/job/1>");
        insta::assert_snapshot!(lab.masked(&lab.world.comments(1)), @"
        **smoke** on [nano-cortex](https://ci.example/nano/2026-11-20.3) 26.11, build 2026-11-20.3: **failed** (2 of 3 boards passed)

        | Board | Result | |
        |---|---|---|
        | [beagle](https://lava.example/scheduler/job/1) | failed | 1 of 2 tests failed: smoke/net |
        | [qemu](https://lava.example/scheduler/job/2) | passed | 2 tests passed |
        | [rk3399](https://lava.example/scheduler/job/4) | passed | 2 tests passed (try 2) |

        `pointsman:[id]`
        ");
    }
    assert_eq!(lab.lava.jobs().len(), 4);
    assert_eq!(look.buried, []);
}

#[tokio::test]
async fn an_image_announced_on_the_bus_is_tested_on_three_boards_and_told_of_once() {
    let mut lab = three(RULES).await;
    lab.announce_on_the_bus(&image(&lab.world, BUILD)).await;
    is_tested_once(&mut lab).await;
    lab.world.end().await;
}

#[tokio::test]
async fn an_image_announced_by_http_is_the_same_and_announced_again_it_is_nothing_new() {
    let mut lab = three(RULES).await;
    let image = image(&lab.world, BUILD);
    assert_eq!(lab.announce(&image).await, 202);
    assert_eq!(lab.announce(&image).await, 200);
    lab.announce_on_the_bus(&image).await;
    is_tested_once(&mut lab).await;
    lab.announce_on_the_bus(&image).await;
    let look = lab.world.finish().await;
    assert_eq!(lab.lava.jobs().len(), 4, "{look:?}");
    lab.world.end().await;
}

#[tokio::test]
async fn other_content_under_a_known_build_id_is_flagged_and_not_tested() {
    let mut lab = three(RULES).await;
    let mut image = image(&lab.world, BUILD);
    assert_eq!(lab.announce(&image).await, 202);
    lab.plays_until(4).await;
    image["files"][0]["checksums"]["sha256"] = "9".repeat(64).into();
    assert_eq!(lab.announce(&image).await, 202);
    let look = lab.world.finish().await;
    assert_eq!(lab.lava.jobs().len(), 4);
    let flagged = |decision: &&String| decision.contains("published before with other checksums");
    assert!(look.decisions.iter().any(|decision| flagged(&decision)), "{look:#?}");
    lab.world.end().await;
}

#[tokio::test]
async fn a_newer_image_stops_the_jobs_of_the_older() {
    let mut lab = Lab::open(RULES, &["beagle", "qemu"]).await;
    assert_eq!(lab.announce(&image(&lab.world, "2026-1")).await, 202);
    lab.until_jobs(2).await;
    assert_eq!(lab.announce(&image(&lab.world, "2026-2")).await, 202);
    lab.until_jobs(4).await;
    lab.plays_until(4).await;
    let look = lab.world.finish().await;
    let states: Vec<_> = lab.lava.jobs().iter().map(|job| job.health).collect();
    assert_eq!(states, ["Canceled", "Canceled", "Complete", "Complete"], "{}", look.runs());
    assert!(lab.said().contains("build 2026-2") && !lab.said().contains("build 2026-1"));
    lab.world.end().await;
}

#[tokio::test]
async fn forty_kinds_of_boards_never_have_more_jobs_than_is_allowed_at_once() {
    let names: Vec<_> = (0..40).map(|number| format!("board-{number:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut lab = Lab::with(RULES, &names, "jobs_max = 7\nqueue_depth = 1\nconcurrency = 16").await;
    assert_eq!(lab.announce(&image(&lab.world, BUILD)).await, 202);
    lab.plays_until(40).await;
    let look = lab.world.finish().await;
    assert_eq!(lab.lava.jobs().len(), 40);
    assert_eq!(look.buried, []);
    assert!(lab.lava.most_unfinished(lab::USER) <= 7, "{}", lab.lava.most_unfinished(lab::USER));
    for name in names {
        assert!(lab.lava.most_waiting(name) <= 1, "{name}");
    }
    assert!(lab.said().contains("40 of 40 boards passed"), "{}", lab.said());
    lab.world.end().await;
}

#[tokio::test]
async fn one_kind_of_board_has_as_many_waiting_jobs_as_it_has_boards_for() {
    // Ten images for one kind of board, of which there are two.
    let mut lab = Lab::with(RULES, &["beagle"], "queue_depth = 2\nconcurrency = 8").await;
    lab.add_board("beagle", 2);
    for number in 0..10 {
        let mut image = image(&lab.world, BUILD);
        image["name"] = format!("nano-{number}").into();
        assert_eq!(lab.announce(&image).await, 202);
    }
    lab.plays_until(10).await;
    lab.world.finish().await;
    assert_eq!(lab.lava.jobs().len(), 10);
    assert!(lab.lava.most_waiting("beagle") <= 4, "{}", lab.lava.most_waiting("beagle"));
    lab.world.end().await;
}
