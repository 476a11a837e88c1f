//! What the stand-in knows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::Value;

use super::Role;
use crate::clock::Clock;

/// All that the stand-in knows.
pub(super) struct Memory {
    pub(super) clock: Clock,
    /// The address, without a slash at the end.
    pub(super) base: String,
    /// Numbers by name.
    people: BTreeMap<String, u64>,
    pub(super) repos: BTreeMap<String, Repository>,
    /// Names that repositories had, and the names they have.
    pub(super) moved: BTreeMap<String, String>,
    /// Where all calls are sent to.
    pub(super) gone_to: Option<String>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) app: Option<App>,
    /// The tokens of installations, and when they end.
    pub(super) given: BTreeMap<String, (u64, Timestamp)>,
    last_id: u64,
}

/// A token of somebody.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) user: String,
    /// What a classic one may do.
    pub(super) scopes: Option<Vec<String>>,
}

/// The App.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) id: u64,
    pub(super) slug: String,
    pub(super) permissions: BTreeMap<String, String>,
    /// Installations by the repository they are for.
    pub(super) installations: BTreeMap<String, u64>,
}

/// A repository.
#[derive(Debug, Default)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) is_private: bool,
    pub(super) is_archived: bool,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) commits: BTreeSet<String>,
    pub(super) branches: BTreeMap<String, String>,
    pub(super) pulls: BTreeMap<u64, Pull>,
    pub(super) statuses: Vec<Status>,
    pub(super) checks: Vec<CheckRun>,
    pub(super) comments: Vec<Comment>,
}

/// A pull request.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) author: String,
    pub(super) title: String,
    pub(super) branch: String,
    /// Whose repository the branch is in.
    pub(super) from: String,
    pub(super) target: String,
    pub(super) head: String,
    pub(super) base: String,
    pub(super) is_open: bool,
    pub(super) is_draft: bool,
    pub(super) merged_at: Option<String>,
    pub(super) created: String,
    pub(super) updated: String,
}

/// A status of a commit, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub id: u64,
    /// The commit.
    pub commit: String,
    /// Its name.
    pub context: String,
    /// One of `error`, `failure`, `pending`, `success`.
    pub state: String,
    /// The words.
    pub description: Option<String>,
    /// Where it leads.
    pub target_url: Option<String>,
    /// Who made it.
    pub creator: String,
}

/// A check run on a commit, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// Its number.
    pub id: u64,
    /// The commit.
    pub commit: String,
    /// Its name.
    pub name: String,
    /// The id that its App chose.
    pub external_id: String,
    /// One of `queued`, `in_progress`, `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// The first words.
    pub title: String,
    /// The other words.
    pub summary: String,
    /// Where it leads.
    pub details_url: Option<String>,
    /// The App that made it.
    pub app: String,
}

/// A comment on a pull request, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// The pull request.
    pub number: u64,
    /// Who wrote it.
    pub user: String,
    /// Its words.
    pub text: String,
    /// When it was written.
    pub created: String,
    /// When it was last changed.
    pub updated: String,
}

/// The number of the first who is mentioned.
const FIRST_ID: u64 = 4_100;

impl Memory {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            base: String::new(),
            people: BTreeMap::new(),
            repos: BTreeMap::new(),
            moved: BTreeMap::new(),
            gone_to: None,
            tokens: BTreeMap::new(),
            app: None,
            given: BTreeMap::new(),
            last_id: FIRST_ID,
        }
    }

    /// The present second, as GitHub writes it.
    pub(super) fn now(&self) -> String {
        let second = self.clock.now().as_second();
        Timestamp::from_second(second).unwrap_or_default().to_string()
    }

    /// A number that nothing else has.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Somebody's number; they are there from the first time they are mentioned.
    pub(super) fn person(&mut self, login: &str) -> u64 {
        if let Some(id) = self.people.get(login) {
            return *id;
        }
        let id = self.next_id();
        self.people.insert(login.to_owned(), id);
        id
    }

    /// The number of somebody who has been mentioned.
    pub(super) fn known_person(&self, login: &str) -> Option<u64> {
        self.people.get(login).copied()
    }

    pub(super) fn give_away(&mut self, login: &str) {
        self.people.remove(login);
        self.person(login);
    }

    pub(super) fn add_repo(&mut self, full_name: &str) {
        if self.repos.contains_key(full_name) {
            return;
        }
        let owner = owner_of(full_name).to_owned();
        self.person(&owner);
        let repo = Repository {
            id: self.next_id(),
            roles: BTreeMap::from([(owner, Role::Admin)]),
            ..Repository::default()
        };
        self.repos.insert(full_name.to_owned(), repo);
    }

    pub(super) fn repo_mut(&mut self, full_name: &str) -> anyhow::Result<&mut Repository> {
        let repo = self.repos.get_mut(full_name);
        repo.with_context(|| format!("there is no repository `{full_name}`"))
    }

    pub(super) fn rename(&mut self, full_name: &str, to: &str) -> anyhow::Result<()> {
        let repo = self.repos.remove(full_name);
        let repo = repo.with_context(|| format!("there is no repository `{full_name}`"))?;
        self.repos.insert(to.to_owned(), repo);
        self.moved.remove(to);
        self.moved.insert(full_name.to_owned(), to.to_owned());
        if let Some(app) = &mut self.app
            && let Some(installation) = app.installations.remove(full_name)
        {
            app.installations.insert(to.to_owned(), installation);
        }
        Ok(())
    }

    pub(super) fn set_permission(
        &mut self,
        repo: &str,
        user: &str,
        role: Role,
    ) -> anyhow::Result<()> {
        self.person(user);
        self.repo_mut(repo)?.roles.insert(user.to_owned(), role);
        Ok(())
    }

    pub(super) fn role(&self, repo: &str, user: &str) -> Option<Role> {
        let repo = self.repos.get(repo)?;
        let everybody = (!repo.is_private).then_some(Role::Read);
        repo.roles.get(user).copied().or(everybody)
    }

    pub(super) fn add_token(&mut self, token: &str, user: &str, scopes: Option<&[&str]>) {
        self.person(user);
        let scopes = scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self.tokens.insert(token.to_owned(), Token { user: user.to_owned(), scopes });
    }

    pub(super) fn add_app(&mut self, slug: &str, permissions: &[(&str, &str)]) -> u64 {
        let id = self.next_id();
        self.person(&format!("{slug}[bot]"));
        let permission = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
        self.app = Some(App {
            id,
            slug: slug.to_owned(),
            permissions: permissions.iter().map(permission).collect(),
            installations: BTreeMap::new(),
        });
        id
    }

    pub(super) fn install(&mut self, repo: &str) -> anyhow::Result<u64> {
        self.repo_mut(repo)?;
        let id = self.next_id();
        let app = self.app.as_mut().context("there is no App")?;
        app.installations.insert(repo.to_owned(), id);
        Ok(id)
    }

    pub(super) fn newest_statuses(&self, repo: &str, commit: &str) -> Vec<Status> {
        let mut newest: Vec<Status> = Vec::new();
        let statuses = self.repos.get(repo).into_iter().flat_map(|repo| &repo.statuses);
        for status in statuses.filter(|status| status.commit == commit) {
            newest.retain(|older| older.context != status.context);
            newest.push(status.clone());
        }
        newest
    }

    pub(super) fn check_runs(&self, repo: &str, commit: &str) -> Vec<CheckRun> {
        let checks = self.repos.get(repo).into_iter().flat_map(|repo| &repo.checks);
        checks.filter(|check| check.commit == commit).cloned().collect()
    }

    pub(super) fn comments(&self, repo: &str, number: u64) -> Vec<Comment> {
        let comments = self.repos.get(repo).into_iter().flat_map(|repo| &repo.comments);
        comments.filter(|comment| comment.number == number).cloned().collect()
    }
}

/// The part of a full name before the slash.
pub(super) fn owner_of(full_name: &str) -> &str {
    full_name.split('/').next().unwrap_or(full_name)
}

/// The text under `key`; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
