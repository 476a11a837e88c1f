//! Our comments on a merge request, which GitLab calls notes.

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::remote::Failure;
use crate::remote::gitlab::{Client, Project, User};
use crate::reporters::board::{Posted, Thread};
use crate::subject::Subject;

#[derive(Deserialize)]
struct Note {
    id: u64,
    #[serde(default)]
    body: String,
    #[serde(default)]
    author: Option<User>,
    /// Whether GitLab wrote it to tell of something.
    #[serde(default)]
    system: bool,
}

fn what(what: &str, subject: &Subject) -> String {
    format!("cannot {what} on `{}!{}`", subject.project, subject.number)
}

#[async_trait]
impl Thread for Client {
    async fn find(&self, subject: &Subject, word: &str) -> Result<Vec<Posted>, Failure> {
        if word.is_empty() {
            return Ok(Vec::new());
        }
        let project = Project::parse(&subject.project)?;
        let own = self.own().await?;
        let number = subject.number.to_string();
        let path = ["projects", project.as_str(), "merge_requests", &number, "notes"];
        // The newest first: ours is more likely to be among them than among the oldest thousand.
        let query = [("sort", "desc"), ("order_by", "created_at")];
        let what = what("read the comments", subject);
        let notes: Vec<Note> = self.list((&path, &query), &what).await?;
        let is_ours = |note: &Note| {
            let author = note.author.as_ref().map(|author| author.id);
            !note.system && author == Some(own) && note.body.contains(word)
        };
        let ours = notes.into_iter().rev().filter(is_ours);
        Ok(ours.map(|note| Posted { id: note.id.to_string(), text: note.body }).collect())
    }

    async fn post(&self, subject: &Subject, text: &str) -> Result<(), Failure> {
        let what = what("comment", subject);
        let project = Project::parse(&subject.project)?;
        let number = subject.number.to_string();
        let path = ["projects", project.as_str(), "merge_requests", &number, "notes"];
        let body = json!({ "body": text });
        let answer = self.ask(Method::POST, (&path, &[]), Some(&body)).await?;
        let answer = self.good(answer, &what)?;
        if answer.status == StatusCode::ACCEPTED {
            // All of it was obeyed and nothing is shown; it must never come to that.
            return Err(Failure::give_up(anyhow::anyhow!("{what}: it was taken for commands")));
        }
        Ok(())
    }

    async fn edit(&self, subject: &Subject, id: &str, text: &str) -> Result<(), Failure> {
        let project = Project::parse(&subject.project)?;
        let number = subject.number.to_string();
        let path = ["projects", project.as_str(), "merge_requests", &number, "notes", id];
        let body = json!({ "body": text });
        let answer = self.ask(Method::PUT, (&path, &[]), Some(&body)).await?;
        let is_gone = answer.status == StatusCode::NOT_FOUND;
        match self.good(answer, &what("edit a comment", subject)) {
            Ok(_) => Ok(()),
            // It was found a moment ago, and somebody has removed it: next time it is posted.
            Err(Failure::GiveUp(source)) if is_gone => Err(Failure::retry(source)),
            Err(failure) => Err(failure),
        }
    }

    async fn remove(&self, subject: &Subject, id: &str) -> Result<(), Failure> {
        let project = Project::parse(&subject.project)?;
        let number = subject.number.to_string();
        let path = ["projects", project.as_str(), "merge_requests", &number, "notes", id];
        let answer = self.ask(Method::DELETE, (&path, &[]), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.good(answer, &what("remove a comment", subject)).map(|_| ())
    }
}
