//! Asking on which boards an artifact can be run; the answer is an event.

use super::perform::Ending;
use super::{Site, Worker};
use crate::action::Survey;
use crate::event::artifact::{ArtifactEvent, BoardsEvent};
use crate::event::{Event, EventKind};
use crate::ledger::queue::{Claimed, Settlement};
use crate::remote::{Failure, chain};

impl Worker {
    /// Asks `site` which boards there are for `survey`.
    pub(super) async fn survey(&self, claimed: &Claimed, survey: &Survey, site: &Site) -> Ending {
        let run = claimed.run.as_ref();
        if run.is_some_and(|run| run.state.is_done()) {
            return Ok(Settlement::Superseded("it has ended".to_owned(), Vec::new()));
        }
        let answer = match &site.lab {
            Some(lab) => lab.boards(&survey.tags).await,
            None => Err(Failure::give_up(anyhow::anyhow!("it has no boards"))),
        };
        match answer {
            Ok(mut boards) => {
                boards.sort();
                boards.dedup();
                let left_out = boards.len().saturating_sub(ArtifactEvent::BOARDS_MAX);
                boards.truncate(ArtifactEvent::BOARDS_MAX);
                Ok(Settlement::Done(vec![found(survey, (boards, left_out), None)]))
            }
            Err(failure) => {
                let reason =
                    format!("nobody could tell which boards there are: {}", chain(&failure));
                let event = found(survey, (Vec::new(), 0), Some(reason));
                Err((failure, vec![event]))
            }
        }
    }
}

fn found(
    survey: &Survey,
    (boards, left_out): (Vec<String>, usize),
    refusal: Option<String>,
) -> Event {
    Event::Boards(Box::new(BoardsEvent {
        event: EventKind::BoardsFound,
        on: survey.artifact.clone(),
        run: survey.run.clone(),
        boards,
        left_out,
        refusal,
    }))
}
