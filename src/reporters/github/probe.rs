//! Whether a GitHub can be used as it is set up.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use serde::Deserialize;

use super::Checks;
use super::client::{Call, Client, Repo};
use super::login::{Login, Scope};
use crate::remote::{Answer, Failure, chain};

/// What was asked about, and what is wrong with it.
type Findings = Vec<(String, Option<String>)>;

/// A repository, as far as it matters here.
#[derive(Deserialize)]
struct Repository {
    full_name: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    permissions: Permissions,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Permissions {
    push: bool,
}

/// What an App, or its installation, may do.
#[derive(Deserialize)]
struct Powers {
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    suspended_at: Option<String>,
}

pub(super) async fn probe(client: &Client, checks: Checks, projects: &[String]) -> Findings {
    let (mut findings, scopes) = match &client.login {
        Login::Token(_) => token(client).await,
        Login::App(_) => (app(client, checks).await, None),
    };
    if findings.iter().any(|(_, problem)| problem.is_some()) {
        // The rest would say the same again, after as long a wait each.
        return findings;
    }
    for project in projects {
        let problem = project_problem(client, (project, checks), scopes.as_deref()).await;
        findings.push((format!("repository `{project}`"), problem));
    }
    findings
}

/// The token, and its scopes if it is of the classic kind, which alone has any.
async fn token(client: &Client) -> (Findings, Option<Vec<String>>) {
    let (answer, problem) = asked(client.ask(Scope::Own, Call::get(&["user"])).await);
    let scopes = answer.and_then(|answer| {
        let scopes = answer.headers.get("x-oauth-scopes")?.to_str().ok()?;
        Some(scopes.split(',').map(|scope| scope.trim().to_owned()).collect::<Vec<_>>())
    });
    (vec![("the token".to_owned(), problem)], scopes)
}

async fn app(client: &Client, checks: Checks) -> Findings {
    let (answer, problem) = asked(client.ask(Scope::Own, Call::get(&["app"])).await);
    let problem = problem.or_else(|| missing(&answer?, checks));
    vec![("the App".to_owned(), problem)]
}

/// What an App is not allowed and should be.
fn missing(answer: &Answer, checks: Checks) -> Option<String> {
    let powers: Powers = match answer.json("what it may do cannot be read") {
        Ok(powers) => powers,
        Err(failure) => return Some(cause(&failure)),
    };
    if powers.suspended_at.is_some() {
        return Some("it is suspended".to_owned());
    }
    let state = match checks {
        Checks::Status => ("statuses", "Commit statuses"),
        Checks::CheckRun => ("checks", "Checks"),
    };
    let wanted = [state, ("pull_requests", "Pull requests")];
    let may = |name: &str| powers.permissions.get(name).is_some_and(|level| level == "write");
    let missing: Vec<_> = wanted.iter().filter(|(name, _)| !may(name)).collect();
    (!missing.is_empty()).then(|| {
        let names: Vec<_> =
            missing.iter().map(|(_, shown)| format!("`{shown}: Read and write`")).collect();
        format!("it has no permission {}", names.join(", "))
    })
}

async fn project_problem(
    client: &Client,
    (project, checks): (&str, Checks),
    scopes: Option<&[String]>,
) -> Option<String> {
    let repo = match Repo::parse(project) {
        Ok(repo) => repo,
        Err(failure) => return Some(cause(&failure)),
    };
    if let Login::App(_) = &client.login {
        let path = repo.path(&["installation"]);
        let answer = client.ask(Scope::Own, Call::get(&path)).await;
        if matches!(&answer, Ok(answer) if answer.status == StatusCode::NOT_FOUND) {
            return Some("it is not there, or the App is not installed for it".to_owned());
        }
        let (answer, problem) = asked(answer);
        if let Some(problem) = problem.or_else(|| missing(&answer?, checks)) {
            return Some(problem);
        }
    }
    let path = repo.path(&[]);
    let answer = client.ask(Scope::Repo(&repo), Call::get(&path)).await;
    if matches!(&answer, Ok(answer) if answer.status == StatusCode::NOT_FOUND) {
        let is_blind = scopes.is_some_and(|scopes| !scopes.iter().any(|scope| scope == "repo"));
        let why = if is_blind {
            "there is no such repository, or it is private, and the token has no scope `repo`"
        } else {
            "there is no such repository, or the login may not see it"
        };
        return Some(why.to_owned());
    }
    let (answer, problem) = asked(answer);
    problem.or_else(|| repository_problem(&repo, (client, &answer?), scopes))
}

fn repository_problem(
    repo: &Repo,
    (client, answer): (&Client, &Answer),
    scopes: Option<&[String]>,
) -> Option<String> {
    let found: Repository = match answer.json("the repository cannot be read") {
        Ok(found) => found,
        Err(failure) => return Some(cause(&failure)),
    };
    if !found.full_name.eq_ignore_ascii_case(&repo.to_string()) {
        return Some(format!("it is called `{}` now", super::refusal::shown(&found.full_name)));
    }
    if found.archived {
        return Some("it is archived, and takes neither states nor comments".to_owned());
    }
    let has = |scope: &str| scopes.is_none_or(|scopes| scopes.iter().any(|own| own == scope));
    if !has("repo") && !has("public_repo") {
        return Some("the token needs the scope `public_repo` (or `repo`)".to_owned());
    }
    // What an App may do is not told here.
    if matches!(client.login, Login::Token(_)) && !found.permissions.push {
        return Some(
            "it cannot be reported to: the token's user needs the role `write` there, and a \
             fine-grained token has to be for this repository"
                .to_owned(),
        );
    }
    None
}

/// A good answer, or what is wrong.
fn asked(answer: Result<Answer, Failure>) -> (Option<Answer>, Option<String>) {
    match answer {
        Ok(answer) if answer.status.is_success() => (Some(answer), None),
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            (None, Some("it is not valid, or has expired".to_owned()))
        }
        Ok(answer) => (None, Some(format!("GitHub says {}", answer.status))),
        Err(failure) => (None, Some(cause(&failure))),
    }
}

/// What went wrong; whether it may pass is not the question here.
fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}
