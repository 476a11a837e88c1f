//! Whether the parts of a rule fit together.

use super::{Reader, Span};
use crate::event::{EventKind, Family};

impl Reader<'_, '_, '_> {
    pub(super) fn check_shape(&mut self, span: &Span) {
        let spec = self.spec;
        if spec.name.trim().is_empty() || spec.name.len() > 100 {
            self.inspection.fault(span.clone(), "a rule's name has 1 to 100 characters", None);
        }
        if spec.on.as_slice().is_empty() {
            self.inspection.fault(self.span(&["on"]), "`on` names no kind of event", None);
        }
        if spec.build.is_none() && !spec.report.is_empty() {
            let help = Some("use `[[rule.notify]]` to tell of an event itself".to_owned());
            let message = "`report` tells of a build, but the rule starts none";
            self.inspection.fault(self.span(&["report"]), message, help);
        }
        if spec.build.is_none() && spec.notify.is_empty() && spec.report.is_empty() {
            let message =
                format!("rule `{}` does nothing: it has neither `build` nor `notify`", spec.name);
            self.inspection.fault(span.clone(), message, None);
        }
        let is_of_series = |kind: &EventKind| kind.family() == Family::Series;
        let has_series = spec.on.as_slice().iter().any(is_of_series);
        let forges = self
            .directory
            .iter()
            .filter(|(_, connection)| connection.is_forge && connection.has_series == has_series)
            .count();
        let is_of_artifact = |kind: &EventKind| kind.family() == Family::Artifact;
        let has_place = !spec.on.as_slice().iter().all(is_of_artifact);
        if spec.build.is_some() && has_place && forges > 1 && !spec.place.contains_key("instance") {
            let message =
                "the settings have several forges, and `where` does not say which is meant";
            let help = "anybody can have a project of that name on another forge: \
                        add `instance = \"HOST\"`";
            let span = self.span(&["where"]).or_else(|| span.clone());
            self.inspection.fault(span, message, Some(help.to_owned()));
        }
        self.check_series(span);
        self.check_artifacts();
        let of_builds = |kind: &EventKind| kind.as_str().starts_with("build.");
        if spec.build.is_some() && spec.on.as_slice().iter().any(of_builds) {
            let message = "a build cannot be started by an event about a build";
            self.inspection.fault(self.span(&["on"]), message, None);
        }
    }
}
