//! Asking a forge; what it answers is an event.

use anyhow::anyhow;
use jiff::Timestamp;

use super::perform::Ending;
use crate::action::Inquiry;
use crate::command::Command;
use crate::event::Event;
use crate::event::EventKind;
use crate::event::command::{CommandEvent, kind_of};
use crate::event::proposal::{Asked, CommentEvent, PullRequestEvent, Standing};
use crate::forges::{Account, Forge};
use crate::ledger::queue::Settlement;
use crate::remote::Failure;

/// Asks what `inquiry` says, at the time `now`.
pub(super) async fn inquire(forge: &dyn Forge, inquiry: &Inquiry, now: Timestamp) -> Ending {
    match inquiry {
        Inquiry::Author(proposal) => author(forge, proposal).await,
        Inquiry::Commands { said, commands, is_known } => {
            let answer = heed(forge, (said, commands, *is_known), now).await;
            answer.map_err(|failure| (failure, Vec::new()))
        }
    }
}

/// The events of giving up: what cannot be found out is a no.
pub(super) fn unanswered(inquiry: &Inquiry) -> Vec<Event> {
    match inquiry {
        Inquiry::Author(proposal) => vec![answered(proposal, None)],
        // There is nobody to tell: the forge is where the answer would be told.
        Inquiry::Commands { .. } => Vec::new(),
    }
}

fn answered(proposal: &PullRequestEvent, standing: Option<Standing>) -> Event {
    Event::PullRequest(PullRequestEvent { asked: Some(Asked { standing }), ..proposal.clone() })
}

async fn author(forge: &dyn Forge, proposal: &PullRequestEvent) -> Ending {
    match forge.person(&proposal.project, &author_of(proposal)).await {
        Ok(person) => Ok(Settlement::Done(vec![answered(proposal, Some(person.standing))])),
        // It is told once no further try is made.
        Err(failure) => Err((failure, vec![answered(proposal, None)])),
    }
}

async fn heed(
    forge: &dyn Forge,
    (said, commands, is_known): (&CommentEvent, &[Command], bool),
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
    let (asked, told) = (said.on.subject(), on.subject());
    if told != asked {
        return Err(Failure::give_up(anyhow!("`{asked}` has moved, it is `{told}` now")));
    }
    let author = forge.person(&on.project, &author_of(&on)).await?;
    on.asked = Some(Asked { standing: Some(author.standing) });
    // A push that nobody has told of yet comes before the commands.
    let standing = Some(author.standing);
    let news = Event::PullRequest(PullRequestEvent { standing, asked: None, ..on.clone() });
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

fn author_of(proposal: &PullRequestEvent) -> Account {
    Account { id: proposal.author_id.clone(), name: proposal.author.clone() }
}
