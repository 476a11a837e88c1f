//! Publishing, and what the broker says to it.

use pointsman::message::Message;
use pointsman::remote::{Failure, chain};
use pointsman::source::amqp::plan::Plan;
use pointsman::source::amqp::publish::{Outgoing, Publisher, Unheard};
use serde_json::{Map, json};

use super::{Broker, message, wanted};

fn given_up(result: Result<(), Failure>) -> String {
    match result {
        Err(Failure::GiveUp(error)) => chain(error.as_ref()),
        other => panic!("not given up: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_ours_arrives_with_everything_that_readers_expect() {
    let broker = Broker::shared().await;
    let now = "2026-11-20T08:24:32Z".parse().unwrap();
    let plan = broker.plan("topic_prefix = 'wanted'");
    let publisher = Publisher::new(&plan, Unheard::Gone);
    let letter = Outgoing {
        id: "5a1d".to_owned(),
        topic: "pointsman.notice".to_owned(),
        headers: Map::new(),
        body: json!({"text": "ü"}),
    };
    publisher.forward(&letter.message(plan.topic_prefix(), now)).await.unwrap();

    let batch = wanted(&mut broker.source("")).await;
    assert_eq!(batch.messages[0].message, letter.message("wanted", now));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_nobody_reads_is_no_failure() {
    let broker = Broker::shared().await;
    broker.delete_queue().await;
    broker.publish(&["unheard"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_missing_is_final() {
    let broker = Broker::shared().await;
    let mut settings = broker.settings("");
    "not-there".clone_into(&mut settings.publish_exchange);
    let publisher = Publisher::new(&Plan::new(&settings, &[]).unwrap(), Unheard::Gone);
    for _ in 0..2 {
        let error = given_up(publisher.forward(&message("a")).await);
        assert!(error.contains("not-there"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_amqp_cannot_carry_is_final_and_the_next_message_is_not_harmed() {
    let broker = Broker::shared().await;
    let publisher = broker.publisher("");
    let long = "a".repeat(256);
    let too_long = [
        message(&long),
        Message { id: Some(long.clone()), ..message("a") },
        Message { headers: Map::from_iter([(long.clone(), json!(1))]), ..message("a") },
    ];
    for message in too_long {
        let error = given_up(publisher.forward(&message).await);
        assert!(error.contains("AMQP cannot carry"), "{error}");
    }
    publisher.forward(&message("a")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_can_publish_at_once() {
    let broker = Broker::shared().await;
    let publisher = broker.publisher("");
    let messages: Vec<_> = (0..100).map(|n| message(&format!("wanted.{n}"))).collect();
    let sent = messages.iter().map(|message| publisher.forward(message));
    let sent = futures_util::future::join_all(sent).await;
    assert!(sent.iter().all(Result::is_ok));
    assert_eq!(broker.waiting().await, 100);
}
