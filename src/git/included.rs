//! One more commit, with which a build tells us how it ended.
//!
//! Where the file that says how a change is built is the patch author's to change, nothing in it
//! can be relied upon.  It is moved aside, and a file of ours that takes it in, and ours too,
//! stands in its place.

use std::path::Path;

use anyhow::{Context, anyhow};
use url::Url;

use super::apply::Committer;
use super::date::Date;
use super::history::{Content, Entry, History};
use super::mail::Patch;
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
    let log = ["log", "-1", "--no-show-signature", "--format=%ct", "--end-of-options"];
    let date = git.succeed(scratch.call(&log).arg(tip.as_str()).arg("--")).await?.text();
    let date = Date::of_seconds(&date).unwrap_or(Date::START);
    let file = |id: String| Some(Entry { mode: "100644".to_owned(), id });
    let files = [(path.into_bytes(), file(id)), (include.file.into(), file(new))];
    let ours = Patch {
        number: 1,
        name: include.committer.name.clone(),
        email: include.committer.email.clone(),
        date: None,
        message: format!("{}: Tell how the build ended\n", include.file),
        diff: Vec::new(),
    };
    let mut history = History::begin(tip, include.committer, date);
    history.add(&ours, &Content::Files(files.into()));
    let commits = history.write(git, &scratch).await?;
    scratch.keep().await?;
    Ok(commits.into_iter().next())
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
