use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::*;
use crate::clock::{Clock, Hand, from_millis};
use crate::remote::{Answer, Failure, Remote};

const PROJECT: &str = "rpms/signalbox";
const FIRST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SECOND: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const TOKEN: &str = "TOKEN0SIGNALBOX";
const ACLS: [&str; 3] = ["commit_flag", "pull_request_flag", "pull_request_comment"];

async fn stand_in(generation: Generation) -> PagureStandIn {
    let clock = Clock::manual(Hand::at(from_millis(1_795_162_907_000)));
    let options = Options { clock, generation, ..Options::default() };
    let pagure = PagureStandIn::start(options).await.unwrap();
    pagure.add_project(PROJECT, "grace");
    pagure.add_token(TOKEN, "pointsman", Some(PROJECT), &ACLS);
    let (id, _) = pagure.add_pull_request(&proposal()).unwrap();
    assert_eq!(id, 1);
    pagure
}

fn proposal() -> NewPullRequest {
    NewPullRequest {
        project: PROJECT.to_owned(),
        author: "ada".to_owned(),
        title: "Lock the blades".to_owned(),
        branch_from: "lock".to_owned(),
        target: "main".to_owned(),
        head: FIRST.to_owned(),
    }
}

/// One line for each: topic, agent, status, head, comments, and `merged` where it is told.
fn outline(announced: &[Announcement]) -> String {
    let lines = announced.iter().map(|(topic, body)| {
        let topic = topic.trim_start_matches("org.example.prod.pagure.");
        let request = &body["pullrequest"];
        let head = request["commit_stop"].as_str().unwrap_or("-");
        let comments = request["comments"].as_array().unwrap();
        let last = comments.last().map_or("-".to_owned(), |comment| {
            let text = comment["comment"].as_str().unwrap().lines().next().unwrap();
            format!("{text:?} notification={}", comment["notification"])
        });
        let merged = body.get("merged").map(|m| format!(" merged={m}"));
        format!(
            "{topic} by {} {} at {} last={last}{}",
            body["agent"],
            request["status"],
            head.chars().take(4).collect::<String>(),
            merged.unwrap_or_default()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The address of the stand-in is another each time.
fn masked(pagure: &PagureStandIn, value: &Value) -> Value {
    let host = pagure.url().replace("http://", "");
    let text = value.to_string().replace(&host, "forge.example");
    serde_json::from_str(&text).unwrap()
}

/// Calls the API as a program would, and gives status and JSON.
async fn call(pagure: &PagureStandIn, path: &str, form: Option<&[(&str, &str)]>) -> (u16, Value) {
    let answer = try_call(pagure, path, form).await.unwrap();
    let json = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status.as_u16(), json)
}

async fn try_call(
    pagure: &PagureStandIn,
    path: &str,
    form: Option<&[(&str, &str)]>,
) -> Result<Answer, Failure> {
    let base = url::Url::parse(&pagure.url()).unwrap();
    let remote = Remote::new(&base, Duration::from_secs(30), Clock::system()).unwrap();
    let url = base.join(path).unwrap();
    let request = match form {
        Some(form) => remote.request(Method::POST, url).form(form),
        None => remote.request(Method::GET, url),
    };
    let request = request.header("Authorization", format!("token {TOKEN}"));
    remote.send(request).await
}

const FLAG: [(&str, &str); 5] = [
    ("username", "Pointsman"),
    ("comment", "tests"),
    ("url", "https://ci.example/job/tests/7/"),
    ("status", "pending"),
    ("uid", "pointsman/tests"),
];

#[tokio::test]
async fn the_life_of_a_pull_request_is_told_in_pagures_order() {
    let pagure = stand_in(Generation::Current).await;
    let (_, mut told) = pagure.add_pull_request(&proposal()).unwrap();
    told.extend(pagure.comment(PROJECT, 2, "grace", "Nice").unwrap());
    told.extend(pagure.push(PROJECT, 2, SECOND, Push::Added).unwrap());
    told.extend(pagure.push(PROJECT, 2, FIRST, Push::Rebased).unwrap());
    told.extend(pagure.close(PROJECT, 2, "grace").unwrap());
    told.extend(pagure.reopen(PROJECT, 2, "ada").unwrap());
    told.extend(pagure.merge(PROJECT, 2, "grace").unwrap());
    insta::assert_snapshot!(outline(&told), @r#"
    pull-request.new by "ada" "Open" at aaaa last=-
    pull-request.comment.added by "grace" "Open" at aaaa last="Nice" notification=false
    pull-request.updated by "pagure" "Open" at bbbb last=-
    pull-request.comment.added by "ada" "Open" at bbbb last="**1 new commit added**" notification=true
    pull-request.rebased by "pagure" "Open" at aaaa last=-
    pull-request.comment.added by "ada" "Open" at aaaa last="rebased onto aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" notification=true
    pull-request.comment.added by "grace" "Closed" at aaaa last="Pull-Request has been closed by grace" notification=true
    pull-request.closed by "grace" "Closed" at aaaa last="Pull-Request has been closed by grace" notification=true merged=false
    pull-request.comment.added by "ada" "Open" at aaaa last="Pull-Request has been reopened by ada" notification=true
    pull-request.reopened by "ada" "Open" at aaaa last="Pull-Request has been reopened by ada" notification=true
    pull-request.comment.added by "grace" "Merged" at aaaa last="Pull-Request has been merged by grace" notification=true
    pull-request.closed by "grace" "Merged" at aaaa last="Pull-Request has been merged by grace" notification=true merged=true
    "#);
}

#[tokio::test]
async fn an_old_pagure_tells_a_push_by_a_comment_only() {
    let pagure = stand_in(Generation::Old).await;
    let mut told = pagure.push(PROJECT, 1, SECOND, Push::Added).unwrap();
    told.extend(pagure.push(PROJECT, 1, FIRST, Push::Rebased).unwrap());
    insta::assert_snapshot!(outline(&told), @r#"
    pull-request.comment.added by "ada" "Open" at bbbb last="**1 new commit added**" notification=true
    pull-request.comment.added by "ada" "Open" at aaaa last="rebased" notification=true
    "#);
}

#[tokio::test]
async fn a_closed_pull_request_that_is_open_again_remembers_who_closed_it() {
    let pagure = stand_in(Generation::Current).await;
    pagure.close(PROJECT, 1, "grace").unwrap();
    let told = pagure.reopen(PROJECT, 1, "ada").unwrap();
    let request = &told[1].1["pullrequest"];
    assert_eq!(request["status"], "Open");
    assert_eq!(request["closed_by"]["name"], "grace");
    assert_eq!(request["closed_at"], "1795162907");
}

#[tokio::test]
async fn a_comment_is_told_with_the_whole_pull_request() {
    let pagure = stand_in(Generation::Current).await;
    let told = pagure.comment(PROJECT, 1, "grace", "Nice").unwrap();
    let (topic, body) = &told[0];
    assert_eq!(topic, "org.example.prod.pagure.pull-request.comment.added");
    let mut body = masked(&pagure, body);
    let fork = body["pullrequest"]["repo_from"].take();
    assert_eq!(fork["fullname"], "forks/ada/rpms/signalbox");
    assert_eq!(fork["url_path"], "fork/ada/rpms/signalbox");
    assert_eq!(fork["namespace"], "rpms");
    assert_eq!(fork["parent"]["fullname"], PROJECT);
    let project = body["pullrequest"]["project"].take();
    assert_eq!(keys(&project), keys(&fork));
    insta::assert_snapshot!(keys(&project), @"access_groups access_users close_status custom_keys date_created date_modified description full_url fullname id milestones name namespace parent priorities tags url_path user");
    insta::assert_snapshot!(body["pullrequest"], @r#"{"assignee":null,"branch":"main","branch_from":"lock","cached_merge_status":"unknown","closed_at":null,"closed_by":null,"comments":[{"comment":"Nice","commit":null,"date_created":"1795162907","edited_on":null,"editor":null,"filename":null,"id":1,"line":null,"notification":false,"parent":null,"reactions":{},"tree":null,"user":{"full_url":"http://forge.example/user/grace","fullname":"grace of forge.example","name":"grace","url_path":"user/grace"}}],"commit_start":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","commit_stop":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","date_created":"1795162907","full_url":"http://forge.example/rpms/signalbox/pull-request/1","id":1,"initial_comment":null,"last_updated":"1795162907","project":null,"remote_git":null,"repo_from":null,"status":"Open","tags":[],"threshold_reached":null,"title":"Lock the blades","uid":"ab47e56679056c75f0b48aa1163bb999","updated_on":"1795162907","user":{"full_url":"http://forge.example/user/ada","fullname":"ada of forge.example","name":"ada","url_path":"user/ada"}}"#);
}

fn keys(value: &Value) -> String {
    let keys = value.as_object().unwrap().keys();
    keys.map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_flag_is_updated_by_its_uid_except_for_its_name() {
    let pagure = stand_in(Generation::Current).await;
    let mut announced = pagure.announcements();
    let path = format!("/api/0/{PROJECT}/c/{FIRST}/flag");
    let (status, added) =
        call(&pagure, &path, Some(&[&FLAG[..], &[("percent", "40")]].concat())).await;
    assert_eq!((status, &added["message"]), (200, &"Flag added".into()));
    assert_eq!(added["flag"]["percent"], 40);

    let mut second = FLAG;
    second[0] = ("username", "Another");
    second[3] = ("status", "success");
    let (status, updated) = call(&pagure, &path, Some(&second)).await;
    assert_eq!((status, &updated["message"]), (200, &"Flag updated".into()));

    let flags = pagure.flags(PROJECT, FIRST);
    assert_eq!(flags.len(), 1);
    assert_eq!(flags[0].username, "Pointsman");
    assert_eq!(flags[0].status, "success");
    assert_eq!(flags[0].percent, None);

    let (topic, body) = announced.recv().await.unwrap();
    assert_eq!(topic, "org.example.prod.pagure.commit.flag.added");
    assert_eq!(body["flag"]["percent"], "40");
    assert_eq!(body["repo"]["fullname"], PROJECT);
    assert_eq!(announced.recv().await.unwrap().0, "org.example.prod.pagure.commit.flag.updated");

    let (_, listed) = call(&pagure, &path, None).await;
    assert_eq!(listed["flags"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_flag_on_a_pull_request_is_told_twice_and_has_a_status_without_one() {
    let pagure = stand_in(Generation::Current).await;
    let mut announced = pagure.announcements();
    let form = [FLAG[0], FLAG[1], FLAG[2], ("percent", "0")];
    let (status, _) = call(&pagure, "/api/0/rpms/signalbox/pull-request/1/flag", Some(&form)).await;
    assert_eq!(status, 200);
    assert_eq!(pagure.flags(PROJECT, FIRST)[0].status, "failure");
    for event in ["commit.flag.added", "pull-request.flag.added"] {
        let (topic, body) = announced.recv().await.unwrap();
        assert_eq!(topic, format!("org.example.prod.pagure.{event}"));
        assert_eq!(body["agent"], "pointsman");
    }
}

#[tokio::test]
async fn a_comment_by_the_api_is_announced_too() {
    let pagure = stand_in(Generation::Current).await;
    let mut announced = pagure.announcements();
    let path = "/api/0/rpms/signalbox/pull-request/1/comment";
    let (status, _) = call(&pagure, path, Some(&[("comment", "Done")])).await;
    assert_eq!(status, 200);
    let (topic, body) = announced.recv().await.unwrap();
    assert_eq!(topic, "org.example.prod.pagure.pull-request.comment.added");
    assert_eq!(body["agent"], "pointsman");
    assert_eq!(pagure.comments(PROJECT, 1)[0].text, "Done");
}

#[tokio::test]
async fn pagure_says_no_in_its_own_words() {
    let pagure = stand_in(Generation::Current).await;
    pagure.add_project("points", "grace");
    let flag = format!("/api/0/{PROJECT}/c/{FIRST}/flag");
    let with = |name: &'static str, value: &'static str| {
        let rest = FLAG.into_iter().filter(move |(field, _)| *field != name);
        rest.chain([(name, value)]).collect::<Vec<_>>()
    };
    let long = "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu";
    let mut lines = Vec::new();
    for (path, form) in [
        (flag.as_str(), with("uid", long)),
        (&flag, with("status", "cancelled")),
        (&flag, with("url", "http://jenkins:8080/")),
        (&flag, with("percent", "half")),
        (&flag, with("comment", " ")),
        ("/api/0/rpms/signalbox/c/master/flag", FLAG.to_vec()),
        ("/api/0/points/pull-request/1/comment", FLAG.to_vec()),
        ("/api/0/ghost/pull-request/1/comment", FLAG.to_vec()),
        ("/api/0/rpms/signalbox/pull-request/9/comment", FLAG.to_vec()),
        ("/api/0/nothing", Vec::new()),
    ] {
        let form = Some(form.as_slice()).filter(|form| !form.is_empty());
        let (status, json) = call(&pagure, path, form).await;
        lines.push(format!("{status} {} {}", json["error_code"], json["errors"]));
    }
    pagure.expire_token(TOKEN);
    let (status, json) = call(&pagure, &flag, Some(&FLAG)).await;
    lines.push(format!("{status} {} {}", json["error_code"], json["errors"]));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    400 "EDBERROR" null
    400 "EINVALIDREQ" {"status":["Not a valid choice."]}
    400 "EINVALIDREQ" {"url":["Invalid input."]}
    400 "EDBERROR" null
    400 "EINVALIDREQ" {"comment":["This field is required."]}
    404 "ENOCOMMIT" null
    401 "EINVALIDTOK" null
    404 "ENOPROJECT" null
    404 "ENOREQ" null
    404 "ENOPROJECT" null
    401 "EINVALIDTOK" "Expired token"
    "#);
}

#[tokio::test]
async fn a_pull_request_that_is_hidden_is_unknown_to_the_api() {
    let pagure = stand_in(Generation::Current).await;
    let path = "/api/0/rpms/signalbox/pull-request/1";
    pagure.hide(PROJECT, 1).unwrap();
    assert_eq!(call(&pagure, path, None).await.0, 404);
    pagure.reveal(PROJECT, 1).unwrap();
    assert_eq!(call(&pagure, path, None).await.0, 200);
}

#[tokio::test]
async fn a_call_that_hangs_is_answered_when_the_mood_has_changed() {
    let pagure = stand_in(Generation::Current).await;
    pagure.set_mood(Mood::Hanging);
    let form = [("comment", "Done")];
    let path = "/api/0/rpms/signalbox/pull-request/1/comment";
    let calling = call(&pagure, path, Some(&form));
    let cheering_up = async {
        wait_for_a_call(&pagure).await;
        assert!(pagure.comments(PROJECT, 1).is_empty());
        pagure.set_mood(Mood::Normal);
    };
    let ((status, _), ()) = tokio::join!(calling, cheering_up);
    assert_eq!(status, 200);
    assert_eq!(pagure.comments(PROJECT, 1).len(), 1);
}

#[tokio::test]
async fn it_stops_while_a_call_hangs_and_comes_back_with_its_memory() {
    let pagure = stand_in(Generation::Current).await;
    let address = pagure.url();
    pagure.set_mood(Mood::Hanging);
    let path = "/api/0/rpms/signalbox/pull-request/1?comments=false";
    let stopping = async {
        wait_for_a_call(&pagure).await;
        pagure.stop().await;
    };
    let (cut_off, ()) = tokio::join!(try_call(&pagure, path, None), stopping);
    assert!(cut_off.is_err(), "{cut_off:?}");
    assert!(try_call(&pagure, path, None).await.is_err());

    pagure.set_mood(Mood::Normal);
    pagure.restart().await.unwrap();
    assert_eq!(pagure.url(), address);
    let (status, json) = call(&pagure, path, None).await;
    assert_eq!((status, &json["title"]), (200, &"Lock the blades".into()));
}

/// A call has reached the server once somebody waits for another mood.
async fn wait_for_a_call(pagure: &PagureStandIn) {
    while pagure.shared.mood.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
}
