//! What a command makes happen, and how it is answered.

use globset::Glob;
use serde_json::{Value, json};

use super::answer::Replies;
use super::case::Case;
use super::decide::Breadth;
use super::texts::Voice;
use super::{Rule, RuleSet, proposal, text, trust};
use crate::command::{Command, Verb};
use crate::decision::{Approval, Considered, Decision, Known, Outcome, SubjectState};
use crate::event::command::CommandEvent;
use crate::event::proposal::Standing;
use crate::event::{Event, EventKind};
use crate::run::{Run, RunState};
use crate::subject::CommitSha;

/// Whether a command is to be answered at all: `Err` says why not.
pub(super) fn take_note(rules: &RuleSet, said: &CommandEvent, known: &Known) -> Result<(), String> {
    if known.is_repeat {
        return Err("this was told before".to_owned());
    }
    trust::is_heeded(rules, (&said.on.instance, &said.comment), known.given)
}

/// Does what a command asks for, and answers it.
pub(super) fn heed(
    (rules, voice): (&RuleSet, &Voice<'_>),
    (event, said): (&Event, &CommandEvent),
    (known, breadth): (&Known, Breadth),
    decision: &mut Decision,
) {
    let mut state = known.subject.clone().unwrap_or_else(|| first_state(said, known));
    let mut replies = Replies::default();
    if let Some(words) = refusal((rules, voice), said, (known, &state)) {
        decision.remarks.push(format!("it is refused: {words}"));
        replies.say(words);
    } else {
        let command = &said.command;
        if command.verb == Verb::Ok {
            approve((rules, voice), said, (&mut state, known.now), &mut replies);
        }
        let known = Known { subject: Some(state.clone()), ..known.clone() };
        let case = Case::new(rules, event, &known, voice);
        match command.verb {
            Verb::Ok if !replies.is_approval => {}
            Verb::Test | Verb::Retest | Verb::Ok => {
                case.build((breadth, command), decision, &mut replies);
            }
            Verb::Cancel => case.cancel((said, command), decision, &mut replies),
            Verb::Why => replies.say(case.why(command)),
            Verb::Help => replies.say(case.help()),
            Verb::Unknown => replies.say(case.unknown(command)),
        }
    }
    let case = Case::new(rules, event, known, voice);
    case.answer(&replies, &mut state, decision);
    // What nobody has told of is told yet: a command does not make it old news.
    let is_known = known.subject.is_some() || state.approval.is_some();
    if is_known && known.subject.as_ref() != Some(&state) {
        decision.subject = Some(state);
    }
}

/// The proposal as its forge tells it, where nothing was heard of it before.
fn first_state(said: &CommandEvent, known: &Known) -> SubjectState {
    let state = proposal::next_state(&said.on, &Known { subject: None, ..known.clone() });
    // Since when it has its head cannot be known.
    SubjectState { is_open: said.is_open, head_since: None, ..state }
}

/// Why the command is not heeded, in words for its giver.
fn refusal(
    (rules, voice): (&RuleSet, &Voice<'_>),
    said: &CommandEvent,
    (known, state): (&Known, &SubjectState),
) -> Option<String> {
    let limit = rules.directory.commands.per_hour();
    if known.given == limit {
        return Some(voice.say("answer-too-many", &json!({ "limit": limit })));
    }
    let verb = said.command.verb;
    let needs = match verb {
        Verb::Why | Verb::Help | Verb::Unknown => return None,
        Verb::Ok => Standing::Maintainer,
        Verb::Test | Verb::Retest | Verb::Cancel => Standing::Contributor,
    };
    let found = trust::giver(&rules.directory, said);
    let id = |id, name| trust::lasting(&rules.directory, &said.on.instance, (id, name));
    let giver = id(said.comment.author_id.as_ref(), &said.comment.author);
    let is_author = giver.is_some() && giver == id(said.on.author_id.as_ref(), &said.on.author);
    let is_approved = state
        .approval
        .as_ref()
        .is_some_and(|approval| Some(&approval.head) == said.on.head.sha.as_ref());
    let is_allowed = found >= needs || (verb != Verb::Ok && is_author && is_approved);
    if !is_allowed {
        let needs = match needs {
            Standing::Maintainer => "maintainers",
            Standing::Contributor | Standing::Stranger => "contributors and maintainers",
        };
        let by = text::shown(&said.comment.author);
        let values =
            json!({ "by": by, "found": found.as_str(), "needs": needs, "verb": verb.as_str() });
        return Some(voice.say("answer-forbidden", &values));
    }
    if verb == Verb::Cancel {
        return None;
    }
    if !said.is_open || !state.is_open {
        return Some(voice.say("answer-closed", &Value::Null));
    }
    let has_moved = state.head.is_some() && state.head != said.on.head.sha;
    if has_moved && verb != Verb::Ok {
        return Some(voice.say("answer-changed", &Value::Null));
    }
    None
}

/// Lets a commit be built, if it is the one that the giver could see.
fn approve(
    (rules, voice): (&RuleSet, &Voice<'_>),
    said: &CommandEvent,
    (state, now): (&mut SubjectState, i64),
    replies: &mut Replies,
) {
    let command = &said.command;
    if command.is_withdrawal() {
        let words = match state.approval.take() {
            Some(approval) => {
                voice.say("answer-withdrawn", &json!({ "short": approval.head.short() }))
            }
            None => voice.say("answer-not-approved", &Value::Null),
        };
        replies.say(words);
        return;
    }
    let prefix = rules.directory.commands.prefix();
    let Some(head) = said.on.head.sha.clone() else {
        replies.say(voice.say("answer-changed", &Value::Null));
        return;
    };
    match seen(said, state, &head) {
        Seen::This => {
            replies.say(voice.say("answer-approved", &json!({ "short": head.short() })));
            replies.is_approval = true;
            state.approval = Some(Approval {
                head,
                by: said.comment.author.clone(),
                by_id: said.comment.author_id.clone(),
                standing: trust::giver(&rules.directory, said),
                comment: said.comment.id.clone(),
                at: now,
            });
        }
        Seen::Another => {
            let given = command.sha.as_deref().map(text::shown);
            let values = json!({ "given": given, "head": head.as_str(), "prefix": prefix });
            replies.say(voice.say("answer-moved", &values));
        }
        Seen::Unknown => {
            let values = json!({ "head": head.as_str(), "prefix": prefix });
            replies.say(voice.say("answer-which-commit", &values));
        }
    }
}

/// Which commit the giver of an approval could see.
enum Seen {
    This,
    Another,
    Unknown,
}

/// Whether it is `head`, the commit that the proposal has now.
///
/// A whole commit id says it all.  The beginning of one can be imitated, and none says nothing: for
/// these the head must have been there before the comment was written.
fn seen(said: &CommandEvent, state: &SubjectState, head: &CommitSha) -> Seen {
    if state.head.as_ref().is_some_and(|known| known != head) {
        return Seen::Another;
    }
    let given = said.command.sha.as_deref().map(str::to_ascii_lowercase);
    if given.is_none() && !said.command.names.is_empty() {
        // Something was said that is no commit id that can be believed.
        return Seen::Unknown;
    }
    if let Some(given) = &given {
        if given.len() < Command::SHA_MIN {
            return Seen::Unknown;
        }
        if !head.as_str().starts_with(given.as_str()) {
            return Seen::Another;
        }
        if given == head.as_str() {
            return Seen::This;
        }
    }
    let written = said.comment.at.map(jiff::Timestamp::as_millisecond);
    match (state.head_since, written) {
        (Some(since), Some(written)) if since < written => Seen::This,
        (Some(_), Some(_)) => Seen::Another,
        (None, _) | (_, None) => Seen::Unknown,
    }
}

impl Case<'_> {
    /// Orders the builds that are asked for.
    fn build(
        &self,
        (breadth, command): (Breadth, &Command),
        decision: &mut Decision,
        replies: &mut Replies,
    ) {
        let here: Vec<&Rule> = self.here(breadth).collect();
        let known: Vec<&str> = here.iter().map(|rule| rule.name.as_str()).collect();
        let meant = self.meant(&command.names, &known, replies);
        for rule in here.into_iter().filter(|rule| meant(&rule.name)) {
            let runs_before = decision.runs.len();
            let outcome = self.ask(rule, decision);
            let run = decision.runs.get(runs_before).cloned();
            self.reply((rule, command), (&outcome, run.as_ref()), replies);
            decision.considered.push(Considered {
                rule: rule.name.clone(),
                at: rule.at.clone(),
                outcome,
            });
        }
    }

    /// The rules that can build this proposal.
    pub(super) fn here(&self, breadth: Breadth) -> impl Iterator<Item = &Rule> {
        // An approval is for whatever waits for it, also what is built by command only.
        let is_approval = self.event.kind() == EventKind::CommandOk;
        let asked: Vec<&Rule> = if is_approval {
            self.rules.rules.iter().collect()
        } else {
            self.rules.about(self.event, breadth).collect()
        };
        let head = self.event.pull_request().and_then(|on| on.head.sha.as_ref());
        asked.into_iter().filter(move |rule| {
            let waits = |run: &Run| {
                run.rule == rule.name
                    && run.state == RunState::Held
                    && head.is_some_and(|head| head.as_str() == run.revision)
            };
            let is_meant = !is_approval
                || rule.heeds.contains(&EventKind::CommandOk)
                || self.known.runs.iter().any(waits);
            is_meant && rule.build.is_some() && self.is_elsewhere(rule).is_none()
        })
    }

    /// Which of `known` are named; all, where no name is given.  Names that are none are answered.
    fn meant(
        &self,
        names: &[String],
        known: &[&str],
        replies: &mut Replies,
    ) -> impl Fn(&str) -> bool + use<> {
        let globs: Vec<_> = names
            .iter()
            .map(|name| (name.clone(), Glob::new(name).ok().map(|glob| glob.compile_matcher())))
            .collect();
        let is_all = names.is_empty();
        let covers = move |(name, glob): &(String, Option<globset::GlobMatcher>), rule: &str| {
            name == rule || glob.as_ref().is_some_and(|glob| glob.is_match(rule))
        };
        for named in globs.iter().filter(|named| !known.iter().any(|rule| covers(named, rule))) {
            let nearest = super::fault::nearest(&named.0, known.iter().copied());
            let values = json!({
                "name": text::shown(&named.0),
                "nearest": nearest,
                "known": known.iter().map(|name| text::shown(name)).collect::<Vec<_>>(),
            });
            replies.say(self.voice.say("answer-unknown-rule", &values));
        }
        move |rule| is_all || globs.iter().any(|named| covers(named, rule))
    }

    /// The line about one rule in the answer to a command.
    fn reply(
        &self,
        (rule, command): (&Rule, &Command),
        (outcome, run): (&Outcome, Option<&Run>),
        replies: &mut Replies,
    ) {
        let is_asked_for = !command.names.is_empty() || command.verb != Verb::Ok;
        let name = text::shown(&rule.name);
        match outcome {
            Outcome::Fired { .. } => {
                let line = self.voice.say("answer-started", &json!({ "rule": name }));
                let shows = run.is_some_and(|run| self.has_flag(run));
                if shows { replies.shown_by_flag(line) } else { replies.say(line) }
            }
            Outcome::Held { .. } => {
                replies.say(self.voice.say("answer-held", &json!({ "rule": name })));
            }
            Outcome::Already { run } if is_asked_for => {
                let earlier = self.known.runs.iter().find(|known| known.id.as_str() == run);
                replies.say(self.already(&name, earlier));
            }
            Outcome::Not { .. } | Outcome::Already { .. } if !is_asked_for => {}
            Outcome::Shadow { .. }
            | Outcome::Elsewhere { .. }
            | Outcome::Not { .. }
            | Outcome::Failed { .. }
            | Outcome::Already { .. }
            | Outcome::Asks
            | Outcome::OptedOut { .. }
            | Outcome::Untrusted { .. }
            | Outcome::Lacks { .. } => {
                let values = json!({ "rule": name, "reason": self.reason(outcome) });
                replies.say(self.voice.say("answer-not-started", &values));
            }
        }
    }

    /// Stops what is asked for.
    fn cancel(
        &self,
        (said, command): (&CommandEvent, &Command),
        decision: &mut Decision,
        replies: &mut Replies,
    ) {
        let is_open = |run: &&Run| !run.state.is_done() && run.cancelling.is_none();
        let open: Vec<&Run> = self.known.runs.iter().filter(is_open).collect();
        let known: Vec<&str> = open.iter().map(|run| run.rule.as_str()).collect();
        let meant = self.meant(&command.names, &known, replies);
        let by = text::shown(&said.comment.author);
        for run in open.into_iter().filter(|run| meant(&run.rule)) {
            let about = (self.rules, self.voice, self.known);
            proposal::cancel(about, run, format!("{by} asked for it"), decision);
            let line =
                self.voice.say("answer-cancelled", &json!({ "rule": text::shown(&run.rule) }));
            if self.has_flag(run) { replies.shown_by_flag(line) } else { replies.say(line) }
        }
    }
}
