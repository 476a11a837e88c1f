use super::*;
use crate::action::Stage;
use crate::subject::Verdict;

impl World {
    /// Tells it of a stage, and shows what stands.
    async fn flagged(&self, stage: Stage) -> String {
        self.tell(&self.at(stage)).await.unwrap();
        outline(&self.statuses())
    }

    fn at(&self, stage: Stage) -> Report {
        let mut report = self.report(Form::Flag);
        report.stage = stage;
        report.text = format!("tests: {}", stage.as_str());
        report
    }
}

#[tokio::test]
async fn a_flag_keeps_the_promises_of_a_report() {
    World::new().await.keeps_its_promises(Form::Flag).await;
}

#[tokio::test]
async fn a_flag_follows_its_run() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for stage in [
        // Pending upon pending is refused by GitLab, and so is running upon running.
        Stage::Held,
        Stage::Queued,
        Stage::Queued,
        Stage::Running,
        Stage::Done(Verdict::Failure),
        // A run that begins again, once directly, once while the older one seems to run.
        Stage::Queued,
        Stage::Running,
        Stage::Queued,
        Stage::Done(Verdict::Success),
        Stage::Done(Verdict::Success),
        Stage::Done(Verdict::Unstable),
        Stage::Done(Verdict::Error),
        Stage::Done(Verdict::Cancelled),
        Stage::Done(Verdict::Skipped),
    ] {
        seen.push(world.flagged(stage).await);
    }
    insta::assert_snapshot!(seen.join("\n"), @r#"
    blades pointsman/tests pending "tests: held" https://ci.example/job/tests/7/
    blades pointsman/tests pending "tests: queued" https://ci.example/job/tests/7/
    blades pointsman/tests pending "tests: queued" https://ci.example/job/tests/7/
    blades pointsman/tests running "tests: running" https://ci.example/job/tests/7/
    blades pointsman/tests failed "tests: failure" https://ci.example/job/tests/7/
    blades pointsman/tests pending "tests: queued" https://ci.example/job/tests/7/
    blades pointsman/tests running "tests: running" https://ci.example/job/tests/7/
    blades pointsman/tests pending "tests: queued" https://ci.example/job/tests/7/
    blades pointsman/tests success "tests: success" https://ci.example/job/tests/7/
    blades pointsman/tests success "tests: success" https://ci.example/job/tests/7/
    blades pointsman/tests failed "tests: unstable" https://ci.example/job/tests/7/
    blades pointsman/tests failed "tests: error" https://ci.example/job/tests/7/
    blades pointsman/tests canceled "tests: cancelled" https://ci.example/job/tests/7/
    blades pointsman/tests success "tests: skipped" https://ci.example/job/tests/7/
    "#);
}

#[tokio::test]
async fn running_upon_running_shows_the_newer_run() {
    let world = World::new().await;
    world.flagged(Stage::Running).await;
    let mut second = world.at(Stage::Running);
    second.url = Some("https://ci.example/job/tests/8/".to_owned());
    world.tell(&second).await.unwrap();
    insta::assert_snapshot!(outline(&world.statuses()), @r#"blades pointsman/tests running "tests: running" https://ci.example/job/tests/8/"#);
}

#[tokio::test]
async fn a_status_that_stands_is_not_set_again() {
    let world = World::new().await;
    for stage in [Stage::Queued, Stage::Running, Stage::Done(Verdict::Success)] {
        world.flagged(stage).await;
        let before = world.statuses();
        world.flagged(stage).await;
        assert_eq!(world.statuses(), before, "{stage:?}");
    }
}

#[tokio::test]
async fn a_commit_that_is_not_fetched_yet_is_tried_again() {
    let world = World::new().await;
    world.gitlab.hide_commit(PROJECT, HEAD).unwrap();
    let report = world.at(Stage::Queued);
    let failure = world.tell(&report).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    assert!(chain(&failure).contains("Commit Not Found"), "{}", chain(&failure));
    world.gitlab.reveal_commit(PROJECT, HEAD).unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.statuses().len(), 1);
}

#[tokio::test]
async fn of_a_fork_the_status_stands_where_the_merge_request_shows_it_if_we_may() {
    let world = World::with(Some(FORK)).await;
    world.gitlab.set_access(FORK, "pointsman", DEVELOPER).unwrap();
    world.flagged(Stage::Queued).await;
    assert!(world.statuses().is_empty());
    insta::assert_snapshot!(outline(&world.gitlab.statuses(FORK, HEAD)), @r#"blades pointsman/tests pending "tests: queued" https://ci.example/job/tests/7/"#);
}

#[tokio::test]
async fn of_a_fork_that_is_not_ours_the_status_stands_in_the_project() {
    for is_private in [false, true] {
        let world = World::with(Some(FORK)).await;
        if is_private {
            world.gitlab.make_private(FORK).unwrap();
        }
        world.flagged(Stage::Queued).await;
        let seen = world.flagged(Stage::Done(Verdict::Success)).await;
        assert!(world.gitlab.statuses(FORK, HEAD).is_empty());
        insta::allow_duplicates! {
            insta::assert_snapshot!(seen, @r#"refs/merge-requests/1/head pointsman/tests success "tests: success" https://ci.example/job/tests/7/"#);
        }
    }
}

#[tokio::test]
async fn of_a_fork_that_is_gone_the_status_stands_in_the_project() {
    let world = World::with(Some(FORK)).await;
    world.gitlab.remove_project(FORK);
    let seen = world.flagged(Stage::Queued).await;
    assert!(seen.starts_with("refs/merge-requests/1/head "), "{seen}");
}

#[tokio::test]
async fn a_status_joins_the_pipeline_that_the_merge_request_shows() {
    let world = World::new().await;
    world.flagged(Stage::Queued).await;
    // GitLab CI starts its own meanwhile; what was begun beside it is not left open.
    world.gitlab.start_pipeline(PROJECT, HEAD, "refs/merge-requests/1/head").unwrap();
    world.flagged(Stage::Running).await;
    let seen = world.flagged(Stage::Done(Verdict::Success)).await;
    insta::assert_snapshot!(seen, @r#"
    refs/merge-requests/1/head pointsman/tests success "tests: success" https://ci.example/job/tests/7/
    blades pointsman/tests success "tests: success" https://ci.example/job/tests/7/
    "#);
}

#[tokio::test]
async fn a_branch_has_a_status_too() {
    let world = World::new().await;
    let other = "b".repeat(40);
    for branch in ["main", "release/2.0"] {
        world.gitlab.push_branch((PROJECT, branch), "grace", Some(&other)).await.unwrap();
    }
    let mut report = world.at(Stage::Running);
    report.revision.clone_from(&other);
    report.subject.kind = SubjectKind::Branch;
    report.subject.name = Some("release/2.0".to_owned());
    world.tell(&report).await.unwrap();
    let seen = outline(&world.gitlab.statuses(PROJECT, &other));
    insta::assert_snapshot!(seen, @r#"release/2.0 pointsman/tests running "tests: running" https://ci.example/job/tests/7/"#);
}

#[tokio::test]
async fn what_is_too_long_or_odd_is_made_to_fit() {
    let world = World::new().await;
    let mut report = world.at(Stage::Done(Verdict::Error));
    report.text = "x\n".repeat(5_000);
    report.rule = "r".repeat(300);
    let long = format!("https://ci.example/{}", "x".repeat(300));
    for url in [None, Some(long.as_str()), Some("javascript:alert(1)"), Some("")] {
        report.url = url.map(str::to_owned);
        world.tell(&report).await.unwrap();
        let statuses = world.statuses();
        let [status] = statuses.as_slice() else { panic!("{statuses:?}") };
        assert_eq!(status.target_url, None);
        let words = status.description.as_deref().unwrap();
        assert_eq!((words.chars().count(), status.name.chars().count()), (255, 255));
        assert!(words.starts_with("error: x x"), "{words}");
    }
}

#[tokio::test]
async fn the_status_of_somebody_else_is_not_ours() {
    let world = World::new().await;
    world.gitlab.add_token("glpat-other", "grace");
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "glpat-other").unwrap();
    let settings = settings(&world.gitlab, file);
    let clock = Clock::manual(world.hand.clone());
    let other = GitLab::new("other", "forge.example".to_owned(), &settings, clock).unwrap();
    other.tell(&world.at(Stage::Queued), Try::First).await.unwrap();
    let seen = world.flagged(Stage::Queued).await;
    insta::assert_snapshot!(seen, @r#"blades pointsman/tests pending "tests: queued" https://ci.example/job/tests/7/"#);
}

#[tokio::test]
async fn the_status_of_another_branch_with_the_commit_is_left_alone() {
    let world = World::new().await;
    let mut main = world.at(Stage::Running);
    main.subject.kind = SubjectKind::Branch;
    main.subject.name = Some("main".to_owned());
    world.tell(&main).await.unwrap();
    world.flagged(Stage::Queued).await;
    let seen = world.flagged(Stage::Done(Verdict::Success)).await;
    insta::assert_snapshot!(seen, @r#"
    main pointsman/tests running "tests: running" https://ci.example/job/tests/7/
    blades pointsman/tests success "tests: success" https://ci.example/job/tests/7/
    "#);
}
