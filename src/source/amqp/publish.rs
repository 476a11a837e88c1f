//! Publishing, with the broker's confirmation that it has the message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, Connection};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::connect::{ANSWER_TIMEOUT, Broker, code};
use super::convert;
use super::plan::Plan;
use crate::message::Message;
use crate::remote::Failure;

/// How long the broker may take to confirm a message.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// A message of our own, which is published in the form of fedora-messaging.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The id, by which readers know a repetition.
    pub id: String,
    /// The topic, without the prefix of the deployment.
    pub topic: String,
    /// Headers beside those that fedora-messaging wants.
    pub headers: Map<String, Value>,
    /// The body.
    pub body: Value,
}

impl Outgoing {
    /// The severity that fedora-messaging calls INFO.
    const INFO: i32 = 20;

    /// The message as it is sent at `now`.
    pub fn message(&self, prefix: &str, now: Timestamp) -> Message {
        let prefix = prefix.trim_end_matches('.');
        let topic = match prefix {
            "" => self.topic.clone(),
            _ => format!("{prefix}.{}", self.topic),
        };
        let mut headers = self.headers.clone();
        headers.extend([
            ("fedora_messaging_schema".to_owned(), "base.message".into()),
            ("fedora_messaging_severity".to_owned(), Self::INFO.into()),
            ("priority".to_owned(), 0.into()),
            ("sent-at".to_owned(), now.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string().into()),
        ]);
        Message {
            id: Some(self.id.clone()),
            topic,
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            headers,
            body: self.body.to_string().into_bytes(),
        }
    }
}

/// Publishes over a connection of its own, which it makes when it is needed.
///
/// A consumer's connection would be held up when the broker throttles those who publish.
#[derive(Debug)]
pub struct Publisher {
    broker: Broker,
    exchange: String,
    unheard: Unheard,
    link: Mutex<Option<Link>>,
    in_flight: AtomicUsize,
}

/// What becomes of a message to whose topic nobody has bound a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// Nobody wants to know: it is gone, and that is as it should be.
    Gone,
    /// It was handed to us to be kept, so it is not taken.
    Refused,
}

#[derive(Debug)]
struct Link {
    channel: Channel,
    connection: Connection,
}

impl Publisher {
    /// A publisher to the exchange of `plan`; `unheard` says what becomes of a message to whose
    /// topic nobody has bound a queue.
    pub fn new(plan: &Plan, unheard: Unheard) -> Self {
        Self {
            broker: plan.broker.clone(),
            exchange: plan.publish_exchange.clone(),
            unheard,
            link: Mutex::new(None),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Publishes `message` as it is, persistently, and waits until the broker has it.
    ///
    /// It may arrive twice if the confirmation is lost; readers know it by its id.
    pub async fn forward(&self, message: &Message) -> Result<(), Failure> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let sent = self.send(message).await;
        let others = self.in_flight.fetch_sub(1, Ordering::SeqCst) - 1;
        match sent {
            // The broker closes the channel over one message, and all that are on it hear the same
            // no.  Whose it was shows when each is tried alone.
            Err(Failure::GiveUp(error)) if others > 0 => Err(Failure::retry(error)),
            other => other,
        }
    }

    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let topic = ShortString::try_new(message.topic.as_str());
        let exchange = ShortString::try_new(self.exchange.as_str());
        let properties = convert::properties(message);
        let (topic, exchange, properties) = match (topic, exchange, properties) {
            (Ok(topic), Ok(exchange), Ok(properties)) => (topic, exchange, properties),
            (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
                let error = anyhow!(error).context("AMQP cannot carry the message");
                return Err(Failure::give_up(error));
            }
        };
        let channel = self.channel().await.map_err(Failure::retry)?;
        let sent = tokio::time::timeout(CONFIRM_TIMEOUT, async {
            let mandatory = self.unheard == Unheard::Refused;
            let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
            channel.basic_publish(exchange, topic, options, &message.body, properties).await?.await
        });
        match sent.await {
            Ok(Ok(Confirmation::Ack(Some(_returned)))) => Err(Failure::retry(anyhow!(
                "no queue takes messages on `{}` from `{}`",
                message.topic,
                self.exchange
            ))),
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Nack(_) | Confirmation::NotRequested)) => {
                Err(Failure::retry(anyhow!("the broker did not take the message")))
            }
            Ok(Err(error)) => Err(self.refusal(error)),
            Err(_elapsed) => {
                self.link.lock().await.take();
                let seconds = CONFIRM_TIMEOUT.as_secs();
                Err(Failure::retry(anyhow!(
                    "the broker did not confirm the message within {seconds} seconds"
                )))
            }
        }
    }

    /// A channel that is open and confirms.
    async fn channel(&self) -> anyhow::Result<Channel> {
        let mut link = self.link.lock().await;
        if let Some(Link { channel, connection }) = &*link
            && channel.status().connected()
            && connection.status().connected()
        {
            return Ok(channel.clone());
        }
        // The old one goes first, whatever comes of the new one.
        *link = None;
        let connection = self.broker.connect("pointsman publisher").await?;
        let channel = tokio::time::timeout(ANSWER_TIMEOUT, async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            lapin::Result::Ok(channel)
        })
        .await
        .context("the broker opens no channel")?
        .context("cannot open a channel for publishing")?;
        *link = Some(Link { channel: channel.clone(), connection });
        Ok(channel)
    }

    /// What it means that the broker has closed the channel over a message.
    fn refusal(&self, error: lapin::Error) -> Failure {
        // Access refused, no such exchange, precondition failed (such as too large).
        let is_final = matches!(code(&error), Some(403 | 404 | 406));
        let error = anyhow!(error).context(format!("cannot publish to `{}`", self.exchange));
        if is_final { Failure::give_up(error) } else { Failure::retry(error) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn letter() -> Outgoing {
        Outgoing {
            id: "5a1d".to_owned(),
            topic: "pointsman.run.started".to_owned(),
            headers: Map::from_iter([("x-box".to_owned(), json!("north"))]),
            body: json!({"run": "c0ffee"}),
        }
    }

    #[test]
    fn a_message_of_ours_has_the_form_of_fedora_messaging() {
        let now = "2026-11-20T08:24:32.75Z".parse().unwrap();
        let message = letter().message("org.example.dev.", now);
        assert_eq!(message.topic, "org.example.dev.pointsman.run.started");
        assert_eq!(message.content_type.as_deref(), Some("application/json"));
        assert_eq!(message.content_encoding.as_deref(), Some("utf-8"));
        assert_eq!(message.body, br#"{"run":"c0ffee"}"#);
        assert_eq!(
            Value::Object(message.headers),
            json!({
                "fedora_messaging_schema": "base.message", "fedora_messaging_severity": 20,
                "priority": 0, "sent-at": "2026-11-20T08:24:32+00:00", "x-box": "north",
            })
        );
    }

    #[test]
    fn without_a_prefix_the_topic_stands_alone() {
        assert_eq!(letter().message("", Timestamp::UNIX_EPOCH).topic, "pointsman.run.started");
    }
}
