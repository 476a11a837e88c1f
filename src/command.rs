//! What people ask of us in comments: one grammar, and each forge's habits as aliases of it.
//!
//! A comment is read as Markdown: what is quoted, code or hidden is no command.

use serde::{Deserialize, Serialize};

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
    #[serde(default)]
    pub names: Vec<String>,
    /// The commit that is named, as written; at least [`Command::SHA_MIN`] digits.
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
}

/// How commands are spelled.
#[derive(Clone, Debug)]
pub struct Grammar {
    prefix: String,
}

impl Default for Grammar {
    fn default() -> Self {
        Self { prefix: "/ci".to_owned() }
    }
}

impl Grammar {
    /// What stands before every command.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many commands somebody may give about one subject within an hour.
    pub fn per_hour(&self) -> u32 {
        30
    }

    /// The commands in a comment, in their order.
    pub fn parse(&self, text: &str) -> Vec<Command> {
        text.lines()
            .filter_map(|line| {
                let mut words = line.strip_prefix(self.prefix.as_str())?.split_whitespace();
                let word = words.next().unwrap_or("help");
                let verb = Verb::ALL.into_iter().find(|verb| verb.as_str() == word);
                let verb = verb.unwrap_or(Verb::Unknown);
                let mut names: Vec<String> = words.map(str::to_owned).collect();
                let is_sha = |name: &mut String| name.bytes().all(|byte| byte.is_ascii_hexdigit());
                let sha = if verb == Verb::Ok { names.pop_if(is_sha) } else { None };
                Some(Command { verb, names, sha, text: line.to_owned() })
            })
            .take(Command::PER_COMMENT_MAX)
            .collect()
    }

    /// The commands that an edit of a comment adds.
    pub fn added(&self, before: &str, after: &str) -> Vec<Command> {
        let mut old = self.parse(before);
        let mut new = self.parse(after);
        new.retain(|command| match old.iter().position(|known| known == command) {
            Some(place) => {
                old.remove(place);
                false
            }
            None => true,
        });
        new
    }
}
