//! What a rule says of artifacts, boards and definitions.

use super::{Reader, Span};
use crate::directory::Connection;
use crate::event::artifact::ArtifactEvent;
use crate::event::{EventKind, Family};
use crate::expression::{Expression, Text};
use crate::rules::each::{Each, EachOf, EachSpec, HavingSpec};
use crate::rules::fault::{Inspection, nearest};
use crate::rules::spec::{BuildSpec, OneOrMany};
use crate::rules::{RuleFault, RuleSource};

/// The endings of files in the folder of rules that define jobs.
const DEFINITION_ENDINGS: [&str; 2] = [".yaml", ".yml"];
/// The parameters of a rule, as its definition knows them.
const PARAMETERS: &str = "parameters.*";
/// The name under which a kind of board is known.
const BOARD: &str = "device_type";

/// Whether a file in the folder of rules defines a job, and has no rules.
pub(super) fn is_definition(name: &str) -> bool {
    DEFINITION_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The files that define jobs, and how far they are understood.
pub(super) struct Definitions<'s> {
    files: Vec<&'s RuleSource>,
    /// What is wrong in them; one that several rules use is told once.
    faults: Vec<RuleFault>,
}

impl<'s> Definitions<'s> {
    /// Those among `sources`.
    pub(super) fn among(sources: &'s [RuleSource]) -> Self {
        let files = sources.iter().filter(|source| is_definition(&source.name)).collect();
        Self { files, faults: Vec::new() }
    }

    /// What is wrong in those that were asked for.
    pub(super) fn faults(self) -> Vec<RuleFault> {
        self.faults
    }

    /// The file that a rule calls `job`.
    fn find(&self, job: &str) -> Option<&'s RuleSource> {
        let is_it = |name: &str| {
            name == job || name.strip_suffix(job).is_some_and(|folder| folder.ends_with('/'))
        };
        self.files.iter().find(|source| is_it(&source.name)).copied()
    }

    /// The nearest to `job` of those that there are.
    fn proposal(&self, job: &str) -> Option<String> {
        let depth = job.split('/').count();
        let names: Vec<String> = self
            .files
            .iter()
            .map(|source| {
                let parts: Vec<_> = source.name.split('/').collect();
                parts.get(parts.len().saturating_sub(depth)..).unwrap_or_default().join("/")
            })
            .collect();
        nearest(job, names.iter().map(String::as_str)).or_else(|| {
            let known = names.join(", ");
            (!known.is_empty()).then(|| format!("there are: {known}"))
        })
    }

    /// The definition in `source`, which may use `known`.
    fn read(&mut self, source: &RuleSource, known: &[&str]) -> Option<Text> {
        let mut inspection = Inspection::new(&source.name, &source.text);
        let text = match Text::definition(&source.text) {
            Ok(text) => Some(text),
            Err(error) => {
                inspection.fault(error.range.clone(), error.message, None);
                None
            }
        };
        for used in text.iter().flat_map(Text::names) {
            if !super::is_known(used, known) {
                let start = source.text.find(used.as_str());
                let span = start.map(|start| start..start + used.len());
                let help = nearest(used, known.iter().copied())
                    .or_else(|| Some(format!("known are: {}", known.join(", "))));
                inspection.fault(span, format!("unknown name `{used}`"), help);
            }
        }
        let is_whole = inspection.faults.is_empty();
        for fault in inspection.faults {
            if !self.faults.iter().any(|told| told.to_string() == fault.to_string()) {
                self.faults.push(fault);
            }
        }
        text.filter(|_| is_whole)
    }
}

impl Reader<'_, '_, '_> {
    /// The definition of the job, for executors that are given one.
    pub(super) fn definition(
        &mut self,
        build: &BuildSpec,
        (names, connection): (&[&str], Option<&Connection>),
    ) -> Option<Text> {
        connection.filter(|connection| connection.takes_definitions)?;
        let span = self.span(&["build", "job"]);
        let Some(source) = self.definitions.find(&build.job) else {
            let help = self.definitions.proposal(&build.job);
            let message = format!("there is no file `{}` in the folder of rules", build.job);
            self.inspection.fault(span, message, help);
            return None;
        };
        if self.inspection.faults.len() > self.faults_before {
            // What the rule lacks would only be missed there.
            return None;
        }
        let mut known = names.to_vec();
        known.push(PARAMETERS);
        let text = self.definitions.read(source, &known);
        if text.is_none() {
            let message = format!("`{}` cannot be used", source.name);
            self.inspection.fault(
                span,
                message,
                Some("what is wrong with it is told below".to_owned()),
            );
        }
        text
    }

    /// What there is a build for each of.
    pub(super) fn each(
        &mut self,
        build: &BuildSpec,
        (names, connection): (&[&str], Option<&Connection>),
    ) -> Option<Each> {
        let each = build.for_each.as_ref()?;
        let span = self.span(&["build", "for_each"]);
        if !self.spec.on.as_slice().iter().all(|kind| *kind == EventKind::ArtifactPublished) {
            let message =
                "`for_each` is for artifacts, and `on` has more than `artifact.published`";
            self.inspection.fault(span, message, None);
            return None;
        }
        let mut entries = each.iter();
        let (Some((name, of)), None) = (entries.next(), entries.next()) else {
            let message = format!("`for_each` has one name, such as `{BOARD}`");
            self.inspection.fault(span, message, None);
            return None;
        };
        let has_boards = connection.is_some_and(|connection| connection.has_boards);
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let is_taken = names.iter().any(|known| known.split('.').next() == Some(name));
        if !is_name || is_taken || (has_boards && name != BOARD) {
            let message = format!("`for_each` cannot call it `{name}`");
            let help =
                if has_boards { format!("call it `{BOARD}`") } else { "choose another".to_owned() };
            self.inspection.fault(span.clone(), message, Some(help));
        }
        let of = self.each_of(of, (names, has_boards), &span)?;
        Some(Each { name: name.clone(), of })
    }

    fn each_of(
        &mut self,
        of: &EachSpec,
        (names, has_boards): (&[&str], bool),
        span: &Span,
    ) -> Option<EachOf> {
        match of {
            EachSpec::These(these) => {
                let max = ArtifactEvent::BOARDS_MAX;
                let is_empty = these.iter().any(|one| one.trim().is_empty());
                if these.is_empty() || these.len() > max || is_empty {
                    let message = format!("`for_each` has 1 to {max} of them, none empty");
                    self.inspection.fault(span.clone(), message, None);
                }
                let mut these = these.clone();
                these.sort();
                these.dedup();
                Some(EachOf::These(these))
            }
            EachSpec::Of(source) => self.list(source, names, span).map(EachOf::Of),
            EachSpec::Having(HavingSpec { tag, tags }) => {
                if !has_boards {
                    let message =
                        format!("`{}` has no boards that could be asked for", self.build_on());
                    self.inspection.fault(span.clone(), message, None);
                }
                match (tag, tags) {
                    (Some(tag), None) => Some(EachOf::Having(OneOrMany::as_slice(tag).to_vec())),
                    (None, Some(source)) => self.list(source, names, span).map(EachOf::HavingAllOf),
                    (Some(_), Some(_)) | (None, None) => {
                        let message = "give one of `tag` and `tags`";
                        self.inspection.fault(span.clone(), message, None);
                        None
                    }
                }
            }
        }
    }

    fn build_on(&self) -> String {
        self.spec.build.as_ref().map(|build| build.on.clone()).unwrap_or_default()
    }

    fn list(&mut self, source: &str, names: &[&str], span: &Span) -> Option<Expression> {
        match Expression::parse(source) {
            Ok(expression) => {
                self.check_names(expression.names(), names, span);
                Some(expression)
            }
            Err(error) => {
                self.bad_expression(&error, span.clone());
                None
            }
        }
    }

    /// Whether what is said of artifacts is said of artifacts.
    pub(super) fn check_artifacts(&mut self) {
        let kinds = self.spec.on.as_slice();
        let is_too_early = |kind: &EventKind| {
            matches!(kind, EventKind::ArtifactCreated) || kind.family() == Family::Boards
        };
        if self.spec.build.is_some() && kinds.iter().any(is_too_early) {
            let message = "an artifact is built with once it can be had";
            let help = Some("write `on = \"artifact.published\"`".to_owned());
            self.inspection.fault(self.span(&["on"]), message, help);
        }
    }
}
