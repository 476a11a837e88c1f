//! Topics: which messages are meant, and how they are read into events.
//!
//! Each is one file, shipped with the program or in a folder of the operator's; `topics/README.md`
//! says what stands in it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::event::{Event, EventKind};
use crate::expression::Expression;
use crate::message::Message;

mod differ;
mod fields;
mod file;
mod folder;
mod parse;
mod pattern;
mod shared;

pub mod catalog;
pub mod read;
pub mod redact;

/// One topic file.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its path without the ending: `pagure/pull-request.new`.
    pub name: String,
    /// The file, as it is shown to people.
    pub file: String,
    /// What its messages mean, in a sentence.
    pub about: String,
    /// The kind of event that its messages are read into.
    pub event: EventKind,
    /// The kinds of events that later messages continue: who wants these wants this topic too.
    pub with: Vec<EventKind>,
    /// Whether what it tells is never of a build of ours: only who asks for such events wants it.
    pub is_foreign: bool,
    /// Messages of it, and what they are read into.
    pub examples: Vec<Example>,
    bind: pattern::Pattern,
    when: Option<Expression>,
    read: Vec<Field>,
    redact: Vec<String>,
}

impl Topic {
    /// The binding key of its messages.
    pub fn bind(&self) -> &str {
        self.bind.as_str()
    }

    /// Whether it is needed by whoever wants events of these `kinds`, of which somebody has `asked`
    /// for some.
    pub fn serves(&self, kinds: &BTreeSet<EventKind>, asked: &BTreeSet<EventKind>) -> bool {
        let kinds = if self.is_foreign { asked } else { kinds };
        kinds.contains(&self.event) || self.with.iter().any(|kind| kinds.contains(kind))
    }

    /// Whether a message with this routing key is of this topic.
    pub fn is_meant(&self, topic: &str) -> bool {
        self.bind.matches(topic)
    }
}

/// How one field of an event is read.
#[derive(Clone, Debug)]
struct Field {
    /// Its name, dotted.
    name: String,
    /// How it is read.
    expression: Expression,
    /// The file that says so.
    file: Arc<str>,
}

/// A message of a topic.
#[derive(Clone, Debug)]
pub struct Example {
    /// The message, without an id.
    pub message: Message,
    /// The file that its body is in, as the topic file names it.
    pub body_file: String,
    /// What it is read into.
    pub expect: Expect,
}

impl Example {
    /// The build parameter by which the messages of examples carry a run's id.
    pub const RUN_PARAMETER: &str = "POINTSMAN_RUN";
}

/// What an example is read into.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// This event.
    Event(Box<Event>),
    /// Nothing: it is of the topic, but `when` does not hold.
    Ignored,
}

/// Something that is wrong with a topic file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TopicFault {
    /// The file.
    pub file: String,
    /// The key in it, dotted.
    pub key: Option<String>,
    /// What is wrong, in one line.
    pub message: String,
    /// Where in the file, in bytes, if that is known.
    pub span: Option<Range<usize>>,
    /// The content of the file, to show the place.
    pub source_text: Arc<str>,
}

impl fmt::Display for TopicFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(span) = &self.span {
            let before = self.source_text.get(..span.start).unwrap_or_default();
            write!(f, ":{}", before.matches('\n').count() + 1)?;
        }
        if let Some(key) = &self.key {
            write!(f, ": `{key}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The name in `known` that was probably meant by `name`.
fn nearest<'name>(name: &str, known: &[&'name str]) -> Option<&'name str> {
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// `; did you mean …?`, or nothing.
fn hint(name: &str, known: &[&str]) -> String {
    nearest(name, known).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
