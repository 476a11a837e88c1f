//! Values in a definition, which is YAML: none can bring more with it than itself.
//!
//! The text around a value is the operator's, and the value may be anybody's.  A line break, a
//! comma or a colon in it would be read as the end of a scalar and the beginning of something else,
//! so that only what is plain in every place stands there bare; the filter `json` quotes the rest.
//! What is quoted may have been put where quotes mean nothing: so the definition is filled in once
//! more with harmless words, and has to have the same shape.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Output, State, Value};

/// Writes a value into a definition.
pub(super) fn write(
    output: &mut Output<'_>,
    _state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => Ok(()),
        ValueKind::Bool => {
            let word = if value.is_true() { "true" } else { "false" };
            output.write_str(word).map_err(Error::from)
        }
        ValueKind::Number => output.write_str(&value.to_string()).map_err(Error::from),
        ValueKind::String => match value.as_str() {
            Some(text) if value.is_safe() || is_plain(text) => {
                output.write_str(text).map_err(Error::from)
            }
            Some(_) | None => Err(not_plain()),
        },
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Bytes
        | ValueKind::Seq
        | ValueKind::Map
        | ValueKind::Iterable
        | ValueKind::Plain
        | ValueKind::Invalid
        | _ => Err(not_plain()),
    }
}

/// As [`write()`], with harmless words in the place of those that were quoted.
pub(super) fn write_shadow(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let quoted = value.as_str().filter(|_| value.is_safe());
    match quoted.map(serde_json::from_str::<serde_json::Value>) {
        Some(Ok(json)) => output.write_str(&harmless(&json).to_string()).map_err(Error::from),
        Some(Err(_)) | None => write(output, state, value),
    }
}

/// A value of the same shape, with other words.
fn harmless(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(_) => Value::String("x".to_owned()),
        Value::Array(values) => values.iter().map(harmless).collect(),
        Value::Object(fields) => {
            let named = |(number, value)| (format!("k{number}"), harmless(value));
            fields.values().enumerate().map(named).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn not_plain() -> Error {
    let words = "a value has more than plain letters, digits and `/_.+=@%~?&:-`: \
                 let it stand alone, with `| json`";
    Error::new(ErrorKind::InvalidOperation, words)
}

/// Whether `text` is the same in every place of a YAML document, also next to other text.
fn is_plain(text: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "/_.+=@%~?&:-".contains(c);
    let is_begin = |c: char| c.is_ascii_alphanumeric() || "/_.".contains(c);
    text.is_empty()
        || (text.starts_with(is_begin) && text.chars().all(is_sign) && !text.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::expression::{Text, context};

    fn rendered(source: &str, value: &str) -> Result<String, String> {
        let text = Text::definition(source).unwrap();
        text.render(&context(&json!({ "v": value }))).map_err(|error| error.message)
    }

    #[test]
    fn what_is_plain_stands_there_as_it_is() {
        let source = "url: {{ v }}\nimage: -drive file={{ v }}";
        let url = "https://images.example/nano/7/root.img?x=1&y=%20";
        assert_eq!(rendered(source, url).unwrap(), source.replace("{{ v }}", url));
        assert_eq!(rendered("a: {{ v }}", "").unwrap(), "a: ");
    }

    #[test]
    fn what_could_be_read_as_more_is_refused_or_quoted() {
        for value in
            ["a\nb: c", "a: b", "a, b: c", "a:", "&a", "*a", "- a", "'", "x #y", "{a}", "ä"]
        {
            let error = rendered("a: {{ v }}", value).unwrap_err();
            assert!(error.contains("json") && !error.contains(value), "{value}: {error}");
            let quoted = rendered("a: {{ v | json }}", value).unwrap();
            assert_eq!(quoted, format!("a: {}", json!(value)));
        }
    }

    #[test]
    fn lists_stand_there_as_json() {
        let text = Text::definition("a: {{ v | json }}\nb: {{ v }}").unwrap();
        let error = text.render(&context(&json!({ "v": ["x", 1] }))).unwrap_err();
        assert!(error.message.contains("json"), "{error}");
        let text = Text::definition("a: {{ v | json }}").unwrap();
        let all = text.render(&context(&json!({ "v": ["x", 1] }))).unwrap();
        assert_eq!(all, "a: [\"x\",1]");
    }
}
