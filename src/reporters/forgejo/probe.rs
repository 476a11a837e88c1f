//! Whether a Forgejo or Gitea can be used as it is set up.

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::client::{Client, Repo};
use crate::remote::{Failure, chain};

/// What was asked about, and what is wrong with it.
type Finding = (String, Option<String>);

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    permissions: Permissions,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Permissions {
    admin: bool,
    push: bool,
}

pub(super) async fn probe(client: &Client, projects: &[String]) -> Vec<Finding> {
    let version = client.get(&["version"], "it does not answer").await;
    let mut findings = vec![("the API".to_owned(), version.err().map(|failure| cause(&failure)))];
    if findings.iter().any(|(_, problem)| problem.is_some()) {
        // The rest would say the same again, after as long a wait each.
        return findings;
    }
    let own = client.own().await.err().map(|failure| cause(&failure));
    let is_known = own.is_none();
    findings.push(("the token".to_owned(), own));
    if is_known {
        for project in projects {
            let problem = project_problem(client, project).await;
            findings.push((format!("project `{project}`"), problem));
        }
    }
    findings
}

async fn project_problem(client: &Client, project: &str) -> Option<String> {
    let what = "the project cannot be read";
    let asked = async {
        let repo = Repo::parse(project)?;
        let answer = client.ask((Method::GET, &repo.path(&[])), &[], None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        client.success(answer, what)?.json::<Repository>(what).map(Some)
    };
    match asked.await {
        Ok(None) => Some("there is no such project, or the token may not see it".to_owned()),
        Ok(Some(Repository { permissions })) if !permissions.push => {
            Some("the token's user may not write to it, and so not set a status".to_owned())
        }
        Ok(Some(Repository { permissions })) if !permissions.admin => {
            let problem = "the token's user does not administer it, and so cannot ask who may \
                           merge: everybody counts as a contributor at most";
            Some(problem.to_owned())
        }
        Ok(Some(_)) => None,
        Err(failure) => Some(cause(&failure)),
    }
}

/// What went wrong; whether it may pass is not the question here.
fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}
