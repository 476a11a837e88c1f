//! From an envelope to events, by the topics that somebody wants.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use minijinja::Value as Answer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::pattern::Pattern;
use super::{Field, Topic, fields};
use crate::envelope::Envelope;
use crate::event::artifact::ArtifactEvent;
use crate::event::proposal::CommentEvent;
use crate::event::series::SeriesEvent;
use crate::event::{Event, Family};
use crate::expression::{self, Expression, ExpressionError};

/// How many routing keys are remembered; beyond, the memory starts anew.
const SEEN_MAX: usize = 4096;
/// How much of a value an error shows, in characters.
const SHOWN_MAX: usize = 80;
/// How much of another library's message an error repeats, in characters.
const MESSAGE_MAX: usize = 200;

/// The topics that somebody wants.
#[derive(Debug)]
pub struct Selection {
    selected: Vec<Arc<Topic>>,
    all: Arc<[Arc<Topic>]>,
    /// What routing keys were found to mean: brokers repeat a few of them very often.
    seen: RwLock<HashMap<Box<str>, Arc<Meaning>>>,
}

/// What a routing key means.
#[derive(Debug)]
struct Meaning {
    /// The selected topics that its messages may be of.
    topics: Vec<Arc<Topic>>,
    /// The paths that must not be kept of their bodies.
    redact: Vec<String>,
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The events, one per topic that applies.
    pub events: Vec<Event>,
    /// Why there are none, if there are none.
    pub ignored: Option<String>,
    /// The paths in the body that must not be kept; see [`redacted`](super::redact::redacted).
    pub redact: Vec<String>,
}

/// Why a message could not be read.
///
/// It is one line, and shows of the message only the one value that is wrong, shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{field}` = `{expression}` of topic `{topic}` ({file}): {message}")]
pub struct ReadError {
    /// The topic.
    pub topic: String,
    /// The file that says how the field is read.
    pub file: String,
    /// The field, or `when`.
    pub field: String,
    /// How it is read.
    pub expression: String,
    /// What is wrong with it.
    pub message: String,
}

impl Selection {
    pub(super) fn new(selected: Vec<Arc<Topic>>, all: Arc<[Arc<Topic>]>) -> Self {
        Self { selected, all, seen: RwLock::default() }
    }

    /// The topics, sorted by name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.selected.iter().map(AsRef::as_ref)
    }

    /// The binding keys that bring the messages of all selected topics, none covered by another.
    pub fn bindings(&self) -> Vec<String> {
        let mut kept: Vec<&Pattern> = Vec::new();
        for topic in &self.selected {
            if !kept.iter().any(|other| other.covers(&topic.bind)) {
                kept.retain(|other| !topic.bind.covers(other));
                kept.push(&topic.bind);
            }
        }
        let mut keys: Vec<String> = kept.iter().map(|bind| bind.as_str().to_owned()).collect();
        keys.sort();
        keys
    }

    /// Whether a message with this routing key may be of a selected topic.
    pub fn wants(&self, topic: &str) -> bool {
        !self.meaning(topic).topics.is_empty()
    }

    /// The paths that must not be kept of the body of a message with this routing key, whether it
    /// can be read or not.
    pub fn redact(&self, topic: &str) -> Vec<String> {
        self.meaning(topic).redact.clone()
    }

    fn meaning(&self, topic: &str) -> Arc<Meaning> {
        // A poisoned lock only means that nothing is remembered.
        if let Ok(seen) = self.seen.read()
            && let Some(meaning) = seen.get(topic)
        {
            return Arc::clone(meaning);
        }
        let meaning = Arc::new(self.find_meaning(topic));
        if topic.len() <= Pattern::MAX_BYTES
            && let Ok(mut seen) = self.seen.write()
        {
            if seen.len() >= SEEN_MAX {
                seen.clear();
            }
            seen.insert(topic.into(), Arc::clone(&meaning));
        }
        meaning
    }

    fn find_meaning(&self, topic: &str) -> Meaning {
        let is_meant = |of: &&Arc<Topic>| of.is_meant(topic);
        let secretive = self.all.iter().filter(|of| !of.redact.is_empty()).filter(is_meant);
        let mut redact: Vec<String> = secretive.flat_map(|of| of.redact.iter().cloned()).collect();
        redact.sort();
        redact.dedup();
        Meaning { topics: self.selected.iter().filter(is_meant).cloned().collect(), redact }
    }

    /// Reads a message by every selected topic that it is of.
    ///
    /// `run_parameter` is the name of the build parameter that carries a run's id.
    pub fn read(&self, envelope: &Envelope, run_parameter: &str) -> Result<Reading, ReadError> {
        let meaning = self.meaning(&envelope.topic);
        let mut reading = Reading { redact: meaning.redact.clone(), ..Reading::default() };
        let mut context = None;
        let mut passed_over = Vec::new();
        for topic in &meaning.topics {
            let context = context.get_or_insert_with(|| context_of(envelope, run_parameter));
            match read_in(topic, context)? {
                Some(event) => reading.events.push(event),
                None => passed_over.push(topic),
            }
        }
        if reading.events.is_empty() {
            reading.ignored = Some(why_ignored(&passed_over));
        }
        Ok(reading)
    }
}

fn why_ignored(passed_over: &[&Arc<Topic>]) -> String {
    if passed_over.is_empty() {
        return "no topic that a rule wants has its routing key".to_owned();
    }
    let reasons: Vec<String> = passed_over
        .iter()
        .filter_map(|topic| {
            let when = topic.when.as_ref()?;
            Some(format!(
                "{}: `{}` does not hold",
                topic.name,
                one_line(when.source(), MESSAGE_MAX)
            ))
        })
        .collect();
    reasons.join("; ")
}

/// What readings may name.
#[derive(Serialize)]
struct Names<'envelope> {
    topic: &'envelope str,
    headers: &'envelope Map<String, Value>,
    body: &'envelope Value,
    run_parameter: &'envelope str,
}

fn context_of(envelope: &Envelope, run_parameter: &str) -> Answer {
    expression::context(&Names {
        topic: &envelope.topic,
        headers: &envelope.headers,
        body: &envelope.body,
        run_parameter,
    })
}

/// Reads a message by one topic; `None` if its `when` does not hold.
pub(super) fn read_one(
    topic: &Topic,
    envelope: &Envelope,
    run_parameter: &str,
) -> Result<Option<Event>, ReadError> {
    read_in(topic, &context_of(envelope, run_parameter))
}

fn read_in(topic: &Topic, context: &Answer) -> Result<Option<Event>, ReadError> {
    if let Some(when) = &topic.when {
        let holds = when.holds(context).map_err(|error| ReadError {
            topic: topic.name.clone(),
            file: topic.file.clone(),
            field: "when".to_owned(),
            expression: one_line(when.source(), MESSAGE_MAX),
            message: error.message + &seen(topic, when, context),
        })?;
        if !holds {
            return Ok(None);
        }
    }
    let mut values = Map::new();
    let known = fields::of(topic.event);
    for field in &topic.read {
        let value = evaluate(field, context).map_err(|mut message| {
            message.push_str(&seen(topic, &field.expression, context));
            fault(topic, field, message)
        })?;
        let is_required = known.iter().any(|known| known.name == field.name && known.is_required);
        if value.is_null() && is_required {
            let message = format!("it is none, but every `{}` has it", topic.event);
            return Err(fault(topic, field, message));
        }
        if !value.is_null() {
            insert(&mut values, &field.name, value);
        }
    }
    values.insert("event".to_owned(), topic.event.as_str().into());
    assemble(topic, values).map(Some)
}

fn evaluate(field: &Field, context: &Answer) -> Result<Value, String> {
    let answer =
        field.expression.evaluate(context).map_err(|ExpressionError { message, .. }| message)?;
    serde_json::to_value(&answer).map_err(|_not_json| "it is no plain value".to_owned())
}

/// The values that an expression saw: scalars only, and none that must not be kept.
fn seen(topic: &Topic, expression: &Expression, context: &Answer) -> String {
    let is_secret = |name: &str| {
        let path = name.strip_prefix("body.").unwrap_or_default();
        let is_under = |secret: &String| path.starts_with(secret.as_str());
        name.starts_with("headers") || topic.redact.iter().any(is_under)
    };
    let mut text = String::new();
    for name in expression.names().iter().filter(|name| !is_secret(name)) {
        let value = expression::look_up(context, name);
        let value = serde_json::to_value(&value).unwrap_or_default();
        if value.is_string() || value.is_number() || value.is_boolean() {
            text.push_str("; `");
            text.push_str(name);
            text.push_str("` is ");
            text.push_str(&shown(&value));
        }
    }
    one_line(&text, MESSAGE_MAX)
}

/// Puts `value` under a name that may have one dot.
fn insert(values: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            values.insert(name.to_owned(), value);
        }
        Some((outer, inner)) => {
            let object = values.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(object) = object {
                object.insert(inner.to_owned(), value);
            }
        }
    }
}

/// Makes the typed event of what was read.
fn assemble(topic: &Topic, mut values: Map<String, Value>) -> Result<Event, ReadError> {
    match topic.event.family() {
        Family::PullRequest => typed(topic, "", &Value::Object(values)).map(Event::PullRequest),
        Family::Comment => {
            let comment = values.remove("comment").unwrap_or_default();
            let on = typed(topic, "", &Value::Object(values))?;
            let comment = typed(topic, "comment.", &comment)?;
            Ok(Event::Comment(CommentEvent { on, comment }))
        }
        Family::Push => typed(topic, "", &Value::Object(values)).map(Event::Push),
        Family::Series => {
            let event: SeriesEvent = typed(topic, "", &Value::Object(values))?;
            event.told().map(|told| Event::Series(Box::new(told))).map_err(|message| {
                let series = topic.read.iter().find(|field| field.name == "series");
                unusable(topic, ("series", series), message)
            })
        }
        Family::Build => typed(topic, "", &Value::Object(values)).map(Event::Build),
        Family::Artifact => {
            let event: ArtifactEvent = typed(topic, "", &Value::Object(values))?;
            event.told().map(|told| Event::Artifact(Box::new(told))).map_err(|(name, message)| {
                let field = topic.read.iter().find(|field| field.name == name);
                unusable(topic, (name, field), message)
            })
        }
        Family::Command | Family::Applied | Family::Boards => {
            let message = "events of this kind are found by ourselves, and not read from a message";
            Err(unusable(topic, ("event", None), message.to_owned()))
        }
    }
}

fn typed<T: DeserializeOwned>(topic: &Topic, prefix: &str, values: &Value) -> Result<T, ReadError> {
    serde_path_to_error::deserialize(values).map_err(|error| {
        let path = error.path().to_string();
        let value = path.split('.').try_fold(values, |value, step| value.get(step));
        let value = value.map(shown).unwrap_or_default();
        let name = format!("{prefix}{path}");
        let why = one_line(&error.inner().to_string(), MESSAGE_MAX);
        let message =
            if why.contains(&value) { why } else { format!("{why}; the value is {value}") };
        let field = topic.read.iter().find(|field| field.name == name);
        unusable(topic, (&name, field), message)
    })
}

/// Says what is wrong with `name`, which may be no field that is read by itself.
fn unusable(topic: &Topic, (name, field): (&str, Option<&Field>), message: String) -> ReadError {
    match field {
        Some(field) => fault(topic, field, message),
        None => ReadError {
            topic: topic.name.clone(),
            file: topic.file.clone(),
            field: name.to_owned(),
            expression: String::new(),
            message,
        },
    }
}

fn fault(topic: &Topic, field: &Field, message: String) -> ReadError {
    ReadError {
        topic: topic.name.clone(),
        file: field.file.to_string(),
        field: field.name.clone(),
        expression: one_line(field.expression.source(), MESSAGE_MAX),
        message,
    }
}

/// A value as an error shows it: a scalar shortened, of anything else only what it is.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("a list of {}", values.len()),
        Value::Object(fields) => format!("an object of {}", fields.len()),
        Value::Null => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            one_line(&value.to_string(), SHOWN_MAX)
        }
    }
}

/// `text` in one line, with single spaces, shortened to `max` characters.
fn one_line(text: &str, max: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let text = words.join(" ");
    let mut line: String = text.chars().take(max).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}
