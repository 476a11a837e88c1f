//! What happens on the stand-in besides the life of a pull request.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Announcement;
use super::memory::Memory;
use super::shape::Comments;

/// What Pagure writes for no commit.
const NOTHING: &str = "^0000000000000000000000000000000000000000";

impl Memory {
    pub(super) fn edit_comment(
        &mut self,
        (project, id): (&str, u64),
        comment: u64,
        (user, text): (&str, &str),
    ) -> anyhow::Result<Vec<Announcement>> {
        let now = self.now();
        let mut comments = self.request_mut(project, id)?.comments.iter_mut();
        let edited = comments.find(|known| known.id == comment);
        let edited = edited.with_context(|| format!("there is no comment {comment}"))?;
        text.clone_into(&mut edited.text);
        let edited = edited.clone();
        let mut comment = self.comment_json(&edited);
        if let Some(fields) = comment.as_object_mut() {
            fields.insert("edited_on".to_owned(), now.into());
            fields.insert("editor".to_owned(), self.user(user));
        }
        let body = json!({
            "agent": user,
            "project": self.project(project),
            "comment": comment,
            "pullrequest": self.pull_request(project, id, Comments::Left),
        });
        Ok(vec![self.announce("pull-request.comment.edited", body)])
    }

    pub(super) fn push_to(
        &mut self,
        project: &str,
        (branch, user): (&str, &str),
        (before, after): (Option<&str>, &str),
    ) -> anyhow::Result<Vec<Announcement>> {
        self.project_mut(project)?;
        let body = json!({
            "agent": user,
            "authors": [self.user(user)],
            "branch": branch,
            "changed_files": {},
            "forced": false,
            "old_commit": before.unwrap_or(NOTHING),
            "start_commit": after,
            "end_commit": after,
            "total_commits": 1,
            "pull_request_id": Value::Null,
            "repo": self.project(project),
        });
        Ok(vec![self.announce("git.receive", body)])
    }
}
