//! Bindings that change while messages come.

use pointsman::source::Source;
use pointsman::source::amqp::AmqpSource;
use pointsman::source::amqp::plan::Plan;

use super::{Broker, topics, wanted};

/// A plan with a queue of its own, and a source for it.
fn source(broker: &Broker, key: &str) -> (Plan, AmqpSource) {
    let plan = Plan::new(&broker.settings("queue = ''"), &[key.to_owned()]).unwrap();
    (plan.clone(), AmqpSource::new(plan, Box::new(|_| true)))
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_come_and_go_while_messages_are_waited_for() {
    let broker = Broker::shared().await;
    let (plan, mut source) = source(&broker, "wanted.a");
    let rebinder = source.rebinder();
    source.open().await.unwrap();
    broker.publish(&["wanted.b", "wanted.a"]).await;
    assert_eq!(topics(&wanted(&mut source).await.messages), ["wanted.a"]);
    source.acknowledge(broker.stored().await).await.unwrap();

    let change = async {
        rebinder.widen(&plan.with_keys(&keys(&["wanted.b"])).unwrap()).await.unwrap();
        broker.publish(&["wanted.b"]).await;
    };
    let (batch, ()) = tokio::join!(wanted(&mut source), change);
    assert_eq!(topics(&batch.messages), ["wanted.b"]);
    source.acknowledge(broker.stored().await).await.unwrap();

    let change = async {
        broker.publish(&["wanted.a"]).await;
        rebinder.narrow(&plan.with_keys(&keys(&["wanted.b"])).unwrap()).await.unwrap();
        broker.publish(&["wanted.a", "wanted.b"]).await;
    };
    let ((), mut seen) = tokio::join!(change, async {
        let mut seen = Vec::new();
        while !seen.contains(&"wanted.b".to_owned()) {
            let batch = wanted(&mut source).await;
            seen.extend(topics(&batch.messages).into_iter().map(str::to_owned));
            source.acknowledge(broker.stored().await).await.unwrap();
        }
        seen
    });
    // What came before it was unbound is there, what came after is not.
    seen.sort();
    assert_eq!(seen, ["wanted.a", "wanted.b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_there_is_no_connection_is_made_with_the_next_one() {
    let broker = Broker::shared().await;
    let (plan, mut source) = source(&broker, "wanted.a");
    let rebinder = source.rebinder();
    let wide = plan.with_keys(&keys(&["wanted.b"])).unwrap();
    tokio::select! {
        () = source.attend() => panic!("it never ends"),
        widened = rebinder.widen(&wide) => widened.unwrap(),
    }
    source.open().await.unwrap();
    broker.publish(&["wanted.a", "wanted.b"]).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let batch = wanted(&mut source).await;
        seen.extend(topics(&batch.messages).into_iter().map(str::to_owned));
        source.acknowledge(broker.stored().await).await.unwrap();
    }
    assert_eq!(seen, ["wanted.a", "wanted.b"]);
}
