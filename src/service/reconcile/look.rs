//! One look at one project: what its forge lists, what was heard, and the difference put in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;

use super::compare::{Place, missed};
use super::{Reconcile, SOURCE, cursor};
use crate::decision::{Decision, SubjectState};
use crate::event::proposal::PullRequestEvent;
use crate::event::{Event, EventKind};
use crate::forges::Forge;
use crate::ledger::intake::{Found, Intake};
use crate::ledger::{Decide, LedgerError};
use crate::message::Message;
use crate::remote::{Failure, chain};
use crate::settings::FirstLook;
use crate::subject::Subject;
use crate::telemetry::metrics;

/// What stands before the kind of an event in the topic of its message.
const TOPIC: &str = "pointsman.reconcile";

/// How long it is waited for the list of a project, which has several pages.
const LIST_TIMEOUT: Duration = Duration::from_mins(5);

/// How many proposals of one project are asked for one by one in one look.
const ASKED_MAX: usize = 50;

/// What the decision about a proposal says that is only noted.
const NOTED: &str = "it was there when its project was looked at for the first time";

/// Something that no message has told.
struct Gap {
    event: PullRequestEvent,
    /// Whether rules are to hear of it.
    is_news: bool,
}

/// What is known before the differences are looked for.
struct Before {
    heard: BTreeMap<Subject, SubjectState>,
    /// What the forge touched after this may still be told by a message that is on its way.
    settled: Timestamp,
    /// Proposals up to this number were there before anybody looked.
    noted_until: u64,
}

impl Before {
    /// What `told` tells that no message has told.
    fn gap(&self, told: &PullRequestEvent) -> Option<Gap> {
        if told.at.is_some_and(|at| at > self.settled) {
            return None;
        }
        let kind = missed(told, self.heard.get(&told.subject()))?;
        let is_new = kind != EventKind::PullRequestOpened || told.number > self.noted_until;
        let event = PullRequestEvent { event: kind, ..told.clone() };
        Some(Gap { event, is_news: is_new })
    }
}

impl Reconcile {
    /// Looks at one project; `Err` within is the forge's, and leaves no trace in the ledger.
    pub(super) async fn look(
        &self,
        place: &Place,
        forge: &dyn Forge,
    ) -> Result<Result<(), Failure>, LedgerError> {
        let listing = forge.open_proposals(&place.project);
        let listed = match tokio::time::timeout(LIST_TIMEOUT, listing).await {
            Ok(Ok(listed)) => listed,
            Ok(Err(failure)) => return Ok(Err(failure)),
            Err(_elapsed) => {
                let error = anyhow!("no list within {} seconds", LIST_TIMEOUT.as_secs());
                return Ok(Err(Failure::retry(error)));
            }
        };
        // A project that was renamed answers to its old name; under the new one it is another.
        let (listed, moved): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|told| told.project == place.project);
        let before = self.before(place, &listed).await?;
        let mut gaps: Vec<Gap> = listed.iter().filter_map(|told| before.gap(told)).collect();
        let asked = self.ask(forge, &listed, (&before, &mut gaps)).await;
        let asked = asked.and_then(|()| moved.first().map_or(Ok(()), |told| Err(renamed(told))));
        for gap in gaps {
            self.put(place, gap).await?;
        }
        if asked.is_ok() {
            let noted_until = before.noted_until.to_string();
            self.ledger.set_cursor(cursor(place), noted_until).await?;
        }
        Ok(asked)
    }

    async fn before(
        &self,
        place: &Place,
        listed: &[PullRequestEvent],
    ) -> Result<Before, LedgerError> {
        let directory = &self.live.current().reader.directory;
        let hosts = directory.find(&place.connection).map(|forge| forge.hosts.clone());
        let subjects = listed.iter().map(PullRequestEvent::subject).collect();
        let project = place.project.clone();
        let heard = self.ledger.proposals(hosts.unwrap_or_default(), project, subjects).await?;
        let now = self.ledger.clock().now();
        let settled = now.checked_sub(self.settings.patience).unwrap_or(Timestamp::MIN);
        let noted_until = match (self.settings.first, self.ledger.cursor(cursor(place)).await?) {
            (FirstLook::Build, _) => 0,
            (FirstLook::Note, Some(cursor)) => cursor.value.parse().unwrap_or(0),
            (FirstLook::Note, None) => {
                let is_settled = |told: &&PullRequestEvent| told.at.is_none_or(|at| at <= settled);
                listed.iter().filter(is_settled).map(|told| told.number).max().unwrap_or(0)
            }
        };
        Ok(Before { heard, settled, noted_until })
    }

    /// Asks for single proposals: those that should be listed and are not, since a list may have
    /// been cut, and those that are said to be open again, since they may have been closed while
    /// the list was made.
    async fn ask(
        &self,
        forge: &dyn Forge,
        listed: &[PullRequestEvent],
        (before, gaps): (&Before, &mut Vec<Gap>),
    ) -> Result<(), Failure> {
        let subjects: BTreeSet<Subject> = listed.iter().map(PullRequestEvent::subject).collect();
        let unlisted = before.heard.iter().filter(|(_, state)| state.is_open);
        let unlisted = unlisted.map(|(subject, _)| subject).filter(|it| !subjects.contains(it));
        let mut doubtful: Vec<Subject> = unlisted.cloned().collect();
        if !doubtful.is_empty() {
            // Those that cannot be asked for do not keep the others from their turn.
            let asked_before = self.rounds.saturating_mul(ASKED_MAX);
            let turn = asked_before % doubtful.len();
            doubtful.rotate_left(turn);
        }
        let is_reopened = |gap: &mut Gap| gap.event.event == EventKind::PullRequestReopened;
        let reopened = gaps.extract_if(.., is_reopened).map(|gap| gap.event.subject());
        doubtful.splice(0..0, reopened.collect::<Vec<_>>());
        for subject in doubtful.iter().take(ASKED_MAX) {
            match forge.proposal(subject).await {
                // A project that was renamed answers under its new name.
                Ok(told) if told.subject() == *subject => gaps.extend(before.gap(&told)),
                Ok(_) => {}
                Err(failure @ Failure::Retry { .. }) => return Err(failure),
                Err(failure @ Failure::GiveUp(_)) => {
                    tracing::debug!(error = %chain(&failure), %subject, "Cannot ask for a proposal");
                }
            }
        }
        Ok(())
    }

    /// Puts in what was missed, by the way that messages go.
    async fn put(&self, place: &Place, gap: Gap) -> Result<(), LedgerError> {
        let Gap { event, is_news } = gap;
        let (kind, subject) = (event.event, event.subject());
        let event = Event::PullRequest(event);
        let decide = self.live.current().decide();
        let decide = if is_news { decide } else { noting(decide) };
        let (stored, tally) = self.ledger.put(vec![intake(event)?], decide).await?;
        // It came from no source that would have to be told.
        drop(stored);
        tally.tell();
        // The same gap, found again, is a message that was stored before.
        if tally.read > 0 {
            let word = if is_news { kind.as_str() } else { "noted" };
            metrics::count_reconcile_found(&place.connection, word);
            if is_news {
                tracing::info!(%subject, "Found `{kind}`, which no message has told");
            } else {
                tracing::debug!(%subject, "Noted an open proposal");
            }
        }
        Ok(())
    }
}

/// The event as a message that brings it.  Its identity is the event's, so that the same gap found
/// twice is one message.
fn intake(event: Event) -> Result<Intake, LedgerError> {
    let message = Message {
        id: Some(format!("{SOURCE}-{}", event.identity())),
        topic: format!("{TOPIC}.{}", event.kind()),
        content_type: Some("application/json".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        body: serde_json::to_vec(&event)?,
        ..Message::default()
    };
    Ok(Intake {
        source: SOURCE,
        id: message.identity(),
        digest: message.digest(),
        message,
        inbox: None,
        found: Found::Events(vec![event], None),
    })
}

/// The forge told of another project than was asked about.
fn renamed(told: &PullRequestEvent) -> Failure {
    Failure::give_up(anyhow!("the forge calls it `{}`: rules have to do so, too", told.project))
}

/// Remembers what an event tells, and lets no rule act on it.
fn noting(decide: Decide) -> Decide {
    Arc::new(move |event, known| {
        let Decision { subject, .. } = decide(event, known);
        Decision { not_news: Some(NOTED.to_owned()), subject, ..Decision::default() }
    })
}
