//! The commands that look into the ledger.

use super::*;
use crate::ledger::queue::Settlement;
use crate::subject::ConnectionName;

async fn bury_the_build(world: &World) {
    let (ledger, prepared) = (world.ledger(), world.prepared());
    let connection: ConnectionName = "jenkins.main".to_owned().try_into().unwrap();
    let claimed = ledger.claim(&connection, 1).await.unwrap().pop().unwrap();
    let settlement = Settlement::Buried("no such job".to_owned(), Vec::new());
    ledger.settle(claimed.seq, settlement, prepared.decide()).await.unwrap();
}

#[tokio::test]
async fn messages_are_listed_with_what_became_of_them() {
    let world = World::with_history().await;
    insta::assert_snapshot!(world.shows(&["messages", "list", "--state", "read"]).await, @"
    MESSAGE    CAME       STATE  TOPIC                                       REMARK
    aaaa-1111  6 min ago  read   example.forge.prod.pagure.pull-request.new
    ");
    let dead = world.shows(&["messages", "list", "--state", "dead"]).await;
    assert!(dead.contains("aaaa-2222  3 min ago  dead"), "{dead}");
    assert_eq!(world.shows(&["messages", "list", "--state", "ignored"]).await, "no messages\n");
}

#[tokio::test]
async fn a_message_is_shown_with_all_that_it_caused() {
    let world = World::with_history().await;
    let shown = world.shows(&["messages", "show", "aaaa-1"]).await;
    let (head, body) = shown.split_once("\nbody (").unwrap();
    insta::assert_snapshot!(head, @r#"
    message aaaa-1111
      topic     example.forge.prod.pagure.pull-request.new
      source    the inbox
      received  2026-11-20T08:21:47Z (6 min ago)
      state     read

    headers
      fedora_messaging_schema    "pagure.pull-request.new"
      fedora_messaging_severity  20
      sent-at                    "2026-11-20T08:21:47+00:00"

    pull_request.opened about forge.example/rail/signalbox#7
      2026-11-20T08:21:47Z (6 min ago)  told by message aaaa-1111
      ✓  points  rules/rules.toml:3   fired: 1 action
      ·  drafts  rules/rules.toml:11  `pull_request.draft` does not hold: pull_request.draft = false

    SEQ  CHANGED    STATE    KIND   AT            TRIES  REMARK
    1    6 min ago  waiting  start  jenkins.main  0
    "#);
    assert!(body.contains("\n    \"agent\": \"ada\""), "{body}");
}

#[tokio::test]
async fn a_message_from_outside_draws_nothing_on_the_terminal() {
    let world = World::with_history().await;
    let shown = world.shows(&["messages", "show", "aaaa-2"]).await;
    assert!(shown.contains("\"pullrequest\""), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown}");
}

#[tokio::test]
async fn an_id_that_begins_several_is_told_so() {
    let world = World::with_history().await;
    let outcome = world.does(&["messages", "show", "aaaa"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    insta::assert_snapshot!(outcome.errors, @"error: more than one message has an id that begins with `aaaa`: aaaa-1111, aaaa-2222");
    let outcome = world.does(&["runs", "show", "zz"]).await;
    insta::assert_snapshot!(outcome.errors, @"error: there is no run whose id begins with `zz`");
}

#[tokio::test]
async fn dead_letters_are_read_again() {
    let world = World::with_history().await;
    let shown = world.shows(&["messages", "retry", "--all-dead"]).await;
    assert_eq!(shown, "message aaaa-2222 will be read again\n");
    assert_eq!(world.ledger().counts().await.unwrap().inbox, 1);
    let shown = world.shows(&["messages", "retry", "--all-dead"]).await;
    assert_eq!(shown, "there is nothing to read again\n");
    assert_eq!(world.does(&["messages", "retry", "bbbb"]).await.exit, Exit::Failure);
}

#[tokio::test]
async fn a_run_is_found_by_the_beginning_of_its_id() {
    let world = World::with_history().await;
    let listed = world.shows(&["runs", "--open"]).await;
    insta::assert_snapshot!(listed, @"
    RUN           ORDERED    STATE    RULE    REVISION      SUBJECT                         BUILD
    5bb04b31d8d8  6 min ago  ordered  points  a1a1a1a1a1a1  forge.example/rail/signalbox#7  jenkins.main points
    ");
    let id = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    insta::assert_snapshot!(world.shows(&["runs", "show", id]).await, @"
    run 5bb04b31d8d84cfe75a38902fcccd479: ordered
      rule         points
      subject      forge.example/rail/signalbox#7
      revision     a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
      attempt      1
      build        jenkins.main points
      ordered      2026-11-20T08:21:47Z (6 min ago)
      changed      2026-11-20T08:21:47Z (6 min ago)
      reported to  bus (message)

    SEQ  CHANGED    STATE    KIND   AT            TRIES  REMARK
    1    6 min ago  waiting  start  jenkins.main  0
    ");
    let of_another = world.shows(&["runs", "list", "--subject", "forge.example/x#1"]).await;
    assert_eq!(of_another, "no runs\n");
}

#[tokio::test]
async fn what_was_given_up_goes_back_in_line() {
    let world = World::with_history().await;
    bury_the_build(&world).await;
    insta::assert_snapshot!(world.shows(&["actions", "list", "--state", "buried"]).await, @"
    SEQ  CHANGED  STATE   KIND   AT            TRIES  SUBJECT                         REMARK
    1    now      buried  start  jenkins.main  1      forge.example/rail/signalbox#7  no such job
    ");
    insta::assert_snapshot!(world.shows(&["actions", "show", "1"]).await, @"
    action 1: start at jenkins.main
      state    buried
      key      start/5bb04b31d8d84cfe75a38902fcccd479
      subject  forge.example/rail/signalbox#7
      run      5bb04b31d8d84cfe75a38902fcccd479
      tries    1
      made     2026-11-20T08:21:47Z (6 min ago)
      changed  2026-11-20T08:27:47Z (now)
      remark   no such job

        job    points
        cause  points for forge.example/rail/signalbox#7 at a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
        SHA    a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1

    It was caused by
    pull_request.opened about forge.example/rail/signalbox#7
      2026-11-20T08:21:47Z (6 min ago)  told by message aaaa-1111
      ✓  points  rules/rules.toml:3   fired: 1 action
      ·  drafts  rules/rules.toml:11  `pull_request.draft` does not hold: pull_request.draft = false
    ");
    let shown = world.shows(&["actions", "retry", "--all-buried"]).await;
    assert_eq!(shown, "action 1 is back in line\n");
    let outcome = world.does(&["actions", "retry", "1", "7"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    assert_eq!(
        outcome.errors,
        "error: action 1 is left where it is: it is not buried\nerror: action 7 is left where it is: it is not buried\n"
    );
}

#[tokio::test]
async fn why_is_answered_from_the_ledger() {
    let world = World::with_history().await;
    insta::assert_snapshot!(world.shows(&["why", "signalbox#7"]).await, @"
    pull_request.opened about forge.example/rail/signalbox#7
      2026-11-20T08:21:47Z (6 min ago)  told by message aaaa-1111
      ✓  points  rules/rules.toml:3   fired: 1 action
      ·  drafts  rules/rules.toml:11  `pull_request.draft` does not hold: pull_request.draft = false

    RUN           ORDERED    STATE    RULE    REVISION      BUILD
    5bb04b31d8d8  6 min ago  ordered  points  a1a1a1a1a1a1  jenkins.main points

    SEQ  CHANGED    STATE    KIND   AT            TRIES  REMARK
    1    6 min ago  waiting  start  jenkins.main  0
    ");
    let outcome = world.does(&["why", "nothing"]).await;
    assert_eq!(outcome.exit, Exit::Failure);
    assert_eq!(outcome.errors, "error: the ledger knows nothing about `nothing`\n");
}

#[tokio::test]
async fn the_tail_shows_the_last_events_and_ends_when_it_is_told_to() {
    let world = World::with_history().await;
    let (mut console, output, _) = world.console("");
    console.stop().cancel();
    let settings = world.file("pointsman.toml");
    let arguments = ["pointsman", "-c", settings.as_str(), "tail"];
    assert_eq!(Box::pin(run(arguments.map(Into::into), &mut console)).await, Exit::Success);
    insta::assert_snapshot!(output.text(), @"2026-11-20T08:21:47Z event   pull_request.opened forge.example/rail/signalbox#7 ✓ points (fired: 1 action) · drafts (`pull_request.draft` does not hold: pull_request.draft = false)");
}

#[tokio::test]
async fn news_is_told_once_and_in_order() {
    let world = World::with_history().await;
    let ledger = world.ledger();
    let (latest, bookmark) = ledger.latest(10).await.unwrap();
    assert_eq!(latest.len(), 1);
    let (news, bookmark) = ledger.news(bookmark).await.unwrap();
    assert_eq!(news.len(), 0);
    world.hears("bbbb", World::example("pagure/pull-request.closed")).await;
    let (news, bookmark) = ledger.news(bookmark).await.unwrap();
    let words: Vec<_> = news
        .iter()
        .map(|one| serde_json::to_value(one).unwrap().as_object().unwrap().keys().next().cloned())
        .collect();
    assert_eq!(words[..2], [Some("message".to_owned()), Some("event".to_owned())]);
    assert!(ledger.news(bookmark).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn rules_are_counted_by_what_they_said() {
    /// Rows without the space between columns, which depends on where the test runs.
    fn dense(text: &str) -> String {
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }
    let world = World::new();
    insta::assert_snapshot!(dense(&world.shows(&["rules"]).await), @"
    RULE AT MODE DOES TRUSTS FIRED SHADOW FAILED LAST REMARK
    points rules/rules.toml:3 live builds points on jenkins.main anyone 0 0 0 never asked
    drafts rules/rules.toml:11 live tells 0 0 0 never asked
    ");
    let world = World::with_history().await;
    insta::assert_snapshot!(dense(&world.shows(&["rules"]).await), @"
    RULE AT MODE DOES TRUSTS FIRED SHADOW FAILED LAST REMARK
    points rules/rules.toml:3 live builds points on jenkins.main anyone 1 0 0 6 min ago
    drafts rules/rules.toml:11 live tells 0 0 0 never fired in 6 min: not 1
    ");
    let shown = dense(&world.shows(&["rules", "--since", "1min"]).await);
    assert!(shown.ends_with("live tells 0 0 0 never fired in 1 min"), "{shown}");
}

#[tokio::test]
async fn a_rule_is_shown_in_full() {
    let world = World::with_history().await;
    insta::assert_snapshot!(world.shows(&["rules", "points"]).await, @"
    rule points
      at          rules/rules.toml:3
      mode        live
      on          pull_request.opened, pull_request.updated
      heeds       command.test, command.retest, command.ok
      where       project = rail/*
      trust       anyone
      builds      points on jenkins.main
      parameter   SHA = {{ head.sha }}
      newer head  cancels the older build
      reports     bus, always

    since 2026-10-21T08:27:47Z (30 days ago)
      fired  1  last 2026-11-20T08:21:47Z (6 min ago)
    ");
    let shown = world.shows(&["rules", "drafts"]).await;
    assert!(
        shown.ends_with("why it did not fire\n  1  `pull_request.draft` does not hold\n"),
        "{shown}"
    );
    let outcome = world.does(&["rules", "pionts"]).await;
    assert_eq!(outcome.errors, "error: there is no rule `pionts`; did you mean `points`?\n");
}

#[tokio::test]
async fn a_rule_that_fails_or_is_a_shadow_is_seen() {
    let world = World::new();
    let rules = RULES
        .replace("trust = \"anyone\"", "trust = \"anyone\"\nmode = \"shadow\"")
        .replace("pull_request.draft\"", "title + 1 == 2\"");
    world.write("rules/rules.toml", &rules);
    world.hears("aaaa-1111", World::example("pagure/pull-request.new")).await;
    let shown = world.shows(&["rules"]).await;
    let lines: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][7..], ["anyone", "0", "1", "0", "3", "min", "ago"], "{shown}");
    assert!(lines[2].join(" ").contains("0 0 1 failed 3 min ago: `title + 1 == 2`:"), "{shown}");
    let shown = world.shows(&["rules", "drafts"]).await;
    assert!(shown.contains("last failed 2026-11-20T08:21:47Z (3 min ago): `title + 1"), "{shown}");
}
