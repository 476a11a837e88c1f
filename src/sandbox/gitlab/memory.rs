//! What the stand-in remembers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::Context as _;
use jiff::Timestamp;

use super::ci::{CiSettings, Pipeline};
use super::{Hooked, NewMergeRequest, Note, Options, Status, WebHook};

/// How many posts that calls have caused wait to be sent.
const ECHOES_MAX: usize = 1_024;

/// Everything that is known.
pub(super) struct Memory {
    /// The address that all others begin with.
    pub(super) base: String,
    pub(super) options: Options,
    pub(super) users: BTreeMap<u64, User>,
    pub(super) tokens: BTreeMap<String, u64>,
    pub(super) projects: BTreeMap<u64, Project>,
    /// What calls to the API have caused, and is not sent yet.
    pub(super) echoes: VecDeque<Hooked>,
    made: u64,
}

/// Somebody.
pub(super) struct User {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) is_bot: bool,
    pub(super) is_blocked: bool,
}

/// A project, or a fork.
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) path: String,
    /// What it was called before, which it is found by, too.
    pub(super) was: Option<String>,
    pub(super) is_private: bool,
    pub(super) members: BTreeMap<u64, Member>,
    pub(super) branches: BTreeMap<String, String>,
    /// The commits that its repository has, also those that only a merge request brought.
    pub(super) commits: BTreeSet<String>,
    pub(super) requests: BTreeMap<u64, MergeRequest>,
    pub(super) tags: BTreeMap<String, String>,
    /// Who starts pipelines with which trigger token.
    pub(super) triggers: BTreeMap<String, u64>,
    pub(super) ci: CiSettings,
    /// The branch that is pushed to just before a pipeline begins, and its new commit.
    pub(super) moves_at_start: Option<(String, String)>,
    /// Those of GitLab's own, and for each commit and branch with statuses alone one of those.
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) statuses: Vec<Status>,
}

/// A member of a project.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) access_level: u8,
    /// The day on which it ends, as GitLab writes it.
    pub(super) expires_at: Option<String>,
    pub(super) is_active: bool,
}

/// A merge request.
pub(super) struct MergeRequest {
    pub(super) id: u64,
    pub(super) iid: u64,
    pub(super) title: String,
    pub(super) author: u64,
    /// The project that it comes from, unless that is gone.
    pub(super) source: Option<u64>,
    pub(super) source_branch: String,
    pub(super) target: String,
    pub(super) head: String,
    pub(super) state: State,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) notes: Vec<Note>,
    pub(super) is_hidden: bool,
}

/// What a merge request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Opened,
    Closed,
    Merged,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Merged => "merged",
        }
    }
}

impl MergeRequest {
    pub(super) fn is_draft(&self) -> bool {
        let title = self.title.to_lowercase();
        ["draft:", "[draft]", "(draft)"].iter().any(|mark| title.starts_with(mark))
    }
}

impl Memory {
    pub(super) fn new(options: Options) -> Self {
        Self {
            base: String::new(),
            options,
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            projects: BTreeMap::new(),
            echoes: VecDeque::new(),
            made: 40,
        }
    }

    pub(super) fn hook(&self) -> Option<WebHook> {
        self.options.hook.clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// A number that nothing else has.
    pub(super) fn next_id(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// The user of this name, made if there is none.
    pub(super) fn user(&mut self, name: &str) -> u64 {
        if let Some(user) = self.users.values().find(|user| user.name == name) {
            return user.id;
        }
        let id = self.next_id();
        let user = User { id, name: name.to_owned(), is_bot: false, is_blocked: false };
        self.users.insert(id, user);
        id
    }

    /// The project of this path, made if there is none; its owner is the user of its first part.
    pub(super) fn ensure_project(&mut self, path: &str) -> u64 {
        if let Some(project) = self.projects.values().find(|project| project.path == path) {
            return project.id;
        }
        let id = self.next_id();
        let project = Project {
            id,
            path: path.to_owned(),
            was: None,
            is_private: false,
            members: BTreeMap::new(),
            branches: BTreeMap::new(),
            commits: BTreeSet::new(),
            requests: BTreeMap::new(),
            tags: BTreeMap::new(),
            triggers: BTreeMap::new(),
            ci: CiSettings::default(),
            moves_at_start: None,
            pipelines: Vec::new(),
            statuses: Vec::new(),
        };
        self.projects.insert(id, project);
        id
    }

    /// The project of this path or number, or which had this path.
    pub(super) fn project(&self, name: &str) -> Option<&Project> {
        let is_meant = |project: &&Project| project.path == name || project.id.to_string() == name;
        let found = self.projects.values().find(is_meant);
        let was = |project: &&Project| project.was.as_deref() == Some(name);
        found.or_else(|| self.projects.values().find(was))
    }

    pub(super) fn project_mut(&mut self, name: &str) -> anyhow::Result<&mut Project> {
        let is_meant =
            |project: &&mut Project| project.path == name || project.id.to_string() == name;
        self.projects.values_mut().find(is_meant).with_context(|| format!("no project `{name}`"))
    }

    pub(super) fn request(
        &self,
        project: &str,
        iid: u64,
    ) -> anyhow::Result<(&Project, &MergeRequest)> {
        let project = self.project(project).context("no such project")?;
        let request = project.requests.get(&iid);
        Ok((project, request.with_context(|| format!("no `{}!{iid}`", project.path))?))
    }

    pub(super) fn request_mut(
        &mut self,
        project: &str,
        iid: u64,
    ) -> anyhow::Result<&mut MergeRequest> {
        let project = self.project_mut(project)?;
        let path = project.path.clone();
        project.requests.get_mut(&iid).with_context(|| format!("no `{path}!{iid}`"))
    }

    /// Makes a merge request; its number.
    pub(super) fn add_request(&mut self, new: &NewMergeRequest) -> anyhow::Result<u64> {
        let author = self.user(&new.author);
        let target = self.project(&new.project).context("no such project")?.id;
        let source = match &new.fork {
            Some(fork) => self.ensure_project(fork),
            None => target,
        };
        let now = self.now();
        let id = self.next_id();
        for project in [source, target] {
            let project = self.project_mut(&project.to_string())?;
            project.commits.insert(new.head.clone());
        }
        let branches = &mut self.project_mut(&source.to_string())?.branches;
        branches.insert(new.source_branch.clone(), new.head.clone());
        let requests = &mut self.project_mut(&target.to_string())?.requests;
        let iid = requests.len() as u64 + 1;
        let request = MergeRequest {
            id,
            iid,
            title: new.title.clone(),
            author,
            source: Some(source),
            source_branch: new.source_branch.clone(),
            target: new.target.clone(),
            head: new.head.clone(),
            state: State::Opened,
            created: now,
            updated: now,
            notes: Vec::new(),
            is_hidden: false,
        };
        requests.insert(iid, request);
        Ok(iid)
    }

    /// Gives the merge request another head, in both repositories; what it was before.
    pub(super) fn move_head(
        &mut self,
        project: &str,
        iid: u64,
        head: &str,
    ) -> anyhow::Result<String> {
        let request = self.request_mut(project, iid)?;
        let before = std::mem::replace(&mut request.head, head.to_owned());
        let (source, branch) = (request.source, request.source_branch.clone());
        self.project_mut(project)?.commits.insert(head.to_owned());
        if let Some(source) = source {
            let source = self.project_mut(&source.to_string())?;
            source.commits.insert(head.to_owned());
            source.branches.insert(branch, head.to_owned());
        }
        Ok(before)
    }

    /// Writes a comment; its number.
    pub(super) fn write(
        &mut self,
        (project, iid): (&str, u64),
        author: u64,
        text: &str,
    ) -> anyhow::Result<u64> {
        let (id, now) = (self.next_id(), self.now());
        let author_name = self.users.get(&author).map(|user| user.name.clone()).unwrap_or_default();
        let note = Note {
            id,
            text: text.to_owned(),
            author: author_name,
            author_id: author,
            is_system: false,
            created: now,
            updated: now,
        };
        self.request_mut(project, iid)?.notes.push(note);
        Ok(id)
    }

    /// Keeps a post for whoever wants it sent.
    pub(super) fn echo(&mut self, event: &str, body: serde_json::Value) {
        if self.echoes.len() >= ECHOES_MAX {
            self.echoes.pop_front();
        }
        self.echoes.push_back(Hooked { event: event.to_owned(), body, status: None });
    }
}
