use super::*;

#[tokio::test]
async fn an_api_token_needs_no_crumb() {
    let ci = Ci::closed().await;
    let us = ci.with(&[("user", "ada"), ("token", "ada-token")]).unwrap();
    us.start(&order(1), Try::First).await.unwrap();
    insta::assert_snapshot!(
        ci.jenkins.requests().join("\n"),
        @"POST /job/points/buildWithParameters"
    );
    ci.jenkins.begin("points").unwrap();
    assert_eq!(ci.jenkins.builds("points")[0].cause, "Started by user ada");
}

#[tokio::test]
async fn a_password_fetches_a_crumb_and_keeps_its_session() {
    let ci = Ci::closed().await;
    let us = ci.with(&[("user", "ada"), ("password", "ada-password")]).unwrap();
    us.start(&order(1), Try::First).await.unwrap();
    us.start(&order(2), Try::First).await.unwrap();
    insta::assert_snapshot!(ci.jenkins.requests().join("\n"), @r"
    GET /crumbIssuer/api/json
    POST /job/points/buildWithParameters
    POST /job/points/buildWithParameters
    ");
}

#[tokio::test]
async fn a_crumb_that_is_good_no_more_is_replaced_once() {
    let ci = Ci::closed().await;
    let us = ci.with(&[("user", "ada"), ("password", "ada-password")]).unwrap();
    us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.forget_sessions();
    us.start(&order(2), Try::First).await.unwrap();
    insta::assert_snapshot!(ci.jenkins.requests().join("\n"), @r"
    GET /crumbIssuer/api/json
    POST /job/points/buildWithParameters
    POST /job/points/buildWithParameters
    GET /crumbIssuer/api/json
    POST /job/points/buildWithParameters
    ");
    assert_eq!(ci.jenkins.waiting(), [1, 2]);
}

#[tokio::test]
async fn a_stranger_lacks_the_permission_even_with_a_crumb() {
    let ci = Ci::closed().await;
    insta::assert_snapshot!(told(ci.us().start(&order(1), Try::First).await), @"gives up: cannot start job `points` on jenkins.main (the user lacks the permission `hudson.model.Item.Build`): 403 Forbidden");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let ci = Ci::open().await;
    let refused = |more: &[(&str, &str)]| ci.with(more).unwrap_err().to_string();
    let texts = [
        refused(&[("user", "ada")]),
        refused(&[("token", "t")]),
        refused(&[("user", "ada"), ("token", "t"), ("password", "p")]),
        refused(&[("user", "ada"), ("token", "")]),
        refused(&[("url", "ftp://ci.example/")]),
        refused(&[("url", "https://ada:hush@ci.example/")]),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    jenkins.main has a `user`, but no `token` or `password`
    jenkins.main has a `token` or `password`, but no `user`
    jenkins.main has a `token` and a `password`: keep one
    cannot log in to jenkins.main
    the address of jenkins.main begins with neither http:// nor https://
    the address of jenkins.main contains a login: use `user` and `token`
    ");
}
