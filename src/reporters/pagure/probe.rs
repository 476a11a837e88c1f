//! Whether a Pagure can be used as it is set up.

use reqwest::StatusCode;

use super::client::{Client, Project, Token};
use crate::remote::{Answer, Failure, chain};

/// What was asked about, and what is wrong with it.
pub(super) async fn probe(client: &Client, projects: &[String]) -> Vec<(String, Option<String>)> {
    let version = problem(client.version().await, "it does not answer");
    let is_reachable = version.is_none();
    let mut findings = vec![("the API".to_owned(), version)];
    if !is_reachable {
        // The rest would say the same again, after as long a wait each.
        return findings;
    }
    for (setting, token) in client.all_tokens() {
        findings.push((setting, token_problem(client, token).await));
    }
    for project in projects {
        let problem = project_problem(client, project).await;
        findings.push((format!("project `{project}`"), problem));
    }
    findings
}

async fn token_problem(client: &Client, token: &Token) -> Option<String> {
    let answer = client.whoami(token).await;
    match &answer {
        // An old Pagure cannot tell; that says nothing about the token.
        Ok(answer) if answer.status == StatusCode::NOT_FOUND => None,
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            Some("the token is not valid, or has expired".to_owned())
        }
        Ok(_) | Err(_) => problem(answer, "whose token it is cannot be asked"),
    }
}

async fn project_problem(client: &Client, project: &str) -> Option<String> {
    let project = match Project::parse(project) {
        Ok(project) => project,
        Err(failure) => return Some(cause(&failure)),
    };
    if let Err(failure) = client.token_for(&project) {
        return Some(cause(&failure));
    }
    let answer = client.project(&project).await;
    match &answer {
        Ok(answer) if answer.status == StatusCode::NOT_FOUND => {
            Some("there is no such project, or the token may not see it".to_owned())
        }
        Ok(_) | Err(_) => problem(answer, "the project cannot be read"),
    }
}

fn problem(answer: Result<Answer, Failure>, what: &str) -> Option<String> {
    match answer {
        Ok(answer) if answer.status.is_success() => None,
        Ok(answer) => Some(format!("{what}: {}", answer.status)),
        Err(failure) => Some(format!("{what}: {}", cause(&failure))),
    }
}

/// What went wrong; whether it may pass is not the question here.
fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}
