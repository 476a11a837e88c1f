use super::*;
use crate::action::{AboutSeries, Part, Stage};
use crate::reporters::contract::series::{about, notice_about};
use crate::reporters::contract::{Bench, Weather};
use crate::subject::Verdict;

/// A report about a series that is posted.
async fn report_on(world: &mut World) -> Report {
    world.hear().await;
    world.patchwork.post(&world.series("told", 2));
    let mut report = about(Form::Flag);
    of(&mut report).of = events(&world.look().await).remove(0);
    report
}

fn of(report: &mut Report) -> &mut AboutSeries {
    report.series.as_deref_mut().unwrap()
}

fn seen(world: &World) -> String {
    let results = world.patchwork.results().into_iter();
    let lines = results.map(|kept| {
        let summary = kept.summary.lines().next().unwrap_or_default().to_owned();
        format!("{} {} {} {} {summary}", kept.of, kept.name, kept.state, kept.url)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_result_keeps_the_promises_of_a_report() {
    let mut world = World::new().await;
    let report = report_on(&mut world).await;
    let weather = |weather| match weather {
        Weather::Fair => world.patchwork.set_mood(Mood::Normal),
        Weather::LosesAnswer => world.patchwork.lose_answers(1),
        Weather::TooMany => world.patchwork.set_mood(Mood::TooMany { retry_after: 7 }),
        Weather::Broken => world.patchwork.set_mood(Mood::Failing(502)),
        Weather::Refuses => world.patchwork.set_mood(Mood::Failing(401)),
    };
    let seen = || world.patchwork.results().into_iter().map(|kept| kept.summary).collect();
    let freedesktop = world.freedesktop();
    let bench = Bench { reporter: &freedesktop, report, weather: &weather, seen: &seen };
    bench.keeps_its_promises().await;
}

#[tokio::test]
async fn a_result_follows_its_run_and_a_broken_base_is_a_warning() {
    let mut world = World::new().await;
    let mut report = report_on(&mut world).await;
    let freedesktop = world.freedesktop();
    let mut lines = Vec::new();
    for (stage, was_broken) in [
        (Stage::Held, false),
        (Stage::Running, false),
        (Stage::Done(Verdict::Failure), false),
        (Stage::Done(Verdict::Failure), true),
        (Stage::Done(Verdict::Unstable), false),
        (Stage::Done(Verdict::Error), false),
        (Stage::Done(Verdict::Cancelled), false),
        (Stage::Done(Verdict::Success), true),
    ] {
        report.stage = stage;
        report.text = "words".to_owned();
        of(&mut report).was_broken = was_broken;
        freedesktop.tell(&report, Try::First).await.unwrap();
        lines.push(seen(&world));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    series/1/1 bus/tests pending https://ci.example/job/tests/7/ words
    series/1/1 bus/tests pending https://ci.example/job/tests/7/ words
    series/1/1 bus/tests failure https://ci.example/job/tests/7/ words
    series/1/1 bus/tests warning https://ci.example/job/tests/7/ Broken before this series: the same fails on its base.
    series/1/1 bus/tests warning https://ci.example/job/tests/7/ words
    series/1/1 bus/tests warning https://ci.example/job/tests/7/ words
    series/1/1 bus/tests info https://ci.example/job/tests/7/ words
    series/1/1 bus/tests success https://ci.example/job/tests/7/ words
    ");
}

#[tokio::test]
async fn a_patch_and_the_branch_have_results_of_their_own() {
    let mut world = World::new().await;
    let mut report = report_on(&mut world).await;
    report.text = "words".to_owned();
    let freedesktop = world.freedesktop();
    freedesktop.tell(&report, Try::First).await.unwrap();
    of(&mut report).patch = Some(2);
    // A host of a single word is no address there.
    report.url = Some("http://jenkins:8080/job/x".to_owned());
    freedesktop.tell(&report, Try::First).await.unwrap();
    of(&mut report).patch = None;
    of(&mut report).part = Part::Apply;
    report.stage = Stage::Done(Verdict::Conflict);
    report.url = None;
    freedesktop.tell(&report, Try::First).await.unwrap();
    insta::assert_snapshot!(seen(&world), @r"
    series/1/1 bus/tests success https://ci.example/job/tests/7/ words
    patches/2 bus/tests success  words
    series/1/1 bus/tests.apply failure  words
    ");
    of(&mut report).patch = Some(3);
    let failure = freedesktop.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}

#[tokio::test]
async fn words_are_not_endless() {
    let mut world = World::new().await;
    let mut report = report_on(&mut world).await;
    report.text = "x".repeat(100_000);
    report.rule = "r".repeat(1_000);
    world.freedesktop().tell(&report, Try::First).await.unwrap();
    let kept = world.patchwork.results().remove(0);
    assert_eq!((kept.summary.chars().count(), kept.name.len()), (4_000, 255));
}

#[tokio::test]
async fn whoever_may_not_is_told_what_to_do() {
    let mut world = World::new().await;
    let report = report_on(&mut world).await;
    let mut seen = Vec::new();
    for (username, password) in [(Some("other"), "x"), (Some("grace"), PASSWORD), (None, "")] {
        world.patchwork.add_user("grace", PASSWORD, &[]);
        world.settings.username = username.map(str::to_owned);
        if password == "x" {
            world.patchwork.add_user("other", "another", &[]);
        }
        if username.is_none() {
            world.settings.password = None;
        }
        let failure = world.freedesktop().tell(&report, Try::First).await.unwrap_err();
        assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
        seen.push(refusal(&failure));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    permanent failure: cannot set result `bus/tests` of series 1: Invalid username/password (see `patchwork.fdo.password`): 401 Unauthorized
    permanent failure: our account has to be a maintainer of `signalbox-gfx`: cannot set result `bus/tests` of series 1: You do not have permission to perform this action (see `patchwork.fdo.password`): 403 Forbidden
    permanent failure: cannot set result `bus/tests` of series 1: there is no account: set `patchwork.fdo.username` and `patchwork.fdo.password`
    ");
}

#[tokio::test]
async fn what_has_no_place_there_is_given_up() {
    let mut world = World::new().await;
    let report = report_on(&mut world).await;
    let freedesktop = world.freedesktop();
    let mut other = report.clone();
    other.series = None;
    let mut hostile = report.clone();
    of(&mut hostile).of.series.id = "1/../../x".to_owned();
    let comment = Report { form: Form::Comment, ..report.clone() };
    let message = Report { form: Form::Message, ..report };
    for report in [other, hostile, comment, message] {
        let failure = freedesktop.tell(&report, Try::First).await.unwrap_err();
        assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    }
    let failure = freedesktop.notify(&notice_about("pointsman-1"), Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}

#[tokio::test]
async fn a_probe_says_what_is_wrong() {
    let mut world = World::new().await;
    let projects = [PROJECT, "typo"].map(str::to_owned);
    let mut seen = world.freedesktop().probe(&projects).await;
    world.settings.username = Some("nobody".to_owned());
    seen.extend(world.freedesktop().probe(&[]).await);
    world.patchwork.set_mood(Mood::Failing(503));
    seen.extend(world.freedesktop().probe(&projects).await);
    let lines = seen.into_iter().map(|(subject, problem)| {
        let problem = problem.unwrap_or_else(|| "fine".to_owned());
        format!("{subject}: {problem}")
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    the API: fine
    `patchwork.fdo.password`: fine
    project `signalbox-gfx`: fine
    project `typo`: there is no such project
    the API: fine
    `patchwork.fdo.password`: name or password is not right: 401 Unauthorized
    the API: it does not answer: 503 Service Unavailable
    ");
}
