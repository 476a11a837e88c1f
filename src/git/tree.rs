//! A series from its mails to the branch that is pushed: the steps, in their order.

use std::time::Duration;

use async_trait::async_trait;

use super::apply::{self, Fit, Patches};
use super::base::Candidates;
use super::call::Call;
use super::names;
use super::push::Pushed;
use super::repository::Repository;
use super::stop::Stop;
use super::touched::Touched;
use super::{Outcome, Tree, Work};
use crate::action::PushOrder;
use crate::event::series::Branch;
use crate::remote::Failure;
use crate::subject::CommitSha;

#[async_trait]
impl Tree for Repository {
    async fn apply(&self, work: &Work<'_>) -> Result<Outcome, Failure> {
        match self.put_on_a_branch(work).await {
            Ok(branch) => Ok(Outcome::Applied(branch)),
            Err(Stop::Conflict(refusal)) => Ok(Outcome::Conflict(refusal)),
            Err(Stop::Held(refusal)) => Ok(Outcome::Held(refusal)),
            Err(Stop::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    async fn push(&self, order: &PushOrder) -> Result<(), Failure> {
        let PushOrder { name, sha, .. } = order;
        self.refuse_foreign(name)?;
        self.ready().await?;
        if !self.has(sha).await? && !self.bring_back_part(name, sha).await? {
            return Err(self.give_up(&format!("the commit `{sha}` is not in our repository")));
        }
        self.keep(name, sha).await?;
        match self.push_new(name, sha).await? {
            Pushed::Done => Ok(()),
            Pushed::Taken(stands) => Err(self.taken(name, &stands)),
        }
    }

    fn patience(&self) -> Duration {
        self.settings.wait
    }

    async fn prepare(&self) -> Result<(), Failure> {
        let asked = self.clock.now();
        self.ready().await?;
        self.refresh(asked, self.settings.fresh).await
    }

    async fn tidy(&self) -> Result<(), Failure> {
        self.ready().await?;
        self.collect_garbage().await
    }

    async fn remove(&self, name: &str, sha: &CommitSha) -> Result<(), Failure> {
        self.refuse_foreign(name)?;
        self.ready().await?;
        self.unpush(name, sha).await?;
        if self.own_branch(name).await?.as_ref() == Some(sha) {
            let reference = format!("refs/heads/{name}");
            let call = Call::new(["update-ref", "-d", reference.as_str(), sha.as_str()]);
            self.local(call).await?;
        }
        Ok(())
    }
}

impl Repository {
    async fn put_on_a_branch(&self, work: &Work<'_>) -> Result<Branch, Stop> {
        let asked = self.clock.now();
        self.ready().await?;
        self.refresh(asked, self.settings.fresh).await?;
        let how = self.how(Fit::Plain, work.order.is_approved);
        let patches = apply::read(&self.git, &work.letters, &how).await?;
        let candidates = self.candidates(work, &Touched::of(patches.diffs()), asked).await?;
        let name = names::of_series(&self.settings.prefix, work.order);
        let (name, series) = (name.as_str(), (work, &patches));
        // Somebody may have done all this, and died before it was written down: the upstream has
        // gone on since, and the series is not to be built twice.
        if let Some(stands) = self.own_branch(name).await?
            && let Some(branch) = self.recognize((name, &stands), series, &candidates).await?
        {
            return self.publish(branch, series, &candidates).await;
        }
        let branch = self.search(name, series, candidates.clone()).await?;
        self.publish(branch, series, &candidates).await
    }

    /// Pushes the branch, or finds it where it was pushed before our repository was lost.
    async fn publish(
        &self,
        branch: Branch,
        series: (&Work<'_>, &Patches),
        candidates: &Candidates,
    ) -> Result<Branch, Stop> {
        let name = branch.name.as_str();
        let stands = match self.push_new(name, &branch.sha).await? {
            Pushed::Done => {
                self.keep(name, &branch.sha).await?;
                return Ok(branch);
            }
            Pushed::Taken(stands) => stands,
        };
        let reference = format!("refs/taken/{name}");
        self.bring_back(name, &reference).await?;
        let recognized = self.recognize((name, &stands), series, candidates).await?;
        if recognized.is_some() {
            self.keep(name, &stands).await?;
        }
        self.local(Call::new(["update-ref", "-d", reference.as_str()])).await?;
        recognized.ok_or_else(|| Stop::Failed(self.taken(name, &stands)))
    }

    /// Whether a commit that the branch `name` is to be at could be fetched once more: our own
    /// repository may have been made anew since it was made.
    ///
    /// A base is the upstream's; a part of a series is in the branch of the whole.
    async fn bring_back_part(&self, name: &str, sha: &CommitSha) -> Result<bool, Failure> {
        self.refresh(self.clock.now(), Duration::ZERO).await?;
        let Some((whole, _)) = name.rsplit_once("-p") else { return self.has(sha).await };
        if !self.has(sha).await? && self.pushed(whole).await?.is_some() {
            let reference = format!("refs/taken/{whole}");
            self.bring_back(whole, &reference).await?;
            if self.has(sha).await? {
                self.keep(name, sha).await?;
            }
            self.local(Call::new(["update-ref", "-d", reference.as_str()])).await?;
        }
        self.has(sha).await
    }

    /// Remembers a branch of ours, so that its commits stay.
    async fn keep(&self, name: &str, sha: &CommitSha) -> Result<(), Failure> {
        let reference = format!("refs/heads/{name}");
        self.local(Call::new(["update-ref", reference.as_str(), sha.as_str()])).await?;
        Ok(())
    }

    fn taken(&self, name: &str, stands: &CommitSha) -> Failure {
        self.give_up(&format!(
            "the branch `{name}` is at `{}` already, at something else than this; a branch is \
             never moved: remove it, or have the series put on a newer base",
            stands.short()
        ))
    }

    /// Only what has our prefix is ours to make and to remove.
    fn refuse_foreign(&self, name: &str) -> Result<(), Failure> {
        let rest = name.strip_prefix(self.settings.prefix.as_str());
        let is_ours = rest.is_some_and(|rest| rest.starts_with('/')) && names::is_branch(name);
        if is_ours { Ok(()) } else { Err(self.give_up(&format!("`{name}` is no branch of ours"))) }
    }
}
