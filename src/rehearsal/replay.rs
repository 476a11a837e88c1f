//! The past once more, under two sets of rules, and what would have been different.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use jiff::Timestamp;

use super::Heard;
use super::difference::Difference;
use crate::clock::{Clock, Hand, from_millis};
use crate::ledger::intake::{Found, Intake};
use crate::ledger::view::past::{PastEvent, PastMessage, Span};
use crate::ledger::{Decide, Ledger};
use crate::message::{Message, MessageId};
use crate::rules::decide;
use crate::service::Prepared;
use crate::service::receive::Reader;

/// How much is committed together.
const BATCH: usize = 200;

/// What was gone through, and what would have been different.
#[derive(Debug, Default)]
pub struct Replayed {
    /// How many messages there were.
    pub messages: u64,
    /// How many events there were that no message told.
    pub events: u64,
    /// Messages that the other rules want, and whose bodies were not kept.
    pub lost: u64,
    /// Topics that the other rules want, and that nobody has asked the broker for.
    pub unheard: Vec<String>,
    /// What is different.
    pub difference: Difference,
}

/// Goes through what is in `past` under the rules in force and under `other` ones.
pub async fn replay(
    past: &Ledger,
    span: Span,
    (own, other): (&Prepared, &Prepared),
) -> anyhow::Result<Replayed> {
    let (mut before, mut after) = (Side::open(own)?, Side::open(other)?);
    let topics = |prepared: &Prepared| {
        prepared.reader.selection.topics().map(|topic| topic.name.clone()).collect::<Vec<_>>()
    };
    let known = topics(own);
    let unheard = topics(other).into_iter().filter(|topic| !known.contains(topic)).collect();
    let mut replayed = Replayed { unheard, ..Replayed::default() };
    let mut stream = Stream::new(past, span);
    loop {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(one) = stream.next().await?
        {
            match &one {
                Past::Message(message) => {
                    replayed.messages += 1;
                    let is_wanted = other.reader.selection.wants(&message.message.topic);
                    replayed.lost += u64::from(is_wanted && !message.is_whole);
                }
                Past::Event(_) => replayed.events += 1,
            }
            batch.push(one);
        }
        if batch.is_empty() {
            return Ok(replayed);
        }
        let (said_before, said_after) =
            tokio::try_join!(before.hears(&batch), after.hears(&batch))?;
        replayed.difference.note(&said_before, &said_after)?;
    }
}

/// Something that happened.
enum Past {
    Message(Box<PastMessage>),
    Event(Box<PastEvent>),
}

/// Messages and events in their order, read a page at a time.
struct Stream<'a> {
    past: &'a Ledger,
    span: Span,
    messages: VecDeque<PastMessage>,
    last_message: Option<i64>,
    events: VecDeque<PastEvent>,
    last_event: Option<i64>,
}

impl<'a> Stream<'a> {
    fn new(past: &'a Ledger, span: Span) -> Self {
        Self {
            past,
            span,
            messages: VecDeque::new(),
            last_message: Some(0),
            events: VecDeque::new(),
            last_event: Some(0),
        }
    }

    async fn next(&mut self) -> anyhow::Result<Option<Past>> {
        if let Some(last) = self.last_message.filter(|_| self.messages.is_empty()) {
            self.messages = self.past.past_messages(last, self.span).await?.into();
            self.last_message = self.messages.back().map(|message| message.seq);
        }
        if let Some(last) = self.last_event.filter(|_| self.events.is_empty()) {
            self.events = self.past.past_events(last, self.span).await?.into();
            self.last_event = self.events.back().map(|event| event.seq);
        }
        let is_message_first = match (self.messages.front(), self.events.front()) {
            (Some(message), Some(event)) => match message.event {
                Some(told) => told < event.seq,
                // It told nothing, so only its time says where it belongs.
                None => message.at <= event.at,
            },
            (Some(_), None) => true,
            (None, _) => false,
        };
        Ok(if is_message_first {
            self.messages.pop_front().map(|message| Past::Message(Box::new(message)))
        } else {
            self.events.pop_front().map(|event| Past::Event(Box::new(event)))
        })
    }
}

/// One set of rules, with a ledger of its own.
struct Side {
    reader: Arc<Reader>,
    ledger: Ledger,
    decide: Decide,
    heard: Arc<Mutex<Vec<Heard>>>,
    hand: Hand,
    _folder: tempfile::TempDir,
}

impl Side {
    fn open(prepared: &Prepared) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder to replay in")?;
        let hand = Hand::at(from_millis(0));
        let ledger = Ledger::open(&folder.path().join("ledger.db"), Clock::manual(hand.clone()))?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (rules, listener) = (Arc::clone(&prepared.rules), Arc::clone(&heard));
        let decide: Decide = Arc::new(move |event, known| {
            let decision = decide(&rules, event, known);
            if let Ok(mut heard) = listener.lock() {
                heard.push(Heard { event: event.clone(), decision: decision.clone() });
            }
            decision
        });
        let reader = Arc::clone(&prepared.reader);
        Ok(Self { reader, ledger, decide, heard, hand, _folder: folder })
    }

    /// Takes what happened, and says what was decided.
    async fn hears(&mut self, batch: &[Past]) -> anyhow::Result<Vec<Heard>> {
        let mut intakes = Vec::with_capacity(batch.len());
        for one in batch {
            let (at, intake) = match one {
                Past::Message(past) => (past.at, self.read(past)),
                Past::Event(past) => (past.at, told(past)),
            };
            self.forward(at);
            intakes.push(intake);
        }
        let (stored, _) = self.ledger.put(intakes, Arc::clone(&self.decide)).await?;
        drop(stored);
        let heard = self.heard.lock().map(|mut heard| std::mem::take(&mut *heard));
        Ok(heard.unwrap_or_default())
    }

    fn forward(&self, at: Timestamp) {
        self.hand.forward_to(at);
    }

    fn read(&self, past: &PastMessage) -> Intake {
        let (_, found) = self.reader.read(&past.message);
        let id = MessageId::known(format!("message-{}", past.seq));
        intake(id, past.message.topic.clone(), found)
    }
}

fn told(past: &PastEvent) -> Intake {
    let id = MessageId::known(format!("event-{}", past.seq));
    intake(id, String::new(), Found::Events(vec![past.event.clone()], None))
}

/// What is stored of it: not its body, which is in the other ledger.
fn intake(id: MessageId, topic: String, found: Found) -> Intake {
    let found = match found {
        Found::Events(events, _) => Found::Events(events, None),
        Found::Ignored(reason, _) => Found::Ignored(reason, None),
        Found::Dead(reason, _) => Found::Dead(reason, None),
    };
    let digest = id.to_string();
    let message = Message { topic, ..Message::default() };
    Intake { source: "a replay", id, digest, message, inbox: None, found }
}
