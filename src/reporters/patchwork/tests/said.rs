//! What authors and readers say, and who they are.

use super::*;
use crate::event::EventKind;
use crate::sandbox::patchwork::NewMail;

/// Posts a series and hears of it.
async fn heard(world: &mut World, new: &NewSeries) -> SeriesEvent {
    world.told().await;
    world.post(new);
    world.told().await.remove(0)
}

fn results(text: &str) -> Vec<(String, String)> {
    vec![("Authentication-Results".to_owned(), text.to_owned())]
}

#[tokio::test]
async fn what_the_author_says_is_heard_where_it_counts() {
    let mut world = World::new().await;
    let earlier = heard(&mut world, &series("earlier", 2)).await;
    let base = "b".repeat(40);
    let mut new = series("first", 3);
    new.cover = Some((
        "Oil them".to_owned(),
        format!(
            "Hello.\n\nchange-id: 20261120-oil-1\nDepends-on: <a/b@x.example>\n\
             Depends-on: series-{}\nDepends-on: {}/project/x/list/?series=4711\n\
             Depends-on: https://elsewhere.example/list/?series=8",
            earlier.series.id,
            world.stand_in.url(),
        ),
    ));
    new.patches[0].message.push_str("\n---\nCI-tag: not-here");
    new.patches[0].diff.push_str(&["base-commit: ", &base, "\n"].concat());
    new.patches[1].message.push_str("\nCI-tag: Skip");
    new.patches[2].message.push_str("\n---\nCI-tag: nor-here\nDepends-on: <below@x.example>");
    let event = heard(&mut world, &new).await;
    let hints = event.series.hints;
    assert_eq!(hints.base.unwrap().as_str(), base);
    assert_eq!(hints.change_id.as_deref(), Some("20261120-oil-1"));
    let root = earlier.series.root.as_str();
    assert_eq!(hints.depends, ["a/b@x.example", root, "series-4711"]);
    assert!(hints.notes.contains(&"ci-tag: skip".to_owned()), "{:?}", hints.notes);
    assert!(!hints.notes.contains(&"ci-tag: nor-here".to_owned()), "{:?}", hints.notes);
}

#[tokio::test]
async fn a_sender_is_vouched_for_by_the_server_that_is_believed() {
    let results = results("mx.example; dkim=pass header.d=points.example");
    let new = NewSeries { headers: results, ..series("first", 2) };
    let mut world = World::new().await;
    assert!(!heard(&mut world, &new).await.series.submitter.vouched);
    for (server, is_vouched) in [("mx.example", true), ("example", false)] {
        let change = |settings: &mut PatchworkSettings| {
            settings.authserv_id = Some(server.to_owned());
        };
        let mut world = World::with(change).await;
        assert_eq!(heard(&mut world, &new).await.series.submitter.vouched, is_vouched, "{server}");
    }
}

#[tokio::test]
async fn one_mail_that_nobody_vouches_for_is_enough() {
    let change =
        |settings: &mut PatchworkSettings| settings.authserv_id = Some("mx.example".to_owned());
    let mut world = World::with(change).await;
    world.told().await;
    let results = results("mx.example; dkim=pass header.d=points.example");
    let mut mails = world.stand_in.mails_of(&NewSeries { headers: results, ..series("first", 3) });
    mails[3].headers.clear();
    for mail in &mails {
        world.stand_in.deliver(PROJECT, mail).unwrap();
    }
    let submitter = world.told().await.remove(0).series.submitter;
    assert_eq!((submitter.id.is_some(), submitter.vouched), (true, false));
}

#[tokio::test]
async fn a_series_with_a_patch_of_somebody_else_is_nobodys() {
    let mut world = World::new().await;
    world.told().await;
    let mut mails = world.stand_in.mails_of(&series("first", 2));
    mails[2].from = "Mallory <mallory@evil.example>".to_owned();
    mails[2].msgid = "evil@evil.example".to_owned();
    for mail in &mails {
        world.stand_in.deliver(PROJECT, mail).unwrap();
    }
    let submitter = world.told().await.remove(0).series.submitter;
    assert_eq!((submitter.id, submitter.email.as_str()), (None, "ada@points.example"));
}

#[tokio::test]
async fn a_version_that_is_anothers_is_not_the_first_authors() {
    let mut world = World::new().await;
    let first = heard(&mut world, &series("first", 2)).await;
    // Where it has numbers that are free, it is put into the series that it answers.
    for number in 3..=4 {
        let mail = NewMail {
            from: "Mallory <mallory@evil.example>".to_owned(),
            subject: format!("[PATCH v2 {}/2] evil", number - 2),
            msgid: format!("evil{number}@evil.example"),
            body: format!("Evil.\n---\n\n{}", diff(number)),
            ..NewMail::default()
        };
        world
            .stand_in
            .put_into(&mail, (first.series.id.parse().unwrap(), number.try_into().unwrap()));
    }
    world.stand_in.tell_again(first.series.id.parse().unwrap());
    let told = world.told().await;
    assert_eq!((told.len(), told[0].series.version), (1, 2));
    let id = world.stand_in.person("Mallory <mallory@evil.example>").to_string();
    assert_eq!(told[0].series.submitter.id, Some(id));
}

#[tokio::test]
async fn a_request_is_told_with_who_asks_and_the_whole_series() {
    let mut world = World::new().await;
    let event = heard(&mut world, &series("first", 2)).await;
    let patch = event.series.patches[1].msgid.clone();
    let text =
        "On Friday Ada wrote:\n> Recheck-request: quoted\n\nRecheck-request: rebase=latest, boot\n";
    world.stand_in.comment(PROJECT, &patch, (GRACE, "ask-1@x"), text).unwrap();
    let told = world.told().await;
    let [recheck] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((recheck.event, &recheck.series), (EventKind::SeriesRecheck, &event.series));
    insta::assert_yaml_snapshot!(recheck.request, @r#"
    id: ask-1@x
    by:
      id: "10"
      name: Grace
      email: grace@signals.example
      vouched: false
    standing: ~
    names:
      - boot
    rebase: true
    at: "2026-11-20T08:02:00Z"
    "#);
    // On the cover letter, too.
    world.stand_in.comment(PROJECT, &event.series.root, (GRACE, "ask-2@x"), "/ci ok\n").unwrap();
    let told = world.told().await;
    assert_eq!((told.len(), told[0].event), (1, EventKind::SeriesApproved));
    assert_eq!(told[0].request.as_ref().unwrap().id, "ask-2@x");
    // Only once, also for somebody who has forgotten all but the cursor.
    world.restart();
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn an_asker_is_vouched_for_by_what_was_asked_in() {
    let change =
        |settings: &mut PatchworkSettings| settings.authserv_id = Some("mx.example".to_owned());
    let mut world = World::with(change).await;
    let event = heard(&mut world, &series("first", 1)).await;
    let mail = |msgid: &str, headers| NewMail {
        from: GRACE.to_owned(),
        subject: "Re: x".to_owned(),
        msgid: msgid.to_owned(),
        references: vec![event.series.root.clone()],
        headers,
        body: "/ci ok".to_owned(),
        ..NewMail::default()
    };
    let proven = results("mx.example; dmarc=pass header.from=signals.example");
    // What somebody has put above a mail that was signed.
    let above = |name: &str| [vec![(name.to_owned(), GRACE.to_owned())], proven.clone()].concat();
    for (msgid, headers) in [
        ("a@x", proven.clone()),
        ("b@x", Vec::new()),
        ("c@x", above("From")),
        ("d@x", above("In-Reply-To")),
    ] {
        world.stand_in.deliver(PROJECT, &mail(msgid, headers)).unwrap();
    }
    let told = world.told().await;
    let vouched: Vec<_> =
        told.iter().map(|event| event.request.as_ref().unwrap().by.vouched).collect();
    assert_eq!(vouched, [true, false, false, false]);
}

#[tokio::test]
async fn what_programs_write_is_not_heeded() {
    let mut world = World::new().await;
    let event = heard(&mut world, &series("first", 1)).await;
    for (number, (name, value)) in
        [("Auto-Submitted", "auto-generated"), ("X-Pointsman-Run", "0123")].into_iter().enumerate()
    {
        let mail = NewMail {
            from: GRACE.to_owned(),
            subject: "Re: x".to_owned(),
            msgid: format!("bot{number}@x"),
            references: vec![event.series.root.clone()],
            headers: vec![(name.to_owned(), value.to_owned())],
            body: "/ci retest".to_owned(),
            ..NewMail::default()
        };
        world.stand_in.deliver(PROJECT, &mail).unwrap();
    }
    assert_eq!(world.told().await, []);
    // Chatter is not, either, and is read once.
    world.stand_in.comment(PROJECT, &event.series.root, (GRACE, "c@x"), "Nice.").unwrap();
    assert_eq!(world.told().await, []);
    let read = world.calls(&format!(
        "GET /api/1.3/patches/{}/comments",
        event.series.patches[0].id.as_ref().unwrap()
    ));
    assert_eq!(read, 3);
}

#[tokio::test]
async fn an_old_request_is_none() {
    let mut world = World::new().await;
    let event = heard(&mut world, &series("first", 1)).await;
    let mail = NewMail {
        from: GRACE.to_owned(),
        subject: "Re: x".to_owned(),
        msgid: "old@x".to_owned(),
        references: vec![event.series.root.clone()],
        date: Some(world.now() - SignedDuration::from_hours(30)),
        body: "/ci retest".to_owned(),
        ..NewMail::default()
    };
    world.stand_in.deliver(PROJECT, &mail).unwrap();
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn a_comment_that_cannot_be_read_is_read_later() {
    let mut world = World::new().await;
    let event = heard(&mut world, &series("first", 1)).await;
    world.stand_in.comment(PROJECT, &event.series.root, (GRACE, "c@x"), "/ci retest").unwrap();
    world.stand_in.set_broken("/comments/", 500);
    assert_eq!(world.told().await, []);
    world.stand_in.set_broken("/comments/", 0);
    world.pass(5);
    assert_eq!(world.told().await.len(), 1);
}
