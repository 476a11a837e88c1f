//! YAML as it is written: what stands where, and not what it means.
//!
//! A plain word stays a plain word.  Whether `yes` is a truth value, `1e3` a number or `1:30` a
//! time depends on who reads it, for versions 1.1 and 1.2 of YAML differ: so it is handed on as it
//! was written, and its reader says.  Everything that readers could see differently by its form is
//! gone once it is written again: comments, anchors, merged keys, line ends of other scripts.

use std::fmt;

mod read;
#[cfg(test)]
mod tests;
mod write;

/// The longest text that is read, in bytes.
pub const TEXT_MAX_BYTES: usize = 512 * 1024;
/// How many values there may be once aliases stand for what they name.
pub const NODES_MAX: usize = 20_000;
/// How many bytes all words may have once aliases stand for what they name.
pub const WORDS_MAX_BYTES: usize = 1024 * 1024;
/// How deep lists and mappings may lie in each other.
pub const DEPTH_MAX: usize = 50;
/// The longest key, in bytes: readers want the colon within 1024 characters.
pub const KEY_MAX_BYTES: usize = 200;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A word, a number, a text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Self>),
    /// A mapping, in the order in which it was written; no key stands there twice.
    Map(Vec<(Scalar, Self)>),
}

/// A word, a number, a text: whatever has no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, without quotes and escapes.
    pub text: String,
    /// Whether it stood there without quotes, so that it may mean something else than a text.
    pub is_plain: bool,
    /// What it is said to be, where that is said: `str` for `!!str`.
    pub tag: Option<String>,
}

/// Why a text is no YAML, or none that is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it; never words of the text itself, but for keys.
    pub what: String,
}

impl Scalar {
    /// A text that is nothing but a text, whatever it looks like.
    pub fn quoted(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_plain: false, tag: None }
    }

    /// Whether it means that there is nothing.
    pub fn is_null(&self) -> bool {
        const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];
        self.is_plain && self.tag.is_none() && NULLS.contains(&self.text.as_str())
    }
}

impl Node {
    /// Reads one document.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        read::parse(text)
    }

    /// Whether lists and mappings are the same in both, whatever the words are.
    pub fn has_shape_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(_), Self::Scalar(_)) => true,
            (Self::List(own), Self::List(others)) => {
                let mut pairs = own.iter().zip(others);
                own.len() == others.len() && pairs.all(|(own, other)| own.has_shape_of(other))
            }
            (Self::Map(own), Self::Map(others)) => {
                let mut pairs = own.iter().zip(others);
                own.len() == others.len()
                    && pairs.all(|((_, own), (_, other))| own.has_shape_of(other))
            }
            (Self::Scalar(_) | Self::List(_) | Self::Map(_), _) => false,
        }
    }

    /// A text that is nothing but a text, whatever it looks like.
    pub fn quoted(text: impl Into<String>) -> Self {
        Self::Scalar(Scalar::quoted(text))
    }

    /// A mapping of texts.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, node)| (Scalar::quoted(key), node)).collect())
    }

    /// Whether it means that there is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(scalar) if scalar.is_null())
    }

    /// The text of a scalar; none where it means that there is nothing.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
            Self::Scalar(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The entries of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Scalar(_) | Self::Map(_) => &[],
        }
    }

    /// What a mapping has under `key`; nothing in anything else.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(own, _)| own.text == key).map(|(_, node)| node)
    }

    /// Puts `node` under `key` of a mapping, in the place of what was there, and returns that.
    /// What is no mapping is left as it is.
    pub fn set(&mut self, key: &str, node: Self) -> Option<Self> {
        let Self::Map(entries) = self else { return None };
        if let Some((_, own)) = entries.iter_mut().find(|(own, _)| own.text == key) {
            return Some(std::mem::replace(own, node));
        }
        entries.push((Scalar::quoted(key), node));
        None
    }

    /// Takes what a mapping has under `key` out of it.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        let Self::Map(entries) = self else { return None };
        let place = entries.iter().position(|(own, _)| own.text == key)?;
        Some(entries.remove(place).1)
    }
}

impl fmt::Display for Node {
    /// Writes it so that readers of YAML 1.1 and 1.2 see the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write::written(self))
    }
}
