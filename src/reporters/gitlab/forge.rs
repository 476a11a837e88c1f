//! What GitLab knows of merge requests and of people.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::GitLab;
use crate::event::EventKind;
use crate::event::proposal::{Base, Head, PullRequestEvent, PullRequestState, Standing};
use crate::forges::{Account, Forge, Person};
use crate::remote::Failure;
use crate::remote::gitlab::{Client, Project, User};
use crate::subject::{CommitSha, Subject};

/// From here on somebody may merge into a protected branch, as the default branch of every new
/// project is: a developer may not.
const MAINTAINER: u64 = 40;
/// From here on a project has let somebody in to work on it: planners, reporters, developers.
/// Guests have been let in to look.
const PLANNER: u64 = 15;

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    title: String,
    state: String,
    target_branch: String,
    source_branch: String,
    /// Null when the fork is gone.
    #[serde(default)]
    source_project_id: Option<u64>,
    /// Null while there is no commit.
    #[serde(default)]
    sha: Option<CommitSha>,
    #[serde(default)]
    draft: Option<bool>,
    /// What `draft` was called until 14.
    #[serde(default)]
    work_in_progress: bool,
    author: User,
    web_url: String,
    /// How it is called; not told before 12.7.
    #[serde(default)]
    references: Option<References>,
    updated_at: Timestamp,
    #[serde(default)]
    diff_refs: Option<DiffRefs>,
}

#[derive(Deserialize)]
struct References {
    /// Such as `rail/signalbox!7`.
    full: String,
}

#[derive(Deserialize)]
struct DiffRefs {
    #[serde(default)]
    base_sha: Option<CommitSha>,
}

#[derive(Deserialize)]
struct ProjectPage {
    #[serde(default)]
    http_url_to_repo: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    /// `active`, or why not: `blocked`, `deactivated`, `banned`.
    state: String,
    access_level: u64,
    /// The day from which on it does not count.
    #[serde(default)]
    expires_at: Option<String>,
    /// `active`, or `awaiting` while somebody has to let them in; old versions do not tell.
    #[serde(default)]
    membership_state: Option<String>,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    bot: bool,
}

#[async_trait]
impl Forge for GitLab {
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure> {
        let project = Project::parse(&subject.project)?;
        let number = subject.number.to_string();
        let path = ["projects", project.as_str(), "merge_requests", &number];
        let what = format!("cannot read `{project}!{number}`");
        let request: MergeRequest = self.client.get(&path, &what).await?;
        let source = match request.source_project_id {
            Some(source) => address(&self.client, source).await?,
            None => None,
        };
        Ok(event((&subject.instance, &project), request, source))
    }

    async fn person(&self, project: &str, account: &Account) -> Result<Person, Failure> {
        let project = Project::parse(project)?;
        let Some(id) = self.number_of(account).await? else {
            return Ok(Person::default());
        };
        let what = format!("cannot ask what user {id} is to `{project}`");
        let number = id.to_string();
        let path = ["projects", project.as_str(), "members", "all", &number];
        let member: Option<Member> = self.client.find(&path, &what).await?;
        let profile: Option<Profile> = self.client.find(&["users", &number], &what).await?;
        Ok(Person {
            standing: member.map_or(Standing::Stranger, |member| self.standing(&member)),
            is_own: self.client.own().await? == id,
            is_bot: profile.is_some_and(|profile| profile.bot),
        })
    }

    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        let project = Project::parse(project)?;
        let path = ["projects", project.as_str(), "merge_requests"];
        // The newest first: what is cut off is what waits longest.
        let query = [("state", "opened"), ("order_by", "created_at"), ("sort", "desc")];
        let what = format!("cannot list the merge requests of `{project}`");
        let requests: Vec<MergeRequest> = self.client.list((&path, &query), &what).await?;
        let mut addresses = BTreeMap::new();
        let mut events = Vec::new();
        for request in requests {
            let source = match request.source_project_id {
                Some(source) if addresses.contains_key(&source) => addresses.get(&source).cloned(),
                Some(source) => {
                    let address = address(&self.client, source).await?;
                    addresses.insert(source, address.clone());
                    Some(address)
                }
                None => None,
            };
            events.push(event((&self.instance, &project), request, source.flatten()));
        }
        Ok(events)
    }
}

impl GitLab {
    /// The number of somebody, who is asked for by name where only that is known.
    async fn number_of(&self, account: &Account) -> Result<Option<u64>, Failure> {
        if let Some(id) = &account.id {
            return Ok(id.parse().ok());
        }
        let what = "cannot look up a user";
        let query = [("username", account.name.as_str())];
        let answer = self.client.ask(Method::GET, (&["users"], &query), None).await?;
        let found: Vec<User> = self.client.good(answer, what)?.json(what)?;
        let found = found.into_iter().find(|user| user.username == account.name);
        Ok(found.map(|user| user.id))
    }

    fn standing(&self, member: &Member) -> Standing {
        let today = self.clock.now().strftime("%Y-%m-%d").to_string();
        let is_over = member.expires_at.as_ref().is_some_and(|day| *day <= today);
        let is_in = member.membership_state.as_deref().is_none_or(|state| state == "active");
        match member.access_level {
            _ if is_over || !is_in || member.state != "active" => Standing::Stranger,
            MAINTAINER.. => Standing::Maintainer,
            PLANNER.. => Standing::Contributor,
            _ => Standing::Stranger,
        }
    }
}

/// Where a project is cloned from; none when it is gone, or not ours to see.
async fn address(client: &Client, project: u64) -> Result<Option<String>, Failure> {
    let number = project.to_string();
    let what = "cannot ask where a project is cloned from";
    let page: Option<ProjectPage> = client.find(&["projects", &number], what).await?;
    Ok(page.and_then(|page| page.http_url_to_repo))
}

/// What it tells; `asked` is the project that was asked about, which may have moved.
fn event(
    (instance, asked): (&str, &Project),
    request: MergeRequest,
    source: Option<String>,
) -> PullRequestEvent {
    let event = match request.state.as_str() {
        "opened" => EventKind::PullRequestUpdated,
        _ => EventKind::PullRequestClosed,
    };
    let project = request.references.as_ref().and_then(|names| names.full.rsplit_once('!'));
    PullRequestEvent {
        event,
        instance: instance.to_owned(),
        project: project.map_or(asked.as_str(), |(project, _)| project).to_owned(),
        number: request.iid,
        url: request.web_url,
        title: request.title,
        target: request.target_branch,
        author: request.author.username,
        author_id: Some(request.author.id.to_string()),
        standing: None,
        asked: None,
        agent: None,
        agent_id: None,
        head: Head { sha: request.sha, url: source, branch: Some(request.source_branch) },
        base: Base { sha: request.diff_refs.and_then(|refs| refs.base_sha) },
        pull_request: PullRequestState {
            draft: request.draft.unwrap_or(request.work_in_progress),
            merged: request.state == "merged",
        },
        // In whole seconds, as webhooks tell it: with its fraction it would be later than the
        // same moment there.
        at: Timestamp::from_second(request.updated_at.as_second()).ok(),
    }
}
