//! Forgejo and Gitea as those who know: who people are, and how pull requests stand.

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::client::{Client, Repo, User, has_next, is_name};
use super::{Forgejo, no_place};
use crate::event::EventKind;
use crate::event::proposal::{Base, Head, PullRequestEvent, PullRequestState, Standing};
use crate::forges::{Account, Forge, Person};
use crate::remote::Failure;
use crate::subject::{CommitSha, Subject, SubjectKind};

/// How many entries of a list are asked for at once; the forge usually gives no more.
const PAGE_SIZE: &str = "50";
/// How many pages of open pull requests are read.
const PAGES_MAX: usize = 20;

/// A pull request, as far as it matters here.
#[derive(Deserialize)]
struct PullRequest {
    number: u64,
    html_url: String,
    title: String,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    updated_at: Option<Timestamp>,
    user: User,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    /// Empty while it could not be found out.
    #[serde(default)]
    sha: String,
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

/// What the forge says of somebody's rights.
#[derive(Deserialize)]
struct Rights {
    #[serde(default)]
    permission: String,
    #[serde(default)]
    user: Option<User>,
}

impl PullRequest {
    /// What it tells; `asked` is the project that was asked about, which may have moved.
    fn event(self, instance: &str, asked: &str) -> PullRequestEvent {
        let project = self.base.repo.and_then(|repo| repo.full_name);
        let is_open = self.state == "open";
        let event =
            if is_open { EventKind::PullRequestUpdated } else { EventKind::PullRequestClosed };
        let sha = |sha: String| CommitSha::try_from(sha).ok();
        PullRequestEvent {
            event,
            instance: instance.to_owned(),
            project: project.unwrap_or_else(|| asked.to_owned()),
            number: self.number,
            url: self.html_url,
            title: self.title,
            target: self.base.branch,
            author: self.user.login,
            author_id: Some(self.user.id.to_string()),
            standing: None,
            asked: None,
            agent: None,
            agent_id: None,
            head: Head {
                sha: sha(self.head.sha),
                url: self.head.repo.and_then(|repo| repo.clone_url),
                branch: Some(self.head.branch),
            },
            base: Base { sha: sha(self.base.sha) },
            pull_request: PullRequestState { draft: self.draft, merged: !is_open && self.merged },
            at: self.updated_at,
        }
    }
}

/// Whether the two are the same, by the lasting id where it was told.
fn is_same(user: &User, account: &Account) -> bool {
    match &account.id {
        Some(id) => *id == user.id.to_string(),
        None => user.login.eq_ignore_ascii_case(&account.name),
    }
}

impl Client {
    /// What somebody is to a repository.
    ///
    /// Rights can only be asked about by whoever administers it.  For others, and for people who
    /// have their rights by a team that may not do everything, the forge says at least whom it
    /// would let be assigned to an issue: those are contributors, though they may be more.  So is
    /// who collaborates, where more is not told: it may be that they only read.
    async fn standing(&self, repo: &Repo, account: &Account) -> Result<Standing, Failure> {
        let what = format!("cannot ask who somebody is to `{repo}`");
        let path = repo.path(&["collaborators", &account.name, "permission"]);
        let answer = self.ask((Method::GET, &path), &[], None).await?;
        let may_ask = answer.status != StatusCode::FORBIDDEN;
        match answer.status {
            StatusCode::NOT_FOUND => return Ok(Standing::Stranger),
            StatusCode::FORBIDDEN => {}
            _ => {
                let rights: Rights = self.success(answer, &what)?.json(&what)?;
                // A name can be given away, and its rights are then those of somebody else.
                if !rights.user.is_some_and(|user| is_same(&user, account)) {
                    return Ok(Standing::Stranger);
                }
                if matches!(rights.permission.as_str(), "owner" | "admin" | "write") {
                    return Ok(Standing::Maintainer);
                }
            }
        }
        let answer = self.get(&repo.path(&["assignees"]), &what).await?;
        let assignees: Option<Vec<User>> = answer.json(&what)?;
        let is_known = assignees.unwrap_or_default().iter().any(|user| is_same(user, account));
        if is_known || (!may_ask && self.collaborates(repo, account, &what).await?) {
            Ok(Standing::Contributor)
        } else {
            Ok(Standing::Stranger)
        }
    }

    async fn collaborates(
        &self,
        repo: &Repo,
        account: &Account,
        what: &str,
    ) -> Result<bool, Failure> {
        let path = repo.path(&["collaborators", &account.name]);
        let answer = self.ask((Method::GET, &path), &[], None).await?;
        // 422 for a name that nobody has.
        let is_no = matches!(answer.status.as_u16(), 403 | 404 | 422);
        if is_no {
            return Ok(false);
        }
        self.success(answer, what)?;
        // It is the name's: whose it is now has to be asked, too.
        let user: User = self.get(&["users", &account.name], what).await?.json(what)?;
        Ok(is_same(&user, account))
    }
}

#[async_trait]
impl Forge for Forgejo {
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure> {
        if subject.kind != SubjectKind::PullRequest {
            return Err(no_place(subject, "it is no pull request"));
        }
        let what = format!("cannot read `{}#{}`", subject.project, subject.number);
        let repo = Repo::parse(&subject.project)?;
        let number = subject.number.to_string();
        let answer = self.client.get(&repo.path(&["pulls", &number]), &what).await?;
        let pull_request: PullRequest = answer.json(&what)?;
        Ok(pull_request.event(&subject.instance, &subject.project))
    }

    async fn person(&self, project: &str, account: &Account) -> Result<Person, Failure> {
        let repo = Repo::parse(project)?;
        let own = self.client.own().await?;
        // No message and no answer tells programs from people.
        let mut person = Person { is_own: is_same(own, account), ..Person::default() };
        if is_name(&account.name) {
            person.standing = self.client.standing(&repo, account).await?;
        }
        Ok(person)
    }

    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        let repo = Repo::parse(project)?;
        let what = format!("cannot read the open pull requests of `{repo}`");
        let path = repo.path(&["pulls"]);
        let mut proposals = Vec::new();
        for page in 1..=PAGES_MAX {
            let page = page.to_string();
            // The newest first: what is cut off is what waits longest.
            let query = [("state", "open"), ("page", &page), ("limit", PAGE_SIZE)];
            let answer = self.client.ask((Method::GET, &path), &query, None).await?;
            let answer = self.client.success(answer, &what)?;
            let found: Option<Vec<PullRequest>> = answer.json(&what)?;
            let found = found.unwrap_or_default();
            let is_last = found.is_empty() || !has_next(&answer);
            let event = |pull_request: PullRequest| pull_request.event(&self.instance, project);
            proposals.extend(found.into_iter().map(event));
            if is_last {
                return Ok(proposals);
            }
        }
        tracing::warn!(
            project,
            "Only the newest {} open pull requests of `{project}` are looked at",
            proposals.len()
        );
        Ok(proposals)
    }
}
