//! What the stand-in remembers, and what happens to it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Announcement, Comment, Flag, Generation, NewPullRequest, Options, Push};

/// Everything that is known.
pub(super) struct Memory {
    /// The address that all others begin with.
    pub(super) base: String,
    pub(super) options: Options,
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) groups: BTreeMap<String, BTreeSet<String>>,
    comments_made: u64,
    projects_made: u64,
}

/// A project, or a fork.
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) fullname: String,
    pub(super) owner: String,
    pub(super) parent: Option<String>,
    pub(super) created: String,
    /// Users by the right they have.
    pub(super) rights: BTreeMap<String, BTreeSet<String>>,
    /// Groups by the right they have.
    pub(super) group_rights: BTreeMap<String, BTreeSet<String>>,
    pub(super) blocked: BTreeSet<String>,
    pub(super) requests: BTreeMap<u64, PullRequest>,
    pub(super) flags: Vec<Flag>,
}

/// A token.
pub(super) struct Token {
    pub(super) user: String,
    /// The only project it is good for.
    pub(super) project: Option<String>,
    pub(super) acls: BTreeSet<String>,
    pub(super) is_expired: bool,
}

/// What a pull request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Open,
    Closed,
    Merged,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Closed => "Closed",
            Self::Merged => "Merged",
        }
    }
}

/// A pull request.
pub(super) struct PullRequest {
    pub(super) id: u64,
    pub(super) new: NewPullRequest,
    pub(super) fork: String,
    pub(super) status: Status,
    pub(super) commit_start: String,
    pub(super) commit_stop: String,
    /// Who closed it last; Pagure keeps that when it is open again.
    pub(super) closed: Option<(String, String)>,
    pub(super) created: String,
    pub(super) updated: String,
    pub(super) comments: Vec<Comment>,
    pub(super) is_hidden: bool,
}

impl Memory {
    pub(super) fn new(options: Options) -> Self {
        Self {
            base: String::new(),
            options,
            projects: BTreeMap::new(),
            tokens: BTreeMap::new(),
            groups: BTreeMap::new(),
            comments_made: 0,
            projects_made: 0,
        }
    }

    /// The time as Pagure writes it.
    pub(super) fn now(&self) -> String {
        self.options.clock.now().as_second().to_string()
    }

    pub(super) fn announce(&self, event: &str, body: Value) -> Announcement {
        (format!("{}{event}", self.options.topic_prefix), body)
    }

    pub(super) fn add_project(&mut self, fullname: &str, owner: &str) {
        self.ensure_project(fullname, owner, None);
    }

    fn ensure_project(&mut self, fullname: &str, owner: &str, parent: Option<&str>) {
        if self.projects.contains_key(fullname) {
            return;
        }
        self.projects_made += 1;
        let project = Project {
            id: self.projects_made,
            fullname: fullname.to_owned(),
            owner: owner.to_owned(),
            parent: parent.map(str::to_owned),
            created: self.now(),
            rights: BTreeMap::new(),
            group_rights: BTreeMap::new(),
            blocked: BTreeSet::new(),
            requests: BTreeMap::new(),
            flags: Vec::new(),
        };
        self.projects.insert(fullname.to_owned(), project);
    }

    pub(super) fn project_mut(&mut self, fullname: &str) -> anyhow::Result<&mut Project> {
        let project = self.projects.get_mut(fullname);
        project.with_context(|| format!("there is no project `{fullname}`"))
    }

    pub(super) fn request_mut(
        &mut self,
        project: &str,
        id: u64,
    ) -> anyhow::Result<&mut PullRequest> {
        let request = self.project_mut(project)?.requests.get_mut(&id);
        request.with_context(|| format!("there is no pull request {project}#{id}"))
    }

    pub(super) fn grant(&mut self, project: &str, right: &str, user: &str) -> anyhow::Result<()> {
        let rights = &mut self.project_mut(project)?.rights;
        let users = rights.entry(right.to_owned()).or_default();
        users.insert(user.to_owned());
        Ok(())
    }

    pub(super) fn set_group(&mut self, group: &str, members: &[&str]) {
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.groups.insert(group.to_owned(), members);
    }

    pub(super) fn grant_group(
        &mut self,
        project: &str,
        right: &str,
        group: &str,
    ) -> anyhow::Result<()> {
        let rights = &mut self.project_mut(project)?.group_rights;
        rights.entry(right.to_owned()).or_default().insert(group.to_owned());
        Ok(())
    }

    pub(super) fn block(&mut self, project: &str, user: &str) -> anyhow::Result<()> {
        self.project_mut(project)?.blocked.insert(user.to_owned());
        Ok(())
    }

    pub(super) fn add_token(
        &mut self,
        token: &str,
        user: &str,
        project: Option<&str>,
        acls: &[&str],
    ) {
        let entry = Token {
            user: user.to_owned(),
            project: project.map(str::to_owned),
            acls: acls.iter().map(|acl| (*acl).to_owned()).collect(),
            is_expired: false,
        };
        self.tokens.insert(token.to_owned(), entry);
    }

    pub(super) fn expire_token(&mut self, token: &str) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.is_expired = true;
        }
    }

    pub(super) fn open(
        &mut self,
        new: &NewPullRequest,
    ) -> anyhow::Result<(u64, Vec<Announcement>)> {
        let now = self.now();
        let fork = format!("forks/{}/{}", new.author, new.project);
        self.project_mut(&new.project)?;
        self.ensure_project(&fork, &new.author, Some(&new.project));
        let requests = &mut self.project_mut(&new.project)?.requests;
        let id = requests.keys().next_back().copied().unwrap_or(0) + 1;
        requests.insert(
            id,
            PullRequest {
                id,
                new: new.clone(),
                fork,
                status: Status::Open,
                commit_start: new.head.clone(),
                commit_stop: new.head.clone(),
                closed: None,
                created: now.clone(),
                updated: now,
                comments: Vec::new(),
                is_hidden: false,
            },
        );
        let body = json!({
            "agent": new.author,
            "pullrequest": self.pull_request(&new.project, id, super::shape::Comments::Left),
        });
        Ok((id, vec![self.announce("pull-request.new", body)]))
    }

    pub(super) fn push(
        &mut self,
        project: &str,
        id: u64,
        head: &str,
        push: Push,
    ) -> anyhow::Result<Vec<Announcement>> {
        let now = self.now();
        let generation = self.options.generation;
        let request = self.request_mut(project, id)?;
        head.clone_into(&mut request.commit_stop);
        request.updated = now;
        let pusher = request.new.author.clone();
        let (event, text) = match push {
            Push::Added => {
                let subject = &request.new.title;
                let text = format!("**1 new commit added**\n\n * ``{subject}``");
                ("pull-request.updated", text)
            }
            Push::Rebased => {
                head.clone_into(&mut request.commit_start);
                let text = match generation {
                    Generation::Current => format!("rebased onto {head}"),
                    Generation::Old => "rebased".to_owned(),
                };
                ("pull-request.rebased", text)
            }
        };
        let mut announced = Vec::new();
        if generation == Generation::Current {
            // It is not the pusher who is named here.
            let body = json!({
                "agent": "pagure",
                "pullrequest": self.pull_request(project, id, super::shape::Comments::Left),
            });
            announced.push(self.announce(event, body));
        }
        announced.push(self.note(project, id, &pusher, text)?);
        Ok(announced)
    }

    pub(super) fn comment(
        &mut self,
        project: &str,
        id: u64,
        user: &str,
        text: &str,
    ) -> anyhow::Result<Vec<Announcement>> {
        self.write(project, id, user, (text.to_owned(), false))?;
        Ok(vec![self.comment_added(project, id, user)])
    }

    pub(super) fn end(
        &mut self,
        project: &str,
        id: u64,
        user: &str,
        status: Status,
    ) -> anyhow::Result<Vec<Announcement>> {
        let now = self.now();
        let request = self.request_mut(project, id)?;
        request.status = status;
        request.closed = Some((user.to_owned(), now.clone()));
        request.updated = now;
        let is_merged = status == Status::Merged;
        let how = if is_merged { "merged" } else { "closed" };
        let text = format!("Pull-Request has been {how} by {user}");
        let note = self.note(project, id, user, text)?;
        let body = json!({
            "agent": user,
            "merged": is_merged,
            "pullrequest": self.pull_request(project, id, super::shape::Comments::Told),
        });
        Ok(vec![note, self.announce("pull-request.closed", body)])
    }

    pub(super) fn reopen(
        &mut self,
        project: &str,
        id: u64,
        user: &str,
    ) -> anyhow::Result<Vec<Announcement>> {
        let now = self.now();
        let request = self.request_mut(project, id)?;
        request.status = Status::Open;
        request.updated = now;
        let text = format!("Pull-Request has been reopened by {user}");
        let note = self.note(project, id, user, text)?;
        let body = json!({
            "agent": user,
            "pullrequest": self.pull_request(project, id, super::shape::Comments::Told),
        });
        Ok(vec![note, self.announce("pull-request.reopened", body)])
    }

    /// Writes a comment of Pagure's own, in the name of whoever caused it.
    fn note(
        &mut self,
        project: &str,
        id: u64,
        user: &str,
        text: String,
    ) -> anyhow::Result<Announcement> {
        self.write(project, id, user, (text, true))?;
        Ok(self.comment_added(project, id, user))
    }

    fn write(
        &mut self,
        project: &str,
        id: u64,
        user: &str,
        (text, notification): (String, bool),
    ) -> anyhow::Result<()> {
        let created = self.now();
        self.comments_made += 1;
        let comment =
            Comment { id: self.comments_made, text, user: user.to_owned(), notification, created };
        self.request_mut(project, id)?.comments.push(comment);
        Ok(())
    }

    fn comment_added(&self, project: &str, id: u64, agent: &str) -> Announcement {
        let body = json!({
            "agent": agent,
            "pullrequest": self.pull_request(project, id, super::shape::Comments::Told),
        });
        self.announce("pull-request.comment.added", body)
    }

    pub(super) fn set_hidden(
        &mut self,
        project: &str,
        id: u64,
        is_hidden: bool,
    ) -> anyhow::Result<()> {
        self.request_mut(project, id)?.is_hidden = is_hidden;
        Ok(())
    }

    pub(super) fn flags(&self, project: &str, commit: &str) -> Vec<Flag> {
        let flags = self.projects.get(project).into_iter().flat_map(|p| &p.flags);
        flags.filter(|flag| flag.commit == commit).cloned().collect()
    }

    pub(super) fn comments(&self, project: &str, id: u64) -> Vec<Comment> {
        let project = self.projects.get(project);
        let request = project.and_then(|project| project.requests.get(&id));
        request.map(|r| r.comments.clone()).unwrap_or_default()
    }
}
