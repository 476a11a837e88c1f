//! The fields that a topic file reads, per kind of event: the serde fields of the event's struct.

use crate::event::{EventKind, Family};

/// A field of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldOf {
    /// Its name, dotted.
    pub(super) name: &'static str,
    /// Whether an event cannot be without it.
    pub(super) is_required: bool,
}

/// The fields of events of this kind; those of a comment stand beside those of its proposal.
pub(super) fn of(kind: EventKind) -> Vec<FieldOf> {
    match kind.family() {
        Family::PullRequest => PULL_REQUEST.to_vec(),
        Family::Comment => {
            // A message about a comment may tell little of its proposal.
            let mut fields = [PULL_REQUEST, COMMENT].concat();
            for field in fields.iter_mut().filter(|field| field.name == "target") {
                field.is_required = false;
            }
            fields
        }
        // Found in comments, or told by ourselves; never read.
        Family::Command | Family::Applied | Family::Boards => Vec::new(),
        Family::Push => PUSH.to_vec(),
        Family::Series => SERIES.to_vec(),
        Family::Artifact => ARTIFACT.to_vec(),
        Family::Build => BUILD.to_vec(),
    }
}

const fn required(name: &'static str) -> FieldOf {
    FieldOf { name, is_required: true }
}

const fn optional(name: &'static str) -> FieldOf {
    FieldOf { name, is_required: false }
}

const PULL_REQUEST: &[FieldOf] = &[
    required("instance"),
    required("project"),
    required("number"),
    required("url"),
    required("title"),
    required("target"),
    required("author"),
    optional("author_id"),
    optional("standing"),
    optional("agent"),
    optional("agent_id"),
    optional("head.sha"),
    optional("head.url"),
    optional("head.branch"),
    optional("base.sha"),
    optional("pull_request.draft"),
    optional("pull_request.merged"),
    optional("at"),
];

const COMMENT: &[FieldOf] = &[
    required("comment.id"),
    required("comment.text"),
    optional("comment.before"),
    required("comment.author"),
    optional("comment.author_id"),
    optional("comment.standing"),
    optional("comment.bot"),
    optional("comment.at"),
    optional("comment.notification"),
];

const PUSH: &[FieldOf] = &[
    required("instance"),
    required("project"),
    required("url"),
    required("target"),
    required("author"),
    required("head.sha"),
    optional("head.url"),
    optional("head.branch"),
    optional("base.sha"),
    optional("push.forced"),
    optional("at"),
];

const SERIES: &[FieldOf] = &[
    required("instance"),
    required("project"),
    required("series"),
    optional("request"),
    optional("test"),
    optional("at"),
];

const ARTIFACT: &[FieldOf] = &[
    required("instance"),
    required("artifact.name"),
    required("artifact.build"),
    optional("artifact.kind"),
    optional("artifact.version"),
    optional("artifact.url"),
    optional("artifact.files"),
    optional("artifact.boards"),
    optional("artifact.tags"),
    optional("artifact.metadata"),
    optional("change.instance"),
    optional("change.project"),
    optional("change.number"),
    optional("change.sha"),
    optional("change.url"),
    optional("thread.id"),
    optional("thread.of"),
    optional("at"),
];

const BUILD: &[FieldOf] = &[
    optional("instance"),
    required("job"),
    optional("number"),
    optional("url"),
    optional("verdict"),
    optional("run"),
    optional("queued"),
    optional("reason"),
    optional("id"),
    optional("of"),
    optional("thread.id"),
    optional("thread.of"),
];
