//! What may not be in a series, or not before somebody has looked at it.
//!
//! Two looks are taken.  The mails and diffs are looked at before git sees them, so that none of
//! them costs more than it may; and the commits are looked at when they are made, as only they
//! tell the truth about which files of which kind there are.

use anyhow::Context;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use self::change::Change;
use self::diff::Contents;
use super::mail::Patch;
use super::process::Git;
use super::scratch::Scratch;
use super::stop::{Stop, at_patch, shown};
use crate::event::series::{Refusal, Series};
use crate::remote::Failure;
use crate::subject::CommitSha;

mod change;
pub(super) mod diff;
mod letter;
mod path;

/// The files that say how a change is built, unless the operator says which.
const CI_FILES: &str = include_str!("../../config/ci-files.txt");

/// How many findings are told; the others are counted.
const TOLD_MAX: usize = 5;
/// How many things are found in a series before nobody looks any further.
const FINDINGS_MAX: usize = 1000;

/// What is done about something in a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Nothing.
    Allow,
    /// Somebody has to look at it first.
    Hold,
    /// The series is refused, whoever lets it be built.
    Refuse,
}

/// What may be in a series: `[git.NAME.guard]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How large a mail may be, in bytes.
    pub mail_bytes_max: u64,
    /// How large the mails of a series may be together, in bytes.
    pub series_bytes_max: u64,
    /// How many files the patches of a series may touch.
    pub files_max: usize,
    /// How large the binary files of a series may be together, in bytes, when they are unpacked.
    pub binary_bytes_max: u64,
    /// What is done about symbolic links: `allow`, `hold` until somebody says `ok`, or `refuse`.
    pub symlinks: Answer,
    /// What is done about submodules, and about `.gitmodules`.
    pub submodules: Answer,
    /// What is done about characters that cannot be seen, or that turn the text around them.
    pub hidden_characters: Answer,
    /// What is done about changes to `ci_files`.
    pub ci_changes: Answer,
    /// The files that say how a change is built, as globs.
    pub ci_files: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mail_bytes_max: 10 * 1024 * 1024,
            series_bytes_max: 20 * 1024 * 1024,
            files_max: 20_000,
            binary_bytes_max: 50 * 1024 * 1024,
            symlinks: Answer::Hold,
            submodules: Answer::Hold,
            hidden_characters: Answer::Hold,
            ci_changes: Answer::Hold,
            ci_files: CI_FILES.lines().map(str::to_owned).collect(),
        }
    }
}

/// Something in a series that somebody has to look at, or for which it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    answer: Answer,
    refusal: Refusal,
}

/// A [`Policy`], ready to be used.
#[derive(Clone, Debug)]
pub struct Guard {
    policy: Policy,
    ci_files: GlobSet,
}

impl Guard {
    /// The guard of this policy, unless one of its globs is none.
    pub fn new(policy: &Policy) -> anyhow::Result<Self> {
        let mut globs = GlobSetBuilder::new();
        for glob in &policy.ci_files {
            // Somebody's files may be checked out where case does not count.
            let glob =
                GlobBuilder::new(glob).literal_separator(true).case_insensitive(true).build();
            globs.add(glob.context("not a glob")?);
        }
        let ci_files = globs.build().context("not globs")?;
        Ok(Self { policy: policy.clone(), ci_files })
    }

    /// What is found in the mails before they are read.
    pub(super) fn letters(&self, letters: &[Vec<u8>]) -> Vec<Finding> {
        let mut findings = Findings::default();
        if letters.is_empty() || letters.len() > Series::PATCHES_MAX {
            let reason = format!("it has {} patches", letters.len());
            findings.refuse(Refusal { reason, ..Refusal::default() });
            return findings.0;
        }
        let (mail_max, series_max) = (self.policy.mail_bytes_max, self.policy.series_bytes_max);
        let mut sum = 0;
        for (letter, number) in letters.iter().zip(1..) {
            let size = bytes(letter);
            sum += size;
            if size > mail_max {
                let reason = format!("its mail is larger than {mail_max} bytes");
                findings.refuse(at_patch(number, reason));
            } else if letter::has_another(letter) {
                findings.refuse(at_patch(number, "there is another mail in its mail"));
            }
        }
        if sum > series_max {
            let reason = format!("its mails are larger than {series_max} bytes");
            findings.refuse(Refusal { reason, ..Refusal::default() });
        }
        findings.0
    }

    /// What is found in the patches before git sees them.
    pub(super) fn patches(&self, patches: &[Patch]) -> Vec<Finding> {
        let mut findings = Findings::default();
        let (mut files, mut binary_bytes) = (0, 0_u64);
        for patch in patches {
            let contents = Contents::of(&patch.diff);
            files += contents.files;
            binary_bytes = binary_bytes.saturating_add(contents.binary_bytes);
            if let Some(path) = contents.paths.iter().find(|path| path::is_outside(path)) {
                let reason = format!("`{}` is no path for a file", shown(path));
                findings.refuse(at_patch(patch.number, reason));
            }
            let said = [patch.message.as_str(), &patch.name, &patch.email];
            if let Some(c) = said.iter().find_map(|text| path::hidden(text)) {
                let reason = format!("its message has the hidden character U+{:04X}", u32::from(c));
                findings.add(self.policy.hidden_characters, at_patch(patch.number, reason));
            }
            if let Some((path, c)) = contents.hidden {
                let file = shown(&path);
                let reason = format!("`{file}` gets the hidden character U+{:04X}", u32::from(c));
                let refusal = Refusal { file: Some(file), ..at_patch(patch.number, reason) };
                findings.add(self.policy.hidden_characters, refusal);
            }
        }
        self.count(files, &mut findings);
        if binary_bytes > self.policy.binary_bytes_max {
            findings.refuse(self.too_large());
        }
        findings.0
    }

    /// What is found in the commits that the patches have become.
    pub(super) async fn commits(
        &self,
        git: &Git,
        scratch: &Scratch,
        patches: &[Patch],
        commits: &[CommitSha],
    ) -> Result<Vec<Finding>, Failure> {
        let changes = change::of(git, scratch, commits).await?;
        let mut findings = Findings::default();
        self.count(changes.len(), &mut findings);
        for change in &changes {
            self.judge(change, &mut findings);
        }
        // A few bytes can say to repeat what is there a thousand times.
        if patches.iter().any(|patch| Contents::of(&patch.diff).has_delta) {
            let grown = change::growth(git, scratch, &changes).await?;
            if grown > self.policy.binary_bytes_max + self.policy.series_bytes_max {
                findings.refuse(self.too_large());
            }
        }
        Ok(findings.0)
    }

    fn judge(&self, change: &Change, findings: &mut Findings) {
        let Policy { symlinks, submodules, hidden_characters, ci_changes, .. } = self.policy;
        let file = shown(&change.path);
        let mut find = |answer, reason: String| {
            let file = Some(file.clone());
            findings.add(answer, Refusal { file, ..at_patch(change.number, reason) });
        };
        if change.is_symlink() {
            find(symlinks, format!("`{file}` is a symbolic link"));
        }
        if change.is_submodule() {
            find(submodules, format!("`{file}` is a submodule"));
        }
        let path = String::from_utf8_lossy(&change.path);
        if path.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(".gitmodules")) {
            find(submodules, format!("`{file}` says where submodules are"));
        }
        if self.ci_files.is_match(path.as_ref()) {
            find(ci_changes, format!("`{file}` says how it is built"));
        }
        if let Some(c) = path::hidden(&path) {
            let code = u32::from(c);
            find(hidden_characters, format!("`{file}` has the hidden character U+{code:04X}"));
        }
    }

    fn count(&self, files: usize, findings: &mut Findings) {
        let files_max = self.policy.files_max;
        if files > files_max {
            let reason = format!("it touches more than {files_max} files");
            findings.refuse(Refusal { reason, ..Refusal::default() });
        }
    }

    fn too_large(&self) -> Refusal {
        let most = self.policy.binary_bytes_max;
        let reason = format!("its binary files are larger than {most} bytes");
        Refusal { reason, ..Refusal::default() }
    }
}

fn bytes(content: &[u8]) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn refuse(&mut self, refusal: Refusal) {
        self.add(Answer::Refuse, refusal);
    }

    fn add(&mut self, answer: Answer, refusal: Refusal) {
        // What is refused is never one too many.
        if answer == Answer::Refuse || (answer == Answer::Hold && self.0.len() < FINDINGS_MAX) {
            self.0.push(Finding { answer, refusal });
        }
    }
}

/// Stops where something is refused, and returns what is held.
pub(super) fn refuse(findings: Vec<Finding>) -> Result<Vec<Finding>, Stop> {
    let is_refused = |finding: &&Finding| finding.answer == Answer::Refuse;
    match told(findings.iter().filter(is_refused)) {
        Some(refusal) => Err(Stop::Refused(refusal)),
        None => Ok(findings),
    }
}

/// Stops where something is held.
pub(super) fn hold<'a>(findings: impl Iterator<Item = &'a Finding>) -> Result<(), Stop> {
    told(findings).map_or(Ok(()), |refusal| Err(Stop::Held(refusal)))
}

/// All findings as one; the first says which patch and which file.
fn told<'a>(mut findings: impl Iterator<Item = &'a Finding>) -> Option<Refusal> {
    let first = findings.next()?.refusal.clone();
    let mut reasons = vec![first.reason];
    let mut more = 0;
    for Finding { refusal, .. } in findings {
        let reason = match refusal.patch.filter(|_| refusal.patch != first.patch) {
            Some(number) => format!("patch {number}: {}", refusal.reason),
            None => refusal.reason.clone(),
        };
        if reasons.len() < TOLD_MAX && !reasons.contains(&reason) {
            reasons.push(reason);
        } else if !reasons.contains(&reason) {
            more += 1;
        }
    }
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    Some(Refusal { reason: reasons.join("; "), ..first })
}
