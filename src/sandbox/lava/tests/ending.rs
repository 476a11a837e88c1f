//! How jobs end, and who is told.

use super::*;

const TOLD: &str = "
notify:
  criteria: {status: finished}
  callbacks:
  - {url: URL, method: POST, token: sesame, dataset: minimal, content-type: json}
";

/// A job that calls another stand-in, which says that there is no such page.
fn told(lab: &Lab) -> String {
    format!("{DEFINITION}{}", TOLD.replace("URL", &format!("{}/nowhere/", lab.lava.url())))
}

#[tokio::test]
async fn a_job_is_complete_even_if_a_test_failed() {
    let lab = Lab::open().await;
    let id = lab.lava.submit("pointsman", DEFINITION).unwrap();
    assert!(lab.lava.begin(id));
    assert_eq!(lab.get("devices/?hostname=tank-1").await.1["results"][0]["state"], "Running");
    assert!(lab.lava.finish(id, Outcome::fails(&["smoke/boot"], &["smoke/net"])).await);
    let (_, job) = lab.get("jobs/1/").await;
    assert_eq!((&job["state"], &job["health"]), (&json!("Finished"), &json!("Complete")));
    let (_, suites) = lab.get("jobs/1/suites/").await;
    let names: Vec<_> = suites["results"].as_array().unwrap().iter().collect();
    assert_eq!((&names[0]["name"], &names[1]["name"]), (&json!("lava"), &json!("smoke")));
    let (_, failed) = lab.get("jobs/1/tests/?result=fail").await;
    assert_eq!(failed["count"], 1);
    assert_eq!(failed["results"][0]["suite"], names[1]["id"]);
    assert_eq!(failed["results"][0]["name"], "net");
    let smoke = format!("jobs/1/suites/{}/tests/", names[1]["id"]);
    assert_eq!(lab.get(&smoke).await.1["count"], 2);
    assert!(!lab.lava.finish(id, Outcome::Canceled).await);
}

#[tokio::test]
async fn scripts_say_what_becomes_of_each_job() {
    let lab = Lab::open().await;
    let outcomes = vec![Outcome::breaks("the coal is wet"), Outcome::passes(&["smoke/boot"])];
    lab.lava.set_outcomes("tank", outcomes);
    for _ in 0..3 {
        lab.lava.submit("pointsman", DEFINITION).unwrap();
    }
    assert_eq!(lab.lava.play().await, 3);
    let healths: Vec<_> = lab.lava.jobs().iter().map(|job| job.health).collect();
    assert_eq!(healths, ["Incomplete", "Complete", "Complete"]);
    let (_, job) = lab.get("jobs/1/").await;
    assert_eq!(job["failure_comment"], "the coal is wet");
    let (_, own) = lab.get("jobs/1/tests/?suite__name=lava&result=fail").await;
    let metadata = own["results"][1]["metadata"].as_str().unwrap();
    assert!(metadata.contains("error_msg: \"the coal is wet\"\nerror_type: Infrastructure\n"));
    let (_, devices) = lab.get("devices/?hostname=tank-1").await;
    assert_eq!(devices["results"][0]["health"], "Unknown");
}

#[tokio::test]
async fn cancelling_is_asked_with_get_and_always_fine() {
    let lab = Lab::open().await;
    for _ in 0..2 {
        lab.lava.submit("pointsman", DEFINITION).unwrap();
    }
    lab.lava.begin(2);
    let sent = (200, json!({ "message": "Job cancel signal sent." }));
    for id in [1, 2, 1] {
        assert_eq!(lab.get(&format!("jobs/{id}/cancel/")).await, sent);
    }
    let states: Vec<_> = lab.lava.jobs().iter().map(|job| (job.state, job.health)).collect();
    assert_eq!(states, [("Finished", "Canceled"), ("Canceling", "Unknown")]);
    lab.lava.play().await;
    assert_eq!(lab.get("jobs/2/").await.1["health"], "Canceled");
    assert_eq!(lab.get("jobs/3/cancel/").await.0, 500);
    let other = lab.lava.submit("grace", DEFINITION).unwrap();
    assert_eq!(lab.get(&format!("jobs/{other}/cancel/")).await.0, 403);
    let post = (Method::POST, "jobs/1/cancel/");
    assert_eq!(lab.ask(post, Some("Token good"), None).await.0, 405);
}

#[tokio::test]
async fn callbacks_come_before_rest_knows_and_once() {
    let lab = Lab::open().await;
    let id = lab.lava.submit("pointsman", &told(&lab)).unwrap();
    lab.lava.begin(id);
    assert!(lab.lava.announce(id, Outcome::breaks("no signal")).await);
    assert_eq!(lab.get("jobs/1/").await.1["state"], "Running");
    let [callback] = <[Callback; 1]>::try_from(lab.lava.callbacks()).unwrap();
    assert_eq!((callback.status, callback.header.as_str()), (Some(404), "Authorization"));
    assert_eq!(callback.token.as_deref(), Some("sesame"));
    let body = callback.body.unwrap();
    assert_eq!((&body["status"], &body["status_string"]), (&json!(3), &json!("incomplete")));
    assert_eq!((&body["state"], &body["end_time"]), (&json!(5), &json!("None")));
    assert_eq!((&body["token"], &body["metadata"]), (&json!("sesame"), &json!([])));
    assert!(body["failure_comment"].is_null());
    assert!(lab.lava.commit(id) && !lab.lava.commit(id));
    assert_eq!(lab.get("jobs/1/").await.1["health"], "Incomplete");
    assert_eq!(lab.lava.callbacks().len(), 1);
}

#[tokio::test]
async fn callbacks_can_be_lost_and_come_for_what_was_asked_only() {
    let lab = Lab::open().await;
    lab.lava.set_callbacks(Callbacks::Lost);
    lab.lava.submit("pointsman", &told(&lab)).unwrap();
    let only = told(&lab).replace("status: finished", "status: incomplete");
    lab.lava.submit("pointsman", &only).unwrap();
    lab.lava.play().await;
    let [callback] = <[Callback; 1]>::try_from(lab.lava.callbacks()).unwrap();
    assert_eq!((callback.job, callback.status), (1, None));
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_it_waits_calls_back() {
    let lab = Lab::open().await;
    lab.lava.submit("pointsman", &told(&lab)).unwrap();
    lab.get("jobs/1/cancel/").await;
    let [callback] = <[Callback; 1]>::try_from(lab.lava.callbacks()).unwrap();
    assert_eq!(callback.body.unwrap()["status"], 4);
}

#[tokio::test(start_paused = true)]
async fn jobs_can_begin_and_end_by_themselves() {
    let lab = Lab::open().await;
    lab.lava.set_outcomes("tank", vec![Outcome::breaks("no coal"), Outcome::passes(&["a/b"])]);
    lab.lava.set_automatic(Some(Duration::from_secs(10)));
    for _ in 0..3 {
        lab.lava.submit("pointsman", DEFINITION).unwrap();
    }
    let states = || lab.lava.jobs().iter().map(|job| job.state).collect::<Vec<_>>();
    assert_eq!(states(), ["Running", "Running", "Submitted"]);
    for _ in 0..2 {
        // Those who wait for their time have to have begun to.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(Duration::from_secs(11)).await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(states(), ["Finished"; 3]);
    let healths: Vec<_> = lab.lava.jobs().iter().map(|job| job.health).collect();
    assert_eq!(healths, ["Incomplete", "Complete", "Complete"]);
}
