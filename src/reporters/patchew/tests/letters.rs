use super::*;
use crate::git::Letters as _;

/// A series that was heard of.
async fn heard(world: &mut World, series: &NewSeries) -> SeriesEvent {
    world.hear().await;
    world.patchew.post(series);
    events(&world.look().await).remove(0)
}

#[tokio::test]
async fn each_mail_comes_by_itself_whatever_is_in_it() {
    let mut world = World::new().await;
    let mut series = world.series("hostile", 2);
    // Taken for a mailbox, it would be one more mail, from somebody else.
    series.words = "Words.\n\nFrom x Mon Sep 17 00:00:00 2001\nFrom: Grace <grace@x>\n\
                    Message-Id: <hostile-2-ada@mail.example>\nSubject: [PATCH 2/2] evil\n\n"
        .to_owned();
    let event = heard(&mut world, &series).await;
    let mails = world.reporter().fetch(&event).await.unwrap();
    let sent: Vec<_> = series.mails().into_iter().skip(1).map(|mail| mail.raw).collect();
    let mails: Vec<_> = mails.into_iter().map(|mail| String::from_utf8(mail).unwrap()).collect();
    assert_eq!(mails, sent);
}

#[tokio::test]
async fn a_slash_in_a_message_id_is_asked_for_where_that_can_be() {
    let mut world = World::with(Options { knows_slashes: true, ..Options::default() }).await;
    let series = world.series("ZQ1L/LOt+J%2Fn", 1);
    let event = heard(&mut world, &series).await;
    assert_eq!(event.series.root, "ZQ1L/LOt+J%2Fn-0-ada@mail.example");
    world.patchew.take_calls();
    assert_eq!(world.reporter().fetch(&event).await.unwrap().len(), 1);
    let calls = world.patchew.take_calls();
    insta::assert_snapshot!(calls.last().unwrap(), @"GET /api/v1/projects/1/messages/ZQ1L%2FLOt+J%252Fn-1-ada@mail.example/mbox/");
}

#[tokio::test]
async fn a_series_that_cannot_be_asked_for_keeps_nobody_from_being_heard() {
    let mut world = World::new().await;
    world.hear().await;
    world.patchew.post(&world.series("a/b", 1));
    world.pass(1);
    world.patchew.post(&world.series("c", 1));
    insta::assert_snapshot!(world.hear().await, @"series.posted c-0-ada@mail.example v1 1");
    assert_eq!(world.hear().await, "");
}

#[tokio::test]
async fn a_patch_that_cannot_be_asked_for_is_taken_from_the_mailbox() {
    let mut world = World::new().await;
    let series = world.series("box", 2);
    let mut event = heard(&mut world, &series).await;
    let mails = world.reporter().fetch(&event).await.unwrap();
    // The stand-in knows the mail by another name only; the mailbox has it.
    event.series.patches[1].msgid = "unknown@x".to_owned();
    let failure = world.reporter().fetch(&event).await.unwrap_err();
    insta::assert_snapshot!(refusal(&failure), @"permanent failure: cannot fetch the mails of `box-0-ada@mail.example`: the mailbox of the series: mail 2 of it is another one");
    assert_eq!(mails.len(), 2);
}

#[tokio::test]
async fn the_mailbox_of_what_is_not_complete_is_waited_for() {
    let mut world = World::new().await;
    let series = world.series("gone", 1);
    let mut event = heard(&mut world, &series).await;
    event.series.root = "elsewhere@x".to_owned();
    event.series.patches[0].msgid = "elsewhere@x".to_owned();
    let failure = world.reporter().fetch(&event).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { .. }), "{failure:?}");
    event.series.patches.clear();
    let failure = world.reporter().fetch(&event).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}

#[tokio::test]
async fn addresses_in_an_event_are_not_followed() {
    let mut world = World::new().await;
    let series = world.series("there", 1);
    let mut event = heard(&mut world, &series).await;
    event.series.mbox = Some("http://evil.example/mbox".to_owned());
    event.series.patches[0].mbox = Some("http://evil.example/mbox".to_owned());
    assert_eq!(world.reporter().fetch(&event).await.unwrap().len(), 1);
    event.project = "../../users".to_owned();
    let failure = world.reporter().fetch(&event).await.unwrap_err();
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
}
