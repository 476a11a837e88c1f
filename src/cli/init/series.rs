//! What is asked besides where patch series are built: where they belong, where they are put, and
//! who is known.

use super::Init;
use super::ask::{Question, Questions, plain};
use super::forges::Kind;
use crate::git::address::Address;
use crate::git::names::is_branch;
use crate::reporters::mail::MailSettings;

/// Everything that has to be known.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// The repository that they are for.
    pub(super) upstream: String,
    /// The branch of it.
    pub(super) base: String,
    /// The repository that their branches are pushed to.
    pub(super) push: String,
    /// Somebody whose series are built, as their source knows them.
    pub(super) maintainer: String,
}

impl Series {
    /// Asks for it where mails are proposed; `push` is where branches probably go.
    pub(super) fn ask(
        questions: &mut Questions<'_>,
        init: &Init,
        (kind, push): (Kind, Option<String>),
    ) -> anyhow::Result<Option<Self>> {
        if !kind.has_series() {
            return Ok(None);
        }
        let upstream = questions.ask(
            Question {
                words: "What is the address of the repository that series are for?",
                argument: "--upstream",
                given: init.upstream.clone(),
                proposal: None,
            },
            repository,
        )?;
        let base = questions.ask(
            Question {
                words: "Which branch of it are they for?",
                argument: "--base",
                given: init.base.clone(),
                proposal: Some("master".to_owned()),
            },
            branch,
        )?;
        let push = questions.ask(
            Question {
                words: "What is the address of the repository that their branches are pushed to?",
                argument: "--push",
                given: init.push.clone(),
                proposal: push,
            },
            repository,
        )?;
        let maintainer = questions.ask(
            Question {
                words: match kind {
                    Kind::Patchew => "Whose series are built? The address of a maintainer:",
                    Kind::Patchwork
                    | Kind::Pagure
                    | Kind::Github
                    | Kind::Gitlab
                    | Kind::Forgejo => {
                        "Whose series are built? The number of a maintainer (`/api/people/?q=NAME`):"
                    }
                },
                argument: "--maintainer",
                given: init.maintainer.clone(),
                proposal: None,
            },
            |answer| maintainer(kind, answer),
        )?;
        Ok(Some(Self { upstream, base, push, maintainer }))
    }
}

fn repository(answer: &str) -> Result<String, String> {
    let answer = plain(answer)?;
    Address::try_from(answer.clone()).map_err(|error| format!("it {error}"))?;
    Ok(answer)
}

fn branch(answer: &str) -> Result<String, String> {
    let answer = plain(answer)?;
    if is_branch(&answer) { Ok(answer) } else { Err("it is no name of a branch".to_owned()) }
}

fn maintainer(kind: Kind, answer: &str) -> Result<String, String> {
    let answer = plain(answer)?;
    let is_number = answer.bytes().all(|byte| byte.is_ascii_digit()) && !answer.starts_with('0');
    let is_address = MailSettings::is_address(&answer) && !answer.contains([' ', '<', '>']);
    match kind {
        Kind::Patchew if !is_address => Err("it is no address, such as `ada@x.example`".to_owned()),
        Kind::Patchwork if !is_number => Err("it is no number".to_owned()),
        Kind::Patchwork
        | Kind::Patchew
        | Kind::Pagure
        | Kind::Github
        | Kind::Gitlab
        | Kind::Forgejo => Ok(answer),
    }
}
