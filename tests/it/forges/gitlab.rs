//! GitLab.

use async_trait::async_trait;
use pointsman::sandbox::gitlab::{GitLabStandIn, NewMergeRequest, Options, WebHook};
use url::Url;

use super::stage::{New, OWN, PROJECT, SECRET, Stage, TOKEN};

/// May merge.
const MAINTAINER: u8 = 40;

pub(super) struct Town(GitLabStandIn);

impl Town {
    pub(super) async fn new() -> Self {
        let gitlab = GitLabStandIn::start(Options::default()).await.unwrap();
        gitlab.add_project(PROJECT);
        gitlab.add_user(OWN);
        gitlab.set_access(PROJECT, OWN, MAINTAINER).unwrap();
        gitlab.add_token(TOKEN, OWN);
        Self(gitlab)
    }
}

#[async_trait]
impl Stage for Town {
    fn connection(&self) -> (&'static str, &'static str) {
        ("gitlab", "main")
    }

    fn settings(&self) -> String {
        let url = self.0.url();
        format!(
            "[gitlab.main]\nurl = '{url}'\ntoken = 'file:forge-token'\n\
             webhook_tokens = ['file:forge-secret']\n"
        )
    }

    fn host(&self) -> String {
        self.0.url().replace("http://", "").trim_end_matches('/').to_owned()
    }

    fn edits(&self) -> bool {
        true
    }

    async fn hook_to(&self, url: &Url) {
        let hook = WebHook { url: url.clone(), token: SECRET.to_owned(), signing_token: None };
        self.0.set_hook(Some(hook));
    }

    fn trust(&self, user: &str) {
        self.0.add_user(user);
        self.0.set_access(PROJECT, user, MAINTAINER).unwrap();
    }

    async fn open(&self, new: &New) -> u64 {
        self.0.add_user(&new.author);
        let new = NewMergeRequest {
            project: PROJECT.to_owned(),
            fork: None,
            author: new.author.clone(),
            title: format!("{}{}", if new.is_draft { "Draft: " } else { "" }, new.title),
            source_branch: new.branch.clone(),
            target: "main".to_owned(),
            head: new.head.clone(),
        };
        self.0.open(&new).await.unwrap().0
    }

    async fn push(&self, number: u64, head: &str) {
        self.0.push((PROJECT, number), "mallory", head).await.unwrap();
    }

    async fn comment(&self, number: u64, user: &str, text: &str) -> u64 {
        self.0.comment((PROJECT, number), user, text).await.unwrap().0
    }

    async fn edit(&self, number: u64, (comment, user): (u64, &str), text: &str) {
        self.0.edit_comment((PROJECT, number), user, (comment, text)).await.unwrap();
    }

    async fn close(&self, number: u64) {
        self.0.close((PROJECT, number), "grace").await.unwrap();
    }

    async fn ready(&self, number: u64) {
        self.0.ready((PROJECT, number), "ada").await.unwrap();
    }

    async fn echo(&self) {
        self.0.echo().await.unwrap();
    }

    fn state(&self, head: &str) -> String {
        let mut statuses = self.0.statuses(PROJECT, head).into_iter();
        let newest = statuses.rfind(|status| !status.is_retried);
        let state = newest.map(|status| status.state).unwrap_or_default();
        match state.as_str() {
            "running" => "pending".to_owned(),
            "failed" => "failure".to_owned(),
            _ => state,
        }
    }

    fn comments(&self, number: u64) -> Vec<String> {
        let notes = self.0.notes(PROJECT, number).into_iter();
        notes.filter(|note| note.author == OWN && !note.is_system).map(|note| note.text).collect()
    }
}
