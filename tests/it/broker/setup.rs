//! Logging in, declaring and binding, and how a refusal reads.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pointsman::remote::chain;
use pointsman::source::amqp::AmqpSource;
use pointsman::source::amqp::plan::Plan;
use pointsman::source::{Source, SourceError};

use super::{Broker, message, topics, variable, wanted};

async fn refusal(source: &mut AmqpSource) -> String {
    match source.next().await {
        Err(SourceError::Refused(error)) => chain(error.as_ref()),
        other => panic!("not refused: {other:?}"),
    }
}

fn certificate(name: &str) -> String {
    let path = PathBuf::from(variable("POINTSMAN_TEST_CERTS")).join(name);
    path.to_str().unwrap().to_owned()
}

fn tls() -> String {
    format!("url = '{}'\nca = '{}'\n", variable("POINTSMAN_TEST_AMQPS"), certificate("ca.pem"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_missing_is_refused_where_it_may_only_be_looked_for() {
    let broker = Broker::shared().await;
    let refused = refusal(&mut broker.source("queue = 'not-there'\npassive = true")).await;
    assert!(refused.contains("`not-there` does not exist"), "{refused}");

    broker.publish(&["wanted.a"]).await;
    let found = wanted(&mut broker.source("passive = true")).await;
    assert_eq!(topics(&found.messages), ["wanted.a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_other_properties_is_refused() {
    let broker = Broker::shared().await;
    let refused = refusal(&mut broker.source("queue_type = 'quorum'")).await;
    assert!(refused.contains("exists already, with other properties"), "{refused}");
    assert!(refused.contains("x-queue-type"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_queue_is_consumed_like_another() {
    let broker = Broker::shared().await;
    broker.delete_queue().await;
    let mut source = broker.source("queue_type = 'quorum'");
    tokio::select! {
        batch = wanted(&mut source) => assert_eq!(topics(&batch.messages)[0], "wanted.a"),
        () = broker.keep_publishing(&["wanted.a"]) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_the_broker_names_is_bound_under_that_name() {
    let broker = Broker::shared().await;
    let mut source = broker.source("queue = ''");
    tokio::select! {
        batch = wanted(&mut source) => assert_eq!(topics(&batch.messages)[0], "wanted.a"),
        () = broker.keep_publishing(&["wanted.a"]) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_missing_is_refused_and_not_made() {
    let broker = Broker::shared().await;
    let mut settings = broker.settings("");
    "not-there".clone_into(&mut settings.exchange);
    let plan = Plan::new(&settings, &["#".to_owned()]).unwrap();
    let mut source = AmqpSource::new(plan, Box::new(|_| true));
    for _ in 0..2 {
        let refused = refusal(&mut source).await;
        assert!(refused.contains("to `not-there`"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_not_shown() {
    let broker = Broker::shared().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2").unwrap();
    let password = format!("password = 'file:{}'", file.path().display());
    let refused = refusal(&mut broker.source(&password)).await;
    assert!(refused.contains("cannot log in"), "{refused}");
    assert!(refused.contains("ACCESS_REFUSED"), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vhost_that_is_missing_is_refused() {
    let broker = Broker::shared().await;
    let url = broker.url.replace("%2f", "not-there");
    let refused = refusal(&mut broker.source(&format!("url = '{url}'"))).await;
    assert!(refused.contains("not-there"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_home_is_a_loss() {
    let broker = Broker::shared().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("url = 'amqp://{}/'", listener.local_addr().unwrap());
    drop(listener);
    let lost = broker.source(&url).next().await;
    assert!(matches!(lost, Err(SourceError::Lost(_))), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_logs_us_in() {
    let broker = Broker::shared().await;
    let (certificate, key) = (certificate("pointsman.pem"), certificate("pointsman.key"));
    let settings = format!("{}certificate = '{certificate}'\nkey = '{key}'", tls());
    broker.publisher(&settings).forward(&message("wanted.a")).await.unwrap();
    let batch = wanted(&mut broker.source(&settings)).await;
    assert_eq!(topics(&batch.messages), ["wanted.a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_the_authority_does_not_vouch_for_is_refused() {
    let broker = Broker::shared().await;
    // The certificate of the client vouches for nobody.
    let settings = tls().replace("ca.pem", "pointsman.pem");
    let refused = refusal(&mut broker.source(&settings)).await;
    assert!(refused.contains("certificate"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_fedora_messaging_is_enough() {
    let broker = Broker::shared().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let (url, name) = (&broker.url, &broker.name);
    let queue = "durable = false\nauto_delete = true\nexclusive = true\narguments = {}";
    let fedora = format!(
        "amqp_url = '{url}'
        publish_exchange = '{name}'
        [queues.'{name}-a']\n{queue}
        [queues.'']\n{queue}
        [[bindings]]
        queue = '{name}-a'
        exchange = '{name}'
        routing_keys = ['wanted.a']
        [[bindings]]
        exchange = '{name}'
        routing_keys = ['wanted.b', 'wanted.c']"
    );
    std::fs::write(file.path(), fedora).unwrap();
    let toml = format!("fedora_messaging = '{}'", file.path().display());
    let plan = Plan::new(&toml_edit::de::from_str(&toml).unwrap(), &[]).unwrap();
    let mut source = AmqpSource::new(plan, Box::new(|_| true));

    let both_queues_are_heard = async {
        let mut seen = BTreeSet::new();
        while seen.len() < 2 {
            let batch = source.next().await.unwrap();
            seen.extend(topics(&batch.messages).into_iter().map(str::to_owned));
            source.acknowledge(broker.stored().await).await.unwrap();
        }
        seen
    };
    tokio::select! {
        seen = both_queues_are_heard => assert_eq!(Vec::from_iter(seen), ["wanted.a", "wanted.b"]),
        () = broker.keep_publishing(&["wanted.a", "wanted.b", "other"]) => {}
    }
}
