//! `approve` and `recheck`: the operator lets a series be built, or asks for its builds again.
//!
//! It is written into the ledger as an event of the operator's, and decided upon by the rules as
//! they are in their files.  No message can do so: whoever reads one takes the operator's word
//! out of it.

use anyhow::{anyhow, bail};
use jiff::Timestamp;
use serde_json::json;

use super::console::Console;
use super::{Common, Exit, ledger, load};
use crate::event::series::{Request, Sender, SeriesEvent};
use crate::event::{Event, EventKind};
use crate::ledger::Ledger;
use crate::ledger::intake::{Found, Intake};
use crate::rules::fault::nearest;
use crate::service::Prepared;
use crate::source::poll::message;

/// What the messages of these commands are said to have come from.
pub(super) const SOURCE: &str = "the operator";

/// Which series may be built.
#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The series, such as `patches.example/signalbox-devel/series/1234`, or a part of it that no
    /// other subject has.
    subject: String,
    /// The version that was looked at, which has to be the newest; the newest if not said.
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

/// Which series is to be built again.
#[derive(Debug, clap::Args)]
pub(super) struct Recheck {
    /// The series, such as `patches.example/signalbox-devel/series/1234`, or a part of it that no
    /// other subject has.
    subject: String,
    /// The rules that are meant; all if none is said.
    #[arg(value_name = "RULE")]
    rules: Vec<String>,
    /// Put it on its base as that is now, instead of building again what was built.
    #[arg(long)]
    rebase: bool,
}

/// What the operator asks for.
struct Wish {
    kind: EventKind,
    subject: String,
    version: Option<u32>,
    rules: Vec<String>,
    rebase: bool,
}

pub(super) async fn approve(
    common: &Common,
    approve: Approve,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Approve { subject, version } = approve;
    let kind = EventKind::SeriesApproved;
    let wish = Wish { kind, subject, version, rules: Vec::new(), rebase: false };
    ask(common, wish, console).await
}

pub(super) async fn recheck(
    common: &Common,
    recheck: Recheck,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Recheck { subject, rules, rebase } = recheck;
    let wish = Wish { kind: EventKind::SeriesRecheck, subject, version: None, rules, rebase };
    ask(common, wish, console).await
}

async fn ask(common: &Common, wish: Wish, console: &mut Console) -> anyhow::Result<Exit> {
    let Some(settings) = load::settings(common, console)? else { return Ok(Exit::Usage) };
    let Some(prepared) = load::prepared(settings, console)? else { return Ok(Exit::Usage) };
    check_names(&prepared, &wish.rules)?;
    let ledger = Ledger::attach(&prepared.settings.ledger.path, console.clock().clone())?;
    let event = event(&ledger, wish, console.clock().now()).await?;
    let intake = intake(event);
    let id = intake.id.clone();
    let (stored, _) = ledger.put(vec![intake], prepared.decide()).await?;
    // Nobody has to be told that it is stored but who reads what follows.
    drop(stored);
    let told = ledger::one(ledger.message(id.as_str().to_owned()).await?, "message", id.as_str())?;
    if common.json {
        console.json(&json!({ "message": id, "events": told.events, "actions": told.actions }))?;
    } else {
        for event in &told.events {
            ledger::event(console, event)?;
        }
    }
    let is_refused = told.events.iter().any(|event| event.decision.not_news.is_some());
    Ok(if is_refused { Exit::Failure } else { Exit::Success })
}

/// A name that no rule has would ask for nothing.
fn check_names(prepared: &Prepared, names: &[String]) -> anyhow::Result<()> {
    let known = || prepared.rules.rules().iter().map(|rule| rule.name.as_str());
    match names.iter().find(|name| !known().any(|known| known == name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let hint = nearest(name, known()).map(|hint| format!("; {hint}")).unwrap_or_default();
            Err(anyhow!("there is no rule `{name}`{hint}"))
        }
    }
}

/// The event, about the series as it was told when it was news.
async fn event(ledger: &Ledger, wish: Wish, now: Timestamp) -> anyhow::Result<SeriesEvent> {
    let subject = ledger::subject(ledger, &wish.subject).await?;
    let Some(posted) = ledger.series_posted(subject.clone(), wish.version).await? else {
        let version = wish.version.map(|version| format!(" v{version} of")).unwrap_or_default();
        bail!("the ledger knows no series that was posted as{version} `{subject}`");
    };
    let by = Sender {
        id: Some("operator".to_owned()),
        name: "the operator".to_owned(),
        ..Sender::default()
    };
    let request = Request {
        // Each time it is said is another time.
        id: format!("operator-{}", now.as_millisecond()),
        by,
        names: wish.rules,
        rebase: wish.rebase,
        at: Some(now),
        operator: true,
        standing: None,
    };
    let at = Some(now);
    Ok(SeriesEvent { event: wish.kind, request: Some(request), test: None, at, ..posted })
}

fn intake(event: SeriesEvent) -> Intake {
    let message = message(&event);
    Intake {
        source: SOURCE,
        id: message.identity(),
        digest: message.digest(),
        message,
        inbox: None,
        found: Found::Events(vec![Event::Series(Box::new(event))], None),
    }
}
