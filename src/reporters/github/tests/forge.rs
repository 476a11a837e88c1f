use std::sync::atomic::Ordering;

use super::*;
use crate::event::proposal::{PullRequestEvent, Standing};
use crate::forges::{Account, Forge, Person};
use crate::reporters::github::forge::PullRequest;

async fn person(world: &World, name: &str, id: Option<u64>) -> Person {
    let account = Account { id: id.map(|id| id.to_string()), name: name.to_owned() };
    world.reporter.person(REPO, &account).await.unwrap()
}

async fn standing(world: &World, name: &str) -> Standing {
    let id = world.github.user_id(name);
    let told = person(world, name, Some(id)).await;
    assert_eq!(told, person(world, name, None).await, "{name}");
    told.standing
}

#[tokio::test]
async fn a_role_is_a_standing() {
    for world in [World::new().await, World::of_app().await] {
        for (role, expected) in [
            (Role::Admin, Standing::Maintainer),
            (Role::Maintain, Standing::Maintainer),
            (Role::Write, Standing::Maintainer),
            (Role::Triage, Standing::Contributor),
            (Role::Read, Standing::Stranger),
        ] {
            world.github.set_permission(REPO, "grace", role).unwrap();
            assert_eq!(standing(&world, "grace").await, expected, "{role:?}");
        }
        assert_eq!(standing(&world, "ada").await, Standing::Stranger);
    }
}

#[tokio::test]
async fn who_has_the_name_now_is_not_who_had_it() {
    let world = World::new().await;
    world.github.set_permission(REPO, "grace", Role::Admin).unwrap();
    let grace = world.github.user_id("grace");
    world.github.give_away("grace");
    let now = world.github.user_id("grace");
    assert_ne!(grace, now);
    assert_eq!(person(&world, "grace", Some(grace)).await.standing, Standing::Stranger);
    assert_eq!(person(&world, "grace", Some(now)).await.standing, Standing::Maintainer);
}

#[tokio::test]
async fn nobody_is_a_stranger() {
    let world = World::new().await;
    let long = "x".repeat(300);
    for name in ["nobody", "..", "a/b", "", "ä", &long, "ada/../grace", "grace?x=1"] {
        assert_eq!(person(&world, name, None).await, Person::default(), "{name}");
    }
    let account = Account { id: None, name: "ada".to_owned() };
    let elsewhere = world.reporter.person("rail/elsewhere", &account).await.unwrap();
    assert_eq!(elsewhere, Person::default());
}

#[tokio::test]
async fn we_know_ourselves_by_number() {
    let world = World::new().await;
    let own = world.github.user_id("pointsman");
    assert!(person(&world, "pointsman", Some(own)).await.is_own);
    assert!(person(&world, "Pointsman", None).await.is_own);
    assert!(!person(&world, "pointsman", Some(1)).await.is_own);
    assert!(!person(&world, "ada", None).await.is_own);

    let world = World::of_app().await;
    let own = world.github.user_id("points[bot]");
    let told = person(&world, "points[bot]", Some(own)).await;
    assert!(told.is_own && told.is_bot, "{told:?}");
    assert!(!person(&world, "pointsman", None).await.is_own);
}

#[tokio::test]
async fn a_program_is_a_bot() {
    let world = World::new().await;
    world.github.set_permission(REPO, "signal[bot]", Role::Write).unwrap();
    let told = person(&world, "signal[bot]", None).await;
    assert_eq!((told.is_bot, told.standing), (true, Standing::Maintainer));
    assert!(person(&world, "unknown[bot]", None).await.is_bot);
}

#[tokio::test]
async fn who_may_not_ask_takes_everybody_for_a_stranger() {
    let world = World::new().await;
    world.github.set_permission(REPO, "pointsman", Role::Read).unwrap();
    let account = Account { id: None, name: "ada".to_owned() };
    // A no that is told, so that a command is answered.
    assert_eq!(world.reporter.person(REPO, &account).await.unwrap(), Person::default());
    assert!(world.reporter.is_warned.load(Ordering::Relaxed));
    for mood in [Mood::Failing(503), Mood::Hasty, Mood::UsedUp { reset: 1_795_166_507 }] {
        world.github.set_mood(mood);
        let failure = world.reporter.person(REPO, &account).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry { .. }), "{mood:?}: {failure:?}");
    }
}

fn shown(world: &World, event: &PullRequestEvent) -> String {
    let mut event = serde_json::to_value(event).unwrap();
    event["at"].take();
    event["author_id"].take();
    event.to_string().replace(&world.github.host(), "github.example")
}

#[tokio::test]
async fn a_pull_request_is_told_as_it_is() {
    let world = World::new().await;
    let open = world.reporter.proposal(&world.subject).await.unwrap();
    insta::assert_snapshot!(shown(&world, &open), @r#"{"agent":null,"agent_id":null,"at":null,"author":"ada","author_id":null,"base":{"sha":"d4d9cb6aa998b8dd672b0e8adf7a685f00000000"},"event":"pull_request.updated","head":{"branch":"lock","sha":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","url":"http://github.example/ada/signalbox.git"},"instance":"github.example","number":1,"project":"rail/signalbox","pull_request":{"draft":false,"merged":false},"standing":null,"target":"main","title":"Lock the blades","url":"http://github.example/rail/signalbox/pull/1"}"#);
    assert_eq!(open.author_id, Some(world.github.user_id("ada").to_string()));
    assert_eq!(open.subject(), world.subject);
    world.github.rename(REPO, "rail/interlocking").unwrap();
    let renamed = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!(renamed.project, "rail/interlocking");
    let listed = world.reporter.open_proposals(REPO).await.unwrap();
    assert!(listed.iter().all(|told| told.project == "rail/interlocking"), "{listed:?}");
    world.github.rename("rail/interlocking", REPO).unwrap();

    world.github.push(REPO, 1, &"b".repeat(40)).await.unwrap();
    world.github.draft(REPO, 1, "ada").await.unwrap();
    let drafted = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!(drafted.head.sha.unwrap().as_str(), "b".repeat(40));
    assert!(drafted.pull_request.draft);

    world.github.merge(REPO, 1, "grace").await.unwrap();
    let merged = world.reporter.proposal(&world.subject).await.unwrap();
    assert_eq!(merged.event.as_str(), "pull_request.closed");
    assert!(merged.pull_request.merged);
}

#[tokio::test]
async fn a_pull_request_that_is_not_there_is_given_up() {
    let world = World::new().await;
    let nowhere = pull_request(&world.github.host(), REPO, 99);
    let failure = world.reporter.proposal(&nowhere).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    insta::assert_snapshot!(chain(&failure), @"permanent failure: cannot read `rail/signalbox#99`: it is not there, or the login may not see it: 404 Not Found");
}

#[tokio::test]
async fn open_pull_requests_are_read_page_by_page() {
    let world = World::new().await;
    let new = |number: u64| NewPullRequest {
        repo: REPO.to_owned(),
        author: "ada".to_owned(),
        title: format!("Lever {number}"),
        branch: format!("lever-{number}"),
        target: "main".to_owned(),
        head: format!("{number:040x}"),
        draft: false,
    };
    for number in 2..=205 {
        world.github.open(&new(number)).await.unwrap();
    }
    world.github.close(REPO, 7, "ada").await.unwrap();
    let mut numbers: Vec<u64> = world
        .reporter
        .open_proposals(REPO)
        .await
        .unwrap()
        .into_iter()
        .map(|proposal| proposal.number)
        .collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=205).filter(|number| *number != 7).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn what_a_pull_request_can_be_without_it_is_read_without() {
    let text = r#"{
        "number": 7, "html_url": "https://github.example/a/b/pull/7", "title": "x",
        "state": "closed", "user": null,
        "head": {"ref": "x", "sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "repo": null},
        "base": {"ref": "main", "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}
    }"#;
    let pull_request: PullRequest = serde_json::from_str(text).unwrap();
    let event = pull_request.event("github.example", "a/b");
    assert_eq!((event.author.as_str(), event.author_id), ("ghost", None));
    assert_eq!((event.head.url, event.at), (None, None));
}
