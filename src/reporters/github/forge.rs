//! GitHub as one who knows: who people are, and how pull requests stand.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

use super::Github;
use super::client::{Call, Repo, User, is_name};
use super::login::Scope;
use crate::event::EventKind;
use crate::event::proposal::{Base, Head, PullRequestEvent, PullRequestState, Standing};
use crate::forges::{Account, Forge, Person};
use crate::remote::{Failure, chain};
use crate::subject::{CommitSha, Subject, SubjectKind};

/// How many pages of open pull requests are read.
const PAGES_MAX: usize = 10;
/// What GitHub calls somebody who is gone.
const GHOST: &str = "ghost";
/// What the names of Apps end with.
const BOT: &str = "[bot]";

/// A pull request, as far as it matters here.
#[derive(Deserialize)]
pub(super) struct PullRequest {
    number: u64,
    html_url: String,
    title: String,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    updated_at: Option<Timestamp>,
    #[serde(default)]
    user: Option<User>,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: CommitSha,
    /// Null when the fork is gone.
    #[serde(default)]
    repo: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    full_name: Option<String>,
    #[serde(default)]
    clone_url: Option<String>,
}

/// What GitHub says of somebody's rights.
#[derive(Deserialize)]
struct Rights {
    /// One of four words, of which the nearest is told.
    #[serde(default)]
    permission: String,
    /// The role itself, which an old GitHub Enterprise does not tell.
    #[serde(default)]
    role_name: String,
    #[serde(default)]
    user: Option<User>,
}

impl Rights {
    fn standing(&self) -> Standing {
        match (self.permission.as_str(), self.role_name.as_str()) {
            ("admin" | "write", _) => Standing::Maintainer,
            (_, "triage") => Standing::Contributor,
            // On a public repository everybody may read.
            (_, _) => Standing::Stranger,
        }
    }
}

impl PullRequest {
    /// What it tells; `asked` is the project that was asked about, which may have moved.
    pub(super) fn event(self, instance: &str, asked: &str) -> PullRequestEvent {
        let project = self.base.repo.and_then(|repo| repo.full_name);
        let is_open = self.state == "open";
        let (author, author_id) = match self.user {
            Some(user) => (user.login, Some(user.id.to_string())),
            None => (GHOST.to_owned(), None),
        };
        PullRequestEvent {
            event: if is_open {
                EventKind::PullRequestUpdated
            } else {
                EventKind::PullRequestClosed
            },
            instance: instance.to_owned(),
            project: project.unwrap_or_else(|| asked.to_owned()),
            number: self.number,
            url: self.html_url,
            title: self.title,
            target: self.base.branch,
            author,
            author_id,
            standing: None,
            asked: None,
            agent: None,
            agent_id: None,
            head: Head {
                sha: Some(self.head.sha),
                url: self.head.repo.and_then(|repo| repo.clone_url),
                branch: Some(self.head.branch),
            },
            base: Base { sha: Some(self.base.sha) },
            pull_request: PullRequestState {
                draft: self.draft,
                merged: !is_open && self.merged_at.is_some(),
            },
            at: self.updated_at,
        }
    }
}

#[async_trait]
impl Forge for Github {
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure> {
        if subject.kind != SubjectKind::PullRequest {
            return Err(super::no_place(subject, "it is no pull request"));
        }
        let what = format!("cannot read `{}#{}`", subject.project, subject.number);
        let repo = Repo::parse(&subject.project)?;
        let number = subject.number.to_string();
        let path = repo.path(&["pulls", &number]);
        let answer = self.client.call(&repo, Call::get(&path), &what).await?;
        let pull_request: PullRequest = answer.json(&what)?;
        Ok(pull_request.event(&subject.instance, &subject.project))
    }

    async fn person(&self, project: &str, account: &Account) -> Result<Person, Failure> {
        let what = format!("cannot ask who somebody is to `{}`", super::refusal::shown(project));
        let repo = Repo::parse(project)?;
        let own = self.client.own(&repo).await?;
        let id = account.id.as_deref();
        let mut person = Person {
            is_own: match id {
                Some(id) => id == own.id.to_string(),
                None => account.name.eq_ignore_ascii_case(&own.login),
            },
            is_bot: account.name.ends_with(BOT),
            ..Person::default()
        };
        if !is_name(account.name.strip_suffix(BOT).unwrap_or(&account.name)) {
            return Ok(person);
        }
        let path = repo.path(&["collaborators", &account.name, "permission"]);
        let answer = self.client.ask(Scope::Repo(&repo), Call::get(&path)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(person);
        }
        let is_forbidden = answer.status == StatusCode::FORBIDDEN;
        let rights: Rights = match self.client.success(answer, &what) {
            // GitHub tells it only to who may write.  What cannot be found out is a no, so that
            // who gives a command is answered.
            Err(failure @ Failure::GiveUp(_)) if is_forbidden => {
                if !self.is_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error = %chain(&failure),
                        "Cannot ask GitHub who people are: everybody is a stranger there"
                    );
                }
                return Ok(person);
            }
            answer => answer?.json(&what)?,
        };
        let Some(user) = &rights.user else {
            return Ok(person);
        };
        // A name can be given away, and its rights are then those of somebody else.
        if id.is_none_or(|id| id == user.id.to_string()) {
            person.standing = rights.standing();
            person.is_bot |= user.kind == "Bot";
        }
        Ok(person)
    }

    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        let repo = Repo::parse(project)?;
        let what = format!("cannot read the open pull requests of `{repo}`");
        let path = repo.path(&["pulls"]);
        // The newest first: what is cut off is what waits longest.
        let query = [("state", "open"), ("sort", "created"), ("direction", "desc")];
        let listed = self
            .client
            .list::<PullRequest>(&repo, (&path, &query), (None, PAGES_MAX), &what)
            .await?;
        if !listed.is_whole {
            tracing::warn!(
                project,
                "Only the newest {} open pull requests of `{project}` are looked at",
                listed.entries.len()
            );
        }
        let event = |pull_request: PullRequest| pull_request.event(&self.instance, project);
        Ok(listed.entries.into_iter().map(event).collect())
    }
}
