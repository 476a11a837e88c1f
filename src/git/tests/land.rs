//! An upstream, a place that branches are pushed to, and series of mails for it.

use std::path::{Path, PathBuf};

use super::world::{Mail, World, at};
use crate::action::ApplyOrder;
use crate::clock::{Clock, Hand, from_millis};
use crate::event::EventKind;
use crate::event::series::{Branch, Hints, Refusal, Series, SeriesEvent};
use crate::git::call::Call;
use crate::git::repository::Repository;
use crate::git::settings::GitSettings;
use crate::git::{Dependency, Outcome, Tree, Work};
use crate::subject::{CommitSha, ConnectionName, RunId};

/// Everything that there is.
pub(crate) struct Land {
    pub(crate) world: World,
    pub(crate) hand: Hand,
}

/// When the upstream's commits are made, in milliseconds.
const UPSTREAM_AT: i64 = 1_700_000_000_000;
/// A day, in milliseconds.
pub(crate) const DAY: i64 = 24 * 60 * 60 * 1000;

impl Land {
    /// An upstream with nothing in it, a day after its commits.
    pub(crate) async fn new() -> Self {
        let world = World::empty().await;
        let land = Self { world, hand: Hand::at(from_millis(UPSTREAM_AT + DAY)) };
        land.make("push.git").await;
        land
    }

    /// Makes an empty bare repository.
    pub(crate) async fn make(&self, name: &str) {
        let init = ["init", "--quiet", "--bare", "--initial-branch=none"];
        self.world.git.succeed(at(&self.folder(name), &init)).await.unwrap();
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.world.folder.path().join(name)
    }

    pub(crate) fn days(&self, days: i64) {
        self.hand.forward_to(from_millis(UPSTREAM_AT + days * DAY));
    }

    pub(crate) fn settings(&self, folder: &str, rest: &str) -> GitSettings {
        let text = format!(
            "upstream = '{}'\npush = '{}'\ndir = '{}'\nurl = 'https://git.example/s.git'\n{rest}",
            self.world.upstream().display(),
            self.folder("push.git").display(),
            self.folder(folder).display()
        );
        toml_edit::de::from_str(&text).unwrap()
    }

    /// A repository as the next life of the service opens it.
    pub(crate) fn repository(&self, rest: &str) -> Repository {
        self.repository_in("tree", rest)
    }

    pub(crate) fn repository_in(&self, folder: &str, rest: &str) -> Repository {
        let clock = Clock::manual(self.hand.clone());
        Repository::new("linux", &self.settings(folder, rest), None, clock).unwrap()
    }

    /// What the place that is pushed to asks about each push.
    pub(crate) fn hook(&self, script: &str) {
        Self::script(&self.folder("push.git/hooks/pre-receive"), script);
    }

    pub(crate) fn script(path: &Path, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Runs git in one of the other repositories.
    pub(crate) async fn git(&self, repository: &str, args: &[&str]) -> String {
        self.world.git.succeed(at(&self.folder(repository), args)).await.unwrap().text()
    }

    /// The branches that are pushed, with their commits.
    pub(crate) async fn pushed(&self) -> Vec<(String, String)> {
        let list = ["for-each-ref", "--format=%(refname:lstrip=2) %(objectname)"];
        let text = self.git("push.git", &list).await;
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, sha)| (name.to_owned(), sha.to_owned()))
            .collect()
    }

    /// What makes `before` of a file into `after`, as git tells it.
    pub(crate) async fn diff(&self, path: &str, before: &str, after: &str) -> String {
        let upstream = self.world.upstream();
        let mut ids = Vec::new();
        for content in [before, after] {
            let write = at(&upstream, &["hash-object", "-w", "--stdin"]).stdin(content);
            ids.push(self.world.git.succeed(write).await.unwrap().text());
        }
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let diff = at(&upstream, &[&["diff"], names.as_slice()].concat());
        let text = self.world.git.succeed(diff).await.unwrap().text() + "\n";
        let text =
            text.replace(&format!("a/{} b/{}", ids[0], ids[1]), &format!("a/{path} b/{path}"));
        let text = text.replace(&format!("--- a/{}", ids[0]), &format!("--- a/{path}"));
        text.replace(&format!("+++ b/{}", ids[1]), &format!("+++ b/{path}"))
    }

    /// A mail with that.
    pub(crate) async fn mail(&self, title: &str, path: &str, [old, new]: [&str; 2]) -> Vec<u8> {
        Mail::new(title, &self.diff(path, old, new).await).raw()
    }
}

/// A series that nobody has seen yet.
pub(crate) fn order(id: &str) -> ApplyOrder {
    let series = Series { id: id.to_owned(), version: 1, ..Series::default() };
    let series = SeriesEvent {
        event: EventKind::SeriesPosted,
        instance: "lists.example".to_owned(),
        project: "linux".to_owned(),
        series,
        request: None,
        test: None,
        at: None,
    };
    ApplyOrder {
        run: RunId::of(&series.subject(), "v1", "rule", 1),
        series,
        origin: ConnectionName::try_from("source.main".to_owned()).unwrap(),
        respin: 0,
        last_base: None,
        is_approved: false,
    }
}

/// What its author says about where it belongs.
pub(crate) fn hinting(id: &str, hints: Hints) -> ApplyOrder {
    let mut order = order(id);
    order.series.series.hints = hints;
    order
}

pub(crate) fn work<'a>(order: &'a ApplyOrder, letters: &[Vec<u8>]) -> Work<'a> {
    Work { order, letters: letters.to_vec(), dependencies: Vec::new() }
}

pub(crate) fn dependency(branch: &Branch, letters: &[Vec<u8>]) -> Dependency {
    let msgid = format!("{}@lists.example", branch.name.replace('/', "-"));
    Dependency { msgid, branch: branch.clone(), letters: letters.to_vec() }
}

pub(crate) async fn applied(repository: &Repository, work: &Work<'_>) -> Branch {
    match repository.apply(work).await.unwrap() {
        Outcome::Applied(branch) => branch,
        other @ (Outcome::Conflict(_) | Outcome::Held(_) | Outcome::Refused(_)) => {
            panic!("{other:?}")
        }
    }
}

pub(crate) async fn conflict(repository: &Repository, work: &Work<'_>) -> Refusal {
    match repository.apply(work).await.unwrap() {
        Outcome::Conflict(refusal) => refusal,
        other @ (Outcome::Applied(_) | Outcome::Held(_) | Outcome::Refused(_)) => {
            panic!("{other:?}")
        }
    }
}

/// Which base was taken, why, and which others were tried before.
pub(crate) fn choice(branch: &Branch) -> String {
    let mut lines = vec![format!("{}: {}", branch.base.branch, branch.base.why)];
    let tried = branch.tried.iter();
    lines.extend(tried.map(|tried| format!("not {}: {}", tried.branch, tried.why_not)));
    lines.join("\n")
}

/// A call that looks into our own repository.
pub(crate) async fn says(repository: &Repository, args: &[&str]) -> String {
    repository.git.succeed(Call::new(args)).await.unwrap().text()
}

/// The commit of this text.
pub(crate) fn sha(text: &str) -> CommitSha {
    CommitSha::try_from(text.to_owned()).unwrap()
}
