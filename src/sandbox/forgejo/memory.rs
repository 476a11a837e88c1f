//! What the stand-in remembers, and what happens to it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::webhook::Post;
use super::{Comment, NewPullRequest, Status};
use crate::clock::Clock;

/// What a title of a draft begins with.
const WIP: &str = "WIP: ";
/// What stands for no commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// Everything that is known.
pub(super) struct Memory {
    /// The address that all others begin with.
    pub(super) base: String,
    clock: Clock,
    /// The names of users by their numbers.
    pub(super) users: BTreeMap<i64, String>,
    pub(super) projects: BTreeMap<String, Project>,
    /// The numbers of users by token.
    pub(super) tokens: BTreeMap<String, i64>,
    users_made: i64,
    comments_made: u64,
}

/// A project.
pub(super) struct Project {
    pub(super) id: usize,
    pub(super) full_name: String,
    pub(super) owner: i64,
    pub(super) updated: String,
    /// Who collaborates, and with which right.
    pub(super) collaborators: BTreeMap<i64, String>,
    pub(super) requests: BTreeMap<u64, PullRequest>,
    /// Statuses by commit, oldest first.
    pub(super) statuses: BTreeMap<String, Vec<Status>>,
}

/// Whether a pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Closed,
    Merged,
}

/// What a title is to become.
#[derive(Clone, Copy)]
pub(super) enum Title {
    Ready,
    Draft,
}

/// A pull request.
pub(super) struct PullRequest {
    pub(super) number: u64,
    pub(super) author: i64,
    pub(super) title: String,
    pub(super) branch: String,
    pub(super) target: String,
    pub(super) head: String,
    pub(super) state: State,
    pub(super) created: String,
    pub(super) updated: String,
    pub(super) comments: Vec<Comment>,
}

impl PullRequest {
    pub(super) fn is_draft(&self) -> bool {
        let title = self.title.to_lowercase();
        title.starts_with("wip:") || title.starts_with("[wip]")
    }
}

impl Memory {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            base: String::new(),
            clock,
            users: BTreeMap::new(),
            projects: BTreeMap::new(),
            tokens: BTreeMap::new(),
            users_made: 0,
            comments_made: 0,
        }
    }

    /// The time as Forgejo writes it: without fractions.
    pub(super) fn now(&self) -> String {
        let now = self.clock.now();
        let seconds = jiff::Timestamp::from_second(now.as_second());
        seconds.unwrap_or(now).to_string()
    }

    pub(super) fn ensure_user(&mut self, name: &str) -> i64 {
        if let Some(id) = self.user_called(name) {
            return id;
        }
        self.users_made += 1;
        self.users.insert(self.users_made, name.to_owned());
        self.users_made
    }

    /// Names are the same in whatever case.
    pub(super) fn user_called(&self, name: &str) -> Option<i64> {
        let mut users = self.users.iter();
        users.find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(id, _)| *id)
    }

    pub(super) fn rename_user(&mut self, old: &str, new: &str) -> anyhow::Result<()> {
        let id = self.user_called(old).with_context(|| format!("there is no `{old}`"))?;
        if self.user_called(new).is_some() {
            bail!("there is a `{new}` already");
        }
        self.users.insert(id, new.to_owned());
        Ok(())
    }

    pub(super) fn add_token(&mut self, token: &str, user: &str) {
        let user = self.ensure_user(user);
        self.tokens.insert(token.to_owned(), user);
    }

    pub(super) fn add_project(&mut self, full_name: &str) -> anyhow::Result<()> {
        let (owner, _) = full_name.split_once('/').context("a project is `owner/name`")?;
        let owner = self.ensure_user(owner);
        let (id, updated) = (self.projects.len() + 1, self.now());
        self.projects.entry(full_name.to_owned()).or_insert_with(|| Project {
            id,
            full_name: full_name.to_owned(),
            owner,
            updated,
            collaborators: BTreeMap::new(),
            requests: BTreeMap::new(),
            statuses: BTreeMap::new(),
        });
        Ok(())
    }

    pub(super) fn project_mut(&mut self, full_name: &str) -> anyhow::Result<&mut Project> {
        let project = self.projects.get_mut(full_name);
        project.with_context(|| format!("there is no project `{full_name}`"))
    }

    fn request_mut(&mut self, project: &str, number: u64) -> anyhow::Result<&mut PullRequest> {
        let request = self.project_mut(project)?.requests.get_mut(&number);
        request.with_context(|| format!("there is no pull request {project}#{number}"))
    }

    pub(super) fn set_permission(
        &mut self,
        project: &str,
        user: &str,
        permission: &str,
    ) -> anyhow::Result<()> {
        let user = self.ensure_user(user);
        let collaborators = &mut self.project_mut(project)?.collaborators;
        match permission {
            "none" => {
                collaborators.remove(&user);
            }
            "read" | "write" | "admin" => {
                collaborators.insert(user, permission.to_owned());
            }
            _ => bail!("`{permission}` is no right"),
        }
        Ok(())
    }

    /// What somebody may do: everybody reads what is public.
    pub(super) fn permission(project: &Project, user: i64) -> &str {
        if project.owner == user {
            return "owner";
        }
        project.collaborators.get(&user).map_or("read", String::as_str)
    }

    /// Who may write to a project.
    pub(super) fn writers(project: &Project) -> BTreeSet<i64> {
        let collaborators = project.collaborators.iter();
        let writing =
            collaborators.filter(|(_, right)| matches!(right.as_str(), "write" | "admin"));
        writing.map(|(user, _)| *user).chain([project.owner]).collect()
    }

    pub(super) fn open(&mut self, new: &NewPullRequest) -> anyhow::Result<(u64, Vec<Post>)> {
        let (now, author) = (self.now(), self.ensure_user(&new.author));
        let requests = &mut self.project_mut(&new.project)?.requests;
        let number = requests.keys().next_back().copied().unwrap_or(0) + 1;
        requests.insert(
            number,
            PullRequest {
                number,
                author,
                title: new.title.clone(),
                branch: new.branch.clone(),
                target: new.target.clone(),
                head: new.head.clone(),
                state: State::Open,
                created: now.clone(),
                updated: now,
                comments: Vec::new(),
            },
        );
        Ok((number, self.told((&new.project, number), "opened", author, None)))
    }

    pub(super) fn push(
        &mut self,
        project: &str,
        number: u64,
        head: &str,
    ) -> anyhow::Result<Vec<Post>> {
        let now = self.now();
        let request = self.request_mut(project, number)?;
        head.clone_into(&mut request.head);
        request.updated = now;
        let author = request.author;
        Ok(self.told((project, number), "synchronized", author, None))
    }

    pub(super) fn push_to(
        &mut self,
        project: &str,
        (branch, user): (&str, &str),
        (before, after): (Option<&str>, &str),
    ) -> anyhow::Result<Vec<Post>> {
        let (now, user) = (self.now(), self.ensure_user(user));
        self.project_mut(project)?.updated = now;
        let is_ref = branch.starts_with("refs/");
        let name = if is_ref { branch.to_owned() } else { format!("refs/heads/{branch}") };
        let body = self.push_json(project, &name, user, (before.unwrap_or(NOTHING), after));
        Ok(vec![Post { event: "push", finer: "push", body }])
    }

    pub(super) fn change_state(
        &mut self,
        project: &str,
        number: u64,
        user: &str,
        state: State,
    ) -> anyhow::Result<Vec<Post>> {
        let (now, user) = (self.now(), self.ensure_user(user));
        let request = self.request_mut(project, number)?;
        request.state = state;
        request.updated = now;
        let action = if state == State::Open { "reopened" } else { "closed" };
        Ok(self.told((project, number), action, user, None))
    }

    pub(super) fn retitle(
        &mut self,
        project: &str,
        number: u64,
        title: Title,
    ) -> anyhow::Result<Vec<Post>> {
        let now = self.now();
        let request = self.request_mut(project, number)?;
        let old = request.title.clone();
        request.title = match title {
            Title::Ready => old.trim_start_matches(WIP).to_owned(),
            Title::Draft => format!("{WIP}{old}"),
        };
        request.updated = now;
        let author = request.author;
        let changes = json!({ "title": { "from": old } });
        Ok(self.told((project, number), "edited", author, Some(changes)))
    }

    pub(super) fn comment(
        &mut self,
        project: &str,
        number: u64,
        (user, text): (i64, &str),
    ) -> anyhow::Result<(u64, Vec<Post>)> {
        let now = self.now();
        self.comments_made += 1;
        let id = self.comments_made;
        let comment =
            Comment { id, text: text.to_owned(), user, created: now.clone(), updated: now.clone() };
        let request = self.request_mut(project, number)?;
        request.comments.push(comment.clone());
        request.updated = now;
        Ok((id, self.comment_told((project, number), "created", (&comment, user), None)))
    }

    pub(super) fn edit_comment(
        &mut self,
        project: &str,
        id: u64,
        (user, text): (i64, &str),
    ) -> anyhow::Result<Vec<Post>> {
        let now = self.now();
        let requests = self.project_mut(project)?.requests.values_mut();
        for request in requests {
            let Some(comment) = request.comments.iter_mut().find(|comment| comment.id == id) else {
                continue;
            };
            let before = std::mem::replace(&mut comment.text, text.to_owned());
            comment.updated = now;
            let (number, comment) = (request.number, comment.clone());
            let changes = json!({ "body": { "from": before } });
            let about = (&comment, user);
            return Ok(self.comment_told((project, number), "edited", about, Some(changes)));
        }
        bail!("there is no comment {id} on `{project}`")
    }

    pub(super) fn remove_comment(
        &mut self,
        project: &str,
        id: u64,
        user: i64,
    ) -> anyhow::Result<Vec<Post>> {
        let requests = self.project_mut(project)?.requests.values_mut();
        for request in requests {
            if let Some(place) = request.comments.iter().position(|comment| comment.id == id) {
                let comment = request.comments.remove(place);
                let place = (project, request.number);
                return Ok(self.comment_told(place, "deleted", (&comment, user), None));
            }
        }
        bail!("there is no comment {id} on `{project}`")
    }

    fn told(
        &self,
        (project, number): (&str, u64),
        action: &'static str,
        user: i64,
        changes: Option<Value>,
    ) -> Vec<Post> {
        let finer = if action == "synchronized" { "pull_request_sync" } else { "pull_request" };
        let body = self.request_event((project, number), action, user, changes);
        vec![Post { event: "pull_request", finer, body }]
    }

    fn comment_told(
        &self,
        place: (&str, u64),
        action: &'static str,
        about: (&Comment, i64),
        changes: Option<Value>,
    ) -> Vec<Post> {
        let body = self.comment_event(place, action, about, changes);
        vec![Post { event: "issue_comment", finer: "pull_request_comment", body }]
    }

    pub(super) fn statuses(&self, project: &str, commit: &str) -> Vec<Status> {
        let all = self.projects.get(project).and_then(|project| project.statuses.get(commit));
        let mut newest: BTreeMap<&str, &Status> = BTreeMap::new();
        for status in all.into_iter().flatten() {
            newest.insert(&status.context, status);
        }
        newest.into_values().cloned().collect()
    }

    pub(super) fn comments(&self, project: &str, number: u64) -> Vec<Comment> {
        let project = self.projects.get(project);
        let request = project.and_then(|project| project.requests.get(&number));
        request.map(|request| request.comments.clone()).unwrap_or_default()
    }
}
