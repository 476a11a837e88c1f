use super::*;
use crate::reporters::contract::{Bench, HOSTILE, Weather, notice};

impl World {
    /// Asks for all that is promised of a form.
    pub(super) async fn keeps_its_promises(&self, form: Form) {
        let weather = |weather| match weather {
            Weather::Fair => self.gitlab.set_mood(Mood::Normal),
            Weather::LosesAnswer => self.gitlab.lose_answers(1),
            Weather::TooMany => self.gitlab.set_mood(Mood::TooMany { retry_after: 7 }),
            Weather::Broken => self.gitlab.set_mood(Mood::Failing(502)),
            Weather::Refuses => self.gitlab.set_mood(Mood::Failing(401)),
        };
        let seen = || match form {
            Form::Flag => self.statuses().into_iter().filter_map(|s| s.description).collect(),
            Form::Comment | Form::Message => self.notes(),
        };
        let bench = Bench {
            reporter: &self.reporter,
            report: self.report(form),
            weather: &weather,
            seen: &seen,
        };
        bench.keeps_its_promises().await;
        if form == Form::Comment {
            bench.keeps_its_board().await;
        }
    }
}

#[tokio::test]
async fn a_comment_keeps_the_promises_of_a_report_and_of_a_board() {
    World::new().await.keeps_its_promises(Form::Comment).await;
}

#[tokio::test]
async fn no_line_of_a_comment_is_obeyed() {
    let world = World::new().await;
    let mut report = world.report(Form::Comment);
    let marker = &report.marker;
    report.text =
        format!("/merge\nfine\r\n/close\r/approve\n  /close\n\t/merge {HOSTILE}\n\n{marker}");
    world.tell(&report).await.unwrap();
    let notes = world.notes();
    assert_eq!(world.gitlab.state(PROJECT, 1), Some("opened"));
    assert!(notes[0].contains("/merge\nfine"), "{notes:?}");
    let lines = notes[0].split(['\n', '\r']);
    assert!(lines.into_iter().all(|line| !line.trim_start().starts_with('/')), "{notes:?}");
}

#[tokio::test]
async fn the_stand_in_would_obey() {
    let world = World::new().await;
    let client = &world.reporter.client;
    let failure = board::Thread::post(client, &world.subject, "/close").await.unwrap_err();
    assert!(chain(&failure).contains("taken for commands"), "{failure:?}");
    assert_eq!(world.gitlab.state(PROJECT, 1), Some("closed"));
}

proptest::proptest! {
    #[test]
    fn no_line_ever_begins_with_a_slash(text in "([/a \t\u{a0}\r\n\u{2060}]|/merge|\r\n){0,40}") {
        let out = harmless(&text);
        for line in out.split(['\n', '\r']) {
            proptest::prop_assert!(!line.trim_start().starts_with('/'), "{out:?}");
        }
        proptest::prop_assert_eq!(out.replace(SEAM, ""), text.replace(SEAM, ""));
        proptest::prop_assert_eq!(harmless(&out), out);
    }
}

#[tokio::test]
async fn somebody_elses_words_are_not_our_comment() {
    let world = World::new().await;
    let report = world.report(Form::Comment);
    let quote = format!("> {}", report.marker);
    world.gitlab.comment(world.place(), "ada", &quote).await.unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.notes().len(), 2);
}

#[tokio::test]
async fn ours_is_found_behind_many_others() {
    let world = World::new().await;
    let report = world.report(Form::Comment);
    world.tell(&report).await.unwrap();
    for number in 0..250 {
        world.gitlab.comment(world.place(), "ada", &format!("{number}")).await.unwrap();
    }
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.notes().len(), 251);
}

#[tokio::test]
async fn a_notice_is_seen_once() {
    let world = World::new().await;
    let notice = notice(&world.subject, "pointsman-notice-1");
    world.gitlab.lose_answers(1);
    world.reporter.notify(&notice, Try::First).await.unwrap_err();
    world.reporter.notify(&notice, Try::Again).await.unwrap();
    assert_eq!(world.notes(), [notice.text]);
}

#[tokio::test]
async fn a_comment_that_is_too_long_keeps_its_words() {
    let world = World::new().await;
    let mut report = world.report(Form::Comment);
    report.board = Some(Board { word: "pointsman-board-1".to_owned(), is_news: false });
    report.text = format!("{}{}", "x".repeat(2 * COMMENT_MAX_CHARS), report.marker);
    world.tell(&report).await.unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    let notes = world.notes();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains(&report.marker) && notes[0].ends_with("pointsman-board-1"));
    assert!(notes[0].len() < COMMENT_MAX_CHARS + 100);
}

#[tokio::test]
async fn what_has_no_place_on_gitlab_is_given_up() {
    let world = World::new().await;
    let message = world.report(Form::Message);
    let mut branch = world.report(Form::Comment);
    branch.subject.kind = SubjectKind::Branch;
    branch.subject.name = Some("main".to_owned());
    let mut job = world.report(Form::Flag);
    job.subject.kind = SubjectKind::Job;
    let mut series = world.report(Form::Flag);
    series.revision = "v3".to_owned();
    let mut escape = world.report(Form::Flag);
    escape.subject.project = "rail/../../admin".to_owned();
    let mut seen = Vec::new();
    for report in [message, branch, job, series, escape] {
        let failure = world.tell(&report).await.unwrap_err();
        assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
        seen.push(shown(&failure));
    }
    insta::assert_snapshot!(seen.join("\n"), @r#"
    permanent failure: GitLab has statuses and comments, but no messages
    permanent failure: `forge.example/rail/yard/signalbox:main` has no place on GitLab: comments are made on merge requests only
    permanent failure: `forge.example/rail/yard/signalbox@1` has no place on GitLab: a job has no commit there
    permanent failure: `v3` is no commit id (40 or 64 hexadecimal digits)
    permanent failure: `rail/../../admin` is no path of a project on GitLab
    "#);
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_no_secret() {
    let world = World::new().await;
    let mut seen = Vec::new();
    let mut unknown = world.report(Form::Comment);
    unknown.subject.number = 7;
    seen.push(world.fails(&unknown).await);
    world.gitlab.set_access(PROJECT, "pointsman", 0).unwrap();
    seen.push(world.fails(&world.report(Form::Flag)).await);
    world.gitlab.make_private(PROJECT).unwrap();
    seen.push(world.fails(&world.report(Form::Flag)).await);
    world.gitlab.revoke_token(TOKEN);
    seen.push(world.fails(&world.report(Form::Comment)).await);
    insta::assert_snapshot!(seen.join("\n"), @r#"
    permanent failure: cannot comment on `rail/yard/signalbox!7` (it is not there, or cannot be seen with `gitlab.main.token`): 404 Not Found
    permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/yard/signalbox` (more rights are needed for `gitlab.main.token`): 403 Forbidden
    permanent failure: cannot read `rail/yard/signalbox!1` (it is not there, or cannot be seen with `gitlab.main.token`): 404 Not Found
    permanent failure: cannot comment on `rail/yard/signalbox!1` (see `gitlab.main.token`): 401 Unauthorized
    "#);
}

#[tokio::test]
async fn a_limit_of_calls_is_waited_for_however_it_is_told() {
    let world = World::new().await;
    let answer = |reset: &str| {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("ratelimit-reset", reset.parse().unwrap());
        let status = reqwest::StatusCode::TOO_MANY_REQUESTS;
        crate::remote::Answer { status, headers, body: Vec::new() }
    };
    let after = |reset| match world.reporter.client.refusal(&answer(reset), "cannot") {
        Failure::Retry { after, .. } => after,
        Failure::GiveUp(_) => panic!("given up"),
    };
    assert_eq!(after("1795162917"), Some(Duration::from_secs(10)));
    assert_eq!(after("9999999999"), Some(crate::remote::Remote::RETRY_AFTER_MAX));
    assert_eq!(after("1"), None);
    assert_eq!(after("soon"), None);
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let world = World::new().await;
    assert!(!format!("{:?}", world.reporter).contains(TOKEN));
    let settings = settings(&world.gitlab, "/none".into());
    let made = GitLab::new("main", "forge.example".to_owned(), &settings, Clock::system());
    insta::assert_snapshot!(made.unwrap_err().to_string(), @"cannot use `gitlab.main.token`");
}

#[tokio::test]
async fn a_gitlab_that_is_away_is_tried_again() {
    let world = World::new().await;
    let report = world.report(Form::Flag);
    world.gitlab.stop().await;
    let failure = world.tell(&report).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    world.gitlab.restart().await.unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.statuses().len(), 1);
}
