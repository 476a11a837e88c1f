//! The stand-in's answers, field by field as GitLab writes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::memory::{Memory, MergeRequest, Project, User};
use super::{Note, Status};

/// A date as the API writes it.
pub(super) fn api_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl Memory {
    /// A user, as in the answers about other things.
    pub(super) fn user_json(&self, id: u64) -> Value {
        self.users.get(&id).map(|user| self.basic_user(user)).unwrap_or_default()
    }

    pub(super) fn basic_user(&self, user: &User) -> Value {
        json!({
            "id": user.id,
            "username": user.name,
            "name": user.name,
            "state": if user.is_blocked { "blocked" } else { "active" },
            "locked": false,
            "avatar_url": null,
            "web_url": format!("{}/{}", self.base, user.name),
        })
    }

    /// A user, as who is asked about.
    pub(super) fn full_user(&self, user: &User) -> Value {
        let mut json = self.basic_user(user);
        if let Some(fields) = json.as_object_mut() {
            fields.insert("bot".to_owned(), user.is_bot.into());
        }
        json
    }

    pub(super) fn project_json(&self, project: &Project) -> Value {
        let url = format!("{}/{}", self.base, project.path);
        json!({
            "id": project.id,
            "name": project.path.rsplit('/').next(),
            "path_with_namespace": project.path,
            "default_branch": "main",
            "visibility": if project.is_private { "private" } else { "public" },
            "web_url": url,
            "http_url_to_repo": format!("{url}.git"),
            "jobs_enabled": !project.ci.is_off,
            "builds_access_level": if project.ci.is_off { "disabled" } else { "enabled" },
            "ci_config_path": project.ci.config_path,
            "ci_pipeline_variables_minimum_override_role": project.ci.variables_role,
        })
    }

    pub(super) fn request_json(&self, project: &Project, request: &MergeRequest) -> Value {
        let pipelines = project.pipelines.iter().rev();
        let own = format!("refs/merge-requests/{}/head", request.iid);
        let pipeline = pipelines.filter(|pipeline| pipeline.sha == request.head).find(|pipeline| {
            let is_branch = pipeline.reference == request.source_branch;
            pipeline.reference == own || (is_branch && request.source == Some(project.id))
        });
        let pipeline = pipeline.map(|pipeline| {
            json!({
                "id": pipeline.id, "project_id": project.id, "sha": pipeline.sha,
                "ref": pipeline.reference, "status": "running",
            })
        });
        json!({
            "id": request.id,
            "iid": request.iid,
            "project_id": project.id,
            "title": request.title,
            "state": request.state.as_str(),
            "draft": request.is_draft(),
            "work_in_progress": request.is_draft(),
            "source_branch": request.source_branch,
            "source_project_id": request.source,
            "target_branch": request.target,
            "target_project_id": project.id,
            "sha": request.head,
            "author": self.user_json(request.author),
            "created_at": api_date(request.created),
            "updated_at": api_date(request.updated),
            "references": {
                "short": format!("!{}", request.iid),
                "relative": format!("!{}", request.iid),
                "full": format!("{}!{}", project.path, request.iid),
            },
            "web_url": self.request_url(project, request.iid),
            "diff_refs": {
                "base_sha": "0b".repeat(20), "head_sha": request.head,
                "start_sha": "0b".repeat(20),
            },
            "head_pipeline": pipeline,
        })
    }

    pub(super) fn note_json(&self, note: &Note, iid: u64) -> Value {
        json!({
            "id": note.id,
            "type": null,
            "body": note.text,
            "author": self.user_json(note.author_id),
            "created_at": api_date(note.created),
            "updated_at": api_date(note.updated),
            "system": note.is_system,
            "noteable_type": "MergeRequest",
            "noteable_iid": iid,
            "internal": false,
        })
    }

    pub(super) fn status_json(&self, status: &Status) -> Value {
        json!({
            "id": status.id,
            "sha": status.sha,
            "ref": status.reference,
            "status": status.state,
            "name": status.name,
            "target_url": status.target_url,
            "description": status.description,
            "allow_failure": false,
            "pipeline_id": status.pipeline,
            "author": self.user_json(status.author),
        })
    }
}
