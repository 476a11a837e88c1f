//! Text from outside, made harmless: what we post is read by other bots, which trust us.
//!
//! A title such as `@everyone recheck` must come out as words and nothing else, wherever a
//! template puts it.

/// How many characters of its input [`line()`] keeps.
pub const LINE_MAX_CHARS: usize = 200;
/// How many characters of its input [`plain`] keeps.
pub const PLAIN_MAX_CHARS: usize = 4_000;
/// How many characters [`line()`] may return: an escape has at most six for one, and a seam.
pub const LINE_MAX_ESCAPED_CHARS: usize = LINE_MAX_CHARS * 7 + 1;

/// The word joiner: no forge shows it, and no pattern for a mention, a reference or a command
/// has it, nor does any trim it as white space.  It stands inside what must not be recognised.
///
/// An entity (`&#64;`) would not do: forges look for mentions after Markdown has been rendered.
pub const SEAM: char = '\u{2060}';

/// What other bots obey.  Where a pattern has several words, they look for them with anything but
/// letters in between, so the first word is cut in two; a seam between the words would not help.
const PHRASES: &[&[&str]] = &[
    &["recheck"],
    &["reverify"],
    &["regate"],
    &["retest"],
    &["citest"],
    &["packit"],
    &["bors"],
    &["test", "this", "please"],
    &["ok", "to", "test"],
    &["add", "to", "whitelist"],
    &["pretty", "please", "pagure"],
    &["please", "retry"],
    &["please", "rerun"],
    &["please", "rebuild"],
    &["skip", "ci"],
    &["ci", "skip"],
];

/// One line of text from outside, safe in Markdown, in a table, and at the start of a line.
///
/// It is cut after [`LINE_MAX_CHARS`] characters and has at most [`LINE_MAX_ESCAPED_CHARS`].
/// Applied twice it is still safe, but shows its escapes.
pub fn line(text: &str) -> String {
    let visible = visible(text, Newlines::Spaces);
    let chars = cut(visible.trim(), LINE_MAX_CHARS);
    let seams = seams(&chars);
    let mut out = String::with_capacity(chars.len() * 2);
    for (position, &c) in chars.iter().enumerate() {
        if seams.contains(&position) {
            out.push(SEAM);
        }
        push_escaped(&mut out, c);
    }
    if seams.contains(&chars.len()) {
        out.push(SEAM);
    }
    out
}

/// Text from outside for a place that shows it as it is, such as a chat or a terminal: without
/// control characters, terminal sequences and invisible or turned text.  Its lines stay lines.
///
/// It is cut after [`PLAIN_MAX_CHARS`] characters.
pub fn plain(text: &str) -> String {
    cut(visible(text, Newlines::Kept).trim(), PLAIN_MAX_CHARS).into_iter().collect()
}

/// What becomes of the ends of lines.
#[derive(Clone, Copy)]
enum Newlines {
    Kept,
    Spaces,
}

/// The text without what cannot be seen, each run of white space in a line one space.
fn visible(text: &str, newlines: Newlines) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' | '\u{9b}' => skip_sequence(c, &mut chars),
            '\n' if matches!(newlines, Newlines::Kept) => {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
            }
            _ if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with([' ', '\n']) {
                    out.push(' ');
                }
            }
            _ if is_invisible(c) => {}
            _ => out.push(c),
        }
    }
    out
}

/// Skips what follows the start of a terminal sequence, up to the end of the line at most.
fn skip_sequence(start: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = match start {
        '\u{9b}' => Some('['),
        _ => chars.next_if(|c| !c.is_control()),
    };
    match kind {
        Some('[') => {
            while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            chars.next_if(|c| matches!(c, '@'..='~'));
        }
        // A title or a link: text up to a bell or the next escape, which is left to the caller.
        Some(']' | 'P' | 'X' | '^' | '_') => while chars.next_if(|c| !c.is_control()).is_some() {},
        // `ESC \` and its like.
        Some(_) | None => {}
    }
}

/// Whether a character is for machines: a control, a mark of direction, a joint, a blank letter.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// At most `limit` characters; what is cut off becomes an ellipsis.
fn cut(text: &str, limit: usize) -> Vec<char> {
    let mut chars: Vec<char> = text.chars().take(limit + 1).collect();
    if chars.len() > limit {
        chars.truncate(limit.saturating_sub(1));
        chars.push('…');
    }
    chars
}

/// The positions before which a seam has to stand.
fn seams(chars: &[char]) -> Vec<usize> {
    let mut seams = Vec::new();
    if starts_a_block(chars) {
        seams.push(0);
    }
    for (position, c) in chars.iter().enumerate() {
        // A mention, and the references `#1`, `!1`, `~label`; also at the end, as a template may
        // go on with a name or a number.
        if matches!(c, '@' | '#' | '!' | '~' | '＠' | '﹫') {
            seams.push(position + 1);
        }
    }
    let words = words(chars);
    for start in 0..words.len() {
        let rest = words.get(start..).unwrap_or_default();
        for phrase in PHRASES {
            seams.extend(recognised(rest, phrase));
        }
    }
    seams
}

/// Whether a line that begins so may be a command, a list, a rule or a heading.
fn starts_a_block(chars: &[char]) -> bool {
    match chars.first() {
        // Whatever mark is not escaped: any of them may be what a bot listens to.
        Some(c) if c.is_ascii_punctuation() => !is_escaped(*c),
        Some('／' | '＠' | '﹫') => true,
        Some(c) if c.is_ascii_digit() => {
            chars.iter().find(|c| !c.is_ascii_digit()).is_some_and(|c| matches!(c, '.' | ')'))
        }
        Some(_) | None => false,
    }
}

/// A word as a pattern sees it, and where it begins.
struct Word {
    start: usize,
    letters: Vec<char>,
}

/// The words of a line, in the one case that patterns which ignore case compare.
fn words(chars: &[char]) -> Vec<Word> {
    let mut words = Vec::<Word>::new();
    let mut is_inside = false;
    for (position, &c) in chars.iter().enumerate() {
        let is_letter = c.is_alphanumeric() || c == '_';
        if is_letter {
            if !is_inside {
                words.push(Word { start: position, letters: Vec::new() });
            }
            if let Some(word) = words.last_mut() {
                word.letters.push(folded(c));
            }
        }
        is_inside = is_letter;
    }
    words
}

/// The letter without its case: also `ſ` is an `s`, and the Kelvin sign a `k`.
fn folded(c: char) -> char {
    let upper = c.to_uppercase().next().unwrap_or(c);
    upper.to_lowercase().next().unwrap_or(upper)
}

/// Where to cut if `words` begin with `phrase`, of which the first word may be the end of one
/// and the last the beginning of one (a pattern seldom asks for whole words).
fn recognised(words: &[Word], phrase: &[&str]) -> Vec<usize> {
    let (Some(word), Some((first, others))) = (words.first(), phrase.split_first()) else {
        return Vec::new();
    };
    let first: Vec<char> = first.chars().collect();
    if others.is_empty() {
        let found = word.letters.windows(first.len()).enumerate();
        return found
            .filter(|(_, letters)| *letters == first)
            .map(|(offset, _)| word.start + offset + 1)
            .collect();
    }
    let is_match = word.letters.ends_with(&first)
        && words.len() >= phrase.len()
        && words.iter().skip(1).zip(others).enumerate().all(|(index, (word, wanted))| {
            let wanted: Vec<char> = wanted.chars().collect();
            if index + 1 == others.len() {
                word.letters.starts_with(&wanted)
            } else {
                word.letters == wanted
            }
        });
    if is_match { vec![word.start + word.letters.len() - first.len() + 1] } else { Vec::new() }
}

/// Writes one character so that Markdown shows it and does not obey it.
///
/// A backslash where every Markdown understands it (Pagure's does before fewer characters than
/// the others), an entity elsewhere.
fn push_escaped(out: &mut String, c: char) {
    match c {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        // By name: the number in `&#124;` could be taken for that of an issue.
        '|' => out.push_str("&vert;"),
        _ => {
            if is_escaped(c) {
                out.push('\\');
            }
            out.push(c);
        }
    }
}

/// Whether a character never stands by itself.
fn is_escaped(c: char) -> bool {
    const ESCAPED: &str = "\\`*_[]#!{}~<>&|";
    ESCAPED.contains(c)
}

#[cfg(test)]
mod tests;
