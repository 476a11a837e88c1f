//! From the text of a rules file to rules, or to every fault in it.

use std::collections::HashMap;
use std::ops::Range;

use toml_edit::{Document, Item, Table};

use self::artifact::{Definitions, is_definition};
use self::names::REPORT_NAMES;
use super::fault::{Inspection, RuleFault, nearest};
use super::index::Place;
use super::spec::{BuildSpec, NotifySpec, OneOrMany, ReportSpec, RuleSpec};
use super::test::Test;
use super::texts::Texts;
use super::{Build, NoticeRule, ReportRule, Rule, RuleSource, Target};
use crate::action::Form;
use crate::directory::Directory;
use crate::event::series::BRANCH_NAMES;
use crate::expression::{Expression, ExpressionError, Text};
use crate::subject::ConnectionName;

mod artifact;
mod names;
mod salvage;
mod series;
mod shape;
mod spots;
mod test;

/// What stands in rules files.
pub(super) struct Parsed {
    pub(super) rules: Vec<Rule>,
    pub(super) texts: Texts,
    pub(super) tests: Vec<Test>,
}

/// Reads all files; a name may be given to one rule only, and tests name rules that exist.
pub(super) fn files(
    sources: &[RuleSource],
    directory: &Directory,
) -> Result<Parsed, Vec<RuleFault>> {
    let mut texts = Texts::shipped().map_err(|error| vec![RuleFault::shipped(&error)])?;
    let mut rules: Vec<Rule> = Vec::new();
    let mut faults = Vec::new();
    let mut seen = HashMap::<String, String>::new();
    let (mut carried, mut unknown) = (Vec::new(), Vec::new());
    let mut definitions = Definitions::among(sources);
    for source in sources.iter().filter(|source| !is_definition(&source.name)) {
        let mut inspection = Inspection::new(&source.name, &source.text);
        let (found, tested) = file(&mut inspection, (directory, &mut definitions), &mut texts);
        for (rule, span) in found {
            if let Some(other) = seen.insert(rule.name.clone(), rule.at.clone()) {
                let message = format!("there is another rule `{}`, at {other}", rule.name);
                inspection.fault(span, message, None);
            }
            rules.push(rule);
        }
        carried.push((source, tested));
        faults.append(&mut inspection.faults);
    }
    faults.append(&mut definitions.faults());
    // Of a rule that is faulty it would be said that it is not there.
    for (source, tested) in carried.iter().filter(|_| faults.is_empty()) {
        let mut inspection = Inspection::new(&source.name, &source.text);
        for one in tested {
            test::check_names(&mut inspection, one, &rules);
        }
        unknown.append(&mut inspection.faults);
    }
    faults.append(&mut unknown);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Parsed { rules, texts, tests: carried.into_iter().flat_map(|(_, tested)| tested).collect() })
}

type Span = Option<Range<usize>>;

fn file(
    inspection: &mut Inspection<'_>,
    (directory, definitions): (&Directory, &mut Definitions<'_>),
    texts: &mut Texts,
) -> (Vec<(Rule, Span)>, Vec<Test>) {
    let document = match Document::parse(inspection.text) {
        Ok(document) => document,
        Err(error) => {
            inspection.fault(error.span(), error.message().trim().to_owned(), None);
            return (Vec::new(), Vec::new());
        }
    };
    for (name, item) in document.as_table() {
        if name == "texts" {
            texts.take(inspection, item);
        } else if name != "rule" && name != "test" {
            let span = document.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
            let help = nearest(name, ["rule", "test", "texts"]);
            inspection.fault(span, format!("unknown key `{name}`"), help);
        }
    }
    let carried = test::file(inspection, &document);
    let Some(list) = document.get("rule") else {
        return (Vec::new(), carried);
    };
    let Some(tables) = list.as_array_of_tables() else {
        inspection.fault(list.span(), "rules are written as `[[rule]]`", None);
        return (Vec::new(), carried);
    };
    let rules = tables.iter().filter_map(|table| one(inspection, table, (directory, definitions)));
    (rules.collect(), carried)
}

fn one(
    inspection: &mut Inspection<'_>,
    table: &Table,
    (directory, definitions): (&Directory, &mut Definitions<'_>),
) -> Option<(Rule, Span)> {
    let faults_before = inspection.faults.len();
    let (spec, stumbles) = salvage::read::<RuleSpec>(table);
    for (message, span) in stumbles {
        let (message, help) = salvage::explain(&message);
        inspection.fault(span.or_else(|| table.span()), message, help);
    }
    let spec = spec?;
    let span = table.get("name").and_then(Item::span);
    let line = span.clone().map_or(1, |span| inspection.line_of(span.start));
    let at = format!("{}:{line}", inspection.name);
    let is_whole = inspection.faults.len() == faults_before;
    let mut reader =
        Reader { inspection, directory, definitions, table, spec: &spec, faults_before };
    if is_whole {
        // What was left out would only be missed.
        reader.check_shape(&span);
    }
    let rule = Rule {
        name: spec.name.clone(),
        at,
        on: spec.on.as_slice().to_vec(),
        heeds: spec.heeds(),
        places: reader.places(),
        conditions: reader.conditions(),
        trust: spec.trust,
        git: spec.git.as_ref().and_then(|name| reader.tree(name)),
        each_patch: spec.each_patch,
        baseline: spec.baseline,
        opt_out: spec.opt_out,
        build: spec.build.as_ref().and_then(|build| reader.build(build)),
        reports: reader.reports(),
        notices: reader.notices(),
        supersede: spec.supersede,
        mode: spec.mode,
        spots: reader.spots(),
    };
    (inspection.faults.len() == faults_before).then_some((rule, span))
}

struct Reader<'a, 'b, 'd> {
    inspection: &'a mut Inspection<'b>,
    directory: &'a Directory,
    definitions: &'a mut Definitions<'d>,
    table: &'a Table,
    spec: &'a RuleSpec,
    /// How many faults there were before this rule.
    faults_before: usize,
}

impl Reader<'_, '_, '_> {
    /// The place in the file of what is at `path` in the rule; of an ancestor if need be.
    fn span(&self, path: &[&str]) -> Span {
        let (first, rest) = path.split_first()?;
        let mut item = self.table.get(first)?;
        let mut span = item.span();
        for step in rest {
            let next = match step.parse::<usize>() {
                Ok(number) => item.get(number),
                Err(_) => item.get(*step),
            };
            let Some(next) = next else { break };
            item = next;
            span = item.span().or(span);
        }
        span
    }

    fn places(&mut self) -> Vec<Place> {
        let kinds = self.spec.on.as_slice();
        let mut places = Vec::new();
        for (name, wanted) in &self.spec.place {
            let span = self.span(&["where", name]);
            let lacking = kinds.iter().find(|kind| !kind.where_names().contains(&name.as_str()));
            if let Some(kind) = lacking {
                let known = kind.where_names();
                let help = nearest(name, known.iter().copied())
                    .or_else(|| Some(format!("known are: {}", known.join(", "))));
                let message = format!("`where` cannot use `{name}` for `{kind}`");
                self.inspection.fault(span, message, help);
                continue;
            }
            let name = kinds.iter().flat_map(|kind| kind.where_names()).find(|own| *own == name);
            match name.map(|name| Place::parse(name, wanted.as_slice())) {
                Some(Ok(place)) => places.push(place),
                Some(Err(error)) => self.inspection.fault(span, error.to_string(), None),
                None => {}
            }
        }
        places
    }

    fn conditions(&mut self) -> Vec<Expression> {
        let sources = self.spec.when.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
        let mut conditions = Vec::new();
        for (number, source) in sources.iter().enumerate() {
            let span = self.span(&["when", &number.to_string()]);
            match Expression::parse(source) {
                Ok(expression) => {
                    self.check_names(expression.names(), &self.event_names(), &span);
                    conditions.push(expression);
                }
                Err(error) => self.bad_expression(&error, span),
            }
        }
        conditions
    }

    /// The names that every kind of event in `on` has, and those of the branch that a series is put
    /// on.
    fn event_names(&self) -> Vec<&'static str> {
        let kinds = self.spec.on.as_slice();
        let Some((first, rest)) = kinds.split_first() else {
            return Vec::new();
        };
        let in_all = |name: &&str| rest.iter().all(|kind| kind.names().contains(name));
        let mut names: Vec<_> = first.names().iter().copied().filter(in_all).collect();
        if self.spec.git.is_some() {
            names.extend(BRANCH_NAMES);
        }
        names
    }

    fn check_names(&mut self, used: &[String], known: &[&str], span: &Span) {
        for name in used {
            if is_known(name, known) {
                continue;
            }
            let help = nearest(name, known.iter().copied())
                .or_else(|| Some(format!("known are: {}", known.join(", "))));
            self.inspection.fault(span.clone(), format!("unknown name `{name}`"), help);
        }
    }

    fn bad_expression(&mut self, error: &ExpressionError, span: Span) {
        self.inspection.fault(span, error.message.clone(), None);
    }

    fn text(&mut self, source: &str, known: &[&str], span: Span) -> Option<Text> {
        match Text::parse(source) {
            Ok(text) => {
                self.check_names(text.names(), known, &span);
                Some(text)
            }
            Err(error) => {
                self.bad_expression(&error, span);
                None
            }
        }
    }

    fn build(&mut self, build: &BuildSpec) -> Option<Build> {
        let span = self.span(&["build", "on"]);
        let is_executor = |name: &ConnectionName| {
            self.directory.find(name).is_some_and(|connection| connection.builds.is_some())
        };
        let executors: Vec<_> = self
            .directory
            .iter()
            .map(|(name, _)| name)
            .filter(|name| is_executor(name))
            .map(ConnectionName::as_str)
            .collect();
        let name = ConnectionName::try_from(build.on.clone()).ok().filter(is_executor);
        if name.is_none() {
            self.unknown_connection(&build.on, &executors, "runs builds", span);
        }
        if build.job.trim_matches('/').is_empty() {
            let span = self.span(&["build", "job"]);
            self.inspection.fault(span, "`job` is empty", None);
        }
        let connection = name.as_ref().and_then(|name| self.directory.find(name));
        let event_names = self.event_names();
        let each = self.each(build, (&event_names, connection));
        let mut names = event_names;
        names.extend(each.as_ref().and_then(|each| build.name_of_each(&each.name)));
        let mut parameters = Vec::new();
        for (parameter, source) in &build.parameters {
            let span = self.span(&["build", "parameters", parameter]);
            if connection.is_some_and(|connection| connection.reserves(parameter)) {
                let message = format!("`{}` gives `{parameter}` a meaning of its own", build.on);
                self.inspection.fault(span.clone(), message, None);
            }
            if let Some(text) = self.text(source, &names, span) {
                parameters.push((parameter.clone(), text));
            }
        }
        let definition = self.definition(build, (&names, connection));
        let job = build.job.trim_matches('/').to_owned();
        let reference = build.reference.as_ref().and_then(|source| {
            let span = self.span(&["build", "ref"]);
            self.text(source, &names, span)
        });
        let usual = connection.map_or(0, |connection| connection.retries);
        let retries = build.retries.unwrap_or(usual).min(Build::RETRIES_MAX);
        name.map(|on| Build { on, job, reference, parameters, definition, each, retries })
    }

    fn unknown_connection(&mut self, name: &str, known: &[&str], what: &str, span: Span) {
        let help = nearest(name, known.iter().copied()).unwrap_or_else(|| {
            if known.is_empty() {
                format!("the settings have none that {what}")
            } else {
                format!("known are: {}", known.join(", "))
            }
        });
        let message = format!("no connection `{name}` that {what}");
        self.inspection.fault(span, message, Some(help));
    }

    fn target(&mut self, to: &str, form: Option<Form>, span: Span) -> Option<Target> {
        let tells: Vec<_> = self
            .directory
            .iter()
            .filter(|(_, connection)| !connection.forms.is_empty())
            .map(|(name, _)| name.as_str())
            .chain(["origin"])
            .collect();
        if to == "origin" {
            return Some(Target::Origin);
        }
        let found = ConnectionName::try_from(to.to_owned())
            .ok()
            .and_then(|name| Some((self.directory.find(&name)?.forms, name)))
            .filter(|(forms, _)| !forms.is_empty());
        let Some((forms, name)) = found else {
            self.unknown_connection(to, &tells, "people are told at", span);
            return None;
        };
        if let Some(form) = form.filter(|form| !forms.contains(form)) {
            let known: Vec<_> = forms.iter().map(|form| form.as_str()).collect();
            let message = format!("`{to}` cannot tell as `{}`", form.as_str());
            self.inspection.fault(span, message, Some(format!("it can as: {}", known.join(", "))));
        }
        Some(Target::Connection(name))
    }

    fn reports(&mut self) -> Vec<ReportRule> {
        let specs: &[ReportSpec] = &self.spec.report;
        let mut reports = Vec::new();
        for (number, how) in specs.iter().enumerate() {
            let number = number.to_string();
            let span = self.span(&["report", &number, "to"]);
            if let Some(text) = &how.text {
                let span = self.span(&["report", &number, "text"]);
                self.text(text, REPORT_NAMES, span);
            }
            if let Some(to) = self.target(&how.to, how.form, span) {
                reports.push(ReportRule { to, how: how.clone() });
            }
        }
        reports
    }

    fn notices(&mut self) -> Vec<NoticeRule> {
        let specs: &[NotifySpec] = &self.spec.notify;
        let names = self.event_names();
        let mut notices = Vec::new();
        for (number, notice) in specs.iter().enumerate() {
            let number = number.to_string();
            let (to, text) =
                (self.span(&["notify", &number, "to"]), self.span(&["notify", &number, "text"]));
            let target = self.target(&notice.to, None, to);
            let text = self.text(&notice.text, &names, text);
            if let (Some(to), Some(text)) = (target, text) {
                notices.push(NoticeRule { to, text });
            }
        }
        notices
    }
}

/// Whether a text may use `name`: it is known, or a part or the whole of something known.
fn is_known(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| match known.strip_suffix(".*") {
        Some(open) => {
            name.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                || open.starts_with(&format!("{name}."))
        }
        None => *known == name || known.starts_with(&format!("{name}.")),
    })
}

#[cfg(test)]
mod tests;
