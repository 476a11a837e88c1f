//! What people ask of us in comments: one grammar, and each forge's habits as aliases of it.
//!
//! A comment is read as Markdown: what is quoted, code or hidden is no command.  A command is a
//! line whose first word is the prefix, to the letter; its verb may be written in any case.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::alias::{Alias, HABITS};

mod alias;
mod html;
mod prose;
mod words;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Build what is named, or everything, whatever its last verdict.
    Test,
    /// Build what failed or is missing at this head, or what is named.
    Retest,
    /// Stop what is named, or everything.
    Cancel,
    /// Let this commit be built.
    Ok,
    /// Tell why something was built or not.
    Why,
    /// Tell what can be said.
    Help,
    /// A word after our prefix that is none of the others.
    Unknown,
}

impl Verb {
    /// Those that exist, in the order of the help.
    pub const ALL: [Self; 6] =
        [Self::Test, Self::Retest, Self::Cancel, Self::Ok, Self::Why, Self::Help];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Retest => "retest",
            Self::Cancel => "cancel",
            Self::Ok => "ok",
            Self::Why => "why",
            Self::Help => "help",
            Self::Unknown => "unknown",
        }
    }
}

/// One command of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What is asked for.
    pub verb: Verb,
    /// The rules that are named, as exact names or with wildcards; text from outside.
    ///
    /// They are as many as were written, so that a name which cannot be used never turns a
    /// command about one rule into one about all: what was cut off ends in `…`, and what nobody
    /// can see is `U+FFFD`; no rule is called so.  After [`Verb::Ok`] they are whatever is not
    /// one usable commit alone; `cancel` by itself takes an approval back.  Of a
    /// [`Verb::Unknown`] the first is the unknown word.
    #[serde(default)]
    pub names: Vec<String>,
    /// The commit that is named, in lower case; at least [`Command::SHA_MIN`] digits.
    #[serde(default)]
    pub sha: Option<String>,
    /// The command as written, one line, at most [`Command::TEXT_MAX_CHARS`]; text from outside.
    pub text: String,
}

impl Command {
    /// The fewest digits of a commit id that are believed: fewer can be imitated.
    pub const SHA_MIN: usize = 12;
    /// How much of a command is kept.
    pub const TEXT_MAX_CHARS: usize = 200;
    /// How many commands of one comment are heeded.
    pub const PER_COMMENT_MAX: usize = 10;
    /// How many names one command may have; of more, the last one kept is `…`.
    pub const NAMES_MAX: usize = 20;
    /// How long a name may be; of a longer one, what is kept ends in `…`.
    pub const NAME_MAX_CHARS: usize = 100;
    /// How much of a comment is looked at.
    pub const COMMENT_MAX_BYTES: usize = 64 * 1024;

    /// Whether it takes an approval back.
    pub fn is_withdrawal(&self) -> bool {
        let is_cancel = |only: &String| only.eq_ignore_ascii_case("cancel");
        self.verb == Verb::Ok && self.names.len() == 1 && self.names.iter().all(is_cancel)
    }

    /// What it asks for, however it is written.
    fn meaning(&self) -> (Verb, &[String], Option<&str>) {
        (self.verb, &self.names, self.sha.as_deref())
    }
}

/// How commands are spelled and limited: `[commands]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSettings {
    /// The first word of every command.
    pub prefix: String,
    /// Other lines that stand for commands, besides those that come with the program.
    pub aliases: BTreeMap<String, String>,
    /// How many commands of one person are heeded in an hour.
    pub per_hour: u32,
}

impl Default for CommandSettings {
    fn default() -> Self {
        Self { prefix: "/ci".to_owned(), aliases: BTreeMap::new(), per_hour: 30 }
    }
}

/// Why commands cannot be spelled so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrammar {
    /// The prefix would not be found, or in what others write.
    #[error(
        "is no prefix: it has 1 to 32 visible characters of ASCII, and begins with a mark that Markdown leaves alone, such as `/ci` or `@pointsman`"
    )]
    Prefix,
    /// There are too many aliases.
    #[error("are more than {}", Grammar::ALIASES_MAX)]
    TooMany,
    /// An alias that cannot be meant.
    #[error("`{pattern}` {fault}")]
    Alias {
        /// Its pattern.
        pattern: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl InvalidGrammar {
    /// The setting that is wrong.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::TooMany | Self::Alias { .. } => "aliases",
        }
    }
}

/// How commands are spelled.
#[derive(Clone, Debug)]
pub struct Grammar {
    prefix: String,
    aliases: Vec<Alias>,
    per_hour: u32,
}

impl Default for Grammar {
    fn default() -> Self {
        let CommandSettings { prefix, aliases, per_hour } = CommandSettings::default();
        let (aliases, _) = all_aliases(&prefix, &aliases);
        Self { prefix, aliases, per_hour }
    }
}

impl Grammar {
    /// How many aliases there may be.
    pub const ALIASES_MAX: usize = 200;

    /// The grammar that an operator wants; the first fault, if there is one.
    pub fn new(settings: &CommandSettings) -> Result<Self, InvalidGrammar> {
        match Self::faults(settings).into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(Self::lenient(settings)),
        }
    }

    /// All that is wrong with what an operator wants.
    pub fn faults(settings: &CommandSettings) -> Vec<InvalidGrammar> {
        let (_, mut faults) = all_aliases(&settings.prefix, &settings.aliases);
        if !is_prefix(&settings.prefix) {
            faults.push(InvalidGrammar::Prefix);
        }
        if settings.aliases.len() > Self::ALIASES_MAX {
            faults.push(InvalidGrammar::TooMany);
        }
        faults
    }

    fn lenient(settings: &CommandSettings) -> Self {
        let CommandSettings { prefix, aliases, per_hour } = settings;
        let (aliases, _) = all_aliases(prefix, aliases);
        Self { prefix: prefix.clone(), aliases, per_hour: *per_hour }
    }

    /// What stands before every command.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many commands of one person are heeded in an hour.
    pub fn per_hour(&self) -> u32 {
        self.per_hour
    }

    /// The commands in a comment, in their order: at most [`Command::PER_COMMENT_MAX`], from its
    /// first [`Command::COMMENT_MAX_BYTES`].
    pub fn parse(&self, text: &str) -> Vec<Command> {
        self.all(text, Command::PER_COMMENT_MAX)
    }

    /// All commands in a comment, also those that are too many to be heeded.
    pub fn every(&self, text: &str) -> Vec<Command> {
        self.all(text, usize::MAX)
    }

    /// The commands that an edit of a comment adds; one that is only written otherwise is none.
    pub fn added(&self, before: &str, after: &str) -> Vec<Command> {
        let new = self.all(after, usize::MAX);
        // Also of those beyond the limit: a deletion before them makes them no news.
        let old = if new.is_empty() { Vec::new() } else { self.all(before, usize::MAX) };
        let mut added = Self::new_in(&old, &new);
        added.truncate(Command::PER_COMMENT_MAX);
        added
    }

    /// Those of `after` that are not in `before`, each as often as it was added; what counts is
    /// their meaning.
    pub fn new_in(before: &[Command], after: &[Command]) -> Vec<Command> {
        let mut known = HashMap::<_, usize>::new();
        for command in before {
            *known.entry(command.meaning()).or_default() += 1;
        }
        let mut added = Vec::new();
        for command in after {
            match known.get_mut(&command.meaning()) {
                Some(left) if *left > 0 => *left -= 1,
                Some(_) | None => added.push(command.clone()),
            }
        }
        added
    }

    /// The verb that was probably meant by an unknown word.
    pub fn nearest(&self, command: &Command) -> Option<Verb> {
        command.names.first().and_then(|word| words::nearest(word))
    }

    /// The first commands in a comment, up to `limit`.
    fn all(&self, text: &str, limit: usize) -> Vec<Command> {
        let text = words::head(text);
        // Most comments have no line that could be one, and need not be understood.
        if !text.lines().any(|line| self.may_be_meant(line)) {
            return Vec::new();
        }
        prose::lines(&text).iter().filter_map(|line| self.read(line)).take(limit).collect()
    }

    fn may_be_meant(&self, line: &str) -> bool {
        let line = line.trim_start_matches([' ', '\t']);
        if line.starts_with(&self.prefix) {
            return true;
        }
        // A word may have a tag at its end.
        let word = line.split([' ', '\t']).next().unwrap_or_default();
        let before_tag = word.split('<').next().unwrap_or_default();
        let may_begin = |alias: &Alias| {
            alias.may_begin_with(word) || (before_tag != word && alias.may_begin_with(before_tag))
        };
        !word.is_empty() && self.aliases.iter().any(may_begin)
    }

    fn read(&self, line: &str) -> Option<Command> {
        let rest = line.strip_prefix(&self.prefix);
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
            return Some(words::command(rest, line));
        }
        let said = self.aliases.iter().find_map(|alias| alias.said(line))?;
        Some(words::command(&said, line))
    }
}

/// The habits and the operator's aliases, in the order in which they are tried, and what is wrong
/// with those of the operator.
fn all_aliases(prefix: &str, own: &BTreeMap<String, String>) -> (Vec<Alias>, Vec<InvalidGrammar>) {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(&other.replace("...", "…"));
    let is_kept = |pattern: &str| !own.keys().any(|known| same(pattern, known));
    let habits = HABITS.into_iter().filter(|(pattern, _)| is_kept(pattern));
    let mut aliases: Vec<_> =
        habits.filter_map(|(pattern, command)| Alias::new(pattern, command).ok()).collect();
    let mut faults = Vec::new();
    for (pattern, command) in own.iter().take(Grammar::ALIASES_MAX) {
        let is_habit = HABITS.iter().any(|(known, _)| same(known, pattern));
        let read = if pattern.split(' ').next() == Some(prefix) {
            Err("begins with the prefix of commands, which is looked for first")
        } else if !command.is_empty() {
            Alias::new(pattern, command).map(|alias| aliases.push(alias))
        } else if is_habit {
            Ok(())
        } else {
            Err("stands for nothing, which takes away an alias that there is not")
        };
        faults.extend(
            read.err().map(|fault| InvalidGrammar::Alias { pattern: pattern.clone(), fault }),
        );
    }
    aliases.sort_by_key(Alias::order);
    (aliases, faults)
}

/// Whether `prefix` begins no sentence, and is found where it begins a line.
fn is_prefix(prefix: &str) -> bool {
    let is_shown = prefix.bytes().all(|byte| byte.is_ascii_graphic());
    let is_mark = prefix.starts_with(|c: char| c.is_ascii_punctuation());
    // With these alone Markdown begins headings, lists and blocks.
    let is_word = prefix.bytes().any(|byte| !b"#+-*=~>".contains(&byte));
    let is_kept = is_word && !prefix.contains(['`', '<', '\\']);
    is_shown && is_mark && is_kept && prefix.len() <= 32 && {
        let line = format!("{prefix} help");
        prose::lines(&line) == [line]
    }
}

#[cfg(test)]
mod tests;
