//! Writing, in the style that all readers agree about.

use super::{Node, Scalar};

/// How far what is inside stands to the right.
const STEP: usize = 2;

pub(super) fn written(node: &Node) -> String {
    let mut out = String::new();
    match node {
        Node::Map(entries) if !entries.is_empty() => map(entries, 0, Begin::OnNewLine, &mut out),
        Node::List(items) if !items.is_empty() => list(items, 0, &mut out),
        Node::Scalar(scalar) => {
            out.push_str(&in_line(scalar));
            out.push('\n');
        }
        Node::Map(_) => out.push_str("{}\n"),
        Node::List(_) => out.push_str("[]\n"),
    }
    out
}

/// Where the first entry of a mapping stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    OnNewLine,
    /// Behind the `-` of a list.
    Here,
}

fn map(entries: &[(Scalar, Node)], indent: usize, begin: Begin, out: &mut String) {
    for (at, (key, node)) in entries.iter().enumerate() {
        if at > 0 || begin == Begin::OnNewLine {
            spaces(indent, out);
        }
        out.push_str(&in_line(key));
        out.push(':');
        match node {
            Node::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                map(entries, indent + STEP, Begin::OnNewLine, out);
            }
            Node::List(items) if !items.is_empty() => {
                out.push('\n');
                list(items, indent + STEP, out);
            }
            Node::Scalar(_) | Node::Map(_) | Node::List(_) => small(node, indent + STEP, out),
        }
    }
}

fn list(items: &[Node], indent: usize, out: &mut String) {
    for node in items {
        spaces(indent, out);
        out.push('-');
        match node {
            Node::Map(entries) if !entries.is_empty() => {
                out.push(' ');
                map(entries, indent + STEP, Begin::Here, out);
            }
            Node::List(items) if !items.is_empty() => {
                out.push('\n');
                list(items, indent + STEP, out);
            }
            Node::Scalar(_) | Node::Map(_) | Node::List(_) => small(node, indent + STEP, out),
        }
    }
}

/// What begins on the line of its key or `-`.
fn small(node: &Node, indent: usize, out: &mut String) {
    out.push(' ');
    match node {
        Node::Map(_) => out.push_str("{}"),
        Node::List(_) => out.push_str("[]"),
        Node::Scalar(scalar) => {
            if let Some((mark, lines)) = as_lines(scalar) {
                out.push_str(mark);
                for line in lines {
                    out.push('\n');
                    if !line.is_empty() {
                        spaces(indent, out);
                        out.push_str(line);
                    }
                }
            } else {
                out.push_str(&in_line(scalar));
            }
        }
    }
    out.push('\n');
}

/// The lines of a text that people may want to read as lines.
fn as_lines(scalar: &Scalar) -> Option<(&'static str, std::str::Split<'_, char>)> {
    if scalar.is_plain || scalar.tag.is_some() {
        return None;
    }
    let (mark, text) = match scalar.text.strip_suffix('\n') {
        Some(text) => ("|", text),
        None => ("|-", scalar.text.as_str()),
    };
    let is_line = |line: &str| line.is_empty() || !line.trim().is_empty();
    let is_clear = scalar.text.contains('\n')
        && !text.ends_with('\n')
        && !text.is_empty()
        && !text.starts_with([' ', '\n'])
        && text.chars().all(|c| c == '\n' || matches!(c, ' '..='~'))
        && text.split('\n').all(is_line);
    is_clear.then(|| (mark, text.split('\n')))
}

/// A scalar in one line.
fn in_line(scalar: &Scalar) -> String {
    let text = if scalar.is_plain && stays_plain(&scalar.text) {
        scalar.text.clone()
    } else if scalar.is_null() {
        "null".to_owned()
    } else {
        quoted(&scalar.text)
    };
    match &scalar.tag {
        Some(tag) => format!("!!{tag} {text}"),
        None => text,
    }
}

/// Whether every reader sees a plain word as this one.  What is quoted instead is no number or
/// truth value to any of them.
fn stays_plain(text: &str) -> bool {
    const INDICATORS: &[char] =
        &[',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'];
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let is_begin = !INDICATORS.contains(&first)
        && (!matches!(first, '-' | '?' | ':') || chars.next().is_some_and(|next| next != ' '));
    is_begin
        && text.trim() == text
        && text.chars().all(|c| matches!(c, ' '..='~'))
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
}

/// The text in double quotes.  Only what every reader takes for itself stands there as itself: to
/// some, U+2028 ends a line.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => {
                let number = u32::from(c);
                let escape = match number {
                    ..=0xff => format!("\\x{number:02x}"),
                    0x100..=0xffff => format!("\\u{number:04x}"),
                    _ => format!("\\U{number:08x}"),
                };
                out.push_str(&escape);
            }
        }
    }
    out.push('"');
    out
}

fn spaces(count: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', count));
}
