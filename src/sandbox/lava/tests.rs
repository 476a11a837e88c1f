//! That the stand-in answers as the recordings do.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::clock::{Hand, from_millis};
use crate::remote::Remote;

mod ending;

const DEFINITION: &str = "
device_type: tank
job_name: shunting
timeouts: {job: {minutes: 5}}
visibility: public
actions: []
";

struct Lab {
    lava: LavaStandIn,
    remote: Remote,
}

impl Lab {
    async fn open() -> Self {
        let clock = Clock::manual(Hand::at(from_millis(1_795_162_907_582)));
        let lava = LavaStandIn::start(clock.clone()).await.unwrap();
        lava.add_token("good", "pointsman");
        lava.add_device(Device::new("tank-1", "tank", &["steam", "mail"]));
        lava.add_device(Device::new("tank-2", "tank", &[]));
        lava.add_device_type("railcar");
        let base = Url::parse(&lava.url()).unwrap();
        let remote = Remote::new(&base, Duration::from_secs(30), clock).unwrap();
        Self { lava, remote }
    }

    async fn ask(
        &self,
        (method, path): (Method, &str),
        token: Option<&str>,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = self.remote.base().join(&format!("api/v0.2/{path}")).unwrap();
        let mut request = self.remote.request(method, url);
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.remote.send(request).await.unwrap();
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask((Method::GET, path), Some("Token good"), None).await
    }

    async fn submit(&self, definition: &str) -> (u16, Value) {
        let body = json!({ "definition": definition });
        self.ask((Method::POST, "jobs/"), Some("Token good"), Some(body)).await
    }
}

#[tokio::test]
async fn what_is_submitted_is_a_job_with_a_number() {
    let lab = Lab::open().await;
    let answer = lab.submit(DEFINITION).await;
    let words = "job(s) successfully submitted";
    assert_eq!(answer, (201, json!({ "message": words, "job_ids": [1] })));
    let (status, job) = lab.get("jobs/1/").await;
    assert_eq!(status, 200);
    assert_eq!(job["state"], "Submitted");
    assert_eq!(job["health"], "Unknown");
    assert_eq!(job["submitter"], "pointsman");
    assert_eq!(job["original_definition"], DEFINITION);
    let (status, body) = lab.get("jobs/2/").await;
    assert_eq!((status, body), (404, json!({ "detail": "Not found." })));
    let group = "
job_name: train
timeouts: {job: {minutes: 5}}
visibility: public
actions: []
protocols: {lava-multinode: {roles: {pull: {device_type: tank, count: 2}}}}
";
    let (status, body) = lab.submit(group).await;
    assert_eq!((status, &body["job_ids"]), (201, &json!(["2.0", "2.1"])));
}

#[tokio::test]
async fn who_has_no_token_is_forbidden() {
    let lab = Lab::open().await;
    let body = || Some(json!({ "definition": DEFINITION }));
    let invalid = json!({ "detail": "Invalid token." });
    let absent = json!({ "detail": "Authentication credentials were not provided." });
    let post = (Method::POST, "jobs/");
    let bad = lab.ask(post.clone(), Some("Token bad"), body()).await;
    assert_eq!(bad, (403, invalid.clone()));
    assert_eq!(lab.ask(post.clone(), None, body()).await, (403, absent.clone()));
    assert_eq!(lab.ask(post, Some("Basic Z29vZA=="), body()).await, (403, absent));
    assert_eq!(lab.ask((Method::GET, "jobs/"), Some("Token bad"), None).await, (403, invalid));
    // Whoever may not be known may read, and is nobody.
    let nobody = lab.ask((Method::GET, "system/whoami/"), None, None).await;
    assert_eq!(nobody, (200, json!({ "user": "" })));
    assert_eq!(lab.get("system/whoami/").await, (200, json!({ "user": "pointsman" })));
}

#[tokio::test]
async fn what_cannot_be_a_job_is_refused_in_lavas_words() {
    let lab = Lab::open().await;
    let with = |from: &str, to: &str| DEFINITION.replace(from, to);
    let mut told = Vec::new();
    for definition in [
        "a: [1, 2\nb: {".to_owned(),
        with("job_name: shunting\n", ""),
        with("shunting", &"x".repeat(201)),
        with("device_type: tank", "device_type: airship"),
        with("device_type: tank", "device_type: railcar"),
        format!("{DEFINITION}tags: [steam, diesel]"),
        String::new(),
    ] {
        let (status, body) = lab.submit(&definition).await;
        told.push(format!("{status} {body}"));
    }
    lab.lava.add_tag("diesel");
    let (status, body) = lab.submit(&format!("{DEFINITION}tags: [steam, diesel]")).await;
    told.push(format!("{status} {body}"));
    insta::assert_snapshot!(told.join("\n"), @r#"
    400 {"message":"Problem with submitted job data: Loading job submission failed: while parsing, line 2: illegal placement of ':' indicator."}
    400 {"message":"Problem with submitted job data: required key not provided @ data['job_name']"}
    400 {"message":"Problem with submitted job data: length of value must be at most 200 for dictionary value @ data['job_name']"}
    400 {"message":"Devices unavailable: Device type 'airship' is unavailable."}
    400 {"message":"Devices unavailable: No devices of type railcar are available."}
    500 null
    400 {"definition":["This field may not be blank."]}
    400 {"message":"Devices unavailable: No devices of type tank are available which have all of the tags 'steam, diesel'."}
    "#);
    assert!(lab.lava.jobs().is_empty());
    let body = Some(json!({ "definition": "device_type: tank" }));
    let post = (Method::POST, "jobs/validate/");
    let (status, body) = lab.ask(post, Some("Token good"), body).await;
    assert_eq!(status, 200);
    assert!(body["message"].as_str().unwrap().starts_with("Job invalid: required key"));
}

#[tokio::test]
async fn a_slash_at_the_end_is_missed() {
    let lab = Lab::open().await;
    assert_eq!(lab.get("jobs").await.0, 301);
    let post = (Method::POST, "jobs");
    let body = Some(json!({ "definition": DEFINITION }));
    assert_eq!(lab.ask(post, Some("Token good"), body).await.0, 301);
    assert!(lab.lava.jobs().is_empty());
}

#[tokio::test]
async fn lists_come_in_pages_and_can_be_filtered() {
    let lab = Lab::open().await;
    for user in ["pointsman", "grace", "pointsman"] {
        lab.lava.submit(user, DEFINITION).unwrap();
    }
    let (_, page) = lab.get("jobs/?limit=2&ordering=-id").await;
    assert_eq!(page["count"], 3);
    assert_eq!(page["results"][0]["id"], 3);
    let next = format!("{}/api/v0.2/jobs/?limit=2&offset=2", lab.lava.url());
    assert_eq!(page["next"], next);
    assert_eq!(page["previous"], Value::Null);
    let count = async |query: &str| lab.get(&format!("jobs/?{query}")).await.1["count"].clone();
    assert_eq!(count("submitter__username=pointsman").await, 2);
    assert_eq!(count("submitter__username=pointsman&id__gt=1").await, 1);
    assert_eq!(count("description__endswith=ing").await, 3);
    assert_eq!(count("requested_device_type__name=railcar").await, 0);
    assert!(lab.lava.begin(1));
    assert_eq!(count("state=Running").await, 1);
    assert_eq!(count("state__in=Submitted,Scheduling").await, 2);
    assert_eq!(count("no_such_filter=1").await, 3);
    let (status, words) = lab.get("jobs/?state=Asleep").await;
    assert_eq!(status, 400);
    assert!(words[0].as_str().unwrap().starts_with("Select a valid choice."));
    assert_eq!(lab.get("jobs/?requested_device_type=airship").await.0, 400);
}

#[tokio::test]
async fn boards_have_tags_by_number_and_hang_on_workers() {
    let lab = Lab::open().await;
    lab.lava
        .add_device(Device { worker: "shed-2".to_owned(), ..Device::new("r-1", "railcar", &[]) });
    lab.lava.set_health("r-1", "Retired");
    lab.lava.set_online("shed", false);
    let (_, devices) = lab.get("devices/").await;
    assert_eq!(devices["count"], 2);
    assert_eq!(devices["results"][0]["tags"], json!([1, 2]));
    assert_eq!(devices["results"][0]["worker_host"], "shed");
    assert_eq!(lab.get("devices/?all=1&device_type__name=railcar").await.1["count"], 1);
    let (_, tags) = lab.get("tags/").await;
    assert_eq!(tags["results"][1], json!({ "id": 1, "name": "steam", "description": null }));
    assert_eq!(lab.ask((Method::GET, "tags/"), None, None).await.0, 403);
    let (_, workers) = lab.get("workers/").await;
    assert_eq!(workers["results"][0]["state"], "Offline");
    assert_eq!(workers["results"][1]["state"], "Online");
    assert_eq!(lab.get("devicetypes/").await.1["count"], 2);
    assert_eq!(lab.get("devicetypes/airship/").await.0, 404);
}

#[tokio::test]
async fn how_much_there_was_at_once_is_counted() {
    let lab = Lab::open().await;
    for _ in 0..3 {
        lab.lava.submit("pointsman", DEFINITION).unwrap();
    }
    assert_eq!(lab.lava.schedule(), [1, 2]);
    lab.lava.submit("pointsman", DEFINITION).unwrap();
    lab.lava.play().await;
    lab.lava.submit("pointsman", DEFINITION).unwrap();
    assert_eq!(lab.lava.most_waiting("tank"), 3);
    assert_eq!(lab.lava.most_unfinished("pointsman"), 4);
    assert_eq!(lab.lava.most_unfinished("grace"), 0);
}
