//! `messages`: what came in, and what became of it.

use anyhow::bail;
use base64::Engine;
use serde_json::{Value, json};

use super::console::Console;
use super::ledger::{self, Subjects, one, typed};
use super::table::{Cell, Table};
use super::words::{self, Tint, moment};
use super::{Common, Exit, LIMIT, series};
use crate::ledger::Ledger;
use crate::ledger::view::messages::{MessageState, MessageWhole};
use crate::message::MessageId;
use crate::service::reconcile;

/// How many lines of a body people are shown.
const BODY_LINES_MAX: usize = 100;

/// Messages that came in.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Messages {
    /// List messages, the newest first.
    List {
        /// Only those in this state.
        #[arg(long, value_enum)]
        state: Option<MessageState>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = LIMIT)]
        limit: u32,
    },
    /// Show a message, the events that it told, and what the rules said to them.
    Show {
        /// The id of the message, or its beginning.
        id: String,
    },
    /// Read messages once more, as if they had just come.
    ///
    /// What they caused before is not done again.
    #[command(arg_required_else_help = true)]
    Retry {
        /// The ids of the messages, or their beginnings.
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// All that could not be read.
        #[arg(long, conflicts_with = "ids")]
        all_dead: bool,
    },
}

/// What is done when nothing more is said.
impl Default for Messages {
    fn default() -> Self {
        Self::List { state: None, limit: LIMIT }
    }
}

pub(super) async fn run(
    common: &Common,
    command: Messages,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let Some(ledger) = ledger::open(common, console)? else { return Ok(Exit::Usage) };
    match command {
        Messages::List { state, limit } => {
            list(&ledger, (state, limit), common.json, console).await
        }
        Messages::Show { id } => {
            let id = typed(&id);
            let message = one(ledger.message(id.clone()).await?, "message", &id)?;
            if common.json {
                console.json(&document(&message))?;
            } else {
                show(&message, console)?;
            }
            Ok(Exit::Success)
        }
        Messages::Retry { ids, all_dead } => {
            let all = if all_dead { all_dead_letters(&ledger).await? } else { Vec::new() };
            let ids = ids.iter().map(|id| typed(id)).chain(all);
            retry(&ledger, ids.collect(), common.json, console).await
        }
    }
}

async fn list(
    ledger: &Ledger,
    (state, limit): (Option<MessageState>, u32),
    is_json: bool,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let messages = ledger.messages(state, limit).await?;
    if is_json {
        console.json(&messages)?;
        return Ok(Exit::Success);
    }
    let now = console.clock().now();
    let mut table = Table::new(&["MESSAGE", "CAME", "STATE", "TOPIC", "REMARK"]);
    for message in &messages {
        table.row([
            Cell::new(&message.id),
            Cell::tinted(words::ago(now, message.received_at), Tint::Dim),
            Cell::state(&message.state),
            Cell::new(&message.topic),
            Cell::maybe(message.reason.as_ref()),
        ]);
    }
    if table.is_empty() {
        console.line("no messages")?;
    } else {
        console.table(&table)?;
    }
    Ok(Exit::Success)
}

fn show(whole: &MessageWhole, console: &mut Console) -> anyhow::Result<()> {
    let (view, message) = (&whole.view, &whole.message);
    let now = console.clock().now();
    console.tinted(Tint::Strong, &format!("message {}", words::safe(&view.id)))?;
    let fields = [
        ("topic", Some(view.topic.clone())),
        ("source", Some(view.source.clone())),
        ("received", Some(moment(now, view.received_at))),
        ("state", Some(view.state.clone())),
        ("reason", view.reason.clone()),
        ("content type", message.content_type.clone()),
    ];
    ledger::fields(console, 2, &fields)?;
    if !message.headers.is_empty() {
        console.line("")?;
        console.tinted(Tint::Strong, "headers")?;
        let headers = words::flat(&Value::Object(message.headers.clone()));
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
        ledger::fields(console, 2, &headers)?;
    }
    for event in &whole.events {
        console.line("")?;
        ledger::event(console, event)?;
    }
    if !whole.actions.is_empty() {
        console.line("")?;
        console.table(&ledger::actions(now, &whole.actions, Subjects::Known))?;
    }
    console.line("")?;
    console.tinted(Tint::Strong, &format!("body ({} bytes)", message.body.len()))?;
    body(&message.body, console)
}

fn body(body: &[u8], console: &mut Console) -> anyhow::Result<()> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => serde_json::to_string_pretty(&value)?,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let lines = words::safe_lines(&text);
    for line in lines.iter().take(BODY_LINES_MAX) {
        console.line(&format!("  {line}"))?;
    }
    if lines.len() > BODY_LINES_MAX {
        let left = lines.len() - BODY_LINES_MAX;
        console.tinted(Tint::Dim, &format!("  … and {left} lines more (--json shows them)"))?;
    }
    Ok(())
}

fn document(whole: &MessageWhole) -> Value {
    let message = &whole.message;
    let bytes = &message.body;
    let body = if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        json!({ "body": value })
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        json!({ "body_text": text })
    } else {
        json!({ "body_base64": base64::engine::general_purpose::STANDARD.encode(bytes) })
    };
    let mut document = json!({
        "message": whole.view,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "headers": message.headers,
        "events": whole.events,
        "actions": whole.actions,
    });
    if let (Some(document), Value::Object(body)) = (document.as_object_mut(), body) {
        document.extend(body);
    }
    document
}

async fn all_dead_letters(ledger: &Ledger) -> anyhow::Result<Vec<String>> {
    let dead = ledger.messages(Some(MessageState::Dead), u32::MAX).await?;
    Ok(dead.into_iter().map(|message| message.id).collect())
}

async fn retry(
    ledger: &Ledger,
    ids: Vec<String>,
    is_json: bool,
    console: &mut Console,
) -> anyhow::Result<Exit> {
    let mut exit = Exit::Success;
    let mut outcomes = Vec::new();
    for id in ids {
        let found = one(ledger.message(id.clone()).await?, "message", &id);
        let readable = found.and_then(|message| {
            // It was made of the event that it tells.  No topic reads it, or none as what it is.
            if [reconcile::SOURCE, series::SOURCE].contains(&message.view.source.as_str()) {
                bail!("message `{id}` is of our own making, and cannot be read again");
            }
            Ok(message.view.id)
        });
        let id = match readable {
            Ok(id) => id,
            Err(error) => {
                exit = console.error(&error);
                continue;
            }
        };
        let is_back = ledger.reread(MessageId::known(&id)).await?;
        if !is_json {
            let words = if is_back { "will be read again" } else { "is gone" };
            console.line(&format!("message {} {words}", words::safe(&id)))?;
        }
        outcomes.push(json!({ "id": id, "retried": is_back }));
    }
    if is_json {
        console.json(&outcomes)?;
    } else if outcomes.is_empty() && exit == Exit::Success {
        console.line("there is nothing to read again")?;
    }
    Ok(exit)
}
