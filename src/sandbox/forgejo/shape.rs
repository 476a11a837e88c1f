//! The stand-in's JSON, field by field as Forgejo writes it.

use serde_json::{Map, Value, json};

use super::Comment;
use super::memory::{Memory, Project, PullRequest, State};

/// The commit that every branch begins at.
const BASE: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";

impl Memory {
    pub(super) fn user_json(&self, id: i64) -> Value {
        let name = self.users.get(&id).map_or("Ghost", String::as_str);
        json!({
            "id": id,
            "login": name,
            "login_name": "",
            "source_id": 0,
            "full_name": "",
            "email": format!("{name}@noreply.forge.example"),
            "avatar_url": format!("{}/avatars/{name}", self.base),
            "html_url": format!("{}/{name}", self.base),
            "is_admin": false,
            "restricted": false,
            "active": true,
            "prohibit_login": false,
            "visibility": "public",
            "username": name,
        })
    }

    /// The project as it is told to `reader`.
    pub(super) fn project_json(&self, project: &Project, reader: Option<i64>) -> Value {
        let name = &project.full_name;
        let right = reader.map_or("read", |reader| Self::permission(project, reader));
        let is_admin = matches!(right, "owner" | "admin");
        json!({
            "id": project.id,
            "owner": self.user_json(project.owner),
            "name": name.rsplit('/').next(),
            "full_name": name,
            "description": "",
            "private": false,
            "fork": false,
            "parent": null,
            "html_url": format!("{}/{name}", self.base),
            "url": format!("{}/api/v1/repos/{name}", self.base),
            "clone_url": format!("{}/{name}.git", self.base),
            "default_branch": "main",
            "archived": false,
            "updated_at": project.updated,
            "permissions": { "admin": is_admin, "push": is_admin || right == "write", "pull": true },
            "has_pull_requests": true,
            "object_format_name": "sha1",
        })
    }

    pub(super) fn request_json(&self, project: &Project, request: &PullRequest) -> Value {
        let number = request.number;
        let page = format!("{}/{}/pulls/{number}", self.base, project.full_name);
        let author = self.users.get(&request.author).map_or("Ghost", String::as_str);
        let name = project.full_name.rsplit('/').next().unwrap_or_default();
        let fork = format!("{author}/{name}");
        let is_merged = request.state == State::Merged;
        let is_open = request.state == State::Open;
        let ended = (!is_open).then_some(&request.updated);
        json!({
            "id": 500 + number,
            "url": page,
            "number": number,
            "user": self.user_json(request.author),
            "title": request.title,
            "body": "",
            "labels": [],
            "state": if is_open { "open" } else { "closed" },
            "draft": request.is_draft(),
            "comments": request.comments.len(),
            "html_url": page,
            "mergeable": true,
            "merged": is_merged,
            "merged_at": ended.filter(|_| is_merged),
            "base": {
                "label": request.target,
                "ref": request.target,
                "sha": BASE,
                "repo_id": project.id,
                "repo": self.project_json(project, None),
            },
            "head": {
                "label": request.branch,
                "ref": request.branch,
                "sha": request.head,
                "repo_id": 900,
                "repo": { "full_name": fork, "clone_url": format!("{}/{fork}.git", self.base) },
            },
            "merge_base": BASE,
            "created_at": request.created,
            "updated_at": request.updated,
            "closed_at": ended,
        })
    }

    pub(super) fn comment_json(&self, comment: &Comment) -> Value {
        json!({
            "id": comment.id,
            "user": self.user_json(comment.user),
            "original_author": "",
            "body": comment.text,
            "assets": [],
            "created_at": comment.created,
            "updated_at": comment.updated,
        })
    }

    /// What a webhook is told of a pull request.
    pub(super) fn request_event(
        &self,
        (project, number): (&str, u64),
        action: &str,
        user: i64,
        changes: Option<Value>,
    ) -> Value {
        let found = self.projects.get(project);
        let found = found.and_then(|project| Some((project, project.requests.get(&number)?)));
        let Some((project, request)) = found else { return Value::Null };
        let mut body = Map::new();
        body.insert("action".to_owned(), action.into());
        body.insert("number".to_owned(), number.into());
        body.extend(changes.map(|changes| ("changes".to_owned(), changes)));
        body.insert("pull_request".to_owned(), self.request_json(project, request));
        body.insert("requested_reviewer".to_owned(), Value::Null);
        body.insert("repository".to_owned(), self.project_json(project, None));
        body.insert("sender".to_owned(), self.user_json(user));
        body.insert("commit_id".to_owned(), "".into());
        body.insert("review".to_owned(), Value::Null);
        Value::Object(body)
    }

    /// What a webhook is told of a comment.
    pub(super) fn comment_event(
        &self,
        (project, number): (&str, u64),
        action: &str,
        (comment, user): (&Comment, i64),
        changes: Option<Value>,
    ) -> Value {
        let mut event = self.request_event((project, number), action, user, changes);
        let issue = event.get("pull_request").map(|request| self.issue_json(project, request));
        if let (Some(body), Some(issue)) = (event.as_object_mut(), issue) {
            body.insert("issue".to_owned(), issue);
            body.insert("comment".to_owned(), self.comment_json(comment));
            body.insert("is_pull".to_owned(), true.into());
            for key in ["number", "requested_reviewer", "commit_id", "review"] {
                body.remove(key);
            }
        }
        event
    }

    /// A pull request as the issue that it is, too.
    fn issue_json(&self, project: &str, request: &Value) -> Value {
        let field = |name: &str| request.get(name).cloned().unwrap_or_default();
        let number = field("number");
        json!({
            "id": field("id"),
            "url": format!("{}/api/v1/repos/{project}/issues/{number}", self.base),
            "html_url": field("html_url"),
            "number": number,
            "user": field("user"),
            "title": field("title"),
            "body": field("body"),
            "state": field("state"),
            "comments": field("comments"),
            "created_at": field("created_at"),
            "updated_at": field("updated_at"),
            "pull_request": {
                "merged": field("merged"),
                "merged_at": field("merged_at"),
                "draft": field("draft"),
                "html_url": field("html_url"),
            },
        })
    }

    /// What a webhook is told of a push.
    pub(super) fn push_json(
        &self,
        project: &str,
        name: &str,
        user: i64,
        (before, after): (&str, &str),
    ) -> Value {
        let repository = self.projects.get(project).map(|entry| self.project_json(entry, None));
        let is_tag = name.starts_with("refs/tags/");
        let compare = format!("{}/{project}/compare/{before}...{after}", self.base);
        let commit = json!({ "id": after, "message": "", "timestamp": self.now() });
        json!({
            "ref": name,
            "before": before,
            "after": after,
            "compare_url": if is_tag { String::new() } else { compare },
            "commits": [&commit],
            "total_commits": 1,
            "head_commit": commit,
            "repository": repository,
            "pusher": self.user_json(user),
            "sender": self.user_json(user),
        })
    }
}
