//! What rules may say, and should be thought about.

use crate::event::EventKind;
use crate::rules::fault::nearest;
use crate::rules::spec::Trust;
use crate::rules::{Build, Rule, RuleSet};

/// Names whose values are words that anybody may write.
const FREE_NAMES: [&str; 10] = [
    "title",
    "comment",
    "comment.text",
    "command",
    "command.text",
    "series.title",
    "series.tags",
    "series.notes",
    "submitter.name",
    "submitter.email",
];

/// All of it, rule by rule.
pub(super) fn warnings(rules: &RuleSet) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in rules.rules() {
        warnings.extend(nowhere(rules, rule));
        let Some(build) = &rule.build else { continue };
        warnings.extend(free_words(rule, build));
        warnings.extend(moving_target(rule, build));
        warnings.extend(lasting_draft(rule));
    }
    if rules.rules().is_empty() {
        warnings.push("there is no rule, so nothing will happen".to_owned());
    }
    warnings
}

/// A host that no connection has: such a rule never fires.
fn nowhere(rules: &RuleSet, rule: &Rule) -> Vec<String> {
    let hosts: Vec<&str> = rules
        .directory()
        .iter()
        .flat_map(|(_, connection)| connection.hosts.iter().map(String::as_str))
        .collect();
    let places = rule.places.iter().filter(|place| place.name == "instance");
    let wanted = places.filter(|place| place.is_exact()).flat_map(|place| &place.wanted);
    let unknown = wanted.filter(|wanted| !hosts.contains(&wanted.as_str()));
    unknown
        .map(|wanted| {
            let hint = nearest(wanted, hosts.iter().copied());
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            format!(
                "{}: rule `{}` is about `{wanted}`, where no connection is{hint}",
                rule.at, rule.name
            )
        })
        .collect()
}

fn free_words(rule: &Rule, build: &Build) -> Vec<String> {
    let mut warnings = Vec::new();
    for (parameter, text) in &build.parameters {
        let is_free = |name: &&String| FREE_NAMES.contains(&name.as_str());
        if let Some(name) = text.names().iter().find(is_free) {
            warnings.push(format!(
                "{}: rule `{}` passes `{name}`, which anybody may write, to the build as `{parameter}`; \
                 a job that puts it into a shell command runs what they wrote",
                rule.at, rule.name
            ));
        }
    }
    warnings
}

/// A branch moves: between an approval and the build anything can be pushed to it.
fn moving_target(rule: &Rule, build: &Build) -> Option<String> {
    let passes = |wanted: &[&str]| {
        let names = build.parameters.iter().flat_map(|(_, text)| text.names());
        names.into_iter().any(|name| wanted.contains(&name.as_str()))
    };
    let is_blind = passes(&["head.branch", "head.url"]) && !passes(&["head", "head.sha"]);
    (is_blind && rule.trust != Trust::Anyone && is_about_heads(rule)).then(|| {
        format!(
            "{}: rule `{}` passes a branch and not its commit: what is pushed after it was \
             approved is built unseen; pass `{{{{ head.sha }}}}`, and let the job check that out",
            rule.at, rule.name
        )
    })
}

/// A rule that leaves drafts alone, and never hears that one is ready.
fn lasting_draft(rule: &Rule) -> Option<String> {
    let reads_draft = rule
        .conditions
        .iter()
        .any(|condition| condition.names().iter().any(|name| name == "pull_request.draft"));
    let is_deaf = is_about_heads(rule) && !rule.on.contains(&EventKind::PullRequestReady);
    (reads_draft && is_deaf).then(|| {
        format!(
            "{}: rule `{}` asks for drafts, and does not hear when one becomes ready: add \
             `pull_request.ready` to `on`",
            rule.at, rule.name
        )
    })
}

fn is_about_heads(rule: &Rule) -> bool {
    [EventKind::PullRequestOpened, EventKind::PullRequestUpdated]
        .iter()
        .any(|kind| rule.on.contains(kind))
}
