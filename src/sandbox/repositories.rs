//! Two repositories on this machine: an upstream, and one that branches of series are pushed to.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// An upstream, and a place for branches.
#[derive(Clone, Debug)]
pub struct Repositories {
    folder: PathBuf,
}

impl Repositories {
    /// Makes both, empty, in `folder`; fails where there is no git.
    pub async fn make(folder: &Path) -> anyhow::Result<Self> {
        let repositories = Self { folder: folder.to_owned() };
        for place in [repositories.upstream(), repositories.series()] {
            let arguments = ["init", "--quiet", "--bare", "--initial-branch=main"];
            git(folder, &arguments, Some(&place), &[]).await?;
        }
        Ok(repositories)
    }

    /// The folder of the upstream, which is an address, too.
    pub fn upstream(&self) -> PathBuf {
        self.folder.join("upstream.git")
    }

    /// The folder of the other one.
    pub fn series(&self) -> PathBuf {
        self.folder.join("series.git")
    }

    /// Puts a commit that writes these files (path and content) on a branch of the upstream.
    pub async fn commit(&self, branch: &str, files: &[(&str, &str)]) -> anyhow::Result<String> {
        let upstream = self.upstream();
        let name = format!("refs/heads/{branch}");
        let known = ["for-each-ref", "--format=%(objectname)", &name];
        let parent = git(&upstream, &known, None, &[]).await?;
        let mut script = format!(
            "commit {name}\ncommitter Grace <grace@points.example> 1795162907 +0000\n\
             data 10\nGo onwards\n"
        );
        if !parent.is_empty() {
            script += &["from ", &parent, "\n"].concat();
        }
        for (path, content) in files {
            let change = format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len());
            script += &change;
        }
        git(&upstream, &["fast-import", "--quiet"], None, script.as_bytes()).await?;
        git(&upstream, &["rev-parse", &name], None, &[]).await
    }

    /// The branches that were pushed: name and commit, in the order of their names.
    pub async fn branches(&self) -> anyhow::Result<Vec<(String, String)>> {
        let format = "--format=%(refname:lstrip=2) %(objectname)";
        let listed =
            git(&self.series(), &["for-each-ref", format, "refs/heads"], None, &[]).await?;
        let pair = |line: &str| {
            let (name, sha) = line.split_once(' ')?;
            Some((name.to_owned(), sha.to_owned()))
        };
        Ok(listed.lines().filter_map(pair).collect())
    }

    /// The titles of the commits of a pushed branch, oldest first.
    pub async fn titles(&self, branch: &str) -> anyhow::Result<Vec<String>> {
        let arguments = ["log", "--reverse", "--format=%s", branch, "--"];
        let listed = git(&self.series(), &arguments, None, &[]).await?;
        Ok(listed.lines().map(str::to_owned).collect())
    }
}

/// Runs git in `folder` with nobody's settings, and returns what it prints.
async fn git(
    folder: &Path,
    arguments: &[&str],
    path: Option<&Path>,
    input: &[u8],
) -> anyhow::Result<String> {
    let what = arguments.first().copied().unwrap_or_default();
    let mut child = Command::new("git")
        .args(arguments)
        .args(path)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run `git`, which patch series need: install it")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).await.context("git does not listen")?;
    }
    let output = child.wait_with_output().await.context("git does not end")?;
    if !output.status.success() {
        bail!("`git {what}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
