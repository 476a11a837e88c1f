//! Binding keys as AMQP's topic exchanges understand them: `*` is one word, `#` any number.

/// A binding key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    source: String,
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// This very word.
    This(String),
    /// One word, whichever.
    One,
    /// Any number of words, also none.
    Any,
}

impl Pattern {
    /// The longest routing key of AMQP 0-9-1, in bytes.
    pub(super) const MAX_BYTES: usize = 255;

    /// Parses a binding key; `Err` says what is wrong with it.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        if source.is_empty() {
            return Err("a binding key is not empty".to_owned());
        }
        if source.len() > Self::MAX_BYTES {
            return Err(format!(
                "a binding key has at most {} bytes, not {}",
                Self::MAX_BYTES,
                source.len()
            ));
        }
        let words = source.split('.').map(Word::parse).collect::<Result<_, _>>()?;
        Ok(Self { source: source.to_owned(), words })
    }

    /// The key as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether a message with this routing key is meant.
    pub(super) fn matches(&self, topic: &str) -> bool {
        let topic = words_of(topic);
        table(&self.words, &topic, |word, topic| match word {
            Word::This(word) => word == topic,
            Word::One => true,
            Word::Any => false,
        })
    }

    /// Whether every message that `other` means is meant by this one too.
    ///
    /// It may say no where the answer is yes (`#.*` and `*.#` are the same), never the reverse.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let others: Vec<&Word> = other.words.iter().collect();
        table(&self.words, &others, |word, other| match (word, other) {
            (Word::This(word), Word::This(other)) => word == other,
            (Word::One, Word::This(_) | Word::One) => true,
            (Word::This(_), Word::One | Word::Any) | (Word::One, Word::Any) | (Word::Any, _) => {
                false
            }
        })
    }
}

impl Word {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "*" => Ok(Self::One),
            "#" => Ok(Self::Any),
            "" => Err("a binding key has a word between two dots".to_owned()),
            word if word.contains(['*', '#']) => {
                Err(format!("`{word}`: `*` and `#` stand for whole words, not for parts of one"))
            }
            word => Ok(Self::This(word.to_owned())),
        }
    }
}

fn words_of(topic: &str) -> Vec<&str> {
    if topic.is_empty() {
        return Vec::new();
    }
    topic.split('.').collect()
}

/// Matches `words` against `others` in time proportional to the product of their lengths, however
/// many [`Word::Any`] there are; `is_match` compares one with one.
fn table<T: Copy>(words: &[Word], others: &[T], is_match: impl Fn(&Word, T) -> bool) -> bool {
    // `row[n]`: the words seen so far match the first `n` of the others.
    let mut row = vec![false; others.len() + 1];
    if let Some(start) = row.first_mut() {
        *start = true;
    }
    for word in words {
        let is_any = *word == Word::Any;
        let mut next = Vec::with_capacity(row.len());
        let mut before = false;
        let mut here = false;
        for (index, &above) in row.iter().enumerate() {
            here = if is_any {
                above || here
            } else {
                let other = index.checked_sub(1).and_then(|last| others.get(last));
                before && other.is_some_and(|other| is_match(word, *other))
            };
            before = above;
            next.push(here);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    fn pattern(source: &str) -> Pattern {
        Pattern::parse(source).unwrap()
    }

    #[test]
    fn a_star_is_one_word_and_a_hash_any_number() {
        for (source, topic, is_match) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("#", "", true),
            ("*", "", false),
            ("#.b", "b", true),
            ("#.b", "a.x.b", true),
            ("#.b", "ab", false),
            ("a.#", "a", true),
            ("a.#.b", "a.b", true),
            ("a.#.b", "a.x.y.b", true),
            ("a.#.b", "a.x.y", false),
            ("#.jenkins.build.*", "org.example.prod.jenkins.build.passed", true),
            ("#.jenkins.build", "org.example.prod.jenkins.buildx", false),
        ] {
            assert_eq!(pattern(source).matches(topic), is_match, "{source} {topic}");
        }
    }

    #[test]
    fn a_broader_pattern_covers() {
        for (broad, narrow, is_covered) in [
            ("#", "a.b", true),
            ("#.b", "#.a.b", true),
            ("#.b.*", "#.b.c", true),
            ("#.b.c", "#.b.*", false),
            ("a.*", "a.#", false),
            ("a.#", "a.*", true),
            ("a.b", "a.b", true),
            ("*.#", "#", false),
        ] {
            let covers = pattern(broad).covers(&pattern(narrow));
            assert_eq!(covers, is_covered, "{broad} {narrow}");
        }
    }

    #[test]
    fn a_part_of_a_word_is_no_wildcard() {
        for source in ["", "a..b", "a.b*", "#a", "."] {
            assert!(Pattern::parse(source).is_err(), "{source}");
        }
        assert!(Pattern::parse(&"a".repeat(256)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_covered_is_matched(
            broad in "[ab*#](\\.[ab*#]){0,4}",
            narrow in "[ab*#](\\.[ab*#]){0,4}",
            topic in "[ab](\\.[ab]){0,6}",
        ) {
            let (broad, narrow) = (pattern(&broad), pattern(&narrow));
            if broad.covers(&narrow) && narrow.matches(&topic) {
                prop_assert!(broad.matches(&topic));
            }
        }

        #[test]
        fn a_thousand_hashes_end(words in 1..60_usize) {
            let source = vec!["#"; words].join(".") + ".x";
            prop_assert!(!pattern(&source).matches(&vec!["a"; 100].join(".")));
        }
    }
}
