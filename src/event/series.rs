//! Patch series: changes that are sent as mails, and what became of putting them on a branch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::EventKind;
use super::proposal::Standing;
use crate::subject::{CommitSha, ConnectionName, RunId, Subject, SubjectKind, Verdict};

mod branch;
mod told;

/// The names that an expression about a series may use.
pub(super) const SERIES_NAMES: &[&str] = &[
    "event",
    "subject",
    "instance",
    "project",
    "standing",
    "series.id",
    "series.version",
    "series.title",
    "series.url",
    "series.mbox",
    "series.root",
    "series.count",
    "series.tags",
    "series.base",
    "series.notes",
    "submitter.id",
    "submitter.name",
    "submitter.email",
    "submitter.vouched",
];

/// The names that an expression about a request of a tester may use besides those of its series.
pub(super) const TEST_ONLY_NAMES: &[&str] =
    &["test.name", "test.repo", "test.head", "test.base", "test.timeout", "test.requirements"];

/// The names that an expression about a series on a branch may use besides its own.
pub const BRANCH_NAMES: &[&str] = &[
    "branch.url",
    "branch.name",
    "branch.sha",
    "branch.short",
    "branch.base",
    "branch.base_name",
    "branch.patch",
];

/// Somebody who sends mails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// The source's lasting id of them, where there is one.
    #[serde(default)]
    pub id: Option<String>,
    /// Their name: text from outside.
    #[serde(default)]
    pub name: String,
    /// Their address: text from outside, and easily forged.
    #[serde(default)]
    pub email: String,
    /// Whether a mail server that the operator trusts says that the mail is from that address.
    #[serde(default)]
    pub vouched: bool,
}

/// One mail of a series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The source's id of it, where there is one besides the Message-ID.
    #[serde(default)]
    pub id: Option<String>,
    /// Its Message-ID, without `<` and `>`.
    pub msgid: String,
    /// Its title without what stands in brackets before it: text from outside.
    #[serde(default)]
    pub title: String,
    /// Its page.
    #[serde(default)]
    pub url: Option<String>,
    /// Where the mail itself can be fetched.
    #[serde(default)]
    pub mbox: Option<String>,
}

/// What the author says in the cover letter or in the first patch about where a series belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hints {
    /// `base-commit:`, the commit that it was made upon.
    pub base: Option<CommitSha>,
    /// The Message-IDs of `Based-on:` and `Depends-on:`, in order.
    pub depends: Vec<String>,
    /// The patch-ids of `prerequisite-patch-id:`.
    pub prerequisites: Vec<String>,
    /// `change-id:`, the same for all versions of a series.
    pub change_id: Option<String>,
    /// Lines for us that are written as `Tag: value`, such as `CI-tag: skip`, in lower case.
    pub notes: Vec<String>,
}

/// A patch series, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The source's id of it.
    pub id: String,
    /// Which version it is, from 1.
    pub version: u32,
    /// Its title without what stands in brackets before it: text from outside.
    pub title: String,
    /// The words in brackets before its title, without version and count.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The Message-ID of its cover letter, or else of its first patch.
    pub root: String,
    /// Its page.
    #[serde(default)]
    pub url: Option<String>,
    /// Where all its patches can be fetched as one mbox.
    #[serde(default)]
    pub mbox: Option<String>,
    /// The cover letter, if there is one.
    #[serde(default)]
    pub cover: Option<Letter>,
    /// The patches, in order, at most [`Series::PATCHES_MAX`].
    pub patches: Vec<Letter>,
    /// Who sent it.
    #[serde(default)]
    pub submitter: Sender,
    /// What the author says about it.
    #[serde(default)]
    pub hints: Hints,
    /// When it was sent, as its mails say.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
}

impl Series {
    /// How many patches a series may have.
    pub const PATCHES_MAX: usize = 1000;

    /// The revision that its version is.
    pub fn revision(&self) -> String {
        format!("v{}", self.version)
    }
}

/// What somebody asks about a series, by mail or in a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The Message-ID, or the source's id, of what it was asked in.
    pub id: String,
    /// Who asks.
    pub by: Sender,
    /// What the asker is to the project, where the source itself knows.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// The rules that are meant; all when empty.
    #[serde(default)]
    pub names: Vec<String>,
    /// Whether it is to be put on its base as that is now.
    #[serde(default)]
    pub rebase: bool,
    /// When.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Whether it is the operator who asks, by a command on the machine of the ledger.
    ///
    /// It may be believed: [`SeriesEvent::told`] takes it away from whatever a message says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
}

/// A test that a source hands out to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Its name.
    pub name: String,
    /// The repository.
    pub repo: String,
    /// The branch, tag or commit.
    pub head: String,
    /// The commit that the series was put upon.
    #[serde(default)]
    pub base: Option<CommitSha>,
    /// How long it may take, in seconds.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// What the machine has to have.
    #[serde(default)]
    pub requirements: Option<String>,
    /// When it was handed out: it may be again, and is run again unless it is run already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_at: Option<Timestamp>,
}

/// Something about a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesEvent {
    /// `series.posted`, `series.recheck`, `series.approved` or `series.test`.
    pub event: EventKind,
    /// The host of the source.
    pub instance: String,
    /// The full name of the project, as the source calls it.
    pub project: String,
    /// The series.
    pub series: Series,
    /// What somebody asks; only for `series.recheck` and `series.approved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// The test; only for `series.test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestRequest>,
    /// When it was complete, or what is told happened, as the source tells.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// A base that was tried, and why it was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// The branch, or the words by which the base was found.
    pub branch: String,
    /// The commit.
    pub sha: CommitSha,
    /// In one line, why not; text from outside may be in it.
    pub why_not: String,
}

/// The base that was taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The commit.
    pub sha: CommitSha,
    /// The branch that it is on, or the words by which it was found.
    pub branch: String,
    /// In a few words, why this one, such as `base-commit` or `the first that it applies to`.
    pub why: String,
}

/// A series on a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// Where it can be fetched, without credentials.
    pub url: String,
    /// Its name, without `refs/heads/`.
    pub name: String,
    /// Its newest commit.
    pub sha: CommitSha,
    /// What it builds upon.
    pub base: Base,
    /// One commit for each patch of the series, in order.
    pub commits: Vec<CommitSha>,
    /// The bases that were tried before.
    #[serde(default)]
    pub tried: Vec<Tried>,
    /// Whether some patch had to be merged, because it did not apply as it is.
    #[serde(default)]
    pub is_merged: bool,
}

/// Why a series cannot be put on a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// In one line; text from outside may be in it.
    pub reason: String,
    /// The number of the patch that is at fault, from 1.
    #[serde(default)]
    pub patch: Option<u32>,
    /// The file that it does not apply to.
    #[serde(default)]
    pub file: Option<String>,
    /// The line of the hunk that fails.
    #[serde(default)]
    pub line: Option<u32>,
    /// The bases that were tried.
    #[serde(default)]
    pub tried: Vec<Tried>,
}

/// What became of putting a series on a branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedEvent {
    /// `series.applied`, `series.conflict`, `series.waiting` or `series.held`.
    pub event: EventKind,
    /// The series, as it was posted.
    pub on: SeriesEvent,
    /// Whose branch it is.
    pub tree: ConnectionName,
    /// The run that it was done for.
    pub run: RunId,
    /// What the series comes to by that; only for `series.conflict`.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// The branch; only for `series.applied`.
    #[serde(default)]
    pub branch: Option<Branch>,
    /// Why not; for all others.
    #[serde(default)]
    pub refusal: Option<Refusal>,
    /// How often it was tried, so that the same may be told again.
    #[serde(default)]
    pub round: u32,
}

impl SeriesEvent {
    /// The series, over all versions that its source knows by one id.
    pub fn subject(&self) -> Subject {
        let number = self.series.id.parse::<u64>().ok().filter(|_| is_number(&self.series.id));
        Subject {
            kind: SubjectKind::Series,
            instance: self.instance.clone(),
            project: self.project.clone(),
            number: number.unwrap_or(0),
            name: number.is_none().then(|| self.series.id.clone()),
        }
    }

    /// The revision it is about.
    pub fn revision(&self) -> String {
        self.series.revision()
    }

    pub(super) fn moment(&self) -> String {
        let request = self.request.as_ref().map(|request| request.id.as_str()).unwrap_or_default();
        let test = self.test.as_ref().map(|test| {
            let at = test.handed_at.map(|at| format!("/{at}")).unwrap_or_default();
            format!("{}@{}{at}", test.name, test.head)
        });
        format!("{}/{request}/{}", self.revision(), test.unwrap_or_default())
    }

    /// The series as expressions see it; `standing` is filled in by who knows people.
    pub(super) fn names(&self) -> Value {
        let Series { id, version, title, tags, root, url, mbox, patches, submitter, hints, .. } =
            &self.series;
        let mut names = json!({
            "event": self.event,
            "subject": self.subject().key(),
            "instance": self.instance,
            "project": self.project,
            "standing": "stranger",
            "series": {
                "id": id, "version": version, "title": title, "tags": tags, "root": root,
                "url": url, "mbox": mbox, "count": patches.len(), "base": hints.base,
                "notes": hints.notes,
            },
            "submitter": {
                "id": submitter.id, "name": submitter.name, "email": submitter.email,
                "vouched": submitter.vouched,
            },
        });
        if let (Some(test), Some(names)) = (&self.test, names.as_object_mut()) {
            let test = TestRequest { handed_at: None, ..test.clone() };
            names.insert("test".to_owned(), serde_json::to_value(test).unwrap_or_default());
        }
        names
    }
}

/// Whether `id` is written as numbers are, so that no two ids are one subject.
fn is_number(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) && !id.starts_with('0')
}
