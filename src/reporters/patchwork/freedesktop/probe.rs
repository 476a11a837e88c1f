//! Whether a Patchwork of freedesktop.org's kind can be used as it is set up.

use reqwest::{Method, StatusCode};

use crate::remote::{Answer, Failure, chain};
use crate::reporters::patchwork::client::{Caller, Client, shown};

/// What was asked about, and what is wrong with it.
pub(super) async fn probe(client: &Client, projects: &[String]) -> Vec<(String, Option<String>)> {
    let root = problem(&ask(client, Caller::Anybody, &[]).await, "it does not answer");
    let is_reachable = root.is_none();
    let mut findings = vec![("the API".to_owned(), root)];
    if !is_reachable {
        // The rest would say the same again, after as long a wait each.
        return findings;
    }
    if let Some(setting) = client.login_setting() {
        findings.push((format!("`{setting}`"), login_problem(client).await));
    }
    for project in projects {
        let answer = ask(client, Caller::Anybody, &["projects", project]).await;
        let problem = match &answer {
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => {
                Some("there is no such project".to_owned())
            }
            Ok(_) | Err(_) => problem(&answer, "the project cannot be read"),
        };
        findings.push((format!("project `{}`", shown(project)), problem));
    }
    findings
}

/// Only where results are posted is a password looked at at all, and reading there is refused
/// only after that.  Of what our account is a maintainer is not told.
async fn login_problem(client: &Client) -> Option<String> {
    let path = ["series", "0", "revisions", "1", "test-results"];
    match ask(client, Caller::Ourselves, &path).await {
        Ok(answer) if matches!(answer.status.as_u16(), 401 | 403) => {
            Some(format!("name or password is not right: {}", answer.status))
        }
        Ok(_) => None,
        Err(failure) => Some(cause(&failure)),
    }
}

async fn ask(client: &Client, caller: Caller, path: &[&str]) -> Result<Answer, Failure> {
    let url = client.url(&[&["api", "1.0"], path].concat(), &[]);
    client.ask(caller, (Method::GET, url), None).await
}

fn problem(answer: &Result<Answer, Failure>, what: &str) -> Option<String> {
    match answer {
        Ok(answer) if answer.status.is_success() => None,
        Ok(answer) => Some(format!("{what}: {}", answer.status)),
        Err(failure) => Some(format!("{what}: {}", cause(failure))),
    }
}

/// What went wrong; whether it may pass is not the question here.
fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}
