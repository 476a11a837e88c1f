//! Putting one branch where others fetch it, and taking it away again.
//!
//! A branch is never moved: whoever builds it has to find what was ordered.  Each push says what
//! has to be there for it to be done, and is of one reference.

use anyhow::anyhow;

use super::address::Address;
use super::call::{Call, Limits};
use super::repository::Repository;
use crate::remote::Failure;
use crate::subject::CommitSha;

/// What a push has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The branch is there as it is to be; perhaps it was before.
    Done,
    /// A branch of this name is there already, at this commit.
    Taken(CommitSha),
}

/// What git says, in the language that we have it speak, where a server takes no options.
const NO_OPTIONS: &str = "does not support push options";

impl Repository {
    /// Makes the branch `name` where others fetch it; one that is there stays as it is.
    pub(super) async fn push_new(&self, name: &str, sha: &CommitSha) -> Result<Pushed, Failure> {
        let reference = format!("refs/heads/{name}");
        let refspec = format!("{sha}:{reference}");
        let lease = format!("--force-with-lease={reference}:");
        let options = &self.settings.push_options;
        let mut output = self.git.run(self.push_call(&lease, options, &refspec)).await?;
        if !output.is_done() && !options.is_empty() && output.complaint().contains(NO_OPTIONS) {
            tracing::warn!("{}: the server takes no options with a push", self.name);
            output = self.git.run(self.push_call(&lease, &[], &refspec)).await?;
        }
        if output.is_done() {
            return Ok(Pushed::Done);
        }
        // The answer may have been lost, and not the branch.
        match self.pushed(name).await? {
            Some(stands) if stands == *sha => Ok(Pushed::Done),
            Some(other) => Ok(Pushed::Taken(other)),
            None => Err(self.cannot_push(name, &output.complaint())),
        }
    }

    /// Takes the branch `name` away if it is at `sha`.
    pub(super) async fn unpush(&self, name: &str, sha: &CommitSha) -> Result<(), Failure> {
        let reference = format!("refs/heads/{name}");
        let lease = format!("--force-with-lease={reference}:{sha}");
        let output = self.git.run(self.push_call(&lease, &[], &format!(":{reference}"))).await?;
        if output.is_done() || self.pushed(name).await?.as_ref() != Some(sha) {
            return Ok(());
        }
        Err(self.cannot_push(name, &output.complaint()))
    }

    /// Where the branch `name` is at whoever others fetch it from.
    pub(super) async fn pushed(&self, name: &str) -> Result<Option<CommitSha>, Failure> {
        let reference = format!("refs/heads/{name}");
        let found = self.listed(&self.settings.push, &[&reference]).await?;
        Ok(found.into_iter().next().map(|(_, sha)| sha))
    }

    /// Those of `references` that are at `address`, with their commits.
    pub(super) async fn listed(
        &self,
        address: &Address,
        references: &[&str],
    ) -> Result<Vec<(String, CommitSha)>, Failure> {
        let limits = Limits { time: self.settings.push_timeout, ..Limits::PUSH };
        let call = Call::new(["ls-remote", "--quiet", "--refs", "--", address.as_str()]);
        let call = references.iter().fold(call, Call::arg);
        let output = self.git.run(self.access.open(call.limits(limits), address)).await?;
        if !output.is_done() {
            let complaint = output.complaint();
            return Err(self.retry(&format!("cannot look at `{address}`: {complaint}")));
        }
        let text = output.text();
        let lines = text.lines().filter_map(|line| {
            let (sha, reference) = line.split_once('\t')?;
            // A pattern also stands for what ends like it.
            let is_asked = references.contains(&reference);
            let sha = CommitSha::try_from(sha.to_owned()).ok().filter(|_| is_asked)?;
            Some((reference.to_owned(), sha))
        });
        Ok(lines.collect())
    }

    fn push_call(&self, lease: &str, options: &[String], refspec: &str) -> Call {
        let address = &self.settings.push;
        let call = Call::new(["push", "--quiet", "--no-verify", "--no-follow-tags", "--no-signed"]);
        let call = call.arg(lease);
        let call =
            options.iter().fold(call, |call, option| call.arg(format!("--push-option={option}")));
        let limits = Limits { time: self.settings.push_timeout, ..Limits::PUSH };
        let call = call.arg("--").arg(address.as_str()).arg(refspec).limits(limits);
        self.access.open(call, address)
    }

    fn cannot_push(&self, name: &str, complaint: &str) -> Failure {
        self.retry(&format!("cannot push `{name}` to `{}`: {complaint}", self.settings.push))
    }

    /// A failure that may pass, with the name of the connection.
    pub(super) fn retry(&self, what: &str) -> Failure {
        Failure::retry(anyhow!("{}: {what}", self.name))
    }

    /// A failure that will not pass, with the name of the connection.
    pub(super) fn give_up(&self, what: &str) -> Failure {
        Failure::give_up(anyhow!("{}: {what}", self.name))
    }
}
