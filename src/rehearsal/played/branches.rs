//! A repository, played: every series applies to its base, and nothing is pushed anywhere.

use async_trait::async_trait;

use super::Player;
use crate::action::PushOrder;
use crate::event::series::{Base, Branch, SeriesEvent};
use crate::git::{Letters, Outcome, Tree, Work, names};
use crate::message::hash;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// What the names of branches begin with when nobody says otherwise.
const PREFIX: &str = "pointsman";

/// The branch that a series is said to be upon.
const BASE: &str = "master";

#[async_trait]
impl Letters for Player {
    /// A mail for each patch, with nothing in it.
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        let letters = series.series.patches.iter();
        Ok(letters.map(|letter| letter.msgid.clone().into_bytes()).collect())
    }
}

#[async_trait]
impl Tree for Player {
    /// The same series has the same commits, as it has in a real repository.
    async fn apply(&self, work: &Work<'_>) -> Result<Outcome, Failure> {
        let order = work.order;
        let base = match (&order.series.series.hints.base, work.dependencies.last()) {
            (_, Some(on)) => Base {
                sha: on.branch.sha.clone(),
                branch: on.branch.name.clone(),
                why: "what it depends on".to_owned(),
            },
            (Some(sha), None) => {
                Base { sha: sha.clone(), branch: BASE.to_owned(), why: "`base-commit`".to_owned() }
            }
            (None, None) => Base {
                sha: commit(BASE.as_bytes(), &[])?,
                branch: BASE.to_owned(),
                why: "the first that it applies to".to_owned(),
            },
        };
        let mut commits = Vec::new();
        for letter in &work.letters {
            let parent = commits.last().unwrap_or(&base.sha);
            commits.push(commit(letter, parent.as_str().as_bytes())?);
        }
        Ok(Outcome::Applied(Branch {
            url: format!("https://{}/series.git", self.host),
            name: names::of_series(PREFIX, order),
            sha: commits.last().unwrap_or(&base.sha).clone(),
            base,
            commits,
            tried: Vec::new(),
            is_merged: false,
        }))
    }

    async fn push(&self, _order: &PushOrder) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, _name: &str, _sha: &CommitSha) -> Result<(), Failure> {
        Ok(())
    }
}

/// A commit of our own mind.
fn commit(what: &[u8], parent: &[u8]) -> Result<CommitSha, Failure> {
    let digits = format!("{}{}", hash(&[what, parent]), "0".repeat(8));
    CommitSha::try_from(digits).map_err(Failure::give_up)
}
