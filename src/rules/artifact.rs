//! What an event about an artifact changes: what is known of it, and its runs.

use super::case::{Case, Wanted};
use super::texts::Voice;
use super::{Build, Rule, RuleSet};
use crate::decision::{Decision, Known, Outcome};
use crate::event::artifact::{ArtifactEvent, BoardsEvent};

/// Takes note of an artifact: `Err` says why no rule need be asked.
pub(super) fn take_note(
    (_rules, _voice): (&RuleSet, &Voice<'_>),
    _on: &ArtifactEvent,
    known: &Known,
    _decision: &mut Decision,
) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    Ok(())
}

/// Takes note of the boards that an artifact is run on: `Err` says why no rule need be asked.
pub(super) fn take_note_of_boards(
    (_rules, _voice): (&RuleSet, &Voice<'_>),
    _found: &BoardsEvent,
    _known: &Known,
    _decision: &mut Decision,
) -> Result<(), String> {
    Err("no run waits for it".to_owned())
}

impl Case<'_> {
    /// Orders what `rule` wants of an artifact.
    pub(super) fn order_artifact(
        &self,
        (_rule, _build): (&Rule, &Build),
        _wanted: &mut Wanted,
    ) -> Result<(), Outcome> {
        Err(Outcome::Lacks { what: "a lab".to_owned() })
    }
}
