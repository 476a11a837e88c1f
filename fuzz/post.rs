//! Something with headers and a body, written so that a person can read and change it.

use std::collections::BTreeSet;

use pointsman::envelope::{self, Envelope, Limits};
use pointsman::event::EventKind;
use pointsman::message::Message;
use pointsman::topic::catalog::Catalog;
use pointsman::topic::read::Selection;
use pointsman::topic::redact::redacted;
use serde_json::{Map, Value};

/// A first line, lines of `name: value`, an empty line, and a body.
pub struct Post<'d> {
    /// The first line.
    pub start: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The rest.
    pub body: &'d [u8],
}

impl<'d> Post<'d> {
    /// Reads whatever comes; without an empty line there is no body.
    pub fn read(data: &'d [u8]) -> Self {
        let end = data.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&data[..end], &data[end + 2..]),
            None => (data, &[][..]),
        };
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let start = lines.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.to_owned()))
        };
        Self { start, headers: lines.filter_map(header).collect(), body }
    }

    /// The value of the header `name`.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    /// The message that it is, its first line being the topic.
    pub fn message(&self) -> Message {
        let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| text.into());
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, text)| (name.clone(), value(text))).collect();
        Message {
            id: self.header("message-id"),
            topic: self.start.clone(),
            content_type: self.header("content-type"),
            content_encoding: self.header("content-encoding"),
            headers,
            body: self.body.to_vec(),
        }
    }
}

/// All topics there are.
pub fn every_topic() -> Selection {
    let catalog = Catalog::load(&[]).expect("the shipped topics are right");
    let kinds: BTreeSet<EventKind> = catalog.topics().map(|topic| topic.event).collect();
    catalog.select(&kinds)
}

/// Goes the way of a message as far as it can be gone without a ledger.
pub fn read(message: &Message, topics: &Selection) {
    /// What a run's id is called.
    const RUN: &str = "POINTSMAN_RUN";
    let (wants, paths) = (topics.wants(&message.topic), topics.redact(&message.topic));
    let Ok(envelope) = envelope::open(message, &Limits::default()) else { return };
    let Envelope { topic, body, .. } = &envelope;
    assert!(body.is_object());
    let _ = redacted(body, &paths, RUN);
    match topics.read(&envelope, RUN) {
        Ok(reading) => {
            // A CloudEvent may say its topic itself.
            assert!(reading.events.is_empty() || wants || *topic != message.topic);
            assert!(!reading.events.is_empty() || reading.ignored.is_some());
            for event in &reading.events {
                let kept = serde_json::to_string(event).expect("an event can be kept");
                let again = serde_json::from_str(&kept).expect("a kept event can be read");
                assert_eq!(*event, again);
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}
