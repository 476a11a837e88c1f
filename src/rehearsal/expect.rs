//! What followed, beside what a test expects.

use std::collections::BTreeMap;

use super::Scene;
use super::test::{Finding, Mismatch};
use crate::action::{Action, Form, Notice, Report, Task};
use crate::decision::{Considered, Outcome};
use crate::rules::RuleSet;
use crate::rules::test::{BuildWanted, ReportWanted, Test};
use crate::run::{Run, RunState};
use crate::subject::RunId;

/// Everything that is not as `test` expects it.
pub(super) fn mismatches(test: &Test, scene: &Scene, rules: &RuleSet) -> Vec<Mismatch> {
    let mut comparison = Comparison { test, scene, rules, found: Vec::new() };
    comparison.fires();
    comparison.silent();
    comparison.held();
    comparison.builds();
    comparison.reports();
    comparison.asks();
    comparison.not_news();
    comparison.found
}

struct Comparison<'a> {
    test: &'a Test,
    scene: &'a Scene,
    rules: &'a RuleSet,
    found: Vec<Mismatch>,
}

impl<'a> Comparison<'a> {
    fn add(&mut self, (key, number): (&str, usize), expected: String, found: Finding) {
        let at = self.test.at_key(&["expect", key, &number.to_string()]);
        self.found.push(Mismatch { at, expected, found });
    }

    fn words(&mut self, place: (&str, usize), expected: String, found: impl Into<String>) {
        self.add(place, expected, Finding::Words(found.into()));
    }

    /// What was said by `rule`, in order.
    fn said(&self, rule: &str) -> Vec<&'a Considered> {
        let heard = self.scene.heard.iter();
        heard.flat_map(|heard| &heard.decision.considered).filter(|it| it.rule == rule).collect()
    }

    /// Every rule that fired, once.
    fn fired(&self) -> Vec<&'a str> {
        let all = self.scene.heard.iter().flat_map(|heard| &heard.decision.considered);
        let mut fired: Vec<_> = all.filter(|it| has_fired(it)).map(|it| it.rule.as_str()).collect();
        fired.sort_unstable();
        fired.dedup();
        fired
    }

    /// Why `rule` did not fire.
    fn why_not(&self, rule: &str) -> Finding {
        if let Some(last) = self.said(rule).into_iter().next_back() {
            return Finding::Rule(Considered { at: self.spot(last), ..last.clone() });
        }
        Finding::Words(self.why_nothing().unwrap_or_else(|| {
            let heard = &self.scene.heard;
            let kinds: Vec<_> = heard.iter().map(|heard| heard.event.kind()).collect();
            let about = self.rules.rules().iter().find(|known| known.name == rule);
            if about.is_some_and(|rule| kinds.iter().any(|kind| rule.heeds.contains(kind))) {
                let remarks = heard.iter().flat_map(|heard| heard.decision.remarks.clone());
                let all: Vec<_> =
                    ["it was not asked".to_owned()].into_iter().chain(remarks).collect();
                return all.join("; ");
            }
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            format!("it is not about `{}`", kinds.join("`, `"))
        }))
    }

    /// Where what decided stands: the entry of `where`, the condition, or the rule.
    fn spot(&self, said: &Considered) -> String {
        let rule = self.rules.rules().iter().find(|rule| rule.name == said.rule);
        let spot = rule.and_then(|rule| {
            if let Outcome::Elsewhere { name, .. } = &said.outcome {
                let number = rule.places.iter().position(|place| place.name == name)?;
                return rule.spots.places.get(number);
            }
            let Outcome::Not { condition, .. } = &said.outcome else { return None };
            let number = rule.conditions.iter().position(|one| one.source() == condition)?;
            rule.spots.conditions.get(number)
        });
        spot.unwrap_or(&said.at).clone()
    }

    /// Why no rule was asked, if none was.
    fn why_nothing(&self) -> Option<String> {
        if let Some(reason) = &self.scene.ignored {
            return Some(format!("the message tells nothing: {reason}"));
        }
        let is_asked = |heard: &&super::Heard| heard.decision.not_news.is_none();
        if self.scene.heard.iter().any(|heard| is_asked(&heard)) {
            return None;
        }
        let reason = self.scene.heard.iter().find_map(|heard| heard.decision.not_news.clone());
        Some(format!("no rule was asked: {}", reason.unwrap_or_else(|| "nothing happened".into())))
    }

    fn fires(&mut self) {
        let Some(wanted) = self.test.spec.expect.fires.clone() else { return };
        let fired = self.fired();
        if wanted.is_empty() && !fired.is_empty() {
            let found = format!("`{}` fired", fired.join("`, `"));
            self.words(("fires", 0), "no rule fires".to_owned(), found);
        }
        for (number, rule) in wanted.iter().enumerate() {
            if !fired.contains(&rule.as_str()) {
                let found = self.why_not(rule);
                self.add(("fires", number), format!("`{rule}` fires"), found);
            }
        }
    }

    fn silent(&mut self) {
        let Some(wanted) = self.test.spec.expect.silent.clone() else { return };
        for (number, rule) in wanted.iter().enumerate() {
            if let Some(fired) = self.said(rule).into_iter().find(|it| has_fired(it)) {
                let found = Finding::Rule(fired.clone());
                self.add(("silent", number), format!("`{rule}` is silent"), found);
            }
        }
    }

    /// The runs, as they were left.
    fn runs(&self) -> BTreeMap<&'a RunId, &'a Run> {
        let decisions = self.scene.heard.iter().map(|heard| &heard.decision);
        decisions.flat_map(|decision| &decision.runs).map(|run| (&run.id, run)).collect()
    }

    fn held(&mut self) {
        let Some(wanted) = self.test.spec.expect.held.clone() else { return };
        let runs = self.runs();
        let held = runs.values().filter(|run| run.state == RunState::Held);
        // What is put on a branch is that for all rules that want it.
        let wanted_by = |run: &&'a Run| run.series.iter().flat_map(|of| &of.wanted_by);
        let held: Vec<&str> = held
            .flat_map(|run| std::iter::once(&run.rule).chain(wanted_by(run)))
            .map(String::as_str)
            .collect();
        if wanted.is_empty() && !held.is_empty() {
            let found = format!("that of `{}` does", held.join("`, `"));
            self.words(("held", 0), "no build waits to be let run".to_owned(), found);
        }
        for (number, rule) in wanted.iter().enumerate() {
            if !held.contains(&rule.as_str()) {
                let found = self.why_not(rule);
                let expected = format!("the build of `{rule}` waits to be let run");
                self.add(("held", number), expected, found);
            }
        }
    }

    fn actions(&self) -> impl Iterator<Item = &'a Action> + use<'a> {
        self.scene.heard.iter().flat_map(|heard| &heard.decision.actions)
    }

    fn builds(&mut self) {
        let Some(wanted) = self.test.spec.expect.builds.clone() else { return };
        let runs = self.runs();
        let rule_of = |action: &Action| {
            let run = action.run.as_ref().and_then(|run| runs.get(run));
            let is_on_board = run.is_some_and(|run| run.artifact.is_some());
            let name = |run: &&Run| {
                if is_on_board { run.ordered_by().to_owned() } else { run.rule.clone() }
            };
            run.map(name).unwrap_or_default()
        };
        let started: Vec<Started> = self
            .actions()
            .filter_map(|action| {
                let Task::Start(order) = &action.task else { return None };
                Some(Started {
                    on: action.connection.to_string(),
                    rule: rule_of(action),
                    job: order.job.clone(),
                    board: order.board.clone(),
                    parameters: order.parameters.clone(),
                })
            })
            .collect();
        let names: Vec<_> = started.iter().map(Started::name).collect();
        if wanted.is_empty() && !started.is_empty() {
            self.words(("builds", 0), "nothing is built".to_owned(), names.join(", "));
        }
        for (number, wanted) in wanted.iter().enumerate() {
            let wanted = wanted.whole();
            let reasons: Vec<_> = started.iter().map(|one| one.differs(&wanted)).collect();
            if reasons.iter().any(Option::is_none) {
                continue;
            }
            // What is nearly right says most about what is wrong.
            let near = started.iter().zip(&reasons).find(|(one, _)| one.job == wanted.job);
            let found = match near.and_then(|(_, reason)| reason.clone()) {
                Some(reason) => Finding::Words(reason),
                None if !names.is_empty() => Finding::Words(names.join(", ")),
                None => match &wanted.rule {
                    Some(rule) => self.why_not(rule),
                    None => self.nothing_built(&wanted.job),
                },
            };
            self.add(("builds", number), format!("a build of `{}`", wanted.job), found);
        }
    }

    /// Why nothing was built, as the rule says that would have built it.
    fn nothing_built(&self, job: &str) -> Finding {
        let builds = |rule: &&crate::rules::Rule| {
            rule.build.as_ref().is_some_and(|build| build.job == job.trim_matches('/'))
        };
        match self.rules.rules().iter().find(builds) {
            Some(rule) => self.why_not(&rule.name),
            None => Finding::Words("no rule builds that".to_owned()),
        }
    }

    fn reports(&mut self) {
        let Some(wanted) = self.test.spec.expect.reports.clone() else { return };
        let told: Vec<Told<'a>> = self.actions().filter_map(Told::of).collect();
        let names: Vec<_> = told.iter().map(Told::name).collect();
        if wanted.is_empty() && !told.is_empty() {
            self.words(("reports", 0), "nobody is told anything".to_owned(), names.join("; "));
        }
        for (number, wanted) in wanted.iter().enumerate() {
            let wanted = wanted.whole();
            if !told.iter().any(|told| told.is(&wanted, self.rules)) {
                let found = if names.is_empty() {
                    self.why_nothing().unwrap_or_else(|| "nobody is told anything".to_owned())
                } else {
                    names.join("; ")
                };
                self.words(("reports", number), described(&wanted), found);
            }
        }
    }

    fn asks(&mut self) {
        let Some(wanted) = self.test.spec.expect.asks else { return };
        let asks = self.actions().any(|action| matches!(action.task, Task::Inquire(_)));
        if asks != wanted {
            let words = |asks| if asks { "a forge is asked" } else { "no forge is asked" };
            self.words(("asks", 0), words(wanted).to_owned(), words(asks));
        }
    }

    fn not_news(&mut self) {
        let Some(wanted) = self.test.spec.expect.not_news else { return };
        let why = self.scene.heard.iter().find_map(|heard| heard.decision.not_news.clone());
        let is_asked = self.scene.heard.iter().any(|heard| heard.decision.not_news.is_none());
        let is_not_news = !is_asked && why.is_some();
        if is_not_news != wanted {
            let expected = if wanted { "it is no news" } else { "it is news" };
            let found = self.why_nothing().unwrap_or_else(|| "rules were asked".to_owned());
            self.words(("not_news", 0), expected.to_owned(), found);
        }
    }
}

fn has_fired(considered: &Considered) -> bool {
    matches!(considered.outcome, Outcome::Fired { .. } | Outcome::Shadow { .. })
}

/// A build that was started.
struct Started {
    on: String,
    rule: String,
    job: String,
    board: Option<String>,
    parameters: BTreeMap<String, String>,
}

impl Started {
    fn name(&self) -> String {
        let board = self.board.as_ref().map(|board| format!(", board `{board}`"));
        let board = board.unwrap_or_default();
        format!("`{}` on {}{board}, by `{}`", self.job, self.on, self.rule)
    }

    /// What is different from `wanted`, if anything is.
    fn differs(&self, wanted: &BuildWanted) -> Option<String> {
        let is_other = self.job != wanted.job.trim_matches('/')
            || wanted.on.as_ref().is_some_and(|on| *on != self.on)
            || wanted.rule.as_ref().is_some_and(|rule| *rule != self.rule)
            || (wanted.board.is_some() && wanted.board != self.board);
        if is_other {
            return Some(self.name());
        }
        let is_wrong =
            |(name, value): &(&String, &String)| self.parameters.get(*name) != Some(*value);
        let (name, value) = wanted.parameters.iter().find(is_wrong)?;
        Some(match self.parameters.get(name) {
            Some(found) => format!("`{name}` is `{found}`, and not `{value}`"),
            None => format!("it has no parameter `{name}`"),
        })
    }
}

/// Something that people are told.
enum Told<'a> {
    Report(&'a Action, &'a Report),
    Notice(&'a Action, &'a Notice),
}

impl<'a> Told<'a> {
    fn of(action: &'a Action) -> Option<Self> {
        if let Task::Report(report) = &action.task {
            return Some(Self::Report(action, report));
        }
        let Task::Notify(notice) = &action.task else { return None };
        Some(Self::Notice(action, notice))
    }

    fn name(&self) -> String {
        let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        match self {
            Self::Report(action, report) => format!(
                "{} as {} ({}): {}",
                action.connection,
                report.form.as_str(),
                report.stage.as_str(),
                line(&report.text)
            ),
            Self::Notice(action, notice) => {
                format!("{}: {}", action.connection, line(&notice.text))
            }
        }
    }

    fn is(&self, wanted: &ReportWanted, rules: &RuleSet) -> bool {
        let (action, rule, text, form, stage) = match self {
            Self::Report(action, report) => {
                let Report { rule, text, form, stage, .. } = report;
                (action, rule, text, Some(*form), Some(stage.as_str()))
            }
            Self::Notice(action, notice) => (action, &notice.rule, &notice.text, None, None),
        };
        let connection = rules.directory().find(&action.connection);
        let is_forge = connection.is_some_and(|connection| connection.is_forge);
        let is_there =
            wanted.to == action.connection.as_str() || (wanted.to == "origin" && is_forge);
        is_there
            && wanted.rule.as_ref().is_none_or(|wanted| wanted == rule)
            // Words that no build is behind are never a state.
            && wanted.form.is_none_or(|wanted| form.map_or(wanted != Form::Flag, |form| form == wanted))
            && wanted.stage.as_deref().is_none_or(|wanted| stage == Some(wanted))
            && wanted.says.as_ref().is_none_or(|words| text.contains(words))
    }
}

fn described(wanted: &ReportWanted) -> String {
    let ReportWanted { to, form, rule, stage, says } = wanted;
    let mut words = format!("{to} is told");
    if let Some(form) = form {
        words = format!("{words} as {}", form.as_str());
    }
    if let Some(stage) = stage {
        words = format!("{words} `{stage}`");
    }
    if let Some(rule) = rule {
        words = format!("{words} by `{rule}`");
    }
    if let Some(says) = says {
        words = format!("{words} “{says}”");
    }
    words
}
