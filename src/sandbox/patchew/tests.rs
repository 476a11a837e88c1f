//! What the stand-in answers, asked of it directly.

use serde_json::{Value, json};

use super::*;
use crate::clock::Hand;
use crate::remote::Remote;

const DAY: &str = "2026-11-20T08:00:00Z";

async fn patchew() -> (PatchewStandIn, Remote, Hand) {
    let hand = Hand::at(DAY.parse().unwrap());
    let clock = Clock::manual(hand.clone());
    let patchew = PatchewStandIn::start(Options { clock: clock.clone(), ..Options::default() });
    let patchew = patchew.await.unwrap();
    patchew.add_project("Points", &[Test::named("asan")]);
    patchew.add_user("bus", "secret", &["testers", "importers"]);
    let base = patchew.url().parse().unwrap();
    let remote = Remote::new(&base, std::time::Duration::from_secs(30), clock).unwrap();
    (patchew, remote, hand)
}

async fn call(remote: &Remote, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let (token, path) = path.split_once(' ').unwrap_or(("", path));
    let url = remote.base().join(path).unwrap();
    let mut request = remote.request(method.parse().unwrap(), url);
    if !token.is_empty() {
        request = request.header("Authorization", format!("Token {token}"));
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = remote.send(request).await.unwrap();
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

async fn token(remote: &Remote) -> String {
    let login = json!({ "username": "bus", "password": "secret" });
    let (status, answer) = call(remote, "POST", "api/v1/users/login/", Some(login)).await;
    assert_eq!(status, 200);
    answer["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_mailbox_is_of_what_is_complete() {
    let (patchew, remote, _) = patchew().await;
    let series = NewSeries::of("Points", "a", 2, DAY.parse().unwrap());
    let path = format!("api/v1/projects/1/series/{}/mbox/", series.root());
    patchew.post_some(&series, &[0, 1]);
    assert_eq!(call(&remote, "GET", &path, None).await.0, 404);
    assert_eq!(patchew.status("Points", Some(&series.root()), "git"), "");
    patchew.post_some(&series, &[2]);
    assert_eq!(call(&remote, "GET", &path, None).await.0, 200);
    assert_eq!(patchew.status("Points", Some(&series.root()), "git"), "pending");
}

#[tokio::test]
async fn of_a_project_that_is_not_there_the_list_is_empty() {
    let (_patchew, remote, _) = patchew().await;
    let (status, list) = call(&remote, "GET", "api/v1/projects/77/series/", None).await;
    assert_eq!((status, list["results"].as_array().map(Vec::len)), (200, Some(0)));
    assert_eq!(call(&remote, "GET", "api/v1/projects/by-name/None/", None).await.0, 404);
    assert_eq!(call(&remote, "GET", "api/v1/projects/by-name/Points/", None).await.0, 307);
}

#[tokio::test]
async fn results_are_changed_but_not_made() {
    let (patchew, remote, _) = patchew().await;
    let series = NewSeries::of("Points", "a", 1, DAY.parse().unwrap());
    patchew.post(&series);
    let token = token(&remote).await;
    let place = format!("api/v1/projects/1/series/{}/results", series.root());
    let success = json!({ "status": "success", "data": { "head": "x" }, "log": "fine" });
    let test = format!("{token} {place}/testing.asan/");
    assert_eq!(call(&remote, "PUT", &test, Some(success.clone())).await.0, 404);
    let applied = json!({ "status": "success", "data": { "repo": "r", "tag": "t" } });
    let git = format!("{token} {place}/git/");
    assert_eq!(call(&remote, "PUT", &git, Some(applied)).await.0, 200);
    assert_eq!(call(&remote, "PUT", &test, Some(success)).await.0, 200);
    for wrong in [json!({ "status": "maybe" }), json!({ "status": "success", "data": {} })] {
        assert_eq!(call(&remote, "PUT", &test, Some(wrong)).await.0, 400);
    }
    let nobody = test.trim_start_matches(&token).trim_start();
    let body = json!({ "status": "success", "data": { "head": "x" } });
    assert_eq!(call(&remote, "PUT", nobody, Some(body)).await.0, 401);
    // A test that was run is not run again because its series is put on a branch again.
    patchew.set_applied("Points", &series.root(), "r", "t2");
    assert_eq!(patchew.status("Points", Some(&series.root()), "testing.asan"), "success");
}

#[tokio::test]
async fn a_test_is_handed_out_once_an_hour() {
    let (patchew, remote, hand) = patchew().await;
    let series = NewSeries::of("Points", "a", 1, DAY.parse().unwrap());
    patchew.post(&series);
    patchew.set_applied("Points", &series.root(), "r", "t");
    patchew.set_head("Points", &"c".repeat(40));
    let path = format!("{} api/v1/projects/1/get-test/", token(&remote).await);
    let wish = || Some(json!({ "tester": "x", "capabilities": [] }));
    // The project's own comes first.
    let (_, first) = call(&remote, "POST", &path, wish()).await;
    assert_eq!(first["identity"]["type"], "project");
    let (_, second) = call(&remote, "POST", &path, wish()).await;
    assert_eq!(second["identity"]["message-id"], series.root());
    assert_eq!(call(&remote, "POST", &path, wish()).await.0, 204);
    hand.forward_to("2026-11-20T09:01:00Z".parse().unwrap());
    assert_eq!(call(&remote, "POST", &path, wish()).await.1, first);
}
