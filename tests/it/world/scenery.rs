//! What stands around the service: a Jenkins, a Pagure, perhaps a broker, and its files.

use std::path::PathBuf;

use pointsman::sandbox::jenkins::{Automatic, JenkinsStandIn, JobSpec, User};
use pointsman::sandbox::pagure::{
    Announcement, Generation, NewPullRequest, Options, PagureStandIn,
};
use tempfile::TempDir;

use super::bus::Bus;

/// The project whose pull requests are built.
pub(crate) const PROJECT: &str = "signalbox";
/// The job that builds them.
pub(crate) const JOB: &str = "unit";
/// The token of the door.
pub(crate) const DOOR_TOKEN: &str = "open-sesame-0123456789";

const JENKINS_TOKEN: &str = "11c0ffee11c0ffee";
const PAGURE_TOKEN: &str = "TOKEN0SIGNALBOX";

/// A commit.
pub(crate) fn sha(letter: char) -> String {
    letter.to_string().repeat(40)
}

/// One of many commits.
pub(crate) fn sha_of(number: usize) -> String {
    format!("{number:040x}")
}

/// What stands around the service.
pub(crate) struct Scenery {
    pub(crate) folder: TempDir,
    pub(crate) jenkins: JenkinsStandIn,
    pub(crate) pagure: PagureStandIn,
    pub(crate) bus: Option<Bus>,
    /// Whether the door has a token.
    pub(crate) has_token: bool,
}

impl Scenery {
    pub(crate) fn current() -> Options {
        Options::default()
    }

    pub(crate) fn old() -> Options {
        Options { generation: Generation::Old, ..Options::default() }
    }

    pub(crate) async fn build(pagure: Options) -> Self {
        let jenkins = JenkinsStandIn::start().await.unwrap();
        jenkins.add_job(JobSpec::new(JOB, &["POINTSMAN_RUN", "BRANCH", "HEAD"]));
        jenkins.add_user(User {
            name: "pointsman".to_owned(),
            token: Some(JENKINS_TOKEN.to_owned()),
            may_build: true,
            ..User::default()
        });
        jenkins.set_automatic(Automatic::Begin);
        let pagure = PagureStandIn::start(pagure).await.unwrap();
        pagure.add_project(PROJECT, "grace");
        pagure.grant(PROJECT, "collaborator", "ada").unwrap();
        let acls = ["commit_flag", "pull_request_flag", "pull_request_comment"];
        pagure.add_token(PAGURE_TOKEN, "pointsman", None, &acls);
        Self { folder: tempfile::tempdir().unwrap(), jenkins, pagure, bus: None, has_token: true }
    }

    /// Writes the files that the service reads.
    pub(crate) fn write(&self, rules: &str, more: &str) {
        let folder = self.folder.path();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        std::fs::create_dir_all(folder.join("rules")).unwrap();
        write("rules/rules.toml", rules);
        write("jenkins-token", JENKINS_TOKEN);
        write("pagure-token", PAGURE_TOKEN);
        write("broker-password", "guest");
        write("door-token", DOOR_TOKEN);
        self.write_more(more);
        let amqp = self.bus.as_ref().map(Bus::settings).unwrap_or_default();
        let (jenkins, pagure) = (self.jenkins.url(), self.pagure.url());
        let token = if self.has_token { "token = 'file:door-token'" } else { "" };
        let settings = format!(
            r#"
            [ledger]
            path = "ledger.db"
            [rules]
            dir = "rules"
            [web]
            listen = "127.0.0.1:0"
            {token}
            [worker]
            attempts_max = 1000
            backoff_min = "5ms"
            backoff_max = "100ms"
            [jenkins.main]
            url = "{jenkins}"
            user = "pointsman"
            token = "file:jenkins-token"
            poll_min = "10ms"
            poll_max = "50ms"
            [pagure.forge]
            url = "{pagure}"
            token = "file:pagure-token"
            {amqp}
            "#
        );
        write("settings.toml", &settings);
    }

    /// Writes the settings that lie over the others.
    pub(crate) fn write_more(&self, settings: &str) {
        std::fs::write(self.folder.path().join("more.toml"), settings).unwrap();
    }

    pub(crate) fn settings_files(&self) -> [PathBuf; 2] {
        ["settings.toml", "more.toml"].map(|name| self.folder.path().join(name))
    }

    pub(crate) fn ledger_path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// Somebody opens a pull request: its number, and what is announced.
    pub(crate) fn open(&self, head: char) -> (u64, Vec<Announcement>) {
        self.open_at(&sha(head))
    }

    /// As [`Scenery::open`], at any commit.
    pub(crate) fn open_at(&self, head: &str) -> (u64, Vec<Announcement>) {
        let proposal = NewPullRequest {
            project: PROJECT.to_owned(),
            author: "ada".to_owned(),
            title: "Lock the blades".to_owned(),
            branch_from: "lock".to_owned(),
            target: "main".to_owned(),
            head: head.to_owned(),
        };
        self.pagure.add_pull_request(&proposal).unwrap()
    }

    /// The flags on a commit, a line for each.
    pub(crate) fn flags(&self, head: char) -> String {
        let flags = self.pagure.flags(PROJECT, &sha(head));
        let lines = flags.iter().map(|flag| {
            let percent = flag.percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
            format!("{}: {}{percent} <{}>", flag.status, flag.comment, flag.url)
        });
        self.masked(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// The comments of ours on a pull request.
    pub(crate) fn comments(&self, id: u64) -> String {
        let comments = self.pagure.comments(PROJECT, id);
        let ours = comments.into_iter().filter(|c| c.user == "pointsman" && !c.notification);
        self.masked(&ours.map(|comment| comment.text).collect::<Vec<_>>().join("\n---\n"))
    }

    /// The text without what is another each time: ports, and what is made from them.
    pub(crate) fn masked(&self, text: &str) -> String {
        let jenkins = self.jenkins.url().to_string();
        let jenkins = jenkins.trim_end_matches('/');
        let text = text
            .replace(jenkins, "https://ci.example")
            .replace(jenkins.trim_start_matches("http://"), "ci.example")
            .replace(&self.pagure.url(), "https://forge.example")
            .replace(self.pagure.url().trim_start_matches("http://"), "forge.example");
        mask_ids(&text)
    }
}

/// `[id]` for every hash of 32 hexadecimal digits.
pub(crate) fn mask_ids(text: &str) -> String {
    let mut masked = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() {
            word.push(c);
            continue;
        }
        masked.push_str(if word.len() == 32 { "[id]" } else { &word });
        word.clear();
        masked.push(c);
    }
    masked.pop();
    masked
}
