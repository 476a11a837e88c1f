//! The operator's word about patch series.

use super::*;

const SETTINGS: &str = "[patchwork.main]\nurl = 'https://patches.example/'\n\
                        projects = ['signalbox-devel']\npolled_by = 'nobody'\n\
                        [git.points]\nupstream = 'https://git.example/points.git'\n\
                        push = 'https://git.example/series.git'\ndir = 'git'\n";

const SERIES_RULES: &str = r#"
[[rule]]
name = "kvm-boot"
on = "series.posted"
where = { project = "signalbox-devel" }
git = "points"
build = { on = "jenkins.main", job = "kvm", parameters = { BRANCH = "{{ branch.name }}" } }
"#;

const SUBJECT: &str = "patches.example/signalbox-devel/series/1234";

/// A series of a stranger was posted.
async fn with_series() -> World {
    let world = World::new();
    let settings = std::fs::read_to_string(world.path("pointsman.toml")).unwrap();
    world.write("pointsman.toml", &format!("{settings}{SETTINGS}"));
    world.write("rules/rules.toml", SERIES_RULES);
    world.hears("posted", World::example("series/posted")).await;
    world
}

/// The example with something else in its body.
fn changed(topic: &str, from: &str, to: &str) -> Message {
    let message = World::example(topic);
    let body = String::from_utf8(message.body).unwrap();
    assert!(body.contains(from), "{body}");
    Message { body: body.replace(from, to).into_bytes(), ..message }
}

#[tokio::test]
async fn what_is_held_is_built_when_the_operator_says_so() {
    let world = with_series().await;
    insta::assert_snapshot!(world.shows(&["why", "series/1234"]).await, @"
    series.posted about patches.example/signalbox-devel/series/1234
      2026-11-20T08:21:47Z (3 min ago)  told by message posted
      ◌  kvm-boot  rules/rules.toml:3  the author is `stranger`, and the rule builds for `contributors`: run 41073256fcbe waits for approval

    RUN           ORDERED    STATE  RULE      REVISION  BUILD
    41073256fcbe  3 min ago  held   kvm-boot  v2        jenkins.main kvm
    ");
    let shown = world.shows(&["approve", "series/1234", "--version", "2"]).await;
    assert!(shown.ends_with("  → the operator lets v2 be built\n"), "{shown}");
    insta::assert_snapshot!(world.shows(&["runs", "--subject", SUBJECT]).await, @"
    RUN           ORDERED    STATE    RULE        REVISION  SUBJECT                                      BUILD
    0db22f995406  now        ordered  git.points  v2        patches.example/signalbox-devel/series/1234  git.points git.points
    41073256fcbe  3 min ago  held     kvm-boot    v2        patches.example/signalbox-devel/series/1234  jenkins.main kvm
    ");
    let why = world.shows(&["why", SUBJECT]).await;
    assert!(why.contains("the operator lets v2 be built"), "{why}");
}

#[tokio::test]
async fn what_is_not_the_newest_is_not_built_whoever_says_so() {
    let world = with_series().await;
    let outcome = world.does(&["approve", "series/1234", "--version", "1"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    insta::assert_snapshot!(outcome.errors, @"error: the ledger knows no series that was posted as v1 of `patches.example/signalbox-devel/series/1234`");
    world.hears("v3", changed("series/posted", "\"version\": 2", "\"version\": 3")).await;
    let outcome = world.does(&["approve", "series/1234", "--version", "2"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    assert!(outcome.output.contains("no rule was asked: v3 is the one that counts"));
    assert_eq!(world.does(&["approve", "series/1234"]).await.exit, Exit::Success);
}

#[tokio::test]
async fn the_series_is_what_was_posted_first_as_that_version() {
    let world = with_series().await;
    let forged = changed("series/posted", "4711-2-ada", "6666-2-eve");
    world.hears("forged", forged).await;
    world.shows(&["approve", "series/1234"]).await;
    let ledger = world.ledger();
    let event = ledger.events_about(SUBJECT.to_owned(), 1).await.unwrap().pop().unwrap();
    let series = event.event.series().unwrap().clone();
    assert!(series.request.unwrap().operator);
    assert_eq!(series.series.patches[0].msgid, "20261120082147.4711-2-ada@rail.example");
}

#[tokio::test]
async fn a_message_that_says_it_is_the_operator_is_not_believed() {
    let world = with_series().await;
    // The example of the topic says so.
    let said = World::example("series/approved");
    assert!(String::from_utf8_lossy(&said.body).contains("\"operator\": true"));
    world.hears("said", said).await;
    let why = world.shows(&["why", SUBJECT]).await;
    assert!(why.contains("only maintainers let a series be built"), "{why}");
    assert!(!why.contains("the operator lets"), "{why}");

    // Nor is what the operator has said, when somebody says the same.
    world.shows(&["approve", "series/1234"]).await;
    let ledger = world.ledger();
    let event = ledger.events_about(SUBJECT.to_owned(), 1).await.unwrap().pop().unwrap();
    let again = ledger.message(event.message.unwrap()).await.unwrap();
    let crate::ledger::view::Found::One(again) = again else { panic!("it is there") };
    let (_, found) = world.prepared().reader.read(&again.message);
    let crate::ledger::intake::Found::Events(events, _) = found else { panic!("{found:?}") };
    assert!(!events[0].series().unwrap().request.as_ref().unwrap().operator);
    let outcome = world.does(&["messages", "retry", &again.view.id]).await;
    assert!(outcome.errors.contains("is of our own making"), "{}", outcome.errors);
}

#[tokio::test]
async fn builds_are_asked_for_again_of_rules_that_there_are() {
    let world = with_series().await;
    world.shows(&["approve", "series/1234"]).await;
    let shown = world.shows(&["recheck", "series/1234", "kvm-boot", "--rebase"]).await;
    let (_, shown) = shown.split_once('\n').unwrap();
    let (_, shown) = shown.split_once('\n').unwrap();
    insta::assert_snapshot!(shown, @"
    ✓  kvm-boot  rules/rules.toml:3  fired: 1 action
    → the operator asks for it again
    ");
    let outcome = world.does(&["recheck", "series/1234", "kvm-boat"]).await;
    insta::assert_snapshot!(outcome.errors, @"error: there is no rule `kvm-boat`; did you mean `kvm-boot`?");
    let outcome = world.does(&["recheck", "series/9999"]).await;
    insta::assert_snapshot!(outcome.errors, @"error: the ledger knows nothing about `series/9999`");
}

#[tokio::test]
async fn the_tests_of_rules_see_what_is_built_of_a_branch() {
    const TESTS: &str = r#"
[[test]]
name = "nobody knows the author"
message = "series/posted"
expect = { held = ["kvm-boot"], builds = [] }

[[test]]
name = "a maintainer lets it be built"
after = ["series/posted"]
message = "series/approved"
set = { "body.request.by.id" = "23" }
expect = { builds = [{ job = "kvm", parameters = { BRANCH = "pointsman/patchwork-main/1234/v2" } }] }

[[test]]
name = "what fails is told when its base does not"
after = [
    "series/posted",
    { message = "series/approved", set = { "body.request.by.id" = "23" } },
    { verdict = "failure" },
]
verdict = "success"
expect = { reports = [{ to = "patchwork.main", stage = "failure" }] }

[[test]]
name = "what it depends on has to be there"
message = "series/posted#posted-on-another"
set = { "body.series.submitter.id" = "23" }
expect = { fires = ["kvm-boot"], builds = [] }

[[test]]
name = "what it depends on is there"
after = [
    { message = "series/posted", set = { "body.series.id" = "1000", "body.series.patches.0.msgid" = "20261118.greased-0@rail.example", "body.series.submitter.id" = "23" } },
]
message = "series/posted#posted-on-another"
set = { "body.series.submitter.id" = "23" }
expect = { builds = [{ job = "kvm", parameters = { BRANCH = "pointsman/patchwork-main/1240/v1" } }] }
"#;
    let world = with_series().await;
    let settings = std::fs::read_to_string(world.path("pointsman.toml")).unwrap();
    let people = "[patchwork.main.people]\nmaintainers = ['23']\n";
    world.write("pointsman.toml", &format!("{settings}{people}"));
    let rule = SERIES_RULES.trim_end().to_owned() + "\nreport = [{ to = \"origin\" }]\n";
    world.write("rules/rules.toml", &format!("{rule}{TESTS}"));
    let outcome = world.does(&["test"]).await;
    insta::assert_snapshot!(outcome.output + &outcome.errors, @"
    ok      nobody knows the author
    ok      a maintainer lets it be built
    ok      what fails is told when its base does not
    ok      what it depends on has to be there
    ok      what it depends on is there

    5 tests: all passed
    the tests see 75 % of the rules (3 of 4)
    What the tests leave out:
      rule `kvm-boot`: `where` entry `project` never failed to match (rules/rules.toml:5)
    ");
}
