//! What Pagure says when it says no.

use serde::Deserialize;
use serde_json::Value;

use crate::neutral;

/// How much of Pagure's own words an error repeats.
const WORDS_MAX_CHARS: usize = 200;

/// The body of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) error_code: String,
    /// Faults by field, or a text.
    pub(super) errors: Value,
}

impl Refusal {
    /// The code, Pagure's words, and what is wrong with which field.
    pub(super) fn words(&self) -> String {
        let errors = match &self.errors {
            Value::String(text) => text.clone(),
            Value::Object(fields) => {
                let faults = fields.iter().map(|(field, faults)| format!("{field} {faults}"));
                faults.collect::<Vec<_>>().join(", ")
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => String::new(),
        };
        let parts = [&self.error_code, &self.error, &errors];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// A text from outside, in one line and not endless.
pub(super) fn said(text: &str) -> String {
    let text = neutral::plain(text).replace('\n', " ");
    text.chars().take(WORDS_MAX_CHARS).collect()
}
