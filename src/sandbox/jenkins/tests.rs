//! Whether the stand-in answers as the recordings do.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use serde_json::Value;

use super::notifier::{Phase, mq_notifier_message};
use super::*;
use crate::remote::{Answer, Remote};

struct Caller {
    jenkins: JenkinsStandIn,
    remote: Remote,
}

impl Caller {
    async fn new() -> Self {
        let jenkins = JenkinsStandIn::start().await.unwrap();
        let mut spec = JobSpec::new("points", &["REF"]);
        spec.parameters.extend([
            ParameterSpec::new("FULL", ParameterKind::Boolean, "false"),
            ParameterSpec::new("SECRET", ParameterKind::Password, "hush"),
        ]);
        jenkins.add_job(spec);
        jenkins.add_job(JobSpec::new("plain", &[]));
        let remote = Remote::new(&jenkins.url(), Duration::from_secs(30), Clock::system());
        Self { jenkins, remote: remote.unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        let url = self.jenkins.url().join(path).unwrap();
        let request = self.remote.request(Method::GET, url);
        self.remote.send(request).await.unwrap()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = self.jenkins.url().join(path).unwrap();
        let request = self.remote.request(Method::POST, url).form(form);
        self.remote.send(request).await.unwrap()
    }

    /// Status, and path of `Location`.
    async fn start(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let answer = self.post(path, form).await;
        let location = answer.location(&self.jenkins.url());
        let path = location.map_or(String::new(), |url| url.path().to_owned());
        (answer.status.as_u16(), path)
    }
}

fn always(result: &BuildResult) -> Chooser {
    let result = result.clone();
    Arc::new(move |_| result.clone())
}

#[tokio::test]
async fn somebody_can_start_a_build_without_a_request() {
    let jenkins = Caller::new().await.jenkins;
    assert!(jenkins.order("points", "grace", &[("REF", "main"), ("NO_SUCH", "x")]));
    assert!(!jenkins.order("nowhere", "grace", &[]));
    jenkins.begin("points").unwrap();
    let builds = jenkins.builds("points");
    assert_eq!(builds[0].cause, "Started by user grace");
    assert_eq!(builds[0].parameters["REF"], "main");
    assert_eq!(builds[0].parameters["FULL"], "false");
    assert!(!builds[0].parameters.contains_key("NO_SUCH"));
}

#[tokio::test]
async fn the_ways_to_start_a_build_differ() {
    let caller = Caller::new().await;
    let bwp = "job/points/buildWithParameters";
    let json = r#"{"parameter": [{"name": "REF", "value": "x"}]}"#;
    for (path, form, expected) in [
        ("job/plain/build", &[][..], (201, "/queue/item/1/")),
        ("job/plain/build", &[], (201, "/queue/item/1/")),
        (bwp, &[("REF", "a")], (201, "/queue/item/2/")),
        (bwp, &[("REF", "a"), ("NOSUCH", "b")], (303, "/queue/item/2/")),
        (bwp, &[("REF", "a"), ("FULL", "perhaps")], (303, "/queue/item/2/")),
        (bwp, &[("delay", "soon")], (500, "")),
        ("job/points/build", &[], (400, "")),
        ("job/points/build", &[("json", json)], (201, "/job/points/")),
        ("job/plain/buildWithParameters", &[("X", "1")], (500, "")),
        ("job/nope/build", &[], (404, "")),
    ] {
        let (status, location) = caller.start(path, form).await;
        assert_eq!((status, location.as_str()), expected, "{path} {form:?}");
    }
    assert_eq!(caller.get("job/plain/build").await.status.as_u16(), 405);
    assert_eq!(caller.get("queue/item/1/").await.status.as_u16(), 404);
    insta::assert_snapshot!(caller.jenkins.asked().join("\n"), @r"
    plain
    plain
    points FULL=false REF=a SECRET=****
    points FULL=false REF=a SECRET=****
    points FULL=false REF=a SECRET=****
    points REF=x
    ");
}

#[tokio::test]
async fn an_error_is_a_page() {
    let caller = Caller::new().await;
    caller.jenkins.set_mood(Mood::StartingUp);
    let answer = caller.get("").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.headers.contains_key(header::RETRY_AFTER));
    assert!(answer.body.starts_with(b"<html>"));
}

#[tokio::test]
async fn a_password_is_shown_to_nobody_who_asks() {
    let caller = Caller::new().await;
    caller.post("job/points/buildWithParameters", &[]).await;
    let item = caller.get("queue/item/1/api/json").await;
    caller.jenkins.begin("points").unwrap();
    let build = caller.get("job/points/1/api/json").await;
    for answer in [item, build] {
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains("SECRET") && !text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn an_entry_is_cancelled_once() {
    let caller = Caller::new().await;
    caller.post("job/plain/build", &[]).await;
    for expected in [204, 500] {
        let answer = caller.post("queue/cancelItem?id=1", &[]).await;
        assert_eq!(answer.status.as_u16(), expected);
    }
    assert_eq!(caller.post("queue/cancelItem?id=9", &[]).await.status.as_u16(), 404);
    let item: Value = caller.get("queue/item/1/api/json").await.json("item").unwrap();
    assert_eq!(item["cancelled"], true);
    assert_eq!(item["executable"], Value::Null);
}

#[tokio::test]
async fn a_restart_forgets_what_has_left_the_queue_and_nothing_else() {
    let caller = Caller::new().await;
    caller.post("job/plain/build", &[]).await;
    caller.post("job/points/buildWithParameters", &[]).await;
    caller.jenkins.begin("plain").unwrap();
    let port = caller.jenkins.url().port();
    caller.jenkins.stop().await;
    caller.jenkins.restart().await.unwrap();
    assert_eq!(caller.jenkins.url().port(), port);
    for (path, expected) in [
        ("queue/item/1/api/json", 404),
        ("queue/item/2/api/json", 200),
        ("job/plain/1/api/json", 200),
    ] {
        assert_eq!(caller.get(path).await.status.as_u16(), expected, "{path}");
    }
}

#[tokio::test]
async fn builds_begin_and_end_by_themselves_one_after_the_other() {
    let caller = Caller::new().await;
    let mut spec = JobSpec::new("points", &["REF"]);
    spec.concurrent = false;
    caller.jenkins.add_job(spec);
    let bwp = "job/points/buildWithParameters";
    caller.jenkins.set_automatic(Automatic::Begin);
    caller.post(bwp, &[("REF", "a")]).await;
    caller.post(bwp, &[("REF", "b")]).await;
    assert_eq!(caller.jenkins.waiting(), [2]);
    caller.jenkins.set_automatic(Automatic::Finish(always(&BuildResult::Unstable)));
    assert!(caller.jenkins.finish("points", 1, BuildResult::Success));
    assert!(!caller.jenkins.finish("points", 1, BuildResult::Failure));
    let results = caller.jenkins.builds("points").into_iter().map(|build| build.result);
    let expected = [BuildResult::Success, BuildResult::Unstable].map(Some);
    assert_eq!(results.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn what_waits_for_the_end_of_a_quiet_time_begins_then() {
    let caller = Caller::new().await;
    caller.jenkins.set_automatic(Automatic::Begin);
    caller.jenkins.set_mood(Mood::QuietDown);
    caller.post("job/plain/build", &[]).await;
    assert_eq!(caller.jenkins.waiting(), [1]);
    caller.jenkins.set_mood(Mood::Normal);
    assert!(caller.jenkins.builds("plain")[0].running);
}

#[tokio::test]
async fn a_build_ends_after_its_time_and_the_plugin_tells_of_it() {
    let caller = Caller::new().await;
    caller.jenkins.set_root_url("https://ci.example/".parse().unwrap());
    let minute = Duration::from_mins(1);
    let automatic = Automatic::FinishAfter(minute, always(&BuildResult::Failure));
    caller.jenkins.set_automatic(automatic);
    let mut changes = caller.jenkins.changes();
    caller.post("job/points/buildWithParameters", &[("REF", "a=b")]).await;
    tokio::time::pause();
    let mut text = String::new();
    for _ in 0..3 {
        let mut change = changes.recv().await.unwrap();
        if let Phase::Finished { took, .. } = &mut change.phase {
            *took = minute;
        }
        let (key, body) = mq_notifier_message(&change);
        writeln!(text, "{key} {body:#}").unwrap();
    }
    insta::assert_snapshot!(text, @r#"
    queue.QUEUED {
      "allocated_label": "NO_LABEL",
      "build_job_name": "points",
      "jenkins_canonical_name": "ci.example",
      "jenkins_master_fqdn": "stand-in",
      "listener_type": "queue",
      "parameters": [
        "REF=a=b",
        "FULL=false",
        "SECRET=hush"
      ],
      "state": "QUEUED",
      "url": "https://ci.example/job/points/"
    }
    run.STARTED {
      "build_job_name": "points",
      "build_number": 1,
      "causes": "[UserIdCause, Started by user anonymous]",
      "jenkins_canonical_name": "ci.example",
      "jenkins_master_fqdn": "stand-in",
      "listener_type": "run",
      "parameters": [
        "REF=a=b",
        "FULL=false",
        "SECRET=hush"
      ],
      "state": "STARTED",
      "url": "https://ci.example/job/points/1/"
    }
    run.COMPLETED {
      "build_duration": 60000,
      "build_job_name": "points",
      "build_number": 1,
      "jenkins_canonical_name": "ci.example",
      "jenkins_master_fqdn": "stand-in",
      "listener_type": "run",
      "parameters": [
        "REF=a=b",
        "FULL=false",
        "SECRET=hush"
      ],
      "state": "COMPLETED",
      "status": "FAILURE",
      "url": "https://ci.example/job/points/1/"
    }
    "#);
}

#[tokio::test]
async fn a_stand_in_ends_with_its_last_handle() {
    let caller = Caller::new().await;
    let url = caller.jenkins.url();
    caller.get("queue/api/json").await;
    drop(caller.jenkins.clone());
    caller.get("queue/api/json").await;
    drop(caller.jenkins);
    let request = caller.remote.request(Method::GET, url);
    caller.remote.send(request).await.unwrap_err();
}
