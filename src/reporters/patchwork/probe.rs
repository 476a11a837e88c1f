//! Whether a Patchwork can be used as it is set up.

use jiff::{SignedDuration, SignedDurationRound, Unit};
use reqwest::{Method, StatusCode};

use super::account;
use super::api::{Api, Event, Project, Version, entries};
use super::client::{Caller, answered_at, read};
use crate::remote::{Failure, chain};

/// What was asked about, and what is wrong with it.
type Finding = (String, Option<String>);

pub(super) async fn probe(api: &Api, projects: &[String]) -> Vec<Finding> {
    let version = match api.version().await {
        Ok(version) => version,
        // The rest would say the same again, after as long a wait each.
        Err(failure) => return vec![("the API".to_owned(), Some(cause(&failure)))],
    };
    let mut findings = vec![(told(version), None), (clock(api).await, None)];
    let token = token(api).await;
    let is_good = matches!(token, (_, None));
    findings.push(token);
    let has_token = api.client.login_setting().is_some();
    for project in projects {
        let problem = problem(api, project, is_good && has_token).await;
        findings.push((format!("project `{project}`"), problem));
    }
    findings
}

/// What the API is, and what it lacks.
fn told(version: Version) -> String {
    match version {
        Version::V1_3 => "the API 1.3".to_owned(),
        Version::V1_2 => "the API 1.2 (which does not tell of comments: nobody can ask for \
                          builds by mail)"
            .to_owned(),
    }
}

/// How the clock of events goes, which is nothing wrong: only what is new is told by it.
async fn clock(api: &Api) -> String {
    let asked = async {
        let what = "cannot read events";
        let query = [("order", "-date"), ("per_page", "1")];
        let url = api.url(&["events"], &query).await?;
        let answer = api.client.get(Caller::Anybody, url, what).await?;
        let now = answered_at(&answer);
        let (events, _) = entries::<Event>(&answer, what)?;
        let newest = events.first().and_then(|event| event.date.in_utc());
        Ok::<_, Failure>(newest.zip(now).map(|(newest, now)| newest.duration_since(now)))
    };
    let quarter = SignedDurationRound::new().smallest(Unit::Minute).increment(15);
    let ahead = asked.await.ok().flatten().and_then(|ahead| ahead.round(quarter).ok());
    match ahead.filter(|ahead| *ahead > SignedDuration::ZERO) {
        Some(ahead) => {
            let hours = ahead.as_secs_f64() / 3600.0;
            format!("its clock (events are dated by a time zone of {hours:+} hours at least)")
        }
        None => "its clock".to_owned(),
    }
}

/// Whether our account is known.
async fn token(api: &Api) -> Finding {
    if api.client.login_setting().is_none() {
        return ("no token (series are heard of, but no checks can be made)".to_owned(), None);
    }
    let what = "it is no good";
    let asked = async {
        // Whatever is asked, who says wrongly who they are is refused.
        let url = api.url(&["projects"], &[("per_page", "1")]).await?;
        let answer = api.client.ask(Caller::Ourselves, (Method::GET, url), None).await?;
        api.client.success(answer, what).map(|_answer| ())
    };
    let problem = asked.await.err().map(|failure: Failure| cause(&failure));
    ("the token".to_owned(), problem)
}

async fn problem(api: &Api, name: &str, has_account: bool) -> Option<String> {
    let what = "the project cannot be read";
    let asked = async {
        let url = api.url(&["projects", name], &[]).await?;
        let answer = api.client.ask(Caller::Anybody, (Method::GET, url), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Some("there is no such project".to_owned()));
        }
        let project: Project = read(&api.client.success(answer, what)?, what)?;
        if project.link_name != name {
            let why = format!(
                "there is no such project, but one of that number: `{}`",
                project.link_name
            );
            return Ok(Some(why));
        }
        if has_account && account::find(api, name).await?.is_none() {
            let why = "our account is none of its maintainers, so that no checks can be made \
                       (unless it was given the right to in another way)";
            return Ok(Some(why.to_owned()));
        }
        Ok(None)
    };
    match asked.await {
        Ok(problem) => problem,
        Err(failure) => Some(cause(&failure)),
    }
}

/// What went wrong; whether it may pass is not the question here.
fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Retry { source, .. } | Failure::GiveUp(source) => chain(source.as_ref()),
    }
}
