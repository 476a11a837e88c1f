//! Messages that belong together: a later one tells only which earlier one it continues.

use serde::{Deserialize, Serialize};

use super::Event;
use super::artifact::{Artifact, ArtifactEvent, Change};
use super::build::BuildEvent;

/// Which messages an event belongs together with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thread {
    /// Under which id later messages speak of this one.
    #[serde(default)]
    pub id: Option<String>,
    /// The id of the earlier message that tells the rest.
    #[serde(default)]
    pub of: Option<String>,
}

impl Thread {
    /// The longest id, in bytes.
    pub const ID_MAX: usize = 200;

    /// What a message is read to tell as its instance if it tells none and none is to be guessed.
    pub const UNKNOWN: &str = "unknown";

    /// Whether the event stands alone.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The ids `id` and `of`, without those that are none: empty, or longer than
    /// [`Thread::ID_MAX`].
    pub fn ids(&self) -> (Option<&str>, Option<&str>) {
        (usable(self.id.as_deref()), usable(self.of.as_deref()))
    }
}

fn usable(id: Option<&str>) -> Option<&str> {
    id.filter(|id| !id.is_empty() && id.len() <= Thread::ID_MAX)
}

impl Event {
    /// Which messages it belongs together with, if it may belong to some.
    pub fn thread(&self) -> Option<&Thread> {
        match self {
            Self::Build(event) => Some(&event.thread),
            Self::Artifact(event) => Some(&event.thread),
            Self::PullRequest(_)
            | Self::Comment(_)
            | Self::Command(_)
            | Self::Push(_)
            | Self::Series(_)
            | Self::Applied(_)
            | Self::Boards(_) => None,
        }
    }

    /// What it does not tell and is nothing without; `None` when it tells all that.
    pub fn lacks(&self) -> Option<&'static str> {
        match self {
            Self::Build(event) if event.job.is_empty() => Some("the job"),
            Self::Artifact(event) if event.artifact.name.is_empty() => Some("the artifact's name"),
            Self::Artifact(event) if event.artifact.build.is_empty() => {
                Some("the build of the artifact")
            }
            Self::PullRequest(_)
            | Self::Comment(_)
            | Self::Command(_)
            | Self::Push(_)
            | Self::Series(_)
            | Self::Applied(_)
            | Self::Artifact(_)
            | Self::Boards(_)
            | Self::Build(_) => None,
        }
    }

    /// The event together with what `head`, which it continues, has told: whatever it tells
    /// itself stays.  About something else, `head` tells it nothing.
    #[must_use]
    pub fn continued(self, head: &Self) -> Self {
        match (self, head) {
            (Self::Build(event), Self::Build(head)) => Self::Build(build(event, head)),
            (Self::Artifact(event), Self::Artifact(head)) => {
                Self::Artifact(Box::new(artifact(*event, head)))
            }
            (event, _) => event,
        }
    }
}

fn build(event: BuildEvent, head: &BuildEvent) -> BuildEvent {
    // Which connection it is was found by the instance, so they go together.
    let (instance, connection) = match event.instance {
        Some(instance) if instance != Thread::UNKNOWN => (Some(instance), event.connection),
        Some(_) | None => (head.instance.clone(), head.connection.clone()),
    };
    BuildEvent {
        instance,
        connection,
        job: told(event.job, &head.job),
        number: event.number.or(head.number),
        url: event.url.or_else(|| head.url.clone()),
        run: event.run.or_else(|| head.run.clone()),
        id: event.id.or_else(|| head.id.clone()),
        of: event.of.or_else(|| head.of.clone()),
        ..event
    }
}

fn artifact(event: ArtifactEvent, head: &ArtifactEvent) -> ArtifactEvent {
    let is_unknown = event.instance.is_empty() || event.instance == Thread::UNKNOWN;
    let instance = if is_unknown { head.instance.clone() } else { event.instance };
    let Artifact { name, kind, version, build, url, files, boards, tags, metadata } =
        event.artifact;
    let of = &head.artifact;
    let artifact = Artifact {
        name: told(name, &of.name),
        kind: kind.or_else(|| of.kind.clone()),
        version: version.or_else(|| of.version.clone()),
        build: told(build, &of.build),
        url: url.or_else(|| of.url.clone()),
        files: if files.is_empty() { of.files.clone() } else { files },
        boards: if boards.is_empty() { of.boards.clone() } else { boards },
        tags: if tags.is_empty() { of.tags.clone() } else { tags },
        metadata: if metadata.is_empty() { of.metadata.clone() } else { metadata },
    };
    let Change { instance: host, project, number, sha, url } = event.change;
    // A number says nothing of another project, nor a commit of another number.
    let change = if host.is_none() && project.is_none() && number.is_none() && sha.is_none() {
        Change { url: url.or_else(|| head.change.url.clone()), ..head.change.clone() }
    } else {
        Change { instance: host, project, number, sha, url }
    };
    ArtifactEvent { instance, artifact, change, ..event }
}

/// `own`, unless it is empty.
fn told(own: String, of_head: &str) -> String {
    if own.is_empty() { of_head.to_owned() } else { own }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(value: serde_json::Value) -> Event {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_a_build_does_not_tell_its_head_has_told() {
        let head = event(json!({"build": {
            "event": "build.queued", "instance": "ci.example", "connection": "builds.main",
            "job": "points", "number": 7, "url": "https://ci.example/7", "id": "a", "of": "oil",
            "verdict": "error", "reason": "none of the other's", "queued": "q",
            "run": "00112233445566778899aabbccddeeff", "thread": {"id": "a"},
        }}));
        let end = event(json!({"build": {
            "event": "build.finished", "job": "", "verdict": "success", "url": "https://own/",
            "thread": {"of": "a"},
        }}));
        assert_eq!(end.lacks(), Some("the job"));
        let whole = end.continued(&head);
        assert_eq!(whole.lacks(), None);
        assert_eq!(
            whole,
            event(json!({"build": {
                "event": "build.finished", "instance": "ci.example", "connection": "builds.main",
                "job": "points", "number": 7, "url": "https://own/", "id": "a", "of": "oil",
                "verdict": "success", "run": "00112233445566778899aabbccddeeff",
                "thread": {"of": "a"},
            }}))
        );
        // Once more changes nothing.
        assert_eq!(whole.clone().continued(&head), whole);
    }

    #[test]
    fn a_build_elsewhere_is_not_at_the_connection_of_its_head() {
        let head = json!({"build": {"event": "build.queued", "job": "x", "instance": "ci.example",
            "connection": "builds.main"}});
        let end = json!({"build": {"event": "build.finished", "job": "",
            "instance": "other.example"}});
        let Event::Build(whole) = event(end).continued(&event(head.clone())) else { panic!() };
        assert_eq!((whole.instance.as_deref(), whole.connection), (Some("other.example"), None));
        let unknown = json!({"build": {"event": "build.finished", "job": "",
            "instance": "unknown"}});
        let Event::Build(whole) = event(unknown).continued(&event(head)) else { panic!() };
        assert_eq!(whole.instance.as_deref(), Some("ci.example"));
        assert!(whole.connection.is_some());
    }

    #[test]
    fn what_an_artifact_does_not_tell_its_head_has_told() {
        let head = event(json!({"artifact": {
            "event": "artifact.created", "instance": "ci.example",
            "artifact": {"name": "nano", "kind": "image", "version": "1", "build": "b7",
                "url": "https://ci.example/7", "boards": ["lever-board"], "tags": ["wired"],
                "metadata": {"flavour": "dry"},
                "files": [{"name": "old", "url": "https://ci.example/old"}]},
            "change": {"project": "rail/points", "number": 7, "url": "https://forge.example/7"},
            "thread": {"id": "a"},
        }}));
        let published = |extra: serde_json::Value| {
            let mut value = json!({"artifact": {
                "event": "artifact.published", "instance": "unknown",
                "artifact": {"files": [{"name": "new", "url": "https://ci.example/new"}]},
                "thread": {"of": "a"},
            }});
            value["artifact"]["change"] = extra;
            event(value)
        };
        assert_eq!(published(json!({})).lacks(), Some("the artifact's name"));
        assert_eq!(
            published(json!({})).continued(&head),
            event(json!({"artifact": {
                "event": "artifact.published", "instance": "ci.example",
                "artifact": {"name": "nano", "kind": "image", "version": "1", "build": "b7",
                    "url": "https://ci.example/7", "boards": ["lever-board"], "tags": ["wired"],
                    "metadata": {"flavour": "dry"},
                    "files": [{"name": "new", "url": "https://ci.example/new"}]},
                "change": {"project": "rail/points", "number": 7, "url": "https://forge.example/7"},
                "thread": {"of": "a"},
            }}))
        );
        let Event::Artifact(other) = published(json!({"project": "else"})).continued(&head) else {
            panic!()
        };
        assert_eq!((other.change.project.as_deref(), other.change.number), (Some("else"), None));
    }

    #[test]
    fn one_about_something_else_tells_nothing() {
        let build = event(json!({"build": {"event": "build.queued", "job": "x"}}));
        let artifact = event(json!({"artifact": {"event": "artifact.published",
            "instance": "ci.example", "artifact": {}, "thread": {"of": "a"}}}));
        assert_eq!(artifact.clone().continued(&build), artifact);
        assert_eq!(build.clone().continued(&artifact), build);
    }

    #[test]
    fn an_id_that_is_none_is_none() {
        let thread = |id: &str| Thread { id: Some(id.to_owned()), of: Some(id.to_owned()) };
        assert_eq!(thread("a").ids(), (Some("a"), Some("a")));
        assert_eq!(thread("").ids(), (None, None));
        assert_eq!(thread(&"a".repeat(201)).ids(), (None, None));
    }
}
