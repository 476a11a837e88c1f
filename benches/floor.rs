//! The floor: as little as a consumer can do, on the same library.  It looks at the topic, and
//! acknowledges by hundreds.

use std::io::Write as _;

use anyhow::{Context as _, anyhow};
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use tokio::time::Instant;

use crate::messages::RELEVANT;
use crate::service::PREFETCH;

/// Consumes `count` messages of `queue`, says how many seconds that took from the first to the
/// last, and waits to be killed.
pub(crate) async fn consume(url: &str, queue: &str, count: u64) -> anyhow::Result<()> {
    /// How many are acknowledged together.
    const GROUP: u64 = 100;
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut consumer =
        channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    let mut began = None;
    let (mut seen, mut relevant) = (0_u64, 0_u64);
    while seen < count {
        let delivery = consumer.next().await.context("the broker ended the subscription")??;
        began.get_or_insert_with(Instant::now);
        seen += 1;
        if delivery.routing_key.as_str() == RELEVANT {
            relevant += 1;
        }
        if seen % GROUP == 0 || seen == count {
            // Once polled it is on its way; to wait for it would make the reading stop.
            let multiple = BasicAckOptions { multiple: true };
            if let Some(sent) = channel.basic_ack(delivery.delivery_tag, multiple).now_or_never() {
                sent?;
            }
        }
    }
    let took = began.ok_or_else(|| anyhow!("nothing came"))?.elapsed();
    writeln!(std::io::stdout(), "relevant {relevant}")?;
    writeln!(std::io::stdout(), "done {}", took.as_secs_f64())?;
    std::future::pending().await
}
