//! Plain text: what is left of Markdown in a letter, in lines that fit.

use url::Url;

use crate::neutral::SEAM;
use crate::reporters::markup::{self, Dialect, uncalled};

/// The longest letter, in characters: whole logs belong elsewhere.
const LETTER_MAX_CHARS: usize = 20_000;
/// How long a line becomes; an address is never broken.
const LINE_CHARS: usize = 72;
/// What lines begin with that are kept as they are.
const INDENT: &str = "    ";
/// What a line must not begin with: it would begin a patch, a quote of a mail box, or be obeyed.
const STARTS: &[&str] =
    &["From ", "diff ", "Index: ", "--- ", "+++ ", "@@ ", "---", "-- ", "/", "#", "@", "!"];
/// The ends of words that programs look for at the beginning of a line, before a colon.
const TRAILERS: &[&str] = &[
    "-by",
    "-bot",
    "-on",
    "-request",
    "-commit",
    "-to",
    "-id",
    "-tag",
    "-tags",
    "bcc",
    "cc",
    "closes",
    "date",
    "fixes",
    "from",
    "link",
    "subject",
    "supersedes",
    "to",
];

/// `text`, which is Markdown, as a letter has it.
pub(super) fn written(text: &str) -> String {
    let text = markup::bounded(text, &Plain, LETTER_MAX_CHARS);
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with(INDENT) {
            lines.push(line.to_owned());
        } else {
            wrap(line, &mut lines);
        }
    }
    lines.iter().map(|line| harmless(line) + "\n").collect()
}

struct Plain;

impl Dialect for Plain {
    fn text(&self, text: &str) -> String {
        uncalled(text, &['@', '＠', '﹫', '<'])
    }

    fn address(&self, url: &str) -> String {
        url.to_owned()
    }

    fn link(&self, words: &str, url: &Url) -> String {
        if words == url.as_str() { words.to_owned() } else { format!("{words} <{url}>") }
    }

    fn strong(&self, words: &str) -> String {
        words.to_owned()
    }

    fn emphasis(&self, words: &str) -> String {
        words.to_owned()
    }

    fn code(&self, text: &str) -> String {
        self.text(text)
    }

    fn block(&self, text: &str) -> String {
        let lines = text.lines().map(|line| format!("{INDENT}{}", self.text(line)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn bullet(&self) -> &'static str {
        "- "
    }
}

/// Breaks a line between words.
fn wrap(line: &str, lines: &mut Vec<String>) {
    let first = line.len() - line.trim_start().len();
    let indent = " ".repeat(first + bullet_chars(line.trim_start()));
    let mut current = " ".repeat(first);
    let mut has_word = false;
    for word in line.split_whitespace() {
        let length = current.chars().count() + 1 + word.chars().count();
        if has_word && length > LINE_CHARS {
            lines.push(std::mem::replace(&mut current, indent.clone()));
        } else if has_word {
            current.push(' ');
        }
        current.push_str(word);
        has_word = true;
    }
    lines.push(current.trim_end().to_owned());
}

/// How long the bullet or number is that a line begins with, the space after it included.
fn bullet_chars(line: &str) -> usize {
    let word = line.split(' ').next().unwrap_or_default();
    let number = word.strip_suffix('.').unwrap_or_default();
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    if word == "-" || is_number { word.len() + 1 } else { 0 }
}

/// A line that no program obeys.
fn harmless(line: &str) -> String {
    let words = line.trim_start();
    let is_command = STARTS.iter().any(|start| words.starts_with(start));
    let word = words.split(':').next().unwrap_or_default();
    let is_word = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && word != words;
    let lower = word.to_ascii_lowercase();
    let is_trailer = is_word
        && TRAILERS.iter().any(|end| match end.strip_prefix('-') {
            Some(_) => lower.ends_with(end),
            None => lower == *end,
        });
    if !is_command && !is_trailer {
        return line.to_owned();
    }
    let mut out = line.to_owned();
    let start = line.len() - words.len();
    out.insert(if is_trailer { start + word.len() } else { start }, SEAM);
    out
}
