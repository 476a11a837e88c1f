//! The sentences that we post: those that come with the program, or the operator's own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use toml_edit::Item;

use super::fault::{Inspection, nearest};
use crate::expression::{self, ExpressionError, Text};

/// The sentences that come with the program.
const SHIPPED: &str = include_str!("../../config/texts.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    names: Vec<String>,
    text: String,
}

/// One sentence.
#[derive(Debug)]
struct Sentence {
    names: Vec<String>,
    shipped: Text,
    own: Option<Text>,
}

/// All sentences, by name.
#[derive(Debug)]
pub(super) struct Texts(BTreeMap<String, Sentence>);

impl Texts {
    /// Those that come with the program.
    pub(super) fn shipped() -> Result<Self, String> {
        let entries: BTreeMap<String, Entry> =
            toml_edit::de::from_str(SHIPPED).map_err(|error| error.to_string())?;
        let read = |(name, entry): (String, Entry)| {
            let shipped = Text::parse(&entry.text).map_err(|error| format!("{name}: {error}"))?;
            Ok((name, Sentence { names: entry.names, shipped, own: None }))
        };
        entries.into_iter().map(read).collect::<Result<_, String>>().map(Self)
    }

    /// Takes over the sentences of a `[texts]` table.
    pub(super) fn take(&mut self, inspection: &mut Inspection<'_>, item: &Item) {
        let Some(table) = item.as_table_like() else {
            inspection.fault(item.span(), "texts are written as `[texts]`", None);
            return;
        };
        for (name, item) in table.iter() {
            let span = item.span();
            let Some(sentence) = self.0.get_mut(name) else {
                let help = nearest(name, self.0.keys().map(String::as_str));
                inspection.fault(span, format!("there is no text `{name}`"), help);
                continue;
            };
            let Some(source) = item.as_str() else {
                inspection.fault(span, "a text is written as a string", None);
                continue;
            };
            if sentence.own.is_some() {
                inspection.fault(span.clone(), format!("`{name}` is given twice"), None);
            }
            match Text::parse(source) {
                Ok(text) => {
                    for used in text.names() {
                        let root = used.split('.').next().unwrap_or(used);
                        if !sentence.names.iter().any(|name| name == root) {
                            let help = format!("known are: {}", sentence.names.join(", "));
                            let message = format!("unknown name `{used}`");
                            inspection.fault(span.clone(), message, Some(help));
                        }
                    }
                    sentence.own = Some(text);
                }
                Err(error) => inspection.fault(span, error.message, None),
            }
        }
    }
}

/// What says the sentences, and remembers which of the operator's own failed.
pub(super) struct Voice<'a> {
    texts: &'a Texts,
    failures: RefCell<Vec<String>>,
}

impl<'a> Voice<'a> {
    /// A voice that says `texts`.
    pub(super) fn new(texts: &'a Texts) -> Self {
        Self { texts, failures: RefCell::default() }
    }

    /// The sentence `name`; the values are fit to be shown.
    ///
    /// Where the operator's own words fail, the shipped ones are said.
    pub(super) fn say(&self, name: &str, values: &Value) -> String {
        let Some(sentence) = self.texts.0.get(name) else { return name.to_owned() };
        let context = expression::context(values);
        if let Some(own) = &sentence.own {
            match own.render(&context) {
                Ok(said) => return said,
                Err(error) => self.note(name, &error),
            }
        }
        sentence.shipped.render(&context).unwrap_or_else(|error| {
            // It grew too large; that something is to be said is told all the same.
            self.note(name, &error);
            name.to_owned()
        })
    }

    /// Remembers that `what` could not be said.
    pub(super) fn note(&self, what: &str, error: &ExpressionError) {
        self.failures.borrow_mut().push(format!("the text `{what}` failed: {error}"));
    }

    /// What could not be said.
    pub(super) fn failures(self) -> Vec<String> {
        self.failures.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_program_can_be_read_and_uses_its_names_only() {
        let texts = Texts::shipped().unwrap();
        for (name, sentence) in &texts.0 {
            for used in sentence.shipped.names() {
                let root = used.split('.').next().unwrap();
                assert!(sentence.names.iter().any(|name| name == root), "{name}: {used}");
            }
        }
    }
}
