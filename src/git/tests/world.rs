//! An upstream of a few files, and our own repository with all that it has.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::git::apply::{Applied, Committer, Fit, How, apply, read};
use crate::git::call::{Call, Protocol};
use crate::git::guard::{Guard, Policy};
use crate::git::process::Git;
use crate::git::stop::Stop;
use crate::subject::CommitSha;

/// What a file is to become: its mode and content, or nothing.
pub(crate) type Change<'a> = (&'a str, Option<(&'a str, &'a [u8])>);

/// An ordinary file of this content.
pub(crate) fn file<'a>(path: &'a str, content: &'a str) -> Change<'a> {
    (path, Some(("100644", content.as_bytes())))
}

/// An upstream, and our own repository.
pub(crate) struct World {
    /// Where everything is.
    pub(crate) folder: TempDir,
    /// Our own repository.
    pub(crate) git: Git,
}

impl World {
    /// An upstream with nothing in it, and our own repository, just as empty.
    pub(crate) async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::open(&folder.path().join("own"), &[Protocol::File]).unwrap();
        let world = Self { folder, git };
        for place in [world.git.repository(), world.upstream()] {
            let init = ["init", "--quiet", "--bare", "--initial-branch=master"];
            world.git.succeed(at(&place, &init)).await.unwrap();
        }
        world
    }

    /// An upstream whose branch `master` has these files, and our own repository with the same.
    pub(crate) async fn with(files: &[Change<'_>]) -> (Self, CommitSha) {
        let world = Self::empty().await;
        let sha = world.commit("master", files).await;
        world.fetch().await;
        (world, sha)
    }

    /// The folder of the upstream, which is an address too.
    pub(crate) fn upstream(&self) -> PathBuf {
        self.folder.path().join("upstream.git")
    }

    /// Puts a commit with these changes on a branch of the upstream.
    pub(crate) async fn commit(&self, branch: &str, changes: &[Change<'_>]) -> CommitSha {
        let upstream = self.upstream();
        let name = format!("refs/heads/{branch}");
        let known = self.git.run(at(&upstream, &["rev-parse", "-q", "--verify", &name])).await;
        let parent = known.unwrap();
        let mut script = format!(
            "commit {name}\ncommitter Upstream <upstream@example.org> 1700000000 +0000\n\
             data 6\nchange\n"
        )
        .into_bytes();
        if parent.is_done() {
            script.extend_from_slice(format!("from {}\n", parent.text()).as_bytes());
        } else if branch != "master" {
            script.extend_from_slice(b"from refs/heads/master\n");
        }
        for (path, change) in changes {
            let Some((mode, content)) = change else {
                script.extend_from_slice(format!("D {path}\n").as_bytes());
                continue;
            };
            let head = format!("M {mode} inline {path}\ndata {}\n", content.len());
            script.extend_from_slice(head.as_bytes());
            script.extend_from_slice(content);
            script.push(b'\n');
        }
        let import = at(&upstream, &["fast-import", "--quiet"]).stdin(script);
        self.git.succeed(import).await.unwrap();
        let sha = self.git.succeed(at(&upstream, &["rev-parse", &name])).await.unwrap();
        CommitSha::try_from(sha.text()).unwrap()
    }

    /// A mail with a patch that makes these changes upon those of the mails before it.  What was
    /// there and is to be there is known to its author only.
    pub(crate) async fn mail(&self, subject: &str, changes: &[Change<'_>]) -> Mail {
        let sha = self.commit("author", changes).await;
        Mail::new(subject, &self.diff(&sha).await)
    }

    /// What a commit of the upstream changes.
    pub(crate) async fn diff(&self, sha: &CommitSha) -> String {
        let args = ["diff-tree", "-p", "--binary", "-M", "--no-commit-id", sha.as_str()];
        let output = self.git.succeed(at(&self.upstream(), &args)).await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Brings all branches of the upstream into our own repository.
    pub(crate) async fn fetch(&self) {
        let fetch =
            Call::new(["fetch", "--quiet"]).arg(self.upstream()).arg("+refs/heads/*:refs/heads/*");
        self.git.succeed(fetch).await.unwrap();
    }

    /// What git says in our own repository.
    pub(crate) async fn say(&self, args: &[&str]) -> String {
        self.git.succeed(Call::new(args)).await.unwrap().text()
    }
}

/// How a series is tried.
pub(crate) struct Try {
    /// How well it has to fit.
    pub(crate) fit: Fit,
    /// Whether carriage returns are kept.
    pub(crate) keep_cr: bool,
    /// What may be in it.
    pub(crate) policy: Policy,
    /// Whether somebody has looked at it.
    pub(crate) is_approved: bool,
}

impl Default for Try {
    fn default() -> Self {
        let policy = Policy::default();
        Self { fit: Fit::Plain, keep_cr: false, policy, is_approved: false }
    }
}

impl Try {
    /// Reads a series and puts it upon a base.
    pub(crate) async fn put(
        self,
        world: &World,
        base: &CommitSha,
        letters: &[Vec<u8>],
    ) -> Result<Applied, Stop> {
        let Self { fit, keep_cr, policy, is_approved } = self;
        let committer = Committer::default();
        let guard = Guard::new(&policy).unwrap();
        let how = How { fit, keep_cr, committer: &committer, guard: &guard, is_approved };
        let patches = read(&world.git, letters, &how).await?;
        apply(&world.git, base, &patches, &how).await
    }
}

/// A call for another repository than ours.
pub(crate) fn at(repository: &Path, args: &[&str]) -> Call {
    Call::new(args).env("GIT_DIR", repository)
}

/// A mail with a patch, as people send it.
#[derive(Clone)]
pub(crate) struct Mail {
    /// The headers but for those that follow.
    pub(crate) headers: Vec<String>,
    /// Who it is from.
    pub(crate) from: String,
    /// Its subject.
    pub(crate) subject: String,
    /// When it is from.
    pub(crate) date: String,
    /// All below the headers.
    pub(crate) body: Vec<u8>,
}

impl Mail {
    /// A mail with this subject and this diff.
    pub(crate) fn new(subject: &str, diff: &str) -> Self {
        Self {
            headers: vec![
                format!("Message-ID: <{}@example.org>", subject.replace(' ', "-")),
                "Content-Type: text/plain; charset=UTF-8".to_owned(),
                "Content-Transfer-Encoding: 8bit".to_owned(),
            ],
            from: "=?UTF-8?q?J=C3=BCrgen?= Author <ann@example.org>".to_owned(),
            subject: format!("[PATCH] {subject}"),
            date: "Tue, 14 Nov 2023 17:13:20 -0500".to_owned(),
            body: format!("Because.\n\nSigned-off-by: Ann\n---\n\n{diff}-- \n2.47.3\n")
                .into_bytes(),
        }
    }

    /// The mail as it is sent.
    pub(crate) fn raw(&self) -> Vec<u8> {
        let mut headers = self.headers.clone();
        headers.push(format!("From: {}", self.from));
        headers.push(format!("Subject: {}", self.subject));
        headers.push(format!("Date: {}", self.date));
        let mut raw = format!("{}\n\n", headers.join("\n")).into_bytes();
        raw.extend_from_slice(&self.body);
        raw
    }
}

/// The diff by which one line of a file with these three lines becomes another.
pub(crate) fn replace(path: &str, lines: [&str; 3], by: &str) -> String {
    let [first, old, last] = lines;
    format!(
        "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n\
         @@ -1,3 +1,3 @@\n {first}\n-{old}\n+{by}\n {last}\n"
    )
}
