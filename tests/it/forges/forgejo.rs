//! Forgejo and Gitea.

use async_trait::async_trait;
use pointsman::clock::Clock;
use pointsman::sandbox::forgejo::{ForgejoStandIn, NewPullRequest};
use secrecy::SecretString;
use url::Url;

use super::stage::{New, OWN, PROJECT, SECRET, Stage, TOKEN};

pub(super) struct Town {
    forgejo: ForgejoStandIn,
    own: i64,
}

impl Town {
    pub(super) async fn new() -> Self {
        let forgejo = ForgejoStandIn::start(Clock::system()).await.unwrap();
        forgejo.add_project(PROJECT).unwrap();
        let own = forgejo.add_user(OWN);
        forgejo.set_permission(PROJECT, OWN, "admin").unwrap();
        forgejo.add_token(TOKEN, OWN);
        Self { forgejo, own }
    }
}

#[async_trait]
impl Stage for Town {
    fn connection(&self) -> (&'static str, &'static str) {
        ("forgejo", "main")
    }

    fn settings(&self) -> String {
        let url = self.forgejo.url();
        format!(
            "[forgejo.main]\nurl = '{url}'\ntoken = 'file:forge-token'\n\
             webhook_secrets = ['file:forge-secret']\n"
        )
    }

    fn host(&self) -> String {
        self.forgejo.url().replace("http://", "").trim_end_matches('/').to_owned()
    }

    fn edits(&self) -> bool {
        true
    }

    async fn hook_to(&self, url: &Url) {
        self.forgejo.set_webhook(url, SecretString::from(SECRET.to_owned())).unwrap();
    }

    fn trust(&self, user: &str) {
        self.forgejo.add_user(user);
        self.forgejo.set_permission(PROJECT, user, "write").unwrap();
    }

    async fn open(&self, new: &New) -> u64 {
        let new = NewPullRequest {
            project: PROJECT.to_owned(),
            author: new.author.clone(),
            title: format!("{}{}", if new.is_draft { "WIP: " } else { "" }, new.title),
            branch: new.branch.clone(),
            target: "main".to_owned(),
            head: new.head.clone(),
        };
        self.forgejo.open(&new).await.unwrap()
    }

    async fn push(&self, number: u64, head: &str) {
        self.forgejo.push(PROJECT, number, head).await.unwrap();
    }

    async fn comment(&self, number: u64, user: &str, text: &str) -> u64 {
        self.forgejo.comment(PROJECT, number, user, text).await.unwrap()
    }

    async fn edit(&self, _number: u64, (comment, user): (u64, &str), text: &str) {
        self.forgejo.edit_comment(PROJECT, comment, user, text).await.unwrap();
    }

    async fn close(&self, number: u64) {
        self.forgejo.close(PROJECT, number, "grace").await.unwrap();
    }

    async fn ready(&self, number: u64) {
        self.forgejo.ready(PROJECT, number).await.unwrap();
    }

    fn state(&self, head: &str) -> String {
        let statuses = self.forgejo.statuses(PROJECT, head);
        let newest = statuses.into_iter().rfind(|status| status.context == "pointsman/unit");
        newest.map(|status| status.state).unwrap_or_default()
    }

    fn comments(&self, number: u64) -> Vec<String> {
        let comments = self.forgejo.comments(PROJECT, number).into_iter();
        comments.filter(|comment| comment.user == self.own).map(|comment| comment.text).collect()
    }
}
