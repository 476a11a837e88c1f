//! What is different after people have done something, and what is posted about it.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::hooks::Post;
use super::memory::{CheckRun, Comment, Memory, Pull, Status};
use super::shape::Detail;
use super::{NewPullRequest, Role};
use crate::message::hash;

/// What stands for no commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";

impl Memory {
    pub(super) fn open(&mut self, new: &NewPullRequest) -> anyhow::Result<(u64, Vec<Post>)> {
        let now = self.now();
        self.person(&new.author);
        let may_write = self.role(&new.repo, &new.author) >= Some(Role::Write);
        let name = new.repo.rsplit('/').next().unwrap_or_default();
        let from = if may_write { new.repo.clone() } else { format!("{}/{name}", new.author) };
        let repo = self.repo_mut(&new.repo)?;
        let number = repo.pulls.keys().last().copied().unwrap_or_default() + 1;
        let base = repo.branches.entry(new.target.clone()).or_insert_with(|| commit(&new.target));
        let pull = Pull {
            number,
            author: new.author.clone(),
            title: new.title.clone(),
            branch: new.branch.clone(),
            from,
            target: new.target.clone(),
            head: new.head.clone(),
            base: base.clone(),
            is_open: true,
            is_draft: new.draft,
            merged_at: None,
            created: now.clone(),
            updated: now,
        };
        repo.commits.insert(new.head.clone());
        repo.pulls.insert(number, pull.clone());
        let post = self.pull_post(&new.repo, &pull, ("opened", &new.author));
        Ok((number, vec![post]))
    }

    pub(super) fn push(
        &mut self,
        repo: &str,
        number: u64,
        head: &str,
    ) -> anyhow::Result<Vec<Post>> {
        self.repo_mut(repo)?.commits.insert(head.to_owned());
        let author = self.pull_of(repo, number)?.author.clone();
        let before = self.pull_of(repo, number)?.head.clone();
        let change = |pull: &mut Pull, _: &str| head.clone_into(&mut pull.head);
        let mut posts = self.change((repo, number), (&author, "synchronize"), change)?;
        for body in posts.iter_mut().filter_map(|post| post.body.as_object_mut()) {
            body.insert("before".to_owned(), before.as_str().into());
            body.insert("after".to_owned(), head.into());
        }
        Ok(posts)
    }

    pub(super) fn push_to(
        &mut self,
        full_name: &str,
        (branch, head): (&str, &str),
        user: &str,
    ) -> anyhow::Result<Vec<Post>> {
        self.person(user);
        let reference = if branch.starts_with("refs/") {
            branch.to_owned()
        } else {
            format!("refs/heads/{branch}")
        };
        let repo = self.repo_mut(full_name)?;
        repo.commits.insert(head.to_owned());
        let before = repo.branches.insert(branch.to_owned(), head.to_owned());
        let before = before.unwrap_or_else(|| NOTHING.to_owned());
        let base = &self.base;
        let mut repository = self.repository(full_name);
        if let Some(repository) = repository.as_object_mut() {
            // A number here, and only here.
            repository.insert("pushed_at".to_owned(), self.clock.now().as_second().into());
        }
        let body = json!({
            "ref": reference,
            "before": before,
            "after": head,
            "created": before == NOTHING,
            "deleted": false,
            "forced": false,
            "compare": format!("{base}/{full_name}/compare/{before}...{head}"),
            "commits": [],
            "head_commit": { "id": head, "message": "Grease the levers" },
            "repository": repository,
            "pusher": { "name": user },
            "sender": self.user(user),
        });
        Ok(vec![Post::new("push", body)])
    }

    pub(super) fn pull_of(&self, repo: &str, number: u64) -> anyhow::Result<&Pull> {
        let pull = self.repos.get(repo).and_then(|repo| repo.pulls.get(&number));
        pull.with_context(|| format!("there is no pull request {number} in `{repo}`"))
    }

    pub(super) fn change(
        &mut self,
        (repo, number): (&str, u64),
        (by, action): (&str, &str),
        change: impl FnOnce(&mut Pull, &str),
    ) -> anyhow::Result<Vec<Post>> {
        let now = self.now();
        self.person(by);
        let pull = self.repo_mut(repo)?.pulls.get_mut(&number);
        let pull =
            pull.with_context(|| format!("there is no pull request {number} in `{repo}`"))?;
        change(pull, &now);
        pull.updated = now;
        let pull = pull.clone();
        Ok(vec![self.pull_post(repo, &pull, (action, by))])
    }

    fn pull_post(&self, repo: &str, pull: &Pull, (action, by): (&str, &str)) -> Post {
        let body = json!({
            "action": action,
            "number": pull.number,
            "pull_request": self.pull(repo, pull, Detail::Full),
            "repository": self.repository(repo),
            "sender": self.user(by),
        });
        Post::new("pull_request", body)
    }

    pub(super) fn add_comment(
        &mut self,
        (repo, number): (&str, u64),
        author: &str,
        text: &str,
    ) -> anyhow::Result<(u64, Vec<Post>)> {
        self.pull_of(repo, number)?;
        self.person(author);
        let now = self.now();
        let comment = Comment {
            id: self.next_id(),
            number,
            user: author.to_owned(),
            text: text.to_owned(),
            created: now.clone(),
            updated: now,
        };
        self.repo_mut(repo)?.comments.push(comment.clone());
        let post = self.comment_post(repo, &comment, ("created", author), None)?;
        Ok((comment.id, vec![post]))
    }

    pub(super) fn edit_comment(
        &mut self,
        repo: &str,
        (id, editor): (u64, &str),
        text: &str,
    ) -> anyhow::Result<Vec<Post>> {
        self.person(editor);
        let now = self.now();
        let comments = &mut self.repo_mut(repo)?.comments;
        let comment = comments.iter_mut().find(|comment| comment.id == id);
        let comment = comment.with_context(|| format!("there is no comment {id} in `{repo}`"))?;
        let before = std::mem::replace(&mut comment.text, text.to_owned());
        comment.updated = now;
        let comment = comment.clone();
        Ok(vec![self.comment_post(repo, &comment, ("edited", editor), Some(&before))?])
    }

    pub(super) fn delete_comment(
        &mut self,
        repo: &str,
        id: u64,
        by: &str,
    ) -> anyhow::Result<Vec<Post>> {
        let comments = &mut self.repo_mut(repo)?.comments;
        let place = comments.iter().position(|comment| comment.id == id);
        let place = place.with_context(|| format!("there is no comment {id} in `{repo}`"))?;
        let comment = comments.remove(place);
        Ok(vec![self.comment_post(repo, &comment, ("deleted", by), None)?])
    }

    fn comment_post(
        &self,
        repo: &str,
        comment: &Comment,
        (action, by): (&str, &str),
        before: Option<&str>,
    ) -> anyhow::Result<Post> {
        let mut body = json!({
            "action": action,
            "issue": self.issue(repo, self.pull_of(repo, comment.number)?),
            "comment": self.comment(repo, comment),
            "repository": self.repository(repo),
            "sender": self.user(by),
        });
        if let (Some(before), Some(body)) = (before, body.as_object_mut()) {
            body.insert("changes".to_owned(), json!({ "body": { "from": before } }));
        }
        Ok(Post::new("issue_comment", body))
    }

    pub(super) fn review(
        &mut self,
        (repo, number): (&str, u64),
        reviewer: &str,
        text: &str,
    ) -> anyhow::Result<Vec<Post>> {
        self.person(reviewer);
        let id = self.next_id();
        let pull = self.pull_of(repo, number)?;
        let body = json!({
            "action": "submitted",
            "review": {
                "id": id,
                "user": self.user(reviewer),
                "body": text,
                "commit_id": pull.head,
                "submitted_at": self.now(),
                "state": "commented",
                "author_association": self.association(repo, reviewer),
            },
            "pull_request": self.pull(repo, pull, Detail::Short),
            "repository": self.repository(repo),
            "sender": self.user(reviewer),
        });
        Ok(vec![Post::new("pull_request_review", body)])
    }

    pub(super) fn status_post(&self, repo: &str, status: &Status) -> Post {
        let mut body = self.status(status);
        if let Some(body) = body.as_object_mut() {
            body.remove("creator");
            body.insert("sha".to_owned(), status.commit.as_str().into());
            body.insert("name".to_owned(), repo.into());
            body.insert("branches".to_owned(), Value::Array(Vec::new()));
            body.insert("repository".to_owned(), self.repository(repo));
            body.insert("sender".to_owned(), self.user(&status.creator));
        }
        Post::new("status", body)
    }

    pub(super) fn check_post(&self, repo: &str, check: &CheckRun) -> Post {
        let body = json!({
            "action": if check.status == "completed" { "completed" } else { "created" },
            "check_run": self.check(repo, check),
            "repository": self.repository(repo),
            "sender": self.user(&format!("{}[bot]", check.app)),
        });
        Post::new("check_run", body)
    }
}

/// A commit that nobody told the id of.
fn commit(name: &str) -> String {
    let half = hash(&[name.as_bytes()]);
    half.chars().chain("00000000".chars()).collect()
}
