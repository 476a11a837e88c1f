//! From the words of a line to a command.

use std::borrow::Cow;

use super::{Command, Verb};
use crate::neutral;

/// Words that are none of ours, and what is said instead.
const SYNONYMS: [(&str, Verb); 9] = [
    ("build", Verb::Test),
    ("run", Verb::Test),
    ("rebuild", Verb::Retest),
    ("rerun", Verb::Retest),
    ("recheck", Verb::Retest),
    ("stop", Verb::Cancel),
    ("abort", Verb::Cancel),
    ("approve", Verb::Ok),
    ("explain", Verb::Why),
];

/// The part of a comment that is looked at, its lines ended by `\n`: whole lines, unless the first
/// alone is too long.
pub(super) fn head(text: &str) -> Cow<'_, str> {
    let end = text.floor_char_boundary(Command::COMMENT_MAX_BYTES);
    let mut head = text.get(..end).unwrap_or(text);
    if end < text.len() {
        head = head.rfind(['\n', '\r']).and_then(|end| head.get(..end)).unwrap_or(head);
    }
    if head.contains('\r') {
        // Markdown knows all ends of lines, its readers mostly one.
        return Cow::Owned(head.replace("\r\n", "\n").replace('\r', "\n"));
    }
    Cow::Borrowed(head)
}

/// The command that `said`, which is without prefix, asks for; `line` is how it was written.
pub(super) fn command(said: &str, line: &str) -> Command {
    let text = shown(line, Command::TEXT_MAX_CHARS);
    let said = said.trim_matches([' ', '\t']);
    let (first, rest) = said.split_once([' ', '\t']).unwrap_or((said, ""));
    let verb = match first {
        "" | "?" => Some(Verb::Help),
        _ => Verb::ALL.into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(first)),
    };
    let Some(verb) = verb else {
        return Command { verb: Verb::Unknown, names: names(said), sha: None, text };
    };
    let mut names = names(rest);
    let mut sha = None;
    if verb == Verb::Ok {
        sha = match names.as_slice() {
            [only] => commit(only),
            _ => None,
        };
        if sha.is_some() {
            names.clear();
        }
    } else if let [only] = names.as_slice()
        && only.eq_ignore_ascii_case("all")
    {
        names.clear();
    }
    Command { verb, names, sha, text }
}

/// The verb that looks most like `word`.
pub(super) fn nearest(word: &str) -> Option<Verb> {
    /// With less in common, a proposal is a guess.
    const LIKENESS_MIN: f64 = 0.5;
    let word = word.to_ascii_lowercase();
    if let Some((_, verb)) = SYNONYMS.into_iter().find(|(known, _)| *known == word) {
        return Some(verb);
    }
    let likeness = |verb: Verb| strsim::normalized_damerau_levenshtein(&word, verb.as_str());
    Verb::ALL
        .into_iter()
        .map(|verb| (likeness(verb), verb))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, verb)| verb)
}

/// The names in `words`, between blanks or commas; never fewer than were written, up to the limit.
fn names(words: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let separates = move |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        // `{a,b}` is one wildcard.
        matches!(c, ' ' | '\t') || (c == ',' && depth == 0)
    };
    let written = words.split(separates).filter(|word| !word.is_empty());
    let mut names: Vec<String> =
        written.map(name).filter(|name| !name.is_empty()).take(Command::NAMES_MAX + 1).collect();
    if names.len() > Command::NAMES_MAX {
        names.truncate(Command::NAMES_MAX - 1);
        names.push("…".to_owned());
    }
    names
}

/// A name as it was meant: people write it as code, or with the escapes that Markdown wants.
fn name(word: &str) -> String {
    let code = word.trim_matches('`');
    let mut chars = if code.is_empty() { word } else { code }.chars().peekable();
    let mut name = String::new();
    let mut length = 0;
    while let Some(c) = chars.next() {
        let c = match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => chars.next().unwrap_or(c),
            Some(_) | None => c,
        };
        length += 1;
        if length > Command::NAME_MAX_CHARS {
            name.pop();
            name.push('…');
            return name;
        }
        let is_seen = !c.is_whitespace() && !neutral::is_invisible(c);
        name.push(if is_seen { c } else { char::REPLACEMENT_CHARACTER });
    }
    name
}

/// The commit that `word` names, if it names enough of it.
fn commit(word: &str) -> Option<String> {
    /// SHA-256, in digits.
    const LENGTH_MAX: usize = 64;
    let is_long_enough = (Command::SHA_MIN..=LENGTH_MAX).contains(&word.len());
    let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_long_enough && is_hex).then(|| word.to_ascii_lowercase())
}

/// A line as it is shown: what can be seen of it, up to `limit` characters.
fn shown(line: &str, limit: usize) -> String {
    // What is taken away makes room, but not for ever.
    let head: String = line.chars().take(limit.saturating_mul(4)).collect();
    let text = neutral::plain(&head).replace('\n', " ");
    if text.chars().count() <= limit {
        return text;
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}
