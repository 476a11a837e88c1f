//! The demo as it is played, and whether the check notices what is wrong.

use super::check::{check, is_right};
use super::narrator::{Narrator, Pace};
use super::report::{Report, Standing};
use super::*;

const ONCE: Options = Options { once: true, json: false };

async fn played() -> Report {
    let world = World::make().await.unwrap();
    let service = Service::start(world.prepare().unwrap(), Clock::system()).await.unwrap();
    let ledger = service.ledger.clone();
    world.open(service.address.unwrap());
    let mut narrator = Narrator::new(&world, ledger, Screen::dark(), Pace::Fast);
    story::play(&mut narrator).await.unwrap();
    let report = report::gather(&narrator).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    service.run(stop).await.unwrap();
    report
}

#[tokio::test]
async fn the_demo_comes_out_right() {
    let stop = CancellationToken::new();
    assert!(play(ONCE, Screen::dark(), stop).await.unwrap());
}

#[tokio::test]
async fn every_part_of_the_check_notices_its_fault() {
    type Fault = (usize, fn(&mut Report));
    let faults: &[Fault] = &[
        (0, |report| {
            let twice = report.builds[0].clone();
            report.builds.push(twice);
        }),
        (1, |report| report.builds[1].result = Some("SUCCESS".to_owned())),
        (2, |report| report.asked += 1),
        (3, |report| {
            let flag = report.pull_requests[0].heads[0].flags[0].clone();
            report.pull_requests[0].heads[0].flags.push(flag);
        }),
        (3, |report| report.pull_requests[0].heads[2].flags[0].status = "failure".to_owned()),
        (3, |report| report.pull_requests[0].heads[2].flags[0].url.push_str("1/")),
        (4, |report| {
            let comment = report.pull_requests[0].comments[0].clone();
            report.pull_requests[0].comments.push(comment);
        }),
        (4, |report| report.pull_requests[0].comments.swap(0, 1)),
        (5, |report| report.pull_requests[1].why_not = None),
        (5, |report| {
            let flags = report.pull_requests[0].heads[0].flags.clone();
            report.pull_requests[1].heads[0].flags = flags;
        }),
        (6, |report| {
            let build = report.builds.iter().find(|build| !build.is_ours()).unwrap();
            let url = format!("http://ci.example/job/{}/{}/", build.job, build.number);
            let flag = Standing { status: "failure".to_owned(), words: String::new(), url };
            report.pull_requests[3].heads[0].flags.push(flag);
        }),
        (7, |report| report.series.built.truncate(3)),
        (7, |report| report.series.checks.swap(0, 2)),
        (8, |report| report.image.jobs.truncate(3)),
        (8, |report| report.image.jobs[0].1 = "Incomplete".to_owned()),
        (8, |report| report.image.messages.push("2 of 3 boards passed".to_owned())),
        (9, |report| report.buried = 1),
        (9, |report| report.dead_letters = 1),
        (9, |report| report.left_to_do = 1),
    ];
    let report = played().await;
    let claims = check(&report);
    assert!(is_right(&claims), "{claims:#?}");
    for (number, (claim, fault)) in faults.iter().enumerate() {
        let mut report = report.clone();
        fault(&mut report);
        assert!(!check(&report)[*claim].is_true, "fault {number} is not noticed");
    }
}

#[tokio::test]
async fn a_spectator_who_leaves_has_not_been_shown_that_it_is_right() {
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(!play(ONCE, Screen::dark(), stop).await.unwrap());
}

#[tokio::test]
async fn settings_that_lead_elsewhere_are_refused() {
    let (world, elsewhere) = (World::make().await.unwrap(), World::make().await.unwrap());
    let settings = elsewhere.prepare().unwrap().settings;
    elsewhere.refuse_the_real_world(&settings).unwrap();
    world.refuse_the_real_world(&settings).unwrap_err();
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_look_into_the_folder() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::make().await.unwrap();
    let mode = std::fs::metadata(world.path("")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    let folder = world.path("");
    world.clear().unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_comment_is_shown_without_its_markdown() {
    let comment = "**tests** at 4f2c81d0: failed ([build 1](http://ci.example/1/))\n\n`x`";
    assert_eq!(words::readable(comment), "tests at 4f2c81d0: failed (build 1)");
    assert_eq!(words::readable("no ([link"), "no ([link");
    assert_eq!(words::readable(""), "");
}
