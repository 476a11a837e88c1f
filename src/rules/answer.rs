//! Answers to commands: what is said, and where.

use serde_json::{Value, json};

use super::case::{Case, lane};
use super::report::{board_lane, board_slot, board_word};
use super::text;
use crate::action::{Action, Board, Form, Notice, Task};
use crate::command::{Command, Verb};
use crate::decision::{Answer, Decision, Outcome, Past, SubjectState};
use crate::event::Event;
use crate::event::command::CommandEvent;
use crate::run::{Run, RunState, When};
use crate::subject::{ConnectionName, Verdict};

/// What is said in answer to a command.
#[derive(Default)]
pub(super) struct Replies {
    lines: Vec<String>,
    /// Whether there is something that no flag shows.
    has_to_be_said: bool,
    /// Whether the command lets a commit be built.
    pub(super) is_approval: bool,
}

impl Replies {
    /// Says `line`.
    pub(super) fn say(&mut self, line: String) {
        self.lines.push(line);
        self.has_to_be_said = true;
    }

    /// Says `line`, which a flag on the commit shows as well.
    pub(super) fn shown_by_flag(&mut self, line: String) {
        self.lines.push(line);
    }
}

impl Case<'_> {
    /// Answers the command of the event; where flags on the commit show it all, they are the
    /// answer.
    pub(super) fn answer(
        &self,
        replies: &Replies,
        state: &mut SubjectState,
        decision: &mut Decision,
    ) {
        let Event::Command(said) = self.event else { return };
        if !replies.has_to_be_said && !replies.lines.is_empty() {
            return;
        }
        let words = if replies.lines.is_empty() {
            self.voice.say("answer-nothing", &Value::Null)
        } else {
            replies.lines.join("\n")
        };
        let answer = Answer {
            comment: said.comment.id.clone(),
            by: text::shown(&said.comment.author),
            command: text::shown(&said.command.text),
            words,
            at: self.known.now,
        };
        let directory = &self.rules.directory;
        let forge = directory.forge_at(&said.on.instance);
        let can_comment = |forge: &&ConnectionName| {
            directory.find(forge).is_some_and(|forge| forge.forms.contains(&Form::Comment))
        };
        let Some(forge) = forge.filter(can_comment) else {
            decision.remarks.push("there is no place for an answer".to_owned());
            return;
        };
        let action = if self.scene().edits(forge) {
            state.keep_answers(self.known.now);
            state.answers.push(answer);
            let surplus = state.answers.len().saturating_sub(SubjectState::ANSWERS_MAX);
            state.answers.drain(..surplus);
            self.answer_on_board(said, forge, (&state.answers, &decision.runs))
        } else {
            self.answer_alone(said, forge, &answer)
        };
        decision.actions.push(action);
    }

    /// A comment of its own.
    fn answer_alone(&self, said: &CommandEvent, forge: &ConnectionName, answer: &Answer) -> Action {
        let subject = said.on.subject();
        let identity = self.event.identity();
        let marker = text::marker(&["answer", &identity]);
        let values = json!({ "by": answer.by, "command": answer.command, "words": answer.words });
        let words = text::signed(&self.voice.say("answer", &values), &marker);
        Action {
            key: format!("answer/{identity}"),
            lane: lane(&subject, "*", forge),
            slot: None,
            connection: forge.clone(),
            run: None,
            delay: None,
            task: Task::Notify(Notice {
                rule: said.command.verb.as_str().to_owned(),
                subject,
                text: words,
                marker,
                board: None,
                series: None,
            }),
        }
    }

    /// A new version of the one comment.
    fn answer_on_board(
        &self,
        said: &CommandEvent,
        forge: &ConnectionName,
        (answers, runs): (&[Answer], &[Run]),
    ) -> Action {
        let subject = said.on.subject();
        let identity = self.event.identity();
        let revision = said.on.head.sha.as_ref().map(ToString::to_string).unwrap_or_default();
        let words = self.scene().board((&subject, forge, &revision), runs, answers);
        let marker = text::marker(&["answer", &identity]);
        let board = Board { word: board_word(&subject, forge), is_news: true };
        Action {
            key: format!("answer/{identity}"),
            lane: board_lane(&subject, forge),
            slot: Some(board_slot(&subject, forge, true)),
            connection: forge.clone(),
            run: None,
            delay: None,
            task: Task::Notify(Notice {
                rule: said.command.verb.as_str().to_owned(),
                text: text::signed_board(&words, &marker, &board.word),
                subject,
                marker,
                board: Some(board),
                series: None,
            }),
        }
    }

    /// Whether a flag at the origin shows how far `run` is.
    pub(super) fn has_flag(&self, run: &Run) -> bool {
        let forge = self.rules.directory.forge_at(&run.subject.instance);
        run.reports
            .iter()
            .any(|to| to.form == Form::Flag && to.when != When::Never && Some(&to.to) == forge)
    }

    /// The line about a rule that has built the commit already, or is at it.
    pub(super) fn already(&self, rule: &str, run: Option<&Run>) -> String {
        let Some(run) = run else {
            return self.voice.say("answer-pending", &pending(rule, "ordered", None));
        };
        if matches!(run.state, RunState::Done(Verdict::Success | Verdict::Skipped)) {
            let prefix = self.rules.directory.commands.prefix();
            return self.voice.say("answer-passed", &json!({ "rule": rule, "prefix": prefix }));
        }
        let stage = text::stage(run.state).unwrap_or(crate::action::Stage::Queued);
        let words = text::state(self.voice, stage);
        self.voice.say("answer-pending", &pending(rule, &words, Some(run)))
    }

    /// What can be said, and which checks there are.
    pub(super) fn help(&self) -> String {
        let rules: Vec<_> =
            self.rules.building(self.event).map(|rule| text::shown(&rule.name)).collect();
        let prefix = self.rules.directory.commands.prefix();
        self.voice.say("help", &json!({ "prefix": prefix, "rules": rules }))
    }

    /// The answer to a word that is no command.
    pub(super) fn unknown(&self, command: &Command) -> String {
        let known = Verb::ALL.map(Verb::as_str);
        let nearest = self.rules.directory.commands.nearest(command);
        let values = json!({
            "command": text::shown(&command.text),
            "nearest": nearest.map(|verb| format!("did you mean `{}`?", verb.as_str())),
            "known": known,
        });
        self.voice.say("answer-unknown-command", &values)
    }

    /// Why something was built or not: the last events, and what each rule said to them.
    pub(super) fn why(&self, command: &Command) -> String {
        let is_meant =
            |rule: &str| command.names.is_empty() || command.names.iter().any(|name| name == rule);
        let event = |past: &Past| {
            let rules: Vec<_> = past
                .decision
                .considered
                .iter()
                .filter(|considered| is_meant(&considered.rule))
                .map(|considered| {
                    json!({
                        "name": text::shown(&considered.rule),
                        "at": text::shown(&considered.at),
                        "reason": self.reason(&considered.outcome),
                    })
                })
                .collect();
            json!({
                "kind": past.kind.as_str(),
                "ago": self.known.now.saturating_sub(past.at).max(0) / 1000,
                "not_news": past.decision.not_news.as_deref().map(text::shown),
                "rules": rules,
            })
        };
        let events: Vec<_> = self.known.history.iter().map(event).collect();
        self.voice.say("why", &json!({ "events": events }))
    }

    /// What came of asking a rule, in words for people.
    pub(super) fn reason(&self, outcome: &Outcome) -> String {
        let shown = text::shown;
        let values = match outcome {
            Outcome::Fired { .. } | Outcome::Shadow { .. } | Outcome::Asks => Value::Null,
            Outcome::Elsewhere { name, wanted, found } => {
                let found = found.as_deref().map_or_else(|| "nothing".to_owned(), shown);
                json!({ "name": name, "wanted": shown(wanted), "found": found })
            }
            Outcome::Not { condition, saw } => {
                let saw: Vec<_> =
                    saw.iter().map(|(name, value)| format!("{name} is {}", shown(value))).collect();
                json!({ "condition": condition.replace('`', "'"), "saw": saw })
            }
            Outcome::Failed { expression, error } => {
                json!({ "expression": expression.replace('`', "'"), "error": shown(error) })
            }
            Outcome::Already { run } => json!({ "run": run }),
            Outcome::Held { wanted, found, .. } | Outcome::Untrusted { wanted, found } => {
                json!({ "wanted": wanted, "found": found })
            }
            Outcome::OptedOut { word } => json!({ "word": shown(word) }),
            Outcome::Lacks { what } => json!({ "what": shown(what) }),
        };
        self.voice.say(&format!("reason-{}", outcome.as_str()), &values)
    }
}

fn pending(rule: &str, state: &str, run: Option<&Run>) -> Value {
    let ticket = run.map(|run| &run.ticket);
    let number = ticket.and_then(|ticket| ticket.number);
    let url = ticket.and_then(|ticket| text::address(ticket.url.as_deref()));
    json!({ "rule": rule, "state": state, "url": url.filter(|_| number.is_some()), "number": number })
}
