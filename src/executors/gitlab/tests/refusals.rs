use super::*;

/// What a start is answered with.
async fn refusal(ci: &Ci) -> String {
    ci.told(ci.us.start(&order(1), Try::First).await)
}

#[tokio::test]
async fn a_configuration_without_jobs_has_nothing_to_do() {
    let ci = Ci::open().await;
    ci.set_ci(CiSettings { configuration: Configuration::Empty, ..CiSettings::default() });
    let seen = ci.start().await;
    assert_eq!(seen.state, BuildState::Finished(Verdict::Skipped));
    assert_eq!(seen.reason.as_deref(), Some("the CI configuration has no job for it"));
    assert_eq!(seen.ticket.number, None);
}

#[tokio::test]
async fn a_configuration_that_is_wrong_is_told() {
    let wrong = "jobs:asan config should\nimplement the script keyword";
    let configuration = Configuration::Broken(wrong.to_owned());
    let settings = CiSettings { configuration, ..CiSettings::default() };
    let ci = Ci::open().await;
    ci.set_ci(settings.clone());
    insta::assert_snapshot!(
        refusal(&ci).await,
        @r#"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main: {"base":["jobs:asan config should\nimplement the script keyword"]}: 400 Bad Request"#
    );
    // A trigger token leaves a pipeline that has failed.
    let ci = Ci::with_trigger("pointsman").await;
    ci.set_ci(settings);
    insta::assert_snapshot!(
        refusal(&ci).await,
        @r#"Finished(Error): Some("its CI configuration is wrong: jobs:asan config should implement the script keyword")"#
    );
}

#[tokio::test]
async fn a_branch_that_gitlab_does_not_know_is_an_error_where_no_commit_is_awaited() {
    let ci = Ci::open().await;
    let order = Order { reference: Some("mian".to_owned()), sha: None, ..order(1) };
    insta::assert_snapshot!(
        ci.told(ci.us.start(&order, Try::First).await),
        @r#"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main (there is no branch or tag `mian`): {"base":["Reference not found"]}: 400 Bad Request"#
    );
}

#[tokio::test]
async fn who_may_not_start_pipelines_or_give_them_variables_is_told_what_lacks() {
    let ci = Ci::open().await;
    let role = Some("no_one_allowed".to_owned());
    ci.set_ci(CiSettings { variables_role: role, ..CiSettings::default() });
    insta::assert_snapshot!(
        refusal(&ci).await,
        @r#"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main (allow it in the project's Settings > CI/CD > Variables, "Minimum role to use pipeline variables"): {"base":["Insufficient permissions to set pipeline variables"]}: 400 Bad Request"#
    );
    ci.set_ci(CiSettings::default());
    ci.gitlab.set_access(PROJECT, "pointsman", REPORTER).unwrap();
    insta::assert_snapshot!(
        refusal(&ci).await,
        @"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main (the role Developer is needed, on a protected branch the right to push or merge) (more rights are needed for `gitlab.main.token`): 403 Forbidden"
    );
    ci.gitlab.revoke_token(TOKEN);
    insta::assert_snapshot!(
        refusal(&ci).await,
        @"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main (see `gitlab.main.token`): 401 Unauthorized"
    );
}

#[tokio::test]
async fn a_trigger_token_of_another_project_is_told() {
    let ci = Ci::with_trigger("grace").await;
    ci.gitlab.remove_triggers(PROJECT).unwrap();
    insta::assert_snapshot!(
        refusal(&ci).await,
        @"gives up: cannot start a pipeline of `rail/yard/signalbox` on gitlab.main (is the trigger token in `gitlab.main.trigger_tokens` that of this project?) (it is not there, or cannot be seen with `gitlab.main.token`): 404 Not Found"
    );
}

#[tokio::test]
async fn a_busy_gitlab_is_asked_again_when_it_says_so() {
    let ci = Ci::open().await;
    ci.gitlab.set_mood(Mood::TooMany { retry_after: 77 });
    insta::assert_snapshot!(
        refusal(&ci).await,
        @"tries again Some(77s): cannot start a pipeline of `rail/yard/signalbox` on gitlab.main: 429 Too Many Requests"
    );
    let lookup = only_run(1);
    let told = ci.told(ci.us.inspect(&lookup).await);
    assert!(told.starts_with("tries again Some(77s)"), "{told}");
    ci.gitlab.set_mood(Mood::Failing(503));
    assert!(refusal(&ci).await.starts_with("tries again None"));
    ci.gitlab.stop().await;
    assert!(refusal(&ci).await.starts_with("tries again None"));
}

#[tokio::test]
async fn a_job_that_is_no_path_is_not_asked_for() {
    let ci = Ci::open().await;
    for job in ["signalbox", "rail/../signalbox", "rail/ signalbox", "//"] {
        let order = Order { job: job.to_owned(), ..order(1) };
        let told = ci.told(ci.us.start(&order, Try::First).await);
        assert!(told.starts_with("gives up: ") && told.ends_with("on GitLab"), "{told}");
    }
}
