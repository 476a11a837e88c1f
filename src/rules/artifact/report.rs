//! What people are told about the runs of an artifact: one summary over all boards.

use super::part;
use crate::action::{AboutArtifact, Action, Board, Form, OnBoard, Report, Stage, Task};
use crate::rules::case::{flag, lane};
use crate::rules::report::Scene;
use crate::rules::text;
use crate::run::{OfArtifact, ReportTo, Run, When};
use crate::subject::{CommitSha, Subject, SubjectKind, Verdict};

/// One place where a run of an artifact is reported.
struct Place<'a> {
    number: usize,
    to: &'a ReportTo,
    /// The change that the artifact comes from, where the place is its forge.
    change: Option<(Subject, CommitSha)>,
}

impl Scene<'_> {
    /// What is told about `run`, which tests an artifact, at each place where it is reported.
    pub(in crate::rules) fn told_of_artifact(
        &self,
        (run, of): (&Run, &OfArtifact),
        (stage, previous): (Stage, Option<Verdict>),
    ) -> Vec<Action> {
        let boards = part::boards(&self.known.on_boards, self.changed);
        let mut actions = Vec::new();
        for (number, to) in run.reports.iter().enumerate() {
            let connection = self.rules.directory.find(&to.to);
            let is_forge = connection.is_some_and(|connection| connection.is_forge);
            let change = of.of.change.place().filter(|_| is_forge);
            let is_proposal = change
                .as_ref()
                .is_some_and(|(subject, _)| subject.kind == SubjectKind::PullRequest);
            let has_place =
                (!is_forge || change.is_some()) && (to.form != Form::Comment || is_proposal);
            let is_past = match to.form {
                Form::Message => false,
                Form::Flag => self.is_outdated || self.is_overtaken(run, change.as_ref()),
                Form::Comment => self.is_outdated || self.is_overtaken(run, None),
            };
            if !has_place || is_past || !self.wants_of_artifact(run, to, (stage, previous)) {
                continue;
            }
            let place = Place { number, to, change };
            actions.push(self.report_of_artifact((run, of), &place, (stage, previous), &boards));
        }
        actions
    }

    /// Whether a newer build of the artifact is known; one of the same commit, where that is said.
    fn is_overtaken(&self, run: &Run, change: Option<&(Subject, CommitSha)>) -> bool {
        let builds = self.known.subject.as_ref().map(|state| state.builds.as_slice());
        let newer = builds.unwrap_or_default().iter().rev();
        let mut newer = newer.take_while(|known| known.build != run.revision);
        newer.any(|known| change.is_none_or(|(_, sha)| known.sha.as_ref() == Some(sha)))
    }

    /// Whether it is told: a state, and what can be edited, follow the run; all else waits for its
    /// end.
    fn wants_of_artifact(
        &self,
        run: &Run,
        to: &ReportTo,
        (stage, previous): (Stage, Option<Verdict>),
    ) -> bool {
        let is_kept = to.form == Form::Comment && self.edits(&to.to);
        let Stage::Done(verdict) = stage else {
            return match to.form {
                _ if to.when == When::Never => false,
                Form::Flag => true,
                Form::Comment => is_kept && stage == Stage::Running,
                Form::Message => to.when == When::Always && self.follows(to),
            };
        };
        if to.when != When::Never && (to.form == Form::Flag || is_kept) {
            return true;
        }
        match to.when {
            _ if run.cancelling.is_some() => false,
            When::Always => true,
            When::Changed => previous != Some(verdict),
            When::Failed => verdict.is_bad(),
            When::Never => false,
        }
    }

    fn follows(&self, to: &ReportTo) -> bool {
        self.rules.directory.find(&to.to).is_some_and(|connection| connection.follows)
    }

    fn report_of_artifact(
        &self,
        (run, of): (&Run, &OfArtifact),
        place: &Place<'_>,
        (stage, previous): (Stage, Option<Verdict>),
        boards: &[OnBoard],
    ) -> Action {
        let Place { number, to, change } = place;
        let form = to.form.as_str();
        let done = boards.iter().filter(|one| matches!(one.stage, Stage::Done(_))).count();
        let key = format!("report/{}/{number}/{form}", run.id);
        let marker = text::marker(&[run.id.as_str(), &number.to_string(), form]);
        let mut words = self.words(run, to, (stage, previous), boards);
        let mut board = None;
        if to.form == Form::Comment && self.edits(&to.to) {
            let was_bad = previous.is_some_and(Verdict::is_bad);
            let is_news = matches!(stage, Stage::Done(verdict) if verdict.is_bad() != was_bad);
            let parts = ["artifact", &run.subject.key(), &run.rule, to.to.as_str()];
            let word = text::marker(&parts);
            words = text::signed_board(&words, &marker, &word);
            board = Some(Board { word, is_news });
        } else if to.form == Form::Comment {
            words = text::signed(&words, &marker);
        }
        let (subject, revision) = match change {
            Some((subject, sha)) => (subject.clone(), sha.to_string()),
            None => (run.subject.clone(), run.revision.clone()),
        };
        // Two artifacts of one change have each a state of their own there.
        let rule = match change {
            Some(_) => format!("{} ({})", run.rule, of.of.artifact.name),
            None => run.rule.clone(),
        };
        Action {
            key: format!("{key}/{}/{done}", stage.as_str()),
            lane: lane(&run.subject, &run.rule, &to.to),
            slot: Some(key),
            connection: to.to.clone(),
            run: Some(run.id.clone()),
            delay: None,
            task: Task::Report(Report {
                run: run.id.clone(),
                rule,
                subject,
                revision,
                form: to.form,
                stage,
                text: words,
                url: page(run, of, boards),
                marker,
                board,
                flag: flag(&run.subject, &run.rule),
                series: None,
                artifact: Some(Box::new(AboutArtifact {
                    of: of.of.clone(),
                    boards: boards.to_vec(),
                })),
            }),
        }
    }
}

/// The page to look at: that of the build, of the first board where somebody has to look, or of
/// the artifact.
fn page(run: &Run, of: &OfArtifact, boards: &[OnBoard]) -> Option<String> {
    let is_bad = |one: &&OnBoard| matches!(one.stage, Stage::Done(verdict) if verdict.is_bad());
    let bad = boards.iter().find(is_bad).and_then(|one| one.url.clone());
    run.ticket.url.clone().or(bad).or_else(|| of.of.artifact.url.clone())
}
