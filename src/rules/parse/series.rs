//! What a rule says of patch series.

use super::{Reader, Span};
use crate::event::{EventKind, Family};
use crate::rules::spec::EachPatch;
use crate::subject::ConnectionName;

impl Reader<'_, '_, '_> {
    /// The repository `[git.NAME]`.
    pub(super) fn tree(&mut self, name: &str) -> Option<ConnectionName> {
        let is_tree = |name: &ConnectionName| {
            self.directory.find(name).is_some_and(|connection| connection.is_tree)
        };
        let found = ConnectionName::try_from(format!("git.{name}")).ok().filter(is_tree);
        if found.is_none() {
            let all = self.directory.iter().filter(|(_, connection)| connection.is_tree);
            let known: Vec<_> =
                all.filter_map(|(name, _)| name.as_str().strip_prefix("git.")).collect();
            let span = self.span(&["git"]);
            self.unknown_connection(name, &known, "is a repository (`[git.NAME]`)", span);
        }
        found
    }

    /// Whether what is said of series is said of series.
    pub(super) fn check_series(&mut self, span: &Span) {
        let spec = self.spec;
        let kinds = spec.on.as_slice();
        if spec.git.is_some() && !kinds.iter().all(|kind| *kind == EventKind::SeriesPosted) {
            let message = "`git` puts a series on a branch, and `on` has more than `series.posted`";
            self.inspection.fault(self.span(&["git"]), message, None);
        }
        if spec.git.is_some() && spec.build.is_none() {
            let message = "`git` puts a series on a branch to build it, and there is no `build`";
            self.inspection.fault(self.span(&["git"]), message, None);
        }
        if spec.git.is_none() && spec.each_patch != EachPatch::Never {
            let message = "`each_patch` needs the patches on a branch: add `git = \"NAME\"`";
            self.inspection.fault(self.span(&["each_patch"]), message, None);
        }
        let is_on_the_way = |kind: &EventKind| {
            matches!(kind.family(), Family::Applied)
                || matches!(kind, EventKind::SeriesRecheck | EventKind::SeriesApproved)
        };
        if spec.build.is_some() && kinds.iter().any(is_on_the_way) {
            let message = "a series is built when it is posted";
            let help = "write `on = \"series.posted\"`; asking again and approvals are heeded \
                        without being named";
            self.inspection.fault(self.span(&["on"]), message, Some(help.to_owned()));
        }
        let Some(build) = &spec.build else { return };
        let connection = ConnectionName::try_from(build.on.clone()).ok();
        let builds_references = connection
            .and_then(|name| self.directory.find(&name))
            .is_some_and(|connection| connection.builds_references);
        let is_told = build.reference.is_some()
            || spec.git.is_some()
            || kinds.iter().all(|kind| kind.family() == Family::Push);
        if builds_references && !is_told {
            let message = format!("`{}` builds branches and tags, and none is said", build.on);
            let help = "say which: `ref = \"{{ head.branch }}\"`";
            let span = self.span(&["build"]).or_else(|| span.clone());
            self.inspection.fault(span, message, Some(help.to_owned()));
        }
    }
}
