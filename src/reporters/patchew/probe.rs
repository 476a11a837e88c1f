//! Whether a Patchew can be used as it is set up.

use super::client::{By, Client, said};
use super::wire::ResultRow;
use super::{PatchewSettings, Role};
use crate::remote::{Failure, chain};

/// What was asked about, and what is wrong with it.
///
/// In which groups our account is cannot be asked; that it may read the queue of those who apply
/// tells of one.  Nothing tells of the other, as asking for a test takes it.
pub(super) async fn probe(
    client: &Client,
    settings: &PatchewSettings,
) -> Vec<(String, Option<String>)> {
    let root = client.get(client.api(&[]), "it does not answer").await;
    let root = root.err().map(|failure| cause(&failure));
    let is_reachable = root.is_none();
    let mut findings = vec![("the API".to_owned(), root)];
    if !is_reachable {
        // The rest would say the same again, after as long a wait each.
        return findings;
    }
    if client.has_login() {
        let login = client.log_in().await.err().map(|failure| cause(&failure));
        let username = client.username().unwrap_or_default();
        let is_in = login.is_none();
        findings.push((format!("account `{username}`"), login));
        if is_in && settings.roles.contains(&Role::Applier) {
            findings.push(("what is unapplied".to_owned(), unapplied(client).await));
        }
    }
    for project in &settings.projects {
        let problem = project_problem(client, project).await;
        findings.push((format!("project `{}`", said(project)), problem));
    }
    findings
}

async fn unapplied(client: &Client) -> Option<String> {
    let what = "our account has to be in the group `importers`";
    client.peek(client.api(&["series", "unapplied"]), what).await.err().map(|it| cause(&it))
}

/// A project shows its tests as results of its own branch.
async fn project_problem(client: &Client, project: &str) -> Option<String> {
    let id = match client.look_up(project).await {
        Ok(id) => id.to_string(),
        Err(failure) => return Some(cause(&failure)),
    };
    let path = ["projects", id.as_str(), "results"];
    let what = "its tests cannot be listed";
    let results: Result<Vec<ResultRow>, Failure> =
        client.list((By::Anybody, &path, &[]), what, |_: &[ResultRow]| false).await;
    match results {
        Ok(results) if results.iter().any(|result| result.name.starts_with("testing.")) => None,
        Ok(_) => Some("it defines no test: what becomes of builds has no place there".to_owned()),
        Err(failure) => Some(cause(&failure)),
    }
}

/// What went wrong; whether it may pass is not the question here.
fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}
