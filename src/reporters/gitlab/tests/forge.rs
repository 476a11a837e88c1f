use super::*;
use crate::forges::{Account, Forge, Person};
use crate::sandbox::gitlab::{GUEST, REPORTER};

impl World {
    async fn person(&self, id: Option<u64>, name: &str) -> Person {
        let account = Account { id: id.map(|id| id.to_string()), name: name.to_owned() };
        self.reporter.person(PROJECT, &account).await.unwrap()
    }

    async fn proposal(&self) -> crate::event::proposal::PullRequestEvent {
        self.reporter.proposal(&self.subject).await.unwrap()
    }
}

fn shown_person(person: Person) -> String {
    let marks = [(person.is_own, " own"), (person.is_bot, " bot")];
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    format!("{}{marks}", person.standing.as_str())
}

#[tokio::test]
async fn a_proposal_is_told_as_it_is_now() {
    let world = World::with(Some(FORK)).await;
    let url = world.gitlab.url();
    let event = serde_json::to_string_pretty(&world.proposal().await).unwrap();
    insta::assert_snapshot!(event.replace(&url, "https://forge.example"), @r#"
    {
      "event": "pull_request.updated",
      "instance": "forge.example",
      "project": "rail/yard/signalbox",
      "number": 1,
      "url": "https://forge.example/rail/yard/signalbox/-/merge_requests/1",
      "title": "Lock the blades",
      "target": "main",
      "author": "ada",
      "author_id": "44",
      "standing": null,
      "agent": null,
      "agent_id": null,
      "head": {
        "sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "url": "https://forge.example/ada/signalbox.git",
        "branch": "blades"
      },
      "base": {
        "sha": "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
      },
      "pull_request": {
        "draft": false,
        "merged": false
      },
      "at": "2026-11-20T08:21:47Z"
    }
    "#);
}

#[tokio::test]
async fn a_proposal_follows_what_happens() {
    let world = World::with(Some(FORK)).await;
    let place = world.place();
    let mut seen = Vec::new();
    let mut look = async |what: &str| {
        let event = world.proposal().await;
        let head = event.head.sha.map(|sha| sha.short().to_owned()).unwrap();
        let state = event.pull_request;
        let source = event.head.url.map(|url| url.replace(&world.gitlab.url(), ""));
        seen.push(format!(
            "{what}: {} {head} draft={} merged={} from {}",
            event.event,
            state.draft,
            state.merged,
            source.as_deref().unwrap_or("nowhere")
        ));
    };
    world.gitlab.push(place, "ada", &"b".repeat(40)).await.unwrap();
    look("pushed").await;
    world.gitlab.draft(place, "ada").await.unwrap();
    look("drafted").await;
    world.gitlab.ready(place, "ada").await.unwrap();
    world.gitlab.close(place, "ada").await.unwrap();
    look("closed").await;
    world.gitlab.reopen(place, "ada").await.unwrap();
    world.gitlab.make_private(FORK).unwrap();
    look("private").await;
    world.gitlab.remove_project(FORK);
    world.gitlab.merge(place, "grace").await.unwrap();
    look("merged").await;
    insta::assert_snapshot!(seen.join("\n"), @r#"
    pushed: pull_request.updated bbbbbbbbbbbb draft=false merged=false from /ada/signalbox.git
    drafted: pull_request.updated bbbbbbbbbbbb draft=true merged=false from /ada/signalbox.git
    closed: pull_request.closed bbbbbbbbbbbb draft=false merged=false from /ada/signalbox.git
    private: pull_request.updated bbbbbbbbbbbb draft=false merged=false from nowhere
    merged: pull_request.closed bbbbbbbbbbbb draft=false merged=true from nowhere
    "#);
}

#[tokio::test]
async fn a_role_is_a_standing() {
    let world = World::new().await;
    let ada = world.gitlab.add_user("ada");
    let mut seen = Vec::new();
    for level in [0, 5, GUEST, 15, REPORTER, DEVELOPER, MAINTAINER, 50] {
        world.gitlab.set_access(PROJECT, "ada", level).unwrap();
        seen.push(format!("{level}: {}", shown_person(world.person(Some(ada), "ada").await)));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    0: stranger
    5: stranger
    10: stranger
    15: contributor
    20: contributor
    30: contributor
    40: maintainer
    50: maintainer
    ");
}

#[tokio::test]
async fn a_role_that_does_not_count_is_none() {
    let world = World::new().await;
    let ada = world.gitlab.add_user("ada");
    let ask = async || shown_person(world.person(Some(ada), "ada").await);
    let mut seen = Vec::new();
    // Today is 2026-11-20.
    for day in ["2026-11-21", "2026-11-20", "2026-11-19"] {
        world.gitlab.set_access_until(PROJECT, "ada", (MAINTAINER, day)).unwrap();
        seen.push(format!("until {day}: {}", ask().await));
    }
    world.gitlab.set_access_awaiting(PROJECT, "ada", MAINTAINER).unwrap();
    seen.push(format!("awaiting: {}", ask().await));
    world.gitlab.set_access(PROJECT, "ada", MAINTAINER).unwrap();
    world.gitlab.set_blocked("ada", true);
    seen.push(format!("blocked: {}", ask().await));
    world.gitlab.set_blocked("ada", false);
    seen.push(format!("let in again: {}", ask().await));
    insta::assert_snapshot!(seen.join("\n"), @r"
    until 2026-11-21: maintainer
    until 2026-11-20: stranger
    until 2026-11-19: stranger
    awaiting: stranger
    blocked: stranger
    let in again: maintainer
    ");
}

#[tokio::test]
async fn somebody_is_known_by_the_number_and_not_by_the_name() {
    let world = World::new().await;
    let grace = world.gitlab.add_user("grace");
    let named = async |name: &str| shown_person(world.person(None, name).await);
    assert_eq!(named("grace").await, "maintainer");
    // A name in other letters is another one in our book, though GitLab finds it.
    assert_eq!(named("Grace").await, "stranger");
    assert_eq!(named("nobody").await, "stranger");
    world.gitlab.rename_user("grace", "grace-hopper");
    world.gitlab.add_user("grace");
    assert_eq!(named("grace").await, "stranger");
    let person = world.person(Some(grace), "grace").await;
    assert_eq!(shown_person(person), "maintainer");
    let account = Account { id: Some("x1".to_owned()), name: "grace-hopper".to_owned() };
    assert_eq!(world.reporter.person(PROJECT, &account).await.unwrap(), Person::default());
}

#[tokio::test]
async fn we_know_ourselves_and_other_programs() {
    let world = World::new().await;
    let pointsman = world.gitlab.add_user("pointsman");
    world.gitlab.set_bot("robin", true);
    let robin = world.gitlab.add_user("robin");
    assert_eq!(shown_person(world.person(Some(pointsman), "x").await), "contributor own bot");
    assert_eq!(shown_person(world.person(Some(robin), "robin").await), "stranger bot");
}

#[tokio::test]
async fn in_a_project_that_is_not_there_everybody_is_a_stranger() {
    let world = World::new().await;
    let grace = world.gitlab.add_user("grace");
    let account = Account { id: Some(grace.to_string()), name: "grace".to_owned() };
    let person = world.reporter.person("rail/nowhere", &account).await.unwrap();
    assert_eq!(shown_person(person), "stranger");
}

#[tokio::test]
async fn a_proposal_is_told_under_the_name_that_its_project_has_now() {
    let world = World::new().await;
    world.gitlab.rename(PROJECT, "rail/interlocking").unwrap();
    assert_eq!(world.proposal().await.project, "rail/interlocking");
    let events = world.reporter.open_proposals(PROJECT).await.unwrap();
    assert!(events.iter().all(|event| event.project == "rail/interlocking"), "{events:?}");
}

#[tokio::test]
async fn all_open_proposals_are_told() {
    let world = World::new().await;
    for number in 2..=120 {
        let fork = (number % 2 == 0).then_some(FORK);
        let (iid, _) = world.gitlab.open(&proposal(fork)).await.unwrap();
        assert_eq!(iid, number);
    }
    world.gitlab.close((PROJECT, 3), "ada").await.unwrap();
    world.gitlab.merge((PROJECT, 4), "grace").await.unwrap();
    let events = world.reporter.open_proposals(PROJECT).await.unwrap();
    assert_eq!(events.len(), 118);
    // Of too many the oldest would be left out.
    assert_eq!(events.first().map(|event| event.number), Some(120));
    assert!(events.iter().all(|event| event.instance == "forge.example"));
    let second = events.iter().find(|event| event.number == 2).unwrap();
    let subject = pull_request("forge.example", PROJECT, 2);
    let mut told = world.reporter.proposal(&subject).await.unwrap();
    // A list does not say upon what they build.
    told.base = second.base.clone();
    assert_eq!(told, *second);
}

#[tokio::test]
async fn what_cannot_be_asked_is_an_error() {
    let world = World::new().await;
    let account = Account { id: Some("41".to_owned()), name: "ada".to_owned() };
    world.gitlab.set_mood(Mood::Failing(503));
    let failure = world.reporter.person(PROJECT, &account).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    world.gitlab.set_mood(Mood::Failing(403));
    let failure = world.reporter.person(PROJECT, &account).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    world.gitlab.set_mood(Mood::Normal);
    let subject = pull_request("forge.example", PROJECT, 7);
    let failure = world.reporter.proposal(&subject).await.unwrap_err();
    insta::assert_snapshot!(shown(&failure), @"permanent failure: cannot read `rail/yard/signalbox!7` (it is not there, or cannot be seen with `gitlab.main.token`): 404 Not Found");
}
