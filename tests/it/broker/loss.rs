//! Connections, queues and brokers that go away.

use pointsman::remote::chain;
use pointsman::source::amqp::AmqpSource;
use pointsman::source::{Batch, Source, SourceError};

use super::proxy::Proxy;
use super::{Broker, ctl, message, topics, wanted};

/// The next loss, whatever comes before it.
async fn loss(broker: &Broker, source: &mut AmqpSource) -> String {
    loop {
        let result = match source.next().await {
            Ok(_) => source.acknowledge(broker.stored().await).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => {}
            Err(SourceError::Lost(error)) => return chain(error.as_ref()),
            Err(SourceError::Refused(error)) => panic!("refused: {error:#}"),
        }
    }
}

/// The next batch; while the broker is away, asks again as the service does.
async fn patiently(source: &mut AmqpSource) -> Batch {
    loop {
        match source.next().await {
            Ok(batch) => return batch,
            Err(SourceError::Lost(_)) => tokio::task::yield_now().await,
            Err(SourceError::Refused(error)) => panic!("refused: {error:#}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acknowledged_comes_again_to_the_next_consumer() {
    let broker = Broker::shared().await;
    broker.publish(&["wanted.a"]).await;
    let mut first = broker.source("");
    wanted(&mut first).await;
    drop(first);

    let again = wanted(&mut broker.source("")).await;
    assert_eq!(topics(&again.messages), ["wanted.a"]);
    assert!(again.messages[0].redelivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_in_mid_stream_is_a_loss_and_nothing_else_is_lost() {
    let broker = Broker::shared().await;
    let port = url::Url::parse(&broker.url).unwrap().port().unwrap();
    let proxy = Proxy::before(format!("127.0.0.1:{port}")).await;
    let mut source = broker.source(&format!("url = 'amqp://{}/'", proxy.address()));
    broker.publish(&["wanted.a"]).await;
    wanted(&mut source).await;

    proxy.cut();
    let lost = source.next().await;
    // To give the batch back it connects anew, unless it sees the cut first.
    let again = match lost {
        Ok(batch) => batch,
        Err(_) => patiently(&mut source).await,
    };
    assert_eq!(topics(&again.messages), ["wanted.a"]);
    assert!(again.messages[0].redelivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_while_nothing_comes_is_noticed() {
    let broker = Broker::shared().await;
    let port = url::Url::parse(&broker.url).unwrap().port().unwrap();
    let proxy = Proxy::before(format!("127.0.0.1:{port}")).await;
    let mut source = broker.source(&format!("url = 'amqp://{}/'", proxy.address()));
    broker.publish(&["wanted.a"]).await;
    broker.take(&mut source, 1).await;

    proxy.cut();
    let loss = loss(&broker, &mut source).await;
    assert!(loss.contains(&broker.name), "{loss}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_is_a_loss_and_is_made_again() {
    let broker = Broker::shared().await;
    broker.publish(&["wanted.a"]).await;
    let mut source = broker.source("");
    broker.take(&mut source, 1).await;

    broker.delete_queue().await;
    let loss = loss(&broker, &mut source).await;
    assert!(loss.contains("was it deleted?"), "{loss}");
    tokio::select! {
        batch = patiently(&mut source) => {
            assert_eq!(topics(&batch.messages).first(), Some(&"wanted.again"));
        }
        () = broker.keep_publishing(&["wanted.again"]) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_started_again_goes_on_where_it_was() {
    let broker = Broker::alone().await;
    let publisher = broker.publisher("");
    publisher.forward(&message("wanted.a")).await.unwrap();
    let mut source = broker.source("");
    wanted(&mut source).await;

    ctl(&["stop_app"]).await;
    loss(&broker, &mut source).await;
    publisher.forward(&message("wanted.b")).await.unwrap_err();
    ctl(&["start_app"]).await;
    ctl(&["await_startup"]).await;

    publisher.forward(&message("wanted.c")).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let batch = patiently(&mut source).await;
        seen.extend(topics(&batch.messages).into_iter().map(str::to_owned));
        source.acknowledge(broker.stored().await).await.unwrap();
    }
    assert_eq!(seen, ["wanted.a", "wanted.c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_closed_over_a_late_acknowledgement_is_a_loss() {
    let broker = Broker::alone().await;
    set_limits(1, 50).await;
    broker.publish(&["wanted.a"]).await;
    let mut source = broker.source("");
    wanted(&mut source).await;
    // The broker closes the channel by itself, and holds us no longer for somebody who reads.
    broker.nothing_in_hand().await;
    set_limits(1_800_000, 60_000).await;

    let late = source.acknowledge(broker.stored().await).await;
    assert!(matches!(late, Err(SourceError::Lost(_))), "{late:?}");
    let again = wanted(&mut source).await;
    assert!(again.messages[0].redelivered);
}

/// How long the broker waits for an acknowledgement, and how often it looks, in milliseconds.
async fn set_limits(timeout: u32, interval: u32) {
    let set = format!(
        "application:set_env(rabbit, consumer_timeout, {timeout}),
         application:set_env(rabbit, channel_tick_interval, {interval})."
    );
    ctl(&["eval", &set]).await;
}
