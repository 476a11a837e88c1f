use std::collections::BTreeSet;

use tempfile::TempDir;

use super::*;
use crate::action::Stage;
use crate::event::EventKind;
use crate::event::proposal::Standing;
use crate::forges::{Account, Forge, Person};
use crate::remote::chain;
use crate::reporters::contract::{Bench, Weather, notice, pull_request, report};
use crate::sandbox::forgejo::{ForgejoStandIn, Mood, NewPullRequest, Status};
use crate::subject::Verdict;

const PROJECT: &str = "rail/signalbox";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "SECRET0SIGNALBOX";

/// A Forgejo with one pull request, and a reporter whose user administers its project.
struct World {
    stand_in: ForgejoStandIn,
    reporter: Forgejo,
    subject: Subject,
    _secrets: TempDir,
}

impl World {
    async fn new() -> Self {
        let stand_in = ForgejoStandIn::start(Clock::system()).await.unwrap();
        stand_in.add_project(PROJECT).unwrap();
        stand_in.add_token(TOKEN, "pointsman");
        stand_in.set_permission(PROJECT, "pointsman", "admin").unwrap();
        let number = stand_in.open(&proposal("ada", "Lock the blades")).await.unwrap();
        let secrets = TempDir::new().unwrap();
        let file = secrets.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let settings = ForgejoSettings {
            url: Url::parse(&stand_in.url()).unwrap(),
            token: SecretRef::File(file),
            webhook_secrets: Vec::new(),
            context_prefix: ForgejoSettings::context_prefix(),
            concurrency: 1,
            timeout: Duration::from_secs(30),
            people: People::default(),
        };
        let instance = "forge.example".to_owned();
        Self {
            reporter: Forgejo::new("main", instance, &settings, Clock::system()).unwrap(),
            subject: pull_request("forge.example", PROJECT, number),
            stand_in,
            _secrets: secrets,
        }
    }

    fn report(&self, form: Form) -> Report {
        report(&self.subject, HEAD, form)
    }

    fn statuses(&self) -> Vec<Status> {
        self.stand_in.statuses(PROJECT, HEAD)
    }

    fn comments(&self) -> Vec<String> {
        let comments = self.stand_in.comments(PROJECT, self.subject.number);
        comments.into_iter().map(|comment| comment.text).collect()
    }

    async fn keeps_its_promises(&self, form: Form) {
        let weather = |weather| match weather {
            Weather::Fair => self.stand_in.set_mood(Mood::Normal),
            Weather::LosesAnswer => self.stand_in.lose_answers(1),
            Weather::TooMany => self.stand_in.set_mood(Mood::TooMany { retry_after: 7 }),
            Weather::Broken => self.stand_in.set_mood(Mood::Failing(502)),
            Weather::Refuses => self.stand_in.set_mood(Mood::Failing(401)),
        };
        let seen = || match form {
            Form::Flag => self.statuses().into_iter().map(|status| status.description).collect(),
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

    async fn fails(&self, report: &Report) -> String {
        let failure = self.reporter.tell(report, Try::First).await.unwrap_err();
        let text = chain(&failure);
        assert!(!text.contains(TOKEN), "{text}");
        text
    }

    async fn person(&self, name: &str, id: Option<i64>) -> Person {
        let account = Account { id: id.map(|id| id.to_string()), name: name.to_owned() };
        self.reporter.person(PROJECT, &account).await.unwrap()
    }

    async fn standing(&self, name: &str) -> Standing {
        let id = self.stand_in.add_user(name);
        self.person(name, Some(id)).await.standing
    }
}

fn proposal(author: &str, title: &str) -> NewPullRequest {
    NewPullRequest {
        project: PROJECT.to_owned(),
        author: author.to_owned(),
        title: title.to_owned(),
        branch: "lock".to_owned(),
        target: "main".to_owned(),
        head: HEAD.to_owned(),
    }
}

#[tokio::test]
async fn a_status_keeps_the_promises_of_a_report() {
    World::new().await.keeps_its_promises(Form::Flag).await;
}

#[tokio::test]
async fn a_comment_keeps_the_promises_of_a_report_and_of_a_board() {
    World::new().await.keeps_its_promises(Form::Comment).await;
}

#[tokio::test]
async fn a_status_follows_its_run() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for stage in [
        Stage::Held,
        Stage::Queued,
        Stage::Running,
        Stage::Done(Verdict::Success),
        Stage::Done(Verdict::Failure),
        Stage::Done(Verdict::Unstable),
        Stage::Done(Verdict::Error),
        Stage::Done(Verdict::Cancelled),
        Stage::Done(Verdict::Skipped),
    ] {
        let report =
            Report { stage, text: "see\n the page".to_owned(), ..world.report(Form::Flag) };
        world.reporter.tell(&report, Try::First).await.unwrap();
        let [status] = world.statuses().try_into().unwrap();
        let Status { context, state, description, target_url, creator } = status;
        seen.push(format!("{context} {state}: {description} <{target_url}> {creator}"));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    pointsman/tests pending: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests pending: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests pending: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests success: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests failure: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests failure: unstable: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests error: error: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests error: cancelled: see the page <https://ci.example/job/tests/7/> pointsman
    pointsman/tests success: skipped: see the page <https://ci.example/job/tests/7/> pointsman
    ");
}

#[tokio::test]
async fn a_branch_has_statuses_and_no_comments() {
    let world = World::new().await;
    let subject = Subject {
        kind: SubjectKind::Branch,
        number: 0,
        name: Some("main".to_owned()),
        ..world.subject.clone()
    };
    let report = |form| Report { subject: subject.clone(), ..world.report(form) };
    world.reporter.tell(&report(Form::Flag), Try::First).await.unwrap();
    assert_eq!(world.statuses().len(), 1);
    insta::assert_snapshot!(world.fails(&report(Form::Comment)).await, @"permanent failure: `forge.example/rail/signalbox:main` has no place on Forgejo: comments are made on pull requests only");
    let job = Subject { kind: SubjectKind::Job, ..subject.clone() };
    let job = Report { subject: job, ..world.report(Form::Flag) };
    insta::assert_snapshot!(world.fails(&job).await, @"permanent failure: `forge.example/rail/signalbox@0` has no place on Forgejo: a job has no commit there");
    insta::assert_snapshot!(world.fails(&report(Form::Message)).await, @"permanent failure: Forgejo has statuses and comments, but no messages");
}

#[tokio::test]
async fn a_comment_of_somebody_else_is_not_ours() {
    let world = World::new().await;
    let notice = notice(&world.subject, "pointsman-notice-1");
    world.stand_in.comment(PROJECT, 1, "mallory", &notice.text).await.unwrap();
    world.reporter.notify(&notice, Try::Again).await.unwrap();
    world.reporter.notify(&notice, Try::Again).await.unwrap();
    assert_eq!(world.comments().len(), 2);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_forges_words() {
    let world = World::new().await;
    world.stand_in.set_permission(PROJECT, "pointsman", "read").unwrap();
    insta::assert_snapshot!(world.fails(&world.report(Form::Flag)).await, @"permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: user should have a permission to write to a repo (see `forgejo.main.token`): 403 Forbidden");
    let nowhere = pull_request("forge.example", "rail/nowhere", 1);
    let report = Report { subject: nowhere, ..world.report(Form::Comment) };
    insta::assert_snapshot!(world.fails(&report).await, @"permanent failure: cannot comment on `rail/nowhere#1`: The target couldn't be found: 404 Not Found");
    let odd = pull_request("forge.example", "rail/../../admin", 1);
    let report = Report { subject: odd, ..world.report(Form::Flag) };
    insta::assert_snapshot!(world.fails(&report).await, @"permanent failure: `rail/../../admin` is no repository on Forgejo (`owner/name`)");
}

#[tokio::test]
async fn who_may_merge_is_a_maintainer_and_who_may_only_read_a_stranger() {
    let world = World::new().await;
    for (user, right) in [("grace", "write"), ("mary", "admin"), ("joan", "read")] {
        world.stand_in.set_permission(PROJECT, user, right).unwrap();
    }
    assert_eq!(world.standing("rail").await, Standing::Maintainer);
    assert_eq!(world.standing("grace").await, Standing::Maintainer);
    assert_eq!(world.standing("mary").await, Standing::Maintainer);
    assert_eq!(world.standing("joan").await, Standing::Stranger);
    assert_eq!(world.standing("ada").await, Standing::Stranger);
    assert_eq!(world.person("nobody", Some(4_711)).await, Person::default());
    assert_eq!(world.person("../../admin", None).await, Person::default());
    assert_eq!(world.person("GRACE", None).await.standing, Standing::Maintainer);
    let own = world.stand_in.add_user("pointsman");
    assert!(world.person("pointsman", Some(own)).await.is_own);
    assert!(!world.person("grace", None).await.is_own);
}

#[tokio::test]
async fn a_name_that_was_given_away_has_no_rights() {
    let world = World::new().await;
    let old = world.stand_in.add_user("grace");
    world.stand_in.rename_user("grace", "hopper").unwrap();
    for right in ["write", "read"] {
        world.stand_in.set_permission(PROJECT, "grace", right).unwrap();
        assert_eq!(world.person("grace", Some(old)).await.standing, Standing::Stranger);
    }
}

#[tokio::test]
async fn without_administering_nobody_is_known_to_be_more_than_a_contributor() {
    let world = World::new().await;
    world.stand_in.set_permission(PROJECT, "grace", "write").unwrap();
    world.stand_in.set_permission(PROJECT, "joan", "read").unwrap();
    world.stand_in.set_permission(PROJECT, "pointsman", "write").unwrap();
    assert_eq!(world.standing("grace").await, Standing::Contributor);
    assert_eq!(world.standing("joan").await, Standing::Contributor);
    assert_eq!(world.standing("ada").await, Standing::Stranger);
    let findings = world.reporter.probe(&[PROJECT.to_owned(), "rail/nowhere".to_owned()]).await;
    insta::assert_debug_snapshot!(findings, @r#"
    [
        (
            "the API",
            None,
        ),
        (
            "the token",
            None,
        ),
        (
            "project `rail/signalbox`",
            Some(
                "the token's user does not administer it, and so cannot ask who may merge: everybody counts as a contributor at most",
            ),
        ),
        (
            "project `rail/nowhere`",
            Some(
                "there is no such project, or the token may not see it",
            ),
        ),
    ]
    "#);
}

#[tokio::test]
async fn a_proposal_is_told_as_it_is_now() {
    let world = World::new().await;
    let now = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!((now.event, now.author.as_str()), (EventKind::PullRequestUpdated, "ada"));
    assert_eq!(now.author_id, Some(world.stand_in.add_user("ada").to_string()));
    assert_eq!(now.head.sha.as_ref().unwrap().as_str(), HEAD);
    assert_eq!((now.target.as_str(), now.pull_request.draft), ("main", false));
    assert_eq!(now.subject(), world.subject);
    assert!(now.at.is_some() && now.standing.is_none());

    world.stand_in.draft(PROJECT, 1).await.unwrap();
    assert!(world.reporter.proposal(&world.subject).await.unwrap().pull_request.draft);
    world.stand_in.merge(PROJECT, 1, "grace").await.unwrap();
    let now = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!((now.event, now.pull_request.merged), (EventKind::PullRequestClosed, true));
}

#[tokio::test]
async fn a_proposal_is_told_under_the_name_that_its_project_has_now() {
    let world = World::new().await;
    world.stand_in.rename(PROJECT, "rail/interlocking").unwrap();
    let now = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!(now.project, "rail/interlocking");
    let open = world.reporter.open_proposals(PROJECT).await.unwrap();
    assert!(open.iter().all(|proposal| proposal.project == "rail/interlocking"), "{open:?}");
}

#[tokio::test]
async fn all_that_is_open_is_found_on_whatever_page() {
    let world = World::new().await;
    for number in 2..=120 {
        let title = format!("Change {number}");
        assert_eq!(world.stand_in.open(&proposal("ada", &title)).await.unwrap(), number);
    }
    world.stand_in.close(PROJECT, 60, "grace").await.unwrap();
    let open = world.reporter.open_proposals(PROJECT).await.unwrap();
    let numbers: BTreeSet<u64> = open.iter().map(|proposal| proposal.number).collect();
    assert_eq!((open.len(), numbers.len(), numbers.contains(&60)), (119, 119, false));
    assert!(open.iter().all(|proposal| proposal.instance == "forge.example"));
}

#[tokio::test]
async fn a_series_has_no_place_here() {
    let world = World::new().await;
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
    world.stand_in.set_mood(Mood::Failing(503));
    crate::reporters::contract::series::has_no_place_at(&world.reporter).await;
}
