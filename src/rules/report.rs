//! What people are told about runs, and in which of the forms that a place has.

use serde_json::json;

use super::case::{Case, flag, lane};
use super::texts::Voice;
use super::{RuleSet, text};
use crate::action::{AboutSeries, Action, Board, Form, OnBoard, Part, Report, Stage, Task};
use crate::decision::{Answer, Known};
use crate::run::{OfSeries, ReportTo, Role, Run, When};
use crate::subject::{ConnectionName, Subject, SubjectKind, Verdict};

/// Everything that is needed to tell people about a run.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) voice: &'a Voice<'a>,
    pub(super) known: &'a Known,
    /// Whether the same rule has ordered the revision again since.
    pub(super) is_outdated: bool,
    /// Whether the proposal has another head by now: the one comment is about that.
    pub(super) is_of_old_head: bool,
    /// Runs that the same decision has changed, and that are not known yet.
    pub(super) changed: &'a [Run],
}

impl Case<'_> {
    /// The scene of the case.
    pub(super) fn scene(&self) -> Scene<'_> {
        let Case { rules, voice, known, .. } = *self;
        Scene { rules, voice, known, is_outdated: false, is_of_old_head: false, changed: &[] }
    }
}

impl Scene<'_> {
    /// What is told about `run` at each place where it is reported.
    pub(super) fn told(&self, run: &Run, stage: Stage, previous: Option<Verdict>) -> Vec<Action> {
        if let Some(of) = &run.artifact {
            return self.told_of_artifact((run, of), (stage, previous));
        }
        let mut actions = Vec::new();
        for (number, to) in run.reports.iter().enumerate() {
            // The flag stands for the newest attempt; what became of an older one is in the ledger.
            let has_place =
                to.form != Form::Comment || run.subject.kind == SubjectKind::PullRequest;
            let is_past = (self.is_outdated && (to.form == Form::Flag || self.is_board(to)))
                || (self.is_board(to) && self.is_of_old_head);
            if is_past || !has_place || !self.is_wanted(run, to, (stage, previous)) {
                continue;
            }
            actions.push(self.report(run, (number, to), (stage, previous)));
        }
        actions
    }

    /// As [`Scene::told`], but only where how far the run is shows as a state.
    pub(super) fn states(&self, run: &Run, stage: Stage, previous: Option<Verdict>) -> Vec<Action> {
        let is_state =
            |action: &Action| matches!(&action.task, Task::Report(of) if of.form == Form::Flag);
        let mut actions = self.told(run, stage, previous);
        actions.retain(is_state);
        actions
    }

    /// Whether the report is made: states always show how far the run is; words are for verdicts,
    /// and never for a run that we cancelled ourselves.
    fn is_wanted(
        &self,
        run: &Run,
        to: &ReportTo,
        (stage, previous): (Stage, Option<Verdict>),
    ) -> bool {
        if to.when == When::Never {
            return false;
        }
        let verdict = match stage {
            Stage::Done(verdict) => verdict,
            Stage::Held => return to.form != Form::Message && self.shows_waiting(run, to),
            Stage::Queued | Stage::Running => {
                return match to.form {
                    Form::Flag => true,
                    Form::Message => to.when == When::Always,
                    Form::Comment => false,
                };
            }
        };
        if to.form == Form::Flag {
            return true;
        }
        if to.form == Form::Comment && run.cancelling.is_some() {
            return false;
        }
        // What failed before, too, is no news to anybody.
        let was_broken = run.series.as_ref().is_some_and(|of| of.was_broken);
        if was_broken && to.when != When::Always {
            return false;
        }
        let was_bad = previous.is_some_and(Verdict::is_bad);
        match to.when {
            When::Always => true,
            // What is kept up to date disturbs nobody.
            When::Changed => self.is_board(to) || previous != Some(verdict),
            When::Failed => verdict.is_bad() || (self.is_board(to) && was_bad),
            When::Never => false,
        }
    }

    /// Whether this is where people see that the run waits: a comment of its own only where there
    /// is no flag.
    fn shows_waiting(&self, run: &Run, to: &ReportTo) -> bool {
        let has_flag =
            || run.reports.iter().any(|other| other.form == Form::Flag && other.to == to.to);
        to.form == Form::Flag || self.is_board(to) || !has_flag()
    }

    fn is_board(&self, to: &ReportTo) -> bool {
        to.form == Form::Comment && self.edits(&to.to)
    }

    /// Whether our comments there are kept up to date.
    pub(super) fn edits(&self, connection: &ConnectionName) -> bool {
        self.rules.directory.find(connection).is_some_and(|connection| connection.edits)
    }

    fn report(
        &self,
        run: &Run,
        (number, to): (usize, &ReportTo),
        (stage, previous): (Stage, Option<Verdict>),
    ) -> Action {
        if self.is_board(to) {
            return self.board_report(run, to, (stage, previous));
        }
        let place = format!("{}/{number}/{}", run.id, to.form.as_str());
        let marker = text::marker(&[run.id.as_str(), &number.to_string(), to.form.as_str()]);
        let mut words = self.words(run, to, (stage, previous), &[]);
        if to.form == Form::Comment {
            words = text::signed(&self.with_advice(run, words, stage), &marker);
        }
        Action {
            key: format!("report/{place}/{}{}", stage.as_str(), edition(run)),
            lane: lane(&run.subject, &run.rule, &to.to),
            slot: Some(format!("report/{place}")),
            connection: to.to.clone(),
            run: Some(run.id.clone()),
            delay: None,
            task: Task::Report(Self::as_report(run, (to, stage), (words, marker), None)),
        }
    }

    fn as_report(
        run: &Run,
        (to, stage): (&ReportTo, Stage),
        (text, marker): (String, String),
        board: Option<Board>,
    ) -> Report {
        Report {
            run: run.id.clone(),
            rule: shown_rule(run).to_owned(),
            subject: run.subject.clone(),
            revision: run.revision.clone(),
            form: to.form,
            stage,
            text,
            url: run.ticket.url.clone(),
            marker,
            board,
            flag: flag(&run.subject, &run.rule),
            series: run.series.as_ref().map(|of| Box::new(about(of))),
            artifact: None,
        }
    }

    pub(super) fn words(
        &self,
        run: &Run,
        to: &ReportTo,
        (stage, previous): (Stage, Option<Verdict>),
        boards: &[OnBoard],
    ) -> String {
        let reason = run.cancelling.as_deref().or(run.reason.as_deref());
        let is_letter = self.rules.directory.find(&to.to).is_some_and(|to| to.letters);
        text::Told { run, stage, reason, previous, is_letter, boards }.words(self.voice, to)
    }

    /// `words`, and what can be done about what they tell.
    fn with_advice(&self, run: &Run, mut words: String, stage: Stage) -> String {
        let advice = match stage {
            Stage::Held => self.approve(&run.revision),
            Stage::Done(verdict) if verdict.is_bad() => self.retest(),
            Stage::Done(_) | Stage::Queued | Stage::Running => return words,
        };
        words.push_str("\n\n");
        words.push_str(&advice);
        words
    }

    fn approve(&self, revision: &str) -> String {
        let prefix = self.rules.directory.commands.prefix();
        self.voice.say("approve", &json!({ "prefix": prefix, "sha": revision }))
    }

    fn retest(&self) -> String {
        let prefix = self.rules.directory.commands.prefix();
        self.voice.say("retest", &json!({ "prefix": prefix }))
    }

    /// A version of the one comment, because of what became of `run`.
    fn board_report(
        &self,
        run: &Run,
        to: &ReportTo,
        (stage, previous): (Stage, Option<Verdict>),
    ) -> Action {
        let answers = self.known.subject.as_ref().map(|state| state.answers.as_slice());
        let place = (&run.subject, &to.to, run.revision.as_str());
        let words = self.board(place, std::slice::from_ref(run), answers.unwrap_or_default());
        let marker = text::marker(&[run.id.as_str(), stage.as_str(), "board"]);
        let is_news = match stage {
            Stage::Done(verdict) => previous.is_some_and(Verdict::is_bad) != verdict.is_bad(),
            Stage::Held | Stage::Queued | Stage::Running => false,
        };
        let board = Board { word: board_word(&run.subject, &to.to), is_news };
        let words = text::signed_board(&words, &marker, &board.word);
        Action {
            key: format!("report/{}/board/{}", run.id, stage.as_str()),
            lane: board_lane(&run.subject, &to.to),
            slot: Some(board_slot(&run.subject, &to.to, is_news)),
            connection: to.to.clone(),
            run: Some(run.id.clone()),
            delay: None,
            task: Task::Report(Self::as_report(run, (to, stage), (words, marker), Some(board))),
        }
    }

    /// The words of the one comment about `subject` at `revision`; `changed` are the runs as they
    /// are from now on.
    pub(super) fn board(
        &self,
        (subject, connection, revision): (&Subject, &ConnectionName, &str),
        changed: &[Run],
        answers: &[Answer],
    ) -> String {
        let mut runs: Vec<&Run> = Vec::new();
        let all =
            changed.iter().chain(self.changed).chain(&self.known.runs).chain(&self.known.siblings);
        for run in all.filter(|run| run.subject == *subject && run.revision == revision) {
            match runs.iter_mut().find(|known| known.rule == run.rule) {
                // Of the same attempt the first one counts: it is the changed one.
                Some(known) if known.attempt < run.attempt => *known = run,
                Some(_) => {}
                None => runs.push(run),
            }
        }
        runs.sort_by(|a, b| a.rule.cmp(&b.rule));
        let (mut checks, mut is_held, mut has_failed) = (Vec::new(), false, false);
        for run in runs {
            let here = |to: &&ReportTo| {
                to.to == *connection && to.form == Form::Comment && to.when != When::Never
            };
            let Some(to) = run.reports.iter().find(here) else { continue };
            let stage = text::stage(run.state).unwrap_or(Stage::Queued);
            is_held |= stage == Stage::Held;
            has_failed |= matches!(stage, Stage::Done(verdict) if verdict.is_bad());
            checks.push(self.words(run, to, (stage, None), &[]));
        }
        let answers: Vec<_> = answers
            .iter()
            .map(|a| json!({ "by": a.by, "command": a.command, "words": a.words }))
            .collect();
        let values = json!({
            "checks": checks,
            "approve": is_held.then(|| self.approve(revision)),
            "retest": has_failed.then(|| self.retest()),
            "answers": answers,
        });
        self.voice.say("board", &values)
    }
}

/// The word that stands in all versions of the one comment about `subject`.
pub(super) fn board_word(subject: &Subject, connection: &ConnectionName) -> String {
    text::marker(&["board", &subject.key(), connection.as_str()])
}

/// The line in which its versions wait for each other.
pub(super) fn board_lane(subject: &Subject, connection: &ConnectionName) -> String {
    lane(subject, "*", connection)
}

/// Where a newer version takes the place of one that waits; one that is news is not lost to one
/// that is none.
pub(super) fn board_slot(subject: &Subject, connection: &ConnectionName, is_news: bool) -> String {
    format!("board/{subject}/{connection}/{is_news}")
}

/// What a report tells of the series that was built.
fn about(of: &OfSeries) -> AboutSeries {
    let (part, patch) = match of.role {
        Role::Apply => (Part::Apply, None),
        Role::Prefix(patch) => (Part::Build, Some(patch)),
        Role::Whole | Role::Bisect(_) | Role::Base => (Part::Build, None),
    };
    AboutSeries {
        of: of.of.clone(),
        branch: of.branch.clone(),
        patch,
        part,
        was_broken: of.was_broken,
        blamed: of.blamed,
    }
}

/// The name of the check: builds of single patches are the rule's.
fn shown_rule(run: &Run) -> &str {
    match run.role() {
        Some(Role::Prefix(_) | Role::Bisect(_) | Role::Base) => run.ordered_by(),
        Some(Role::Apply | Role::Whole) | None => &run.rule,
    }
}

/// What tells a report from an earlier one of the same run and stage that knew less.
fn edition(run: &Run) -> String {
    let blamed = run.series.as_ref().and_then(|of| of.blamed);
    blamed.map(|patch| format!("/blamed-{patch}")).unwrap_or_default()
}
