//! GitLab.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pointsman::sandbox::gitlab::{GitLabStandIn, NewMergeRequest, Options, WebHook};
use url::Url;

use super::stage::{New, OWN, PROJECT, SECRET, Stage, TOKEN};

/// May merge.
const MAINTAINER: u8 = 40;

/// A key with which webhooks are signed.
pub(super) const SIGNING_KEY: &[u8] = b"a-key-of-the-doors-0123456789abc";

/// A GitLab, and whether its webhooks are signed instead of carrying a token.
pub(super) struct Town(GitLabStandIn, bool);

impl Town {
    pub(super) async fn new() -> Self {
        let gitlab = GitLabStandIn::start(Options::default()).await.unwrap();
        gitlab.add_project(PROJECT);
        gitlab.add_user(OWN);
        gitlab.set_access(PROJECT, OWN, MAINTAINER).unwrap();
        gitlab.add_token(TOKEN, OWN);
        Self(gitlab, false)
    }

    /// One whose webhooks are signed.
    pub(super) async fn signing() -> Self {
        Self(Self::new().await.0, true)
    }
}

/// [`SIGNING_KEY`] as people write it.
pub(super) fn signing_token() -> String {
    format!("whsec_{}", STANDARD.encode(SIGNING_KEY))
}

#[async_trait]
impl Stage for Town {
    fn connection(&self) -> (&'static str, &'static str) {
        ("gitlab", "main")
    }

    fn settings(&self) -> String {
        let url = self.0.url();
        let proof = if self.1 { "webhook_signing_tokens" } else { "webhook_tokens" };
        format!(
            "[gitlab.main]\nurl = '{url}'\ntoken = 'file:forge-token'\n\
             {proof} = ['file:forge-secret']\n"
        )
    }

    fn secret(&self) -> String {
        if self.1 { signing_token() } else { SECRET.to_owned() }
    }

    fn host(&self) -> String {
        self.0.url().replace("http://", "").trim_end_matches('/').to_owned()
    }

    fn edits(&self) -> bool {
        true
    }

    async fn hook_to(&self, url: &Url) {
        let token = if self.1 { "" } else { SECRET };
        let signing_token = self.1.then(signing_token);
        self.0.set_hook(Some(WebHook { url: url.clone(), token: token.to_owned(), signing_token }));
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
