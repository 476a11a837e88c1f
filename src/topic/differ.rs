//! What differs between two events, in a line.

use serde_json::Value;

use super::read::shown;
use crate::event::Event;

/// How many differences are told.
const TOLD_MAX: usize = 5;

/// The fields in which `found` is not as `expected`.
pub(super) fn differences(expected: &Event, found: &Event) -> String {
    let mut told = Vec::new();
    let expected = serde_json::to_value(expected).unwrap_or_default();
    let found = serde_json::to_value(found).unwrap_or_default();
    collect("", &expected, &found, &mut told);
    let more = told.len().saturating_sub(TOLD_MAX);
    told.truncate(TOLD_MAX);
    let mut text = told.join("; ");
    if more > 0 {
        text = format!("{text}; and {more} more");
    }
    text
}

fn collect(path: &str, expected: &Value, found: &Value, told: &mut Vec<String>) {
    if expected == found {
        return;
    }
    let (Value::Object(left), Value::Object(right)) = (expected, found) else {
        let (expected, found) = (shown(expected), shown(found));
        told.push(format!("`{path}` is {found}, expected was {expected}"));
        return;
    };
    let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned();
        let (left, right) = (of(left), of(right));
        collect(&inner, &left.unwrap_or_default(), &right.unwrap_or_default(), told);
    }
}
