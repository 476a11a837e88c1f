//! Each forge's habits, as other words for commands.
//!
//! An alias is a pattern for a whole line and the command that it stands for, without its prefix:
//! `"/retest …" = "retest …"`.  `…` (or `...`) at the end stands for any words, also for none;
//! `SHA` stands for one word, or for a part of one: `"[citest commit:SHA]" = "ok SHA"`.  What the
//! pattern has of these, the command has too.  Words are compared without regard to case, except
//! in a pattern that begins with `/`.

use super::Verb;

/// The habits that are understood when nobody says otherwise.
pub(super) const HABITS: [(&str, &str); 23] = [
    // Prow, and Pipelines-as-Code.
    ("/test …", "test …"),
    ("/test all", "test"),
    ("/test ?", "help"),
    ("/retest …", "retest …"),
    ("/retest-required", "retest"),
    ("/cancel …", "cancel …"),
    ("/ok-to-test …", "ok …"),
    // copy-pr-bot.
    ("/ok to test SHA", "ok SHA"),
    // Zuul, and the lists of DPDK.
    ("recheck", "retest"),
    ("recheck-request: …", "retest …"),
    // The pull request builder of Jenkins.
    ("test this please", "test"),
    ("retest this please", "retest"),
    ("ok to test", "ok"),
    ("jenkins test this please", "test"),
    ("jenkins, test this please", "test"),
    ("jenkins retest this please", "retest"),
    ("jenkins, retest this please", "retest"),
    // Pagure.
    ("pretty please pagure-ci rebuild", "retest"),
    // The Linux system roles.
    ("[citest]", "test"),
    ("[citest all]", "test"),
    ("[citest bad]", "retest"),
    ("[citest pending]", "retest"),
    ("[citest commit:SHA]", "ok SHA"),
];

const REST: [&str; 2] = ["…", "..."];
const SHA: &str = "SHA";
/// How long a pattern or what it stands for may be.
const LENGTH_MAX: usize = 100;

/// A pattern, and what it stands for.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    words: Vec<Word>,
    has_rest: bool,
    minds_case: bool,
    command: String,
}

/// A word of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Exactly(String),
    Sha { before: String, after: String },
}

impl Alias {
    /// Reads an alias, or says what is wrong with it.
    pub(super) fn new(pattern: &str, command: &str) -> Result<Self, &'static str> {
        let is_shown =
            |text: &str| text.chars().all(|c| c == ' ' || c == '…' || c.is_ascii_graphic());
        if pattern.len().max(command.len()) > LENGTH_MAX {
            return Err("is longer than 100 bytes");
        }
        if !is_shown(pattern) || !is_shown(command) {
            return Err("has characters other than those of ASCII, spaces and `…`");
        }
        let verb = command.split(' ').next().unwrap_or_default();
        if !Verb::ALL.iter().any(|known| known.as_str() == verb) {
            return Err(
                "does not stand for one of `test`, `retest`, `cancel`, `ok`, `why`, `help`",
            );
        }
        let (words, has_rest) = words(pattern);
        let (said, says_rest) = self::words(command);
        let shas = |words: &[Word]| words.iter().filter(|word| word.is_sha()).count();
        if words.is_empty() {
            return Err("has no word that could be looked for");
        }
        if shas(&words) > 1 || shas(&words) != shas(&said) || has_rest != says_rest {
            return Err("has `…` or `SHA` on one side only, or more than once");
        }
        let is_misplaced = |word: &Word| matches!(word, Word::Exactly(word) if REST.iter().any(|rest| word.contains(rest)));
        if words.iter().chain(&said).any(is_misplaced) {
            return Err("has `…` before its end");
        }
        let minds_case = pattern.trim_start().starts_with('/');
        Ok(Self { words, has_rest, minds_case, command: command.to_owned() })
    }

    /// How early it is tried: what says more comes before what says less.
    pub(super) fn order(&self) -> impl Ord + use<> {
        let has_sha = self.words.iter().any(Word::is_sha);
        (self.has_rest, has_sha, std::cmp::Reverse(self.words.len()))
    }

    /// Whether a line with this first word can be meant.
    pub(super) fn may_begin_with(&self, word: &str) -> bool {
        self.words.first().is_some_and(|first| first.find_sha(word, self.minds_case).is_some())
    }

    /// The command that `line` stands for, if it is meant.
    pub(super) fn said(&self, line: &str) -> Option<String> {
        let mut rest = line.trim_matches([' ', '\t']);
        let mut sha = "";
        for word in &self.words {
            let (first, others) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            let found = word.find_sha(first, self.minds_case)?;
            if word.is_sha() {
                sha = found;
            }
            rest = others.trim_start_matches([' ', '\t']);
        }
        if !self.has_rest {
            return rest.is_empty().then(|| self.command.replace(SHA, sha));
        }
        let command = REST.iter().find_map(|mark| self.command.strip_suffix(mark));
        Some(command.unwrap_or(&self.command).replace(SHA, sha) + rest)
    }
}

impl Word {
    fn is_sha(&self) -> bool {
        matches!(self, Self::Sha { .. })
    }

    /// What stands for `SHA` in `word`, if it is this word; nothing where there is none.
    fn find_sha<'w>(&self, word: &'w str, minds_case: bool) -> Option<&'w str> {
        let is_same = |one: &str, other: &str| {
            if minds_case { one == other } else { one.eq_ignore_ascii_case(other) }
        };
        match self {
            Self::Exactly(wanted) => is_same(wanted, word).then_some(""),
            Self::Sha { before, after } => {
                let (start, rest) = word.split_at_checked(before.len())?;
                let (sha, end) = rest.split_at_checked(rest.len().checked_sub(after.len())?)?;
                (is_same(before, start) && is_same(after, end) && !sha.is_empty()).then_some(sha)
            }
        }
    }
}

/// The words of a pattern or a command, and whether any others may follow.
fn words(text: &str) -> (Vec<Word>, bool) {
    let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
    let has_rest = words.last().is_some_and(|last| REST.contains(last));
    if has_rest {
        words.pop();
    }
    let word = |word: &str| match word.split_once(SHA) {
        Some((before, after)) => Word::Sha { before: before.to_owned(), after: after.to_owned() },
        None => Word::Exactly(word.to_owned()),
    };
    (words.into_iter().map(word).collect(), has_rest)
}
