//! Ordering for an artifact: one build, or one on each kind of board.

use serde_json::Value;

use super::part;
use crate::action::{Action, Stage, Survey, Task, Ticket};
use crate::decision::Outcome;
use crate::event::EventKind;
use crate::event::artifact::ArtifactEvent;
use crate::expression::{self, Expression};
use crate::rules::case::{Case, Wanted, lane};
use crate::rules::each::{Each, EachOf};
use crate::rules::report::Scene;
use crate::rules::{Build, Rule, again};
use crate::run::{BoardPart, OfArtifact, ReportTo, Run, RunState};
use crate::subject::RunId;

/// What is ordered: the runs, that on all boards first, and what is to be done for them.
pub(super) type Ordered = (Vec<Run>, Vec<Action>);

impl Case<'_> {
    /// Orders what `rule` wants of an artifact.
    pub(in crate::rules) fn order_artifact(
        &self,
        (rule, build): (&Rule, &Build),
        wanted: &mut Wanted,
    ) -> Result<(), Outcome> {
        let Some(on) = self.event.artifact() else { return Ok(()) };
        let lacks = |what: String| Err(Outcome::Lacks { what });
        let (instance, name) = (&on.instance, &on.artifact.name);
        if on.event != EventKind::ArtifactPublished {
            return lacks("an artifact that can be had".to_owned());
        }
        // Anybody who can publish a message could have anything run on the boards.
        if !self.rules.directory.producers.may_announce(instance, name) {
            let producer = format!("[producer.{instance}]");
            return lacks(format!("a producer that may announce `{name}`, such as `{producer}`"));
        }
        if super::is_republished(on, self.known) {
            let id = &on.artifact.build;
            return lacks(format!(
                "a build id of its own: {id} was published with other checksums"
            ));
        }
        let whole = self.artifact_run(rule, build, on)?;
        let Some(each) = &build.each else {
            let order = self.order_for((rule, build), &whole, None)?;
            let (run, start) = again::ordered(whole, order, build.retries);
            wanted.actions.push(start);
            wanted.runs.push(run);
            return Ok(());
        };
        let (runs, actions) = match self.boards(each)? {
            Boards::These(boards) => self.on_boards((rule, build), &whole, &boards)?,
            Boards::Having(tags) => {
                let run = with_part(&whole, BoardPart::All(None));
                let survey = survey(&run, on, tags);
                (vec![run], vec![survey])
            }
        };
        let scene = Scene { changed: &runs, ..self.scene() };
        let told = runs.first().map(|all| scene.states(all, Stage::Queued, None));
        wanted.actions.extend(told.unwrap_or_default());
        wanted.actions.extend(actions);
        wanted.runs.extend(runs);
        Ok(())
    }

    /// The run of `rule` on the artifact, as one build.
    fn artifact_run(&self, rule: &Rule, build: &Build, on: &ArtifactEvent) -> Result<Run, Outcome> {
        let (subject, revision) = (on.subject(), on.artifact.build.clone());
        let same = |run: &&Run| run.rule == rule.name && run.revision == revision;
        if let Some(known) = self.known.runs.iter().find(same) {
            return Err(Outcome::Already { run: known.id.to_string() });
        }
        let of = OfArtifact { of: on.clone(), rule: rule.name.clone(), part: BoardPart::Only };
        Ok(Run {
            id: RunId::of(&subject, &revision, &rule.name, 1),
            subject,
            revision,
            rule: rule.name.clone(),
            attempt: 1,
            connection: build.on.clone(),
            state: RunState::Ordered,
            ticket: Ticket { job: build.job.clone(), ..Ticket::default() },
            reports: self.artifact_reports(rule, on)?,
            supersede: rule.supersede,
            cancelling: None,
            reason: None,
            series: None,
            artifact: Some(Box::new(of)),
            retry: None,
        })
    }

    /// Where the rule's run is reported.  An artifact that comes from no change that is known here
    /// has no origin.
    fn artifact_reports(&self, rule: &Rule, on: &ArtifactEvent) -> Result<Vec<ReportTo>, Outcome> {
        let directory = &self.rules.directory;
        let origin = on.change.place().map(|(subject, _)| subject.instance);
        // Where the change is may be a forge that nobody here knows.
        let origin = origin.filter(|instance| directory.forge_at(instance).is_some());
        let mut reports = Vec::new();
        for report in &rule.reports {
            let instance = match (&report.to, &origin) {
                (crate::rules::Target::Origin, None) => continue,
                (_, instance) => instance.as_deref().unwrap_or_default(),
            };
            let to = report.resolve(directory, instance).map_err(|what| Outcome::Lacks { what })?;
            reports.push(to);
        }
        Ok(reports)
    }

    fn boards(&self, each: &Each) -> Result<Boards, Outcome> {
        Ok(match &each.of {
            EachOf::These(these) => Boards::These(these.clone()),
            EachOf::Of(expression) => Boards::These(self.list(expression)?),
            EachOf::Having(tags) => Boards::Having(tags.clone()),
            EachOf::HavingAllOf(expression) => Boards::Having(self.list(expression)?),
        })
    }

    /// A list of texts, sorted, without the same twice, and not empty.
    fn list(&self, expression: &Expression) -> Result<Vec<String>, Outcome> {
        let failed =
            |error: String| Outcome::Failed { expression: expression.source().to_owned(), error };
        let value = expression.evaluate(&expression::context(&self.names));
        let value = value.map_err(|error| failed(error.message))?;
        let list: Value = serde_json::to_value(&value).unwrap_or_default();
        let texts = |list: &Vec<Value>| {
            list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        let Some(mut list) = list.as_array().and_then(texts) else {
            return Err(failed("it is no list of texts".to_owned()));
        };
        list.sort();
        list.dedup();
        if list.is_empty() {
            return Err(Outcome::Lacks { what: format!("one of `{}`", expression.source()) });
        }
        if list.len() > ArtifactEvent::BOARDS_MAX {
            let max = ArtifactEvent::BOARDS_MAX;
            return Err(failed(format!("there are {}, at most {max}", list.len())));
        }
        Ok(list)
    }

    /// The run on all of `boards`, and one on each.
    pub(super) fn on_boards(
        &self,
        (rule, build): (&Rule, &Build),
        whole: &Run,
        boards: &[String],
    ) -> Result<Ordered, Outcome> {
        let all = with_part(whole, BoardPart::All(Some(boards.to_vec())));
        let all = Run { state: RunState::Queued, ..all };
        let mut ordered = (vec![all], Vec::new());
        for board in boards {
            let name = part::name(&rule.name, board);
            let run = Run {
                id: RunId::of(&whole.subject, &whole.revision, &name, whole.attempt),
                rule: name,
                reports: Vec::new(),
                ..with_part(whole, BoardPart::Board(board.clone()))
            };
            let run = Run { state: RunState::Ordered, ..run };
            let order = self.order_for((rule, build), &run, Some(board))?;
            let (run, start) = again::ordered(run, order, build.retries);
            ordered.0.push(run);
            ordered.1.push(start);
        }
        Ok(ordered)
    }
}

/// On what an artifact is run.
enum Boards {
    /// On these.
    These(Vec<String>),
    /// On all that have these.
    Having(Vec<String>),
}

fn with_part(run: &Run, part: BoardPart) -> Run {
    let artifact = run.artifact.as_ref();
    let artifact = artifact.map(|of| Box::new(OfArtifact { part, ..(**of).clone() }));
    Run { artifact, ..run.clone() }
}

fn survey(run: &Run, on: &ArtifactEvent, tags: Vec<String>) -> Action {
    Action {
        key: format!("survey/{}", run.id),
        lane: lane(&run.subject, &run.rule, &run.connection),
        slot: None,
        connection: run.connection.clone(),
        run: Some(run.id.clone()),
        delay: None,
        task: Task::Survey(Box::new(Survey { run: run.id.clone(), artifact: on.clone(), tags })),
    }
}
