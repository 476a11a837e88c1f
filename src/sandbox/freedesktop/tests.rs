//! What the stand-in answers, asked of it directly.

use serde_json::{Value, json};

use super::*;
use crate::clock::Hand;
use crate::remote::Remote;

const DAY: &str = "2026-11-20T08:00:00Z";

async fn world() -> (FreedesktopStandIn, Remote, Hand) {
    let hand = Hand::at(DAY.parse().unwrap());
    let clock = Clock::manual(hand.clone());
    let stand_in = FreedesktopStandIn::start(clock.clone()).await.unwrap();
    stand_in.add_project("points");
    stand_in.add_user("bus", "secret", &["points"]);
    let base = stand_in.url().parse().unwrap();
    let remote = Remote::new(&base, std::time::Duration::from_secs(30), clock).unwrap();
    (stand_in, remote, hand)
}

async fn get(remote: &Remote, path: &str) -> Value {
    let url = remote.base().join(path).unwrap();
    let answer = remote.send(remote.request("GET".parse().unwrap(), url)).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

#[tokio::test]
async fn since_leaves_out_what_is_of_the_same_date() {
    let (stand_in, remote, hand) = world().await;
    let series = NewSeries::of("points", "a", 1, DAY.parse().unwrap());
    stand_in.post(&series);
    stand_in.post(&NewSeries { stem: "b".to_owned(), ..series.clone() });
    let path = "api/1.0/projects/points/events/?name=series-new-revision&ordering=event_time";
    let all = get(&remote, path).await;
    assert_eq!(all["count"], 2);
    let date = all["results"][0]["event_time"].as_str().unwrap();
    assert_eq!(date, "2026-11-20T08:00:00.000000");
    assert_eq!(get(&remote, &format!("{path}&since={date}")).await["count"], 0);
    hand.forward_to("2026-11-20T08:00:01Z".parse().unwrap());
    stand_in.rerun(1);
    let new = get(&remote, &format!("{path}&since={date}")).await;
    assert_eq!(new["results"][0]["parameters"], json!({ "revision": 2 }));
    let (first, second) = ("api/1.0/series/1/revisions/1/", "api/1.0/series/1/revisions/2/");
    assert_eq!(get(&remote, first).await["patches"], get(&remote, second).await["patches"]);
}

#[tokio::test]
async fn what_is_not_complete_is_not_told() {
    let (stand_in, remote, _) = world().await;
    let series = NewSeries::of("points", "a", 2, DAY.parse().unwrap());
    stand_in.post_some(&series, &[1]);
    assert_eq!(get(&remote, "api/1.0/projects/points/events/").await["count"], 0);
    assert_eq!(get(&remote, "api/1.0/projects/points/series/").await["count"], 1);
}

#[tokio::test]
async fn a_result_is_replaced_and_only_by_maintainers() {
    let (stand_in, remote, _) = world().await;
    stand_in.add_user("other", "secret", &[]);
    stand_in.post(&NewSeries::of("points", "a", 1, DAY.parse().unwrap()));
    let url = remote.base().join("api/1.0/series/1/revisions/1/test-results/").unwrap();
    let mut seen = Vec::new();
    for (user, state) in [
        ("bus", "pending"),
        ("bus", "failure"),
        ("bus", "broken"),
        ("other", "success"),
        ("x", "info"),
    ] {
        let request = remote.request("POST".parse().unwrap(), url.clone());
        let request = request.basic_auth(user, Some("secret"));
        let body = json!({ "test_name": "asan", "state": state, "summary": state });
        seen.push(remote.send(request.json(&body)).await.unwrap().status.as_u16());
    }
    assert_eq!(seen, [201, 201, 400, 403, 401]);
    let [kept] = stand_in.results().try_into().unwrap();
    assert_eq!((kept.of.as_str(), kept.state.as_str()), ("series/1/1", "failure"));
}
