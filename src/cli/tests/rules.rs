//! `test`: the tests that rules carry.

use super::*;

const TESTS: &str = r#"
[[test]]
name = "what is proposed is built"
message = "pagure/pull-request.new"
expect = { fires = ["points"], silent = ["drafts"], builds = [{ job = "points", parameters = { SHA = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1" } }] }

[[test]]
name = "a draft is told of"
message = "pagure/pull-request.new#new-same-repo"
expect = { fires = ["points", "drafts"], reports = [{ to = "bus", rule = "drafts", says = "Grease the levers" }] }

[[test]]
name = "only points are built"
message = "pagure/pull-request.new"
set = { body.pullrequest.project.fullname = "kettle/pot" }
expect = { fires = [], builds = [] }

[[test]]
name = "the end of a build is told"
verdict = "failure"
after = ["pagure/pull-request.new", "pagure/pull-request.new"]
expect = { reports = [{ to = "bus", stage = "failure" }] }
"#;

/// A world whose rules have these tests.
fn with_tests(tests: &str) -> World {
    let world = World::new();
    world.write("rules/rules.test.toml", tests);
    world
}

#[tokio::test]
async fn what_passes_is_told_with_what_was_left_out() {
    let world = with_tests(TESTS);
    insta::assert_snapshot!(world.shows(&["test"]).await, @"
    ok      what is proposed is built
    ok      a draft is told of
    ok      only points are built
    ok      the end of a build is told

    4 tests: all passed
    the tests see 100 % of the rules (8 of 8)
    ");
    assert_eq!(world.does(&["test", "--full"]).await.exit, Exit::Success);
    assert!(!world.path("l.db").exists());
}

#[tokio::test]
async fn what_no_test_sees_is_told_with_its_line() {
    let first = TESTS.split("[[test]]").nth(1).unwrap();
    let world = with_tests(&format!("[[test]]{first}"));
    let outcome = world.does(&["test", "--coverage-min", "80"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    insta::assert_snapshot!(outcome.output, @"
    ok      what is proposed is built

    1 test: all passed
    the tests see 62 % of the rules (5 of 8)
    What the tests leave out:
      rule `points`: `where` entry `project` never failed to match (rules/rules.toml:5)
      rule `drafts`: never fired (rules/rules.toml:11)
      rule `drafts`: condition `pull_request.draft` was never true (rules/rules.toml:13)
    ");
    assert_eq!(world.does(&["test", "--coverage-min", "50"]).await.exit, Exit::Success);
    assert_eq!(world.does(&["test", "--full"]).await.exit, Exit::Failure);
}

/// Everything that can be wrong, once.
const MISMATCHES: &str = r#"
[[test]]
name = "wrong rules"
message = "pagure/pull-request.new"
expect = { fires = ["drafts"], silent = ["points"], held = ["points"], asks = true, not_news = true }

[[test]]
name = "wrong builds"
message = "pagure/pull-request.new"
expect = { builds = ["kettle", { job = "points", parameters = { SHA = "x" } }, { job = "points", parameters = { TEA = "x" } }] }

[[test]]
name = "nothing is built"
message = "pagure/pull-request.new"
expect = { fires = [], builds = [], reports = [] }

[[test]]
name = "wrong words"
message = "pagure/pull-request.new"
expect = { reports = [{ to = "bus", as = "message", stage = "success", rule = "points", says = "well" }] }

[[test]]
name = "told before"
message = "pagure/pull-request.new"
after = ["pagure/pull-request.new"]
expect = { fires = ["points"], builds = ["points"] }

[[test]]
name = "no build"
verdict = "success"
expect = { silent = ["points"] }

[[test]]
name = "unreadable"
message = "pagure/pull-request.new"
set = { "body.pullrequest.id" = "seven" }
expect = { silent = ["points"] }

[[test]]
name = "not wanted"
message = "pagure/pull-request.comment.added"
expect = { fires = ["points"] }
"#;

#[tokio::test]
async fn a_mismatch_says_what_came_and_why() {
    let world = with_tests(MISMATCHES);
    let outcome = world.does(&["test"]).await;
    assert_eq!((outcome.exit, outcome.errors.as_str()), (Exit::Failure, ""));
    insta::assert_snapshot!(outcome.output, @r#"
    FAILED  wrong rules
            rules/rules.test.toml:5
              expected: `drafts` fires
              found:    `pull_request.draft` does not hold: pull_request.draft = false (rules/rules.toml:13)
            rules/rules.test.toml:5
              expected: `points` is silent
              found:    fired: 1 action (rules/rules.toml:3)
            rules/rules.test.toml:5
              expected: the build of `points` waits to be let run
              found:    fired: 1 action (rules/rules.toml:3)
            rules/rules.test.toml:5
              expected: a forge is asked
              found:    no forge is asked
            rules/rules.test.toml:5
              expected: it is no news
              found:    rules were asked
    FAILED  wrong builds
            rules/rules.test.toml:10
              expected: a build of `kettle`
              found:    `points` on jenkins.main, by `points`
            rules/rules.test.toml:10
              expected: a build of `points`
              found:    `SHA` is `a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1`, and not `x`
            rules/rules.test.toml:10
              expected: a build of `points`
              found:    it has no parameter `TEA`
    FAILED  nothing is built
            rules/rules.test.toml:15
              expected: no rule fires
              found:    `points` fired
            rules/rules.test.toml:15
              expected: nothing is built
              found:    `points` on jenkins.main, by `points`
            rules/rules.test.toml:15
              expected: nobody is told anything
              found:    bus as message (queued): **points** at a1a1a1a1a1a1: waiting in the queue
    FAILED  wrong words
            rules/rules.test.toml:20
              expected: bus is told as message `success` by `points` “well”
              found:    bus as message (queued): **points** at a1a1a1a1a1a1: waiting in the queue
    FAILED  told before
            rules/rules.test.toml:26
              expected: `points` fires
              found:    no rule was asked: this was told before
            rules/rules.test.toml:26
              expected: a build of `points`
              found:    no rule was asked: this was told before
    FAILED  no build
            rules/rules.test.toml:29
              expected: a build that is under way
              found:    there is none
    FAILED  unreadable
            rules/rules.test.toml:34
              expected: a message that can be read
              found:    cannot read `number` = `body.pullrequest.id` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid type: string "seven", expected u64
    FAILED  not wanted
            rules/rules.test.toml:42
              expected: `points` fires
              found:    it was not asked; pagure.main is asked who gives its command; it is refused: grace is a stranger here, and `retest` is for contributors and maintainers.

    8 tests: 0 passed, 8 failed
    the tests see 62 % of the rules (5 of 8)
    What the tests leave out:
      rule `points`: `where` entry `project` never failed to match (rules/rules.toml:5)
      rule `drafts`: never fired (rules/rules.toml:11)
      rule `drafts`: condition `pull_request.draft` was never true (rules/rules.toml:13)
    "#);
}

#[tokio::test]
async fn a_message_that_cannot_be_made_fails_the_test_and_the_check() {
    let world = with_tests(
        r#"
[[test]]
name = "one"
message = "pagure/pull-request.nwe"
expect = { fires = ["points"] }

[[test]]
name = "two"
message = "pagure/pull-request.new"
set = { "pullrequest.title" = "x", "body.pullrequest.tilte" = "x" }
expect = { fires = ["points"] }

[[test]]
name = "three"
after = [{ message = "pagure/pull-request.new#nwe" }]
message = "bad.json"
expect = { fires = ["points"] }
"#,
    );
    world.write("rules/bad.json", "{}");
    let outcome = world.does(&["test"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    insta::assert_snapshot!(outcome.output, @"
    FAILED  one
            rules/rules.test.toml:4
              expected: a message
              found:    `pagure/pull-request.nwe` is no topic and no file beside the rules (did you mean `pagure/pull-request.new`?)
    FAILED  two
            rules/rules.test.toml:10
              expected: a message
              found:    there is no `body.pullrequest.tilte` in the message (did you mean `body.pullrequest.title`?)
    FAILED  three
            rules/rules.test.toml:15
              expected: a message
              found:    topic `pagure/pull-request.new` has no such example (known are: new, new-same-repo, new-remote, new-fedmsg)

    3 tests: 0 passed, 3 failed
    the tests see 0 % of the rules (0 of 8)
    What the tests leave out:
      rule `points`: never fired (rules/rules.toml:3)
      rule `points`: was never silent (rules/rules.toml:3)
      rule `points`: `where` entry `project` never matched (rules/rules.toml:5)
      rule `points`: `where` entry `project` never failed to match (rules/rules.toml:5)
      rule `drafts`: never fired (rules/rules.toml:11)
      rule `drafts`: was never silent (rules/rules.toml:11)
      rule `drafts`: condition `pull_request.draft` was never true (rules/rules.toml:13)
      rule `drafts`: condition `pull_request.draft` was never false (rules/rules.toml:13)
    ");
    let outcome = world.does(&["check"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    assert!(outcome.output.starts_with("2 rules, 3 tests,"), "{}", outcome.output);
    assert!(outcome.output.ends_with("connections: 4 faults\n"), "{}", outcome.output);
    assert!(outcome.errors.contains("rules/rules.test.toml:4:1"), "{}", outcome.errors);
}

#[tokio::test]
async fn a_recorded_message_is_read_from_a_file_beside_the_rules() {
    let world = with_tests(
        "[[test]]\nname = 'one'\nmessage = 'said/x.json'\nexpect = { fires = ['points'] }\n",
    );
    let message = World::example("pagure/pull-request.new");
    let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    let record = serde_json::json!({ "topic": message.topic, "body": body });
    std::fs::create_dir(world.path("rules/said")).unwrap();
    world.write("rules/said/x.json", &record.to_string());
    assert!(world.shows(&["test"]).await.starts_with("ok      one\n"));
}

#[tokio::test]
async fn some_of_the_tests_are_run_by_their_names_or_rules() {
    let world = with_tests(TESTS);
    let shown = world.shows(&["test", "draft"]).await;
    assert_eq!(shown, "ok      a draft is told of\n\n1 test: all passed\n");
    let shown = world.shows(&["test", "drafts"]).await;
    assert!(shown.ends_with("2 tests: all passed\n"), "{shown}");
    assert_eq!(world.does(&["test", "kettle"]).await.exit, Exit::Failure);
}

#[tokio::test]
async fn what_a_rule_in_shadow_mode_would_do_is_tested() {
    let world = with_tests(TESTS);
    let rules = RULES.replace("trust = \"anyone\"", "trust = \"anyone\"\nmode = \"shadow\"");
    world.write("rules/rules.toml", &rules);
    assert_eq!(world.does(&["test"]).await.exit, Exit::Success);
}

#[tokio::test]
async fn the_outcome_is_there_for_programs() {
    let world = with_tests(&TESTS.replace("fires = [], builds", "fires = ['drafts'], builds"));
    let outcome = world.does(&["test", "--json"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    let document: serde_json::Value = serde_json::from_str(&outcome.output).unwrap();
    assert_eq!((document["passed"].as_u64(), document["failed"].as_u64()), (Some(3), Some(1)));
    assert_eq!(document["coverage"]["percent"], 100);
    let mismatch = &document["tests"][2]["mismatches"][0];
    assert_eq!(mismatch["expected"], "`drafts` fires");
    assert!(mismatch["at"].as_str().unwrap().ends_with("rules.test.toml:16"), "{mismatch}");
}

#[tokio::test]
async fn the_rules_that_come_along_are_tested_in_full() {
    let config = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let stories = ["snowpatch", "qemu-ci", "patchew"];
    let stories = stories.map(|story| format!("series/{story}/pointsman.toml"));
    for settings in stories.iter().map(String::as_str).chain(["quickstart.toml", "boards.toml"]) {
        let world = World::new();
        let (mut console, output, errors) = world.console("");
        let file = config.join(settings).display().to_string();
        let arguments = ["pointsman", "-c", &file, "test", "--full"];
        let exit = Box::pin(run(arguments.map(Into::into), &mut console)).await;
        assert_eq!(exit, Exit::Success, "{settings}: {}{}", output.text(), errors.text());
    }
}
