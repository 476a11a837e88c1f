//! What came of a job.

use super::*;

fn told(seen: &Sighting) -> String {
    let BuildState::Finished(verdict) = seen.state else { panic!("{:?}", seen.state) };
    format!("{}: {}", verdict.as_str(), seen.reason.as_deref().unwrap_or("-"))
}

#[tokio::test]
async fn a_complete_job_is_as_good_as_its_tests() {
    let mut all = Vec::new();
    for outcome in [
        Outcome::passes(&["smoke/boot"]),
        Outcome::passes(&["smoke/boot", "smoke/net", "ltp/abort01"]),
        Outcome::Complete(Vec::new()),
        Outcome::Complete(vec![Case::new("smoke/boot", "pass"), Case::new("smoke/x", "skip")]),
        Outcome::Complete(vec![Case::new("smoke/boot", "unknown")]),
        Outcome::fails(&["smoke/boot"], &["smoke/net", "smoke/disk"]),
        Outcome::fails(&[], &["smoke/boot"]),
        Outcome::fails(&[], &["t/1", "t/2", "t/3", "t/4", "t/5", "t/6", "t/7"]),
        // How LAVA's own part went is no test.
        Outcome::fails(&["smoke/boot"], &["lava/login-action"]),
    ] {
        all.push(told(&Yard::open().await.ended(outcome).await));
    }
    insta::assert_snapshot!(all.join("\n"), @r"
    success: 1 test passed
    success: 3 tests passed
    success: there were no tests
    success: 1 of 2 tests passed, none failed
    unstable: 0 of 1 tests passed, none failed
    failure: 2 of 3 tests failed: smoke/net, smoke/disk
    failure: 1 of 1 test failed: smoke/boot
    failure: 7 of 7 tests failed: t/1, t/2, t/3, t/4, t/5, 2 more
    success: 1 test passed
    ");
}

#[tokio::test]
async fn a_job_that_broke_off_says_why_and_is_no_fault_of_the_image() {
    let incomplete = |error_type: &str, is_comment| Outcome::Incomplete {
        cases: vec![Case::new("smoke/boot", "fail")],
        error_type: error_type.to_owned(),
        error_msg: "no prompt\ncame: \"login\"".to_owned(),
        is_comment,
    };
    let mut all = Vec::new();
    for outcome in [
        Outcome::breaks("bootloader-commands timed out"),
        incomplete("Job", false),
        incomplete("Infrastructure", true),
        Outcome::Canceled,
    ] {
        all.push(told(&Yard::open().await.ended(outcome).await));
    }
    insta::assert_snapshot!(all.join("\n"), @r#"
    error: bootloader-commands timed out
    error: Job: no prompt came: "login"
    error: no prompt came: "login"
    cancelled: -
    "#);
    // Where LAVA's own words cannot be read.
    let yard = Yard::open().await;
    let started = yard.start(1).await;
    yard.lava.begin(1);
    yard.lava.finish(1, incomplete("!!python/object", false)).await;
    let seen = yard.us.inspect(&lookup(&started)).await.unwrap();
    assert_eq!(told(&seen), "error: it broke off in boot-action");
}

#[tokio::test]
async fn many_results_are_read_page_by_page() {
    let yard = Yard::open().await;
    let mut cases: Vec<Case> =
        (0..1_200).map(|number| Case::new(&format!("ltp/case-{number}"), "pass")).collect();
    cases.push(Case::new("ltp/last", "fail"));
    let seen = yard.ended(Outcome::Complete(cases)).await;
    assert_eq!(told(&seen), "failure: 1 of 1201 tests failed: ltp/last");
    let pages = yard.calls().lines().filter(|call| call.contains("/jobs/1/tests/")).count();
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn what_fails_beyond_what_is_read_is_not_missed() {
    let yard = Yard::open().await;
    let mut cases: Vec<Case> =
        (0..10_500).map(|number| Case::new(&format!("ltp/case-{number}"), "pass")).collect();
    let good = yard.ended(Outcome::Complete(cases.clone())).await;
    assert_eq!(told(&good), "success: none of more than 9999 tests failed");
    cases.push(Case::new("ltp/last", "fail"));
    let bad = Yard::open().await.ended(Outcome::Complete(cases)).await;
    assert_eq!(told(&bad), "failure: 1 of more than 10000 tests failed: ltp/last");
}

#[tokio::test]
async fn names_of_tests_are_short_and_of_one_line() {
    let name = format!("smoke/a\n\u{1b}[31m{}", "x".repeat(500));
    let seen = Yard::open().await.ended(Outcome::fails(&[], &[&name])).await;
    let told = told(&seen);
    assert!(told.chars().count() < 120, "{told}");
    assert!(!told.contains(['\n', '\u{1b}']), "{told}");
}

#[tokio::test]
async fn results_that_cannot_be_asked_for_are_asked_for_again() {
    let yard = Yard::open().await;
    let started = yard.start(1).await;
    yard.lava.begin(1);
    yard.lava.finish(1, Outcome::passes(&["smoke/boot"])).await;
    yard.lava.set_answer("/tests/", 502, Some("<html></html>"));
    let failed = yard.us.inspect(&lookup(&started)).await;
    let told = yard.told(failed);
    assert_eq!(
        told,
        "tries again None: cannot ask for the results of a job on lava.lab: 502 Bad Gateway"
    );
}

#[tokio::test]
async fn a_job_that_should_have_tested_and_says_nothing_has_not_passed() {
    let yard = Yard::open().await;
    let definition = DEFINITION.replace("actions: []", "actions: [{test: {definitions: []}}]");
    let order = Order { definition: Some(definition), ..order(1) };
    let started = yard.us.start(&order, Try::First).await.unwrap();
    let id = number(&started);
    assert!(yard.lava.begin(id));
    assert!(yard.lava.finish(id, Outcome::Complete(Vec::new())).await);
    let seen = yard.us.inspect(&lookup(&started)).await.unwrap();
    assert_eq!(told(&seen), "unstable: there were no tests");
}
