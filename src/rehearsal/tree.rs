//! The git stage, played: a series is put on a branch, or not, as the test says, and no file is
//! touched.

use async_trait::async_trait;

use crate::action::{ApplyOrder, PushOrder};
use crate::event::series::{Base, Branch, Refusal, SeriesEvent, Tried};
use crate::git::{Letters, Outcome, Tree, Work, names};
use crate::message::hash;
use crate::remote::Failure;
use crate::rules::test::Landing;
use crate::subject::{CommitSha, InvalidCommitSha};

/// What the names of branches begin with, where settings say nothing else.
const PREFIX: &str = "pointsman";
/// The branch of the upstream.
const BASE: &str = "master";

/// Somebody who has the mails, and a repository.
#[derive(Debug)]
pub(super) struct Workshop {
    /// What comes of putting a series on a branch.
    pub(super) landing: Landing,
    /// The host.
    pub(super) host: String,
}

#[async_trait]
impl Letters for Workshop {
    async fn fetch(&self, series: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        Ok(series.series.patches.iter().map(|letter| letter.title.clone().into_bytes()).collect())
    }
}

#[async_trait]
impl Tree for Workshop {
    async fn apply(&self, work: &Work<'_>) -> Result<Outcome, Failure> {
        let base = sha(&[BASE]).map_err(Failure::give_up)?;
        let order = work.order;
        Ok(match self.landing {
            Landing::Applied => Outcome::Applied(self.branch(order, base)?),
            Landing::Held if order.is_approved => Outcome::Applied(self.branch(order, base)?),
            Landing::Held => Outcome::Held(Refusal {
                reason: "it changes what builds are made by".to_owned(),
                patch: Some(1),
                ..Refusal::default()
            }),
            Landing::Conflict => Outcome::Conflict(Refusal {
                reason: format!("on `{BASE}`, it does not fit at line 17 of `points.c`"),
                patch: Some(1),
                file: Some("points.c".to_owned()),
                line: Some(17),
                tried: vec![Tried {
                    branch: BASE.to_owned(),
                    sha: base,
                    why_not: "patch 1: it does not fit at line 17 of `points.c`".to_owned(),
                }],
            }),
        })
    }

    async fn push(&self, _: &PushOrder) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, _: &str, _: &CommitSha) -> Result<(), Failure> {
        Ok(())
    }
}

impl Workshop {
    fn branch(&self, order: &ApplyOrder, base: CommitSha) -> Result<Branch, Failure> {
        let name = names::of_series(PREFIX, order);
        let count = order.series.series.patches.len();
        let commits = (1..=count).map(|number| sha(&[&name, &number.to_string()]));
        let commits: Vec<_> = commits.collect::<Result<_, _>>().map_err(Failure::give_up)?;
        Ok(Branch {
            url: format!("https://{}/", self.host),
            sha: commits.last().unwrap_or(&base).clone(),
            name,
            base: Base { sha: base, branch: BASE.to_owned(), why: "as a test has it".to_owned() },
            commits,
            tried: Vec::new(),
            is_merged: false,
        })
    }
}

/// A commit id, the same for the same parts.
fn sha(parts: &[&str]) -> Result<CommitSha, InvalidCommitSha> {
    let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
    let half = hash(&parts);
    let rest = hash(&[half.as_bytes()]);
    CommitSha::try_from(half + rest.get(..8).unwrap_or_default())
}
