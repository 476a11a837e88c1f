//! Which user our account is.
//!
//! Checks of others count for nothing: whoever sent a patch may put checks on it, too.  Patchwork
//! cannot be asked who a token is of; but a user's settings are told to that user alone.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::api::{Api, Maintainer, Project};
use super::client::{Caller, read};
use crate::remote::Failure;

/// How many maintainers of a project are asked about.
const MAINTAINERS_MAX: usize = 50;

/// A user.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) username: String,
    /// Told to that user alone.
    #[serde(default)]
    settings: Option<Value>,
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Account {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    own: Option<u64>,
    /// The projects whose maintainers were asked about.
    asked: BTreeSet<String>,
}

impl Account {
    /// Our number, if it can be found out: as a maintainer of `project`, or by what we have done.
    pub(super) async fn own(&self, api: &Api, project: &str) -> Result<Option<u64>, Failure> {
        let (own, is_asked) = self.with(|known| (known.own, known.asked.contains(project)));
        if own.is_some() || is_asked {
            return Ok(own);
        }
        let found = find(api, project).await?.map(|user| user.id);
        self.with(|known| {
            known.asked.insert(project.to_owned());
            known.own = known.own.or(found);
        });
        Ok(found)
    }

    /// Learns our number from what Patchwork says of something that we have done.
    pub(super) fn learn(&self, id: u64) {
        self.with(|known| known.own = Some(id));
    }

    fn with<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who we are, if we maintain `project`.
pub(super) async fn find(api: &Api, project: &str) -> Result<Option<User>, Failure> {
    let what = format!("cannot read project `{project}`");
    let project: Project = api.get(&["projects", project], &what).await?;
    let maintainers = || project.maintainers.iter().take(MAINTAINERS_MAX);
    // Their numbers there are those of their profiles, which mostly are those of the users.
    for maintainer in maintainers() {
        if let Some(own) = ourselves(api, maintainer.id).await? {
            let is_one = maintainers().any(|one| one.username == own.username);
            return Ok(Some(own).filter(|_| is_one));
        }
    }
    for maintainer in maintainers() {
        if let Some(id) = called(api, maintainer).await?
            && let Some(own) = ourselves(api, id).await?
        {
            return Ok(Some(own));
        }
    }
    Ok(None)
}

/// The user of this number, if that is us.
async fn ourselves(api: &Api, id: u64) -> Result<Option<User>, Failure> {
    let what = "cannot ask who we are";
    let url = api.url(&["users", &id.to_string()], &[]).await?;
    let answer = api.client.ask(Caller::Ourselves, (Method::GET, url), None).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let user: User = read(&api.client.success(answer, what)?, what)?;
    Ok(Some(user).filter(|user| user.settings.is_some()))
}

/// The number of a maintainer, by name.
async fn called(api: &Api, maintainer: &Maintainer) -> Result<Option<u64>, Failure> {
    let what = "cannot ask who maintains the project";
    let url = api.url(&["users"], &[("q", &maintainer.username)]).await?;
    let answer = api.client.get(Caller::Ourselves, url, what).await?;
    let users: Vec<User> = read(&answer, what)?;
    let found = users.into_iter().find(|user| user.username == maintainer.username);
    Ok(found.map(|user| user.id))
}
