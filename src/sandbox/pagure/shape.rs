//! The stand-in's JSON, field by field as Pagure writes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::memory::{Memory, Project};
use super::{Comment, Flag};
use crate::message::hash;

/// Whether a pull request is told with its comments; Pagure leaves them out of some messages.
#[derive(Clone, Copy)]
pub(super) enum Comments {
    Told,
    Left,
}

/// Where a flag is told: a number is a text in the message about the call that set it.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Message,
    Answer,
}

impl Memory {
    pub(super) fn user(&self, name: &str) -> Value {
        json!({
            "name": name,
            "fullname": format!("{name} of {}", self.base.trim_start_matches("http://")),
            "url_path": format!("user/{name}"),
            "full_url": format!("{}/user/{name}", self.base),
        })
    }

    fn user_in_answer(&self, name: &str) -> Value {
        let mut user = self.user(name);
        let mail = format!("{name}@mail.example");
        if let Some(fields) = user.as_object_mut() {
            fields.insert("default_email".to_owned(), mail.clone().into());
            fields.insert("emails".to_owned(), json!([mail]));
        }
        user
    }

    pub(super) fn project(&self, fullname: &str) -> Value {
        let Some(project) = self.projects.get(fullname) else {
            return Value::Null;
        };
        let url_path = url_path(fullname);
        let parent = project.parent.as_deref().map(|parent| self.project(parent));
        json!({
            "id": project.id,
            "name": fullname.rsplit('/').next(),
            "fullname": fullname,
            "url_path": url_path,
            "full_url": format!("{}/{url_path}", self.base),
            "description": format!("The {fullname} project"),
            "namespace": namespace(project),
            "parent": parent,
            "date_created": project.created,
            "date_modified": project.created,
            "user": self.user(&project.owner),
            "access_users": access_users(project),
            "access_groups": by_right(&project.group_rights),
            "tags": [],
            "priorities": {},
            "custom_keys": [],
            "close_status": [],
            "milestones": {},
        })
    }

    pub(super) fn pull_request(&self, project: &str, id: u64, comments: Comments) -> Value {
        let found = self.projects.get(project);
        let Some(request) = found.and_then(|project| project.requests.get(&id)) else {
            return Value::Null;
        };
        let closed = request.closed.as_ref();
        let comments: Vec<Value> = match comments {
            Comments::Told => request.comments.iter().map(|c| self.comment_json(c)).collect(),
            Comments::Left => Vec::new(),
        };
        json!({
            "id": id,
            "uid": hash(&[project.as_bytes(), &id.to_be_bytes()]),
            "title": request.new.title,
            "branch": request.new.target,
            "project": self.project(project),
            "branch_from": request.new.branch_from,
            "repo_from": self.project(&request.fork),
            "remote_git": null,
            "date_created": request.created,
            "updated_on": request.updated,
            "last_updated": request.updated,
            "closed_at": closed.map(|(_, at)| at),
            "user": self.user(&request.new.author),
            "assignee": null,
            "status": request.status.as_str(),
            "commit_start": request.commit_start,
            "commit_stop": request.commit_stop,
            "closed_by": closed.map(|(user, _)| self.user(user)),
            "initial_comment": null,
            "cached_merge_status": "unknown",
            "threshold_reached": null,
            "tags": [],
            "full_url": format!("{}/{}/pull-request/{id}", self.base, url_path(project)),
            "comments": comments,
        })
    }

    pub(super) fn comment_json(&self, comment: &Comment) -> Value {
        json!({
            "id": comment.id,
            "commit": null,
            "tree": null,
            "filename": null,
            "line": null,
            "comment": comment.text,
            "parent": null,
            "date_created": comment.created,
            "user": self.user(&comment.user),
            "edited_on": null,
            "editor": null,
            "notification": comment.notification,
            "reactions": {},
        })
    }

    pub(super) fn flag(&self, flag: &Flag, place: Place) -> Value {
        let (percent, user) = match place {
            Place::Message => {
                (flag.percent.map(|percent| percent.to_string().into()), self.user(&flag.user))
            }
            Place::Answer => (flag.percent.map(Value::from), self.user_in_answer(&flag.user)),
        };
        json!({
            "commit_hash": flag.commit,
            "username": flag.username,
            "percent": percent,
            "comment": flag.comment,
            "status": flag.status,
            "url": flag.url,
            "date_created": flag.created,
            "date_updated": flag.updated,
            "user": user,
        })
    }
}

/// The path of a project's page: that of a fork differs from its name by a letter.
pub(super) fn url_path(fullname: &str) -> String {
    match fullname.strip_prefix("forks/") {
        Some(rest) => format!("fork/{rest}"),
        None => fullname.to_owned(),
    }
}

fn namespace(project: &Project) -> Option<&str> {
    let name = match project.fullname.strip_prefix("forks/") {
        Some(rest) => rest.split_once('/').map_or(rest, |(_, name)| name),
        None => &project.fullname,
    };
    name.rsplit_once('/').map(|(namespace, _)| namespace)
}

fn access_users(project: &Project) -> Value {
    let mut users = by_right(&project.rights);
    users.insert("owner".to_owned(), json!([project.owner]));
    Value::Object(users)
}

fn by_right(rights: &BTreeMap<String, BTreeSet<String>>) -> Map<String, Value> {
    let having = |right: &str| json!(rights.get(right).cloned().unwrap_or_default());
    let rights = ["admin", "commit", "collaborator", "ticket"];
    rights.into_iter().map(|right| (right.to_owned(), having(right))).collect()
}
