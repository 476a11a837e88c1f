//! One more commit, with which a build tells us how it ended.
//!
//! Where the file that says how a change is built is the patch author's to change, nothing in it
//! can be relied upon.  It is moved aside, and a file of ours that takes it in, and ours too,
//! stands in its place.

use std::path::Path;

use anyhow::{Context, anyhow};
use url::Url;

use super::apply::{Committer, sha};
use super::process::Git;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// The folder that the author's file is moved to.
const FOLDER: &str = ".pointsman";

/// Which file is taken in by which.
#[derive(Clone, Debug)]
pub struct Include<'a> {
    /// The file that says how a change is built, at the top of the repository.
    pub file: &'a str,
    /// Where the file of ours that is to be taken in is fetched.
    pub url: &'a Url,
    /// Who commits.
    pub committer: &'a Committer,
}

/// Puts a commit upon `tip` in which the file takes in itself, as it was, and ours; `None` where
/// there is no such file.
///
/// The same tip becomes the same commit, whenever that is done.
pub async fn include(
    git: &Git,
    tip: &CommitSha,
    include: &Include<'_>,
) -> Result<Option<CommitSha>, Failure> {
    let scratch = git.scratch()?;
    let list = scratch.call(&["ls-tree", "-z", "--full-tree", tip.as_str(), "--", include.file]);
    let listed = git.succeed(list).await?.text();
    // A folder or a link of that name is not what is meant.
    let Some(facts) = listed.strip_prefix("100644 blob ").or(listed.strip_prefix("100755 blob "))
    else {
        return Ok(None);
    };
    let id = facts.split('\t').next().unwrap_or_default().to_owned();
    let path = moved(include.file)?;
    let new = scratch.call(&["hash-object", "-w", "--stdin", "--no-filters"]);
    let new = git.succeed(new.stdin(text(&path, include.url))).await?.text();
    git.succeed(scratch.call(&["read-tree", "--end-of-options", tip.as_str()])).await?;
    // What is in the way, be it a folder or a file, is replaced.
    let update = ["update-index", "--replace", "--index-info", "-z"];
    let info = format!("0 {id}\t{FOLDER}\0100644 {id}\t{path}\0100644 {new}\t{}\0", include.file);
    git.succeed(scratch.call(&update).stdin(info)).await?;
    let tree = git.succeed(scratch.call(&["write-tree", "--missing-ok"])).await?.text();
    let date = scratch.call(&["log", "-1", "--no-show-signature", "--format=@%ct +0000"]);
    let date = git.succeed(date.arg(tip.as_str()).arg("--")).await?.text();
    let Committer { name, email } = include.committer;
    let call = scratch.call(&["commit-tree", "-p", tip.as_str(), "-F", "-", &tree]);
    let call = call
        .env("GIT_AUTHOR_NAME", name)
        .env("GIT_AUTHOR_EMAIL", email)
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_NAME", name)
        .env("GIT_COMMITTER_EMAIL", email)
        .env("GIT_COMMITTER_DATE", &date)
        .stdin(format!("{}: Tell how the build ended\n", include.file));
    let commit = sha(git.succeed(call).await?.text())?;
    scratch.keep().await?;
    Ok(Some(commit))
}

/// Where the author's file is put: in a folder of ours, without the dot that hides it.
fn moved(file: &str) -> Result<String, Failure> {
    let name = Path::new(file).file_name().and_then(|name| name.to_str());
    let name = name.context("no name of a file").map_err(Failure::give_up)?;
    if name != file {
        return Err(Failure::give_up(anyhow!("`{file}` is not at the top of the repository")));
    }
    Ok(format!("{FOLDER}/{}", name.trim_start_matches('.')))
}

/// The file that takes in both.  JSON is YAML, and needs nobody to know what has to be quoted.
fn text(path: &str, url: &Url) -> String {
    let both = serde_json::json!({ "include": [{ "local": path }, { "remote": url.as_str() }] });
    format!("{both:#}\n")
}
