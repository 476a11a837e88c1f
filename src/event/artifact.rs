//! Artifacts: an image or a package that a build system has made, and where it can be had.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::EventKind;
use super::thread::Thread;
use crate::message::hash;
use crate::subject::{CommitSha, RunId, Subject, SubjectKind};

pub mod message;
mod told;

/// The names that an expression about an artifact may use; what ends in `*` stands for whatever
/// the message has there.
pub(super) const ARTIFACT_NAMES: &[&str] = &[
    "event",
    "subject",
    "instance",
    "artifact.name",
    "artifact.kind",
    "artifact.version",
    "artifact.build",
    "artifact.url",
    "artifact.files.*",
    "artifact.boards",
    "artifact.tags",
    "artifact.metadata.*",
    "artifact.republished",
    "change.instance",
    "change.project",
    "change.number",
    "change.sha",
    "change.url",
];

/// An artifact was made, or can be had now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactEvent {
    /// `artifact.created` or `artifact.published`.
    pub event: EventKind,
    /// Who announces it: a producer of the settings, or the host of the build system.
    pub instance: String,
    /// The artifact.
    pub artifact: Artifact,
    /// The change that it was made of, where it was made of one.
    #[serde(default, skip_serializing_if = "Change::is_nothing")]
    pub change: Change,
    /// Which messages it belongs together with.
    #[serde(default, skip_serializing_if = "Thread::is_nothing")]
    pub thread: Thread,
    /// When, as its producer tells.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// An image, a package, or whatever else is tested.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its name, the same for all builds of it; empty only until an earlier message has told it.
    #[serde(default)]
    pub name: String,
    /// What it is: `image`, `container`, `rpm`, ….
    #[serde(default)]
    pub kind: Option<String>,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// What tells this build of it from all others.
    #[serde(default)]
    pub build: String,
    /// The page of the build.
    #[serde(default)]
    pub url: Option<String>,
    /// What it is made of.
    #[serde(default)]
    pub files: Vec<File>,
    /// The kinds of boards (LAVA: device types) that can run it, where it tells.
    #[serde(default)]
    pub boards: Vec<String>,
    /// What a board has to have (LAVA: device tags) to run it.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whatever else its producer says of it: texts, numbers and truths.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// One file of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What it is in the artifact: `rootfs`, `kernel`, ….
    pub name: String,
    /// Where it can be fetched.
    pub url: String,
    /// Its checksums in hexadecimal digits, by `md5`, `sha1`, `sha256` or `sha512`.
    #[serde(default)]
    pub checksums: BTreeMap<String, String>,
    /// Its size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
}

/// The change that an artifact was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The host of its forge.
    #[serde(default)]
    pub instance: Option<String>,
    /// The full name of its project.
    #[serde(default)]
    pub project: Option<String>,
    /// The number of the proposal, where it is one.
    #[serde(default)]
    pub number: Option<u64>,
    /// The commit.
    #[serde(default)]
    pub sha: Option<CommitSha>,
    /// Its page.
    #[serde(default)]
    pub url: Option<String>,
}

/// It is known, or never will be, on which boards a rule runs an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardsEvent {
    /// `boards.found`.
    pub event: EventKind,
    /// The artifact.
    pub on: ArtifactEvent,
    /// The run that waits for the answer.
    pub run: RunId,
    /// The kinds of boards.
    pub boards: Vec<String>,
    /// How many kinds of boards there are besides that are too many.
    #[serde(default)]
    pub left_out: usize,
    /// Why nobody could tell.
    #[serde(default)]
    pub refusal: Option<String>,
}

impl Change {
    /// Whether nothing is said of a change.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What people look at, where enough is said: the proposal, or else the project's commit.
    pub fn place(&self) -> Option<(Subject, CommitSha)> {
        let (instance, project) = (self.instance.clone()?, self.project.clone()?);
        let sha = self.sha.clone()?;
        let kind =
            if self.number.is_some() { SubjectKind::PullRequest } else { SubjectKind::Branch };
        let name = self.number.is_none().then(|| sha.to_string());
        let number = self.number.unwrap_or(0);
        Some((Subject { kind, instance, project, number, name }, sha))
    }
}

impl ArtifactEvent {
    /// The artifact, all builds of it.
    pub fn subject(&self) -> Subject {
        Subject {
            kind: SubjectKind::Artifact,
            instance: self.instance.clone(),
            project: self.artifact.name.clone(),
            number: 0,
            name: None,
        }
    }

    /// What tells this content of a build from another one under the same id.
    pub fn digest(&self) -> String {
        let mut files: Vec<_> = self.artifact.files.iter().collect();
        files.sort_by(|one, other| (&one.name, &one.url).cmp(&(&other.name, &other.url)));
        let mut parts = Vec::new();
        for file in files {
            // A mirror is no other content.
            parts.push(file.name.as_str());
            parts.extend(file.checksums.iter().flat_map(|(of, sum)| [of.as_str(), sum.as_str()]));
        }
        hash(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
    }

    pub(super) fn moment(&self) -> String {
        format!("{}/{}", self.artifact.build, self.digest())
    }

    /// The artifact as expressions see it.
    pub(super) fn names(&self) -> Value {
        let Artifact { name, kind, version, build, url, files, boards, tags, metadata } =
            &self.artifact;
        let files: Map<String, Value> = files.iter().map(File::named).collect();
        json!({
            "event": self.event,
            "subject": self.subject().key(),
            "instance": self.instance,
            "artifact": {
                "name": name, "kind": kind, "version": version, "build": build, "url": url,
                "files": files, "boards": boards, "tags": tags, "metadata": metadata,
                "republished": false,
            },
            "change": self.change,
        })
    }
}

impl File {
    /// The file under its name, its checksums beside its address.
    fn named(&self) -> (String, Value) {
        let mut value = json!({ "url": self.url, "size": self.size });
        if let Some(fields) = value.as_object_mut() {
            fields.extend(self.checksums.iter().map(|(of, sum)| (of.clone(), sum.clone().into())));
        }
        (self.name.clone(), value)
    }
}
