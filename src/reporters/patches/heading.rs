//! The subject of a patch: the words in brackets before it, and the title.

/// What a subject says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// The words in brackets, without version, count and `PATCH`, at most [`Heading::TAGS_MAX`].
    pub tags: Vec<String>,
    /// The version, from 1.
    pub version: u32,
    /// Which patch it is, and of how many; 0 is the cover letter.
    pub number: Option<(u32, u32)>,
    /// What is left.
    pub title: String,
}

impl Heading {
    /// How many words are kept.
    pub const TAGS_MAX: usize = 16;
    const WORD_MAX_CHARS: usize = 64;

    /// Reads a subject; nothing is wrong with any.
    pub fn of(subject: &str) -> Self {
        let mut heading = Self { tags: Vec::new(), version: 1, number: None, title: String::new() };
        let mut rest = subject.trim_start();
        while let Some((words, after)) =
            rest.strip_prefix('[').and_then(|inner| inner.split_once(']'))
        {
            for word in words.split(|c: char| c == ',' || c.is_whitespace()) {
                heading.take(word);
            }
            rest = after.trim_start();
        }
        heading.title = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        heading
    }

    fn take(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        if let Some(number) = count(word) {
            self.number.get_or_insert(number);
            return;
        }
        // `PATCHv2` is seen, too.
        let (kind, version) = versioned(word);
        if let Some(version) = version {
            self.version = version;
        }
        if !kind.is_empty()
            && !kind.eq_ignore_ascii_case("patch")
            && self.tags.len() < Self::TAGS_MAX
        {
            self.tags.push(kind.chars().take(Self::WORD_MAX_CHARS).collect());
        }
    }
}

/// The numbers of `2/7`.
fn count(word: &str) -> Option<(u32, u32)> {
    let (number, of) = word.split_once('/')?;
    Some((digits(number)?, digits(of)?))
}

/// What stands before the version, and the version: of `v2`, `PATCHv2` and `RFCv2`.
fn versioned(word: &str) -> (&str, Option<u32>) {
    let Some(at) = word.rfind(['v', 'V']) else { return (word, None) };
    let (kind, rest) = word.split_at_checked(at).unwrap_or((word, ""));
    let is_kind = ["", "patch", "rfc"].iter().any(|known| kind.eq_ignore_ascii_case(known));
    match rest.get(1..).and_then(digits) {
        Some(version) if is_kind && version > 0 => (kind, Some(version)),
        Some(_) | None => (word, None),
    }
}

fn digits(text: &str) -> Option<u32> {
    // `+1` would be parsed, too.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(subject: &str) -> String {
        let Heading { tags, version, number, title } = Heading::of(subject);
        format!("{tags:?} v{version} {number:?} {title}")
    }

    #[test]
    fn the_words_in_brackets_are_told_apart() {
        let subjects = [
            "[Qemu-devel] [PATCH v4 0/2] Report  format",
            "[RFC,PATCHv2 net-next 11/12] a: [not] b",
            "[PATCH] x",
            "[v3,2/3] recheck: Add a parser",
            "[RFCv3] x",
            "no brackets",
            "[unclosed",
            "[PATCH v0 1/+2 v99999999999] x",
            "",
        ];
        let seen: Vec<_> = subjects.into_iter().map(seen).collect();
        insta::assert_snapshot!(seen.join("\n"), @r#"
        ["Qemu-devel"] v4 Some((0, 2)) Report format
        ["RFC", "net-next"] v2 Some((11, 12)) a: [not] b
        [] v1 None x
        [] v3 Some((2, 3)) recheck: Add a parser
        ["RFC"] v3 None x
        [] v1 None no brackets
        [] v1 None [unclosed
        ["v0", "1/+2", "v99999999999"] v1 None x
        [] v1 None 
        "#);
    }

    #[test]
    fn a_thousand_words_are_not_kept() {
        let subject = format!("[{}] x", "word ".repeat(1_000));
        assert_eq!(Heading::of(&subject).tags.len(), Heading::TAGS_MAX);
    }
}
