//! Consuming: queues declared and bound, deliveries gathered, acknowledgements in bulk.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::anyhow;
use futures_util::{FutureExt as _, Stream as _};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};

use super::connect::{ANSWER_TIMEOUT, code, judge};
use super::plan::{Binding, Plan, Queue};
use super::rebind::{bind, unbind};
use super::tags::Tags;
use super::{Wants, convert};
use crate::source::{Batch, Delivered, SourceError};

/// How many deliveries that nobody wants are acknowledged at once, where the prefetch allows.
const ACK_GROUP: u64 = 100;

/// How long such deliveries wait for more of them.
const ACK_DELAY: Duration = Duration::from_millis(20);

/// How many bytes of bodies are handed over at once; one larger body is handed over alone.
const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// An open connection with one channel for each queue.
///
/// Tags are counted by channel; on a channel of its own a queue's deliveries come in their order.
pub(super) struct Consumption {
    // Dropped first: a connection that goes before its channels makes them complain.
    lanes: Vec<Lane>,
    connection: Connection,
    ack_group: u64,
    batch_max: usize,
    /// Deliveries that nobody wants, and that were not told of yet.
    passed_over: u64,
}

struct Lane {
    /// The place of its queue in the plan.
    number: usize,
    queue: ShortString,
    channel: Channel,
    consumer: Consumer,
    tags: Tags,
}

impl Consumption {
    /// Connects, declares, binds, and asks for messages.
    pub(super) async fn begin(plan: &Plan) -> Result<Self, SourceError> {
        let connection = plan.broker.connect("pointsman").await?;
        let mut lanes = Vec::with_capacity(plan.queues.len());
        for (number, queue) in plan.queues.iter().enumerate() {
            lanes.push(Lane::begin(&connection, plan, (number, queue)).await?);
        }
        Ok(Self {
            lanes,
            connection,
            // Half of a small prefetch, so that the broker never waits for us while we wait for it.
            ack_group: ACK_GROUP.min(u64::from(plan.prefetch / 2).max(1)),
            // One batch is being stored, the next is being read, and another one is on its way.
            batch_max: usize::from(plan.prefetch / 3).max(1),
            passed_over: 0,
        })
    }

    /// Binds and unbinds while messages come, for each queue of the plan.
    ///
    /// It uses a channel of its own: a broker that refuses closes the channel, and the messages
    /// must go on coming by theirs.
    pub(super) async fn rebind(
        &self,
        added: &[Vec<Binding>],
        removed: &[Vec<Binding>],
    ) -> Result<(), SourceError> {
        if added.iter().chain(removed).all(Vec::is_empty) {
            return Ok(());
        }
        let channel = answer(self.connection.create_channel())
            .await
            .map_err(|error| lost(error, "cannot open a channel"))?;
        for lane in &self.lanes {
            for binding in added.get(lane.number).into_iter().flatten() {
                bind(&channel, &lane.queue, binding).await?;
            }
            for binding in removed.get(lane.number).into_iter().flatten() {
                unbind(&channel, &lane.queue, binding).await?;
            }
        }
        answer(channel.close(200, ShortString::default()))
            .await
            .map_err(|error| lost(error, "cannot close a channel"))
    }

    /// Whether something was handed over and is not acknowledged.
    pub(super) fn holds(&self) -> bool {
        self.lanes.iter().any(|lane| lane.tags.holds())
    }

    /// Waits for messages and takes what has come.  Those that nobody wants are told of in groups.
    pub(super) async fn gather(&mut self, wants: &Wants) -> Result<Batch, SourceError> {
        let group = self.ack_group;
        let arrival = poll_fn(|cx| self.collect(cx, wants, group));
        match tokio::time::timeout(ACK_DELAY, arrival).await {
            Ok(batch) => return batch,
            Err(_not_enough_came) => self.settle_free(1),
        }
        poll_fn(|cx| self.collect(cx, wants, 1)).await
    }

    /// As [`Consumption::gather`], without waiting: nothing where too little has come.
    pub(super) fn gather_ready(&mut self, wants: &Wants) -> Option<Result<Batch, SourceError>> {
        let group = self.ack_group;
        poll_fn(|cx| self.collect(cx, wants, group)).now_or_never()
    }

    /// Acknowledges the oldest batch in hand; whoever calls it has stored it.
    pub(super) async fn settle(&mut self) -> Result<(), SourceError> {
        for lane in &mut self.lanes {
            let Some(tag) = lane.tags.settle_oldest() else {
                continue;
            };
            answer(lane.channel.basic_ack(tag, MULTIPLE))
                .await
                .map_err(|error| lost(error, "cannot acknowledge messages"))?;
        }
        Ok(())
    }

    /// Acknowledges what nobody wants, and takes leave.
    pub(super) async fn close(mut self) -> Result<(), SourceError> {
        self.settle_free(1);
        answer(self.connection.close(200, ShortString::default()))
            .await
            .map_err(|error| lost(error, "cannot close the connection"))
    }

    /// Takes what has come, without waiting, so that nothing is lost when the future that calls
    /// it is dropped.  It is ready with the first message that somebody wants, or with `group` of
    /// those that nobody does.
    fn collect(
        &mut self,
        cx: &mut Context<'_>,
        wants: &Wants,
        group: u64,
    ) -> Poll<Result<Batch, SourceError>> {
        let mut batch = Batch { messages: Vec::new(), passed_over: self.passed_over };
        let mut room = Room { messages: self.batch_max, bytes: BATCH_BYTES_MAX };
        for lane in &mut self.lanes {
            if let Err(error) = lane.collect(cx, wants, &mut batch, &mut room) {
                return Poll::Ready(Err(error));
            }
        }
        if batch.messages.is_empty() && batch.passed_over < group {
            self.passed_over = batch.passed_over;
            return Poll::Pending;
        }
        self.passed_over = 0;
        if !batch.messages.is_empty() {
            self.lanes.iter_mut().for_each(|lane| lane.tags.hand_over());
        }
        // A full batch ends with the first queue; next time another one is the first.
        if let [_, _, ..] = self.lanes.as_slice() {
            self.lanes.rotate_left(1);
        }
        self.settle_free(self.ack_group);
        Poll::Ready(Ok(batch))
    }

    /// Acknowledges what nobody wants where at least `group` of it have come.
    fn settle_free(&mut self, group: u64) {
        for lane in &mut self.lanes {
            if lane.tags.free() < group {
                continue;
            }
            let Some(tag) = lane.tags.settle_free() else {
                continue;
            };
            // Once polled the acknowledgement is on its way, and to wait for it would make the
            // reading stop at each group.  Should it fail, the consumer ends with the same error.
            let sent = lane.channel.basic_ack(tag, MULTIPLE).now_or_never();
            if let Some(Err(error)) = sent {
                tracing::debug!(%error, queue = %lane.queue, "Acknowledging failed");
            }
        }
    }
}

/// What still goes into a batch.
struct Room {
    messages: usize,
    bytes: usize,
}

const MULTIPLE: BasicAckOptions = BasicAckOptions { multiple: true };

impl Lane {
    async fn begin(
        connection: &Connection,
        plan: &Plan,
        (number, queue): (usize, &Queue),
    ) -> Result<Self, SourceError> {
        let channel = answer(connection.create_channel())
            .await
            .map_err(|error| lost(error, "cannot open a channel"))?;
        let name = declare(&channel, queue, plan.passive).await?;
        for binding in &queue.bindings {
            bind(&channel, &name, binding).await?;
        }
        let global = BasicQosOptions::default();
        answer(channel.basic_qos(plan.prefetch, global))
            .await
            .map_err(|error| refused(error, "cannot set the prefetch".to_owned()))?;
        let consumer = answer(channel.basic_consume(
            name.clone(),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        ))
        .await
        .map_err(|error| refused(error, format!("cannot consume from the queue `{name}`")))?;
        Ok(Self { number, queue: name, channel, consumer, tags: Tags::default() })
    }

    fn collect(
        &mut self,
        cx: &mut Context<'_>,
        wants: &Wants,
        batch: &mut Batch,
        room: &mut Room,
    ) -> Result<(), SourceError> {
        while room.bytes > 0 && room.messages > 0 {
            match Pin::new(&mut self.consumer).poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(delivery))) => {
                    if wants(delivery.routing_key.as_str()) {
                        room.bytes = room.bytes.saturating_sub(delivery.data.len());
                        room.messages -= 1;
                        self.tags.hold(delivery.delivery_tag);
                        batch.messages.push(delivered(delivery));
                    } else {
                        self.tags.pass(delivery.delivery_tag);
                        batch.passed_over += 1;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let what = format!("the queue `{}` was taken away", self.queue);
                    return Err(SourceError::Lost(anyhow!(error).context(what)));
                }
                Poll::Ready(None) => {
                    return Err(SourceError::Lost(anyhow!(
                        "the broker has ended our subscription of the queue `{}`; was it deleted?",
                        self.queue
                    )));
                }
            }
        }
        Ok(())
    }
}

fn delivered(delivery: Delivery) -> Delivered {
    Delivered {
        redelivered: delivery.redelivered,
        message: convert::message(delivery),
        inbox: None,
    }
}

/// Declares the queue and tells its name.
async fn declare(
    channel: &Channel,
    queue: &Queue,
    passive: bool,
) -> Result<ShortString, SourceError> {
    let options = QueueDeclareOptions {
        passive,
        durable: queue.durable,
        exclusive: queue.exclusive,
        auto_delete: queue.auto_delete,
        nowait: false,
    };
    let arguments =
        convert::table(&queue.arguments).map_err(|error| SourceError::Refused(anyhow!(error)))?;
    let declared = answer(channel.queue_declare(short(&queue.name)?, options, arguments))
        .await
        .map_err(|error| {
            let name = &queue.name;
            let code = match &error {
                Unanswered::Broker(error) => code(error),
                Unanswered::Silence => None,
            };
            let what = match code {
                Some(406) => format!(
                    "the queue `{name}` exists already, with other properties: delete it, or \
                     make the settings say what it is"
                ),
                Some(404) if passive => {
                    format!("the queue `{name}` does not exist, and `passive` forbids to make it")
                }
                Some(_) | None => format!("cannot declare the queue `{name}`"),
            };
            refused(error, what)
        })?;
    Ok(declared.name().clone())
}

/// An answer of the broker, or none in time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error(transparent)]
    Broker(#[from] lapin::Error),
    #[error("the broker did not answer within {} seconds", ANSWER_TIMEOUT.as_secs())]
    Silence,
}

pub(super) async fn answer<T>(
    question: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Unanswered> {
    match tokio::time::timeout(ANSWER_TIMEOUT, question).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => Err(Unanswered::Silence),
    }
}

fn lost(error: Unanswered, what: &'static str) -> SourceError {
    SourceError::Lost(anyhow!(error).context(what))
}

/// What an error means where the broker may say no.
pub(super) fn refused(error: Unanswered, what: String) -> SourceError {
    match error {
        Unanswered::Silence => SourceError::Lost(anyhow!(error).context(what)),
        Unanswered::Broker(error) => match judge(error) {
            SourceError::Lost(error) => SourceError::Lost(error.context(what)),
            SourceError::Refused(error) => SourceError::Refused(error.context(what)),
        },
    }
}

pub(super) fn short(text: &str) -> Result<ShortString, SourceError> {
    ShortString::try_new(text).map_err(|error| SourceError::Refused(anyhow!(error)))
}
