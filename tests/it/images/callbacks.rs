//! LAVA says that a job has ended: before it knows so itself, not at all, or somebody else says it.

use pointsman::clock::Clock;
use pointsman::remote::Remote;
use pointsman::sandbox::lava::{Callbacks, Outcome};
use reqwest::Method;
use url::Url;

use super::lab::{BUILD, JOB, Lab, RULES, image};
use crate::world::PATIENCE;

/// Nobody asks in a hurry: without a callback nothing is known for an hour.
const NO_POLLING: &str = "poll_min = '1h'\npoll_max = '1h'";

async fn lab() -> Lab {
    let mut lab = Lab::of((RULES, JOB), &["beagle"], NO_POLLING).await;
    lab.announce(&image(&lab.world, BUILD)).await;
    lab.until_jobs(1).await;
    lab.lava.schedule();
    lab
}

/// Somebody posts to where a job says that it has ended; the status of the answer.
async fn post(url: &str, token: &str) -> u16 {
    let url = Url::parse(url).unwrap();
    let remote = Remote::new(&url, PATIENCE, Clock::system()).unwrap();
    let body = serde_json::json!({ "id": 1, "status": 2, "health_string": "Complete" });
    let request = remote.request(Method::POST, url).header("authorization", token).json(&body);
    remote.send(request).await.unwrap().status.as_u16()
}

#[tokio::test]
async fn a_callback_is_taken_before_lava_itself_knows_of_the_end() {
    let settings = "poll_min = '5ms'\npoll_max = '1h'";
    let mut lab = Lab::of((RULES, JOB), &["beagle"], settings).await;
    lab.announce(&image(&lab.world, BUILD)).await;
    lab.until_jobs(1).await;
    lab.lava.schedule();
    lab.world.until("running", |look| look.runs.iter().any(|run| run.state == "running")).await;
    assert!(lab.lava.announce(1, Outcome::passes(&["smoke/boot"])).await);
    let callback = lab.lava.callbacks().pop().unwrap();
    assert_eq!(callback.status, Some(202), "{callback:?}");
    assert_eq!(callback.header.to_lowercase(), "authorization");
    // REST still says that it is running, and is believed.
    assert!(lab.lava.commit(1));
    lab.world.finish().await;
    assert!(lab.said().contains("1 of 1 boards passed"), "{}", lab.said());
    lab.world.end().await;
}

#[tokio::test]
async fn a_callback_has_us_look_long_before_it_is_time() {
    let mut lab = lab().await;
    lab.world.settle().await;
    assert!(lab.lava.finish(1, Outcome::passes(&["smoke/boot"])).await);
    lab.world.finish().await;
    assert!(lab.said().contains("1 of 1 boards passed"), "{}", lab.said());
    lab.world.end().await;
}

#[tokio::test]
async fn a_callback_that_is_lost_is_made_up_for_by_asking() {
    let mut lab = Lab::open(RULES, &["beagle"]).await;
    lab.lava.set_callbacks(Callbacks::Lost);
    lab.announce(&image(&lab.world, BUILD)).await;
    lab.plays_until(1).await;
    lab.world.finish().await;
    assert!(lab.said().contains("1 of 1 boards passed"), "{}", lab.said());
    lab.world.end().await;
}

#[tokio::test]
async fn nobody_else_can_say_that_a_job_has_ended() {
    let mut lab = lab().await;
    lab.announce(&{
        let mut other = image(&lab.world, BUILD);
        other["name"] = "nano-atom".into();
        other
    })
    .await;
    lab.until_jobs(2).await;
    lab.lava.set_callbacks(Callbacks::Lost);
    for id in [1, 2] {
        lab.lava.begin(id);
        lab.lava.announce(id, Outcome::passes(&[])).await;
    }
    let sent = lab.lava.callbacks();
    let [first, second] = sent.as_slice() else { panic!("{sent:?}") };
    let (one, other) = (first.token.as_deref().unwrap(), second.token.as_deref().unwrap());
    assert_ne!(one, other);
    assert_eq!(post(&first.url, "made-up").await, 404);
    assert_eq!(post(&first.url, other).await, 404, "that is the token of another run");
    assert_eq!(post(&first.url, &format!("Bearer {one}")).await, 404);
    assert_eq!(post(&first.url, one).await, 202);
    let look = lab.world.settle().await;
    // Whoever sees the definition has the token: it is no verdict, LAVA still says that it runs.
    assert_eq!(look.open_runs(), 4, "{}", look.runs());
    let ledger = std::fs::read(lab.world.scenery.ledger_path()).unwrap();
    let has = |token: &str| ledger.windows(token.len()).any(|part| part == token.as_bytes());
    assert!(!has(one) && !has(other), "no token is stored");
    lab.world.end().await;
}
