//! GitLab.

use std::collections::BTreeMap;
use std::sync::Mutex;

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

/// A GitLab.
pub(super) struct Town {
    gitlab: GitLabStandIn,
    /// Who opened what.
    authors: Mutex<BTreeMap<u64, String>>,
    /// Whether its webhooks are signed instead of carrying a token.
    is_signing: bool,
}

impl Town {
    pub(super) async fn new() -> Self {
        let gitlab = GitLabStandIn::start(Options::default()).await.unwrap();
        gitlab.add_project(PROJECT);
        gitlab.add_user(OWN);
        gitlab.set_access(PROJECT, OWN, MAINTAINER).unwrap();
        gitlab.add_token(TOKEN, OWN);
        Self { gitlab, authors: Mutex::default(), is_signing: false }
    }

    /// One whose webhooks are signed.
    pub(super) async fn signing() -> Self {
        Self { is_signing: true, ..Self::new().await }
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
        let url = self.gitlab.url();
        let proof = if self.is_signing { "webhook_signing_tokens" } else { "webhook_tokens" };
        format!(
            "[gitlab.main]\nurl = '{url}'\ntoken = 'file:forge-token'\n\
             {proof} = ['file:forge-secret']\n"
        )
    }

    fn secret(&self) -> String {
        if self.is_signing { signing_token() } else { SECRET.to_owned() }
    }

    fn host(&self) -> String {
        self.gitlab.url().replace("http://", "").trim_end_matches('/').to_owned()
    }

    fn edits(&self) -> bool {
        true
    }

    async fn hook_to(&self, url: &Url) {
        let token = if self.is_signing { "" } else { SECRET };
        let signing_token = self.is_signing.then(signing_token);
        self.gitlab.set_hook(Some(WebHook {
            url: url.clone(),
            token: token.to_owned(),
            signing_token,
        }));
    }

    fn trust(&self, user: &str) {
        self.gitlab.add_user(user);
        self.gitlab.set_access(PROJECT, user, MAINTAINER).unwrap();
    }

    async fn open(&self, new: &New) -> u64 {
        self.gitlab.add_user(&new.author);
        let new = NewMergeRequest {
            project: PROJECT.to_owned(),
            fork: None,
            author: new.author.clone(),
            title: format!("{}{}", if new.is_draft { "Draft: " } else { "" }, new.title),
            source_branch: new.branch.clone(),
            target: "main".to_owned(),
            head: new.head.clone(),
        };
        let author = new.author.clone();
        let number = self.gitlab.open(&new).await.unwrap().0;
        self.authors.lock().unwrap().insert(number, author);
        number
    }

    async fn push(&self, number: u64, head: &str) {
        let author = self.authors.lock().unwrap()[&number].clone();
        self.gitlab.push((PROJECT, number), &author, head).await.unwrap();
    }

    async fn comment(&self, number: u64, user: &str, text: &str) -> u64 {
        self.gitlab.comment((PROJECT, number), user, text).await.unwrap().0
    }

    async fn edit(&self, number: u64, (comment, user): (u64, &str), text: &str) {
        self.gitlab.edit_comment((PROJECT, number), user, (comment, text)).await.unwrap();
    }

    async fn close(&self, number: u64) {
        self.gitlab.close((PROJECT, number), "grace").await.unwrap();
    }

    async fn ready(&self, number: u64) {
        self.gitlab.ready((PROJECT, number), "ada").await.unwrap();
    }

    async fn echo(&self) {
        self.gitlab.echo().await.unwrap();
    }

    fn state(&self, head: &str) -> String {
        let mut statuses = self.gitlab.statuses(PROJECT, head).into_iter();
        let newest = statuses.rfind(|status| !status.is_retried);
        let state = newest.map(|status| status.state).unwrap_or_default();
        match state.as_str() {
            "running" => "pending".to_owned(),
            "failed" => "failure".to_owned(),
            _ => state,
        }
    }

    fn comments(&self, number: u64) -> Vec<String> {
        let notes = self.gitlab.notes(PROJECT, number).into_iter();
        notes.filter(|note| note.author == OWN && !note.is_system).map(|note| note.text).collect()
    }
}
