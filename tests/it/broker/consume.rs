//! Messages that come, and how they are acknowledged.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use pointsman::message::Message;
use pointsman::source::Source;
use serde_json::{Value, json};

use super::{Broker, message, topics, wanted};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_comes_as_it_was_published_and_goes_once_it_is_acknowledged() {
    let broker = Broker::shared().await;
    let mut source = broker.source("");
    let headers = json!({"fedora_messaging_severity": 20, "sent-at": "2026-11-20T08:24:32+00:00"});
    let sent = Message {
        content_encoding: Some("utf-8".to_owned()),
        headers: headers.as_object().unwrap().clone(),
        body: br#"{"points":"moved"}"#.to_vec(),
        ..message("wanted.a")
    };
    broker.publisher("").forward(&sent).await.unwrap();

    let batch = source.next().await.unwrap();
    assert_eq!(batch.messages[0].message, sent);
    assert!(!batch.messages[0].redelivered);
    source.acknowledge(broker.stored().await).await.unwrap();
    source.close().await.unwrap();
    assert_eq!(broker.waiting().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_is_counted_and_acknowledged_without_a_proof() {
    let broker = Broker::shared().await;
    let mut source = broker.source("prefetch = 40");
    broker.publish(&["other"; 250]).await;

    let mut passed_over = 0;
    while passed_over < 250 {
        let batch = source.next().await.unwrap();
        assert!(batch.messages.is_empty());
        passed_over += batch.passed_over;
    }
    source.close().await.unwrap();
    assert_eq!(broker.waiting().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_that_nobody_wants_are_acknowledged_when_nothing_more_comes() {
    let broker = Broker::shared().await;
    let mut source = broker.source("");
    broker.publish(&["other"; 3]).await;
    broker.take(&mut source, 3).await;

    tokio::select! {
        batch = source.next() => panic!("nothing was published: {batch:?}"),
        () = broker.nothing_in_hand() => {}
    }
    assert_eq!(broker.waiting().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bulk_acknowledgement_covers_a_message_that_waits_for_its_proof() {
    let broker = Broker::shared().await;
    let mut source = broker.source("prefetch = 4");
    broker.publish(&["other", "wanted.a", "other", "other"]).await;

    wanted(&mut source).await;
    source.close().await.unwrap();
    assert_eq!(broker.waiting().await, 3, "the wanted one and those after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_covers_its_batch_and_what_nobody_wants_beside_it() {
    let broker = Broker::shared().await;
    let mut source = broker.source("");
    broker.publish(&["other", "wanted.a", "other", "wanted.b"]).await;

    let all = broker.take(&mut source, 4).await;
    assert_eq!((topics(&all.messages), all.passed_over), (vec!["wanted.a", "wanted.b"], 2));
    source.close().await.unwrap();
    assert_eq!(broker.waiting().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_could_not_be_stored_comes_again() {
    let broker = Broker::shared().await;
    let mut source = broker.source("");
    broker.publish(&["wanted.a"]).await;
    wanted(&mut source).await;

    let again = wanted(&mut source).await;
    assert_eq!(topics(&again.messages), ["wanted.a"]);
    assert!(again.messages[0].redelivered);
    source.acknowledge(broker.stored().await).await.unwrap();
    source.close().await.unwrap();
    assert_eq!(broker.waiting().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_prefetch_waits_at_the_broker() {
    let broker = Broker::shared().await;
    let mut source = broker.source("prefetch = 1");
    broker.publish(&["wanted.a", "wanted.b", "wanted.c"]).await;

    for (topic, rest) in [("wanted.a", 2), ("wanted.b", 1), ("wanted.c", 0)] {
        let batch = wanted(&mut source).await;
        assert_eq!(topics(&batch.messages), [topic]);
        assert_eq!(broker.waiting().await, rest);
        source.acknowledge(broker.stored().await).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_64_mebibytes_comes_whole_and_alone() {
    let broker = Broker::shared().await;
    let mut source = broker.source("");
    let publisher = broker.publisher("");
    let body: Vec<u8> = (0..64 * 1024 * 1024_u32).map(|n| n.to_le_bytes()[1]).collect();
    let large = Message { body, ..message("wanted.large") };
    publisher.forward(&large).await.unwrap();
    publisher.forward(&message("wanted.small")).await.unwrap();

    let batch = source.next().await.unwrap();
    assert_eq!(topics(&batch.messages), ["wanted.large"]);
    assert!(batch.messages[0].message.body == large.body);
    source.acknowledge(broker.stored().await).await.unwrap();
    assert_eq!(topics(&source.next().await.unwrap().messages), ["wanted.small"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_every_type_and_depth_come_as_json() {
    let broker = Broker::shared().await;
    let mut source = broker.source("");
    let mut death = FieldTable::default();
    death.insert("count".into(), AMQPValue::LongLongInt(2));
    death.insert("time".into(), AMQPValue::Timestamp(1_700_000_000));
    let deaths = FieldArray::from(vec![AMQPValue::FieldTable(death)]);
    let mut headers = FieldTable::default();
    headers.insert("x-death".into(), AMQPValue::FieldArray(deaths));
    headers.insert("bytes".into(), AMQPValue::ByteArray(vec![b'a', 0xff].into()));
    headers.insert("user".into(), AMQPValue::Boolean(true));
    headers.insert("short".into(), AMQPValue::ShortInt(-3));
    headers.insert("share".into(), AMQPValue::Double(0.5));
    let properties = BasicProperties::default().with_headers(headers);
    let (exchange, options) = (broker.short(), BasicPublishOptions::default());
    let sent = broker.channel.basic_publish(exchange, "wanted.a".into(), options, b"", properties);
    sent.await.unwrap();

    let batch = source.next().await.unwrap();
    let message = &batch.messages[0].message;
    assert_eq!((&message.id, &message.content_type), (&None, &None));
    assert_eq!(message.body, b"");
    assert_eq!(
        Value::Object(message.headers.clone()),
        json!({
            "x-death": [{"count": 2, "time": "2023-11-14T22:13:20Z"}],
            "bytes": "a\u{fffd}", "user": true, "short": -3, "share": 0.5,
        })
    );
}
