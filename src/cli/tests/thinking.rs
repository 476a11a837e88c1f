//! The commands that only think: `check`, `explain`, `topics`.

use super::*;

#[tokio::test]
async fn what_is_well_is_said_in_one_line() {
    let world = World::new();
    let shown = world.shows(&["check"]).await;
    let count = Catalog::load(&[]).unwrap().topics().count();
    assert_eq!(shown, format!("2 rules, 0 tests, {count} topics, 2 connections: all is well\n"));
}

#[tokio::test]
async fn every_fault_is_told_with_its_place() {
    let world = World::new();
    world.write(
        "rules/rules.toml",
        "[[rule]]\nname = 'a'\non = 'pull_request.opened'\nwhen = \"tilte == 'x'\"\n\
         build = { on = 'jenkins.mian', job = 'x' }\n",
    );
    std::fs::remove_file(world.path("token")).unwrap();
    let outcome = world.does(&["check"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    // Where the first one is folded depends on where the test runs.
    let (secret, rest) = outcome.errors.split_once("× unknown").unwrap();
    assert!(secret.contains("× `jenkins.main.token`: cannot read the secret in `"), "{secret}");
    insta::assert_snapshot!(rest, @r#"
    name `tilte`
      ╭─[rules/rules.toml:4:8]
    3 │ on = 'pull_request.opened'
    4 │ when = "tilte == 'x'"
      ·        ───────┬──────
      ·               ╰── here
    5 │ build = { on = 'jenkins.mian', job = 'x' }
      ╰────
     help: did you mean `title`?
     × no connection `jenkins.mian` that runs builds
      ╭─[rules/rules.toml:5:16]
    4 │ when = "tilte == 'x'"
    5 │ build = { on = 'jenkins.mian', job = 'x' }
      ·                ───────┬──────
      ·                       ╰── here
      ╰────
     help: did you mean `jenkins.main`?
    "#);
    assert!(outcome.output.ends_with("2 connections: 4 faults\n"), "{}", outcome.output);
}

#[tokio::test]
async fn two_producers_with_one_token_are_a_fault_and_it_is_not_shown() {
    let world = World::new();
    let settings = ["images", "packages"].map(|name| {
        world.write(&format!("{name}-token"), "hunter2\n");
        format!("[producer.{name}]\nartifacts = ['*']\ntoken = 'file:{name}-token'\n")
    });
    world.write("producers.toml", &settings.concat());
    let outcome = world.does(&["-c", &world.file("producers.toml"), "check", "--json"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    let shown = outcome.output + &outcome.errors;
    let fault = "`producer.images.token` and `producer.packages.token` are the same";
    assert!(shown.contains(fault), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_title_in_a_parameter_is_warned_of() {
    let world = World::new();
    world.write("rules/rules.toml", &RULES.replace("{{ head.sha }}", "{{ title }}"));
    let outcome = world.does(&["check"]).await;
    assert_eq!(outcome.exit, Exit::Success);
    insta::assert_snapshot!(outcome.errors, @"warning: rules/rules.toml:3: rule `points` passes `title`, which anybody may write, to the build as `SHA`; a job that puts it into a shell command runs what they wrote");
}

#[tokio::test]
async fn a_rule_about_a_host_that_nobody_is_at_is_warned_of() {
    let world = World::new();
    let rules = RULES.replace("where = { ", "where = { instance = \"forge.exmaple\", ");
    assert!(rules.contains("exmaple"), "{rules}");
    world.write("rules/rules.toml", &rules);
    let outcome = world.does(&["check"]).await;
    let words = "is about `forge.exmaple`, where no connection is; did you mean `forge.example`?";
    assert!(outcome.errors.contains(words), "{}", outcome.errors);
}

#[tokio::test]
async fn a_branch_without_its_commit_and_a_draft_that_is_never_ready_are_warned_of() {
    let world = World::new();
    let rules = RULES.replace("{{ head.sha }}", "{{ head.branch }}");
    let rules = rules.replace("trust = \"anyone\"\n", "");
    let rules = rules.replacen("[[rule]]", "[[rule]]\nwhen = [\"not pull_request.draft\"]", 1);
    world.write("rules/rules.toml", &rules);
    let outcome = world.does(&["check"]).await;
    assert_eq!(outcome.exit, Exit::Success);
    insta::assert_snapshot!(outcome.errors, @"
    warning: rules/rules.toml:4: rule `points` passes a branch and not its commit: what is pushed after it was approved is built unseen; pass `{{ head.sha }}`, and let the job check that out
    warning: rules/rules.toml:4: rule `points` asks for drafts, and does not hear when one becomes ready: add `pull_request.ready` to `on`
    ");
}

#[tokio::test]
async fn an_example_is_explained_rule_by_rule() {
    let world = World::new();
    let shown = world.shows(&["explain", "pagure/pull-request.new"]).await;
    let (event, rules) = shown.split_once("\nrules\n").unwrap();
    assert!(event.contains("pull_request.opened about forge.example/rail/signalbox#7"), "{event}");
    assert!(event.contains("head.branch          \"points\""), "{event}");
    insta::assert_snapshot!(rules, @"
      ✓  points  rules/rules.toml:3   fired: 1 action
      ·  drafts  rules/rules.toml:11  `pull_request.draft` does not hold: pull_request.draft = false

    actions
      start at jenkins.main
        job    points
        cause  points for forge.example/rail/signalbox#7 at a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
        SHA    a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
    ");
    assert!(!world.path("l.db").exists());
}

#[tokio::test]
async fn what_the_ledger_knows_counts_unless_it_is_not_asked() {
    let world = World::with_history().await;
    let shown = world.shows(&["explain", "aaaa-1111"]).await;
    assert!(shown.contains("no rule was asked: this was told before"), "{shown}");
    let shown = world.shows(&["explain", "--fresh", "aaaa-1111"]).await;
    assert!(shown.contains("✓  points"), "{shown}");
    let shown = world.shows(&["explain", "aaaa-2222"]).await;
    assert!(shown.contains("it cannot be read: cannot read `"), "{shown}");
}

#[tokio::test]
async fn a_message_that_nobody_wants_is_explained_all_the_same() {
    let world = World::new();
    let rule =
        "[[rule]]\nname = 'a'\non = 'build.finished'\n[[rule.notify]]\nto = 'bus'\ntext = 'x'\n";
    world.write("rules/rules.toml", rule);
    let shown = world.shows(&["explain", "pagure/pull-request.comment.added"]).await;
    assert!(shown.contains("no rule needs it, so it is never asked for"), "{shown}");
    assert!(shown.contains("comment.added about"), "{shown}");
    assert!(shown.contains("no rule is about it"), "{shown}");
}

#[tokio::test]
async fn a_message_that_continues_another_is_not_explained_without_that() {
    let world = World::new();
    let shown = world.shows(&["explain", "eiffel/activity.finished"]).await;
    let why_not = "it does not tell the job, and the message that it continues is not known";
    assert!(shown.contains(why_not), "{shown}");
    let shown = world.shows(&["explain", "eiffel/jenkins.finished"]).await;
    assert!(!shown.contains(why_not), "{shown}");
}

#[tokio::test]
async fn what_cannot_be_found_is_guessed_at() {
    let world = World::new();
    let outcome = world.does(&["explain", "pagure/pull-request.nwe"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    insta::assert_snapshot!(outcome.errors, @"error: `pagure/pull-request.nwe` is no file, no example of a topic and no message in the ledger; did you mean `pagure/pull-request.new`?");
}

#[tokio::test]
async fn only_wanted_topics_are_listed_if_asked() {
    let world = World::new();
    let shown = world.shows(&["topics", "--wanted"]).await;
    assert!(shown.contains("✓  pagure/pull-request.new"), "{shown}");
    assert!(!shown.contains("  jenkins/fedmsg-emit.deleted"), "{shown}");
    assert!(shown.contains("\n  #.pagure.pull-request.new\n"), "{shown}");
    assert!(!shown.contains("·"), "{shown}");
}
