//! Whether a repository can be used: asked before anything depends on it, and changing nothing
//! but our own folder.

use std::collections::BTreeMap;

use super::call::{Call, Limits};
use super::repository::Repository;
use super::upstream::heads;
use crate::remote::chain;
use crate::subject::CommitSha;

impl Repository {
    /// Looks at git itself, at each upstream and its branches, and whether a branch of ours could
    /// be pushed.  Answers with what was looked at, and what is wrong with it.
    ///
    /// Nothing is pushed, so that what a server asks only then, such as the rules for a branch's
    /// name, is not seen.
    pub async fn probe(&self) -> Vec<(String, Option<String>)> {
        if let Err(failure) = self.ready().await {
            return vec![("our own repository".to_owned(), Some(chain(&failure)))];
        }
        let mut found = vec![("our own repository".to_owned(), None)];
        for (upstream, branches) in self.by_upstream() {
            let address = self.upstream_at(upstream);
            let heads = heads(&branches);
            let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
            let there = match self.listed(address, &heads).await {
                Ok(there) => there.into_iter().collect::<BTreeMap<_, _>>(),
                Err(failure) => {
                    found.push((format!("upstream `{address}`"), Some(chain(&failure))));
                    continue;
                }
            };
            for ((branch, _), head) in branches.iter().zip(heads) {
                let problem = format!("there is no such branch at `{address}`");
                let problem = (!there.contains_key(head)).then_some(problem);
                found.push((format!("base `{branch}`"), problem));
            }
        }
        let subject = format!("branches at `{}`", self.settings.push);
        found.push((subject, self.why_not_push().await));
        found
    }

    /// What keeps us from pushing, as far as that can be seen without doing it.
    async fn why_not_push(&self) -> Option<String> {
        let sha = match self.empty_commit().await {
            Ok(sha) => sha,
            Err(error) => return Some(error),
        };
        let refspec = format!("{sha}:refs/heads/{}/probe", self.settings.prefix);
        let address = &self.settings.push;
        let limits = Limits { time: self.settings.push_timeout, ..Limits::PUSH };
        // It logs in as for a push, and is told there whether it may.
        let call = Call::new(["push", "--dry-run", "--quiet", "--no-verify", "--no-follow-tags"])
            .arg("--")
            .arg(address.as_str())
            .arg(refspec)
            .limits(limits);
        match self.git.run(self.access.open(call, address)).await {
            Ok(output) if output.is_done() => None,
            Ok(output) => Some(format!("nothing can be pushed: {}", output.complaint())),
            Err(failure) => Some(chain(&failure)),
        }
    }

    /// A commit with nothing in it, always the same.
    async fn empty_commit(&self) -> Result<CommitSha, String> {
        let ask = async |call: Call| -> Result<String, String> {
            let output = self.local(call).await.map_err(|failure| chain(&failure))?;
            Ok(output.text())
        };
        let tree = ask(Call::new(["mktree"])).await?;
        let mut call = Call::new(["commit-tree", tree.as_str()]).stdin("Can this be pushed?\n");
        for role in ["AUTHOR", "COMMITTER"] {
            call = call
                .env(format!("GIT_{role}_NAME"), &self.committer.name)
                .env(format!("GIT_{role}_EMAIL"), &self.committer.email)
                .env(format!("GIT_{role}_DATE"), "@0 +0000");
        }
        CommitSha::try_from(ask(call).await?).map_err(|error| error.to_string())
    }
}
