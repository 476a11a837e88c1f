//! Takes out of a body what must not be kept: build parameters may be passwords.

use serde_json::{Map, Value};

/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// A copy of `body` without the values at `paths`.
///
/// A path is dotted and leads through objects, and through every element of an array.  What it
/// leads to keeps its shape: of `NAME=VALUE` the name stays, of an object the keys.  The value of
/// `run_parameter` stays too, because it is ours and says which run the message is about.
pub fn redacted(body: &Value, paths: &[String], run_parameter: &str) -> Value {
    let mut body = body.clone();
    for path in paths {
        let steps: Vec<&str> = path.split('.').collect();
        walk(&mut body, &steps, run_parameter);
    }
    body
}

fn walk(value: &mut Value, steps: &[&str], run_parameter: &str) {
    let Some((step, rest)) = steps.split_first() else {
        wipe(value, run_parameter);
        return;
    };
    match value {
        Value::Object(fields) => {
            if let Some(field) = fields.get_mut(*step) {
                walk(field, rest, run_parameter);
            }
        }
        Value::Array(values) => {
            for value in values {
                walk(value, steps, run_parameter);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn wipe(value: &mut Value, run_parameter: &str) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => *value = REDACTED.into(),
        Value::Array(values) => {
            for value in values {
                wipe_entry(value, run_parameter);
            }
        }
        Value::Object(fields) => wipe_fields(fields, run_parameter),
    }
}

fn wipe_fields(fields: &mut Map<String, Value>, run_parameter: &str) {
    for (name, value) in fields {
        if name != run_parameter && !value.is_null() {
            *value = REDACTED.into();
        }
    }
}

/// Wipes one of a list of parameters: `NAME=VALUE`, or an object with `name` (or `key`) and
/// `value`.
fn wipe_entry(entry: &mut Value, run_parameter: &str) {
    match entry {
        Value::String(text) => match text.split_once('=') {
            Some((name, _)) if name == run_parameter => {}
            Some((name, _)) => *text = format!("{name}={REDACTED}"),
            None => REDACTED.clone_into(text),
        },
        Value::Object(fields) => {
            let named = |word: &&str| fields.get(*word).is_some_and(Value::is_string);
            let word = ["name", "key"].into_iter().find(named);
            let name = word.and_then(|word| fields.get(word)).cloned();
            if name.as_ref().and_then(Value::as_str) == Some(run_parameter) {
                return;
            }
            wipe_fields(fields, "");
            if let (Some(word), Some(name)) = (word, name) {
                fields.insert(word.to_owned(), name);
            }
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => *entry = REDACTED.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::redacted;

    #[test]
    fn names_stay_and_values_go() {
        let body = json!({
            "status": "SUCCESS",
            "parameters": ["A=1", "PASSWORD=x=y\nz", "POINTSMAN_RUN=0123", "broken", 7, null, ["q"]],
            "build": {"parameters": {"A": "1", "POINTSMAN_RUN": "0123", "N": {"deep": "x"}}},
            "list": [{"parameter": [{"name": "P", "value": "x"}, {"name": "POINTSMAN_RUN", "value": "0"}]}],
            "variables": [{"key": "P", "value": "x"}, {"key": "POINTSMAN_RUN", "value": "0"}],
            "token": "x",
        });
        let paths =
            ["parameters", "build.parameters", "list.parameter", "variables", "token", "no.such"];
        let paths = paths.map(str::to_owned);
        assert_eq!(
            redacted(&body, &paths, "POINTSMAN_RUN"),
            json!({
                "status": "SUCCESS",
                "parameters": [
                    "A=[redacted]", "PASSWORD=[redacted]", "POINTSMAN_RUN=0123", "[redacted]",
                    "[redacted]", null, "[redacted]",
                ],
                "build": {"parameters": {"A": "[redacted]", "POINTSMAN_RUN": "0123", "N": "[redacted]"}},
                "list": [{"parameter": [
                    {"name": "P", "value": "[redacted]"}, {"name": "POINTSMAN_RUN", "value": "0"},
                ]}],
                "variables": [
                    {"key": "P", "value": "[redacted]"}, {"key": "POINTSMAN_RUN", "value": "0"},
                ],
                "token": "[redacted]",
            })
        );
    }

    proptest! {
        #[test]
        fn a_password_never_stays(
            before in proptest::collection::vec("[A-Z]{1,5}=[a-z=\\n]{0,9}", 0..4),
            name in "[A-Z]{1,8}",
        ) {
            prop_assume!(name != "POINTSMAN_RUN");
            let mut list = before;
            list.push(format!("{name}=hunter2=hunter2\nhunter2"));
            let body = json!({
                "parameters": list,
                "build": {"parameters": {name: "hunter2"}},
            });
            let paths = ["parameters", "build.parameters"].map(str::to_owned);
            let text = redacted(&body, &paths, "POINTSMAN_RUN").to_string();
            prop_assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
