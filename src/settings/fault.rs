//! What is wrong with the settings, in words for the one who wrote them.
//!
//! A value is shown only where its own type refused it, and only if it cannot contain a password:
//! the types of secrets never show theirs.

use std::fmt;

use figment::error::{Actual, Kind};

/// One fault, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFault {
    /// The file, or the environment variable.
    pub file: String,
    /// The line in the file, from 1.
    pub line: Option<usize>,
    /// The whole key, such as `jenkins.main.url`; absent when the file as a whole is at fault.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": `{key}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for SettingsFault {}

/// How much of a value is shown.
const SHOWN_CHARS_MAX: usize = 60;

/// What `kind` says, about a key whose value is `value`.
pub(super) fn explain(kind: &Kind, value: Option<&str>) -> String {
    match kind {
        Kind::UnknownField(name, known) => unknown(name, known),
        Kind::UnknownVariant(name, known) => {
            format!("{} is {}", show(name), among(name, known))
        }
        Kind::InvalidType(found, wanted) => {
            format!("expected {}, found {}", plain(wanted), sort(found))
        }
        Kind::InvalidValue(found, wanted) => format!("{} is not {}", scalar(found), plain(wanted)),
        Kind::Message(text) => value.map_or_else(|| text.clone(), |value| refusal(text, value)),
        Kind::MissingField(_) => "is missing".to_owned(),
        Kind::InvalidLength(..)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..) => "has a value that does not fit".to_owned(),
    }
}

/// A value that has the right type and still does not fit.
fn scalar(found: &Actual) -> String {
    if let Actual::Str(text) = found {
        show(text)
    } else if let Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) = found {
        // figment puts the sort before the number: "signed int `-1`".
        let text = found.to_string();
        let number = text.find('`').and_then(|start| text.get(start..));
        number.unwrap_or("the number").to_owned()
    } else {
        sort(found).to_owned()
    }
}

/// What a type of ours or of a library said about `value`.
fn refusal(text: &str, value: &str) -> String {
    let quoted = format!("{value:?}");
    // `url` puts the whole address behind its reason.
    if let Some(reason) = text.strip_suffix(&format!(": {quoted}")) {
        return format!("{} is no whole address: {reason}", show(value));
    }
    if may_hide_password(value) {
        return text.replace(&quoted, "…").replace(value, "…");
    }
    text.to_owned()
}

/// What is said about a name that nobody knows.
pub(super) fn unknown<T: AsRef<str>>(name: &str, known: &[T]) -> String {
    format!("is not known: it is {}", among(name, known))
}

/// `none of …`, with the nearest where one is near.
fn among<T: AsRef<str>>(name: &str, known: &[T]) -> String {
    let names: Vec<String> = known.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    let names = names.join(", ");
    match nearest(name, known) {
        Some(near) => format!("none of {names}; did you mean `{near}`?"),
        None => format!("none of {names}"),
    }
}

/// The one of `known` that looks like `name`, if one does.
pub(super) fn nearest<'k, T: AsRef<str>>(name: &str, known: &'k [T]) -> Option<&'k str> {
    /// Half the letters may differ; with more, a proposal is a guess.
    const LIKENESS_MIN: f64 = 0.5;
    let name = name.to_lowercase();
    known
        .iter()
        .map(AsRef::as_ref)
        .map(|known| (strsim::normalized_damerau_levenshtein(&name, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| known)
}

/// A value as it is shown: quoted, bounded, and not at all where it may hide a password.
pub(super) fn show(value: &str) -> String {
    if may_hide_password(value) {
        return "the value".to_owned();
    }
    let mut shown: String = value.escape_debug().take(SHOWN_CHARS_MAX).collect();
    if value.chars().count() > SHOWN_CHARS_MAX {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Whether `value` may be an address with a password in it.
fn may_hide_password(value: &str) -> bool {
    value.contains('@')
}

/// What is expected, without the words of Rust.
fn plain(wanted: &str) -> &str {
    match wanted {
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number of at least 0",
        "a boolean" => "`true` or `false`",
        "path string" => "a path",
        "a sequence" => "a list",
        "a map" => "a table",
        "a string representing an URL" => "an address, such as `https://ci.example/`",
        _ if wanted.starts_with("struct ") => "a table",
        _ if wanted.contains("enum ") => "a word",
        _ => wanted,
    }
}

/// What was found; never the value itself, which may be a secret at the wrong place.
fn sort(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number with a point",
        Actual::Char(_) | Actual::Str(_) => "a string",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        Actual::Bytes(_)
        | Actual::Unit
        | Actual::Option
        | Actual::NewtypeStruct
        | Actual::Enum
        | Actual::UnitVariant
        | Actual::NewtypeVariant
        | Actual::TupleVariant
        | Actual::StructVariant
        | Actual::Other(_) => "something else",
    }
}
