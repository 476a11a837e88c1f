use super::*;
use crate::action::{Form, Part, Report, Stage};
use crate::executors::Try;
use crate::reporters::Reporter;
use crate::reporters::contract::series::{about, notice_about};
use crate::reporters::contract::{Bench, Weather, pull_request};
use crate::sandbox::patchwork::{Check, Mood};
use crate::subject::{RunId, Verdict};

/// A series of three patches, and somebody who reports on it.
struct Desk {
    world: World,
    reporter: Patchwork,
    posted: Posted,
    report: Report,
}

impl Desk {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut PatchworkSettings)) -> Self {
        let mut world = World::with(change).await;
        world.told().await;
        let posted = world.post(&series("first", 3));
        let of = world.told().await.remove(0);
        let mut report = about(Form::Flag);
        report.text = "tests: success".to_owned();
        report.series.as_mut().unwrap().of = of;
        let reporter = Patchwork::new("main", &world.settings, world.clock()).unwrap();
        Self { world, reporter, posted, report }
    }

    /// The same reporter, that has forgotten what it knew.
    fn restart(&mut self) {
        self.reporter = Patchwork::new("main", &self.world.settings, self.world.clock()).unwrap();
    }

    async fn tell(&self, report: &Report) {
        self.reporter.tell(report, Try::First).await.unwrap();
    }

    async fn tells(&self, stage: Stage) {
        self.tell(&Report { stage, ..self.report.clone() }).await;
    }

    async fn fails(&self, report: &Report) -> String {
        failure(self.reporter.tell(report, Try::First).await)
    }

    fn checks(&self, patch: usize) -> Vec<Check> {
        self.world.stand_in.checks(self.posted.patches[patch - 1])
    }

    /// All checks, a line each.
    fn shown(&self) -> String {
        let mut lines = Vec::new();
        for patch in 1..=self.posted.patches.len() {
            for check in self.checks(patch) {
                let Check { state, context, description, target_url, .. } = check;
                let url = target_url.unwrap_or_else(|| "-".to_owned());
                lines.push(format!("{patch}: {context} {state}: {description} <{url}>"));
            }
        }
        lines.join("\n")
    }
}

#[tokio::test]
async fn a_check_keeps_the_promises_of_a_report() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::Last).await;
    let stand_in = &desk.world.stand_in;
    let weather = |weather| match weather {
        Weather::Fair => stand_in.set_mood(Mood::Normal),
        Weather::LosesAnswer => stand_in.lose_answers(1),
        Weather::TooMany => stand_in.set_mood(Mood::TooMany { retry_after: 7 }),
        Weather::Broken => stand_in.set_mood(Mood::Failing(502)),
        Weather::Refuses => stand_in.set_mood(Mood::Failing(401)),
    };
    let seen = || desk.checks(3).into_iter().map(|check| check.description).collect();
    let report = Report { text: format!("tests\n\n{}", desk.report.marker), ..desk.report.clone() };
    let bench = Bench { reporter: &desk.reporter, report, weather: &weather, seen: &seen };
    bench.keeps_its_promises().await;
}

#[tokio::test]
async fn a_check_follows_its_run() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    for stage in [
        Stage::Held,
        Stage::Queued,
        Stage::Running,
        Stage::Done(Verdict::Unstable),
        Stage::Done(Verdict::Error),
        Stage::Done(Verdict::Cancelled),
        Stage::Done(Verdict::Skipped),
        Stage::Done(Verdict::Conflict),
        Stage::Done(Verdict::Failure),
        Stage::Done(Verdict::Success),
    ] {
        let text = format!("tests: {}", stage.as_str());
        desk.tell(&Report { stage, text, ..desk.report.clone() }).await;
    }
    insta::assert_snapshot!(desk.shown(), @r#"
    1: pointsman-tests pending: tests: held, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests pending: tests: queued, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests pending: tests: running, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests warning: tests: unstable, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests warning: tests: error, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests warning: tests: cancelled, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests success: tests: skipped, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests fail: tests: conflict, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests fail: tests: failure, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    1: pointsman-tests success: tests: success, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    "#);
}

#[tokio::test]
async fn every_patch_gets_a_check_or_one() {
    let desk = Desk::new().await;
    desk.tells(Stage::Done(Verdict::Success)).await;
    insta::assert_snapshot!(desk.shown(), @r#"
    1: pointsman-tests success: tests: success, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    2: pointsman-tests success: tests: success, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    3: pointsman-tests success: tests: success, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    "#);
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::Last).await;
    desk.tells(Stage::Queued).await;
    insta::assert_snapshot!(desk.shown(), @"3: pointsman-tests pending: tests: success, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>");
}

#[tokio::test]
async fn a_build_of_one_patch_is_a_check_of_its_own_there() {
    let desk = Desk::new().await;
    let mut report = desk.report.clone();
    report.series.as_mut().unwrap().patch = Some(2);
    desk.tell(&report).await;
    let mut report = Report { stage: Stage::Done(Verdict::Conflict), ..desk.report.clone() };
    let about = report.series.as_mut().unwrap();
    (about.part, about.branch) = (Part::Apply, None);
    (report.rule, report.text) = ("git.linux".to_owned(), "git.linux: does not apply".to_owned());
    desk.tell(&report).await;
    insta::assert_snapshot!(desk.shown(), @r#"
    1: pointsman-git-linux fail: conflict: git.linux: does not apply (run 58d136d1) <https://ci.example/job/tests/7/>
    2: pointsman-tests-patch success: tests: success, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    2: pointsman-git-linux fail: conflict: git.linux: does not apply (run 58d136d1) <https://ci.example/job/tests/7/>
    3: pointsman-git-linux fail: conflict: git.linux: does not apply (run 58d136d1) <https://ci.example/job/tests/7/>
    "#);
}

#[tokio::test]
async fn the_patch_at_fault_is_blamed() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::Last).await;
    let mut report = Report {
        stage: Stage::Done(Verdict::Failure),
        text: "tests: failed".to_owned(),
        ..desk.report.clone()
    };
    report.series.as_mut().unwrap().blamed = Some(2);
    desk.tell(&report).await;
    insta::assert_snapshot!(desk.shown(), @r#"
    2: pointsman-tests fail: tests: failed, broken by this patch, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    3: pointsman-tests fail: tests: failed, broken by patch 2/3, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>
    "#);
}

#[tokio::test]
async fn what_was_broken_before_is_no_fault_of_the_series() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    let mut report = Report {
        stage: Stage::Done(Verdict::Failure),
        text: "tests: failed".to_owned(),
        ..desk.report.clone()
    };
    report.series.as_mut().unwrap().was_broken = true;
    desk.tell(&report).await;
    insta::assert_snapshot!(desk.shown(), @"1: pointsman-tests warning: tests: failed, as it was before, on master bbbbbbbbbbbb (run 58d136d1) <https://ci.example/job/tests/7/>");
}

#[tokio::test]
async fn what_stands_is_not_said_again_on_whatever_page() {
    let mut desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    desk.world.stand_in.set_page_max(2);
    let mallory = desk.world.stand_in.add_user("mallory", "other");
    let check = |user, context: &str| Check {
        id: 0,
        user,
        state: "fail".to_owned(),
        context: context.to_owned(),
        description: "tests: failed".to_owned(),
        target_url: None,
    };
    desk.tells(Stage::Done(Verdict::Success)).await;
    for number in 0..7 {
        let check = check(mallory, &format!("other-{number}"));
        desk.world.stand_in.add_check(desk.posted.patches[0], &check);
    }
    desk.restart();
    desk.tells(Stage::Done(Verdict::Success)).await;
    assert_eq!(desk.checks(1).len(), 8);
    // It is said again once something else was said in between.
    desk.tell(&Report { text: "tests: other".to_owned(), ..desk.report.clone() }).await;
    desk.tells(Stage::Done(Verdict::Success)).await;
    assert_eq!(desk.checks(1).len(), 10);
}

#[tokio::test]
async fn what_others_say_in_our_words_counts_for_nothing() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    desk.tells(Stage::Done(Verdict::Success)).await;
    let ours = desk.checks(1).remove(0);
    let mut report = desk.report.clone();
    report.rule = "other".to_owned();
    let mallory = desk.world.stand_in.add_user("mallory", "other");
    let context = "pointsman-other".to_owned();
    let theirs = Check { user: mallory, context, ..ours };
    desk.world.stand_in.add_check(desk.posted.patches[0], &theirs);
    desk.tell(&report).await;
    let own = |check: &&Check| check.context == "pointsman-other" && check.user != mallory;
    assert_eq!(desk.checks(1).iter().filter(own).count(), 1);
}

#[tokio::test]
async fn a_run_that_has_ended_does_not_wait_again() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    desk.tells(Stage::Done(Verdict::Failure)).await;
    desk.tells(Stage::Running).await;
    assert_eq!(desk.checks(1).len(), 1);
    let run = RunId::of(&desk.report.subject, "v1", "tests", 2);
    desk.tell(&Report { run, stage: Stage::Running, ..desk.report.clone() }).await;
    assert_eq!(desk.checks(1).last().unwrap().state, "pending");
}

#[tokio::test]
async fn half_a_report_is_finished_and_nothing_is_doubled() {
    let desk = Desk::new().await;
    let place = format!("/patches/{}/checks", desk.posted.patches[2]);
    desk.world.stand_in.set_broken(&place, 503);
    let failed = desk.fails(&desk.report).await;
    let patch = desk.posted.patches[2].to_string();
    insta::assert_snapshot!(failed.replace(&patch, "N"), @"temporary failure: cannot read the checks on patch N: Sorry: 503 Service Unavailable");
    desk.world.stand_in.set_broken(&place, 0);
    desk.reporter.tell(&desk.report, Try::Again).await.unwrap();
    let counts: Vec<_> = (1..=3).map(|patch| desk.checks(patch).len()).collect();
    assert_eq!(counts, [1, 1, 1]);
}

#[tokio::test]
async fn a_page_that_patchwork_refuses_is_left_out() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    let long = format!("https://ci.example/{}", "x".repeat(300));
    for url in [Some(long), Some("http://jenkins:8080/".to_owned()), None] {
        let rule = format!("rule-{}", url.as_deref().unwrap_or_default().len());
        desk.tell(&Report { rule, url, ..desk.report.clone() }).await;
    }
    assert!(desk.checks(1).iter().all(|check| check.target_url.is_none()));
    assert_eq!(desk.checks(1).len(), 3);
}

#[tokio::test]
async fn a_refusal_says_what_is_missing() {
    let mut desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    let patch = desk.posted.patches[0].to_string();
    desk.world.stand_in.set_maintainer(PROJECT, "pointsman", false);
    insta::assert_snapshot!(desk.fails(&desk.report).await.replace(&patch, "N"), @"permanent failure: cannot make a check on patch N of `signalbox-devel`: our account has to be a maintainer of the project: You do not have permission to perform this action (see `patchwork.main.token`): 403 Forbidden");
    desk.world.settings.token = None;
    desk.restart();
    insta::assert_snapshot!(desk.fails(&desk.report).await, @"permanent failure: cannot make a check: there is no `patchwork.main.token`");
}

#[tokio::test]
async fn who_may_check_without_maintaining_may_check() {
    let desk = Desk::with(|settings| settings.checks_on = ChecksOn::First).await;
    desk.world.stand_in.set_maintainer(PROJECT, "pointsman", false);
    desk.world.stand_in.link_person(ADA, "pointsman");
    desk.tells(Stage::Done(Verdict::Success)).await;
    // Who we are is known from what was made.
    desk.tells(Stage::Done(Verdict::Success)).await;
    assert_eq!(desk.checks(1).len(), 1);
}

#[tokio::test]
async fn what_is_no_check_has_no_place() {
    let desk = Desk::new().await;
    let subject = pull_request("patches.example", PROJECT, 7);
    let report = Report { series: None, subject, ..desk.report.clone() };
    insta::assert_snapshot!(desk.fails(&report).await, @"permanent failure: `patches.example/signalbox-devel#7` is no series, and has no place on Patchwork");
    let report = Report { form: Form::Comment, ..desk.report.clone() };
    insta::assert_snapshot!(desk.fails(&report).await, @"permanent failure: Patchwork has checks, but takes no words from programs");
    let notified = desk.reporter.notify(&notice_about("pointsman-x"), Try::First).await;
    insta::assert_snapshot!(failure(notified), @"permanent failure: Patchwork has checks, but takes no words from programs");
    let mut report = desk.report.clone();
    report.series.as_mut().unwrap().patch = Some(9);
    insta::assert_snapshot!(desk.fails(&report).await, @"permanent failure: patch 9 of 3 has no number at Patchwork");
}
