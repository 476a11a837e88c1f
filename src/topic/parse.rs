//! A topic file, from TOML to [`Topic`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use toml_edit::{Item, TableLike};

use super::file::{Faults, parse};
use super::folder::Files;
use super::pattern::Pattern;
use super::shared::{Shared, is_shared, paths, readings};
use super::{Example, Expect, Field, Topic, TopicFault, fields, hint};
use crate::event::{Event, EventKind, Family};
use crate::message::Message;

const KEYS: [&str; 10] =
    ["about", "bind", "event", "with", "foreign", "when", "read", "also", "redact", "example"];
const EXAMPLE_KEYS: [&str; 6] = ["topic", "content_type", "headers", "body", "expect", "ignored"];

/// What a topic file may refer to.
pub(super) struct Beside<'files> {
    /// All files.
    pub(super) files: &'files Files,
    /// The shared ones, parsed; one that could not be is absent, and its faults are known.
    pub(super) shared: &'files BTreeMap<String, Shared>,
}

/// Parses the topic file called `name`.
///
/// The faults may be none: then the fault is in a shared file, and was told there.
pub(super) fn parse_topic(name: &str, beside: &Beside<'_>) -> Result<Topic, Vec<TopicFault>> {
    let content = beside.files.file(name).ok_or_else(Vec::new)?;
    parse(content, |table, faults| topic(name, table, faults, beside))
}

fn topic(
    name: &str,
    table: &dyn TableLike,
    faults: &mut Faults,
    beside: &Beside<'_>,
) -> Option<Topic> {
    faults.check_keys(table, "", &KEYS);
    let about = faults.text(table, "", "about");
    let bind = bind(table, faults);
    let event = event(table, faults);
    let with = with(table, faults);
    let is_foreign = foreign(table, faults);
    let when = table.get("when").and_then(|item| faults.expression(item, "when"));
    let read = read(name, table, faults, beside);
    let redact = paths(table, faults);
    let examples = examples(name, table, faults, beside);
    let (about, bind, event, shared) = (about?, bind?, event?, read?);
    check_examples(&examples, &bind, faults);
    if !with.is_empty() && !shared.read.contains_key("thread.id") {
        faults.add("with", "`thread.id` is not read, by which others continue it", None);
    }
    let mut topic = Topic {
        name: name.trim_end_matches(".toml").to_owned(),
        file: faults.file.to_string(),
        about: about.to_owned(),
        event,
        with,
        is_foreign,
        examples,
        bind,
        when,
        read: check_fields(shared.read, event, faults),
        redact: [redact, shared.redact].concat(),
    };
    topic.redact.sort();
    topic.redact.dedup();
    Some(topic)
}

fn bind(table: &dyn TableLike, faults: &mut Faults) -> Option<Pattern> {
    let source = faults.text(table, "", "bind")?;
    match Pattern::parse(source) {
        Ok(pattern) => Some(pattern),
        Err(message) => {
            faults.add("bind", message, table.get("bind").and_then(Item::span));
            None
        }
    }
}

fn event(table: &dyn TableLike, faults: &mut Faults) -> Option<EventKind> {
    let text = faults.text(table, "", "event")?;
    let kind = kind(text);
    if let Err(message) = &kind {
        faults.add("event", message, table.get("event").and_then(Item::span));
    }
    kind.ok()
}

/// The kind of event that is spelled `text`; commands are found in comments, and not read.
fn kind(text: &str) -> Result<EventKind, String> {
    let is_readable = |kind: &EventKind| kind.family() != Family::Command;
    EventKind::parse(text).filter(is_readable).ok_or_else(|| {
        let known = EventKind::ALL.into_iter().filter(is_readable).map(EventKind::as_str);
        format!("there is no event `{text}`{}", hint(text, &known.collect::<Vec<_>>()))
    })
}

/// Whether what the topic tells is never of a build of ours.
fn foreign(table: &dyn TableLike, faults: &mut Faults) -> bool {
    let Some(item) = table.get("foreign") else { return false };
    if item.as_bool().is_none() {
        faults.add("foreign", "it is `true` or `false`", item.span());
    }
    item.as_bool().unwrap_or(false)
}

/// The kinds of events that continue those of this topic.
fn with(table: &dyn TableLike, faults: &mut Faults) -> Vec<EventKind> {
    let Some(item) = table.get("with") else {
        return Vec::new();
    };
    let kinds = item.as_array().map(|kinds| kinds.iter().map(toml_edit::Value::as_str));
    let Some(words) = kinds.and_then(Iterator::collect::<Option<Vec<_>>>) else {
        let message = "it is a list of events, such as [\"build.finished\"]";
        faults.add("with", message, item.span());
        return Vec::new();
    };
    let mut known = Vec::new();
    for word in words {
        match kind(word) {
            Ok(kind) => known.push(kind),
            Err(message) => faults.add("with", message, item.span()),
        }
    }
    known
}

/// How the topic is read, its own and the shared readings together.
fn read(
    name: &str,
    table: &dyn TableLike,
    faults: &mut Faults,
    beside: &Beside<'_>,
) -> Option<Shared> {
    let Some(item) = table.get("read") else {
        faults.add("read", "it is missing", None);
        return None;
    };
    let also = table.get("also").map(|also| readings(also, "also", faults));
    let mut all = if item.as_str().is_some() {
        let file = faults.as_text(item, "read")?;
        let Some((path, _)) = beside.files.beside(name, file) else {
            let message = format!("there is no file `{file}` beside this one");
            faults.add("read", message, item.span());
            return None;
        };
        let shared = beside.shared.get(&path).cloned();
        if shared.is_none() && !is_shared(file) {
            let message = "the name of a shared file is `_….toml`";
            faults.add("read", message, item.span());
        }
        shared?
    } else {
        Shared { read: readings(item, "read", faults), redact: Vec::new() }
    };
    all.read.extend(also.unwrap_or_default());
    Some(all)
}

/// Checks that the fields are those of the event, none missing.
fn check_fields(
    read: BTreeMap<String, Field>,
    event: EventKind,
    faults: &mut Faults,
) -> Vec<Field> {
    let fields = fields::of(event);
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    for field in &fields {
        let is_there =
            read.contains_key(field.name) || faults.tell_of(&["read", "also"], field.name);
        if field.is_required && !is_there {
            let message = format!("it is not read, but every `{event}` has it");
            faults.add(&format!("read.{}", field.name), message, None);
        }
    }
    let mut known = Vec::new();
    for (name, field) in read {
        if names.contains(&name.as_str()) {
            known.push(field);
            continue;
        }
        let hint = hint(&name, &names);
        let message = format!("`{event}` has no such field ({}){hint}", field.file);
        faults.add(&format!("read.{name}"), message, None);
    }
    known
}

fn examples(
    name: &str,
    table: &dyn TableLike,
    faults: &mut Faults,
    beside: &Beside<'_>,
) -> Vec<Example> {
    let Some(item) = table.get("example") else {
        faults.add("example", "a topic has at least one", None);
        return Vec::new();
    };
    let Some(tables) = item.as_array_of_tables() else {
        faults.add("example", "examples are written as `[[example]]`", item.span());
        return Vec::new();
    };
    tables
        .iter()
        .filter_map(|table| {
            faults.check_keys(table, "example.", &EXAMPLE_KEYS);
            example(name, table, faults, beside)
        })
        .collect()
}

fn check_examples(examples: &[Example], bind: &Pattern, faults: &mut Faults) {
    for Example { message, .. } in examples {
        if !bind.matches(&message.topic) {
            let fault = format!("`{}` does not match `{}`", bind.as_str(), message.topic);
            faults.add("example.topic", fault, None);
        }
    }
}

fn example(
    name: &str,
    table: &dyn TableLike,
    faults: &mut Faults,
    beside: &Beside<'_>,
) -> Option<Example> {
    let topic = faults.text(table, "example.", "topic")?;
    let body_file = faults.text(table, "example.", "body")?;
    let body = bytes(name, table, "body", (faults, beside))?;
    let expect = expect(name, table, faults, beside)?;
    let headers =
        table.get("headers").map_or_else(|| Some(Map::new()), |item| headers(item, faults))?;
    let content_type = table.get("content_type").and_then(Item::as_str);
    let message = Message {
        topic: topic.to_owned(),
        content_type: content_type.map(str::to_owned),
        headers,
        body,
        ..Message::default()
    };
    Some(Example { message, body_file: body_file.to_owned(), expect })
}

fn expect(
    name: &str,
    table: &dyn TableLike,
    faults: &mut Faults,
    beside: &Beside<'_>,
) -> Option<Expect> {
    match (table.get("ignored").map(Item::as_bool), table.get("expect")) {
        (Some(Some(true)), None) => Some(Expect::Ignored),
        (None, Some(item)) => {
            let bytes = bytes(name, table, "expect", (faults, beside))?;
            match serde_json::from_slice::<Event>(&bytes) {
                Ok(event) => Some(Expect::Event(Box::new(event))),
                Err(error) => {
                    faults.add("example.expect", format!("it is no event: {error}"), item.span());
                    None
                }
            }
        }
        (_, item) => {
            let message = "an example has either `expect`, a file, or `ignored = true`";
            faults.add("example.expect", message, item.and_then(Item::span));
            None
        }
    }
}

/// The content of the file that `key` names.
fn bytes(
    name: &str,
    table: &dyn TableLike,
    key: &str,
    (faults, beside): (&mut Faults, &Beside<'_>),
) -> Option<Vec<u8>> {
    let file = faults.text(table, "example.", key)?;
    let Some((_, content)) = beside.files.beside(name, file) else {
        let message = format!("there is no file `{file}` beside this one");
        faults.add(&format!("example.{key}"), message, table.get(key).and_then(Item::span));
        return None;
    };
    Some(content.bytes.to_vec())
}

fn headers(item: &Item, faults: &mut Faults) -> Option<Map<String, Value>> {
    let headers = item.as_table_like().and_then(|table| {
        let header = |(name, item): (&str, &Item)| {
            let value = match item {
                Item::Value(toml_edit::Value::String(text)) => text.value().as_str().into(),
                Item::Value(toml_edit::Value::Integer(number)) => (*number.value()).into(),
                Item::Value(toml_edit::Value::Boolean(truth)) => (*truth.value()).into(),
                Item::Value(_) | Item::None | Item::Table(_) | Item::ArrayOfTables(_) => {
                    return None;
                }
            };
            Some((name.to_owned(), value))
        };
        table.iter().map(header).collect()
    });
    if headers.is_none() {
        let message = "headers are a table of texts, numbers and booleans";
        faults.add("example.headers", message, item.span());
    }
    headers
}
