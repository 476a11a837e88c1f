//! What the stand-in knows, and how it answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Message, SlackStandIn};
use crate::sandbox::chat::{self, Call, Reply};

/// The longest text that `chat.update` takes.
const TEXT_MAX_CHARS: usize = 4_000;

#[derive(Default)]
pub(super) struct Memory {
    pub(super) webhook: String,
    pub(super) tokens: BTreeMap<String, Vec<String>>,
    pub(super) messages: Vec<Message>,
    pub(super) is_archived: bool,
    pub(super) is_edit_closed: bool,
}

type Refused = &'static str;

impl Memory {
    pub(super) fn say(&mut self, user: &str, text: &str, metadata: Value) -> String {
        let ts = format!("1795162907.{:06}", self.messages.len() + 1);
        self.messages.push(Message {
            ts: ts.clone(),
            user: user.to_owned(),
            text: text.to_owned(),
            thread: None,
            is_broadcast: false,
            metadata,
            edits: 0,
        });
        ts
    }

    fn call(&mut self, method: &str, call: &Call) -> Result<Value, Refused> {
        let token = call.bearer.as_deref().ok_or("not_authed")?;
        let scopes = self.tokens.get(token).ok_or("invalid_auth")?;
        let needed = match method {
            "chat.postMessage" | "chat.update" => Some("chat:write"),
            "conversations.history" | "conversations.replies" => Some("channels:history"),
            _ => None,
        };
        if needed.is_some_and(|needed| !scopes.iter().any(|scope| scope == needed)) {
            return Err("missing_scope");
        }
        match method {
            "auth.test" => Ok(json!({ "user_id": SlackStandIn::BOT, "bot_id": "B0POINTSMAN" })),
            "chat.postMessage" => self.post(&call.body),
            "chat.update" => self.update(&call.body),
            "conversations.history" => self.page(call, None),
            "conversations.replies" => {
                let thread = call.query.get("ts").ok_or("invalid_arguments")?;
                self.page(call, Some(thread))
            }
            _ => Err("unknown_method"),
        }
    }

    fn post(&mut self, body: &Value) -> Result<Value, Refused> {
        in_channel(body["channel"].as_str())?;
        if self.is_archived {
            return Err("is_archived");
        }
        let text = text(body)?;
        let thread = body["thread_ts"].as_str().map(str::to_owned);
        if thread.as_ref().is_some_and(|ts| !self.messages.iter().any(|found| found.ts == *ts)) {
            return Err("thread_not_found");
        }
        let ts = self.say(SlackStandIn::BOT, &text, body["metadata"].clone());
        if let Some(message) = self.messages.last_mut() {
            message.thread = thread;
            message.is_broadcast = body["reply_broadcast"] == true;
        }
        Ok(json!({ "channel": SlackStandIn::CHANNEL, "ts": ts }))
    }

    fn update(&mut self, body: &Value) -> Result<Value, Refused> {
        in_channel(body["channel"].as_str())?;
        let text = text(body)?;
        let ts = body["ts"].as_str().ok_or("invalid_arguments")?;
        let found = self.messages.iter_mut().find(|message| message.ts == ts);
        let message = found.ok_or("message_not_found")?;
        if message.user != SlackStandIn::BOT {
            return Err("cant_update_message");
        }
        if self.is_edit_closed {
            return Err("edit_window_closed");
        }
        message.text = text;
        message.edits += 1;
        if !body["metadata"].is_null() {
            message.metadata = body["metadata"].clone();
        }
        Ok(json!({ "channel": SlackStandIn::CHANNEL, "ts": ts }))
    }

    /// A page of the channel, newest first, or of a thread, oldest first.
    fn page(&self, call: &Call, thread: Option<&str>) -> Result<Value, Refused> {
        let query = |name: &str| call.query.get(name).map(String::as_str);
        in_channel(query("channel"))?;
        let shown: Vec<&Message> = if let Some(ts) = thread {
            let is_of =
                |message: &&Message| message.ts == ts || message.thread.as_deref() == Some(ts);
            self.messages.iter().filter(is_of).collect()
        } else {
            let is_shown = |message: &&Message| message.thread.is_none() || message.is_broadcast;
            self.messages.iter().rev().filter(is_shown).collect()
        };
        let limit = query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
        let start = query("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let has_more = shown.len() > start + limit;
        let next = if has_more { (start + limit).to_string() } else { String::new() };
        let is_with_metadata = query("include_all_metadata") == Some("true");
        let shown = shown.into_iter().skip(start).take(limit);
        let messages: Vec<Value> = shown.map(|message| shape(message, is_with_metadata)).collect();
        Ok(json!({
            "messages": messages,
            "has_more": has_more,
            "response_metadata": { "next_cursor": next },
        }))
    }
}

fn shape(message: &Message, is_with_metadata: bool) -> Value {
    let shown = [
        ("type", Some("message".into())),
        ("user", Some(message.user.as_str().into())),
        ("ts", Some(message.ts.as_str().into())),
        ("text", Some(message.text.as_str().into())),
        ("thread_ts", message.thread.as_deref().map(Value::from)),
        ("metadata", Some(message.metadata.clone()).filter(|it| is_with_metadata && !it.is_null())),
    ];
    object(shown)
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

fn accepted(mut body: Value) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.insert("ok".to_owned(), true.into());
    }
    body
}

fn in_channel(channel: Option<&str>) -> Result<(), Refused> {
    if channel == Some(SlackStandIn::CHANNEL) { Ok(()) } else { Err("channel_not_found") }
}

fn text(body: &Value) -> Result<String, Refused> {
    let text = body["text"].as_str().filter(|text| !text.is_empty()).ok_or("no_text")?;
    if text.chars().count() > TEXT_MAX_CHARS {
        return Err("msg_too_long");
    }
    Ok(text.to_owned())
}

impl chat::Memory for Memory {
    fn answer(&mut self, call: &Call) -> Reply {
        if let Some(method) = call.path.strip_prefix("api/") {
            let is_change = matches!(method, "chat.postMessage" | "chat.update");
            return match self.call(method, call) {
                Ok(body) => {
                    let reply = Reply::json(200, &accepted(body));
                    if is_change { reply.changed() } else { reply }
                }
                Err(word) => self.refuse(call, word),
            };
        }
        let secret = call.path.strip_prefix("services/T0/B0/");
        if secret != Some(self.webhook.as_str()) {
            return Reply::text(404, "no_service");
        }
        if self.is_archived {
            return Reply::text(410, "channel_is_archived");
        }
        match text(&call.body) {
            Ok(text) => {
                self.say("B0WEBHOOK", &text, Value::Null);
                Reply::text(200, "ok").changed()
            }
            Err(word) => Reply::text(400, word),
        }
    }

    fn refuse(&self, call: &Call, word: &'static str) -> Reply {
        if !call.path.starts_with("api/") {
            return Reply::text(403, word);
        }
        let needed = (word == "missing_scope").then(|| "channels:history".into());
        let fields = [("ok", Some(false.into())), ("error", Some(word.into())), ("needed", needed)];
        Reply::json(200, &object(fields))
    }
}
