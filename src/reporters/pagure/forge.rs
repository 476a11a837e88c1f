//! Pagure as one who knows: who people are, and how pull requests stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

use super::Pagure;
use super::client::{Client, Project};
use crate::clock::Clock;
use crate::event::EventKind;
use crate::event::proposal::{Base, Head, PullRequestEvent, PullRequestState, Standing};
use crate::forges::{Account, Forge, Person};
use crate::remote::Failure;
use crate::subject::{CommitSha, Subject, SubjectKind};

/// How many pull requests are asked for at once.
const PAGE_SIZE: &str = "50";
/// How many pages of open pull requests are read.
const PAGES_MAX: u64 = 20;
/// How many groups of one project are looked into.
const GROUPS_MAX: usize = 20;
/// How many groups are remembered.
const REMEMBERED_MAX: usize = 500;
/// How long it is remembered who is in a group.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);
/// With what the title of a draft begins; topics know the same.
const DRAFT: [&str; 5] = ["[wip]", "wip:", "wip ", "[draft]", "draft:"];

/// A pull request, as far as it matters here.
#[derive(Deserialize)]
struct PullRequest {
    id: u64,
    #[serde(default)]
    full_url: Option<String>,
    title: String,
    /// The branch it wants to change.
    branch: String,
    user: User,
    /// Null when it is gone.
    #[serde(default)]
    project: Option<Source>,
    status: String,
    /// Null while a remote one has not been fetched.
    #[serde(default)]
    commit_stop: Option<String>,
    #[serde(default)]
    branch_from: Option<String>,
    /// Null when the fork is gone, or on another server.
    #[serde(default)]
    repo_from: Option<Source>,
    #[serde(default)]
    remote_git: Option<String>,
    /// Seconds, perhaps with a fraction.
    #[serde(default)]
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct User {
    name: String,
}

#[derive(Deserialize)]
struct Source {
    fullname: String,
    full_url: String,
    #[serde(default)]
    url_path: Option<String>,
}

/// A page of a list.
#[derive(Deserialize)]
struct Listed {
    requests: Vec<PullRequest>,
    /// An old Pagure gives all at once.
    #[serde(default)]
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    #[serde(default)]
    pages: u64,
}

/// Whom a project lets do what.
#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    access_users: Rights,
    #[serde(default)]
    access_groups: Rights,
}

/// Names by right; those of `ticket` may do nothing that matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Rights {
    owner: BTreeSet<String>,
    admin: BTreeSet<String>,
    commit: BTreeSet<String>,
    collaborator: BTreeSet<String>,
}

impl Rights {
    /// Those who may merge.
    fn merging(&self) -> impl Iterator<Item = &String> {
        self.owner.iter().chain(&self.admin).chain(&self.commit)
    }
}

/// Who is in which group, as far as it was asked lately.
#[derive(Debug)]
pub(super) struct Groups {
    clock: Clock,
    known: Mutex<BTreeMap<String, Asked>>,
}

/// Who is in a group, and when that was asked.
type Asked = (Timestamp, Arc<BTreeSet<String>>);

impl Groups {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, known: Mutex::default() }
    }

    async fn members(
        &self,
        client: &Client,
        group: &str,
    ) -> Result<Arc<BTreeSet<String>>, Failure> {
        let now = self.clock.now();
        let is_fresh = |asked: Timestamp| {
            let age = Duration::try_from(now.duration_since(asked));
            age.is_ok_and(|age| age < REMEMBERED_FOR)
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(group).cloned();
        if let Some((_, members)) = known.filter(|(asked, _)| is_fresh(*asked)) {
            return Ok(members);
        }
        let members = Arc::new(client.members(group).await?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, (asked, _)| is_fresh(*asked));
        }
        if known.len() < REMEMBERED_MAX {
            known.insert(group.to_owned(), (now, Arc::clone(&members)));
        }
        Ok(members)
    }
}

impl PullRequest {
    /// What it tells; `asked` is the project that was asked about, which may have moved.
    fn event(self, instance: &str, asked: &str, page: String) -> PullRequestEvent {
        let is_open = self.status == "Open";
        let event =
            if is_open { EventKind::PullRequestUpdated } else { EventKind::PullRequestClosed };
        let title = self.title.trim().to_lowercase();
        PullRequestEvent {
            event,
            instance: instance.to_owned(),
            project: self.project.map_or_else(|| asked.to_owned(), |project| project.fullname),
            number: self.id,
            url: self.full_url.unwrap_or(page),
            target: self.branch,
            author: self.user.name,
            author_id: None,
            standing: None,
            asked: None,
            agent: None,
            agent_id: None,
            head: Head {
                sha: self.commit_stop.and_then(|sha| CommitSha::try_from(sha).ok()),
                url: self.repo_from.map(Source::clone_url).or(self.remote_git),
                branch: self.branch_from,
            },
            base: Base::default(),
            pull_request: PullRequestState {
                draft: DRAFT.iter().any(|word| title.starts_with(word)),
                merged: self.status == "Merged",
            },
            at: self.last_updated.as_deref().and_then(epoch),
            title: self.title,
        }
    }
}

impl Source {
    /// Pages of forks are under `fork/`, their repositories under `forks/`.
    fn clone_url(self) -> String {
        let path = self.url_path.as_ref().unwrap_or(&self.fullname);
        let root = self.full_url.strip_suffix(path.as_str());
        root.map_or(self.full_url.clone(), |root| format!("{root}{}", self.fullname)) + ".git"
    }
}

/// The time so many seconds after 1970.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let seconds: i64 = whole.parse().ok()?;
    let millis: i64 = digits.parse().ok()?;
    Timestamp::from_millisecond(seconds.checked_mul(1_000)?.checked_add(millis)?).ok()
}

impl Pagure {
    async fn standing(&self, access: &Access, name: &str) -> Result<Standing, Failure> {
        let Access { access_users: users, access_groups: groups } = access;
        if users.merging().any(|user| user == name) || self.is_in(groups.merging(), name).await? {
            return Ok(Standing::Maintainer);
        }
        let is_contributor = users.collaborator.contains(name)
            || self.is_in(groups.collaborator.iter(), name).await?;
        Ok(if is_contributor { Standing::Contributor } else { Standing::Stranger })
    }

    /// Whether somebody is in one of these groups, of which there may be too many to ask about.
    async fn is_in(
        &self,
        groups: impl Iterator<Item = &String> + Send,
        name: &str,
    ) -> Result<bool, Failure> {
        for group in groups.take(GROUPS_MAX) {
            if self.groups.members(&self.client, group).await?.contains(name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn event(&self, name: &str, project: &Project, found: PullRequest) -> PullRequestEvent {
        let page = self.client.page(project, &["pull-request", &found.id.to_string()]);
        found.event(&self.instance, name, page)
    }
}

#[async_trait]
impl Forge for Pagure {
    async fn proposal(&self, subject: &Subject) -> Result<PullRequestEvent, Failure> {
        if subject.kind != SubjectKind::PullRequest {
            let words = format!("`{subject}` is no pull request on Pagure");
            return Err(Failure::give_up(anyhow::anyhow!(words)));
        }
        let what = format!("cannot read `{}#{}`", subject.project, subject.number);
        let project = Project::parse(&subject.project)?;
        let number = subject.number.to_string();
        let place: (&[&str], &[(&str, &str)]) =
            (&["pull-request", &number], &[("comments", "false")]);
        let found: PullRequest = self.client.read(&project, place, &what).await?.json(&what)?;
        Ok(self.event(&subject.project, &project, found))
    }

    /// On Pagure the name is the lasting id.
    async fn person(&self, project: &str, account: &Account) -> Result<Person, Failure> {
        let what = "cannot ask whom the project lets do what";
        let project = Project::parse(project)?;
        let us = match self.client.token_for(&project) {
            Ok(token) => self.client.owner(token).await?,
            Err(_) => None,
        };
        let mut person = Person { is_own: us == Some(account.name.as_str()), ..Person::default() };
        let answer = self.client.project(&project).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(person);
        }
        if !answer.status.is_success() {
            return Err(self.client.refused(&answer, what));
        }
        let access: Access = answer.json(what)?;
        person.standing = self.standing(&access, &account.name).await?;
        Ok(person)
    }

    async fn open_proposals(&self, project: &str) -> Result<Vec<PullRequestEvent>, Failure> {
        let what = "cannot read the open pull requests";
        let place = Project::parse(project)?;
        let mut proposals = Vec::new();
        for page in 1..=PAGES_MAX {
            let number = page.to_string();
            let query = [("status", "Open"), ("per_page", PAGE_SIZE), ("page", &number)];
            let list: (&[&str], &[(&str, &str)]) = (&["pull-requests"], &query);
            let listed: Listed = self.client.read(&place, list, what).await?.json(what)?;
            let events = listed.requests.into_iter();
            proposals.extend(events.map(|found| self.event(project, &place, found)));
            let pages = listed.pagination.map_or(1, |pagination| pagination.pages);
            if page >= pages {
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
