//! What a forge tells of a proposal, against what was heard of it: only thinks.

use std::collections::BTreeSet;

use crate::decision::SubjectState;
use crate::directory::Directory;
use crate::event::proposal::PullRequestEvent;
use crate::event::{EventKind, Family};
use crate::rules::{Rule, RuleSet};
use crate::subject::ConnectionName;

/// A project on a forge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The forge.
    pub(super) connection: ConnectionName,
    /// Its full name.
    pub(super) project: String,
}

/// The projects that rules name exactly, on those of `forges` that they can mean.
pub(super) fn places<'a>(
    rules: &RuleSet,
    directory: &Directory,
    forges: &(impl Iterator<Item = &'a ConnectionName> + Clone),
) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for rule in rules.rules().iter().filter(|rule| is_about_proposals(rule)) {
        let named = rule.places.iter().filter(|place| place.name == "project" && place.is_exact());
        for project in named.flat_map(|place| &place.wanted) {
            for connection in forges.clone() {
                let hosts = directory.find(connection).map_or(&[][..], |forge| &forge.hosts);
                if is_at(rule, hosts) {
                    let (connection, project) = (connection.clone(), project.clone());
                    places.insert(Place { connection, project });
                }
            }
        }
    }
    places
}

fn is_about_proposals(rule: &Rule) -> bool {
    rule.on.iter().any(|kind| match kind.family() {
        Family::PullRequest | Family::Comment | Family::Command => true,
        Family::Push
        | Family::Series
        | Family::Applied
        | Family::Artifact
        | Family::Boards
        | Family::Build => false,
    })
}

/// Whether the rule can mean a forge that calls itself one of `hosts`.
fn is_at(rule: &Rule, hosts: &[String]) -> bool {
    let mut wanted = rule.places.iter().filter(|place| place.name == "instance");
    wanted.all(|place| hosts.iter().any(|host| place.admits(host)))
}

/// The kind of the event that no message has told; none where all is known.
pub(super) fn missed(told: &PullRequestEvent, known: Option<&SubjectState>) -> Option<EventKind> {
    let is_closed = told.event == EventKind::PullRequestClosed;
    // The forge has not fetched it yet: then there is nothing to build, and it is told later.
    let head = match &told.head.sha {
        Some(head) => head,
        None if is_closed => return known.is_some_and(|known| known.is_open).then_some(told.event),
        None => return None,
    };
    let Some(known) = known else {
        return (!is_closed).then_some(EventKind::PullRequestOpened);
    };
    let at = told.at.map(jiff::Timestamp::as_millisecond);
    // A message has overtaken the answer.
    if at.zip(known.at).is_some_and(|(at, known)| at < known) {
        return None;
    }
    let is_newer = at.zip(known.at).is_some_and(|(at, known)| at > known);
    match (is_closed, known.is_open) {
        (true, true) => Some(EventKind::PullRequestClosed),
        (true, false) => None,
        (false, false) => Some(EventKind::PullRequestReopened),
        (false, true) => {
            let is_moved = |known: &String| !told.target.is_empty() && *known != told.target;
            let is_known =
                known.head.as_ref() == Some(head) && !known.target.as_ref().is_some_and(is_moved);
            let is_past = known.past_heads.contains(head) && !is_newer;
            match (told.pull_request.draft, known.is_draft) {
                _ if !is_known => (!is_past).then_some(EventKind::PullRequestUpdated),
                (false, true) => Some(EventKind::PullRequestReady),
                (true, false) => Some(EventKind::PullRequestDrafted),
                (true, true) | (false, false) => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{directory, name, proposal, rules, sha};

    fn heard(head: char, at: i64) -> SubjectState {
        let past_heads = vec![sha('0')];
        SubjectState {
            is_open: true,
            head: Some(sha(head)),
            past_heads,
            at: Some(at),
            ..SubjectState::default()
        }
    }

    fn told(head: char, at: i64) -> PullRequestEvent {
        proposal(EventKind::PullRequestUpdated, head, at)
    }

    #[test]
    fn what_was_heard_is_not_missed() {
        assert_eq!(missed(&told('a', 5), Some(&heard('a', 5))), None);
        assert_eq!(missed(&told('a', 9), Some(&heard('a', 5))), None);
        let closed = SubjectState { is_open: false, ..heard('a', 5) };
        let told_closed = proposal(EventKind::PullRequestClosed, 'a', 9);
        assert_eq!(missed(&told_closed, Some(&closed)), None);
        assert_eq!(missed(&told_closed, None), None);
    }

    #[test]
    fn each_difference_is_the_event_that_would_have_told_it() {
        let closed = SubjectState { is_open: false, ..heard('a', 5) };
        let told_closed = proposal(EventKind::PullRequestClosed, 'a', 9);
        assert_eq!(missed(&told('a', 9), None), Some(EventKind::PullRequestOpened));
        assert_eq!(
            missed(&told('b', 9), Some(&heard('a', 5))),
            Some(EventKind::PullRequestUpdated)
        );
        assert_eq!(missed(&told('a', 9), Some(&closed)), Some(EventKind::PullRequestReopened));
        assert_eq!(missed(&told_closed, Some(&heard('a', 5))), Some(EventKind::PullRequestClosed));
        // A push back to an older head.
        assert_eq!(
            missed(&told('0', 9), Some(&heard('a', 5))),
            Some(EventKind::PullRequestUpdated)
        );
    }

    #[test]
    fn what_its_author_says_of_it_is_a_difference_at_the_same_head_only() {
        let draft = |head, at| {
            let mut draft = told(head, at);
            draft.pull_request.draft = true;
            draft
        };
        let drafted = SubjectState { is_draft: true, ..heard('a', 5) };
        assert_eq!(missed(&told('a', 9), Some(&drafted)), Some(EventKind::PullRequestReady));
        assert_eq!(
            missed(&draft('a', 9), Some(&heard('a', 5))),
            Some(EventKind::PullRequestDrafted)
        );
        assert_eq!(missed(&draft('a', 9), Some(&drafted)), None);
        assert_eq!(missed(&told('b', 9), Some(&drafted)), Some(EventKind::PullRequestUpdated));
        assert_eq!(missed(&told('a', 4), Some(&drafted)), None, "messages have overtaken it");
        assert_eq!(missed(&draft('0', 5), Some(&heard('a', 5))), None, "it is about an older head");
    }

    #[test]
    fn an_answer_that_messages_have_overtaken_says_nothing() {
        let closed = SubjectState { is_open: false, ..heard('b', 7) };
        assert_eq!(missed(&told('a', 5), Some(&heard('b', 7))), None);
        assert_eq!(missed(&told('a', 5), Some(&closed)), None);
        assert_eq!(missed(&told('0', 7), Some(&heard('b', 7))), None);
    }

    #[test]
    fn what_has_no_head_yet_waits() {
        let mut young = told('a', 5);
        young.head.sha = None;
        assert_eq!(missed(&young, None), None);
        assert_eq!(missed(&young, Some(&heard('a', 4))), None);
    }

    #[test]
    fn only_projects_that_rules_name_are_looked_at_and_only_where_they_mean() {
        let rule = |name: &str, on: &str, place: &str| {
            let notice = "notify = [{ to = 'chat.ops', text = 'x' }]";
            format!("[[rule]]\nname = '{name}'\non = '{on}'\nwhere = {{ {place} }}\n{notice}\n")
        };
        let rules = rules(
            &[
                rule(
                    "a",
                    "pull_request.opened",
                    "project = ['points', 'signalbox'], instance = 'forge.*'",
                ),
                rule("b", "pull_request.opened", "project = 'else', instance = 'other.example'"),
                rule("c", "pull_request.opened", "project = 'all-*'"),
                rule("d", "branch.pushed", "project = 'pushed'"),
            ]
            .concat(),
        );
        let forge = name("forge.main");
        let found = places(&rules, &directory(), &[&forge].into_iter());
        let found: Vec<_> = found.iter().map(|place| place.project.as_str()).collect();
        assert_eq!(found, ["points", "signalbox"]);
    }
}
