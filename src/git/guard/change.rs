//! What commits change, as git tells it.

use std::collections::BTreeMap;

use anyhow::anyhow;

use super::super::process::Git;
use super::super::scratch::Scratch;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// One file that one commit changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The number of the patch, from 1.
    pub(super) number: u32,
    /// The path.
    pub(super) path: Vec<u8>,
    /// What kind of file it becomes, in octal digits.
    mode: String,
    /// The id of what was in it.
    before: String,
    /// The id of what is in it then.
    after: String,
}

impl Change {
    pub(super) fn is_symlink(&self) -> bool {
        self.mode == "120000"
    }

    pub(super) fn is_submodule(&self) -> bool {
        self.mode == "160000"
    }
}

/// What these commits change, each compared with the one before it.
pub(super) async fn of(
    git: &Git,
    scratch: &Scratch,
    commits: &[CommitSha],
) -> Result<Vec<Change>, Failure> {
    let list: Vec<&str> = commits.iter().map(CommitSha::as_str).collect();
    let call = scratch.call(&["diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames"]);
    let output = git.succeed(call.arg("--no-abbrev").stdin(list.join("\n") + "\n")).await?;
    let changes = read(&output.stdout, commits);
    changes.ok_or_else(|| Failure::retry(anyhow!("cannot read what `git diff-tree` says")))
}

fn read(said: &[u8], commits: &[CommitSha]) -> Option<Vec<Change>> {
    let numbers: BTreeMap<&str, u32> = commits.iter().map(CommitSha::as_str).zip(1..).collect();
    let mut changes = Vec::new();
    let mut number = 0;
    let mut words = said.split(|&byte| byte == 0).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let word = std::str::from_utf8(word).ok()?.trim();
        let Some(facts) = word.strip_prefix(':') else {
            number = *numbers.get(word)?;
            continue;
        };
        let mut facts = facts.split(' ');
        let (_, mode) = (facts.next()?, facts.next()?.to_owned());
        let (before, after) = (facts.next()?.to_owned(), facts.next()?.to_owned());
        changes.push(Change { number, path: words.next()?.to_vec(), mode, before, after });
    }
    Some(changes)
}

/// By how many bytes the files grow that do.
pub(super) async fn growth(
    git: &Git,
    scratch: &Scratch,
    changes: &[Change],
) -> Result<u64, Failure> {
    let files = changes.iter().filter(|change| !change.is_submodule());
    let list: Vec<&str> =
        files.flat_map(|change| [change.before.as_str(), &change.after]).collect();
    let call = scratch.call(&["cat-file", "--batch-check=%(objectsize)"]);
    let output = git.succeed(call.stdin(list.join("\n") + "\n")).await?;
    // What is not there, because the file is new or gone, has no size.
    let sizes: Vec<u64> =
        output.text().lines().map(|line| line.parse().unwrap_or_default()).collect();
    let grown = sizes.chunks(2).map(|sizes| match sizes {
        [before, after] => after.saturating_sub(*before),
        _ => 0,
    });
    Ok(grown.fold(0, u64::saturating_add))
}
