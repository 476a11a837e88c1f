//! The broker: queues that are filled before they are measured.

use anyhow::{Context as _, ensure};
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind, PublisherConfirm};
use tokio::time::{Duration, Instant, sleep};

use crate::messages::{Messages, PROJECT, RELEVANT};

/// How long filling a queue may take, and emptying it.
const LIMIT: Duration = Duration::from_mins(5);

/// A channel on which publishing is confirmed.
pub(crate) struct Broker {
    url: String,
    _connection: Connection,
    channel: Channel,
}

impl Broker {
    /// Connects to the broker at `url`.
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .context("cannot reach the broker")?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { url: url.to_owned(), _connection: connection, channel })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Makes `queue` anew, durable, bound to every topic of an exchange of its own, which has the
    /// same name.
    pub(crate) async fn make(&self, queue: &str) -> anyhow::Result<()> {
        self.delete(queue).await?;
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        self.channel
            .exchange_declare(queue.into(), ExchangeKind::Topic, options, FieldTable::default())
            .await?;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        let options = QueueBindOptions::default();
        let bind = self.channel.queue_bind(
            queue.into(),
            queue.into(),
            "#".into(),
            options,
            FieldTable::default(),
        );
        bind.await?;
        Ok(())
    }

    /// Deletes `queue` with all that is in it, and its exchange.
    pub(crate) async fn delete(&self, queue: &str) -> anyhow::Result<()> {
        self.channel.exchange_delete(queue.into(), ExchangeDeleteOptions::default()).await?;
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
        Ok(())
    }

    /// How many messages of `queue` were not handed out yet.
    pub(crate) async fn left(&self, queue: &str) -> anyhow::Result<u64> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared =
            self.channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        Ok(u64::from(declared.message_count()))
    }

    /// Waits until at most `count` messages of `queue` are left.
    pub(crate) async fn until_left(&self, queue: &str, count: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIMIT;
        while self.left(queue).await? > count {
            ensure!(Instant::now() < deadline, "emptying `{queue}` takes too long");
            sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Makes `queue` anew and puts `count` persistent messages in, of which one in `share` is
    /// wanted.
    pub(crate) async fn fill(
        &self,
        queue: &str,
        messages: &Messages,
        (count, share): (u64, u64),
    ) -> anyhow::Result<()> {
        /// How many are on their way at once.
        const GROUP: usize = 500;
        self.make(queue).await?;
        let deadline = Instant::now() + LIMIT;
        let mut pending = Vec::with_capacity(GROUP);
        for number in 0..count {
            let topic = Messages::topic(number, share);
            pending.push(self.send((queue, topic), messages, (PROJECT, number)).await?);
            if pending.len() >= GROUP {
                for confirm in pending.drain(..) {
                    confirm.await?;
                }
                ensure!(Instant::now() < deadline, "filling `{queue}` takes too long");
            }
        }
        for confirm in pending {
            confirm.await?;
        }
        Ok(())
    }

    /// Publishes one message that is wanted; that the broker has it is not waited for.
    pub(crate) async fn publish(
        &self,
        queue: &str,
        messages: &Messages,
        number: u64,
    ) -> anyhow::Result<()> {
        self.send((queue, RELEVANT), messages, (PROJECT, number)).await?;
        Ok(())
    }

    async fn send(
        &self,
        (queue, topic): (&str, &str),
        messages: &Messages,
        (project, number): (&str, u64),
    ) -> anyhow::Result<PublisherConfirm> {
        let body = messages.body(project, number);
        let (options, properties) = (BasicPublishOptions::default(), messages.properties());
        let sent =
            self.channel.basic_publish(queue.into(), topic.into(), options, &body, properties);
        Ok(sent.await?)
    }
}
