//! The decision: an event, what is known, and what follows.

use super::case::Case;
use super::texts::Voice;
use super::{RuleSet, artifact, command, progress, proposal, push, series};
use crate::decision::{Considered, Decision, Known, Outcome};
use crate::event::Event;

/// Which rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// Those that the index finds: the way of every message.
    Indexed,
    /// All that are about this kind of event, so that each can say why it did not fire.
    All,
}

/// Decides what `event` causes.
#[must_use]
pub fn decide(rules: &RuleSet, event: &Event, known: &Known) -> Decision {
    decide_among(rules, event, known, Breadth::Indexed)
}

/// As [`decide`], asking more rules than have to be.
#[must_use]
pub fn decide_among(rules: &RuleSet, event: &Event, known: &Known, breadth: Breadth) -> Decision {
    let mut decision = Decision::default();
    let voice = Voice::new(&rules.texts);
    let is_news = match event {
        Event::PullRequest(proposal) => {
            proposal::take_note((rules, &voice), proposal, known, &mut decision)
        }
        Event::Comment(said) => proposal::take_note_of_comment(rules, said, known, &mut decision),
        Event::Command(said) => command::take_note(rules, said, known),
        Event::Push(push) => push::take_note((rules, &voice), (event, push), known, &mut decision),
        Event::Series(on) => series::take_note((rules, &voice), on, known, &mut decision),
        Event::Applied(of) => {
            series::take_note_of_branch((rules, &voice), of, known, &mut decision)
        }
        Event::Artifact(on) => {
            artifact::take_note((rules, &voice), (event, on), known, &mut decision)
        }
        Event::Boards(found) => {
            artifact::take_note_of_boards((rules, &voice), (event, found), known, &mut decision)
        }
        Event::Build(build) => progress::take_note((rules, &voice), build, known, &mut decision),
    };
    match (is_news, event) {
        (Err(reason), _) => decision.not_news = Some(reason),
        (Ok(()), Event::Command(said)) => {
            command::heed((rules, &voice), (event, said), (known, breadth), &mut decision);
        }
        (Ok(()), _) => ask((rules, &voice), (event, known), breadth, &mut decision),
    }
    decision.remarks.extend(voice.failures());
    decision
}

/// Asks the rules that `event` can concern.
fn ask(
    (rules, voice): (&RuleSet, &Voice<'_>),
    (event, known): (&Event, &Known),
    breadth: Breadth,
    decision: &mut Decision,
) {
    let mut case = Case::new(rules, event, known, voice);
    if let Some(state) = &decision.subject {
        case.state = Some(state.clone());
    }
    let mut has_to_ask = false;
    for rule in rules.about(event, breadth) {
        if case.was_asked_before(rule) || !case.is_meant(rule) {
            continue;
        }
        let outcome = case.ask(rule, decision);
        has_to_ask |= outcome == Outcome::Asks;
        decision.considered.push(Considered {
            rule: rule.name.clone(),
            at: rule.at.clone(),
            outcome,
        });
    }
    if has_to_ask {
        decision.actions.extend(case.inquiry());
    }
}
