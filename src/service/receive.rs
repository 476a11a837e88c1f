//! From a source into the ledger: the one way that every message goes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::directory::Directory;
use crate::envelope::{self, Envelope, Limits};
use crate::event::Event;
use crate::hooks::Speaker;
use crate::ledger::Ledger;
use crate::ledger::intake::{Found, Intake};
use crate::ledger::tally::Tally;
use crate::message::{Message, MessageId};
use crate::remote::chain;
use crate::reporters::bus::OwnName;
use crate::service::live::{Current, Live};
use crate::source::{Batch, Delivered, Source, SourceError};
use crate::subject::ConnectionName;
use crate::telemetry::metrics::{self, MessageResult};
use crate::topic::read::Selection;
use crate::topic::redact::redacted;
use crate::web::Worth;
use crate::web::health::Health;
use crate::worker::backoff::Backoff;

/// Pauses between two tries to reach a source again.
const RECONNECT: Backoff =
    Backoff { min: Duration::from_millis(500), max: Duration::from_secs(30) };

/// Reads messages: envelope, topic, event, and the connection that an event's sender is.
#[derive(Debug)]
pub struct Reader {
    /// The topics that some rule can want.
    pub selection: Selection,
    /// The connections.
    pub directory: Arc<Directory>,
    /// What is read at all.
    pub limits: Limits,
    /// The build parameter that carries a run's id.
    pub run_parameter: String,
    /// What the service calls itself on the bus, to know what it has said.
    pub name: OwnName,
}

impl Reader {
    /// The identity of `message`, and what is in it.
    ///
    /// The identity is the envelope's where it has one of its own, as a `CloudEvent` has.
    pub fn read(&self, message: &Message) -> (MessageId, Found) {
        match envelope::open(message, &self.limits) {
            Ok(envelope) => (envelope.id.clone(), self.read_envelope(&envelope)),
            // What cannot be parsed cannot be redacted either; the ledger is its owner's alone.
            Err(reason) => (message.identity(), Found::Dead(chain(&reason), None)),
        }
    }

    fn read_envelope(&self, envelope: &Envelope) -> Found {
        if self.name.has_said(envelope) {
            let paths = self.selection.redact(&envelope.topic);
            let reason = "the service has said this itself".to_owned();
            return Found::Ignored(reason, self.redacted(envelope, &paths));
        }
        let reading = match self.selection.read(envelope, &self.run_parameter) {
            Ok(reading) => reading,
            Err(error) => {
                let paths = self.selection.redact(&envelope.topic);
                return Found::Dead(chain(&error), self.redacted(envelope, &paths));
            }
        };
        let redacted = self.redacted(envelope, &reading.redact);
        if reading.events.is_empty() {
            let reason = reading.ignored.unwrap_or_else(|| "no topic reads it".to_owned());
            // Nobody says what in it is secret, so nothing of it is kept.
            let is_unknown = !self.selection.wants(&envelope.topic);
            let kept = if is_unknown { Some(Value::Null) } else { redacted };
            return Found::Ignored(reason, kept);
        }
        let events = reading.events.into_iter().map(|event| self.resolve(event)).collect();
        Found::Events(events, redacted)
    }

    /// What a message is to us that `connection` posted.
    ///
    /// A connection speaks of itself only: what proves one forge proves nothing about another,
    /// and the key of one project nothing about the next.
    pub fn weigh(
        &self,
        (connection, speaker): (&ConnectionName, &Speaker),
        message: &Message,
    ) -> Worth {
        let events = match self.read(message).1 {
            Found::Events(events, _) => events,
            Found::Ignored(..) => return Worth::Unwanted,
            // Nobody could say of whom it speaks; kept, it would be read later without that.
            Found::Dead(reason, _) => return Worth::Unreadable(reason),
        };
        let own = self.directory.find(connection).map(|own| own.hosts.as_slice());
        let own = own.unwrap_or_default();
        let mut reasons = events.iter().filter_map(|event| {
            // A build is said to be the only executor's where no host is told.
            let Some(host) = event.instance() else {
                return Some("it does not tell on which host it happened".to_owned());
            };
            if !own.iter().any(|own| own == host) {
                return Some(format!("it is about `{host}`, which is no host of `{connection}`"));
            }
            let Speaker::Projects(projects) = speaker else { return None };
            let project = event.subject().project;
            (!projects.contains(&project)).then(|| {
                let signed = projects.join("`, `");
                format!("it is about `{project}`, and signed with the key of `{signed}`")
            })
        });
        reasons.next().map_or(Worth::Wanted, Worth::Foreign)
    }

    /// The body without its secrets, if it has any.
    fn redacted(&self, envelope: &Envelope, paths: &[String]) -> Option<Value> {
        (!paths.is_empty()).then(|| redacted(&envelope.body, paths, &self.run_parameter))
    }

    /// Fills in which connection the executor of a build is.
    fn resolve(&self, mut event: Event) -> Event {
        if let Event::Build(build) = &mut event {
            // What it continues tells where it is, so nothing has to be guessed.
            if build.instance.is_none() && build.thread.of.is_some() {
                return event;
            }
            let executor = self.directory.executor_at(build.instance.as_deref());
            build.connection = executor.cloned();
            // An executor has several names; what is remembered of it goes by one.
            let own = executor.and_then(|name| self.directory.find(name));
            if let Some(host) = own.and_then(|connection| connection.hosts.first()) {
                build.instance = Some(host.clone());
            }
        }
        if let Event::Artifact(on) = &mut event
            && let Some(name) = self.directory.producers.name_of(&on.instance)
        {
            // So is a producer.
            name.clone_into(&mut on.instance);
        }
        event
    }

    /// Whatever is told of series by others where the service asks for them itself is ignored: who
    /// may publish on the broker could say that a stranger's are of somebody who is trusted.
    fn believed(&self, source: &str, found: Found) -> Found {
        let Found::Events(events, kept) = found else { return found };
        let own = |event: &Event| {
            let forge = self.directory.forge_at(&event.series()?.instance)?;
            let hears_itself = self.directory.find(forge)?.hears_itself;
            (hears_itself && source != super::poll::own::SOURCE).then(|| forge.to_string())
        };
        match events.iter().find_map(own) {
            Some(forge) => {
                let reason = format!("`{forge}` is asked by the service itself (`polled_by`)");
                Found::Ignored(reason, kept)
            }
            None => Found::Events(events, kept),
        }
    }

    pub(super) fn intake(&self, source: &'static str, delivered: Delivered) -> Intake {
        let Delivered { message, redelivered, inbox } = delivered;
        let digest = message.digest();
        let (id, found) = self.read(&message);
        let found = self.believed(source, found);
        if let Found::Dead(reason, _) = &found {
            tracing::warn!(
                message.id = %id,
                topic = message.topic,
                redelivered,
                reason,
                "Cannot read a message; it is a dead letter"
            );
        }
        let message = as_stored(message, &found);
        Intake { source, id, digest, message, inbox, found }
    }
}

/// The message as it is kept: a body without its secrets is plain JSON, whatever it came as.
fn as_stored(message: Message, found: &Found) -> Message {
    match found {
        Found::Events(_, Some(_)) | Found::Ignored(_, Some(_)) | Found::Dead(_, Some(_)) => {
            Message { content_type: None, content_encoding: None, ..message }
        }
        Found::Events(_, None) | Found::Ignored(_, None) | Found::Dead(_, None) => message,
    }
}

/// Takes messages from one source until it is told to stop.
#[derive(Debug)]
pub struct Receiver {
    /// The source's name, for people.
    pub name: &'static str,
    /// How messages are read, and decided upon.
    pub live: Live,
    /// Where they are stored.
    pub ledger: Ledger,
    /// How many are stored in one transaction.
    pub batch_max: usize,
    /// Where it is told whether the source is being listened to.
    pub health: Arc<Health>,
}

impl Receiver {
    /// Receives until `stop`; fails when the source refuses for good, or the ledger does.
    pub async fn receive(
        &self,
        mut source: Box<dyn Source>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut failures = 0;
        loop {
            // A batch that is dropped here was not acknowledged, and comes again.
            let batch = tokio::select! {
                () = stop.cancelled() => { self.leave(source.as_mut()).await; return Ok(()) }
                batch = self.listen(source.as_mut()) => batch,
            };
            let end = match batch {
                Ok(batch) => {
                    failures = 0;
                    self.take(source.as_mut(), batch, &stop).await?
                }
                Err(error) => Err(error),
            };
            match end {
                Ok(()) => {}
                // What was possible once may be so again: a broker may be half up, or its login.
                Err(SourceError::Refused(error)) if !self.health.was_up(self.name) => {
                    self.health.source(self.name, false);
                    return Err(error.context(format!("cannot use {}", self.name)));
                }
                Err(SourceError::Lost(error) | SourceError::Refused(error)) => {
                    self.health.source(self.name, false);
                    failures += 1;
                    let pause = RECONNECT.pause(failures, fastrand::f64(), None);
                    tracing::warn!(
                        error = %chain(error.as_ref()),
                        pause_s = pause.as_secs_f64(),
                        "Lost {}, and will connect again", self.name
                    );
                    tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        () = tokio::time::sleep(pause) => {}
                        () = source.attend() => {}
                    }
                }
            }
        }
    }

    /// Waits for messages, and tells the monitors as soon as they are listened for: a broker on
    /// which nothing happens is no broker that is down.
    async fn listen(&self, source: &mut dyn Source) -> Result<Batch, SourceError> {
        source.open().await?;
        self.health.source(self.name, true);
        source.next().await
    }

    /// Takes leave of the source; what it still holds comes again, so a failure costs nothing.
    async fn leave(&self, source: &mut dyn Source) {
        if let Err(error) = source.close().await {
            tracing::debug!(error = %chain(&error), "Did not take leave of {} properly", self.name);
        }
    }

    /// Reads the next messages of a batch, as many as are committed together.
    ///
    /// They are decided upon by the rules by which they were read, whatever is loaded meanwhile.
    fn read_some(&self, left: &mut impl Iterator<Item = Delivered>) -> (Vec<Intake>, Arc<Current>) {
        let current = self.live.current();
        let batch = left.take(self.batch_max.max(1));
        let part = batch.map(|one| current.reader.intake(self.name, one)).collect();
        (part, current)
    }

    /// Stores a batch, and only then lets the source forget it; likewise what comes meanwhile.
    async fn take(
        &self,
        source: &mut dyn Source,
        batch: Batch,
        stop: &CancellationToken,
    ) -> anyhow::Result<Result<(), SourceError>> {
        let mut left = self.look_at(batch);
        let (mut part, mut current) = self.read_some(&mut left);
        let mut end = Ok(());
        while !part.is_empty() {
            let ends_batch = left.len() == 0;
            let span = tracing::debug_span!("batch", messages = part.len());
            let put = self.ledger.put(part, current.decide()).instrument(span);
            // While the ledger's thread stores this part, the next one is read here.
            let read = async {
                if ends_batch && end.is_ok() && !stop.is_cancelled() {
                    match source.next_ready() {
                        Some(Ok(batch)) => left = self.look_at(batch),
                        Some(Err(error)) => end = Err(error),
                        None => {}
                    }
                }
                self.read_some(&mut left)
            };
            let (put, next) = tokio::join!(biased; put, read);
            let (stored, tally) = put?;
            tally.tell();
            metrics::record_intake_batch(usize::try_from(tally.messages()).unwrap_or(usize::MAX));
            metrics::set_last_message(self.ledger.clock().now());
            self.health.count(&tally, 0);
            if !ends_batch {
                // The rest of the batch is not stored yet: this proof is not for all of it.
                drop(stored);
            } else if end.is_ok() {
                end = source.acknowledge(stored).await;
            }
            if end.is_err() {
                // What was read meanwhile was not acknowledged, and comes again.
                return Ok(end);
            }
            (part, current) = next;
        }
        Ok(end)
    }

    /// The messages of a batch, once it was counted what came with them.
    fn look_at(&self, batch: Batch) -> std::vec::IntoIter<Delivered> {
        metrics::count_messages(MessageResult::PassedOver, batch.passed_over);
        self.health.count(&Tally::default(), batch.passed_over);
        batch.messages.into_iter()
    }
}

#[cfg(test)]
mod tests;
