//! Whatever is written in a comment, few and bounded commands are heard in it, and what we write
//! is none.
//!
//! The input is a comment, or two of them with a null byte between: before and after an edit.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use pointsman::command::{Command, Grammar, Verb};
use pointsman::neutral;

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(Grammar::default);

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let (before, after) = text.split_once('\0').unwrap_or(("", text));
    for command in GRAMMAR.parse(text).iter().chain(&GRAMMAR.parse(after)) {
        check(command);
    }
    assert!(GRAMMAR.added(text, text).is_empty());
    assert_eq!(GRAMMAR.added("", after), GRAMMAR.parse(after));
    for command in GRAMMAR.added(before, after) {
        check(&command);
    }
    let inside = |start: &str| -> String {
        text.split(['\n', '\r']).map(|line| format!("{start}{line}\n")).collect()
    };
    assert!(GRAMMAR.parse(&inside("> ")).is_empty(), "heard in a quote");
    assert!(GRAMMAR.parse(&inside("    ")).is_empty(), "heard in code");
    let ours = neutral::line(text);
    assert!(GRAMMAR.parse(&ours).is_empty(), "{ours:?}");
    assert!(ours.chars().count() <= neutral::LINE_MAX_ESCAPED_CHARS);
    let plain = neutral::plain(text);
    assert_eq!(neutral::plain(&plain), plain);
    Corpus::Keep
});

fn check(command: &Command) {
    assert!(command.text.chars().count() <= Command::TEXT_MAX_CHARS);
    assert!(!command.text.chars().any(char::is_control));
    assert!(command.names.len() <= Command::NAMES_MAX);
    for name in &command.names {
        assert!(!name.is_empty() && name.chars().count() <= Command::NAME_MAX_CHARS);
        assert!(!name.chars().any(|c| c.is_control() || c.is_whitespace()));
    }
    if let Some(sha) = &command.sha {
        assert!(command.verb == Verb::Ok && command.names.is_empty());
        assert!(sha.len() >= Command::SHA_MIN && sha.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
