//! What is changed by calls: who may, and Patchew's own words for no.

use axum::http::Method;
use serde_json::{Value, json};

use super::memory::Memory;
use crate::message::hash;
use crate::sandbox::tracker::{Call, Reply};

const STATUSES: [&str; 4] = ["pending", "running", "success", "failure"];

impl Memory {
    pub(super) fn login(&mut self, call: &Call) -> Result<Reply, Reply> {
        let field = |name: &str| call.body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (username, password) = (field("username"), field("password"));
        let user = self.users.get(username).filter(|user| user.password == password);
        if user.is_none() {
            let words =
                json!({ "non_field_errors": ["Unable to log in with provided credentials."] });
            return Err(Reply::json(400, &words));
        }
        self.logins += 1;
        let token = hash(&[username.as_bytes(), self.logins.to_string().as_bytes()]);
        self.tokens.insert(token.clone(), username.to_owned());
        Ok(Reply::json(200, &json!({ "key": token })))
    }

    /// Who calls; nobody without a token.
    pub(super) fn caller(&self, call: &Call) -> Result<Option<&str>, Reply> {
        let Some(token) = call.authorization.as_deref() else { return Ok(None) };
        let user = token.strip_prefix("Token ").and_then(|token| self.tokens.get(token));
        match user {
            Some(user) => Ok(Some(user)),
            None => Err(Reply::detail(self.options.refuses_with, "Invalid token.")),
        }
    }

    /// Lets only the members of a group on.
    pub(super) fn only(&self, call: &Call, group: &str) -> Result<(), Reply> {
        let Some(user) = self.caller(call)? else {
            let words = "Authentication credentials were not provided.";
            return Err(Reply::detail(self.options.refuses_with, words));
        };
        let groups = self.users.get(user).map(|user| user.groups.as_slice()).unwrap_or_default();
        if groups.iter().any(|known| known == group) {
            Ok(())
        } else {
            Err(Reply::detail(403, "You do not have permission to perform this action."))
        }
    }

    /// Changes a result that is there.
    pub(super) fn write(
        &mut self,
        call: &Call,
        method: &Method,
        path: &[&str],
    ) -> Result<Reply, Reply> {
        let (id, msgid, name) = match path {
            ["projects", id, "results", name] => (id, None, name),
            ["projects", id, "series", msgid, "results", name] => (id, Some(*msgid), name),
            _ => return Err(Reply::not_found()),
        };
        let is_test = name.starts_with("testing.");
        self.only(call, if is_test { "testers" } else { "importers" })?;
        let project = self.project(id)?.name.clone();
        let status = call.body.get("status").and_then(Value::as_str);
        if status.is_none_or(|status| !STATUSES.contains(&status)) {
            return Err(Reply::json(400, &json!({ "status": ["This field is required."] })));
        }
        let data = call.body.get("data").cloned();
        let has_head = |data: &Value| data.get("head").is_some_and(Value::is_string);
        if is_test && data.as_ref().is_some_and(|data| !has_head(data)) {
            return Err(Reply::json(400, &json!({ "head": ["This field is required."] })));
        }
        let status = status.unwrap_or_default().to_owned();
        let log = call.body.get("log").and_then(Value::as_str).map(str::to_owned);
        let is_whole = method == Method::PUT;
        let is_there = self.settle(&project, msgid, name, |row| {
            row.status = status;
            if let Some(data) = data {
                row.data = data;
            }
            if is_whole || log.is_some() {
                row.log = log;
            }
        });
        if is_there {
            Ok(Reply::json(200, &json!({ "name": name })).changed())
        } else {
            Err(Reply::not_found())
        }
    }
}
