use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::*;
use crate::clock::{Hand, from_millis};

const PROJECT: &str = "points-devel";
const ADA: &str = "Ada <ada@points.example>";

struct World {
    stand_in: PatchworkStandIn,
    posted: Posted,
    client: reqwest::Client,
}

impl World {
    async fn new() -> Self {
        crate::remote::install_tls();
        let clock = Clock::manual(Hand::at(from_millis(1_795_162_907_123)));
        let stand_in = PatchworkStandIn::start(clock).await.unwrap();
        stand_in.add_project(PROJECT, "points-devel@lists.example");
        stand_in.add_user("pointsman", "token");
        stand_in.set_maintainer(PROJECT, "pointsman", true);
        let patch = |number: u32| NewPatch {
            title: format!("Oil point {number}"),
            message: "It squeaks.".to_owned(),
            diff: "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".to_owned(),
        };
        let new = NewSeries {
            project: PROJECT.to_owned(),
            from: ADA.to_owned(),
            msgid: "oil".to_owned(),
            tags: vec!["net-next".to_owned()],
            version: 2,
            cover: Some(("Oil them".to_owned(), "Hello.".to_owned())),
            patches: vec![patch(1), patch(2)],
            ..NewSeries::default()
        };
        let posted = stand_in.post_series(&new).unwrap();
        Self { stand_in, posted, client: reqwest::Client::builder().build().unwrap() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/1.3/{path}", self.stand_in.url()))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    async fn check(&self, body: &Value, token: &str) -> (u16, Value) {
        let path = format!("patches/{}/checks/", self.posted.patches[0]);
        let request = self.request(Method::POST, &path).json(body);
        answer(request.header("Authorization", format!("Token {token}"))).await
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

#[tokio::test]
async fn a_series_is_told_when_its_last_patch_comes() {
    let world = World::new().await;
    let (status, events) = world.get(&format!("events/?project={PROJECT}&order=date")).await;
    let categories: Vec<_> =
        events.as_array().unwrap().iter().filter_map(|event| event["category"].as_str()).collect();
    assert_eq!(status, 200);
    assert_eq!(
        categories,
        [
            "series-created",
            "cover-created",
            "patch-created",
            "patch-completed",
            "patch-created",
            "patch-completed",
            "series-completed",
        ]
    );
    assert_eq!(events[6]["date"], "2026-11-20T08:21:47.123000");
    let (_, series) = world.get(&format!("series/{}/", world.posted.series)).await;
    assert_eq!((&series["version"], &series["total"]), (&json!(2), &json!(2)));
    assert_eq!(series["patches"][1]["name"], "[net-next,v2,2/2] Oil point 2");
    assert_eq!(series["cover_letter"]["msgid"], "<oil-0@points.example>");
    assert_eq!(series["received_all"], true);
}

#[tokio::test]
async fn a_filter_that_cannot_be_met_finds_nothing_and_says_nothing() {
    let world = World::new().await;
    for query in ["project=nowhere", "category=nonsense", "project=points-devel&project=nowhere"] {
        assert_eq!(world.get(&format!("events/?{query}")).await, (200, json!([])), "{query}");
    }
    // Nor is a parameter that nobody knows.
    let (_, all) = world.get("events/?nonsense=1").await;
    assert_eq!(all.as_array().unwrap().len(), 7);
    let path = format!("{}/api/1.2/events/?category=patch-comment-created", world.stand_in.url());
    assert_eq!(answer(world.client.get(path)).await, (200, json!([])));
}

#[tokio::test]
async fn pages_lead_to_the_next_and_have_an_end() {
    let world = World::new().await;
    let response = world.request(Method::GET, "events/?order=date&per_page=3&page=2").send().await;
    let links = response.unwrap().headers()["link"].to_str().unwrap().to_owned();
    let url = world.stand_in.url();
    assert_eq!(
        links.replace(&url, ""),
        "</api/1.3/events/?order=date&per_page=3&page=3>; rel=\"next\", \
         </api/1.3/events/?order=date&per_page=3&page=1>; rel=\"prev\""
    );
    assert_eq!(world.get("events/?per_page=3&page=4").await.0, 404);
}

#[tokio::test]
async fn an_address_ends_with_a_slash_and_has_a_version_that_there_is() {
    let world = World::new().await;
    assert_eq!(world.get("events").await.0, 404);
    assert_eq!(answer(world.client.get(format!("{}/api/1.4/", world.stand_in.url()))).await.0, 404);
    assert_eq!(world.get("").await.0, 200);
}

#[tokio::test]
async fn a_check_has_to_be_one() {
    let world = World::new().await;
    let good = json!({ "state": "success", "context": "a-b_1", "description": "x" });
    let (status, made) = world.check(&good, "token").await;
    assert_eq!(
        (status, &made["state"], &made["target_url"]),
        (201, &json!("success"), &Value::Null)
    );
    for (field, value) in [
        ("state", json!("")),
        ("state", json!("broken")),
        ("context", json!("a.b")),
        ("context", json!("x".repeat(256))),
        ("target_url", json!(format!("https://x.example/{}", "x".repeat(200)))),
        ("target_url", json!("no address")),
    ] {
        let mut bad = good.clone();
        bad[field] = value.clone();
        let (status, said) = world.check(&bad, "token").await;
        assert!(status == 400 && said[field][0].is_string(), "{field} {value}: {said}");
    }
    world.stand_in.add_user("stranger", "strange");
    assert_eq!(world.check(&good, "strange").await.0, 403);
    assert_eq!(world.check(&good, "nonsense").await.0, 401);
    assert_eq!(world.stand_in.checks(world.posted.patches[0]).len(), 1);
}

#[tokio::test]
async fn a_mail_grows_by_what_is_replied() {
    let world = World::new().await;
    let patch = &world.posted.msgids[1];
    let text = "Nice.\nReviewed-by: Grace <grace@points.example>";
    world.stand_in.comment(PROJECT, patch, ("Grace <grace@points.example>", "r@x"), text).unwrap();
    let url = format!("{}/project/{PROJECT}/patch/{patch}/mbox/", world.stand_in.url());
    let mail = world.client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(
        mail.contains("It squeaks.\nReviewed-by: Grace <grace@points.example>\n---\n"),
        "{mail}"
    );
    let (_, detail) = world.get(&format!("patches/{}/", world.posted.patches[0])).await;
    assert_eq!(detail["content"], "It squeaks.\n---");
    let (_, events) = world.get("events/?category=patch-comment-created").await;
    assert_eq!(events[0]["payload"]["comment"]["msgid"], "<r@x>");
    world.stand_in.deliver(PROJECT, &NewMail::default()).unwrap_err();
}

#[tokio::test]
async fn settings_are_told_to_nobody_else() {
    let world = World::new().await;
    let own = world.stand_in.add_user("pointsman", "token");
    let path = format!("users/{own}/");
    assert_eq!(world.get(&path).await.1.get("settings"), None);
    let request = world.request(Method::GET, &path).header("Authorization", "Token token");
    assert!(answer(request).await.1.get("settings").is_some());
    let (_, project) = world.get(&format!("projects/{PROJECT}/")).await;
    // A maintainer is told by profile, which is counted otherwise.
    assert_eq!(project["maintainers"][0]["username"], "pointsman");
    assert_ne!(project["maintainers"][0]["id"], own);
}
