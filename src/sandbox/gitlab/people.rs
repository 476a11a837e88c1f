//! What people do on the stand-in, and what is posted about it.

use serde_json::{Value, json};

use super::hooks::{Change, post};
use super::memory::{Member, Memory, State};
use super::{GitLabStandIn, Hooked, NewMergeRequest};

/// What `X-Gitlab-Event` says of merge requests.
const REQUEST: &str = "Merge Request Hook";
/// What it says of comments.
const NOTE: &str = "Note Hook";

impl GitLabStandIn {
    /// Opens a merge request; its number, and what was posted.
    pub async fn open(&self, new: &NewMergeRequest) -> anyhow::Result<(u64, Hooked)> {
        let (iid, body) = {
            let mut memory = self.shared.memory();
            let iid = memory.add_request(new)?;
            let author = memory.user(&new.author);
            let place = (new.project.as_str(), iid);
            (iid, memory.request_hook(place, author, "open", Change::default())?)
        };
        Ok((iid, self.post(REQUEST, body).await?))
    }

    /// Pushes to the branch of a merge request, which then has this head, also back to an old one.
    pub async fn push(
        &self,
        (project, iid): (&str, u64),
        user: &str,
        head: &str,
    ) -> anyhow::Result<Hooked> {
        let body = {
            let mut memory = self.shared.memory();
            let user = memory.user(user);
            let change =
                Change { oldrev: Some(memory.move_head(project, iid, head)?), ..Change::default() };
            // GitLab makes the message before it touches the merge request.
            let body = memory.request_hook((project, iid), user, "update", change)?;
            memory.touch(project, iid)?;
            body
        };
        self.post(REQUEST, body).await
    }

    /// Closes a merge request without merging it.
    pub async fn close(&self, place: (&str, u64), user: &str) -> anyhow::Result<Hooked> {
        self.turn(place, user, (State::Closed, "close")).await
    }

    /// Merges a merge request.
    pub async fn merge(&self, place: (&str, u64), user: &str) -> anyhow::Result<Hooked> {
        self.turn(place, user, (State::Merged, "merge")).await
    }

    /// Opens a closed merge request again.
    pub async fn reopen(&self, place: (&str, u64), user: &str) -> anyhow::Result<Hooked> {
        self.turn(place, user, (State::Opened, "reopen")).await
    }

    /// Says that a draft is ready.
    pub async fn ready(&self, place: (&str, u64), user: &str) -> anyhow::Result<Hooked> {
        let title = self.title(place)?;
        self.retitle(place, user, title.trim_start_matches("Draft: ")).await
    }

    /// Makes a merge request a draft.
    pub async fn draft(&self, place: (&str, u64), user: &str) -> anyhow::Result<Hooked> {
        let title = self.title(place)?;
        self.retitle(place, user, &format!("Draft: {title}")).await
    }

    /// Gives a merge request another title.
    pub async fn retitle(
        &self,
        (project, iid): (&str, u64),
        user: &str,
        title: &str,
    ) -> anyhow::Result<Hooked> {
        let body = {
            let mut memory = self.shared.memory();
            let user = memory.user(user);
            let request = memory.request_mut(project, iid)?;
            let (was_draft, was) = (request.is_draft(), request.title.clone());
            title.clone_into(&mut request.title);
            let is_draft = request.is_draft();
            memory.touch(project, iid)?;
            let mut change = Change::default();
            let changes = &mut change.changes;
            changes.insert("title".to_owned(), json!({ "previous": was, "current": title }));
            if was_draft != is_draft {
                let draft = json!({ "previous": was_draft, "current": is_draft });
                changes.insert("draft".to_owned(), draft);
            }
            memory.request_hook((project, iid), user, "update", change)?
        };
        self.post(REQUEST, body).await
    }

    /// Comments on a merge request; the number of the comment, and what was posted.
    pub async fn comment(
        &self,
        place: (&str, u64),
        user: &str,
        text: &str,
    ) -> anyhow::Result<(u64, Hooked)> {
        let (id, body) = {
            let mut memory = self.shared.memory();
            let user = memory.user(user);
            let id = memory.write(place, user, text)?;
            (id, memory.told(place, user, (id, "create"))?)
        };
        Ok((id, self.post(NOTE, body).await?))
    }

    /// Changes the words of a comment, of whomever it is.
    pub async fn edit_comment(
        &self,
        place: (&str, u64),
        user: &str,
        (id, text): (u64, &str),
    ) -> anyhow::Result<Hooked> {
        let body = {
            let mut memory = self.shared.memory();
            let (user, now) = (memory.user(user), memory.now());
            let notes = &mut memory.request_mut(place.0, place.1)?.notes;
            for note in notes.iter_mut().filter(|note| note.id == id) {
                text.clone_into(&mut note.text);
                note.updated = now;
            }
            memory.told(place, user, (id, "update"))?
        };
        self.post(NOTE, body).await
    }

    /// Pushes to a branch of a project, or removes it.
    pub async fn push_branch(
        &self,
        (project, branch): (&str, &str),
        user: &str,
        head: Option<&str>,
    ) -> anyhow::Result<Hooked> {
        let reference = format!("refs/heads/{branch}");
        let body = {
            let mut memory = self.shared.memory();
            let user = memory.user(user);
            let branches = &mut memory.project_mut(project)?.branches;
            let before = match head {
                Some(head) => branches.insert(branch.to_owned(), head.to_owned()),
                None => branches.remove(branch),
            };
            memory.project_mut(project)?.commits.extend(head.map(str::to_owned));
            memory.push_hook(project, user, (&reference, before.as_deref(), head))?
        };
        self.post("Push Hook", body).await
    }

    /// Makes a tag.
    pub async fn push_tag(
        &self,
        (project, tag): (&str, &str),
        user: &str,
        head: &str,
    ) -> anyhow::Result<Hooked> {
        let reference = format!("refs/tags/{tag}");
        let body = {
            let mut memory = self.shared.memory();
            let user = memory.user(user);
            memory.project_mut(project)?.commits.insert(head.to_owned());
            memory.push_hook(project, user, (&reference, None, Some(head)))?
        };
        self.post("Tag Push Hook", body).await
    }

    /// Posts what calls to the API have caused and nobody has posted yet, oldest first.
    pub async fn echo(&self) -> anyhow::Result<Vec<Hooked>> {
        let waiting = std::mem::take(&mut self.shared.memory().echoes);
        let mut posted = Vec::new();
        for Hooked { event, body, .. } in waiting {
            posted.push(self.post(&event, body).await?);
        }
        Ok(posted)
    }

    /// Posts once more what was posted before, as the button for it does.
    pub async fn resend(&self, hooked: &Hooked) -> anyhow::Result<Hooked> {
        self.post(&hooked.event, hooked.body.clone()).await
    }

    async fn turn(
        &self,
        (project, iid): (&str, u64),
        user: &str,
        (state, action): (State, &str),
    ) -> anyhow::Result<Hooked> {
        let body = {
            let mut memory = self.shared.memory();
            let user = memory.user(user);
            memory.request_mut(project, iid)?.state = state;
            memory.touch(project, iid)?;
            memory.request_hook((project, iid), user, action, Change::default())?
        };
        self.post(REQUEST, body).await
    }

    fn title(&self, (project, iid): (&str, u64)) -> anyhow::Result<String> {
        Ok(self.shared.memory().request(project, iid)?.1.title.clone())
    }

    pub(super) async fn post(&self, event: &str, body: Value) -> anyhow::Result<Hooked> {
        let (hook, clock, id) = {
            let mut memory = self.shared.memory();
            (memory.hook(), memory.options.clock.clone(), memory.next_id())
        };
        let status = match &hook {
            Some(hook) => Some(post(hook, (event, &body), (&clock, id)).await?),
            None => None,
        };
        Ok(Hooked { event: event.to_owned(), body, status })
    }
}

impl Memory {
    pub(super) fn set_member(
        &mut self,
        project: &str,
        user: &str,
        (access_level, expires_at, is_active): (u8, Option<&str>, bool),
    ) -> anyhow::Result<()> {
        let user = self.user(user);
        let members = &mut self.project_mut(project)?.members;
        let expires_at = expires_at.map(str::to_owned);
        if access_level == 0 {
            members.remove(&user);
        } else {
            members.insert(user, Member { access_level, expires_at, is_active });
        }
        Ok(())
    }

    fn touch(&mut self, project: &str, iid: u64) -> anyhow::Result<()> {
        let now = self.now();
        self.request_mut(project, iid)?.updated = now;
        Ok(())
    }

    /// What is posted about a comment; the merge request is touched after it is made.
    fn told(
        &mut self,
        (project, iid): (&str, u64),
        user: u64,
        (id, action): (u64, &str),
    ) -> anyhow::Result<Value> {
        let note = self.request(project, iid)?.1.notes.iter().find(|note| note.id == id).cloned();
        let note = note.ok_or_else(|| anyhow::anyhow!("no such comment"))?;
        let body = self.note_hook((project, iid), user, (&note, action))?;
        self.touch(project, iid)?;
        Ok(body)
    }
}
