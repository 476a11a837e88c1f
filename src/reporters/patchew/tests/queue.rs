use super::*;
use crate::action::{Part, Report, Stage};
use crate::event::Event;
use crate::reporters::contract::series::about;
use crate::subject::Verdict;

async fn world(role: Role) -> World {
    let mut world = World::new().await;
    world.settings.roles = vec![role];
    world
}

/// A report about what was heard.
fn report(event: &SeriesEvent, part: Part) -> Report {
    let mut report = about(Form::Flag);
    report.stage = Stage::Done(Verdict::Success);
    let about = report.series.as_deref_mut().unwrap();
    about.of = event.clone();
    about.part = part;
    report
}

#[tokio::test]
async fn what_waits_to_be_put_on_a_branch_is_told_once() {
    let mut world = world(Role::Applier).await;
    world.patchew.post(&world.series("a", 2));
    world.patchew.post_some(&world.series("half", 2), &[0, 1]);
    let look = world.look().await;
    insta::assert_snapshot!(lines(&look), @"series.posted a-0-ada@mail.example v1 2");
    // Where it is pushed to, and by which password, is nobody's business.
    let told = format!("{look:?}");
    assert!(!told.contains("pushurl") && !told.contains("SECRET0PUSH"), "{told}");
    assert_eq!(world.hear().await, "");

    let event = events(&look).remove(0);
    world.reporter().tell(&report(&event, Part::Apply), Try::First).await.unwrap();
    assert_eq!(world.patchew.status(PROJECT, Some(&event.series.root), "git"), "success");
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn what_is_to_be_put_on_a_branch_again_is_asked_for_by_nobody_known() {
    let mut world = world(Role::Applier).await;
    world.patchew.post(&world.series("a", 1));
    let event = events(&world.look().await).remove(0);
    world.patchew.set_applied(PROJECT, &event.series.root, "https://git.example/x", "refs/x");
    assert_eq!(world.hear().await, "");
    // New tags change no code.
    world.patchew.update_tags(PROJECT, &event.series.root);
    assert_eq!(world.hear().await, "");
    world.patchew.set_applied(PROJECT, &event.series.root, "https://git.example/x", "refs/x");
    assert_eq!(world.hear().await, "");
    world.pass(1);
    world.patchew.reset_git(PROJECT, &event.series.root);
    let again = events(&world.look().await).remove(0);
    let request = again.request.unwrap();
    assert_eq!(again.event.to_string(), "series.recheck");
    assert_eq!(
        (request.by.email.as_str(), request.by.vouched, request.rebase),
        ("git-reset", false, true)
    );
    insta::assert_snapshot!(request.id, @"git-reset/2026-11-20T08:01:00.000000");
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn only_what_is_pushed_where_we_push_is_taken() {
    let mut world = world(Role::Applier).await;
    world.patchew.add_project("Elsewhere", &[]);
    world.patchew.set_mirror("Elsewhere", "ssh://git@other.example/x");
    let other = NewSeries { project: "Elsewhere".to_owned(), ..world.series("b", 1) };
    world.patchew.post(&other);
    world.patchew.post(&world.series("a", 1));
    // It is none of our projects.
    insta::assert_snapshot!(world.hear().await, @"series.posted a-0-ada@mail.example v1 1");
    world.cursor = None;
    world.settings.projects.push("Elsewhere".to_owned());
    world.settings.target_repo = Some("ssh://git@other.example/".to_owned());
    insta::assert_snapshot!(world.hear().await, @"series.posted b-0-ada@mail.example v1 1");
}

#[tokio::test]
async fn a_queue_that_is_longer_than_a_page_is_read_to_its_end() {
    let mut world = world(Role::Applier).await;
    for number in 0..60 {
        world.patchew.post(&world.series(&format!("s{number:02}"), 1));
    }
    let look = world.look().await;
    assert_eq!((look.messages.len(), look.has_more), (50, true));
    let look = world.look().await;
    assert_eq!((look.messages.len(), look.has_more), (10, false));
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn what_waits_and_cannot_be_read_is_told_later_and_keeps_no_other_waiting() {
    let mut world = world(Role::Applier).await;
    for number in 0..50 {
        world.patchew.post(&world.series(&format!("stuck-{number:02}"), 1));
    }
    world.patchew.post(&world.series("a", 1));
    world.patchew.refuse(Some(("series/stuck-", 404)));
    let look = world.look().await;
    // The last was not asked for yet.
    assert_eq!((look.messages.len(), look.has_more), (0, true));
    insta::assert_snapshot!(world.hear().await, @"series.posted a-0-ada@mail.example v1 1");
    assert!(!world.look().await.has_more);
    world.patchew.refuse(None);
    assert_eq!(world.look().await.messages.len(), 50);
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_queue_goes_on_behind_what_is_refused() {
    let mut world = world(Role::Applier).await;
    for number in 0..4 {
        world.patchew.post(&world.series(&format!("stuck-{number}"), 1));
    }
    world.patchew.post(&world.series("a", 1));
    world.patchew.refuse(Some(("series/stuck-", 500)));
    assert_eq!(world.hear().await, "");
    insta::assert_snapshot!(world.hear().await, @"series.posted a-0-ada@mail.example v1 1");
    world.patchew.refuse(None);
    assert_eq!(world.look().await.messages.len(), 4);
}

#[tokio::test]
async fn whoever_may_not_apply_is_told_so() {
    let mut world = world(Role::Applier).await;
    world.patchew.add_user("pointsman", PASSWORD, &["testers"]);
    let failure = world.try_to_look().await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot list what is unapplied: You do not have permission to perform this action.: 403 Forbidden");
}

/// A world with a series that is on a branch, and whose tests wait to be run.
async fn to_be_tested() -> (World, String) {
    let world = world(Role::Tester).await;
    let series = world.series("a", 1);
    world.patchew.post(&series);
    let repo = "https://bot:SECRET0PUSH@git.example/public";
    world.patchew.set_applied(PROJECT, &series.root(), repo, "refs/tags/patchew/a");
    (world, series.root())
}

#[tokio::test]
async fn a_test_is_taken_for_an_hour_and_told_again_where_it_is_given_again() {
    let (mut world, root) = to_be_tested().await;
    let look = world.look().await;
    insta::assert_snapshot!(lines(&look), @"series.test a-0-ada@mail.example v1 1 asan https://git.example/public refs/tags/patchew/a");
    assert_eq!(world.patchew.status(PROJECT, Some(&root), "testing.asan"), "running");
    let first = events(&look).remove(0);
    assert_eq!(world.hear().await, "");
    world.pass(61);
    // We were down meanwhile, or the build takes longer: whether it goes on is for the rules to see.
    let event = events(&world.look().await).remove(0);
    assert_ne!(
        Event::Series(Box::new(event.clone())).identity(),
        Event::Series(Box::new(first)).identity()
    );
    world.reporter().tell(&report(&event, Part::Build), Try::First).await.unwrap();
    assert_eq!(world.patchew.status(PROJECT, Some(&root), "testing.asan"), "success");
    world.pass(61);
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn only_tests_that_our_machines_can_run_are_taken() {
    let (mut world, _) = to_be_tested().await;
    let kvm =
        Test { requirements: "kvm, x86".to_owned(), timeout: Some(3600), ..Test::named("kvm") };
    world.patchew.add_project("Kvm", &[kvm]);
    world.settings.projects = vec!["Kvm".to_owned()];
    let series = NewSeries { project: "Kvm".to_owned(), ..world.series("k", 1) };
    world.patchew.post(&series);
    world.patchew.set_applied("Kvm", &series.root(), "https://git.example/k", "refs/tags/k");
    world.settings.capabilities = vec!["kvm".to_owned()];
    assert_eq!(world.hear().await, "");
    world.settings.capabilities.push("x86".to_owned());
    let event = events(&world.look().await).remove(0);
    insta::assert_yaml_snapshot!(event.test, @r#"
    name: kvm
    repo: "https://git.example/k"
    head: refs/tags/k
    base: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    timeout: 3600
    requirements: "kvm, x86"
    handed_at: "2026-11-20T08:00:00Z"
    "#);
}

#[tokio::test]
async fn a_projects_own_branch_is_a_series_without_patches() {
    let mut world = world(Role::Tester).await;
    let sha = "c".repeat(40);
    world.patchew.set_head(PROJECT, &sha);
    let event = events(&world.look().await).remove(0);
    assert!(super::super::queue::is_baseline(&event));
    insta::assert_snapshot!(event.subject().key(), @"patchew.example/Signalbox Points/series/HEAD-cccccccccccccccccccccccccccccccccccccccc");
    let test = event.test.clone().unwrap();
    assert_eq!((test.repo.as_str(), &test.head), ("https://git.example/points.git", &sha));
    assert_eq!(event.series.submitter.email, "HEAD");
    event.clone().told().unwrap();

    let mut told = report(&event, Part::Build);
    told.stage = Stage::Done(Verdict::Failure);
    world.reporter().tell(&told, Try::First).await.unwrap();
    assert_eq!(world.patchew.status(PROJECT, None, "testing.asan"), "failure");
    // The next commit is another one.
    world.patchew.set_head(PROJECT, &"d".repeat(40));
    assert_ne!(events(&world.look().await).remove(0).subject(), event.subject());
}

#[tokio::test]
async fn a_test_whose_series_cannot_be_read_now_is_not_lost() {
    let (mut world, _) = to_be_tested().await;
    // The login, the redirection, the test, both again for no more tests, and the project.
    world.patchew.set_mood(Mood::FailingAfter(6));
    assert_eq!(world.hear().await, "");
    world.patchew.set_mood(Mood::Normal);
    insta::assert_snapshot!(world.hear().await, @"series.test a-0-ada@mail.example v1 1 asan https://git.example/public refs/tags/patchew/a");
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_test_that_was_given_to_us_is_not_lost_with_the_look_that_took_it() {
    let (mut world, _) = to_be_tested().await;
    // The login, the redirection, and the test: what is asked after that fails.
    world.patchew.set_mood(Mood::FailingAfter(3));
    assert_eq!(world.try_to_look().await.map(|look| look.messages.len()).unwrap(), 0);
    world.patchew.set_mood(Mood::Normal);
    insta::assert_snapshot!(world.hear().await, @"series.test a-0-ada@mail.example v1 1 asan https://git.example/public refs/tags/patchew/a");
}

#[tokio::test]
async fn nobody_can_send_a_mail_as_the_project_or_the_button() {
    let mut world = World::new().await;
    world.hear().await;
    for (stem, email) in [("a", "HEAD"), ("b", "git-reset")] {
        let series = NewSeries { email: email.to_owned(), ..world.series(stem, 1) };
        world.patchew.post(&series);
    }
    let look = world.look().await;
    let senders: Vec<_> = events(&look).into_iter().map(|it| it.series.submitter.email).collect();
    assert_eq!(senders, ["", ""]);
}

#[tokio::test]
async fn another_host_is_not_followed_with_our_token() {
    let world = world(Role::Tester).await;
    let evil = PatchewStandIn::start(Options::default()).await.unwrap();
    world.patchew.redirect_to(&evil.url());
    let mut world = world;
    let failure = world.try_to_look().await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot ask for a test of `Signalbox Points`: it sends us elsewhere, and we do not go");
    assert!(evil.take_calls().is_empty());
}
