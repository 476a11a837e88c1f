use super::*;
use crate::action::Stage;
use crate::sandbox::github::Webhook;
use crate::subject::Verdict;

const STAGES: [Stage; 9] = [
    Stage::Held,
    Stage::Queued,
    Stage::Running,
    Stage::Done(Verdict::Failure),
    Stage::Done(Verdict::Unstable),
    Stage::Done(Verdict::Error),
    Stage::Done(Verdict::Cancelled),
    Stage::Done(Verdict::Skipped),
    Stage::Done(Verdict::Success),
];

async fn tell(world: &World, stage: Stage) {
    let mut report = world.report(Form::Flag);
    report.stage = stage;
    report.text = "tests: as it is".to_owned();
    world.reporter.tell(&report, Try::First).await.unwrap();
}

#[tokio::test]
async fn a_status_follows_its_run() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for stage in STAGES {
        tell(&world, stage).await;
        let statuses = world.github.statuses(REPO, HEAD);
        let [status] = statuses.as_slice() else { panic!("{statuses:?}") };
        assert_eq!(status.context, "pointsman/tests");
        assert_eq!(status.target_url.as_deref(), Some("https://ci.example/job/tests/7/"));
        let description = status.description.as_deref().unwrap_or_default();
        seen.push(format!("{}: {description}", status.state));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    pending: tests: as it is
    pending: tests: as it is
    pending: tests: as it is
    failure: tests: as it is
    failure: unstable: tests: as it is
    error: error: tests: as it is
    error: cancelled: tests: as it is
    success: skipped: tests: as it is
    success: tests: as it is
    ");
}

#[tokio::test]
async fn a_check_run_follows_its_run() {
    let world = World::of_app().await;
    let mut seen = Vec::new();
    for stage in STAGES {
        tell(&world, stage).await;
        let checks = world.github.check_runs(REPO, HEAD);
        let [check] = checks.as_slice() else { panic!("{checks:?}") };
        assert_eq!(check.name, "pointsman/tests");
        let conclusion = check.conclusion.as_deref().unwrap_or("…");
        seen.push(format!("{} {conclusion}: {}", check.status, check.title));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    queued …: tests: as it is
    queued …: tests: as it is
    in_progress …: tests: as it is
    completed failure: tests: as it is
    completed failure: unstable: tests: as it is
    completed failure: error: tests: as it is
    completed cancelled: cancelled: tests: as it is
    completed skipped: skipped: tests: as it is
    completed success: tests: as it is
    ");
}

#[tokio::test]
async fn another_run_has_a_check_run_of_its_own() {
    let world = World::of_app().await;
    let first = world.report(Form::Flag);
    let mut second = first.clone();
    second.run = crate::subject::RunId::of(&world.subject, HEAD, "tests", 2);
    for report in [&first, &second, &second] {
        world.reporter.tell(report, Try::First).await.unwrap();
    }
    assert_eq!(world.github.check_runs(REPO, HEAD).len(), 2);
}

#[tokio::test]
async fn a_check_run_is_found_among_many_of_its_name() {
    let world = World::of_app().await;
    let report = world.report(Form::Flag);
    for attempt in 1..=120 {
        let mut report = report.clone();
        report.run = crate::subject::RunId::of(&world.subject, HEAD, "tests", attempt);
        let external_id = format!("pointsman:{}:{}", report.flag, report.run);
        let check = ("pointsman/tests", external_id.as_str());
        world.github.plant_check(REPO, HEAD, check).unwrap();
    }
    let mut last = report;
    last.run = crate::subject::RunId::of(&world.subject, HEAD, "tests", 120);
    world.reporter.tell(&last, Try::Again).await.unwrap();
    let checks = world.github.check_runs(REPO, HEAD);
    assert_eq!(checks.len(), 120);
    assert_eq!(checks[119].conclusion.as_deref(), Some("success"));
}

#[tokio::test]
async fn what_is_too_long_is_cut() {
    let world = World::new().await;
    let mut report = world.report(Form::Flag);
    report.rule = "x".repeat(400);
    report.text = "länger ".repeat(200);
    let mut other = report.clone();
    other.rule.push('y');
    for report in [&report, &other] {
        world.reporter.tell(report, Try::First).await.unwrap();
    }
    let statuses = world.github.statuses(REPO, HEAD);
    assert_eq!(statuses.len(), 2, "two rules became one");
    assert_eq!(statuses[0].context.chars().count(), 255);
    assert_eq!(statuses[0].description.as_ref().unwrap().chars().count(), 140);
}

#[tokio::test]
async fn a_status_leads_nowhere_rather_than_to_what_is_no_page() {
    let world = World::new().await;
    let long = format!("https://ci.example/{}", "x".repeat(3_000));
    for url in [None, Some("javascript:alert(1)"), Some("ci.example"), Some(""), Some(&long)] {
        let mut report = world.report(Form::Flag);
        report.url = url.map(str::to_owned);
        world.reporter.tell(&report, Try::First).await.unwrap();
        assert_eq!(world.github.statuses(REPO, HEAD)[0].target_url, None, "{url:?}");
    }
}

#[tokio::test]
async fn a_branch_has_a_state_too() {
    let world = World::new().await;
    let mut report = world.report(Form::Flag);
    report.subject.kind = SubjectKind::Branch;
    report.subject.number = 0;
    report.subject.name = Some("main".to_owned());
    world.reporter.tell(&report, Try::First).await.unwrap();
    assert_eq!(world.github.statuses(REPO, HEAD).len(), 1);
}

#[tokio::test]
async fn a_commit_that_github_does_not_know_is_given_up() {
    let world = World::new().await;
    let mut report = world.report(Form::Flag);
    report.revision = "b".repeat(40);
    let failure = world.fails(&report).await;
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    insta::assert_snapshot!(chain(&failure), @"permanent failure: cannot set a status on commit bbbbbbbbbbbb of `rail/signalbox`: No commit found for SHA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: 422 Unprocessable Entity");
}

#[tokio::test]
async fn the_thousandth_status_is_the_last() {
    let world = World::new().await;
    world.github.plant_statuses(REPO, HEAD, ("pointsman/tests", 1_000)).unwrap();
    let failure = world.fails(&world.report(Form::Flag)).await;
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    insta::assert_snapshot!(chain(&failure), @"permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: Validation Failed, This SHA and context has reached the maximum number of statuses.: 422 Unprocessable Entity");
}

/// Our own states are told to us: the hook is there, and nobody listens.
#[tokio::test]
async fn a_hook_that_nobody_takes_does_no_harm() {
    let world = World::new().await;
    let url = Url::parse("http://127.0.0.1:1/hooks/github/main").unwrap();
    world.github.hook_to(Some(Webhook { url, secret: "x".to_owned().into() }));
    world.reporter.tell(&world.report(Form::Flag), Try::First).await.unwrap();
    assert_eq!(world.github.statuses(REPO, HEAD).len(), 1);
}
