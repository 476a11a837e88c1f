//! Keeps out of the language what could grow without bound.
//!
//! The engine counts instructions, but one instruction can make a hundred megabytes
//! (`"a" * 100000000`), and assignment in a loop can double a text until memory ends.  Rules need
//! neither: `*` and every statement but `if` and `for` are refused before anything is compiled.
//!
//! Filters and tests that do not exist are found here too; the engine would tell only when it
//! comes to them.

use std::ops::Range;

use super::builtin::{FILTERS, TESTS};
use super::{DEFINITION_MAX_BYTES, ExpressionError, SOURCE_MAX_BYTES};

/// The statements that a text may contain.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// Checks the source of an expression.
pub(super) fn expression(source: &str) -> Result<(), ExpressionError> {
    length(source, SOURCE_MAX_BYTES)?;
    code(source, 0, None).map(|_end| ())
}

/// Checks the source of a text.
pub(super) fn text(source: &str) -> Result<(), ExpressionError> {
    length(source, SOURCE_MAX_BYTES)?;
    tags(source)
}

/// Checks the source of a definition.
pub(super) fn definition(source: &str) -> Result<(), ExpressionError> {
    length(source, DEFINITION_MAX_BYTES)?;
    tags(source)
}

fn tags(source: &str) -> Result<(), ExpressionError> {
    let mut at = 0;
    while let Some((start, kind)) = next_tag(source, at) {
        let inside = start + 2;
        at = match kind {
            Tag::Comment => after(source, inside, "#}"),
            Tag::Print => code(source, inside, Some("}}"))?,
            Tag::Statement => {
                statement(source, inside)?;
                code(source, inside, Some("%}"))?
            }
        };
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Tag {
    Print,
    Statement,
    Comment,
}

fn length(source: &str, max: usize) -> Result<(), ExpressionError> {
    if source.len() > max {
        let message = format!("it is longer than {max} bytes ({})", source.len());
        return Err(ExpressionError::new(message, None));
    }
    Ok(())
}

/// The first tag that opens at or after byte `from`.
fn next_tag(source: &str, from: usize) -> Option<(usize, Tag)> {
    let rest = source.as_bytes().get(from..)?;
    rest.windows(2).enumerate().find_map(|(offset, pair)| {
        let tag = match pair {
            b"{{" => Tag::Print,
            b"{%" => Tag::Statement,
            b"{#" => Tag::Comment,
            _ => return None,
        };
        Some((from + offset, tag))
    })
}

/// The first byte after `end`, searched from byte `from`; the end of the source without it.
fn after(source: &str, from: usize, end: &str) -> usize {
    source
        .get(from..)
        .and_then(|rest| rest.find(end))
        .map_or(source.len(), |offset| from + offset + end.len())
}

/// Checks that the statement that begins at byte `from` is one of those that are let in.
fn statement(source: &str, from: usize) -> Result<(), ExpressionError> {
    let rest = source.get(from..).unwrap_or_default();
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).trim_start();
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if STATEMENTS.contains(&word.as_str()) {
        return Ok(());
    }
    let start = source.len() - rest.len();
    Err(refused(
        format!("`{{% {word} %}}` is not available here, only `if` and `for` are"),
        start..start + word.len(),
    ))
}

/// Checks the code from byte `from` to `end`, and returns the first byte after it.
fn code(source: &str, from: usize, end: Option<&str>) -> Result<usize, ExpressionError> {
    let bytes = source.as_bytes();
    let mut at = from;
    let mut quote = None;
    while let Some(&byte) = bytes.get(at) {
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            None => {
                let rest = bytes.get(at..).unwrap_or_default();
                if let Some(end) = end.filter(|end| rest.starts_with(end.as_bytes())) {
                    return Ok(at + end.len());
                }
                at = operator(source, at)?;
            }
        }
        at += 1;
    }
    Ok(source.len())
}

/// Checks what begins at byte `at`, outside of a string, and returns its last byte.
fn operator(source: &str, at: usize) -> Result<usize, ExpressionError> {
    match source.as_bytes().get(at) {
        Some(b'*') => Err(refused("`*` is not available here".to_owned(), at..at + 1)),
        Some(b'|') => known(source, at + 1, ("filter", FILTERS)).map(|()| at),
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => {
            let word = word(source, at);
            if source.get(word.clone()) == Some("is") {
                test(source, word.end)?;
            }
            Ok(word.end.saturating_sub(1).max(at))
        }
        Some(_) | None => Ok(at),
    }
}

/// Checks the test that begins after `is`, at byte `from`.
fn test(source: &str, from: usize) -> Result<(), ExpressionError> {
    let first = word(source, from);
    if source.get(first.clone()) == Some("not") {
        return known(source, first.end, ("test", TESTS));
    }
    known(source, from, ("test", TESTS))
}

/// Checks that the first word after byte `from` is among `names`.
fn known(source: &str, from: usize, (what, names): (&str, &[&str])) -> Result<(), ExpressionError> {
    let range = word(source, from);
    let word = source.get(range.clone()).unwrap_or_default();
    // Without a word it is a syntax error, which the engine explains better.
    if word.is_empty() || names.contains(&word) {
        return Ok(());
    }
    let nearest = names
        .iter()
        .min_by_key(|name| strsim::damerau_levenshtein(word, name))
        .filter(|name| strsim::damerau_levenshtein(word, name) <= 1 + name.len() / 3)
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default();
    Err(refused(format!("there is no {what} `{word}`{nearest}"), range))
}

/// Where the first word at or after byte `from` is, white space skipped.
fn word(source: &str, from: usize) -> Range<usize> {
    let rest = source.get(from..).unwrap_or_default();
    let start = from + (rest.len() - rest.trim_start().len());
    let length = rest
        .trim_start()
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(source.len() - start);
    start..start + length
}

fn refused(message: String, range: Range<usize>) -> ExpressionError {
    ExpressionError::new(message, Some(range))
}
