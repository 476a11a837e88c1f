//! Bindings that change while messages come.

use lapin::Channel;
use lapin::options::QueueBindOptions;
use lapin::types::{FieldTable, ShortString};
use tokio::sync::{mpsc, oneshot};

use super::AmqpSource;
use super::consume::{answer, refused, short};
use super::plan::{Binding, Plan};
use crate::remote::chain;
use crate::source::SourceError;

/// Binds `queue`; nothing where it is bound so already.
pub(super) async fn bind(
    channel: &Channel,
    queue: &ShortString,
    (exchange, key): &Binding,
) -> Result<(), SourceError> {
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    answer(channel.queue_bind(queue.clone(), short(exchange)?, short(key)?, options, none))
        .await
        .map_err(|error| refused(error, format!("cannot bind the queue `{queue}` to `{exchange}`")))
}

/// Unbinds `queue`; nothing where it is not bound so.
pub(super) async fn unbind(
    channel: &Channel,
    queue: &ShortString,
    (exchange, key): &Binding,
) -> Result<(), SourceError> {
    let none = FieldTable::default();
    answer(channel.queue_unbind(queue.clone(), short(exchange)?, short(key)?, none)).await.map_err(
        |error| refused(error, format!("cannot unbind the queue `{queue}` from `{exchange}`")),
    )
}

/// One change that somebody asks for, and who waits for its end.
pub(super) struct Change {
    plan: Plan,
    step: Step,
    done: oneshot::Sender<Result<(), SourceError>>,
}

/// Before the new rules are in force, and after.
#[derive(Clone, Copy)]
enum Step {
    /// What the plan binds besides is bound.
    Widen,
    /// What the plan does not bind is unbound.
    Narrow,
}

/// The changes that are asked for; the source makes them, which owns the connection.
pub(super) struct Changes {
    ask: mpsc::Sender<Change>,
    asked: mpsc::Receiver<Change>,
}

impl Default for Changes {
    fn default() -> Self {
        // Whoever asks waits for the answer before the next question.
        let (ask, asked) = mpsc::channel(1);
        Self { ask, asked }
    }
}

impl Changes {
    pub(super) fn rebinder(&self) -> Rebinder {
        Rebinder(self.ask.clone())
    }

    /// The next change; it may be cancelled.
    pub(super) async fn next(&mut self) -> Change {
        match self.asked.recv().await {
            Some(change) => change,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }
}

/// Changes what an [`AmqpSource`] is bound to, while it runs.
#[derive(Clone)]
pub struct Rebinder(mpsc::Sender<Change>);

impl Rebinder {
    /// Binds what `plan` wants besides what is bound.
    ///
    /// Where the broker is away that is done with the next connection.  Fails when the broker
    /// refuses; then everything is as it was.
    pub async fn widen(&self, plan: &Plan) -> Result<(), SourceError> {
        self.ask(plan, Step::Widen).await
    }

    /// Unbinds what `plan` does not want, as far as this source has bound it.
    pub async fn narrow(&self, plan: &Plan) -> Result<(), SourceError> {
        self.ask(plan, Step::Narrow).await
    }

    async fn ask(&self, plan: &Plan, step: Step) -> Result<(), SourceError> {
        let ended = || SourceError::Lost(anyhow::anyhow!("the source has ended"));
        let (done, answer) = oneshot::channel();
        let change = Change { plan: plan.clone(), step, done };
        self.0.send(change).await.map_err(|_closed| ended())?;
        answer.await.map_err(|_closed| ended())?
    }
}

impl AmqpSource {
    /// Makes a change, and tells who waits for it.
    pub(super) async fn rebind(&mut self, change: Change) {
        let Change { plan, step, done } = change;
        let result = match step {
            Step::Widen => self.widen(&plan).await,
            Step::Narrow => self.narrow(plan).await,
        };
        if done.send(result).is_err() {
            tracing::debug!("Whoever changed the bindings did not wait for it");
        }
    }

    async fn widen(&mut self, plan: &Plan) -> Result<(), SourceError> {
        let wide = self.plan.widened(plan);
        if let Some(open) = &self.open {
            let added = wide.bound_beyond(&self.plan);
            match open.rebind(&added, &[]).await {
                // The next connection binds it.
                Ok(()) | Err(SourceError::Lost(_)) => {}
                Err(refused @ SourceError::Refused(_)) => {
                    // What stays bound brings messages that nobody wants, which does no harm.
                    if let Err(error) = open.rebind(&[], &added).await {
                        tracing::debug!(error = %chain(&error), "Some bindings stay");
                    }
                    return Err(refused);
                }
            }
        }
        self.plan = wide;
        Ok(())
    }

    async fn narrow(&mut self, plan: Plan) -> Result<(), SourceError> {
        let surplus = self.plan.bound_beyond(&plan);
        self.plan = plan;
        match &self.open {
            Some(open) => open.rebind(&[], &surplus).await,
            None => Ok(()),
        }
    }
}
