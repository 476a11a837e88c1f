//! GitHub, with commit statuses.

use async_trait::async_trait;
use pointsman::sandbox::github::{GithubStandIn, NewPullRequest, Options, Role, Webhook};
use secrecy::SecretString;
use url::Url;

use super::stage::{New, OWN, PROJECT, SECRET, Stage, TOKEN};

pub(super) struct Town(GithubStandIn);

impl Town {
    pub(super) async fn new() -> Self {
        let github = GithubStandIn::start(Options::default()).await.unwrap();
        github.add_repo(PROJECT);
        github.set_permission(PROJECT, OWN, Role::Write).unwrap();
        github.add_token(TOKEN, OWN, Some(&["repo"]));
        Self(github)
    }
}

#[async_trait]
impl Stage for Town {
    fn connection(&self) -> (&'static str, &'static str) {
        ("github", "main")
    }

    fn settings(&self) -> String {
        let url = self.0.url();
        format!(
            "[github.main]\nurl = '{url}'\ntoken = 'file:forge-token'\n\
             webhook_secrets = ['file:forge-secret']\n"
        )
    }

    fn host(&self) -> String {
        self.0.host()
    }

    fn edits(&self) -> bool {
        true
    }

    async fn hook_to(&self, url: &Url) {
        let secret = SecretString::from(SECRET.to_owned());
        self.0.hook_to(Some(Webhook { url: url.clone(), secret }));
    }

    fn trust(&self, user: &str) {
        self.0.set_permission(PROJECT, user, Role::Write).unwrap();
    }

    async fn open(&self, new: &New) -> u64 {
        let new = NewPullRequest {
            repo: PROJECT.to_owned(),
            author: new.author.clone(),
            title: new.title.clone(),
            branch: new.branch.clone(),
            target: "main".to_owned(),
            head: new.head.clone(),
            draft: new.is_draft,
        };
        self.0.open(&new).await.unwrap().0
    }

    async fn push(&self, number: u64, head: &str) {
        self.0.push(PROJECT, number, head).await.unwrap();
    }

    async fn comment(&self, number: u64, user: &str, text: &str) -> u64 {
        self.0.comment((PROJECT, number), user, text).await.unwrap().0
    }

    async fn edit(&self, _number: u64, (comment, user): (u64, &str), text: &str) {
        self.0.edit_comment(PROJECT, (comment, user), text).await.unwrap();
    }

    async fn close(&self, number: u64) {
        self.0.close(PROJECT, number, "grace").await.unwrap();
    }

    async fn ready(&self, number: u64) {
        self.0.ready(PROJECT, number, "ada").await.unwrap();
    }

    fn state(&self, head: &str) -> String {
        let statuses = self.0.statuses(PROJECT, head);
        let newest = statuses.into_iter().rfind(|status| status.context == "pointsman/unit");
        newest.map(|status| status.state).unwrap_or_default()
    }

    fn comments(&self, number: u64) -> Vec<String> {
        let comments = self.0.comments(PROJECT, number).into_iter();
        comments.filter(|comment| comment.user == OWN).map(|comment| comment.text).collect()
    }
}
