//! What the stand-in knows, and how it answers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{MattermostStandIn, Post};
use crate::sandbox::chat::{self, Call, Reply};

/// The longest post.
const MESSAGE_MAX_CHARS: usize = 16_383;
const CLOSED: &str = "api.post.update_post.permissions_time_limit.app_error";

#[derive(Default)]
pub(super) struct Memory {
    pub(super) webhook: String,
    pub(super) tokens: BTreeSet<String>,
    pub(super) posts: Vec<Post>,
    pub(super) is_edit_closed: bool,
}

/// Status and id of an error.
type Refused = (u16, &'static str);

impl Memory {
    pub(super) fn say(&mut self, user: &str, message: &str, props: Value) {
        let post = self.write(user, message, props);
        self.posts.push(post);
    }

    fn write(&self, user: &str, message: &str, props: Value) -> Post {
        Post {
            id: format!("{:0>26}", format!("p{}", self.posts.len())),
            user: user.to_owned(),
            message: message.to_owned(),
            root: String::new(),
            props,
            pending: String::new(),
            edits: 0,
        }
    }

    pub(super) fn forget_pending(&mut self) {
        for post in &mut self.posts {
            post.pending.clear();
        }
    }

    fn call(&mut self, path: &[&str], call: &Call) -> Result<(u16, Value), Refused> {
        let expired = (401, "api.context.session_expired.app_error");
        let token = call.bearer.as_ref().ok_or(expired)?;
        if !self.tokens.contains(token) {
            return Err(expired);
        }
        match *path {
            ["users", "me"] => Ok((200, json!({ "id": MattermostStandIn::BOT }))),
            ["posts"] if call.is_post => Ok((201, self.post(&call.body)?)),
            ["posts", id, "patch"] if call.is_put => Ok((200, self.patch(id, &call.body)?)),
            ["posts", id, "thread"] => {
                let is_of = |post: &&Post| post.id == id || post.root == id;
                Ok((200, list(self.posts.iter().filter(is_of))))
            }
            ["channels", channel, "posts"] => {
                in_channel(Some(channel))?;
                let number = |name| call.query.get(name).and_then(|text| text.parse().ok());
                let per_page: usize = number("per_page").unwrap_or(60).min(200);
                let skipped = number("page").unwrap_or(0) * per_page;
                Ok((200, list(self.posts.iter().rev().skip(skipped).take(per_page))))
            }
            ["channels", channel] => {
                in_channel(Some(channel))?;
                Ok((200, json!({ "id": channel })))
            }
            _ => Err((404, "api.context.404.app_error")),
        }
    }

    fn post(&mut self, body: &Value) -> Result<Value, Refused> {
        in_channel(body["channel_id"].as_str())?;
        let message = message(body, "message")?;
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let pending = text("pending_post_id");
        let told = self.posts.iter().find(|post| !pending.is_empty() && post.pending == pending);
        if let Some(told) = told {
            return Ok(shape(told));
        }
        let root = text("root_id");
        if !root.is_empty() && !self.posts.iter().any(|post| post.id == root) {
            return Err((400, "api.post.create_post.root_id.app_error"));
        }
        let post = self.write(MattermostStandIn::BOT, &message, body["props"].clone());
        let post = Post { root, pending, ..post };
        let answer = shape(&post);
        self.posts.push(post);
        Ok(answer)
    }

    fn patch(&mut self, id: &str, body: &Value) -> Result<Value, Refused> {
        let message = message(body, "message")?;
        let found = self.posts.iter_mut().find(|post| post.id == id);
        let post = found.ok_or((404, "app.post.get.app_error"))?;
        if post.user != MattermostStandIn::BOT {
            return Err((403, "api.context.permissions.app_error"));
        }
        if self.is_edit_closed {
            return Err((400, CLOSED));
        }
        post.message = message;
        post.edits += 1;
        if !body["props"].is_null() {
            post.props = body["props"].clone();
        }
        Ok(shape(post))
    }

    fn webhook(&mut self, secret: &str, body: &Value) -> Result<(), Refused> {
        if secret != self.webhook {
            return Err((400, "web.incoming_webhook.invalid.app_error"));
        }
        let message = message(body, "text")?;
        self.say("webhook", &message, body["props"].clone());
        Ok(())
    }
}

fn list<'p>(posts: impl Iterator<Item = &'p Post>) -> Value {
    let posts: Vec<&Post> = posts.collect();
    let order: Vec<&str> = posts.iter().map(|post| post.id.as_str()).collect();
    let by_id: Map<String, Value> =
        posts.iter().map(|post| (post.id.clone(), shape(post))).collect();
    json!({ "order": order, "posts": by_id })
}

fn shape(post: &Post) -> Value {
    json!({
        "id": post.id,
        "user_id": post.user,
        "channel_id": MattermostStandIn::CHANNEL,
        "root_id": post.root,
        "message": post.message,
        "props": post.props,
    })
}

fn in_channel(channel: Option<&str>) -> Result<(), Refused> {
    if channel == Some(MattermostStandIn::CHANNEL) {
        Ok(())
    } else {
        // The real one does not tell whether there is such a channel.
        Err((403, "api.context.permissions.app_error"))
    }
}

fn message(body: &Value, key: &str) -> Result<String, Refused> {
    let text = body[key].as_str().filter(|text| !text.is_empty());
    let text = text.ok_or((400, "web.incoming_webhook.text.app_error"))?;
    if text.chars().count() > MESSAGE_MAX_CHARS {
        return Err((400, "model.post.is_valid.message_length.app_error"));
    }
    Ok(text.to_owned())
}

fn no((status, id): Refused) -> Reply {
    let body = json!({ "id": id, "message": "No.", "status_code": status });
    Reply::json(status, &body)
}

impl chat::Memory for Memory {
    fn answer(&mut self, call: &Call) -> Reply {
        if let Some(secret) = call.path.strip_prefix("hooks/") {
            return match self.webhook(secret, &call.body) {
                Ok(()) => Reply::text(200, "ok").changed(),
                Err(refused) => no(refused),
            };
        }
        let path: Vec<&str> = call.path.split('/').collect();
        let Some(path) = path.strip_prefix(&["api", "v4"]) else {
            return Reply::text(404, "<!doctype html>");
        };
        match self.call(path, call) {
            Ok((status, body)) => {
                let reply = Reply::json(status, &body);
                if call.is_post || call.is_put { reply.changed() } else { reply }
            }
            Err(refused) => no(refused),
        }
    }

    fn refuse(&self, _call: &Call, word: &'static str) -> Reply {
        no((401, word))
    }
}
