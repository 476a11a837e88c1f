//! AMQP 0-9-1 (RabbitMQ).

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ledger::Stored;
use crate::secret::SecretRef;
use crate::source::{Batch, Source, SourceError};

pub mod plan;
pub mod publish;
pub mod rebind;

mod connect;
mod consume;
mod convert;
mod fedora;
mod probe;
mod tags;

/// The broker: `[amqp]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AmqpSettings {
    /// A configuration file of fedora-messaging, accepted as it is for connection, queues,
    /// bindings and TLS.  What is said below comes on top of it.
    #[serde(default)]
    pub fedora_messaging: Option<PathBuf>,
    /// `amqp://` or `amqps://`, without a password.
    #[serde(default)]
    pub url: Option<String>,
    /// The password of the user in `url`.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// The queue to consume from.
    #[serde(default)]
    pub queue: Option<String>,
    /// `classic` or `quorum`.
    #[serde(default)]
    pub queue_type: QueueType,
    /// Whether queues are only looked for, never made (`passive_declares` of fedora-messaging).
    #[serde(default)]
    pub passive: bool,
    /// Whether bindings are made; when not, the administrator has made them.
    #[serde(default = "AmqpSettings::yes")]
    pub bind: bool,
    /// The exchange to bind to.
    #[serde(default = "AmqpSettings::exchange")]
    pub exchange: String,
    /// The exchange to publish to.
    #[serde(default = "AmqpSettings::exchange")]
    pub publish_exchange: String,
    /// What is put before the topics of our own messages.
    #[serde(default)]
    pub topic_prefix: String,
    /// How many messages the broker hands out before it waits for acknowledgements.
    #[serde(default = "AmqpSettings::prefetch")]
    pub prefetch: u16,
    /// Seconds between heartbeats.
    #[serde(default = "AmqpSettings::heartbeat")]
    pub heartbeat: u16,
    /// Certificates of the authorities to trust (PEM); the system's when absent.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Our certificate (PEM); with `key`, SASL EXTERNAL is used.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// The key of our certificate (PEM).
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// What the broker's administrators see of us.
    #[serde(default)]
    pub client_properties: BTreeMap<String, String>,
}

/// The types of durable queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueueType {
    /// On one node.
    #[default]
    Classic,
    /// Replicated.
    Quorum,
}

impl AmqpSettings {
    fn yes() -> bool {
        true
    }

    fn exchange() -> String {
        "amq.topic".to_owned()
    }

    /// It bounds memory: so many bodies of the broker's largest size (`max_message_size`) may be
    /// in hand.
    fn prefetch() -> u16 {
        200
    }

    fn heartbeat() -> u16 {
        60
    }
}

/// Says of a routing key whether some rule can care.
pub type Wants = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The queues of a [`plan::Plan`], consumed over one connection.
pub struct AmqpSource {
    plan: plan::Plan,
    wants: Wants,
    open: Option<consume::Consumption>,
    changes: rebind::Changes,
}

impl AmqpSource {
    /// A source that connects when it is first asked for messages.
    pub fn new(plan: plan::Plan, wants: Wants) -> Self {
        Self { plan, wants, open: None, changes: rebind::Changes::default() }
    }

    /// What changes the bindings while the source runs.
    pub fn rebinder(&self) -> rebind::Rebinder {
        self.changes.rebinder()
    }

    async fn gather(&mut self) -> Result<Batch, SourceError> {
        // A batch that was never acknowledged could not be stored.  Only a new connection makes
        // the broker deliver it again, and keeps later acknowledgements from covering it.
        if self.open.as_ref().is_some_and(consume::Consumption::holds) {
            self.close().await?;
        }
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                closed @ None => closed.insert(consume::Consumption::begin(&self.plan).await?),
            };
            let change = tokio::select! {
                batch = open.gather(&self.wants) => return batch,
                change = self.changes.next() => change,
            };
            self.rebind(change).await;
        }
    }

    fn forget_if_lost<T>(&mut self, result: Result<T, SourceError>) -> Result<T, SourceError> {
        if result.is_err() {
            self.open = None;
        }
        result
    }
}

#[async_trait]
impl Source for AmqpSource {
    async fn open(&mut self) -> Result<(), SourceError> {
        if self.open.is_none() {
            self.open = Some(consume::Consumption::begin(&self.plan).await?);
        }
        Ok(())
    }

    async fn attend(&mut self) {
        loop {
            let change = self.changes.next().await;
            self.rebind(change).await;
        }
    }

    /// Besides what the trait promises, it may be cancelled: nothing is lost.
    async fn next(&mut self) -> Result<Batch, SourceError> {
        let result = self.gather().await;
        self.forget_if_lost(result)
    }

    fn next_ready(&mut self) -> Option<Result<Batch, SourceError>> {
        let result = self.open.as_mut()?.gather_ready(&self.wants)?;
        Some(self.forget_if_lost(result))
    }

    async fn acknowledge(&mut self, _proof: Stored) -> Result<(), SourceError> {
        // After a loss there is nothing to settle: all of it comes again.
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let result = open.settle().await;
        self.forget_if_lost(result)
    }

    /// Acknowledges what nobody wants, and takes leave of the broker.
    async fn close(&mut self) -> Result<(), SourceError> {
        match self.open.take() {
            None => Ok(()),
            Some(open) => open.close().await,
        }
    }
}
