use super::*;

#[tokio::test]
async fn revisions_are_told_once_and_what_was_there_at_first_is_not() {
    let mut world = World::new().await;
    let before = world.patchwork.post(&world.series("before", 1));
    assert_eq!(world.hear().await, "");
    world.pass(1);
    world.patchwork.post(&world.series("one", 2));
    world.patchwork.post_some(&world.series("half", 2), &[1]);
    insta::assert_snapshot!(world.hear().await, @"series.posted 2 v1 2 one-1-ada@mail.example");
    assert_eq!(world.hear().await, "");
    world.pass(1);
    world.patchwork.revise(before, &world.series("before-v2", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted 1 v2 1 before-v2-1-ada@mail.example");
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn where_nothing_was_at_first_all_is_news() {
    let mut world = World::new().await;
    assert_eq!(world.hear().await, "");
    world.patchwork.post(&world.series("first", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted 1 v1 1 first-1-ada@mail.example");
}

#[tokio::test]
async fn an_event_of_the_very_same_date_is_not_lost() {
    let mut world = World::new().await;
    world.patchwork.post(&world.series("before", 1));
    world.hear().await;
    world.pass(1);
    world.patchwork.post(&world.series("a", 1));
    world.hear().await;
    world.patchwork.post(&world.series("b", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted 3 v1 1 b-1-ada@mail.example");
}

#[tokio::test]
async fn a_series_is_told_with_all_that_is_known_of_it() {
    let mut world = World::new().await;
    world.hear().await;
    let mut series = world.series("full", 2);
    series.tags = vec!["RFC".to_owned()];
    series.cover = Some("Depends-on: <a@x>\n".to_owned());
    series.words = "base-commit: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".to_owned();
    world.patchwork.post(&series);
    let base = format!("{}/", world.patchwork.url());
    let event = serde_json::to_string(&events(&world.look().await)[0]).unwrap();
    let event: serde_json::Value = serde_json::from_str(&event.replace(&base, "/")).unwrap();
    insta::assert_yaml_snapshot!(event, @r##"
    at: "2026-11-20T08:00:02Z"
    event: series.posted
    instance: patchwork.example
    project: signalbox-gfx
    series:
      cover: ~
      hints:
        base: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        change_id: ~
        depends:
          - a@x
        notes: []
        prerequisites: []
      id: "1"
      mbox: /api/1.0/series/1/revisions/1/mbox/
      patches:
        - id: "1"
          mbox: /api/1.0/patches/1/mbox/
          msgid: full-1-ada@mail.example
          title: "points: Add blade 1"
          url: /patch/1/
        - id: "2"
          mbox: /api/1.0/patches/2/mbox/
          msgid: full-2-ada@mail.example
          title: "points: Add blade 2"
          url: /patch/2/
      root: full-1-ada@mail.example
      sent_at: "2026-11-20T08:00:01Z"
      submitter:
        email: ada@mail.example
        id: "1"
        name: Ada Löwe
        vouched: false
      tags:
        - RFC
      title: "points: Lock the blades"
      url: "/series/1/#rev1"
      version: 1
    "##);
}

#[tokio::test]
async fn whoever_answers_a_series_with_a_revision_is_not_its_sender() {
    let mut world = World::new().await;
    world.hear().await;
    let series = world.patchwork.post(&world.series("grace", 1));
    let mut answer = world.series("mallory", 1);
    answer.email = "mallory@mail.example".to_owned();
    world.patchwork.revise(series, &answer);
    let look = world.look().await;
    let senders: Vec<_> = events(&look).into_iter().map(|it| it.series.submitter.id).collect();
    assert_eq!(senders, [Some("1".to_owned()), Some("2".to_owned())]);
}

#[tokio::test]
async fn a_test_that_is_wanted_again_is_a_revision_of_old_mails() {
    let mut world = World::new().await;
    world.hear().await;
    let series = world.patchwork.post(&world.series("a", 1));
    world.hear().await;
    world.pass(3 * 24 * 60);
    world.patchwork.rerun(series);
    insta::assert_snapshot!(world.hear().await, @"series.posted 1 v2 1 a-1-ada@mail.example");
    // Old mails that come in again after a server has moved are no news.
    let mut old = world.series("old", 1);
    old.date = world.now() - SignedDuration::from_hours(30);
    world.patchwork.post(&old);
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_revision_that_is_told_again_by_a_user_is_asked_for() {
    let mut world = World::new().await;
    let user = world.patchwork.add_user("grace", "x", &[PROJECT]);
    world.hear().await;
    let series = world.patchwork.post(&world.series("a", 1));
    world.hear().await;
    world.pass(10 * 60);
    world.patchwork.tell_again(series, Some(user));
    insta::assert_snapshot!(world.hear().await, @"series.recheck 1 v1 1 a-1-ada@mail.example 2026-11-20T18:00:00 by user/2");
    assert_eq!(world.hear().await, "");
    // By nobody, it is but told twice.
    world.pass(1);
    world.patchwork.tell_again(series, None);
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_series_that_cannot_be_read_is_kept_and_keeps_no_other_from_being_told() {
    let mut world = World::new().await;
    world.hear().await;
    for stem in ["a", "b"] {
        world.pass(1);
        world.patchwork.post(&world.series(stem, 1));
    }
    world.patchwork.break_patch("a-1-ada@mail.example", true);
    insta::assert_snapshot!(world.hear().await, @"series.posted 2 v1 1 b-1-ada@mail.example");
    // Long after that it would not be listed any more.
    world.pass(5 * 60);
    world.patchwork.post(&world.series("c", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted 3 v1 1 c-1-ada@mail.example");
    world.patchwork.break_patch("a-1-ada@mail.example", false);
    insta::assert_snapshot!(world.hear().await, @"series.posted 1 v1 1 a-1-ada@mail.example");
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn what_is_new_comes_before_what_could_not_be_read() {
    let mut world = World::new().await;
    world.hear().await;
    for number in 0..4 {
        let series = world.series(&format!("s{number}"), 1);
        world.patchwork.post(&series);
        world.patchwork.break_patch(&series.root().replace("-0-", "-1-"), true);
    }
    assert_eq!(world.hear().await, "");
    world.pass(1);
    world.patchwork.post(&world.series("new", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted 5 v1 1 new-1-ada@mail.example");
    // Each has its turn, although the server seems ill before it comes to that.
    world.patchwork.break_patch("s2-1-ada@mail.example", false);
    assert_eq!(world.hear().await, "");
    insta::assert_snapshot!(world.hear().await, @"series.posted 3 v1 1 s2-1-ada@mail.example");
}

#[tokio::test]
async fn what_cannot_be_read_for_long_is_given_up() {
    let mut world = World::new().await;
    world.hear().await;
    world.patchwork.post(&world.series("a", 1));
    world.patchwork.break_patch("a-1-ada@mail.example", true);
    assert_eq!(world.hear().await, "");
    world.pass(25 * 60);
    world.patchwork.break_patch("a-1-ada@mail.example", false);
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_server_that_is_ill_is_asked_for_no_more_than_a_few() {
    let mut world = World::new().await;
    world.hear().await;
    for number in 0..10 {
        let series = world.series(&format!("s{number}"), 1);
        world.patchwork.post(&series);
        world.patchwork.break_patch(&series.root().replace("-0-", "-1-"), true);
    }
    world.patchwork.take_calls();
    assert_eq!(world.hear().await, "");
    let broken = world.patchwork.take_calls();
    let asked = broken.iter().filter(|call| call.contains("/patches/")).count();
    assert_eq!(asked, 3);
    for number in 0..10 {
        world.patchwork.break_patch(&format!("s{number}-1-ada@mail.example"), false);
    }
    assert_eq!(world.hear().await.lines().count(), 10);
}

#[tokio::test]
async fn a_list_is_read_to_its_end_and_a_look_has_one() {
    let mut world = World::new().await;
    world.hear().await;
    for number in 0..230 {
        world.patchwork.post(&world.series(&format!("s{number}"), 1));
    }
    // Each is one mail, and one question about the events before it.
    for (count, has_more) in [(100, true), (100, true), (30, false)] {
        let look = world.look().await;
        assert_eq!((look.messages.len(), look.has_more), (count, has_more));
    }
}

#[tokio::test]
async fn a_look_that_takes_long_ends_with_what_it_has() {
    let mut world = World::new().await;
    world.hear().await;
    world.patchwork.post(&world.series("a", 1));
    let client = Client::new("fdo", &world.settings, world.clock()).unwrap();
    let source = Source { client, instance: INSTANCE.to_owned() };
    let mut poller = FreedesktopPoller::new(source, &world.settings);
    poller.limit = Duration::ZERO;
    let look = poller.look(world.cursor.as_deref(), world.now()).await.unwrap();
    assert_eq!((look.messages.len(), look.has_more), (0, true));
    world.cursor = Some(look.cursor);
    insta::assert_snapshot!(world.hear().await, @"series.posted 1 v1 1 a-1-ada@mail.example");
}

#[tokio::test]
async fn what_was_missed_is_found_at_night() {
    let mut world = World::new().await;
    world.patchwork.post(&world.series("before", 1));
    world.hear().await;
    world.pass(1);
    world.patchwork.post(&world.series("missed", 1));
    world.patchwork.post_some(&world.series("half", 3), &[1, 2]);
    let look = world.reconcile().await;
    insta::assert_snapshot!(lines(&look), @"series.posted 2 v1 1 missed-1-ada@mail.example");
    assert_eq!(look.waiting, 1);
    world.pass(60 * 60);
    assert_eq!(lines(&world.reconcile().await), "");
}

#[tokio::test]
async fn what_cannot_be_read_at_night_keeps_no_other_from_being_found() {
    let mut world = World::new().await;
    world.patchwork.post(&world.series("before", 1));
    world.hear().await;
    for stem in ["broken", "missed"] {
        world.pass(1);
        world.patchwork.post(&world.series(stem, 1));
    }
    world.patchwork.break_patch("broken-1-ada@mail.example", true);
    let look = world.reconcile().await;
    insta::assert_snapshot!(lines(&look), @"series.posted 3 v1 1 missed-1-ada@mail.example");
}

#[tokio::test]
async fn what_is_there_before_anybody_has_looked_is_no_news_at_night_either() {
    let world = World::new().await;
    world.patchwork.post(&world.series("before", 1));
    assert_eq!(lines(&world.reconcile().await), "");
    // What was not there then is.
    let mut empty = World::new().await;
    empty.hear().await;
    empty.patchwork.post(&empty.series("missed", 1));
    insta::assert_snapshot!(lines(&empty.reconcile().await), @"series.posted 1 v1 1 missed-1-ada@mail.example");
}

#[tokio::test]
async fn an_event_that_is_yet_to_come_keeps_none_from_being_heard() {
    for is_there_at_first in [true, false] {
        let mut world = World::new().await;
        let before = world.patchwork.post(&world.series("before", 1));
        let future = world.now() + SignedDuration::from_hours(24 * 365);
        if is_there_at_first {
            world.patchwork.tell_at(before, future);
        }
        assert_eq!(world.hear().await, "");
        world.patchwork.tell_at(before, future);
        assert_eq!(world.hear().await, "");
        world.pass(1);
        world.patchwork.post(&world.series("new", 1));
        let heard = world.hear().await;
        assert_eq!(heard, "series.posted 2 v1 1 new-1-ada@mail.example\n", "{is_there_at_first}");
        assert_eq!(world.hear().await, "");
    }
}

#[tokio::test]
async fn a_project_that_does_not_exist_is_no_silence() {
    let mut world = World::new().await;
    world.settings.projects = vec!["typo".to_owned()];
    let failure = world.poller().look(None, world.now()).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: there is no project `typo` (see `patchwork.fdo.projects`)");
    world.settings.projects.push(PROJECT.to_owned());
    world.hear().await;
    world.patchwork.post(&world.series("heard", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted 1 v1 1 heard-1-ada@mail.example");
    world.patchwork.set_mood(Mood::Failing(502));
    let failure = world.poller().look(None, world.now()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
}

#[tokio::test]
async fn mails_are_fetched_by_their_numbers_each_by_itself() {
    let mut world = World::new().await;
    world.hear().await;
    let mut series = world.series("hostile", 2);
    series.words = "From x Mon Sep 17 00:00:00 2001\nFrom: Grace <grace@x>\n\n".to_owned();
    world.patchwork.post(&series);
    let mut event = events(&world.look().await).remove(0);
    let freedesktop = world.freedesktop();
    let sent: Vec<_> = series.mails().into_iter().skip(1).map(|mail| mail.raw).collect();
    let mails = freedesktop.fetch(&event).await.unwrap();
    let mails: Vec<_> = mails.into_iter().map(|mail| String::from_utf8(mail).unwrap()).collect();
    assert_eq!(mails, sent);

    event.series.patches.reverse();
    event.series.patches[0].msgid = "another@x".to_owned();
    let failure = freedesktop.fetch(&event).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot fetch the mails of series 1: patch 2: it is another mail");
    event.series.patches[0].id = Some("../../1".to_owned());
    let failure = freedesktop.fetch(&event).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot fetch the mails of series 1: a patch of it has no number");
}
