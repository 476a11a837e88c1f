//! Writing the commits of a series, all of them at once.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, anyhow};

use super::apply::{Committer, sha};
use super::date::Date;
use super::mail::{Patch, identity};
use super::process::Git;
use super::scratch::Scratch;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// A file as a tree has it: its mode in octal digits, and the id of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: String,
    pub(super) id: String,
}

/// What a commit makes of the one before it.
pub(super) enum Content {
    /// This tree.
    Tree(String),
    /// These files, or none where they were.
    Files(BTreeMap<Vec<u8>, Option<Entry>>),
}

/// The commits of a series, as `git fast-import` reads them.
pub(super) struct History {
    base: CommitSha,
    /// Who commits: a line without its date.
    committer: String,
    /// The date of a patch that has none.
    date: Date,
    script: Vec<u8>,
    count: usize,
}

impl History {
    /// A history upon `base`; a patch that says no date has `date`.
    pub(super) fn begin(base: &CommitSha, committer: &Committer, date: Date) -> Self {
        let usual = Committer::default();
        let name = identity(&committer.name).unwrap_or(usual.name);
        let email = identity(&committer.email).unwrap_or(usual.email);
        let committer = format!("committer {name} <{email}>");
        Self { base: base.clone(), committer, date, script: Vec::new(), count: 0 }
    }

    /// One more commit.
    pub(super) fn add(&mut self, patch: &Patch, content: &Content) {
        self.count += 1;
        let Patch { name, email, message, .. } = patch;
        let (number, committer) = (self.count, &self.committer);
        let date = patch.date.unwrap_or(self.date).raw();
        let from = match number {
            1 => self.base.to_string(),
            _ => format!(":{}", number - 1),
        };
        let head = format!(
            "commit refs/heads/series\nmark :{number}\nauthor {name} <{email}> {date}\n\
             {committer} {date}\ndata {}\n{message}\nfrom {from}\n",
            message.len()
        );
        self.script.extend_from_slice(head.as_bytes());
        match content {
            Content::Tree(tree) => {
                self.script.extend_from_slice(format!("M 040000 {tree} \"\"\n").as_bytes());
            }
            Content::Files(files) => self.files(files),
        }
    }

    /// What is gone goes first: a file may take the place of a folder.
    fn files(&mut self, files: &BTreeMap<Vec<u8>, Option<Entry>>) {
        for (path, _) in files.iter().filter(|(_, entry)| entry.is_none()) {
            self.script.extend_from_slice(b"D ");
            self.script.extend(quoted(path));
        }
        for (path, entry) in files {
            let Some(Entry { mode, id }) = entry else { continue };
            self.script.extend_from_slice(format!("M {mode} {id} ").as_bytes());
            self.script.extend(quoted(path));
        }
    }

    /// Writes the commits, and returns their ids in order.
    ///
    /// Branches are another repository's, which is thrown away with the folder.
    pub(super) async fn write(
        self,
        git: &Git,
        scratch: &Scratch,
    ) -> Result<Vec<CommitSha>, Failure> {
        let place = scratch.file("history.git");
        make(&place, &git.repository()).map_err(Failure::retry)?;
        let marks = scratch.file("marks");
        let mut option = std::ffi::OsString::from("--export-marks=");
        option.push(&marks);
        let call = scratch.call(&["fast-import", "--quiet", "--date-format=raw"]);
        let call = call
            .arg(option)
            .env("GIT_DIR", &place)
            // One file for each object, as there are in our repository, and no pack for each series.
            .setting("fastimport.unpackLimit", "1000000")
            .stdin(self.script);
        git.succeed(call).await?;
        let said = std::fs::read_to_string(&marks).context("cannot read which commits there are");
        let said = said.map_err(Failure::retry)?;
        let ids: BTreeMap<usize, &str> = said
            .lines()
            .filter_map(|line| line.strip_prefix(':')?.split_once(' '))
            .filter_map(|(mark, id)| Some((mark.parse().ok()?, id)))
            .collect();
        if ids.len() != self.count {
            return Err(Failure::retry(anyhow!("git has not made a commit of each patch")));
        }
        ids.into_values().map(|id| sha(id.to_owned())).collect()
    }
}

/// The least that is a repository; it uses the objects that a call of the series uses.
fn make(place: &Path, like: &Path) -> anyhow::Result<()> {
    for folder in ["objects", "refs"] {
        std::fs::create_dir_all(place.join(folder)).context("cannot make a folder")?;
    }
    std::fs::write(place.join("HEAD"), "ref: refs/heads/none\n").context("cannot write a file")?;
    let config = like.join("config");
    std::fs::copy(&config, place.join("config"))
        .with_context(|| format!("cannot copy `{}`", config.display()))?;
    Ok(())
}

/// A path, and the end of its line.
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &byte in path {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            0..b' ' => quoted.extend(format!("\\{byte:03o}").into_bytes()),
            _ => quoted.push(byte),
        }
    }
    quoted.extend(b"\"\n");
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_line() {
        assert_eq!(quoted(b"a/b c"), b"\"a/b c\"\n");
        assert_eq!(quoted(b"\"\\\n\xff"), b"\"\\\"\\\\\\012\xff\"\n");
    }
}
