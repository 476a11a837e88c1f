//! Whom to believe: what somebody counts as, and whose changes a rule builds.

use super::case::Case;
use super::{Rule, RuleSet};
use crate::directory::{Directory, People};
use crate::event::Event;
use crate::event::command::CommandEvent;
use crate::event::proposal::{Comment, PullRequestEvent, Pusher, Standing};
use crate::event::series::Sender;

/// Whether a rule may build a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trusted {
    /// It may.
    Yes,
    /// The forge has to be asked first.
    Ask,
    /// It may not: this is what the author is.
    No(Standing),
}

/// What the operator says of people at the forge of `instance`.
pub(super) fn people<'a>(directory: &'a Directory, instance: &str) -> Option<&'a People> {
    let forge = directory.forge_at(instance)?;
    Some(&directory.find(forge)?.people)
}

/// The lasting id of somebody at the forge of `instance`, if it is known.
///
/// Only that counts: a name can be given away, and somebody may be called `1234`.
pub(super) fn lasting<'a>(
    directory: &Directory,
    instance: &str,
    (id, name): (Option<&'a String>, &'a str),
) -> Option<&'a str> {
    let forge = directory.forge_at(instance).and_then(|forge| directory.find(forge))?;
    if forge.names_last { Some(name) } else { id.map(String::as_str) }
}

/// What somebody counts as: what the operator says, or else what is told of them.
fn standing(people: Option<&People>, id: Option<&str>, told: Standing) -> Standing {
    match people.zip(id).and_then(|(people, id)| people.standing(id)) {
        // Blocked, whatever the forge says.
        Some(Standing::Stranger) => Standing::Stranger,
        Some(own) => own.max(told),
        None => told,
    }
}

/// What the author of a proposal counts as, as far as is known.
pub(super) fn author(directory: &Directory, proposal: &PullRequestEvent) -> Standing {
    let author = (proposal.author_id.as_ref(), proposal.author.as_str());
    let id = lasting(directory, &proposal.instance, author);
    standing(people(directory, &proposal.instance), id, proposal.standing())
}

/// What the sender of a mail counts as: only what the operator says of them, and only where it is
/// known who they are, if anybody vouches for senders there at all.
pub(super) fn sender(directory: &Directory, instance: &str, sender: &Sender) -> Standing {
    let forge = directory.forge_at(instance).and_then(|forge| directory.find(forge));
    let id = lasting(directory, instance, (sender.id.as_ref(), &sender.email));
    let own = standing(people(directory, instance), id, Standing::Stranger);
    let is_known = sender.vouched || !forge.is_some_and(|forge| forge.vouches);
    if is_known { own } else { Standing::Stranger }
}

/// What the writer of a comment counts as, as far as its message tells.
pub(super) fn writer(directory: &Directory, instance: &str, comment: &Comment) -> Standing {
    let writer = (comment.author_id.as_ref(), comment.author.as_str());
    let id = lasting(directory, instance, writer);
    standing(people(directory, instance), id, comment.standing.unwrap_or_default())
}

/// What the giver of a command counts as.
pub(super) fn giver(directory: &Directory, event: &CommandEvent) -> Standing {
    let giver = (event.comment.author_id.as_ref(), event.comment.author.as_str());
    let id = lasting(directory, &event.on.instance, giver);
    standing(people(directory, &event.on.instance), id, event.standing)
}

/// Whether commands in a comment are answered at all: `Err` says why not; `given` is how many its
/// writer gave within the last hour.
pub(super) fn is_heeded(
    rules: &RuleSet,
    (instance, comment): (&str, &Comment),
    given: u32,
) -> Result<(), String> {
    let writer = (comment.author_id.as_ref(), comment.author.as_str());
    let id = lasting(&rules.directory, instance, writer);
    let people = people(&rules.directory, instance).zip(id);
    if people.is_some_and(|(people, id)| people.blocked.contains(id)) {
        return Err("its giver is blocked".to_owned());
    }
    if comment.bot && !people.is_some_and(|(people, id)| people.bots.contains(id)) {
        return Err("it is the comment of a program".to_owned());
    }
    let limit = rules.directory.commands.per_hour();
    if given > limit {
        return Err(format!("its giver gave more than {limit} commands within an hour"));
    }
    Ok(())
}

impl Case<'_> {
    /// Whether `rule` may build what is proposed: what its author proposes, and whoever else has
    /// pushed its head.
    pub(super) fn trusts(&self, rule: &Rule, proposal: &PullRequestEvent) -> Trusted {
        let directory = &self.rules.directory;
        let mut lowest = author(directory, proposal);
        if let Some(pusher) = self.pusher(proposal) {
            let people = people(directory, &proposal.instance);
            let name = (pusher.id.as_ref(), pusher.name.as_str());
            let id = lasting(directory, &proposal.instance, name);
            let asked = proposal.asked.and_then(|asked| asked.pusher);
            lowest = lowest.min(standing(people, id, asked.unwrap_or_default()));
        }
        if rule.trust.covers(lowest) || self.is_approved(rule, proposal) {
            Trusted::Yes
        } else if proposal.asked.is_none() && matches!(self.event, Event::PullRequest(_)) {
            Trusted::Ask
        } else {
            Trusted::No(lowest)
        }
    }

    /// Who pushed the head of the proposal, where that was somebody else than its author.
    pub(super) fn pusher(&self, proposal: &PullRequestEvent) -> Option<Pusher> {
        let known = self.known.subject.as_ref().and_then(|state| state.head.as_ref());
        let brings_head = known.is_none() || known != proposal.head.sha.as_ref();
        proposal.pusher().filter(|_| brings_head).or_else(|| {
            let state = self.state.as_ref()?;
            state.pusher.clone().filter(|_| state.head == proposal.head.sha)
        })
    }

    /// Whether somebody has let exactly this commit be built.
    fn is_approved(&self, rule: &Rule, proposal: &PullRequestEvent) -> bool {
        let approval = self.state.as_ref().and_then(|state| state.approval.as_ref());
        approval.is_some_and(|approval| {
            Some(&approval.head) == proposal.head.sha.as_ref()
                && rule.trust.covers(approval.standing)
        })
    }

    /// Whether what `rule` says may depend on what the author is, and nobody has told it yet.
    pub(super) fn has_to_ask(&self, rule: &Rule) -> bool {
        let Event::PullRequest(proposal) = self.event else { return false };
        let directory = &self.rules.directory;
        let name = (proposal.author_id.as_ref(), proposal.author.as_str());
        let id = lasting(directory, &proposal.instance, name);
        let said = people(directory, &proposal.instance).zip(id);
        let is_told = proposal.standing.is_some()
            || proposal.asked.is_some()
            || said.is_some_and(|(people, id)| people.standing(id).is_some());
        let reads = |name: &String| name == "standing";
        !is_told && rule.conditions.iter().any(|condition| condition.names().iter().any(reads))
    }

    /// Whether `rule` was asked already when the event came in, before the forge had answered.
    pub(super) fn was_asked_before(&self, rule: &Rule) -> bool {
        let Event::PullRequest(proposal) = self.event else { return false };
        if proposal.asked.is_none() {
            return false;
        }
        let before = PullRequestEvent { asked: None, ..proposal.clone() };
        let event = Event::PullRequest(before.clone());
        let (names, state) = (self.names.clone(), self.state.clone());
        let case = Case { event: &event, names, state, ..*self };
        let waits = rule.build.is_some() && case.trusts(rule, &before) == Trusted::Ask;
        !(waits || case.has_to_ask(rule))
    }
}
