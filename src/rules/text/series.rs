//! What is told about a series: where it was put, whose fault a failure is, and how to ask again.

use serde_json::{Value, json};

use super::{Told, address, short, state};
use crate::action::{Form, Stage};
use crate::event::series::{Branch, Letter, Refusal, Tried};
use crate::neutral;
use crate::rules::texts::Voice;
use crate::run::{OfSeries, Role};
use crate::subject::{CommitSha, Verdict};

/// How many of the bases that were tried are told of.
const TRIED_MAX: usize = 8;
/// The longest text from outside in the few words beside a state.
const FEW_MAX_CHARS: usize = 120;

/// How much room there is for words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Room {
    /// A few words, shown as they are.
    Few,
    /// A line or two of Markdown, with links.
    Lines,
    /// A letter: all that is known, as Markdown.
    Letter,
}

impl Room {
    /// The room that a form has; `writes_letters` says whether its messages are letters.
    pub(in crate::rules) fn of(form: Form, writes_letters: bool) -> Self {
        match form {
            Form::Flag => Self::Few,
            Form::Message if writes_letters => Self::Letter,
            Form::Message | Form::Comment => Self::Lines,
        }
    }

    /// The name of the sentence.
    fn sentence(self) -> &'static str {
        match self {
            Self::Few => "series-flag",
            Self::Lines => "series-check",
            Self::Letter => "series-letter",
        }
    }

    /// Text from outside, fit for it.
    pub(super) fn fit(self, text: &str) -> String {
        match self {
            // It is shown as it is; escapes would be seen in it.
            Self::Few => {
                let line = neutral::plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
                match line.char_indices().nth(FEW_MAX_CHARS) {
                    Some((end, _)) => line.get(..end).unwrap_or_default().to_owned() + "…",
                    None => line,
                }
            }
            Self::Lines | Self::Letter => neutral::line(text),
        }
    }
}

/// The words about a run of a series, or of a part of one.
pub(super) fn words(voice: &Voice<'_>, told: &Told<'_>, of: &OfSeries, room: Room) -> String {
    let said = voice.say(room.sentence(), &Facts { told, of, room }.values(voice));
    match room {
        Room::Few => said.split_whitespace().collect::<Vec<_>>().join(" "),
        Room::Lines | Room::Letter => said.trim().to_owned(),
    }
}

/// What is known, to be said in some room.
struct Facts<'a> {
    told: &'a Told<'a>,
    of: &'a OfSeries,
    room: Room,
}

impl Facts<'_> {
    /// Everything that the sentences may use, fit to be shown.
    fn values(&self, voice: &Voice<'_>) -> Value {
        let Self { told, of, room } = self;
        let series = &of.of.series;
        let fit = |text: &str| room.fit(text);
        let (part, patch) = match of.role {
            Role::Apply => ("apply", None),
            Role::Base => ("base", None),
            Role::Whole => ("build", None),
            Role::Prefix(patch) | Role::Bisect(patch) => ("build", Some(patch)),
        };
        let refusal = of.refusal.as_ref();
        let tried = self.tried();
        json!({
            "rule": self.rule().map(fit),
            "state": self.state(voice),
            "stage": told.stage.as_str(),
            "part": part,
            "previous": self.previous(voice),
            "title": Some(fit(&series.title)).filter(|title| !title.is_empty()),
            "version": series.version,
            "count": series.patches.len(),
            "url": address(series.url.as_deref()),
            "patch": patch,
            "base": self.base(),
            "branch": of.branch.as_ref().and_then(fetched),
            "is_merged": of.branch.as_ref().is_some_and(|branch| branch.is_merged),
            "tried": tried.iter().take(TRIED_MAX).map(|one| self.base_tried(one)).collect::<Vec<_>>(),
            "more": tried.len().saturating_sub(TRIED_MAX),
            "bad_patch": refusal.and_then(|refusal| refusal.patch),
            "bad_title": self.title_of(refusal.and_then(|refusal| refusal.patch)),
            "place": refusal.and_then(place).map(|place| fit(&place)),
            "blamed": of.blamed,
            "blamed_title": self.title_of(of.blamed),
            "was_broken": of.was_broken,
            "reason": told.reason.map(fit).filter(|reason| !reason.is_empty()),
            "build": self.build(),
            "ask": self.ask(),
        })
    }

    /// The rule as people know it; putting a series on a branch is no rule's alone.
    fn rule(&self) -> Option<&str> {
        match self.of.role {
            Role::Apply => None,
            Role::Whole => Some(&self.told.run.rule),
            Role::Prefix(_) | Role::Bisect(_) | Role::Base => Some(&self.of.rule),
        }
    }

    fn state(&self, voice: &Voice<'_>) -> String {
        let is_apply = self.of.role == Role::Apply;
        let name = match self.told.stage {
            Stage::Done(Verdict::Success) if is_apply => "series-applied",
            Stage::Done(Verdict::Failure | Verdict::Error) if is_apply => "series-refused",
            Stage::Queued if is_apply && self.of.refusal.is_some() => "series-waiting",
            Stage::Queued | Stage::Running if is_apply => "series-applying",
            Stage::Held | Stage::Queued | Stage::Running | Stage::Done(_) => {
                return state(voice, self.told.stage);
            }
        };
        voice.say(name, &json!({}))
    }

    /// The last verdict, where this one is another.
    fn previous(&self, voice: &Voice<'_>) -> Option<String> {
        let last = self.told.previous.map(Stage::Done).filter(|last| *last != self.told.stage);
        last.map(|last| state(voice, last))
    }

    /// What it is upon, or else the base that it is nearest to.
    fn base(&self) -> Option<Value> {
        if let Some(branch) = &self.of.branch {
            let base = &branch.base;
            let why = Some(self.room.fit(&base.why)).filter(|why| !why.is_empty());
            return Some(self.commit(&base.branch, &base.sha, ("why", why)));
        }
        let is_conflict = self.told.stage == Stage::Done(Verdict::Conflict);
        let nearest = nearest(self.of.refusal.as_ref().filter(|_| is_conflict)?)?;
        Some(self.commit(&nearest.branch, &nearest.sha, ("why", None)))
    }

    /// The bases that were tried, whether one was found at last or not.
    fn tried(&self) -> &[Tried] {
        match (&self.of.branch, &self.of.refusal) {
            (Some(branch), _) => &branch.tried,
            (None, Some(refusal)) => &refusal.tried,
            (None, None) => &[],
        }
    }

    fn base_tried(&self, one: &Tried) -> Value {
        let why_not = Some(self.room.fit(&one.why_not)).filter(|why_not| !why_not.is_empty());
        self.commit(&one.branch, &one.sha, ("why_not", why_not))
    }

    fn commit(&self, branch: &str, sha: &CommitSha, (name, why): (&str, Option<String>)) -> Value {
        json!({ "branch": self.room.fit(branch), "short": sha.short(), name: why })
    }

    fn title_of(&self, patch: Option<u32>) -> Option<String> {
        let index = usize::try_from(patch?).ok()?.checked_sub(1)?;
        let Letter { title, .. } = self.of.of.series.patches.get(index)?;
        Some(self.room.fit(title)).filter(|title| !title.is_empty())
    }

    fn build(&self) -> Option<Value> {
        let ticket = &self.told.run.ticket;
        let url = address(ticket.url.as_deref())?;
        Some(json!({ "number": ticket.number, "url": url }))
    }

    /// The line by which it is asked for again.
    fn ask(&self) -> Option<String> {
        let Stage::Done(verdict) = self.told.stage else { return None };
        let rules = match self.of.role {
            Role::Apply => self.of.wanted_by.join(", "),
            Role::Whole | Role::Prefix(_) | Role::Bisect(_) | Role::Base => self.of.rule.clone(),
        };
        let line = format!("Recheck-request: {}", self.room.fit(&rules));
        verdict.is_bad().then(|| line.trim_end().to_owned())
    }
}

/// The base that the reason is about, as it says; the first one where it says none.
fn nearest(refusal: &Refusal) -> Option<&Tried> {
    let is_named = |one: &&Tried| refusal.reason.starts_with(&format!("on `{}`, ", one.branch));
    refusal.tried.iter().find(is_named).or_else(|| refusal.tried.first())
}

/// Where a patch does not apply.
fn place(refusal: &Refusal) -> Option<String> {
    let file = refusal.file.as_ref()?;
    Some(match refusal.line {
        Some(line) => format!("{file}:{line}"),
        None => file.clone(),
    })
}

/// Where a branch can be fetched, if that can be written as a command that does only that.
fn fetched(branch: &Branch) -> Option<Value> {
    let is_word = |text: &str| {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/=%+@".contains(&byte);
        !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_sign)
    };
    let is_plain = is_word(&branch.url) && is_word(&branch.name);
    let Branch { url, name, sha, .. } = branch;
    is_plain.then(|| json!({ "url": url, "name": name, "short": short(sha.as_str()) }))
}

#[cfg(test)]
mod tests;
