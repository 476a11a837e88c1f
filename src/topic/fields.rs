//! The fields that a topic file reads, per kind of event: the serde fields of the event's struct.

use crate::event::EventKind;

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
    match kind {
        EventKind::PullRequestOpened
        | EventKind::PullRequestUpdated
        | EventKind::PullRequestReopened
        | EventKind::PullRequestClosed => PULL_REQUEST.to_vec(),
        EventKind::CommentAdded => [PULL_REQUEST, COMMENT].concat(),
        EventKind::BuildQueued | EventKind::BuildStarted | EventKind::BuildFinished => {
            BUILD.to_vec()
        }
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
    optional("standing"),
    optional("agent"),
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
    required("comment.author"),
    optional("comment.notification"),
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
];
