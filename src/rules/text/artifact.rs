//! What is told about an artifact: how far it is on each kind of board.

use serde_json::{Value, json};

use super::series::Room;
use super::{Told, address, state};
use crate::action::{Form, OnBoard, Stage};
use crate::neutral;
use crate::rules::texts::Voice;
use crate::run::OfArtifact;
use crate::subject::Verdict;

/// How many boards are told of by name in the few words beside a state.
const NAMED_MAX: usize = 5;

/// The words about a run of an artifact.
pub(super) fn words(voice: &Voice<'_>, told: &Told<'_>, of: &OfArtifact, form: Form) -> String {
    let room = Room::of(form, told.is_letter);
    let sentence = match (room, form) {
        (Room::Few, _) => "artifact-flag",
        (Room::Letter, _) => "artifact-letter",
        (Room::Lines, Form::Comment) => "artifact-comment",
        (Room::Lines, Form::Flag | Form::Message) => "artifact-message",
    };
    let said = voice.say(sentence, &values(voice, told, (of, room)));
    match room {
        Room::Few => said.split_whitespace().collect::<Vec<_>>().join(" "),
        Room::Lines | Room::Letter => said.trim().to_owned(),
    }
}

/// The artifact, as the words of a report may speak of it.
pub(super) fn of_artifact(of: &OfArtifact) -> Value {
    let artifact = &of.of.artifact;
    json!({
        "name": artifact.name, "kind": artifact.kind, "version": artifact.version,
        "build": artifact.build, "url": artifact.url,
    })
}

/// The boards, as the words of a report may speak of them.
pub(super) fn of_boards(boards: &[OnBoard]) -> Value {
    let one = |one: &OnBoard| {
        json!({
            "board": one.board, "stage": one.stage.as_str(), "reason": one.reason,
            "url": one.url, "attempt": one.attempt,
        })
    };
    boards.iter().map(one).collect()
}

fn values(voice: &Voice<'_>, told: &Told<'_>, (of, room): (&OfArtifact, Room)) -> Value {
    let fit = |text: &str| room.fit(text);
    let artifact = &of.of.artifact;
    let boards = told.boards;
    let width = boards.iter().map(|one| one.board.chars().count()).max().unwrap_or(0);
    let rows: Vec<Value> = boards.iter().map(|one| row(voice, one, (room, width))).collect();
    let is_done = |one: &&OnBoard| matches!(one.stage, Stage::Done(_));
    let has_passed =
        |one: &&OnBoard| matches!(one.stage, Stage::Done(Verdict::Success | Verdict::Skipped));
    let bad = boards.iter().filter(|one| is_bad(one)).map(|one| fit(&one.board));
    let last = told.previous.map(Stage::Done).filter(|last| *last != told.stage);
    json!({
        "rule": fit(&of.rule),
        "state": state(voice, told.stage),
        "stage": told.stage.as_str(),
        "previous": last.map(|last| state(voice, last)),
        "name": fit(&artifact.name),
        "version": artifact.version.as_deref().map(fit),
        "build": fit(&artifact.build),
        "url": address(artifact.url.as_deref()),
        "reason": told.reason.map(fit).filter(|reason| !reason.is_empty()),
        "page": address(told.run.ticket.url.as_deref()),
        "number": told.run.ticket.number,
        "boards": rows,
        "total": boards.len(),
        "done": boards.iter().filter(is_done).count(),
        "passed": boards.iter().filter(has_passed).count(),
        "bad": bad.take(NAMED_MAX).collect::<Vec<_>>(),
        "more": boards.iter().filter(|one| is_bad(one)).count().saturating_sub(NAMED_MAX),
    })
}

fn row(voice: &Voice<'_>, one: &OnBoard, (room, width): (Room, usize)) -> Value {
    let reason = one.reason.as_deref().map(|reason| room.fit(reason));
    let board = neutral::plain(&one.board);
    json!({
        "board": room.fit(&one.board),
        "padded": format!("{board:width$}"),
        "state": state(voice, one.stage),
        "stage": one.stage.as_str(),
        "reason": reason.filter(|reason| !reason.is_empty()),
        "url": address(one.url.as_deref()),
        "attempt": one.attempt,
        "is_bad": is_bad(one),
    })
}

fn is_bad(one: &OnBoard) -> bool {
    matches!(one.stage, Stage::Done(verdict) if verdict.is_bad() || verdict == Verdict::Cancelled)
}
