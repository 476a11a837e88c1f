//! Every sentence that people read, in one place.

use serde_json::Value;

use crate::action::{Form, Stage};
use crate::decision::Outcome;
use crate::expression::{self, ExpressionError, Text};
use crate::message::hash;
use crate::neutral;
use crate::run::{ReportTo, Run};
use crate::subject::Verdict;

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

/// Whether we wrote `text` ourselves: it ends with a marker.
pub(super) fn is_ours(text: &str) -> bool {
    let last = text.trim_end().rsplit('\n').next().unwrap_or_default();
    last.trim_matches(['`', ' ', '\r'])
        .strip_prefix(SIGNATURE)
        .is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Renders words for people; what comes from outside is neutralised.
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

/// What is told about a run.
pub(super) struct Told<'a> {
    pub(super) run: &'a Run,
    pub(super) stage: Stage,
    pub(super) reason: Option<&'a str>,
    pub(super) previous: Option<Verdict>,
}

impl Told<'_> {
    /// The operator's words, or the default ones.
    pub(super) fn words(&self, to: &ReportTo) -> Result<String, ExpressionError> {
        match &to.text {
            None => Ok(self.default_words(to.form)),
            Some(source) => {
                Text::parse(source)?.render(&expression::context(&neutralised(&self.names())))
            }
        }
    }

    /// The words where the operator wrote none: a few on a flag, a line with a link elsewhere.
    pub(super) fn default_words(&self, form: Form) -> String {
        let state = self.state();
        // A flag is shown as it is; escapes would be seen in it.
        let neutralise: fn(&str) -> String = match form {
            Form::Flag => |text| neutral::plain(text).replace('\n', " "),
            Form::Comment | Form::Message => neutral::line,
        };
        let state = match self.reason.map(neutralise).filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("{state}: {reason}"),
            None => state.to_owned(),
        };
        if form == Form::Flag {
            return format!("{}: {state}", self.run.rule);
        }
        let short: String = self.run.revision.chars().take(12).collect();
        let rule = neutral::line(&self.run.rule);
        let mut words = format!("**{rule}** at {short}: {state}");
        if let (Some(url), Some(number)) = (&self.run.ticket.url, self.run.ticket.number) {
            let link = if is_plain_address(url) {
                format!(" ([build {number}]({url}))")
            } else {
                format!(" (build {number})")
            };
            words.push_str(&link);
        }
        words
    }

    fn state(&self) -> &'static str {
        match self.stage {
            Stage::Held => "waiting for approval",
            Stage::Queued => "waiting in the queue",
            Stage::Running => "running",
            Stage::Done(Verdict::Success) => "passed",
            Stage::Done(Verdict::Failure) => "failed",
            Stage::Done(Verdict::Unstable) => "some tests failed",
            Stage::Done(Verdict::Error) => "could not be built, through no fault of the change",
            Stage::Done(Verdict::Cancelled) => "cancelled",
            Stage::Done(Verdict::Skipped) => "skipped",
        }
    }

    fn names(&self) -> Value {
        let run = self.run;
        let verdict = match self.stage {
            Stage::Done(verdict) => Some(verdict),
            Stage::Held | Stage::Queued | Stage::Running => None,
        };
        serde_json::json!({
            "rule": run.rule,
            "stage": self.stage.as_str(),
            "verdict": verdict,
            "reason": self.reason,
            "subject": run.subject.key(),
            "project": run.subject.project,
            "number": run.subject.number,
            "revision": run.revision,
            "short": run.revision.chars().take(12).collect::<String>(),
            "build": {
                "job": run.ticket.job, "number": run.ticket.number, "url": run.ticket.url,
            },
            "run": { "id": run.id, "attempt": run.attempt },
            "previous": { "verdict": self.previous },
        })
    }
}
