//! The stand-in's JSON, as GitHub writes it in webhooks and in answers.

use serde_json::{Value, json};

use super::Role;
use super::memory::{CheckRun, Comment, Memory, Pull, Status, owner_of};

/// How much of a pull request is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// As in a list, or beside a review.
    Short,
    /// As by itself.
    Full,
}

impl Memory {
    pub(super) fn user(&self, login: &str) -> Value {
        let base = &self.base;
        let id = self.known_person(login).unwrap_or_default();
        json!({
            "login": login,
            "id": id,
            "node_id": format!("U_{id}"),
            "avatar_url": format!("{base}/avatars/u/{id}"),
            "url": format!("{base}/api/v3/users/{login}"),
            "html_url": format!("{base}/{login}"),
            "type": if login.ends_with("[bot]") { "Bot" } else { "User" },
            "site_admin": false,
        })
    }

    pub(super) fn repository(&self, full_name: &str) -> Value {
        let base = &self.base;
        let name = full_name.rsplit('/').next().unwrap_or(full_name);
        let repo = self.repos.get(full_name);
        let is_private = repo.is_some_and(|repo| repo.is_private);
        json!({
            "id": repo.map_or(0, |repo| repo.id),
            "name": name,
            "full_name": full_name,
            "private": is_private,
            "owner": self.user(owner_of(full_name)),
            "html_url": format!("{base}/{full_name}"),
            "description": null,
            // A fork is not kept by itself.
            "fork": repo.is_none(),
            "url": format!("{base}/api/v3/repos/{full_name}"),
            "clone_url": format!("{base}/{full_name}.git"),
            "ssh_url": format!("git@{}:{full_name}.git", base.trim_start_matches("http://")),
            "archived": repo.is_some_and(|repo| repo.is_archived),
            "disabled": false,
            "visibility": if is_private { "private" } else { "public" },
            "default_branch": "main",
            "pushed_at": self.now(),
        })
    }

    /// The first part of an answer about a repository that only answers have.
    pub(super) fn permissions(&self, full_name: &str, user: Option<&str>) -> Value {
        let role = user.and_then(|user| self.role(full_name, user));
        let has = |least: Role| role.is_some_and(|role| role >= least);
        json!({
            "admin": has(Role::Admin),
            "maintain": has(Role::Maintain),
            "push": has(Role::Write),
            "triage": has(Role::Triage),
            "pull": has(Role::Read),
        })
    }

    /// What GitHub says of an author, which of some members is less than they are.
    pub(super) fn association(&self, repo: &str, user: &str) -> &'static str {
        let role = self.repos.get(repo).and_then(|repo| repo.roles.get(user));
        match role {
            Some(_) if owner_of(repo) == user => "OWNER",
            Some(_) => "COLLABORATOR",
            None => "NONE",
        }
    }

    fn side(&self, owner: &str, repo: &str, (branch, sha): (&str, &str)) -> Value {
        json!({
            "label": format!("{owner}:{branch}"),
            "ref": branch,
            "sha": sha,
            "user": self.user(owner),
            "repo": self.repository(repo),
        })
    }

    pub(super) fn pull(&self, repo: &str, pull: &Pull, detail: Detail) -> Value {
        let (base, number) = (&self.base, pull.number);
        let closed = (!pull.is_open).then_some(&pull.updated);
        let mut value = json!({
            "url": format!("{base}/api/v3/repos/{repo}/pulls/{number}"),
            "id": 280_000_000 + number,
            "html_url": format!("{base}/{repo}/pull/{number}"),
            "number": number,
            "state": if pull.is_open { "open" } else { "closed" },
            "locked": false,
            "title": pull.title,
            "user": self.user(&pull.author),
            "body": null,
            "created_at": pull.created,
            "updated_at": pull.updated,
            "closed_at": closed,
            "merged_at": pull.merged_at,
            "labels": [],
            "draft": pull.is_draft,
            "head": self.side(owner_of(&pull.from), &pull.from, (&pull.branch, &pull.head)),
            "base": self.side(owner_of(repo), repo, (&pull.target, &pull.base)),
            "author_association": self.association(repo, &pull.author),
        });
        if let (Detail::Full, Some(object)) = (detail, value.as_object_mut()) {
            object.insert("merged".to_owned(), pull.merged_at.is_some().into());
            object.insert("mergeable".to_owned(), Value::Null);
        }
        value
    }

    pub(super) fn issue(&self, repo: &str, pull: &Pull) -> Value {
        let (base, number) = (&self.base, pull.number);
        json!({
            "url": format!("{base}/api/v3/repos/{repo}/issues/{number}"),
            "html_url": format!("{base}/{repo}/pull/{number}"),
            "number": number,
            "title": pull.title,
            "user": self.user(&pull.author),
            "state": if pull.is_open { "open" } else { "closed" },
            "created_at": pull.created,
            "updated_at": pull.updated,
            "author_association": self.association(repo, &pull.author),
            "draft": pull.is_draft,
            "body": null,
            "pull_request": {
                "url": format!("{base}/api/v3/repos/{repo}/pulls/{number}"),
                "html_url": format!("{base}/{repo}/pull/{number}"),
                "merged_at": pull.merged_at,
            },
        })
    }

    pub(super) fn comment(&self, repo: &str, comment: &Comment) -> Value {
        let (base, id, number) = (&self.base, comment.id, comment.number);
        json!({
            "url": format!("{base}/api/v3/repos/{repo}/issues/comments/{id}"),
            "html_url": format!("{base}/{repo}/pull/{number}#issuecomment-{id}"),
            "id": id,
            "user": self.user(&comment.user),
            "created_at": comment.created,
            "updated_at": comment.updated,
            "author_association": self.association(repo, &comment.user),
            "body": comment.text,
        })
    }

    pub(super) fn status(&self, status: &Status) -> Value {
        json!({
            "id": status.id,
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": self.now(),
            "updated_at": self.now(),
            "creator": self.user(&status.creator),
        })
    }

    pub(super) fn check(&self, repo: &str, check: &CheckRun) -> Value {
        let (base, id) = (&self.base, check.id);
        json!({
            "id": id,
            "head_sha": check.commit,
            "external_id": check.external_id,
            "html_url": format!("{base}/{repo}/runs/{id}"),
            "details_url": check.details_url,
            "status": check.status,
            "conclusion": check.conclusion,
            "output": { "title": check.title, "summary": check.summary, "text": null },
            "name": check.name,
            "app": { "slug": check.app, "name": check.app },
            "pull_requests": [],
        })
    }
}
