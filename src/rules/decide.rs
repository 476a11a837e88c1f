//! The decision: an event, what is known, and what follows.

use super::case::Case;
use super::{RuleSet, progress, proposal};
use crate::decision::{Considered, Decision, Known};
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
    let is_news = match event {
        Event::PullRequest(proposal) => proposal::take_note(proposal, known, &mut decision),
        Event::Comment(comment) => proposal::is_comment_news(comment, known),
        Event::Command(_) | Event::Push(_) => Ok(()),
        Event::Build(build) => progress::take_note(rules, build, known, &mut decision),
    };
    if let Err(reason) = is_news {
        decision.not_news = Some(reason);
        return decision;
    }
    let numbers = match breadth {
        Breadth::Indexed => rules.index.candidates(event),
        Breadth::All => (0..rules.rules.len()).collect(),
    };
    let case = Case::new(rules, event, known);
    for number in numbers {
        let Some(rule) = rules.rules.get(number).filter(|rule| rule.on.contains(&event.kind()))
        else {
            continue;
        };
        let outcome = case.ask(rule, &mut decision);
        decision.considered.push(Considered {
            rule: rule.name.clone(),
            at: rule.at.clone(),
            outcome,
        });
    }
    decision
}
