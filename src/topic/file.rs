//! A TOML file being read: its keys are asked for one by one, and faults are collected.

use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Document, Item, TableLike};

use super::folder::Content;
use super::{TopicFault, hint};
use crate::expression::{Expression, ExpressionError};

/// The names that a reading or a condition of a topic may use.
const NAMES: [&str; 4] = ["topic", "headers", "body", "run_parameter"];

/// Where faults of one file are collected.
#[derive(Debug)]
pub(super) struct Faults {
    /// The file as it is shown to people.
    pub(super) file: Arc<str>,
    text: Arc<str>,
    found: Vec<TopicFault>,
}

impl Faults {
    /// Adds a fault.
    pub(super) fn add(
        &mut self,
        key: &str,
        message: impl Into<String>,
        span: Option<Range<usize>>,
    ) {
        self.found.push(TopicFault {
            file: self.file.to_string(),
            key: (!key.is_empty()).then(|| key.to_owned()),
            message: message.into(),
            span,
            source_text: Arc::clone(&self.text),
        });
    }

    /// Whether something is wrong with `key` of one of these tables.
    pub(super) fn tell_of(&self, tables: &[&str], key: &str) -> bool {
        self.found.iter().any(|fault| {
            let told = fault.key.as_deref().and_then(|told| told.split_once('.'));
            told.is_some_and(|(table, told)| tables.contains(&table) && told == key)
        })
    }

    /// `value`, unless there were faults.
    pub(super) fn or<T>(self, value: Option<T>) -> Result<T, Vec<TopicFault>> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            Some(_) | None => Err(self.found),
        }
    }

    /// Adds a fault for each key of `table` that is not in `known`.
    pub(super) fn check_keys(&mut self, table: &dyn TableLike, prefix: &str, known: &[&str]) {
        for (key, item) in table.iter() {
            if !known.contains(&key) {
                let span = table.key(key).and_then(toml_edit::Key::span);
                let message = format!("there is no such key{}", hint(key, known));
                self.add(&format!("{prefix}{key}"), message, span.or_else(|| item.span()));
            }
        }
    }

    /// The text under `key`, which has to be there.
    pub(super) fn text<'table>(
        &mut self,
        table: &'table dyn TableLike,
        prefix: &str,
        key: &str,
    ) -> Option<&'table str> {
        let name = format!("{prefix}{key}");
        let Some(item) = table.get(key) else {
            self.add(&name, "it is missing", None);
            return None;
        };
        self.as_text(item, &name)
    }

    /// The text in `item`.
    pub(super) fn as_text<'item>(&mut self, item: &'item Item, key: &str) -> Option<&'item str> {
        match item.as_str() {
            Some(text) if text.trim().is_empty() => {
                self.add(key, "it is empty", item.span());
                None
            }
            Some(text) => Some(text),
            None => {
                let message = format!("it is a text, not a value of type {}", item.type_name());
                self.add(key, message, item.span());
                None
            }
        }
    }

    /// The expression in `item`; its names have to be those that a topic has.
    pub(super) fn expression(&mut self, item: &Item, key: &str) -> Option<Expression> {
        let source = self.as_text(item, key)?;
        match Expression::parse(source).and_then(check_names) {
            Ok(expression) => Some(expression),
            Err(error) => {
                let span = item.span().map(|span| self.inside(span, source, error.range.clone()));
                self.add(key, error.message, span);
                None
            }
        }
    }

    /// Where `range` of the text `source` is in the file, if the file has it as it is.
    fn inside(
        &self,
        span: Range<usize>,
        source: &str,
        range: Option<Range<usize>>,
    ) -> Range<usize> {
        let begin = self
            .text
            .get(span.clone())
            .and_then(|written| written.find(source))
            .map(|offset| span.start + offset);
        match (begin, range) {
            (Some(begin), Some(range)) => begin + range.start..begin + range.end,
            (Some(_) | None, _) => span,
        }
    }
}

fn check_names(expression: Expression) -> Result<Expression, ExpressionError> {
    for name in expression.names() {
        let root = name.split('.').next().unwrap_or(name);
        if !NAMES.contains(&root) {
            let start = expression.source().find(root);
            return Err(ExpressionError {
                message: format!("there is no name `{root}` here{}", hint(root, &NAMES)),
                range: start.map(|start| start..start + root.len()),
            });
        }
    }
    Ok(expression)
}

/// Parses `content`, and gives what is in it to `read`.
pub(super) fn parse<T>(
    content: &Content,
    read: impl FnOnce(&dyn TableLike, &mut Faults) -> Option<T>,
) -> Result<T, Vec<TopicFault>> {
    let text = String::from_utf8_lossy(&content.bytes);
    let mut faults = Faults {
        file: Arc::clone(&content.file),
        text: Arc::from(text.as_ref()),
        found: Vec::new(),
    };
    match Document::parse(text.as_ref()) {
        Ok(document) => {
            let value = read(document.as_table(), &mut faults);
            faults.or(value)
        }
        Err(error) => {
            let message = error.message().replace('\n', ", ");
            faults.add("", message, error.span());
            faults.or(None)
        }
    }
}
