//! Our comments on a pull request, which the forge keeps as those of an issue.

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, Repo, User};
use crate::remote::Failure;
use crate::reporters::board::{Posted, Thread};
use crate::subject::Subject;

#[derive(Deserialize)]
struct Comment {
    id: u64,
    #[serde(default)]
    body: String,
    #[serde(default)]
    user: Option<User>,
}

fn what(what: &str, subject: &Subject) -> String {
    format!("cannot {what} on `{}#{}`", subject.project, subject.number)
}

#[async_trait]
impl Thread for Client {
    /// The forge gives all comments at once, oldest first.
    async fn find(&self, subject: &Subject, word: &str) -> Result<Vec<Posted>, Failure> {
        if word.is_empty() {
            return Ok(Vec::new());
        }
        let what = what("read the comments", subject);
        let repo = Repo::parse(&subject.project)?;
        let own = self.own().await?.id;
        let number = subject.number.to_string();
        let answer = self.get(&repo.path(&["issues", &number, "comments"]), &what).await?;
        // Gitea says null where there are none.
        let comments: Option<Vec<Comment>> = answer.json(&what)?;
        let is_ours = |comment: &Comment| {
            let is_own = comment.user.as_ref().is_some_and(|user| user.id == own);
            is_own && comment.body.contains(word)
        };
        let ours = comments.unwrap_or_default().into_iter().filter(is_ours);
        Ok(ours.map(|Comment { id, body, .. }| Posted { id: id.to_string(), text: body }).collect())
    }

    async fn post(&self, subject: &Subject, text: &str) -> Result<(), Failure> {
        let repo = Repo::parse(&subject.project)?;
        let number = subject.number.to_string();
        let path = repo.path(&["issues", &number, "comments"]);
        Self::post(self, &path, &json!({ "body": text }), &what("comment", subject)).await?;
        Ok(())
    }

    async fn edit(&self, subject: &Subject, id: &str, text: &str) -> Result<(), Failure> {
        let repo = Repo::parse(&subject.project)?;
        let path = repo.path(&["issues", "comments", id]);
        let body = json!({ "body": text });
        let answer = self.ask((Method::PATCH, &path), &[], Some(&body)).await?;
        let is_gone = answer.status == StatusCode::NOT_FOUND;
        match self.success(answer, &what("edit a comment", subject)) {
            Ok(_) => Ok(()),
            // It was found a moment ago, and somebody has removed it: next time it is posted.
            Err(Failure::GiveUp(source)) if is_gone => Err(Failure::retry(source)),
            Err(failure) => Err(failure),
        }
    }

    async fn remove(&self, subject: &Subject, id: &str) -> Result<(), Failure> {
        let repo = Repo::parse(&subject.project)?;
        let path = repo.path(&["issues", "comments", id]);
        let answer = self.ask((Method::DELETE, &path), &[], None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.success(answer, &what("remove a comment", subject)).map(|_| ())
    }
}
