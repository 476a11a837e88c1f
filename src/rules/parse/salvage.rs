//! Reading a rule in spite of its faults, so that all of them are told and not only the first.

use std::ops::Range;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml_edit::{Item, Table, Value};

use crate::rules::spec::RuleSpec;

/// A rule with more faults than that is not worth reading on.
const FAULTS_MAX: usize = 20;

/// A fault that the reading stumbled over: what serde says, and where.
pub(super) type Stumble = (String, Option<Range<usize>>);

/// Reads `table`; what cannot be read is left out, noted, and the rest read again.
///
/// The rule is `None` where something is missing or wrong that nothing can be read without.
pub(super) fn read(table: &Table) -> (Option<RuleSpec>, Vec<Stumble>) {
    let mut table = table.clone();
    let mut stumbles = Vec::new();
    while stumbles.len() < FAULTS_MAX {
        let value = Value::InlineTable(table.clone().into_inline_table());
        let error = match RuleSpec::deserialize(value.into_deserializer()) {
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
