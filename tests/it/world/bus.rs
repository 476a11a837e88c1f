//! A real broker, with an exchange and a queue that nobody else uses.

use std::process::Command;

use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};

use pointsman::message::Message;
use pointsman::remote::Failure;
use pointsman::source::amqp::plan::Plan;
use pointsman::source::amqp::publish::{Publisher, Unheard};
use serde_json::Value;

use super::PATIENCE;
use super::peace::Peace;

/// What `scripts/test` tells of the services that it has started.
pub(crate) fn variable(name: &str) -> String {
    std::env::var_os(name)
        .and_then(|value| value.into_string().ok())
        .unwrap_or_else(|| panic!("{name} is not set: run scripts/test"))
}

/// The address of the broker.
pub(crate) fn address() -> String {
    variable("POINTSMAN_TEST_AMQP")
}

/// The address of a new vhost.
pub(crate) async fn own_address() -> String {
    let vhost = format!("it-{}", uuid::Uuid::new_v4());
    ctl(&["add_vhost", &vhost]).await;
    ctl(&["set_permissions", "-p", &vhost, "guest", ".*", ".*", ".*"]).await;
    address().replace("%2f", &vhost)
}

/// Runs `rabbitmqctl`.
pub(crate) async fn ctl(arguments: &[&str]) -> String {
    let mut command = Command::new(variable("POINTSMAN_TEST_BROKER_CTL"));
    command.args(arguments);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// An exchange and a queue of our own.
pub(crate) struct Bus {
    pub(crate) url: String,
    pub(crate) name: String,
    publisher: Publisher,
    _peace: Option<Peace>,
}

impl Bus {
    /// Makes the exchange.
    pub(crate) async fn new(url: &str, peace: Peace) -> Self {
        let name = format!("it-{}", uuid::Uuid::new_v4());
        let (_connection, channel) = connect(url).await;
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange = ShortString::from(name.as_str());
        let none = FieldTable::default();
        channel.exchange_declare(exchange, ExchangeKind::Topic, options, none).await.unwrap();
        let settings = format!("url = '{url}'\nqueue = '{name}'\npublish_exchange = '{name}'");
        let settings = toml_edit::de::from_str(&settings).unwrap();
        let plan = Plan::new(&settings, &["#".to_owned()]).unwrap();
        let publisher = Publisher::new(&plan, Unheard::Gone);
        Self { url: url.to_owned(), name, publisher, _peace: Some(peace) }
    }

    /// Lets others disturb the broker.
    pub(crate) fn without_peace(self) -> Self {
        Self { _peace: None, ..self }
    }

    /// The settings of the service.
    pub(crate) fn settings(&self) -> String {
        let (url, name) = (self.url.replace("guest:guest@", "guest@"), &self.name);
        format!(
            "[amqp]\nurl = '{url}'\npassword = 'file:broker-password'\nqueue = '{name}'\nexchange = '{name}'\n\
             publish_exchange = '{name}'\ntopic_prefix = 'org.example.test'\n"
        )
    }

    /// The vhost.
    pub(crate) fn vhost(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }

    /// Publishes until the broker has confirmed it, even if the broker goes away in between.
    pub(crate) async fn publish(&self, message: &Message) {
        let publish = async {
            while let Err(failure) = self.publisher.forward(message).await {
                assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, publish).await.expect("the broker takes no message");
    }

    /// Listens to what is published under `key` from now on.
    pub(crate) async fn listen(&self, key: &str) -> Ear {
        let (connection, channel) = connect(&self.url).await;
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        let queue = queue.name().clone();
        let exchange = ShortString::from(self.name.as_str());
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.clone(), exchange, key.into(), options, none).await.unwrap();
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(queue, "".into(), options, none).await.unwrap();
        Ear { consumer, _channel: channel, _connection: connection }
    }

    /// Makes another queue, which keeps what is published under `key` from now on.
    pub(crate) async fn keep(&self, queue: &str, key: &str) {
        let (_connection, channel) = connect(&self.url).await;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        let exchange = ShortString::from(self.name.as_str());
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.into(), exchange, key.into(), options, none).await.unwrap();
    }

    /// Deletes a queue.
    pub(crate) async fn forget(&self, queue: &str) {
        let (_connection, channel) = connect(&self.url).await;
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// Deletes queue and exchange, and a vhost of our own with them.
    pub(crate) async fn clear_away(&self) {
        if self.vhost() != "%2f" {
            ctl(&["delete_vhost", self.vhost()]).await;
            return;
        }
        let (_connection, channel) = connect(&self.url).await;
        let name = || ShortString::from(self.name.as_str());
        channel.queue_delete(name(), QueueDeleteOptions::default()).await.unwrap();
        channel.exchange_delete(name(), ExchangeDeleteOptions::default()).await.unwrap();
    }
}

/// Hears what is published.
pub(crate) struct Ear {
    consumer: Consumer,
    _channel: Channel,
    _connection: Connection,
}

impl Ear {
    /// The next message: topic and body.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        let next = tokio::time::timeout(PATIENCE, self.consumer.next()).await;
        let delivery = next.expect("nothing was published").unwrap().unwrap();
        delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
        let body = serde_json::from_slice(&delivery.data).unwrap();
        (delivery.routing_key.to_string(), body)
    }
}

async fn connect(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}
