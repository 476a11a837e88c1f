//! Words for people: markers, what is fit to be shown, and how far a run is.

use serde_json::{Value, json};

use self::series::Room;
use super::texts::Voice;
use crate::action::{Form, OnBoard, Stage};
use crate::decision::Outcome;
use crate::expression::{self, Text};
use crate::message::hash;
use crate::neutral;
use crate::run::{OfSeries, ReportTo, Run, RunState};
use crate::subject::Verdict;

mod artifact;
mod series;

/// What stands before a marker in a text.
const SIGNATURE: &str = "pointsman:";

/// A word that stands in one text of ours and nowhere else.
pub(super) fn marker(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
    format!("{SIGNATURE}{}", hash(&parts))
}

/// `words`, with the marker by which they are found again as a last line that disturbs nobody.
pub(super) fn signed(words: &str, marker: &str) -> String {
    format!("{}\n\n`{marker}`", words.trim_end())
}

/// As [`signed`], for a version of the one comment that `board` stands for; nobody sees the line.
pub(super) fn signed_board(words: &str, marker: &str, board: &str) -> String {
    format!("{}\n\n<!-- {marker} {board} -->", words.trim_end())
}

/// Whether we wrote `text` ourselves: it ends with a marker.
pub(super) fn is_ours(text: &str) -> bool {
    let last = text.trim_end().rsplit('\n').next().unwrap_or_default();
    let last = last.trim_start_matches(['`', ' ', '<', '!', '-']);
    last.strip_prefix(SIGNATURE).and_then(|rest| rest.get(..32)).is_some_and(|id| {
        let rest = last.get(SIGNATURE.len() + 32..).unwrap_or_default();
        id.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !rest.starts_with(|c: char| c.is_alphanumeric())
    })
}

/// Text from outside, fit to be shown.
pub(super) fn shown(text: &str) -> String {
    neutral::line(text)
}

/// An address that stays a link; none where it could be read as anything else.
pub(super) fn address(url: Option<&str>) -> Option<&str> {
    url.filter(|url| is_plain_address(url))
}

/// Renders an operator's words for people; what comes from outside is neutralised.
pub(super) fn render(text: &Text, names: &Value) -> Result<String, Outcome> {
    text.render(&expression::context(&neutralised(names))).map_err(|error| Outcome::Failed {
        expression: text.source().to_owned(),
        error: error.message,
    })
}

/// A copy of `value` in which no text can do anything but be read.  Web addresses stay links.
fn neutralised(value: &Value) -> Value {
    match value {
        Value::String(text) if is_plain_address(text) => value.clone(),
        Value::String(text) => Value::String(neutral::line(text)),
        Value::Array(list) => list.iter().map(neutralised).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), neutralised(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether `text` is a web address without anything that Markdown or HTML would read.
fn is_plain_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#&=%+".contains(&byte))
}

/// How far a run is, as people are told; nothing where there is nothing to tell yet.
pub(super) fn stage(state: RunState) -> Option<Stage> {
    match state {
        RunState::Held => Some(Stage::Held),
        RunState::Ordered => None,
        RunState::Queued => Some(Stage::Queued),
        RunState::Running => Some(Stage::Running),
        RunState::Done(verdict) => Some(Stage::Done(verdict)),
    }
}

/// The few words for how far a run is.
pub(super) fn state(voice: &Voice<'_>, stage: Stage) -> String {
    voice.say(&format!("state-{}", stage.as_str()), &json!({}))
}

/// What is told about a run.
pub(super) struct Told<'a> {
    pub(super) run: &'a Run,
    pub(super) stage: Stage,
    pub(super) reason: Option<&'a str>,
    pub(super) previous: Option<Verdict>,
    /// Whether it is told in a letter, which has room for more.
    pub(super) is_letter: bool,
    /// How far it is on each kind of board, where it is about an artifact.
    pub(super) boards: &'a [OnBoard],
}

impl Told<'_> {
    /// The operator's words, or else the usual ones: a few on a flag, a line with a link elsewhere.
    pub(super) fn words(&self, voice: &Voice<'_>, to: &ReportTo) -> String {
        let Some(source) = &to.text else { return self.usual_words(voice, to.form) };
        let names = neutralised(&self.names());
        let rendered =
            Text::parse(source).and_then(|text| text.render(&expression::context(&names)));
        rendered.unwrap_or_else(|error| {
            // The operator's words failed; the verdict is told all the same.
            voice.note(&format!("of a report of `{}`", self.run.rule), &error);
            self.usual_words(voice, to.form)
        })
    }

    fn usual_words(&self, voice: &Voice<'_>, form: Form) -> String {
        if let Some(of) = &self.run.series {
            return series::words(voice, self, of, Room::of(form, self.is_letter));
        }
        if let Some(of) = &self.run.artifact {
            return artifact::words(voice, self, of, form);
        }
        let state = state(voice, self.stage);
        if form == Form::Flag {
            // A flag is shown as it is; escapes would be seen in it.
            let reason = self.reason.map(|text| neutral::plain(text).replace('\n', " "));
            let reason = reason.filter(|reason| !reason.is_empty());
            let values = json!({ "rule": self.run.rule, "state": state, "reason": reason });
            return voice.say("flag", &values);
        }
        let ticket = &self.run.ticket;
        let number = ticket.number.filter(|_| ticket.url.is_some());
        let values = json!({
            "rule": neutral::line(&self.run.rule),
            "short": short(&self.run.revision),
            "state": state,
            "reason": self.reason.map(neutral::line).filter(|reason| !reason.is_empty()),
            "url": number.and_then(|_| address(ticket.url.as_deref())),
            "number": number,
        });
        voice.say("check", &values)
    }

    fn names(&self) -> Value {
        let run = self.run;
        let verdict = match self.stage {
            Stage::Done(verdict) => Some(verdict),
            Stage::Held | Stage::Queued | Stage::Running => None,
        };
        let of = run.series.as_deref();
        json!({
            "rule": run.rule,
            "stage": self.stage.as_str(),
            "verdict": verdict,
            "reason": self.reason,
            "subject": run.subject.key(),
            "project": run.subject.project,
            "number": run.subject.number,
            "revision": run.revision,
            "short": short(&run.revision),
            "build": {
                "job": run.ticket.job, "number": run.ticket.number, "url": run.ticket.url,
            },
            "run": { "id": run.id, "attempt": run.attempt },
            "previous": { "verdict": self.previous },
            "series": of.map(of_series),
            "branch": of.and_then(|of| Some(of.branch.as_ref()?.names(None))),
            "artifact": run.artifact.as_deref().map(artifact::of_artifact),
            "boards": artifact::of_boards(self.boards),
            "blamed": of.and_then(|of| of.blamed),
            "was_broken": of.is_some_and(|of| of.was_broken),
        })
    }
}

/// A series, as the words of a report may speak of it.
fn of_series(of: &OfSeries) -> Value {
    let series = &of.of.series;
    json!({
        "id": series.id, "version": series.version, "title": series.title, "url": series.url,
        "root": series.root, "count": series.patches.len(),
    })
}

/// The first digits of a revision, for people.
pub(super) fn short(revision: &str) -> String {
    revision.chars().take(12).collect()
}
