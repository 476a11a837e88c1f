//! Asking a forge; what it answers is an event.

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
        Inquiry::Commands(comment, commands) => {
            let answer = heed(forge, comment, commands, now).await;
            answer.map_err(|failure| (failure, Vec::new()))
        }
    }
}

async fn author(forge: &dyn Forge, proposal: &PullRequestEvent) -> Ending {
    let event = |standing: Option<Standing>| {
        let asked = Some(Asked { standing });
        Event::PullRequest(PullRequestEvent { asked, ..proposal.clone() })
    };
    match forge.person(&proposal.project, &author_of(proposal)).await {
        Ok(person) => Ok(Settlement::Done(vec![event(Some(person.standing))])),
        // What cannot be found out is a no; it is told once no further try is made.
        Err(failure) => Err((failure, vec![event(None)])),
    }
}

async fn heed(
    forge: &dyn Forge,
    said: &CommentEvent,
    commands: &[Command],
    now: Timestamp,
) -> Result<Settlement, Failure> {
    let comment = &said.comment;
    let giver = Account { id: comment.author_id.clone(), name: comment.author.clone() };
    let giver = forge.person(&said.on.project, &giver).await?;
    if giver.is_own {
        return Ok(Settlement::Superseded("it is our own comment".to_owned(), Vec::new()));
    }
    let mut on = forge.proposal(&said.on.subject()).await?;
    let author = forge.person(&on.project, &author_of(&on)).await?;
    on.asked = Some(Asked { standing: Some(author.standing) });
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
    Ok(Settlement::Done(commands.iter().enumerate().map(event).collect()))
}

fn author_of(proposal: &PullRequestEvent) -> Account {
    Account { id: proposal.author_id.clone(), name: proposal.author.clone() }
}
