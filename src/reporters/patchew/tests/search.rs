use super::*;

#[tokio::test]
async fn what_was_there_at_the_first_look_is_no_news() {
    let mut world = World::new().await;
    world.patchew.post(&world.series("before", 1));
    world.patchew.post_some(&world.series("unfinished", 2), &[0, 1]);
    assert_eq!(world.hear().await, "");
    world.pass(1);
    world.patchew.post(&world.series("after", 2));
    // It was known to lack a patch, so it is news once that has come.
    world.patchew.post_some(&world.series("unfinished", 2), &[2]);
    insta::assert_snapshot!(world.hear().await, @r"
    series.posted after-0-ada@mail.example v1 2
    series.posted unfinished-0-ada@mail.example v1 2
    ");
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_series_is_told_with_all_that_is_known_of_it() {
    let mut world = World::new().await;
    world.hear().await;
    let mut series = world.series("full", 2);
    series.tags = vec!["RFC".to_owned()];
    series.version = 3;
    series.cover = Some("Words.\n\nBased-on: <b@x>\nbased-on: <a@x>\nCI-tag: skip\n".to_owned());
    series.words = "base-commit: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".to_owned();
    world.patchew.post(&series);
    // Of these nobody knows whose they are.
    for tag in ["Based-on: <c@x>", "Base-commit: bbbb", "Reviewed-by: Grace <grace@x>"] {
        world.patchew.tag(PROJECT, &series.root(), tag);
    }
    let look = world.look().await;
    let base = format!("{}/", world.patchew.url());
    let event = serde_json::to_string(&events(&look)[0]).unwrap().replace(&base, "/");
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    insta::assert_yaml_snapshot!(event, @r#"
    at: "2026-11-20T08:00:02Z"
    event: series.posted
    instance: patchew.example
    project: Signalbox Points
    series:
      cover:
        id: ~
        mbox: /api/v1/projects/1/messages/full-0-ada@mail.example/mbox/
        msgid: full-0-ada@mail.example
        title: "points: Lock the blades"
        url: /Signalbox%20Points/full-0-ada@mail.example/
      hints:
        base: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        change_id: ~
        depends:
          - b@x
          - a@x
        notes:
          - "ci-tag: skip"
        prerequisites: []
      id: full-0-ada@mail.example
      mbox: /api/v1/projects/1/series/full-0-ada@mail.example/mbox/
      patches:
        - id: ~
          mbox: /api/v1/projects/1/messages/full-1-ada@mail.example/mbox/
          msgid: full-1-ada@mail.example
          title: "points: Add blade 1"
          url: /Signalbox%20Points/full-0-ada@mail.example/full-1-ada@mail.example/
        - id: ~
          mbox: /api/v1/projects/1/messages/full-2-ada@mail.example/mbox/
          msgid: full-2-ada@mail.example
          title: "points: Add blade 2"
          url: /Signalbox%20Points/full-0-ada@mail.example/full-2-ada@mail.example/
      root: full-0-ada@mail.example
      sent_at: "2026-11-20T08:00:00Z"
      submitter:
        email: ada@mail.example
        id: ~
        name: Ada Löwe
        vouched: false
      tags:
        - RFC
      title: "points: Lock the blades"
      url: /Signalbox%20Points/full-0-ada@mail.example/
      version: 3
    "#);
}

#[tokio::test]
async fn the_same_series_is_the_same_message_however_often_it_was_answered() {
    let mut world = World::new().await;
    world.hear().await;
    let series = world.series("one", 1);
    world.patchew.post(&series);
    let first = world.look().await.messages[0].clone();
    world.patchew.reply(PROJECT, &series.root(), world.now() + SignedDuration::from_mins(5));
    world.cursor = None;
    world.hear().await;
    world.cursor = Some(world.cursor.unwrap().replace(&cursor::mark(PROJECT, &series.root()), ""));
    let again = world.look().await.messages[0].clone();
    assert_eq!(first, again);
}

#[tokio::test]
async fn a_series_is_waited_for_although_a_late_mail_does_not_move_it() {
    let mut world = World::new().await;
    world.hear().await;
    let series = world.series("late", 3);
    world.patchew.post_some(&series, &[0, 1, 3]);
    let look = world.look().await;
    assert_eq!((look.messages.len(), look.waiting), (0, 1));
    // Meanwhile others are posted, and the list that is read begins later than that.
    world.pass(8 * 60);
    for number in 0..60 {
        world.patchew.post(&world.series(&format!("other-{number}"), 1));
    }
    world.look().await;
    world.look().await;
    world.patchew.take_calls();
    world.patchew.post_some(&series, &[2]);
    insta::assert_snapshot!(world.hear().await, @"series.posted late-0-ada@mail.example v1 3");
    assert_eq!(world.look().await.waiting, 0);
}

#[tokio::test]
async fn a_series_is_not_waited_for_for_ever() {
    let mut world = World::new().await;
    world.hear().await;
    // Without a cover letter a Patchew never sees the end of a series.
    let mut series = world.series("no-cover", 2);
    series.cover = None;
    world.patchew.post(&series);
    assert_eq!(world.look().await.waiting, 1);
    world.pass(25 * 60);
    let look = world.look().await;
    assert_eq!((look.messages.len(), look.waiting), (0, 0));
}

#[tokio::test]
async fn what_is_old_obsolete_or_merged_is_no_news() {
    let mut world = World::new().await;
    world.hear().await;
    let mut old = world.series("old", 1);
    old.date = world.now() - SignedDuration::from_hours(30);
    let (obsolete, merged) = (world.series("obsolete", 1), world.series("merged", 1));
    for series in [&old, &obsolete, &merged] {
        world.patchew.post(series);
    }
    // An answer brings it to the top of the list.
    world.patchew.reply(PROJECT, &old.root(), world.now());
    world.patchew.set_obsolete(PROJECT, &obsolete.root());
    world.patchew.set_merged(PROJECT, &merged.root());
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn more_than_a_page_is_read_and_more_than_a_look_is_told_in_the_next() {
    let mut world = World::with(Options { page_size: 20, ..Options::default() }).await;
    world.hear().await;
    for number in 0..70 {
        world.pass(1);
        world.patchew.post(&world.series(&format!("s{number:02}"), 1));
    }
    let mut heard = Vec::new();
    for has_more in [true, false] {
        let look = world.look().await;
        assert_eq!(look.has_more, has_more);
        heard.extend(events(&look).into_iter().map(|event| event.series.root));
    }
    let all: Vec<_> = (0..70).map(|number| format!("s{number:02}-0-ada@mail.example")).collect();
    assert_eq!(heard, all);
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_date_that_is_yet_to_come_hides_nothing() {
    let mut world = World::new().await;
    world.hear().await;
    let mut series = world.series("future", 1);
    series.date = "2038-01-19T03:14:07Z".parse().unwrap();
    world.patchew.post(&series);
    insta::assert_snapshot!(world.hear().await, @"series.posted future-0-ada@mail.example v1 1");
    world.pass(1);
    world.patchew.post(&world.series("present", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted present-0-ada@mail.example v1 1");
}

#[tokio::test]
async fn a_look_that_fails_halfway_keeps_what_it_has_and_loses_nothing() {
    let mut world = World::new().await;
    world.hear().await;
    for stem in ["a", "b"] {
        world.pass(1);
        world.patchew.post(&world.series(stem, 1));
    }
    // The project, the list, and the series with two mails of the first one.
    world.patchew.set_mood(Mood::FailingAfter(5));
    insta::assert_snapshot!(world.hear().await, @"series.posted a-0-ada@mail.example v1 1");
    world.patchew.set_mood(Mood::Normal);
    insta::assert_snapshot!(world.hear().await, @"series.posted b-0-ada@mail.example v1 1");
    world.patchew.set_mood(Mood::Failing(502));
    assert!(matches!(world.try_to_look().await, Err(Failure::Retry { .. })));
}

#[tokio::test]
async fn a_project_that_does_not_exist_is_no_silence() {
    let mut world = World::new().await;
    world.settings.projects = vec!["Typo".to_owned()];
    let failure = world.try_to_look().await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: there is no project `Typo` (see `patchew.main.projects`)");
    // Beside one that does, it keeps nobody from being heard.
    world.settings.projects.push(PROJECT.to_owned());
    world.hear().await;
    world.patchew.post(&world.series("heard", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted heard-0-ada@mail.example v1 1");
}

#[tokio::test]
async fn what_was_missed_is_found_at_night() {
    let mut world = World::new().await;
    world.patchew.post(&world.series("before", 1));
    world.hear().await;
    world.pass(1);
    world.patchew.post(&world.series("missed", 1));
    world.patchew.post_some(&world.series("half", 2), &[0, 2]);
    world.pass(10 * 60);
    insta::assert_snapshot!(world.reconcile().await, @"series.posted missed-0-ada@mail.example v1 1");
    world.pass(20 * 60);
    assert_eq!(world.reconcile().await, "");
}

#[tokio::test]
async fn one_message_id_in_two_projects_is_two_series() {
    let mut world = World::new().await;
    world.patchew.add_project("Other", &[]);
    world.settings.projects.push("Other".to_owned());
    world.hear().await;
    let here = world.series("both", 1);
    let there = NewSeries { project: "Other".to_owned(), ..here.clone() };
    world.patchew.post(&here);
    world.patchew.post(&there);
    let subjects: Vec<_> =
        events(&world.look().await).iter().map(|event| event.subject().key()).collect();
    insta::assert_snapshot!(subjects.join("\n"), @r"
    patchew.example/Signalbox Points/series/both-0-ada@mail.example
    patchew.example/Other/series/both-0-ada@mail.example
    ");
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_begins_anew() {
    let mut world = World::new().await;
    world.cursor = Some("{".to_owned());
    world.patchew.post(&world.series("before", 1));
    assert_eq!(world.hear().await, "");
    world.patchew.post(&world.series("after", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted after-0-ada@mail.example v1 1");
}

#[tokio::test]
async fn a_sender_is_vouched_for_by_the_operators_own_mail_server_only() {
    let mut world = World::new().await;
    world.settings.authserv_id = Some("mx.example".to_owned());
    world.hear().await;
    let own = "Authentication-Results: mx.example; dkim=pass header.d=mail.example\n";
    let theirs = own.replace("mx.example", "mx.evil.example");
    let twice = format!("{own}From: ada@mail.example\n");
    let traces = [("own", own), ("theirs", theirs.as_str()), ("none", ""), ("twice", &twice)];
    for (stem, trace) in traces {
        world.pass(1);
        let series = NewSeries { trace: trace.to_owned(), ..world.series(stem, 3) };
        world.patchew.post(&series);
    }
    // One mail of it is somebody else's.
    world.pass(1);
    let series = NewSeries { trace: own.to_owned(), ..world.series("mixed", 3) };
    world.patchew.post_some(&series, &[0, 1, 2]);
    world.patchew.post_some(&NewSeries { trace: String::new(), ..series }, &[3]);
    let events = events(&world.look().await);
    let seen = events.iter().map(|it| format!("{} {}", it.series.id, it.series.submitter.vouched));
    insta::assert_snapshot!(seen.collect::<Vec<_>>().join("\n"), @r"
    own-0-ada@mail.example true
    theirs-0-ada@mail.example false
    none-0-ada@mail.example false
    twice-0-ada@mail.example false
    mixed-0-ada@mail.example false
    ");
    world.settings.authserv_id = None;
    world.pass(1);
    world.patchew.post(&NewSeries { trace: own.to_owned(), ..world.series("unset", 1) });
    assert!(!super::events(&world.look().await)[0].series.submitter.vouched);
}

#[tokio::test]
async fn what_could_not_be_read_comes_behind_what_is_new() {
    for status in [400, 500] {
        let mut world = World::new().await;
        world.hear().await;
        for number in 0..5 {
            world.patchew.post(&world.series(&format!("stuck-{number}"), 1));
        }
        world.patchew.refuse(Some(("series/stuck-", status)));
        assert_eq!(world.hear().await, "");
        world.pass(1);
        world.patchew.post(&world.series("new", 1));
        let mut heard = world.hear().await;
        heard.push_str(&world.hear().await);
        assert_eq!(heard, "series.posted new-0-ada@mail.example v1 1\n", "{status}");
        // Each has its turn, and no more than a few are asked for in vain.
        world.patchew.take_calls();
        world.hear().await;
        let asked = world.patchew.take_calls();
        assert_eq!(asked.iter().filter(|call| call.contains("/series/stuck-")).count(), 3);
        world.patchew.refuse(None);
        assert_eq!(world.hear().await.lines().count(), 5, "{status}");
        assert_eq!(world.hear().await, "");
    }
}

#[tokio::test]
async fn what_cannot_be_read_at_night_keeps_no_other_from_being_found() {
    let mut world = World::new().await;
    world.hear().await;
    for stem in ["missed", "stuck"] {
        world.pass(1);
        world.patchew.post(&world.series(stem, 1));
    }
    world.patchew.refuse(Some(("series/stuck-", 500)));
    insta::assert_snapshot!(world.reconcile().await, @"series.posted missed-0-ada@mail.example v1 1");
}

#[tokio::test]
async fn what_is_sent_by_a_clock_that_is_ahead_is_not_waited_for_until_then() {
    let mut world = World::new().await;
    world.hear().await;
    let mut ahead = world.series("ahead", 2);
    ahead.date = world.now() + SignedDuration::from_hours(24 * 365);
    world.patchew.post_some(&ahead, &[0, 1]);
    assert_eq!(world.look().await.waiting, 1);
    world.pass(23 * 60);
    assert_eq!(world.look().await.waiting, 1);
    world.pass(2 * 60);
    assert_eq!(world.look().await.waiting, 0);
}

#[tokio::test]
async fn what_is_there_before_anybody_has_looked_is_no_news_at_night_either() {
    let mut world = World::new().await;
    world.patchew.post(&world.series("before", 1));
    assert_eq!(world.reconcile().await, "");
    world.hear().await;
    world.pass(1);
    world.patchew.post(&world.series("missed", 1));
    insta::assert_snapshot!(world.reconcile().await, @"series.posted missed-0-ada@mail.example v1 1");
}

#[tokio::test]
async fn a_look_that_takes_long_ends_with_what_it_has() {
    let mut world = World::new().await;
    world.settings.roles = vec![Role::Search, Role::Applier, Role::Tester];
    world.hear().await;
    world.pass(1);
    world.patchew.post(&world.series("a", 1));
    let source = Source::new("main", INSTANCE.to_owned(), &world.settings, world.clock());
    let mut poller = PatchewPoller::new(source.unwrap(), &world.settings);
    poller.limit = Duration::ZERO;
    let look = poller.look(world.cursor.as_deref(), world.now()).await.unwrap();
    assert_eq!((look.messages.len(), look.has_more), (0, true));
    world.cursor = Some(look.cursor);
    // Both by the list, and by what waits to be put on a branch.
    assert_eq!(world.look().await.messages.len(), 2);
}
