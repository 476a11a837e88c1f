//! Pagure, which posts webhooks as it publishes messages.

use std::sync::Mutex;

use async_trait::async_trait;
use pointsman::sandbox::pagure::webhook::Webhook;
use pointsman::sandbox::pagure::{Announcement, NewPullRequest, Options, PagureStandIn, Push};
use secrecy::SecretString;
use url::Url;

use super::stage::{New, OWN, PROJECT, SECRET, Stage, TOKEN};

pub(super) struct Town {
    pagure: PagureStandIn,
    webhook: Mutex<Option<Url>>,
}

impl Town {
    pub(super) async fn new() -> Self {
        let pagure = PagureStandIn::start(Options::default()).await.unwrap();
        pagure.add_project(PROJECT, "helga");
        let acls = ["commit_flag", "pull_request_flag", "pull_request_comment"];
        pagure.add_token(TOKEN, OWN, None, &acls);
        Self { pagure, webhook: Mutex::default() }
    }

    async fn announce(&self, announced: Vec<Announcement>) {
        let url = self.webhook.lock().unwrap().clone().unwrap();
        let webhook = Webhook::new(&url, SecretString::from(SECRET.to_owned())).unwrap();
        for announcement in &announced {
            let (status, answer) = webhook.send(announcement).await.unwrap();
            assert!((200..300).contains(&status), "{status} {answer}");
        }
    }
}

#[async_trait]
impl Stage for Town {
    fn connection(&self) -> (&'static str, &'static str) {
        ("pagure", "town")
    }

    fn settings(&self) -> String {
        let url = self.pagure.url();
        format!(
            "[pagure.town]\nurl = '{url}'\ntoken = 'file:forge-token'\n\
             webhook_keys = {{ \"{PROJECT}\" = 'file:forge-secret' }}\n"
        )
    }

    fn host(&self) -> String {
        self.pagure.url().replace("http://", "").trim_end_matches('/').to_owned()
    }

    fn edits(&self) -> bool {
        false
    }

    fn has_drafts(&self) -> bool {
        false
    }

    async fn hook_to(&self, url: &Url) {
        *self.webhook.lock().unwrap() = Some(url.clone());
    }

    fn trust(&self, user: &str) {
        self.pagure.grant(PROJECT, "commit", user).unwrap();
    }

    async fn open(&self, new: &New) -> u64 {
        let new = NewPullRequest {
            project: PROJECT.to_owned(),
            author: new.author.clone(),
            title: new.title.clone(),
            branch_from: new.branch.clone(),
            target: "main".to_owned(),
            head: new.head.clone(),
        };
        let (number, announced) = self.pagure.add_pull_request(&new).unwrap();
        self.announce(announced).await;
        number
    }

    async fn push(&self, number: u64, head: &str) {
        self.announce(self.pagure.push(PROJECT, number, head, Push::Added).unwrap()).await;
    }

    async fn comment(&self, number: u64, user: &str, text: &str) -> u64 {
        self.announce(self.pagure.comment(PROJECT, number, user, text).unwrap()).await;
        self.pagure.comments(PROJECT, number).last().unwrap().id
    }

    async fn edit(&self, number: u64, (comment, user): (u64, &str), text: &str) {
        let announced = self.pagure.edit_comment((PROJECT, number), comment, user, text).unwrap();
        self.announce(announced).await;
    }

    async fn close(&self, number: u64) {
        self.announce(self.pagure.close(PROJECT, number, "grace").unwrap()).await;
    }

    async fn ready(&self, _number: u64) {
        panic!("there are no drafts");
    }

    fn state(&self, head: &str) -> String {
        let newest = self.pagure.flags(PROJECT, head).into_iter().next_back();
        newest.map(|flag| flag.status).unwrap_or_default()
    }

    fn comments(&self, number: u64) -> Vec<String> {
        let comments = self.pagure.comments(PROJECT, number).into_iter();
        let ours = comments.filter(|comment| comment.user == OWN && !comment.notification);
        ours.map(|comment| comment.text).collect()
    }
}
