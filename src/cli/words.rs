//! How things are called on the screen: times, colours, states, and text from outside.

use jiff::Timestamp;
use serde_json::Value;

use crate::decision::Outcome;
use crate::neutral;

/// How many characters of an id are shown where there is little room.
const SHORT_CHARS: usize = 12;

/// What a colour says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tint {
    /// Nothing.
    #[default]
    Plain,
    /// Less important than what is beside it.
    Dim,
    /// A heading, or what was asked for.
    Strong,
    /// All is well.
    Good,
    /// On its way.
    Busy,
    /// Somebody should look.
    Bad,
}

impl Tint {
    /// The sequence that begins it (ECMA-48, SGR).
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "\x1b[2m",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Busy => "\x1b[36m",
            Self::Bad => "\x1b[31m",
        }
    }

    /// What the state of a message, run or action says.
    pub(super) fn of_state(state: &str) -> Self {
        match state {
            "read" | "done" | "success" => Self::Good,
            "waiting" | "claimed" | "ordered" | "queued" | "running" => Self::Busy,
            "dead" | "buried" | "failure" | "unstable" | "error" => Self::Bad,
            _ => Self::Dim,
        }
    }

    /// `text` in this colour, if there are colours.
    pub(super) fn paint(self, text: &str, has_colours: bool) -> String {
        if has_colours && self != Self::Plain && !text.is_empty() {
            format!("{}{text}\x1b[0m", self.code())
        } else {
            text.to_owned()
        }
    }
}

/// Text from outside as one harmless line.
pub(super) fn safe(text: &str) -> String {
    neutral::plain(text).replace('\n', " ")
}

/// Text from outside as harmless lines, the space at their beginnings kept.
pub(super) fn safe_lines(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = line.trim_start_matches(' ');
        let indent = line.len() - words.len();
        format!("{:indent$}{}", "", neutral::plain(words))
    };
    text.lines().map(line).collect()
}

/// JSON with everything escaped that could change a terminal.
pub(super) fn safe_json(text: &str) -> String {
    let is_harmless = |c: char| match c {
        '\n' | ' '..='~' => true,
        _ if c.is_ascii() => false,
        _ => c.is_whitespace() || !neutral::plain(c.encode_utf8(&mut [0; 4])).is_empty(),
    };
    let mut safe = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if is_harmless(c) {
            safe.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format_unit(*unit));
            }
        }
    }
    safe
}

fn format_unit(unit: u16) -> String {
    format!("\\u{unit:04x}")
}

/// The beginning of an id, by which it can be given again.
pub(super) fn short(id: &str) -> String {
    safe(id).chars().take(SHORT_CHARS).collect()
}

/// How long ago `then` was, or how soon it will be.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    let (number, unit) = match seconds.unsigned_abs() {
        0 => return "now".to_owned(),
        s @ 1..60 => (s, "s"),
        s @ 60..3_600 => (s / 60, "min"),
        s @ 3_600..172_800 => (s / 3_600, "h"),
        s => (s / 86_400, "days"),
    };
    if seconds > 0 { format!("{number} {unit} ago") } else { format!("in {number} {unit}") }
}

/// A moment, exactly and for people.
pub(super) fn moment(now: Timestamp, at: Timestamp) -> String {
    format!("{} ({})", at.strftime("%Y-%m-%dT%H:%M:%SZ"), ago(now, at))
}

/// `1 rule`, `3 rules`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// What came of a rule, in a sentence.
pub(super) fn outcome(outcome: &Outcome) -> String {
    let text = match outcome {
        Outcome::Fired { actions } => format!("fired: {}", count(actions.len(), "action")),
        Outcome::Shadow { actions } => {
            format!("in shadow mode; it would have caused {}", count(actions.len(), "action"))
        }
        Outcome::Elsewhere { name, wanted, found: Some(found) } => {
            format!("`{name}` is `{found}`, and the rule wants `{wanted}`")
        }
        Outcome::Elsewhere { name, wanted, found: None } => {
            format!("the event has no `{name}`, and the rule wants `{wanted}`")
        }
        Outcome::Not { condition, saw } => {
            let saw: Vec<_> = saw.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let with = if saw.is_empty() { String::new() } else { format!(": {}", saw.join(", ")) };
            format!("`{condition}` does not hold{with}")
        }
        Outcome::Failed { expression, error } => {
            format!("`{expression}` cannot be evaluated: {error}")
        }
        Outcome::Already { run } => {
            format!("it has ordered this revision before: run {}", short(run))
        }
        Outcome::Asks => "the forge is asked what the author is to the project".to_owned(),
        Outcome::Held { wanted, found, run } => format!(
            "the author is `{found}`, and the rule builds for `{wanted}`: run {} waits for approval",
            short(run)
        ),
        Outcome::Untrusted { wanted, found } => {
            format!("the author is `{found}`, and the rule builds for `{wanted}`")
        }
        Outcome::OptedOut { word } => format!("its author wants no builds: {word}"),
        Outcome::Lacks { what } => format!("it needs {what}, and there is none"),
    };
    safe(&text)
}

/// The mark before a rule, and what it says.
pub(super) fn mark(outcome: &Outcome) -> (&'static str, Tint) {
    match outcome {
        Outcome::Fired { .. } => ("✓", Tint::Good),
        Outcome::Shadow { .. } | Outcome::Asks | Outcome::Held { .. } => ("◌", Tint::Busy),
        Outcome::Failed { .. } => ("!", Tint::Bad),
        Outcome::OptedOut { .. } | Outcome::Lacks { .. } | Outcome::Untrusted { .. } => {
            ("✗", Tint::Bad)
        }
        Outcome::Elsewhere { .. } | Outcome::Not { .. } | Outcome::Already { .. } => {
            ("·", Tint::Dim)
        }
    }
}

/// The values in an object, each under its dotted name; what is absent is left out.
pub(super) fn flat(value: &Value) -> Vec<(String, String)> {
    fn add(prefix: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if prefix.is_empty() { "" } else { "." };
                    add(&format!("{prefix}{dot}{name}"), value, found);
                }
            }
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                found.push((safe(prefix), safe(&value.to_string())));
            }
        }
    }
    let mut found = Vec::new();
    add("", value, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let at = |text: &str| ago(now, text.parse().unwrap());
        assert_eq!(at("2026-11-20T12:00:00Z"), "now");
        assert_eq!(at("2026-11-20T11:59:01Z"), "59 s ago");
        assert_eq!(at("2026-11-20T11:57:00Z"), "3 min ago");
        assert_eq!(at("2026-11-19T12:00:00Z"), "24 h ago");
        assert_eq!(at("2026-11-10T12:00:00Z"), "10 days ago");
        assert_eq!(at("2026-11-20T12:05:00Z"), "in 5 min");
        assert_eq!(ago(Timestamp::MIN, Timestamp::MAX).split(' ').next(), Some("in"));
        assert_eq!(
            moment(now, "2026-11-20T11:57:00.25Z".parse().unwrap()),
            "2026-11-20T11:57:00Z (3 min ago)"
        );
    }

    #[test]
    fn no_text_from_outside_moves_the_cursor() {
        let evil = "a\u{1b}[2Jb\u{202e}c\nd\u{9b}31m";
        assert_eq!(safe(evil), "abc d");
        let json = serde_json::to_string(evil).unwrap();
        let shown = safe_json(&json);
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), evil);
        assert_eq!(safe_json("\"Änderung 🚦\""), "\"Änderung 🚦\"");
        assert_eq!(safe_lines("{\n  \"a\": \u{1b}[31m1\n}"), ["{", "  \"a\": 1", "}"]);
    }

    #[test]
    fn an_object_is_shown_flat() {
        let value = serde_json::json!({"head": {"sha": "ab", "url": null}, "n": 7});
        let expected = [("head.sha", "\"ab\""), ("n", "7")];
        assert_eq!(flat(&value), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
