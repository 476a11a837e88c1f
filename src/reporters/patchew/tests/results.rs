use super::*;
use crate::action::{AboutSeries, Part, Report, Stage};
use crate::event::EventKind;
use crate::reporters::contract::series::{about, branch};
use crate::reporters::contract::{Bench, Weather};
use crate::subject::Verdict;

/// A report about a series that is posted and, as far as the Patchew knows, on a branch.
pub(super) fn report_on(world: &World, stem: &str) -> Report {
    let series = world.series(stem, 2);
    world.patchew.post(&series);
    world.patchew.set_applied(PROJECT, &series.root(), "https://git.example/x", "refs/heads/x");
    report_of(&series)
}

fn report_of(series: &NewSeries) -> Report {
    let mut report = about(Form::Flag);
    report.rule = "asan".to_owned();
    let of = report.series.as_deref_mut().unwrap();
    of.of.instance = INSTANCE.to_owned();
    of.of.project = PROJECT.to_owned();
    of.of.series.id = series.root();
    of.of.series.root = series.root();
    report
}

fn of(report: &mut Report) -> &mut AboutSeries {
    report.series.as_deref_mut().unwrap()
}

/// The results as they stand, in short.
fn seen(world: &World, report: &Report) -> String {
    let root = report.series.as_deref().unwrap().of.series.root.clone();
    let results = world.patchew.results(PROJECT, Some(&root));
    let lines = results.into_iter().map(|result| {
        let log = result.log.replace(&report.marker, "…").replace('\n', "|");
        format!("{} {} {} {log}", result.name, result.status, result.data)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_result_keeps_the_promises_of_a_report() {
    let world = World::new().await;
    let report = report_on(&world, "contract");
    let root = report.series.as_deref().unwrap().of.series.root.clone();
    let weather = |weather| match weather {
        Weather::Fair => world.patchew.set_mood(Mood::Normal),
        Weather::LosesAnswer => world.patchew.lose_answers(1),
        Weather::TooMany => world.patchew.set_mood(Mood::TooMany { retry_after: 7 }),
        Weather::Broken => world.patchew.set_mood(Mood::Failing(502)),
        Weather::Refuses => world.patchew.set_mood(Mood::Failing(401)),
    };
    let results = || world.patchew.results(PROJECT, Some(&root)).into_iter();
    let seen = || results().map(|result| result.log).collect();
    let reporter = world.reporter();
    let bench = Bench { reporter: &reporter, report, weather: &weather, seen: &seen };
    bench.keeps_its_promises().await;
}

#[tokio::test]
async fn a_result_follows_its_run() {
    let world = World::new().await;
    let mut report = report_on(&world, "stages");
    let reporter = world.reporter();
    let mut lines = Vec::new();
    for stage in [
        Stage::Held,
        Stage::Queued,
        Stage::Running,
        Stage::Done(Verdict::Failure),
        Stage::Done(Verdict::Success),
        Stage::Done(Verdict::Unstable),
        Stage::Done(Verdict::Skipped),
        // Of these nothing is known: somebody else may try.
        Stage::Done(Verdict::Error),
        Stage::Done(Verdict::Cancelled),
    ] {
        report.stage = stage;
        reporter.tell(&report, Try::First).await.unwrap();
        let root = of(&mut report).of.series.root.clone();
        lines.push(world.patchew.status(PROJECT, Some(&root), "testing.asan"));
    }
    insta::assert_snapshot!(lines.join(" "), @"pending running running failure success failure success pending pending");
}

#[tokio::test]
async fn a_result_says_what_was_built_and_where_to_look() {
    let world = World::new().await;
    let mut report = report_on(&world, "words");
    let reporter = world.reporter();
    reporter.tell(&report, Try::First).await.unwrap();
    insta::assert_snapshot!(seen(&world, &report).lines().last().unwrap(), @r#"testing.asan success {"head":"refs/heads/pointsman/main/12/v2","is_timeout":false,"tester":"bus-1"} **tests**: success||…|https://ci.example/job/tests/7/"#);

    // What its base fails, too, is not its fault: that is the first thing that is said.
    report.stage = Stage::Done(Verdict::Failure);
    of(&mut report).was_broken = true;
    reporter.tell(&report, Try::First).await.unwrap();
    let line = seen(&world, &report);
    assert!(line.contains("Broken before this series: the same fails on its base.|"), "{line}");

    of(&mut report).was_broken = false;
    of(&mut report).blamed = Some(2);
    reporter.tell(&report, Try::First).await.unwrap();
    let line = seen(&world, &report);
    assert!(line.contains("} The first bad patch is number 2.|"), "{line}");

    // One patch has no result of its own, and does not replace that of all.
    let before = seen(&world, &report);
    of(&mut report).patch = Some(1);
    report.stage = Stage::Done(Verdict::Success);
    reporter.tell(&report, Try::First).await.unwrap();
    assert_eq!(seen(&world, &report), before);
}

#[tokio::test]
async fn being_on_a_branch_is_a_result_without_a_password_and_starts_the_tests() {
    let world = World::new().await;
    let series = world.series("applied", 2);
    world.patchew.post(&series);
    let mut report = report_of(&series);
    let url = "https://bot:SECRET0PUSH@git.example/points.git".to_owned();
    of(&mut report).branch = Some(crate::event::series::Branch { url, ..branch() });
    let reporter = world.reporter();

    // As long as nobody has said that, it has no results of tests.
    let failure = reporter.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    insta::assert_snapshot!(refusal(&failure), @"temporary failure: cannot set result `testing.asan` of `applied-0-ada@mail.example`: the series is on no branch yet, as far as Patchew knows");

    of(&mut report).part = Part::Apply;
    report.text = "applied".to_owned();
    for stage in [Stage::Queued, Stage::Running, Stage::Held, Stage::Done(Verdict::Error)] {
        report.stage = stage;
        reporter.tell(&report, Try::First).await.unwrap();
    }
    assert_eq!(world.patchew.status(PROJECT, Some(&series.root()), "git"), "pending");
    assert_eq!(world.patchew.logins(), 1);
    report.stage = Stage::Done(Verdict::Success);
    reporter.tell(&report, Try::First).await.unwrap();
    insta::assert_snapshot!(seen(&world, &report), @r#"
    git success {"base":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","repo":"https://git.example/points.git","tag":"refs/heads/pointsman/main/12/v2"} applied|https://ci.example/job/tests/7/
    testing.asan pending {} 
    "#);
}

#[tokio::test]
async fn not_applying_is_a_result_of_its_own() {
    let world = World::new().await;
    let series = world.series("conflict", 2);
    world.patchew.post(&series);
    let mut report = report_of(&series);
    let about = of(&mut report);
    about.part = Part::Apply;
    about.branch = None;
    report.stage = Stage::Done(Verdict::Conflict);
    report.text = "It does not apply to `main`.".to_owned();
    report.url = None;
    world.reporter().tell(&report, Try::First).await.unwrap();
    insta::assert_snapshot!(seen(&world, &report), @"git failure {} It does not apply to `main`.");
}

#[tokio::test]
async fn a_test_that_the_project_does_not_define_is_given_up() {
    let world = World::new().await;
    let mut report = report_on(&world, "undefined");
    report.rule = "kvm/x".to_owned();
    let reporter = world.reporter();
    let failure = reporter.tell(&report, Try::First).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot set result `testing.kvm/x` of `undefined-0-ada@mail.example`: there is none, and none can be made: the project has to define the test `kvm/x` first");
    assert!(matches!(failure, Failure::GiveUp(_)));
    report.rule = "asan".to_owned();
    of(&mut report).of.series.root = "nowhere@x".to_owned();
    let failure = reporter.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot set result `testing.asan` of `undefined-0-ada@mail.example`: there is no such series (its Message-ID may have a slash in it)");
}

#[tokio::test]
async fn words_that_are_too_long_are_shortened_and_not_for_ever() {
    let world = World::new().await;
    let mut report = report_on(&world, "long");
    report.text = "ü".repeat(100_000);
    let reporter = world.reporter();
    world.patchew.set_request_max(2_000);
    reporter.tell(&report, Try::First).await.unwrap();
    let root = of(&mut report).of.series.root.clone();
    let log = world.patchew.results(PROJECT, Some(&root)).pop().unwrap().log;
    assert_eq!(log, "ü".repeat(819));
    // Not even a login fits.
    world.patchew.set_request_max(100);
    world.patchew.take_calls();
    let failure = reporter.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    assert_eq!(world.patchew.take_calls().len(), 5);
}

#[tokio::test]
async fn a_test_that_was_handed_out_is_told_by_its_own_name() {
    let world = World::new().await;
    let mut report = report_on(&world, "handed");
    report.rule = "some-rule".to_owned();
    let about = of(&mut report);
    about.branch = None;
    about.of.event = EventKind::SeriesTest;
    about.of.test = Some(crate::event::series::TestRequest {
        name: "asan".to_owned(),
        repo: "https://git.example/x".to_owned(),
        head: "refs/tags/patchew/x".to_owned(),
        base: None,
        timeout: None,
        requirements: None,
        handed_at: None,
    });
    let reporter = world.reporter();
    // It stays ours while it is held: given back, it would be handed out again at once.
    for (stage, status) in [(Stage::Held, "running"), (Stage::Done(Verdict::Success), "success")] {
        report.stage = stage;
        reporter.tell(&report, Try::First).await.unwrap();
        let line = seen(&world, &report);
        let start = format!(r#"testing.asan {status} {{"head":"refs/tags/patchew/x""#);
        assert!(line.contains(&start), "{line}");
    }
}
