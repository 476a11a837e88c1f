//! What chats have in common: of each run there is one message, edited as the run goes on.
//!
//! Whoever can look into the room finds the message by what it carries beside its words.  An
//! edit wakes nobody: a verdict that somebody has to look at, or that replaces another one, is
//! also said in the thread of the message.

mod webhook;

use async_trait::async_trait;

use crate::action::{Form, Notice, Report, Stage};
use crate::executors::Try;
use crate::remote::{Failure, chain};
use crate::subject::Verdict;

pub(super) use self::webhook::Webhook;
use super::markup;

/// The longest message that is posted, in characters; both sides of it differ in what they take.
pub(super) const MESSAGE_MAX_CHARS: usize = 3_900;
/// How many messages of a room are looked through for one of ours.
pub(super) const SEARCH_MAX: usize = 1_000;
/// The longest word of the other side's that an error repeats.
const WORD_MAX_CHARS: usize = 80;

/// Something to say.
pub(super) struct Said<'a> {
    /// The same for all that is said about one run, and for nothing else.
    pub(super) marker: &'a str,
    /// How far the run is, or `notice`.
    pub(super) stage: &'static str,
    /// The words, as Markdown, without the marker.
    pub(super) text: &'a str,
    verdict: Option<Verdict>,
    is_notice: bool,
}

impl<'a> Said<'a> {
    /// What a report says, if it is said as a message.
    pub(super) fn of(report: &'a Report) -> Result<Self, Failure> {
        if report.form != Form::Message {
            return Err(Failure::give_up(anyhow::anyhow!(
                "a chat has messages, and cannot tell it as a {}",
                report.form.as_str()
            )));
        }
        let verdict = match report.stage {
            Stage::Done(verdict) => Some(verdict),
            Stage::Held | Stage::Queued | Stage::Running => None,
        };
        Ok(Self {
            marker: &report.marker,
            stage: report.stage.as_str(),
            text: markup::without_marker(&report.text, &report.marker),
            verdict,
            is_notice: false,
        })
    }

    /// What a notice says.
    pub(super) fn notice(notice: &'a Notice) -> Self {
        Self {
            marker: &notice.marker,
            stage: "notice",
            text: markup::without_marker(&notice.text, &notice.marker),
            verdict: None,
            is_notice: true,
        }
    }

    /// Whether people are to be told although a message about the run is there.
    fn is_news_after(&self, stage: &str) -> bool {
        let was_verdict = !matches!(stage, "held" | "queued" | "running");
        self.verdict.is_some_and(|verdict| verdict.is_bad() || was_verdict)
    }

    /// Whether it is said by one who can post and nothing else: the wait in a queue is not worth
    /// a message of its own.
    pub(super) fn is_worth_a_message(&self) -> bool {
        self.stage != Stage::Queued.as_str()
    }
}

/// A message of ours about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Posted {
    /// The room's id of it.
    pub(super) id: String,
    /// The stage that it tells.
    pub(super) stage: String,
}

/// Whether a message was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edited {
    /// It was.
    Done,
    /// It is gone, or too old to be changed.
    TooLate,
}

/// A room that can be looked into.
#[async_trait]
pub(super) trait Room: Send + Sync {
    /// Our newest message with this marker that is not in a thread, among the last
    /// [`SEARCH_MAX`].
    async fn find(&self, marker: &str) -> Result<Option<Posted>, Failure>;

    /// Whether `said` was said in the thread of a message.
    async fn is_said(&self, thread: &str, said: &Said<'_>) -> Result<bool, Failure>;

    /// Posts a message, in a thread if one is given.
    async fn post(&self, said: &Said<'_>, thread: Option<&str>) -> Result<(), Failure>;

    /// Changes a message.
    async fn edit(&self, id: &str, said: &Said<'_>) -> Result<Edited, Failure>;
}

/// Sees to it that the message about a run says `said`, and that people have noticed.
pub(super) async fn keep(room: &dyn Room, said: &Said<'_>, attempt: Try) -> Result<(), Failure> {
    // A notice is never said a second time, so there is nothing to find at first.
    let can_be_there = attempt == Try::Again || !said.is_notice;
    let found = if can_be_there { room.find(said.marker).await? } else { None };
    let Some(found) = found else {
        return room.post(said, None).await;
    };
    if found.stage == said.stage {
        return Ok(());
    }
    let is_news = said.is_news_after(&found.stage);
    // Said in the thread before the edit: after it, nothing would tell that it is still to do.
    if is_news && !(attempt == Try::Again && room.is_said(&found.id, said).await?) {
        room.post(said, Some(&found.id)).await?;
    }
    match room.edit(&found.id, said).await? {
        Edited::Done => Ok(()),
        Edited::TooLate if is_news => Ok(()),
        Edited::TooLate => room.post(said, None).await,
    }
}

/// What went wrong; whether it may pass is not the question of a probe.
pub(super) fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}

/// A word of the other side's that is fit for an error: it says what is wrong, and can be neither
/// an address nor a token.
pub(super) fn word(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_word = text.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'))
        && (1..=WORD_MAX_CHARS).contains(&text.len());
    is_word.then_some(text)
}
