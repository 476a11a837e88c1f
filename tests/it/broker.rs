//! The AMQP source and the publisher against a real RabbitMQ.

mod consume;
mod loss;
mod proxy;
mod publish;
mod rebind;
mod setup;

use std::process::Command;
use std::sync::Arc;

use lapin::options::{
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};

use pointsman::clock::Clock;
use pointsman::decision::Decision;
use pointsman::ledger::{Ledger, Stored};
use pointsman::message::Message;
use pointsman::source::amqp::plan::Plan;
use pointsman::source::amqp::publish::{Publisher, Unheard};
use pointsman::source::amqp::{AmqpSettings, AmqpSource};
use pointsman::source::{Batch, Delivered, Source};
use tempfile::TempDir;

use crate::world::bus::variable;
use crate::world::peace::{self, Peace};

/// The broker, with an exchange and a queue that nobody else uses.
struct Broker {
    _peace: Peace,
    url: String,
    name: String,
    _connection: Connection,
    channel: Channel,
    ledger: Ledger,
    _directory: TempDir,
}

impl Broker {
    async fn shared() -> Self {
        Self::new(peace::shared().await).await
    }

    async fn alone() -> Self {
        Self::new(peace::alone().await).await
    }

    async fn new(peace: Peace) -> Self {
        let url = variable("POINTSMAN_TEST_AMQP");
        let (connection, channel) = connect(&url).await;
        let directory = tempfile::tempdir().unwrap();
        let broker = Self {
            _peace: peace,
            url,
            name: format!("it-{}", uuid::Uuid::new_v4()),
            _connection: connection,
            channel,
            ledger: Ledger::open(&directory.path().join("ledger.db"), Clock::system()).unwrap(),
            _directory: directory,
        };
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Topic;
        let name = broker.short();
        let declared = broker.channel.exchange_declare(name, kind, options, FieldTable::default());
        declared.await.unwrap();
        broker.make_queue().await;
        broker
    }

    /// Makes the queue as the source does, and binds it to every topic.
    async fn make_queue(&self) {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let (queue, exchange, none) = (self.short(), self.short(), FieldTable::default());
        self.channel.queue_declare(self.short(), options, none.clone()).await.unwrap();
        let options = QueueBindOptions::default();
        self.channel.queue_bind(queue, exchange, "#".into(), options, none).await.unwrap();
    }

    fn short(&self) -> ShortString {
        ShortString::from(self.name.as_str())
    }

    /// Our settings at this broker; `more` is TOML.
    fn settings(&self, more: &str) -> AmqpSettings {
        let name = &self.name;
        let mut toml = format!("exchange = '{name}'\npublish_exchange = '{name}'\n{more}");
        for (key, value) in [("url", &self.url), ("queue", name)] {
            if !more.contains(&format!("{key} =")) {
                toml = format!("{toml}\n{key} = '{value}'");
            }
        }
        toml_edit::de::from_str(&toml).unwrap()
    }

    fn plan(&self, more: &str) -> Plan {
        Plan::new(&self.settings(more), &["#".to_owned()]).unwrap()
    }

    /// A source that wants the topics with `wanted` in them.
    fn source(&self, more: &str) -> AmqpSource {
        AmqpSource::new(self.plan(more), Box::new(|topic| topic.contains("wanted")))
    }

    fn publisher(&self, more: &str) -> Publisher {
        Publisher::new(&self.plan(more), Unheard::Gone)
    }

    /// Publishes a message for each topic.
    async fn publish(&self, topics: &[&str]) {
        let publisher = self.publisher("");
        for topic in topics {
            publisher.forward(&message(topic)).await.unwrap();
        }
    }

    /// Publishes without end, for a queue that is made only later; races against its consumer.
    async fn keep_publishing(&self, topics: &[&str]) {
        let publisher = self.publisher("");
        for topic in topics.iter().cycle() {
            publisher.forward(&message(topic)).await.unwrap();
        }
    }

    /// The proof that something was stored.
    async fn stored(&self) -> Stored {
        let decide = Arc::new(|_: &_, _: &_| Decision::default());
        self.ledger.put(Vec::new(), decide).await.unwrap().0
    }

    /// Takes messages, each batch with its proof, until `count` of them have come, wanted or not.
    async fn take(&self, source: &mut AmqpSource, count: u64) -> Batch {
        let mut all = Batch::default();
        while all.passed_over + (all.messages.len() as u64) < count {
            let batch = source.next().await.unwrap();
            if !batch.messages.is_empty() {
                source.acknowledge(self.stored().await).await.unwrap();
            }
            all.passed_over += batch.passed_over;
            all.messages.extend(batch.messages);
        }
        all
    }

    /// How many messages wait in the queue and are in nobody's hand.
    async fn waiting(&self) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare(self.short(), options, FieldTable::default());
        queue.await.unwrap().message_count()
    }

    /// Waits until the broker waits for no acknowledgement.
    async fn nothing_in_hand(&self) {
        let arguments = ["list_queues", "--no-table-headers", "name", "messages_unacknowledged"];
        loop {
            let table = ctl(&arguments).await;
            let line = table.lines().find(|line| line.contains(&self.name)).unwrap();
            if line.ends_with("\t0") {
                return;
            }
        }
    }

    async fn delete_queue(&self) {
        let options = QueueDeleteOptions::default();
        self.channel.queue_delete(self.short(), options).await.unwrap();
    }
}

async fn connect(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Runs `rabbitmqctl`.
async fn ctl(arguments: &[&str]) -> String {
    let mut command = Command::new(variable("POINTSMAN_TEST_BROKER_CTL"));
    command.args(arguments);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

fn message(topic: &str) -> Message {
    Message {
        id: Some(format!("id of {topic}")),
        topic: topic.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: b"{}".to_vec(),
        ..Message::default()
    }
}

/// The next batch with a wanted message in it.
async fn wanted(source: &mut AmqpSource) -> Batch {
    loop {
        let batch = source.next().await.unwrap();
        if !batch.messages.is_empty() {
            return batch;
        }
    }
}

fn topics(messages: &[Delivered]) -> Vec<&str> {
    messages.iter().map(|delivered| delivered.message.topic.as_str()).collect()
}
