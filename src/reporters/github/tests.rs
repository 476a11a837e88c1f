mod comment;
mod flag;
mod forge;
mod limits;
mod login;
mod probing;

use tempfile::TempDir;

use super::*;
use crate::remote::chain;
use crate::reporters::contract::{Bench, Weather, pull_request, report};
use crate::sandbox::github::{GithubStandIn, Mood, NewPullRequest, Options, Role};

const REPO: &str = "rail/signalbox";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "ghp_SECRET0SIGNALBOX";
const PERMISSIONS: &[(&str, &str)] =
    &[("statuses", "write"), ("checks", "write"), ("pull_requests", "write")];

/// A GitHub with one pull request, and a reporter that may write there.
struct World {
    github: GithubStandIn,
    reporter: Github,
    settings: GithubSettings,
    clock: Clock,
    subject: Subject,
    secrets: TempDir,
}

impl World {
    /// With a user who has a token.
    async fn new() -> Self {
        Self::with(Clock::system(), |_| {}).await
    }

    /// With an App, and check runs.
    async fn of_app() -> Self {
        Self::with(Clock::system(), Self::be_app).await
    }

    async fn with(clock: Clock, change: impl FnOnce(&mut Self)) -> Self {
        let options = Options { clock: clock.clone(), hook: None };
        let github = GithubStandIn::start(options).await.unwrap();
        github.add_repo(REPO);
        github.add_token(TOKEN, "pointsman", Some(&["repo"]));
        github.set_permission(REPO, "pointsman", Role::Write).unwrap();
        let new = NewPullRequest {
            repo: REPO.to_owned(),
            author: "ada".to_owned(),
            title: "Lock the blades".to_owned(),
            branch: "lock".to_owned(),
            target: "main".to_owned(),
            head: HEAD.to_owned(),
            draft: false,
        };
        let (number, _) = github.open(&new).await.unwrap();
        let secrets = TempDir::new().unwrap();
        let token = secrets.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let settings = settings(&github.url(), Some(SecretRef::File(token)));
        let reporter = Github::new("main", github.host(), &settings, clock.clone()).unwrap();
        let subject = pull_request(&github.host(), REPO, number);
        let mut world = Self { github, reporter, settings, clock, subject, secrets };
        change(&mut world);
        world.again();
        world
    }

    fn be_app(&mut self) {
        let id = self.github.add_app("points", PERMISSIONS);
        self.github.install(REPO).unwrap();
        let key = self.secrets.path().join("key");
        std::fs::write(&key, GithubStandIn::APP_KEY).unwrap();
        self.settings.token = None;
        self.settings.app_id = Some(id);
        self.settings.private_key = Some(SecretRef::File(key));
        self.settings.checks = Checks::CheckRun;
    }

    /// Makes the reporter anew, with the settings as they are now.
    fn again(&mut self) {
        let (host, clock) = (self.github.host(), self.clock.clone());
        self.reporter = Github::new("main", host, &self.settings, clock).unwrap();
    }

    fn report(&self, form: Form) -> Report {
        report(&self.subject, HEAD, form)
    }

    fn weather(&self, weather: Weather) {
        match weather {
            Weather::Fair => self.github.set_mood(Mood::Normal),
            Weather::LosesAnswer => self.github.lose_answers(1),
            Weather::TooMany => self.github.set_mood(Mood::TooMany { retry_after: 7 }),
            Weather::Broken => self.github.set_mood(Mood::Failing(502)),
            Weather::Refuses => self.github.set_mood(Mood::Failing(401)),
        }
    }

    fn comments(&self) -> Vec<String> {
        let comments = self.github.comments(REPO, self.subject.number);
        comments.into_iter().map(|comment| comment.text).collect()
    }

    /// The words beside the states of the commit.
    fn flags(&self) -> Vec<String> {
        let statuses = self.github.statuses(REPO, HEAD).into_iter();
        let statuses = statuses.filter_map(|status| status.description);
        let checks = self.github.check_runs(REPO, HEAD).into_iter();
        statuses.chain(checks.map(|check| check.summary)).collect()
    }

    async fn keeps_its_promises(&self, form: Form) {
        let weather = |weather| self.weather(weather);
        let seen = || match form {
            Form::Flag => self.flags(),
            Form::Comment | Form::Message => self.comments(),
        };
        let bench = Bench {
            reporter: &self.reporter,
            report: self.report(form),
            weather: &weather,
            seen: &seen,
        };
        bench.keeps_its_promises().await;
        if form == Form::Comment {
            bench.keeps_its_board().await;
        }
    }

    async fn fails(&self, report: &Report) -> Failure {
        let failure = self.reporter.tell(report, Try::First).await.unwrap_err();
        let text = format!("{} {failure:?}", chain(&failure));
        assert!(!text.contains(TOKEN) && !text.contains("ghs_"), "{text}");
        failure
    }
}

fn settings(url: &str, token: Option<SecretRef>) -> GithubSettings {
    GithubSettings {
        url: Url::parse(url).unwrap(),
        api_url: None,
        token,
        app_id: None,
        installation_id: None,
        private_key: None,
        webhook_secrets: Vec::new(),
        checks: Checks::Status,
        context_prefix: GithubSettings::context_prefix(),
        concurrency: 1,
        timeout: Duration::from_secs(30),
        people: People::default(),
    }
}

#[tokio::test]
async fn a_status_keeps_the_promises_of_a_report() {
    World::new().await.keeps_its_promises(Form::Flag).await;
}

#[tokio::test]
async fn a_check_run_keeps_the_promises_of_a_report() {
    World::of_app().await.keeps_its_promises(Form::Flag).await;
}

#[tokio::test]
async fn a_comment_keeps_the_promises_of_a_report() {
    World::new().await.keeps_its_promises(Form::Comment).await;
}

#[tokio::test]
async fn a_comment_of_an_app_keeps_the_promises_of_a_report() {
    World::of_app().await.keeps_its_promises(Form::Comment).await;
}

#[tokio::test]
async fn what_has_no_place_on_github_is_given_up() {
    let world = World::new().await;
    let message = world.report(Form::Message);
    let mut job = world.report(Form::Flag);
    job.subject.kind = SubjectKind::Job;
    let mut branch = world.report(Form::Comment);
    branch.subject.kind = SubjectKind::Branch;
    branch.subject.name = Some("main".to_owned());
    let mut series = world.report(Form::Flag);
    series.revision = "v3".to_owned();
    let mut texts = Vec::new();
    for report in [message, job, branch, series] {
        let failure = world.fails(&report).await;
        assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
        texts.push(chain(&failure).replace(&world.github.host(), "github.example"));
    }
    for project in ["rail/../admin", "rail", "../user", "a/b/c", "rail/", "rail/x y", "rail/.."] {
        let mut escape = world.report(Form::Flag);
        escape.subject.project = project.to_owned();
        let failure = world.fails(&escape).await;
        assert!(chain(&failure).contains("is no repository"), "{project}: {failure:?}");
    }
    insta::assert_snapshot!(texts.join("\n"), @r"
    permanent failure: GitHub has statuses and comments, but no messages
    permanent failure: `github.example/rail/signalbox@1` has no place on GitHub: a job has no commit there
    permanent failure: `github.example/rail/signalbox:main` has no place on GitHub: comments are made on pull requests only
    permanent failure: `v3` is no commit id (40 or 64 hexadecimal digits)
    ");
}

#[test]
fn the_api_is_found_by_the_address_of_the_pages() {
    let api = |url: &str, api_url: Option<&str>| {
        let mut settings = settings(url, None);
        settings.api_url = api_url.map(|url| Url::parse(url).unwrap());
        settings.api().unwrap().to_string()
    };
    assert_eq!(api("https://github.com", None), "https://api.github.com/");
    assert_eq!(api("https://github.example/", None), "https://github.example/api/v3");
    assert_eq!(api("https://example.org/git", None), "https://example.org/git/api/v3");
    let own = "https://api.acme.ghe.example/";
    assert_eq!(api("https://acme.ghe.example", Some(own)), own);
}

#[tokio::test]
async fn a_series_has_no_place_here() {
    let world = World::new().await;
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
    world.github.set_mood(Mood::Failing(503));
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
}
