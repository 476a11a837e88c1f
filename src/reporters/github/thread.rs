//! Our comments on a pull request, which GitHub keeps as those of an issue.

use async_trait::async_trait;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::client::{Call, Client, Repo, User};
use super::login::Scope;
use crate::remote::Failure;
use crate::reporters::board::{Posted, Thread};
use crate::subject::Subject;

/// How many pages of comments are looked through: GitHub lets there be 2,500 comments.
const PAGES_MAX: usize = 30;

#[derive(Deserialize)]
struct Comment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    /// Null for somebody who is gone.
    #[serde(default)]
    user: Option<User>,
}

fn what(what: &str, subject: &Subject) -> String {
    format!("cannot {what} on `{}#{}`", subject.project, subject.number)
}

#[async_trait]
impl Thread for Client {
    async fn find(&self, subject: &Subject, word: &str) -> Result<Vec<Posted>, Failure> {
        if word.is_empty() {
            return Ok(Vec::new());
        }
        let what = what("read the comments", subject);
        let repo = Repo::parse(&subject.project)?;
        let own = self.own(&repo).await?.id;
        let number = subject.number.to_string();
        let path = repo.path(&["issues", &number, "comments"]);
        let listed = self.list::<Comment>(&repo, (&path, &[]), (None, PAGES_MAX), &what).await?;
        let is_ours = |comment: &Comment| comment.user.as_ref().is_some_and(|user| user.id == own);
        let ours = listed.entries.into_iter().filter(is_ours);
        let posted = ours.filter_map(|Comment { id, body, .. }| {
            let text = body.filter(|text| text.contains(word))?;
            Some(Posted { id: id.to_string(), text })
        });
        Ok(posted.collect())
    }

    async fn post(&self, subject: &Subject, text: &str) -> Result<(), Failure> {
        let repo = Repo::parse(&subject.project)?;
        let number = subject.number.to_string();
        let path = repo.path(&["issues", &number, "comments"]);
        let body = json!({ "body": text });
        self.call(&repo, Call::post(&path, &body), &what("comment", subject)).await?;
        Ok(())
    }

    async fn edit(&self, subject: &Subject, id: &str, text: &str) -> Result<(), Failure> {
        let what = what("edit a comment", subject);
        let repo = Repo::parse(&subject.project)?;
        let path = repo.path(&["issues", "comments", id]);
        let body = json!({ "body": text });
        let answer = self.ask(Scope::Repo(&repo), Call::patch(&path, &body)).await?;
        let is_gone = answer.status == StatusCode::NOT_FOUND;
        match self.success(answer, &what) {
            Ok(_) => Ok(()),
            // It was found a moment ago, and somebody has removed it: next time it is posted.
            Err(Failure::GiveUp(source)) if is_gone => Err(Failure::retry(source)),
            Err(failure) => Err(failure),
        }
    }

    async fn remove(&self, subject: &Subject, id: &str) -> Result<(), Failure> {
        let repo = Repo::parse(&subject.project)?;
        let path = repo.path(&["issues", "comments", id]);
        let answer = self.ask(Scope::Repo(&repo), Call::delete(&path)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.success(answer, &what("remove a comment", subject)).map(|_| ())
    }
}
