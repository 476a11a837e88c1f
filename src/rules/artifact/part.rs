//! A run on one kind of board: how it ends, and what that means for the run on all of them.

use crate::action::{OnBoard, Stage};
use crate::decision::{Decision, Waiting};
use crate::rules::report::Scene;
use crate::rules::text;
use crate::run::{BoardPart, Run, RunState};
use crate::subject::Verdict;

/// What the run on one kind of board is called.
pub(super) fn name(rule: &str, board: &str) -> String {
    format!("{rule}/{board}")
}

/// How far the run on a board is.
pub(super) fn on_board(run: &Run) -> Option<OnBoard> {
    let BoardPart::Board(board) = &run.artifact.as_ref()?.part else { return None };
    Some(OnBoard {
        board: board.clone(),
        stage: text::stage(run.state).unwrap_or(Stage::Queued),
        reason: run.reason.clone(),
        url: run.ticket.url.clone(),
        attempt: run.attempt,
    })
}

/// The boards, with the runs that the same decision has changed in the place of those known.
pub(super) fn boards(known: &[OnBoard], changed: &[Run]) -> Vec<OnBoard> {
    let mut boards: Vec<OnBoard> = known.to_vec();
    for new in changed.iter().filter_map(on_board) {
        match boards.iter_mut().find(|old| old.board == new.board) {
            Some(old) if old.attempt <= new.attempt => *old = new,
            Some(_) => {}
            None => boards.push(new),
        }
    }
    boards.sort_by(|one, other| one.board.cmp(&other.board));
    boards
}

/// What a change of `changed`, the runs on one board, means for the run on all of them.
pub(in crate::rules) fn moved(scene: &Scene<'_>, changed: &[Run], decision: &mut Decision) {
    // One that has ended goes on where a run that was given up is dug out.
    let is_wanted = |whole: &&Waiting| whole.run.cancelling.is_none();
    let Some(whole) = scene.known.whole.as_ref().filter(is_wanted) else { return };
    let boards = boards(&scene.known.on_boards, changed);
    let meant = match whole.run.artifact.as_ref().map(|of| &of.part) {
        Some(BoardPart::All(Some(meant))) => meant.len(),
        Some(BoardPart::All(None) | BoardPart::Only | BoardPart::Board(_)) | None => return,
    };
    let done = boards.iter().filter(|one| matches!(one.stage, Stage::Done(_))).count();
    let has_begun = |one: &OnBoard| !matches!(one.stage, Stage::Queued | Stage::Held);
    let state = if done >= meant {
        RunState::Done(worst(&boards))
    } else if boards.iter().any(has_begun) {
        RunState::Running
    } else {
        whole.run.state
    };
    let has_ended = changed.iter().any(|run| run.state.is_done());
    if state == whole.run.state && (!has_ended || state.is_done()) {
        return;
    }
    let run = Run { state, ..whole.run.clone() };
    let scene = Scene { changed, is_outdated: whole.is_outdated, ..*scene };
    if let Some(stage) = text::stage(state) {
        if state.is_done() {
            decision.remarks.push(format!("run {} is {}", run.id, state.as_str()));
        }
        decision.actions.extend(scene.told(&run, stage, whole.previous));
    }
    decision.runs.push(run);
}

/// The verdict of all together: the worst.
fn worst(boards: &[OnBoard]) -> Verdict {
    const WORST_FIRST: [Verdict; 6] = [
        Verdict::Failure,
        Verdict::Conflict,
        Verdict::Unstable,
        Verdict::Error,
        Verdict::Cancelled,
        Verdict::Success,
    ];
    let is_there = |verdict: &Verdict| boards.iter().any(|one| one.stage == Stage::Done(*verdict));
    WORST_FIRST.into_iter().find(is_there).unwrap_or(Verdict::Skipped)
}
