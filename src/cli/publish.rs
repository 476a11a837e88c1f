//! `publish`: messages onto the broker, or into our own inbox where there is no broker.

use serde_json::json;

use super::console::Console;
use super::recorded::{self, Records};
use super::words::safe;
use super::{Common, Exit, load};
use crate::ledger::Ledger;
use crate::message::Message;
use crate::remote::chain;
use crate::reporters::bus::Post;
use crate::service::inbox::Inbox;
use crate::settings::Settings;
use crate::source::amqp::plan::Plan;
use crate::source::amqp::publish::{Publisher, Unheard};

/// What to publish.
#[derive(Debug, clap::Args)]
pub(super) struct Publish {
    /// A file with messages as fedora-messaging records them, one on each line; `-` is standard
    /// input.
    #[arg(value_name = "FILE")]
    file: String,
    /// The file is the bare body of one message; this is its topic.
    #[arg(long)]
    topic: Option<String>,
}

pub(super) async fn run(
    common: &Common,
    publish: Publish,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let bus = bus(&settings, console)?;
    if let Some(topic) = publish.topic {
        let body = recorded::body(recorded::open(&publish.file, console)?)?;
        let message = Message {
            id: Some(uuid::Uuid::new_v4().to_string()),
            topic,
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            headers: serde_json::Map::new(),
            body,
        };
        return one(&*bus, (message, None), common.json, console).await;
    }
    let mut exit = Exit::Success;
    let mut records = Records::new(recorded::open(&publish.file, console)?);
    while let Some(record) = records.next()? {
        let done = match record.message {
            Ok(message) => one(&*bus, (message, Some(record.line)), common.json, console).await?,
            Err(reason) => refuse(record.line, &reason, console),
        };
        if done != Exit::Success {
            exit = done;
        }
    }
    Ok(exit)
}

/// The broker, or the inbox where there is none.
fn bus(settings: &Settings, console: &Console) -> anyhow::Result<Box<dyn Post>> {
    let clock = console.clock().clone();
    Ok(match &settings.amqp {
        Some(amqp) => Box::new(Publisher::new(&Plan::to_publish(amqp)?, Unheard::Refused)),
        None => Box::new(Inbox::new(Ledger::attach(&settings.ledger.path, clock)?)),
    })
}

async fn one(
    bus: &dyn Post,
    (message, line): (Message, Option<usize>),
    is_json: bool,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let (id, topic) = (message.identity(), message.topic.clone());
    if let Err(failure) = bus.post(message).await {
        let reason = format!("cannot publish `{}`: {}", safe(&topic), chain(&failure));
        return match line {
            Some(line) => Ok(refuse(line, &reason, console)),
            None => Err(anyhow::Error::new(failure).context("cannot publish the message")),
        };
    }
    if is_json {
        console.json_line(&json!({ "id": id, "topic": topic }))?;
    } else {
        console.line(&safe(id.as_str()))?;
    }
    Ok(Exit::Success)
}

fn refuse(line: usize, reason: &str, console: &mut Console) -> Exit {
    console.error(&anyhow::anyhow!("line {line}: {reason}"))
}
