//! What the stand-in posts: the bodies of webhooks, and how they are sent and proved.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::memory::{Memory, MergeRequest, Project};
use super::{Note, WebHook};
use crate::clock::Clock;
use crate::remote::Remote;

/// How long a post may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A commit that is none.
const ZEROS: &str = "0000000000000000000000000000000000000000";

/// What `update` was, of a merge request.
#[derive(Clone, Default)]
pub(super) struct Change {
    /// The head before a push.
    pub(super) oldrev: Option<String>,
    /// The fields that are other ones, each with `previous` and `current`.
    pub(super) changes: Map<String, Value>,
}

impl Memory {
    /// What is posted about a merge request.
    pub(super) fn request_hook(
        &self,
        (project, iid): (&str, u64),
        user: u64,
        action: &str,
        change: Change,
    ) -> anyhow::Result<Value> {
        let (project, request) = self.request(project, iid)?;
        let mut attributes = self.request_fields(project, request);
        if let Some(fields) = attributes.as_object_mut() {
            fields.insert("action".to_owned(), action.into());
            if let Some(oldrev) = change.oldrev {
                fields.insert("oldrev".to_owned(), oldrev.into());
            }
        }
        Ok(json!({
            "object_kind": "merge_request",
            "event_type": "merge_request",
            "user": self.hook_user(user),
            "project": self.hook_project(project),
            "object_attributes": attributes,
            "labels": [],
            "changes": change.changes,
            "repository": self.hook_repository(project),
        }))
    }

    /// What is posted about a comment.
    pub(super) fn note_hook(
        &self,
        (project, iid): (&str, u64),
        user: u64,
        (note, action): (&Note, &str),
    ) -> anyhow::Result<Value> {
        let (project, request) = self.request(project, iid)?;
        let url = format!("{}#note_{}", self.request_url(project, iid), note.id);
        Ok(json!({
            "object_kind": "note",
            "event_type": "note",
            "user": self.hook_user(user),
            "project_id": project.id,
            "project": self.hook_project(project),
            "object_attributes": {
                "id": note.id,
                "note": note.text,
                "description": note.text,
                "noteable_type": "MergeRequest",
                "noteable_id": request.id,
                "author_id": note.author_id,
                "created_at": hook_date(note.created),
                "updated_at": hook_date(note.updated),
                "project_id": project.id,
                "system": note.is_system,
                "internal": false,
                "type": null,
                "url": url,
                "action": action,
            },
            "repository": self.hook_repository(project),
            "merge_request": self.request_fields(project, request),
        }))
    }

    /// What is posted about a push; `reference` is written in full.
    pub(super) fn push_hook(
        &self,
        project: &str,
        user: u64,
        (reference, before, after): (&str, Option<&str>, Option<&str>),
    ) -> anyhow::Result<Value> {
        let project = self.project(project).ok_or_else(|| anyhow::anyhow!("no such project"))?;
        let kind = if reference.starts_with("refs/tags/") { "tag_push" } else { "push" };
        let name = self.users.get(&user).map(|user| user.name.as_str());
        Ok(json!({
            "object_kind": kind,
            "event_name": kind,
            "before": before.unwrap_or(ZEROS),
            "after": after.unwrap_or(ZEROS),
            "ref": reference,
            "checkout_sha": after,
            "user_id": user,
            "user_name": name,
            "user_username": name,
            "project_id": project.id,
            "project": self.hook_project(project),
            "commits": [],
            "total_commits_count": u8::from(after.is_some()),
            "repository": self.hook_repository(project),
        }))
    }

    /// What is posted about a pipeline.
    pub(super) fn pipeline_hook(&self, project: &str, id: u64) -> anyhow::Result<Value> {
        let project = self.project(project).ok_or_else(|| anyhow::anyhow!("no such project"))?;
        let pipeline = project.pipelines.iter().find(|pipeline| pipeline.id == id);
        let pipeline = pipeline.ok_or_else(|| anyhow::anyhow!("no such pipeline"))?;
        let variables = pipeline.variables.iter();
        let variables = variables.map(|(key, value)| json!({ "key": key, "value": value }));
        // Jobs that start other pipelines are not told of.
        let jobs = pipeline.jobs.iter().rev().filter(|(_, job)| !job.is_bridge).map(|(id, job)| {
            json!({
                "id": id,
                "stage": job.stage,
                "name": job.name,
                "status": job.status,
                "failure_reason": job.reason,
                "when": "on_success",
                "manual": false,
                "allow_failure": job.may_fail,
            })
        });
        Ok(json!({
            "object_kind": "pipeline",
            "object_attributes": {
                "id": pipeline.id,
                "iid": pipeline.id,
                "name": null,
                "ref": pipeline.reference,
                "tag": project.tags.contains_key(&pipeline.reference),
                "sha": pipeline.sha,
                "before_sha": ZEROS,
                "source": pipeline.source,
                "status": pipeline.status,
                "detailed_status": pipeline.status,
                "variables": variables.collect::<Vec<_>>(),
                "url": format!("{}/{}/-/pipelines/{id}", self.base, project.path),
            },
            "merge_request": null,
            "user": self.hook_user(pipeline.user),
            "project": self.hook_project(project),
            "commit": { "id": pipeline.sha },
            "builds": jobs.collect::<Vec<_>>(),
        }))
    }

    /// Keeps what is to be posted about a pipeline.
    pub(super) fn echo_pipeline(&mut self, project: u64, id: u64) {
        if let Ok(body) = self.pipeline_hook(&project.to_string(), id) {
            self.echo("Pipeline Hook", body);
        }
    }

    fn request_fields(&self, project: &Project, request: &MergeRequest) -> Value {
        let source = request.source.and_then(|source| self.projects.get(&source));
        let url = format!("{}/{}", self.base, project.path);
        json!({
            "id": request.id,
            "iid": request.iid,
            "title": request.title,
            "author_id": request.author,
            "state": request.state.as_str(),
            "draft": request.is_draft(),
            "work_in_progress": request.is_draft(),
            "source_branch": request.source_branch,
            "source_project_id": request.source,
            "source": source.map(|source| self.hook_project(source)),
            "target_branch": request.target,
            "target_project_id": project.id,
            "target": self.hook_project(project),
            "last_commit": {
                "id": request.head,
                "message": request.title,
                "url": format!("{url}/-/commit/{}", request.head),
            },
            "created_at": hook_date(request.created),
            "updated_at": hook_date(request.updated),
            "url": self.request_url(project, request.iid),
        })
    }

    pub(super) fn request_url(&self, project: &Project, iid: u64) -> String {
        format!("{}/{}/-/merge_requests/{iid}", self.base, project.path)
    }

    fn hook_user(&self, id: u64) -> Value {
        let name = self.users.get(&id).map(|user| user.name.as_str());
        json!({
            "id": id, "name": name, "username": name, "avatar_url": null, "email": "[REDACTED]",
        })
    }

    fn hook_project(&self, project: &Project) -> Value {
        let url = format!("{}/{}", self.base, project.path);
        json!({
            "id": project.id,
            "name": project.path.rsplit('/').next(),
            "web_url": url,
            "git_http_url": format!("{url}.git"),
            "http_url": format!("{url}.git"),
            "namespace": project.path.split('/').next(),
            "path_with_namespace": project.path,
            "default_branch": "main",
            "homepage": url,
        })
    }

    fn hook_repository(&self, project: &Project) -> Value {
        let url = format!("{}/{}", self.base, project.path);
        json!({ "name": project.path.rsplit('/').next(), "homepage": url })
    }
}

/// Posts, and waits for the answer; its status.
pub(super) async fn post(
    hook: &WebHook,
    (event, body): (&str, &Value),
    (clock, id): (&Clock, u64),
) -> anyhow::Result<u16> {
    let remote = Remote::new(&hook.url, TIMEOUT, clock.clone())?;
    let body = body.to_string();
    let mut request = remote
        .request(Method::POST, hook.url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("X-Gitlab-Event", event)
        .header("X-Gitlab-Event-UUID", format!("event-{id}"))
        .header("Idempotency-Key", format!("delivery-{id}"))
        .header("X-Gitlab-Token", &hook.token);
    if let Some(key) = &hook.signing_token {
        let (id, time) = (format!("delivery-{id}"), clock.now().as_second().to_string());
        let signature = sign(key, &format!("{id}.{time}.{body}"))?;
        request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", signature);
    }
    Ok(remote.send(request.body(body)).await?.status.as_u16())
}

fn sign(key: &str, signed: &str) -> anyhow::Result<String> {
    let key = STANDARD.decode(key.trim_start_matches("whsec_"))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
    mac.update(signed.as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// A date as posts have it.
fn hook_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
