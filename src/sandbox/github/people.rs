//! The people's part: what they do, and the webhooks that tell of it.

use super::memory::{CheckRun, Pull, Status};
use super::{Delivery, GithubStandIn, NewPullRequest};

impl GithubStandIn {
    /// Opens a pull request; its number.
    pub async fn open(&self, new: &NewPullRequest) -> anyhow::Result<(u64, Vec<Delivery>)> {
        let (number, posts) = self.shared.memory().open(new)?;
        Ok((number, self.shared.deliver_all(posts).await))
    }

    /// Pushes to the branch of a pull request, which then has this head.
    pub async fn push(&self, repo: &str, number: u64, head: &str) -> anyhow::Result<Vec<Delivery>> {
        let posts = self.shared.memory().push(repo, number, head)?;
        Ok(self.shared.deliver_all(posts).await)
    }

    /// Pushes to a branch (`main`) or a tag (`refs/tags/v1`) of a repository.
    pub async fn push_to(
        &self,
        repo: &str,
        (branch, head): (&str, &str),
        user: &str,
    ) -> anyhow::Result<Vec<Delivery>> {
        let posts = self.shared.memory().push_to(repo, (branch, head), user)?;
        Ok(self.shared.deliver_all(posts).await)
    }

    /// Comments on a pull request; the number of the comment.
    pub async fn comment(
        &self,
        (repo, number): (&str, u64),
        author: &str,
        text: &str,
    ) -> anyhow::Result<(u64, Vec<Delivery>)> {
        let (id, posts) = self.shared.memory().add_comment((repo, number), author, text)?;
        Ok((id, self.shared.deliver_all(posts).await))
    }

    /// Changes the words of a comment.
    pub async fn edit_comment(
        &self,
        repo: &str,
        (id, editor): (u64, &str),
        text: &str,
    ) -> anyhow::Result<Vec<Delivery>> {
        let posts = self.shared.memory().edit_comment(repo, (id, editor), text)?;
        Ok(self.shared.deliver_all(posts).await)
    }

    /// Removes a comment.
    pub async fn delete_comment(
        &self,
        repo: &str,
        (id, by): (u64, &str),
    ) -> anyhow::Result<Vec<Delivery>> {
        let posts = self.shared.memory().delete_comment(repo, id, by)?;
        Ok(self.shared.deliver_all(posts).await)
    }

    /// Reviews a pull request, with words.
    pub async fn review(
        &self,
        (repo, number): (&str, u64),
        reviewer: &str,
        text: &str,
    ) -> anyhow::Result<Vec<Delivery>> {
        let posts = self.shared.memory().review((repo, number), reviewer, text)?;
        Ok(self.shared.deliver_all(posts).await)
    }

    /// Closes a pull request without merging it.
    pub async fn close(&self, repo: &str, number: u64, by: &str) -> anyhow::Result<Vec<Delivery>> {
        self.change((repo, number), (by, "closed"), |pull, _| pull.is_open = false).await
    }

    /// Merges a pull request.
    pub async fn merge(&self, repo: &str, number: u64, by: &str) -> anyhow::Result<Vec<Delivery>> {
        self.change((repo, number), (by, "closed"), |pull, now| {
            pull.is_open = false;
            pull.merged_at = Some(now.to_owned());
        })
        .await
    }

    /// Opens a closed pull request again.
    pub async fn reopen(&self, repo: &str, number: u64, by: &str) -> anyhow::Result<Vec<Delivery>> {
        self.change((repo, number), (by, "reopened"), |pull, _| pull.is_open = true).await
    }

    /// Says that a draft is ready.
    pub async fn ready(&self, repo: &str, number: u64, by: &str) -> anyhow::Result<Vec<Delivery>> {
        let change = |pull: &mut Pull, _: &str| pull.is_draft = false;
        self.change((repo, number), (by, "ready_for_review"), change).await
    }

    /// Makes a draft of a pull request.
    pub async fn draft(&self, repo: &str, number: u64, by: &str) -> anyhow::Result<Vec<Delivery>> {
        let change = |pull: &mut Pull, _: &str| pull.is_draft = true;
        self.change((repo, number), (by, "converted_to_draft"), change).await
    }

    /// Lets another CI set a status.
    pub async fn set_status(
        &self,
        (repo, commit): (&str, &str),
        (context, state): (&str, &str),
        by: &str,
    ) -> anyhow::Result<Vec<Delivery>> {
        let posts = {
            let mut memory = self.shared.memory();
            let status = Status {
                id: memory.next_id(),
                commit: commit.to_owned(),
                context: context.to_owned(),
                state: state.to_owned(),
                description: None,
                target_url: None,
                creator: by.to_owned(),
            };
            memory.repo_mut(repo)?.statuses.push(status.clone());
            vec![memory.status_post(repo, &status)]
        };
        Ok(self.shared.deliver_all(posts).await)
    }

    /// Lets another App end a check.
    pub async fn finish_check(
        &self,
        (repo, commit): (&str, &str),
        (name, conclusion): (&str, &str),
        app: &str,
    ) -> anyhow::Result<Vec<Delivery>> {
        let posts = {
            let mut memory = self.shared.memory();
            let check = CheckRun {
                id: memory.next_id(),
                commit: commit.to_owned(),
                name: name.to_owned(),
                external_id: String::new(),
                status: "completed".to_owned(),
                conclusion: Some(conclusion.to_owned()),
                title: String::new(),
                summary: String::new(),
                details_url: None,
                app: app.to_owned(),
            };
            memory.repo_mut(repo)?.checks.push(check.clone());
            vec![memory.check_post(repo, &check)]
        };
        Ok(self.shared.deliver_all(posts).await)
    }

    /// Puts a check run of our own App on a commit, as if it had been made long ago.
    pub fn plant_check(
        &self,
        repo: &str,
        commit: &str,
        (name, external_id): (&str, &str),
    ) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        let check = CheckRun {
            id: memory.next_id(),
            commit: commit.to_owned(),
            name: name.to_owned(),
            external_id: external_id.to_owned(),
            status: "queued".to_owned(),
            conclusion: None,
            title: String::new(),
            summary: String::new(),
            details_url: None,
            app: memory.app.as_ref().map(|app| app.slug.clone()).unwrap_or_default(),
        };
        memory.repo_mut(repo)?.checks.push(check);
        Ok(())
    }

    /// Puts statuses of one name on a commit, as if they had been set long ago.
    pub fn plant_statuses(
        &self,
        repo: &str,
        commit: &str,
        (context, count): (&str, usize),
    ) -> anyhow::Result<()> {
        let mut memory = self.shared.memory();
        for _ in 0..count {
            let status = Status {
                id: memory.next_id(),
                commit: commit.to_owned(),
                context: context.to_owned(),
                state: "pending".to_owned(),
                description: None,
                target_url: None,
                creator: "pointsman".to_owned(),
            };
            memory.repo_mut(repo)?.statuses.push(status);
        }
        Ok(())
    }

    async fn change(
        &self,
        (repo, number): (&str, u64),
        (by, action): (&str, &str),
        change: impl FnOnce(&mut Pull, &str) + Send,
    ) -> anyhow::Result<Vec<Delivery>> {
        let posts = self.shared.memory().change((repo, number), (by, action), change)?;
        Ok(self.shared.deliver_all(posts).await)
    }
}
