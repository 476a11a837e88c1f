//! The files of a base that a series touches, and nothing else: an index of a hundred thousand
//! files is read and written in a hundred times the time of one of ten.
//!
//! Which files those are is read off the diffs, and git may see others.  So whatever git does
//! outside of them, or misses there, counts for nothing: the series is then tried with all files.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::diff::Contents;
use super::history::Entry;
use super::mail::Patch;
use super::process::Git;
use super::scratch::Scratch;
use super::stop::shown;
use crate::event::series::Refusal;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// How many paths, those of folders included, are looked for; they are arguments of one call.
const PATHS_MAX: usize = 1000;
/// How many bytes they have together.
const BYTES_MAX: usize = 64 * 1024;

/// The files that a series touches.
pub(super) struct Slice {
    paths: BTreeSet<Vec<u8>>,
    /// Those that are there, and what is in the way of others, such as a file where a folder is
    /// to be.
    files: BTreeMap<Vec<u8>, Entry>,
}

impl Slice {
    /// Fills the index with what is in `base` of the files that the patches touch; `None` where
    /// it takes all files.
    pub(super) async fn fill(
        git: &Git,
        scratch: &Scratch,
        base: &CommitSha,
        patches: &[Patch],
    ) -> Result<Option<Self>, Failure> {
        let paths: BTreeSet<Vec<u8>> =
            patches.iter().flat_map(|patch| Contents::of(&patch.diff).paths).collect();
        let Some(wanted) = with_folders(&paths) else { return Ok(None) };
        let list = ["ls-tree", "-z", "-t", "--full-tree", "--end-of-options", base.as_str(), "--"];
        let call = scratch.call(&list).env("GIT_LITERAL_PATHSPECS", "1");
        let call = wanted.iter().fold(call, |call, path| call.arg(os(path)));
        let listed = git.succeed(call).await?.stdout;
        let mut slice = Self { paths, files: BTreeMap::new() };
        for line in listed.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
            let Some((path, Entry { mode, id })) = tree_entry(line) else { return Ok(None) };
            let is_folder = mode == "040000";
            if is_folder && slice.paths.contains(&path) {
                // A file is to be where a folder is, and git has to see what is in there.
                return Ok(None);
            }
            if !is_folder {
                slice.files.insert(path, Entry { mode, id });
            }
        }
        let fill = scratch.call(&["update-index", "-z", "--index-info"]).stdin(slice.info());
        Ok(git.run(fill).await?.is_done().then_some(slice))
    }

    fn info(&self) -> Vec<u8> {
        let mut info = Vec::new();
        for (path, Entry { mode, id }) in &self.files {
            info.extend(format!("{mode} {id}\t").into_bytes());
            info.extend(path);
            info.push(0);
        }
        info
    }

    /// Whether a patch was refused for a file of which we know what is in the base.
    pub(super) fn knows(&self, refusal: &Refusal) -> bool {
        refusal.file.as_ref().is_some_and(|file| self.paths.iter().any(|path| shown(path) == *file))
    }

    /// What has become of the files since the last time; `None` where git has touched others.
    pub(super) async fn changes(
        &mut self,
        git: &Git,
        scratch: &Scratch,
    ) -> Result<Option<BTreeMap<Vec<u8>, Option<Entry>>>, Failure> {
        let listed = git.succeed(scratch.call(&["ls-files", "-s", "-z"])).await?.stdout;
        let lines = listed.split(|&byte| byte == 0).filter(|line| !line.is_empty());
        let Some(now) = lines.map(index_entry).collect::<Option<BTreeMap<_, _>>>() else {
            return Ok(None);
        };
        let gone = self.files.keys().filter(|path| !now.contains_key(*path));
        let mut changes: BTreeMap<_, _> = gone.map(|path| (path.clone(), None)).collect();
        for (path, entry) in &now {
            if self.files.get(path) != Some(entry) {
                changes.insert(path.clone(), Some(entry.clone()));
            }
        }
        self.files = now;
        Ok(changes.keys().all(|path| self.paths.contains(path)).then_some(changes))
    }
}

/// The paths, and all folders that they are in; `None` where there are too many.
fn with_folders(paths: &BTreeSet<Vec<u8>>) -> Option<BTreeSet<Vec<u8>>> {
    let mut wanted = BTreeSet::new();
    for path in paths {
        // What an argument cannot hold is no path either.
        if path.contains(&0) {
            return None;
        }
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            wanted.insert(path.get(..end)?.to_vec());
        }
        if wanted.len() > PATHS_MAX {
            return None;
        }
    }
    let bytes: usize = wanted.iter().map(Vec::len).sum();
    (!wanted.is_empty() && bytes <= BYTES_MAX).then_some(wanted)
}

fn os(path: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(path)
}

/// A line of `ls-tree`: mode, type, id, and a path behind a tab.
fn tree_entry(line: &[u8]) -> Option<(Vec<u8>, Entry)> {
    let (facts, path) = halves(line)?;
    let mut facts = facts.split(' ');
    let (mode, _, id) = (facts.next()?, facts.next()?, facts.next()?);
    Some((path, Entry { mode: mode.to_owned(), id: id.to_owned() }))
}

/// A line of `ls-files -s`: mode, id, stage, and a path behind a tab.  Only stage 0 is a file.
fn index_entry(line: &[u8]) -> Option<(Vec<u8>, Entry)> {
    let (facts, path) = halves(line)?;
    let mut facts = facts.split(' ');
    let (mode, id, stage) = (facts.next()?, facts.next()?, facts.next()?);
    (stage == "0").then(|| (path, Entry { mode: mode.to_owned(), id: id.to_owned() }))
}

fn halves(line: &[u8]) -> Option<(&str, Vec<u8>)> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    Some((std::str::from_utf8(line.get(..tab)?).ok()?, line.get(tab + 1..)?.to_vec()))
}
