//! Asking a forge; what it answers is an event.

use anyhow::anyhow;
use jiff::Timestamp;

use super::perform::Ending;
use crate::action::Inquiry;
use crate::command::Command;
use crate::event::Event;
use crate::event::EventKind;
use crate::event::command::{CommandEvent, kind_of};
use crate::event::proposal::{Asked, CommentEvent, PullRequestEvent, Pusher};
use crate::forges::{Account, Forge};
use crate::ledger::queue::Settlement;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// Asks what `inquiry` says, at the time `now`.
pub(super) async fn inquire(forge: &dyn Forge, inquiry: &Inquiry, now: Timestamp) -> Ending {
    match inquiry {
        Inquiry::Author { proposal, pusher } => {
            match people(forge, proposal, pusher.as_ref()).await {
                Ok(asked) => Ok(Settlement::Done(vec![answered(proposal, asked)])),
                // It is told once no further try is made.
                Err(failure) => Err((failure, unanswered(inquiry))),
            }
        }
        Inquiry::Commands { said, commands, is_known, pusher } => {
            let known = (*is_known, pusher.as_ref());
            let answer = heed(forge, (said, commands), known, now).await;
            answer.map_err(|failure| (failure, Vec::new()))
        }
    }
}

/// The events of giving up: what cannot be found out is a no.
pub(super) fn unanswered(inquiry: &Inquiry) -> Vec<Event> {
    match inquiry {
        Inquiry::Author { proposal, .. } => {
            vec![answered(proposal, Asked { standing: None, pusher: None })]
        }
        // There is nobody to tell: the forge is where the answer would be told.
        Inquiry::Commands { .. } => Vec::new(),
    }
}

fn answered(proposal: &PullRequestEvent, asked: Asked) -> Event {
    Event::PullRequest(PullRequestEvent { asked: Some(asked), ..proposal.clone() })
}

/// What the author of a proposal is, and whoever pushed its head.
async fn people(
    forge: &dyn Forge,
    proposal: &PullRequestEvent,
    pusher: Option<&Pusher>,
) -> Result<Asked, Failure> {
    let author = Account { id: proposal.author_id.clone(), name: proposal.author.clone() };
    let standing = forge.person(&proposal.project, &author).await?.standing;
    let pusher = match pusher {
        Some(Pusher { id, name }) => {
            let pusher = Account { id: id.clone(), name: name.clone() };
            Some(forge.person(&proposal.project, &pusher).await?.standing)
        }
        None => None,
    };
    Ok(Asked { standing: Some(standing), pusher })
}

async fn heed(
    forge: &dyn Forge,
    (said, commands): (&CommentEvent, &[Command]),
    (is_known, pusher): (bool, Option<&(CommitSha, Pusher)>),
    now: Timestamp,
) -> Result<Settlement, Failure> {
    let mut comment = said.comment.clone();
    let giver = Account { id: comment.author_id.clone(), name: comment.author.clone() };
    let giver = forge.person(&said.on.project, &giver).await?;
    if giver.is_own {
        return Ok(Settlement::Superseded("it is our own comment".to_owned(), Vec::new()));
    }
    comment.bot |= giver.is_bot;
    let mut on = forge.proposal(&said.on.subject()).await?;
    let (meant, told) = (said.on.subject(), on.subject());
    if told != meant {
        return Err(Failure::give_up(anyhow!("`{meant}` has moved, it is `{told}` now")));
    }
    let pusher = pusher.filter(|(head, _)| Some(head) == on.head.sha.as_ref());
    let asked = people(forge, &on, pusher.map(|(_, pusher)| pusher)).await?;
    on.asked = Some(asked);
    // A push that nobody has told of yet comes before the commands.
    let news = Event::PullRequest(PullRequestEvent {
        standing: asked.standing,
        asked: None,
        ..on.clone()
    });
    let is_open = on.event != EventKind::PullRequestClosed;
    let event = |(number, command): (usize, &Command)| {
        Event::Command(CommandEvent {
            on: PullRequestEvent { event: kind_of(command.verb), ..on.clone() },
            is_open,
            comment: comment.clone(),
            command: command.clone(),
            number,
            standing: giver.standing,
            asked_at: now,
        })
    };
    let news = is_known.then_some(news).into_iter();
    Ok(Settlement::Done(news.chain(commands.iter().enumerate().map(event)).collect()))
}
