mod people;

use tempfile::TempDir;

use super::*;
use crate::remote::chain;
use crate::reporters::contract::{Bench, Weather, notice, pull_request, report};
use crate::sandbox::pagure::{Flag, Mood, NewPullRequest, Options, PagureStandIn};

const PROJECT: &str = "rpms/signalbox";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "SECRET0SIGNALBOX";

/// A Pagure with one pull request, and a reporter with a token for its project.
struct World {
    pagure: PagureStandIn,
    reporter: Pagure,
    subject: Subject,
    _secrets: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Options::default(), PROJECT).await
    }

    async fn at(clock: Clock) -> Self {
        Self::of(Options { clock: clock.clone(), ..Options::default() }, PROJECT, clock).await
    }

    async fn with(options: Options, project: &str) -> Self {
        Self::of(options, project, Clock::system()).await
    }

    async fn of(options: Options, project: &str, clock: Clock) -> Self {
        let pagure = PagureStandIn::start(options).await.unwrap();
        pagure.add_project(project, "grace");
        let new = NewPullRequest {
            project: project.to_owned(),
            author: "ada".to_owned(),
            title: "Lock the blades".to_owned(),
            branch_from: "lock".to_owned(),
            target: "main".to_owned(),
            head: HEAD.to_owned(),
        };
        let (number, _) = pagure.add_pull_request(&new).unwrap();
        let acls = ["commit_flag", "pull_request_comment"];
        pagure.add_token(TOKEN, "pointsman", Some(project), &acls);
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let tokens = [(project.to_owned(), SecretRef::File(file))];
        let settings = settings(&pagure, tokens.into());
        Self {
            reporter: Pagure::new("main", "forge.example".to_owned(), &settings, clock).unwrap(),
            subject: pull_request("forge.example", project, number),
            pagure,
            _secrets: secrets,
        }
    }

    fn report(&self, form: Form) -> Report {
        report(&self.subject, HEAD, form)
    }

    /// Tells it of a stage, and shows the flag.
    async fn flagged(&self, stage: Stage) -> String {
        let mut report = self.report(Form::Flag);
        report.stage = stage;
        report.text = format!("tests: {}", report.marker);
        self.reporter.tell(&report, Try::First).await.unwrap();
        let flags = self.flags();
        let [flag] = flags.as_slice() else {
            panic!("{flags:?}");
        };
        let comment = flag.comment.replace(&report.marker, "…");
        format!("{} {:?} {comment}", flag.status, flag.percent)
    }

    fn flags(&self) -> Vec<Flag> {
        self.pagure.flags(&self.subject.project, HEAD)
    }

    fn comments(&self) -> Vec<String> {
        let comments = self.pagure.comments(&self.subject.project, self.subject.number);
        comments.into_iter().map(|comment| comment.text).collect()
    }

    async fn keeps_its_promises(&self, form: Form) {
        let weather = |weather| match weather {
            Weather::Fair => self.pagure.set_mood(Mood::Normal),
            Weather::LosesAnswer => self.pagure.lose_answers(1),
            Weather::TooMany => self.pagure.set_mood(Mood::TooMany { retry_after: 7 }),
            Weather::Broken => self.pagure.set_mood(Mood::Failing(502)),
            Weather::Refuses => self.pagure.set_mood(Mood::Failing(401)),
        };
        let seen = || match form {
            Form::Flag => self.flags().into_iter().map(|flag| flag.comment).collect(),
            Form::Comment | Form::Message => self.comments(),
        };
        let bench = Bench {
            reporter: &self.reporter,
            report: self.report(form),
            weather: &weather,
            seen: &seen,
        };
        bench.keeps_its_promises().await;
    }

    async fn fails(&self, report: &Report) -> String {
        let failure = self.reporter.tell(report, Try::First).await.unwrap_err();
        let text = chain(&failure);
        assert!(!text.contains(TOKEN), "{text}");
        text
    }
}

fn settings(pagure: &PagureStandIn, tokens: BTreeMap<String, SecretRef>) -> PagureSettings {
    PagureSettings {
        url: Url::parse(&pagure.url()).unwrap(),
        token: None,
        tokens,
        username: "Pointsman".to_owned(),
        webhook_keys: BTreeMap::new(),
        concurrency: 1,
        timeout: Duration::from_secs(30),
        people: People::default(),
    }
}

#[tokio::test]
async fn a_flag_keeps_the_promises_of_a_report() {
    World::new().await.keeps_its_promises(Form::Flag).await;
}

#[tokio::test]
async fn a_comment_keeps_the_promises_of_a_report() {
    World::new().await.keeps_its_promises(Form::Comment).await;
}

#[tokio::test]
async fn an_old_pagure_that_tells_no_owner_keeps_the_promises() {
    let options = Options { has_whoami: false, ..Options::default() };
    let world = World::with(options, "signalbox").await;
    world.keeps_its_promises(Form::Comment).await;
}

#[tokio::test]
async fn a_flag_follows_its_run() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for stage in [
        Stage::Queued,
        Stage::Done(Verdict::Failure),
        // Of a run that begins again nothing is done.
        Stage::Running,
        Stage::Done(Verdict::Success),
        Stage::Done(Verdict::Unstable),
        Stage::Done(Verdict::Error),
        Stage::Done(Verdict::Cancelled),
        Stage::Done(Verdict::Skipped),
    ] {
        seen.push(world.flagged(stage).await);
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    pending None tests: …
    failure Some(0) tests: …
    pending None tests: …
    success Some(100) tests: …
    failure Some(0) unstable: tests: …
    error Some(0) tests: …
    canceled Some(0) tests: …
    success Some(100) skipped: tests: …
    ");
}

#[tokio::test]
async fn a_long_identity_of_a_flag_fits_pagures_column() {
    let world = World::new().await;
    let mut report = world.report(Form::Flag);
    report.flag = "forge.example/rpms/signalbox#1/tests-on-every-board".to_owned();
    report.text = "x ".repeat(5_000);
    world.reporter.tell(&report, Try::First).await.unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    let flags = world.flags();
    assert_eq!(flags.len(), 1);
    assert_eq!(flags[0].uid.len(), 32);
    assert_eq!(flags[0].comment.chars().count(), FLAG_COMMENT_MAX_CHARS);
    assert_eq!(uid("pointsman/tests"), "pointsman/tests");
}

#[tokio::test]
async fn a_flag_leads_to_the_pull_request_where_pagure_refuses_the_address() {
    let world = World::new().await;
    for url in [None, Some("http://jenkins:8080/job/x"), Some("javascript:alert(1)"), Some("")] {
        let mut report = world.report(Form::Flag);
        report.url = url.map(str::to_owned);
        world.reporter.tell(&report, Try::First).await.unwrap();
        let page = format!("{}/rpms/signalbox/pull-request/1", world.pagure.url());
        assert_eq!(world.flags()[0].url, page);
    }
}

#[tokio::test]
async fn a_fork_has_another_path_than_name() {
    let world = World::with(Options::default(), "forks/ada/rpms/signalbox").await;
    world.flagged(Stage::Queued).await;
    world.reporter.tell(&world.report(Form::Comment), Try::Again).await.unwrap();
    assert_eq!(world.comments().len(), 1);
}

#[tokio::test]
async fn what_is_not_committed_yet_is_tried_again() {
    let world = World::new().await;
    world.pagure.hide(PROJECT, 1).unwrap();
    let report = world.report(Form::Comment);
    for attempt in [Try::First, Try::Again] {
        let failure = world.reporter.tell(&report, attempt).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
        assert!(chain(&failure).contains("ENOREQ"), "{}", chain(&failure));
    }
    world.pagure.reveal(PROJECT, 1).unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.comments().len(), 1);
}

#[tokio::test]
async fn somebody_elses_words_are_not_our_report() {
    let world = World::new().await;
    let report = world.report(Form::Comment);
    let quote = format!("> {}", report.marker);
    world.pagure.comment(PROJECT, 1, "ada", &quote).unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.comments().len(), 2);
}

#[tokio::test]
async fn a_notice_is_seen_once() {
    let world = World::new().await;
    let notice = notice(&world.subject, "pointsman-notice-1");
    world.pagure.lose_answers(1);
    world.reporter.notify(&notice, Try::First).await.unwrap_err();
    world.reporter.notify(&notice, Try::Again).await.unwrap();
    assert_eq!(world.comments(), [notice.text]);
}

#[tokio::test]
async fn a_comment_that_is_too_long_keeps_its_marker() {
    let world = World::new().await;
    let mut report = world.report(Form::Comment);
    report.text = format!("{}{}", "x".repeat(2 * COMMENT_MAX_CHARS), report.marker);
    world.reporter.tell(&report, Try::First).await.unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].ends_with(&report.marker));
    assert!(comments[0].len() < COMMENT_MAX_CHARS + 100);
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_no_secret() {
    let world = World::new().await;
    let mut seen = Vec::new();

    let mut report = world.report(Form::Flag);
    report.subject.project = "rpms/points".to_owned();
    seen.push(world.fails(&report).await);

    world.pagure.block(PROJECT, "pointsman").unwrap();
    seen.push(world.fails(&world.report(Form::Flag)).await);

    world.pagure.expire_token(TOKEN);
    seen.push(world.fails(&world.report(Form::Comment)).await);

    insta::assert_snapshot!(seen.join("\n"), @r#"
    permanent failure: there is no token for `rpms/points`: set `pagure.main.tokens."rpms/points"`, or `pagure.main.token`
    permanent failure: cannot flag commit aaaaaaaaaaaa of `rpms/signalbox`: EUBLOCKED, You have been blocked from this project: 403 Forbidden
    permanent failure: cannot comment on `rpms/signalbox#1`: EINVALIDTOK, Invalid or expired token. Please get or renew your API token., Expired token (see `pagure.main.tokens."rpms/signalbox"`): 401 Unauthorized
    "#);
}

#[tokio::test]
async fn a_field_that_is_refused_is_named() {
    let mut world = World::new().await;
    world.reporter.username = String::new();
    let text = world.fails(&world.report(Form::Flag)).await;
    insta::assert_snapshot!(text, @r#"permanent failure: cannot flag commit aaaaaaaaaaaa of `rpms/signalbox`: EINVALIDREQ, Invalid or incomplete input submitted, username ["This field is required."]: 400 Bad Request"#);
}

#[tokio::test]
async fn a_fault_of_the_database_may_pass() {
    let world = World::new().await;
    let project = Project::parse(PROJECT).unwrap();
    let commit = CommitSha::try_from(HEAD.to_owned()).unwrap();
    let uid = "u".repeat(UID_MAX_CHARS + 1);
    let form = [
        ("username", "Pointsman"),
        ("comment", "tests"),
        ("url", "https://ci.example/"),
        ("status", "pending"),
        ("uid", &uid),
    ];
    let failure = world.reporter.client.flag(&project, &commit, &form).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    assert!(chain(&failure).contains("EDBERROR"), "{}", chain(&failure));
}

#[tokio::test]
async fn what_has_no_place_on_pagure_is_given_up() {
    let world = World::new().await;
    let message = world.report(Form::Message);
    let mut job = world.report(Form::Comment);
    job.subject.kind = SubjectKind::Job;
    let mut series = world.report(Form::Flag);
    series.revision = "v3".to_owned();
    let mut escape = world.report(Form::Flag);
    escape.subject.project = "rpms/../../admin".to_owned();
    for report in [message, job, series, escape] {
        let failure = world.reporter.tell(&report, Try::First).await.unwrap_err();
        assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    }
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let world = World::new().await;
    assert!(!format!("{:?}", world.reporter).contains(TOKEN));
    let tokens = BTreeMap::from([("signalbox".to_owned(), SecretRef::File("/none".into()))]);
    let settings = settings(&world.pagure, tokens);
    let error = Pagure::new("main", String::new(), &settings, Clock::system()).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"cannot use `pagure.main.tokens."signalbox"`"#);
}

#[tokio::test]
async fn a_probe_says_what_is_wrong() {
    let world = World::new().await;
    world.pagure.add_project("points", "grace");
    let projects = [PROJECT, "points", "no where"].map(str::to_owned);
    let mut seen = world.reporter.probe(&projects).await;
    world.pagure.expire_token(TOKEN);
    seen.extend(world.reporter.probe(&[]).await);
    world.pagure.set_mood(Mood::Failing(503));
    seen.extend(world.reporter.probe(&projects).await);
    let lines = seen.into_iter().map(|(subject, problem)| {
        let problem = problem.unwrap_or_else(|| "fine".to_owned());
        format!("{subject}: {problem}")
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    the API: fine
    `pagure.main.tokens."rpms/signalbox"`: fine
    project `rpms/signalbox`: fine
    project `points`: there is no token for `points`: set `pagure.main.tokens."points"`, or `pagure.main.token`
    project `no where`: `no where` is no name of a project on Pagure
    the API: fine
    `pagure.main.tokens."rpms/signalbox"`: the token is not valid, or has expired
    the API: it does not answer: 503 Service Unavailable
    "#);
}

#[tokio::test]
async fn a_pagure_that_is_away_is_tried_again() {
    let world = World::new().await;
    let report = world.report(Form::Flag);
    world.pagure.stop().await;
    let failure = world.reporter.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    world.pagure.restart().await.unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.flags().len(), 1);
}

#[tokio::test]
async fn a_series_has_no_place_here() {
    let world = World::new().await;
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
    world.pagure.set_mood(Mood::Failing(503));
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
}
