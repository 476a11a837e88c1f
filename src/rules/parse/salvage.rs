//! Reading a rule or a test in spite of its faults, so that all of them are told and not only the first.

use std::ops::Range;

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml_edit::{Item, Table, Value};

use crate::rules::fault::nearest;

/// A rule with more faults than that is not worth reading on.
const FAULTS_MAX: usize = 20;

/// A fault that the reading stumbled over: what serde says, and where.
pub(super) type Stumble = (String, Option<Range<usize>>);

/// Reads `table`; what cannot be read is left out, noted, and the rest read again.
///
/// What was read is `None` where something is missing or wrong that nothing can be read without.
pub(super) fn read<T: DeserializeOwned>(table: &Table) -> (Option<T>, Vec<Stumble>) {
    let mut table = table.clone();
    let mut stumbles = Vec::new();
    while stumbles.len() < FAULTS_MAX {
        let value = Value::InlineTable(table.clone().into_inline_table());
        let error = match T::deserialize(value.into_deserializer()) {
            Ok(spec) => return (Some(spec), stumbles),
            Err(error) => error,
        };
        let is_follow_up = !stumbles.is_empty() && error.message().contains("missing field");
        if !is_follow_up {
            stumbles.push((error.message().to_owned(), error.span()));
        }
        let left_out = error.span().is_some_and(|span| leave_out(&mut table, &span));
        if is_follow_up || !left_out {
            return (None, stumbles);
        }
    }
    (None, stumbles)
}

/// Removes the smallest part of `table` that holds the place `span`.
fn leave_out(table: &mut Table, span: &Range<usize>) -> bool {
    let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        if table.key(&name).is_some_and(|key| holds(key.span(), span)) {
            return table.remove(&name).is_some();
        }
        let Some(item) = table.get_mut(&name) else { continue };
        if leave_out_of(item, span) {
            return true;
        }
        if holds(item.span(), span) {
            return table.remove(&name).is_some();
        }
    }
    false
}

/// Removes the part of a list or a table within a rule that holds the place.
fn leave_out_of(item: &mut Item, span: &Range<usize>) -> bool {
    match item {
        Item::Table(table) => leave_out(table, span),
        Item::ArrayOfTables(tables) => tables.iter_mut().any(|table| leave_out(table, span)),
        Item::Value(Value::InlineTable(values)) => {
            let is_there = |(_, value): &(&str, &Value)| holds(value.span(), span);
            let name = values.iter().find(is_there).map(|(name, _)| name.to_owned());
            name.and_then(|name| values.remove(&name)).is_some()
        }
        Item::Value(Value::Array(values)) => {
            let place = values.iter().position(|value| holds(value.span(), span));
            place.map(|place| values.remove(place)).is_some()
        }
        Item::Value(_) | Item::None => false,
    }
}

fn holds(outer: Option<Range<usize>>, inner: &Range<usize>) -> bool {
    outer.is_some_and(|outer| outer.start <= inner.start && inner.end <= outer.end)
}

/// Turns serde's words for an unknown key or value into ours, with a proposal.
pub(super) fn explain(message: &str) -> (String, Option<String>) {
    let message = message.trim();
    for what in ["unknown field", "unknown variant"] {
        if let Some(rest) = message.strip_prefix(what) {
            let mut quoted = rest.split('`').skip(1).step_by(2);
            let word = quoted.next().unwrap_or_default();
            let known: Vec<_> = quoted.collect();
            let what = if what == "unknown field" { "key" } else { "value" };
            let help = nearest(word, known.iter().copied())
                .unwrap_or_else(|| format!("known are: {}", known.join(", ")));
            return (format!("unknown {what} `{word}`"), Some(help));
        }
    }
    (message.replace("missing field", "missing key"), None)
}
