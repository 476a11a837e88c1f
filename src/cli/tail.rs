//! `tail`: what happens, as it happens.

use std::time::Duration;

use super::console::Console;
use super::words::{self, Tint, safe, short};
use super::{Common, Exit, ledger};
use crate::ledger::view::actions::ActionView;
use crate::ledger::view::events::EventView;
use crate::ledger::view::messages::MessageView;
use crate::ledger::view::news::News;

/// How often the ledger of another process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where to begin.
#[derive(Debug, clap::Args)]
pub(super) struct Tail {
    /// Show the last N events first.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: u32,
}

pub(super) async fn run(
    common: &Common,
    tail: Tail,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(ledger) = ledger::open(common, console)? else { return Ok(Exit::Usage) };
    let (mut news, mut bookmark) = ledger.latest(tail.lines).await?;
    let stop = console.stop();
    let mut closed = std::pin::pin!(console.closed());
    loop {
        for one in &news {
            if common.json { console.json_line(one)? } else { console.line(&line(one, console))? }
        }
        if console.is_closed() {
            return Ok(Exit::Success);
        }
        if news.is_empty() {
            // Each branch only waits; nothing is lost when another one wins.
            tokio::select! {
                () = stop.cancelled() => return Ok(Exit::Success),
                () = &mut closed => return Ok(Exit::Success),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        } else if stop.is_cancelled() {
            return Ok(Exit::Success);
        }
        (news, bookmark) = ledger.news(bookmark).await?;
    }
}

/// One piece of news on one line.
fn line(news: &News, console: &Console) -> String {
    let paint = |tint: Tint, text: &str| tint.paint(text, console.look().colours);
    let (at, tint, word, text) = match news {
        News::Message(message) => {
            let tint = Tint::of_state(&message.state);
            (message.received_at, tint, "message", of_message(message))
        }
        News::Event(event) => (event.at, Tint::Strong, "event", of_event(event)),
        News::Action(action) => {
            (action.changed_at, Tint::of_state(&action.state), "action", of_action(action))
        }
    };
    let at = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    format!("{} {} {}", paint(Tint::Dim, &at), paint(tint, &format!("{word:<7}")), safe(&text))
}

fn of_message(message: &MessageView) -> String {
    let MessageView { id, topic, state, reason, .. } = message;
    let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{state} {topic} {id}{why}")
}

fn of_event(event: &EventView) -> String {
    let mut text = format!("{} {}", event.kind, event.subject);
    if let Some(reason) = &event.decision.not_news {
        text.push_str(" — no rule was asked: ");
        text.push_str(reason);
    }
    for considered in &event.decision.considered {
        let (mark, _) = words::mark(&considered.outcome);
        let outcome = words::outcome(&considered.outcome);
        for part in [" ", mark, " ", &considered.rule, " (", &outcome, ")"] {
            text.push_str(part);
        }
    }
    for remark in &event.decision.remarks {
        text.push_str(" → ");
        text.push_str(remark);
    }
    text
}

fn of_action(action: &ActionView) -> String {
    let ActionView { seq, kind, connection, state, subject, run, error, .. } = action;
    let subject = subject.as_ref().map(|subject| format!(" for {subject}")).unwrap_or_default();
    let run = run.as_ref().map(|run| format!(", run {}", short(run))).unwrap_or_default();
    let why = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{state} {kind} at {connection}{subject} (action {seq}{run}){why}")
}
