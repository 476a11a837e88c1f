//! The one comment about a subject that is kept up to date, where comments can be edited.

use async_trait::async_trait;

use crate::action::Board;
use crate::executors::Try;
use crate::remote::Failure;
use crate::subject::Subject;

/// A comment of ours.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    /// The forge's id of it.
    pub(super) id: String,
    /// Its words.
    pub(super) text: String,
}

/// The comments about a subject, as a forge has them.
#[async_trait]
pub(super) trait Thread: Send + Sync {
    /// Our own comments that have `word` in them, oldest first.
    async fn find(&self, subject: &Subject, word: &str) -> Result<Vec<Posted>, Failure>;

    /// Posts a comment.
    async fn post(&self, subject: &Subject, text: &str) -> Result<(), Failure>;

    /// Changes the words of one.
    async fn edit(&self, subject: &Subject, id: &str, text: &str) -> Result<(), Failure>;

    /// Removes one; that it is gone already is no failure.
    async fn remove(&self, subject: &Subject, id: &str) -> Result<(), Failure>;
}

/// Sees to it that people see `text`, which has `marker` in it, once.
///
/// Of a board there is one comment: edited where it is no news, else posted anew, with the older
/// ones removed only once the new one is there.
pub(super) async fn keep(
    thread: &dyn Thread,
    (subject, text, marker): (&Subject, &str, &str),
    board: Option<&Board>,
    attempt: Try,
) -> Result<(), Failure> {
    let Some(board) = board else {
        let is_there = attempt == Try::Again && !thread.find(subject, marker).await?.is_empty();
        return if is_there { Ok(()) } else { thread.post(subject, text).await };
    };
    let mut found = thread.find(subject, &board.word).await?;
    if let Some(told) = found.iter().rposition(|comment| comment.text.contains(marker)) {
        found.remove(told);
    } else if board.is_news || found.is_empty() {
        thread.post(subject, text).await?;
    } else if let Some(newest) = found.pop() {
        thread.edit(subject, &newest.id, text).await?;
    }
    for old in found {
        thread.remove(subject, &old.id).await?;
    }
    Ok(())
}
