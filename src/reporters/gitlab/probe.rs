//! Whether a GitLab can be used as it is set up.

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::remote::gitlab::{Client, Project};
use crate::remote::{Failure, chain};

/// The least with which a status can be set.
const DEVELOPER: u64 = 30;

/// What was asked about, and what is wrong with it.
type Findings = Vec<(String, Option<String>)>;

#[derive(Deserialize)]
struct Member {
    access_level: u64,
}

/// A token, as it tells of itself since 15.5.
#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    scopes: Vec<String>,
}

pub(super) async fn probe(client: &Client, projects: &[String]) -> Findings {
    let token = token_problem(client).await;
    let is_usable = token.is_none();
    let mut findings = vec![("the token".to_owned(), token)];
    if !is_usable {
        // The rest would say the same again, after as long a wait each.
        return findings;
    }
    for project in projects {
        let problem =
            project_problem(client, project).await.unwrap_or_else(|failure| Some(cause(&failure)));
        findings.push((format!("project `{project}`"), problem));
    }
    findings
}

async fn token_problem(client: &Client) -> Option<String> {
    if let Err(failure) = client.own().await {
        return Some(cause(&failure));
    }
    let path = ["personal_access_tokens", "self"];
    let answer = match client.ask(Method::GET, (&path, &[]), None).await {
        Ok(answer) => answer,
        Err(failure) => return Some(cause(&failure)),
    };
    // Old versions cannot tell; that says nothing about the token.
    let token: Token = answer.status.is_success().then(|| answer.json("its scopes").ok())??;
    let is_enough = token.scopes.iter().any(|scope| scope == "api");
    (!is_enough).then(|| format!("it needs the scope `api`, and has {}", token.scopes.join(", ")))
}

async fn project_problem(client: &Client, project: &str) -> Result<Option<String>, Failure> {
    let project = Project::parse(project)?;
    let what = "it cannot be read";
    let answer = client.ask(Method::GET, (&["projects", project.as_str()], &[]), None).await?;
    if answer.status == StatusCode::NOT_FOUND {
        let words = "there is no such project, or the token may not see it";
        return Ok(Some(words.to_owned()));
    }
    client.good(answer, what)?;
    let own = client.own().await?.to_string();
    let path = ["projects", project.as_str(), "members", "all", &own];
    let member: Option<Member> = client.find(&path, what).await?;
    Ok(match member {
        Some(member) if member.access_level >= DEVELOPER => None,
        Some(_) => Some("statuses need the role Developer, which the token has not".to_owned()),
        None => Some("statuses need the role Developer, and the token is no member".to_owned()),
    })
}

/// What went wrong; whether it may pass is not the question here.
fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}
