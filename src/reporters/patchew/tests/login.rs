use super::*;
use crate::reporters::contract::series::about;

#[tokio::test]
async fn one_login_is_enough_until_the_token_is_not_good_any_more() {
    for refuses_with in [401, 403] {
        let world = World::with(Options { refuses_with, ..Options::default() }).await;
        let report = results::report_on(&world, "login");
        let reporter = world.reporter();
        for _ in 0..3 {
            reporter.tell(&report, Try::First).await.unwrap();
        }
        assert_eq!(world.patchew.logins(), 1);
        world.patchew.expire_tokens();
        reporter.tell(&report, Try::First).await.unwrap();
        assert_eq!(world.patchew.logins(), 2);
    }
}

#[tokio::test]
async fn a_wrong_password_says_where_it_is_set() {
    let world = World::new().await;
    world.patchew.add_user("pointsman", "another", &[]);
    let report = results::report_on(&world, "password");
    let failure = world.reporter().tell(&report, Try::First).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot log in as `pointsman` (see `patchew.main.password`): 400 Bad Request");
}

#[tokio::test]
async fn without_an_account_nothing_is_told() {
    let mut world = World::new().await;
    let report = results::report_on(&world, "none");
    world.settings.username = None;
    world.settings.password = None;
    let failure = world.reporter().tell(&report, Try::First).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: there is no account: set `patchew.main.username` and `patchew.main.password`");
}

#[tokio::test]
async fn an_account_that_may_not_is_told_its_group() {
    let world = World::new().await;
    world.patchew.add_user("pointsman", PASSWORD, &["importers"]);
    let report = results::report_on(&world, "group");
    let failure = world.reporter().tell(&report, Try::First).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: our account has to be in the group `testers`: cannot set result `testing.asan` of `group-0-ada@mail.example`: You do not have permission to perform this action.: 403 Forbidden");
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let world = World::new().await;
    let reporter = world.reporter();
    reporter.tell(&results::report_on(&world, "debug"), Try::First).await.unwrap();
    let shown = format!("{reporter:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("Token "), "{shown}");
    let mut settings = world.settings.clone();
    settings.password = Some(SecretRef::File("/none".into()));
    let error = Patchew::new("main", String::new(), &settings, world.clock()).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"cannot use `patchew.main.password`");
}

#[tokio::test]
async fn a_probe_says_what_is_wrong() {
    let mut world = World::new().await;
    world.patchew.add_project("Untested", &[]);
    world.settings.projects.extend(["Untested", "Typo"].map(str::to_owned));
    world.settings.roles.push(Role::Applier);
    let mut seen = world.reporter().probe(&world.settings).await;
    world.patchew.add_user("pointsman", PASSWORD, &["testers"]);
    world.settings.projects.clear();
    seen.extend(world.reporter().probe(&world.settings).await);
    world.patchew.set_mood(Mood::Failing(503));
    seen.extend(world.reporter().probe(&world.settings).await);
    let lines = seen.into_iter().map(|(subject, problem)| {
        let problem = problem.unwrap_or_else(|| "fine".to_owned());
        format!("{subject}: {problem}")
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    the API: fine
    account `pointsman`: fine
    what is unapplied: fine
    project `Signalbox Points`: fine
    project `Untested`: it defines no test: what becomes of builds has no place there
    project `Typo`: there is no project `Typo` (see `patchew.main.projects`)
    the API: fine
    account `pointsman`: fine
    what is unapplied: our account has to be in the group `importers`: You do not have permission to perform this action.: 403 Forbidden
    the API: it does not answer: 503 Service Unavailable
    ");
}

#[tokio::test]
async fn what_has_no_place_there_is_given_up() {
    let world = World::new().await;
    let reporter = world.reporter();
    for form in [Form::Comment, Form::Message] {
        let failure = reporter.tell(&about(form), Try::First).await.unwrap_err();
        assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    }
    let mut report = about(Form::Flag);
    report.series = None;
    let failure = reporter.tell(&report, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    let notice = crate::reporters::contract::series::notice_about("pointsman-1");
    let failure = reporter.notify(&notice, Try::First).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}
