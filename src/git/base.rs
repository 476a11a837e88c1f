//! Where a series may belong: the commits that it is tried upon, in order, and why each.
//!
//! What the author says, what was right the last time and what the patches themselves tell comes
//! before what is merely configured.  Nothing but a branch that the operator has named, or one of
//! our own that the series says it depends on, is ever a base: an announced commit has to be on
//! such a branch, too.

use std::collections::BTreeMap;

use globset::GlobBuilder;
use jiff::Timestamp;

use super::Work;
use super::call::Call;
use super::repository::Repository;
use super::settings::GitSettings;
use super::touched::Touched;
use super::upstream::Branches;
use crate::event::series::{Series, Tried};
use crate::remote::Failure;
use crate::subject::CommitSha;

/// A commit that a series may be put upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The commit.
    pub(super) sha: CommitSha,
    /// The branch that it is on.
    pub(super) branch: String,
    /// Why it is one.
    pub(super) why: String,
}

/// All of them, in the order in which they are tried, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    pub(super) list: Vec<Candidate>,
    /// Those that are none after all, and why not.
    pub(super) dismissed: Vec<Tried>,
}

impl Candidates {
    /// How many bases are tried at most; each takes seconds.
    const MAX: usize = 24;

    pub(super) fn add(&mut self, sha: &CommitSha, branch: &str, why: impl Into<String>) {
        let is_there = self.list.iter().any(|candidate| candidate.sha == *sha);
        if !is_there && self.list.len() < Self::MAX {
            let (sha, branch) = (sha.clone(), branch.to_owned());
            self.list.push(Candidate { sha, branch, why: why.into() });
        }
    }

    fn dismiss(&mut self, sha: &CommitSha, branch: &str, why_not: &str) {
        let (sha, branch, why_not) = (sha.clone(), branch.to_owned(), why_not.to_owned());
        self.dismissed.push(Tried { branch, sha, why_not });
    }

    fn add_branch(&mut self, branches: &Branches, branch: &str, why: impl Into<String>) {
        if let Some((name, sha)) = branches.iter().find(|(name, _)| name == branch) {
            self.add(sha, name, why);
        }
    }
}

/// The branches for the words that stand in brackets before the title, with the word of each.
fn by_tags<'s>(settings: &'s GitSettings, series: &Series) -> Vec<(&'s str, &'s str)> {
    let mut found = Vec::new();
    for tag in &series.tags {
        for (word, branches) in &settings.tags {
            // As a whole: `net` is no beginning of `net-next`.
            if word.eq_ignore_ascii_case(tag) {
                found.extend(branches.iter().map(|branch| (branch.as_str(), word.as_str())));
            }
        }
    }
    found
}

/// The branches for files like those that are touched; the most files count most.
fn by_paths<'s>(settings: &'s GitSettings, touched: &Touched) -> Vec<&'s str> {
    let mut found: Vec<(usize, &[String])> = Vec::new();
    for (glob, branches) in &settings.paths {
        let Ok(glob) = GlobBuilder::new(glob).literal_separator(true).build() else { continue };
        let matcher = glob.compile_matcher();
        let count = touched.paths().filter(|path| matcher.is_match(path)).count();
        found.push((count, branches));
    }
    found.retain(|(count, _)| *count > 0);
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    found.iter().flat_map(|(_, branches)| branches.iter().map(String::as_str)).collect()
}

impl Repository {
    /// How many files are compared with what is on a branch.
    const BLOBS_MAX: usize = 200;

    /// The commits that a series is tried upon; `asked` is when that was begun.
    pub(super) async fn candidates(
        &self,
        work: &Work<'_>,
        touched: &Touched,
        asked: Timestamp,
    ) -> Result<Candidates, Failure> {
        let mut candidates = Candidates::default();
        if let Some(dependency) = work.dependencies.first() {
            let (name, msgid) = (&dependency.branch.name, &dependency.msgid);
            if self.has_dependency(dependency).await? {
                candidates.add(dependency.tip(), name, format!("it depends on <{msgid}>"));
            } else {
                candidates.dismiss(dependency.tip(), name, "its branch is gone");
            }
        }
        let series = &work.order.series.series;
        let announced = match &series.hints.base {
            Some(sha) => Some((sha, self.announced(sha, asked).await?)),
            None => None,
        };
        // After that: asking for what was announced may have fetched once more.
        let branches = self.branches().await?;
        if let Some(last) = &work.order.last_base {
            candidates.add_branch(&branches, last, "as the last time");
        }
        match announced {
            Some((sha, Ok(branch))) => candidates.add(sha, &branch, "base-commit"),
            Some((sha, Err(why_not))) => candidates.dismiss(sha, "base-commit", &why_not),
            None => {}
        }
        for (branch, word) in by_tags(&self.settings, series) {
            candidates.add_branch(&branches, branch, format!("its tag `{word}`"));
        }
        for branch in by_paths(&self.settings, touched) {
            candidates.add_branch(&branches, branch, "the files that it touches");
        }
        for branch in self.by_blobs(&branches, touched).await? {
            candidates.add_branch(&branches, &branch, "its files are as the author had them");
        }
        for branch in &self.settings.bases {
            candidates.add_branch(&branches, branch, "the first that it applies to");
        }
        Ok(candidates)
    }

    /// The branch that has the announced base-commit, or why it is no base.
    async fn announced(
        &self,
        sha: &CommitSha,
        asked: Timestamp,
    ) -> Result<Result<String, String>, Failure> {
        let mut on = self.branches_with(sha).await?;
        if on.is_empty() {
            // It may be newer than what we have.
            self.refresh(asked, std::time::Duration::ZERO).await?;
            on = self.branches_with(sha).await?;
        }
        let Some(branch) = on.into_iter().next() else {
            return Ok(Err("it is on none of the branches that are configured".to_owned()));
        };
        let log = ["log", "-1", "--no-show-signature", "--format=%ct", sha.as_str(), "--"];
        let text = self.local(Call::new(log)).await?.text();
        let at = text.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
        let age = at.map(|at| self.clock.now().duration_since(at));
        let age_max = self.settings.base_age_max;
        let is_new = age.is_some_and(|age| age.unsigned_abs() <= age_max || age.is_negative());
        if is_new { Ok(Ok(branch)) } else { Ok(Err("it is too old".to_owned())) }
    }

    /// The branches on which some of the touched files are as their author had them, the most
    /// files first.
    async fn by_blobs(
        &self,
        branches: &Branches,
        touched: &Touched,
    ) -> Result<Vec<String>, Failure> {
        let before: Vec<_> = touched.before().take(Self::BLOBS_MAX).collect();
        if before.is_empty() {
            return Ok(Vec::new());
        }
        let lines = branches
            .iter()
            .flat_map(|(_, sha)| before.iter().map(move |(path, _)| format!("{sha}:{path}\n")));
        let check = ["cat-file", "--batch-check=%(objectname)"];
        let call = Call::new(check).stdin(lines.collect::<String>());
        let text = self.local(call).await?.text();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let asked = branches
            .iter()
            .flat_map(|(branch, _)| before.iter().map(move |(_, id)| (branch.as_str(), *id)));
        for ((branch, id), line) in asked.zip(text.lines()) {
            let is_blob = line.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_blob && line.starts_with(id) {
                *counts.entry(branch).or_default() += 1;
            }
        }
        let count = |branch: &str| counts.get(branch).copied().unwrap_or_default();
        let mut found: Vec<&str> = branches.iter().map(|(branch, _)| branch.as_str()).collect();
        found.retain(|branch| count(branch) > 0);
        found.sort_by_key(|branch| std::cmp::Reverse(count(branch)));
        Ok(found.into_iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(rest: &str) -> GitSettings {
        let text = format!("upstream = '/u'\npush = '/p'\ndir = '/d'\n{rest}");
        toml_edit::de::from_str(&text).unwrap()
    }

    #[test]
    fn a_tag_is_meant_as_a_whole() {
        let settings = settings("tags = { net = ['net/main'], net-next = ['next', 'net/main'] }");
        let found = |tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            by_tags(&settings, &Series { tags, ..Series::default() })
        };
        assert_eq!(found(&["RFC", "NET-next"]), [("next", "net-next"), ("net/main", "net-next")]);
        assert_eq!(found(&["PATCH"]), []);
    }

    #[test]
    fn most_files_count_most() {
        let settings = settings("paths = { 'a/*' = ['one'], 'b/**' = ['two'], 'c' = ['three'] }");
        let found = |paths: &[&str]| {
            let diff: Vec<_> = paths.iter().map(|p| format!("diff --git a/{p} b/{p}\n")).collect();
            let diff = diff.concat();
            by_paths(&settings, &Touched::of([diff.as_bytes()]))
        };
        assert_eq!(found(&["a/x", "b/x/y", "b/z"]), ["two", "one"]);
        assert_eq!(found(&["a/x", "b/x"]), ["one", "two"]);
        assert_eq!(found(&["a/x/y", "d"]), Vec::<&str>::new());
    }

    #[test]
    fn a_commit_is_tried_once_for_the_best_reason() {
        let sha = CommitSha::try_from("a".repeat(40)).unwrap();
        let mut candidates = Candidates::default();
        candidates.add(&sha, "master", "base-commit");
        candidates.add(&sha, "next", "the first that it applies to");
        assert_eq!(candidates.list.len(), 1);
        assert_eq!(candidates.list[0].why, "base-commit");
        for number in 0..100 {
            let sha = CommitSha::try_from(format!("{number:040}")).unwrap();
            candidates.add(&sha, "b", "b");
        }
        assert_eq!(candidates.list.len(), Candidates::MAX);
    }
}
