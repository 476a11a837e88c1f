//! `replay`: what other rules would have done about the past.

use super::*;
use crate::ledger::queue::Settlement;
use crate::run::RunState;
use crate::subject::{ConnectionName, Verdict};

/// A pull request was proposed and built, and the build has failed.
async fn with_a_build() -> World {
    let world = World::with_history().await;
    let (ledger, prepared) = (world.ledger(), world.prepared());
    let connection: ConnectionName = "jenkins.main".to_owned().try_into().unwrap();
    let claimed = ledger.claim(&connection, 1).await.unwrap().pop().unwrap();
    let run = claimed.run.unwrap();
    assert_eq!(run.state, RunState::Ordered);
    let build = crate::event::build::BuildEvent {
        id: None,
        of: None,
        thread: crate::event::thread::Thread::default(),
        event: crate::event::EventKind::BuildFinished,
        instance: Some("ci.example".to_owned()),
        connection: Some(connection),
        job: "points".to_owned(),
        number: Some(1),
        url: None,
        verdict: Some(Verdict::Failure),
        run: Some(run.id),
        queued: None,
        reason: None,
    };
    let settlement = Settlement::Done(vec![crate::event::Event::Build(build)]);
    ledger.settle(claimed.seq, settlement, prepared.decide()).await.unwrap();
    let branch = World::example("pagure/pull-request.new");
    let body = String::from_utf8(branch.body.clone()).unwrap();
    let body = body.replace("\"id\": 7,", "\"id\": 9,").into_bytes();
    world.hears("aaaa-3333", Message { body, ..branch }).await;
    world
}

async fn replayed(rules: &str) -> (World, Outcome) {
    let world = with_a_build().await;
    std::fs::create_dir(world.path("new")).unwrap();
    world.write("new/rules.toml", rules);
    let state = async || {
        let ledger = world.ledger();
        let events = ledger.past_events(0, (from_millis(0), from_millis(i64::MAX))).await.unwrap();
        (ledger.counts().await.unwrap(), events.len())
    };
    let before = state().await;
    let new = world.file("new");
    let outcome = world.does(&["replay", "--since", "1h", "--dry-run", "--rules", &new]).await;
    assert_eq!(state().await, before);
    (world, outcome)
}

#[tokio::test]
async fn the_same_rules_do_the_same() {
    let (_world, outcome) = replayed(RULES).await;
    assert_eq!((outcome.exit, outcome.errors.as_str()), (Exit::Success, ""));
    insta::assert_snapshot!(outcome.output, @"
    3 messages and 1 answer since 2026-11-20T07:30:47Z (1 h ago), under both

    nothing would have been different
    ");
}

#[tokio::test]
async fn what_other_rules_do_is_told_build_by_build_and_word_by_word() {
    let other = RULES
        .replace("{{ head.sha }}\"", "{{ head.short }}\", TARGET = \"{{ target }}\"")
        .replace("{ to = \"bus\" }", "{ to = \"bus\", text = \"{{ rule }}: {{ stage }}\" }")
        + r#"
[[rule]]
name = "kettle"
on = "pull_request.opened"
where = { project = "rail/*" }
trust = "anyone"
when = ["number == 9"]
build = { on = "jenkins.main", job = "kettle" }

[[rule]]
name = "broken"
on = "pull_request.opened"
when = ["title + 1 == 2"]
notify = [{ to = "bus", text = "x" }]

[[rule]]
name = "talk"
on = "branch.pushed"
notify = [{ to = "bus", text = "x" }]
"#;
    let (_world, outcome) = replayed(&other).await;
    assert_eq!((outcome.exit, outcome.errors.as_str()), (Exit::Success, ""));
    // Which topics there are depends on what comes along.
    let (unheard, shown): (Vec<&str>, Vec<&str>) =
        outcome.output.lines().partition(|line| line.starts_with("nothing was heard of"));
    assert!(unheard[0].contains("pagure/git.receive.branch"), "{unheard:?}");
    insta::assert_snapshot!(shown.join("\n"), @"
    3 messages and 1 answer since 2026-11-20T07:30:47Z (1 h ago), under both

    would newly start 1 build on 1 subject
      forge.example/rail/signalbox#9
        + kettle: kettle at a1a1a1a1a1a1 on jenkins.main

    would start 2 builds with other parameters
      forge.example/rail/signalbox#7
        ~ points: points at a1a1a1a1a1a1 on jenkins.main
            SHA: `a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1` → `a1a1a1a1a1a1`
            TARGET: nothing → `main`
      forge.example/rail/signalbox#9
        ~ points: points at a1a1a1a1a1a1 on jenkins.main
            SHA: `a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1` → `a1a1a1a1a1a1`
            TARGET: nothing → `main`

    would make 1 report otherwise
      forge.example/rail/signalbox#7
        ~ points: message (failure) to bus
            -**points** at a1a1a1a1a1a1: failed
            +points: failure

    rules that could not be evaluated
      broken (new/rules.toml:25): `title + 1 == 2`: tried to use + operator on unsupported types string and number: 0 times before, 2 after
    ");
}

#[tokio::test]
async fn what_other_rules_leave_is_told() {
    let drafts = RULES.split("[[rule]]").nth(2).unwrap();
    let (world, outcome) = replayed(&format!("[[rule]]{drafts}")).await;
    insta::assert_snapshot!(outcome.output, @"
    3 messages and 1 answer since 2026-11-20T07:30:47Z (1 h ago), under both

    would not start 2 builds on 2 subjects
      forge.example/rail/signalbox#7
        - points: points at a1a1a1a1a1a1 on jenkins.main
      forge.example/rail/signalbox#9
        - points: points at a1a1a1a1a1a1 on jenkins.main

    would not make 1 report on 1 subject
      forge.example/rail/signalbox#7
        - points: message (failure) to bus
    ");
    let file = world.file("new/rules.toml");
    let shown = world.shows(&["replay", "--rules", &file, "--json"]).await;
    let document: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(document["builds"]["gone"][0]["rule"], "points");
    assert_eq!((document["messages"].as_u64(), document["events"].as_u64()), (Some(3), Some(1)));
    let shown = world.shows(&["replay", "--rules", &file, "--since", "1s"]).await;
    assert!(shown.contains("0 messages and 0 answers"), "{shown}");
}

#[tokio::test]
async fn faulty_rules_are_not_replayed() {
    let (_world, outcome) = replayed("[[rule]]\nname = 'a'\non = 'pull_request.opend'\n").await;
    assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Usage, ""));
    assert!(outcome.errors.contains("did you mean `pull_request.opened`?"), "{}", outcome.errors);
    let world = World::with_history().await;
    let new = world.file("rules");
    for (time, wrong) in [("--since", "soon"), ("--until", "8d")] {
        let outcome = world.does(&["replay", "--rules", &new, time, wrong]).await;
        assert_ne!(outcome.exit, Exit::Success, "{time}");
    }
}
