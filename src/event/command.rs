//! Commands, once their forge was asked who gives them and how the proposal stands.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventKind;
use super::proposal::{Comment, PullRequestEvent, Standing};
use crate::command::{Command, Verb};

/// What the names of a command's event are besides those of its proposal.
pub(super) const COMMAND_ONLY_NAMES: &[&str] = &["command.text", "command.by", "command.standing"];

/// A command, and all that is needed to heed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandEvent {
    /// The proposal as its forge tells it now; its `event` is one of the `command.*` kinds.
    pub on: PullRequestEvent,
    /// Whether the proposal is open.
    pub is_open: bool,
    /// The comment that the command stands in.
    pub comment: Comment,
    /// The command.
    pub command: Command,
    /// Which of the comment's commands it is, from 0.
    pub number: usize,
    /// What its giver is to the project, as the forge tells now.
    pub standing: Standing,
    /// When the forge was asked.
    pub asked_at: Timestamp,
}

/// The kind of an event about a command.
pub fn kind_of(verb: Verb) -> EventKind {
    match verb {
        Verb::Test => EventKind::CommandTest,
        Verb::Retest => EventKind::CommandRetest,
        Verb::Cancel => EventKind::CommandCancel,
        Verb::Ok => EventKind::CommandOk,
        Verb::Why => EventKind::CommandWhy,
        Verb::Help => EventKind::CommandHelp,
        Verb::Unknown => EventKind::CommandUnknown,
    }
}

impl CommandEvent {
    /// What makes it this command and no other: a repeated one in an edited comment is another.
    pub(super) fn moment(&self) -> String {
        format!("{}/{}/{}", self.comment.moment(), self.number, self.command.text)
    }

    /// The command as expressions see it.
    pub(super) fn names(&self) -> Value {
        let mut value = self.on.names();
        if let Some(names) = value.as_object_mut() {
            let command = serde_json::json!({
                "text": self.command.text,
                "by": self.comment.author,
                "standing": self.standing,
            });
            names.insert("command".to_owned(), command);
        }
        value
    }
}
