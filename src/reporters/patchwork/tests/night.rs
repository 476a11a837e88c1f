//! What is found when everything is gone through.

use super::*;
use crate::sandbox::patchwork::Mood;

#[tokio::test]
async fn what_no_event_tells_is_found_at_night_once() {
    let mut world = World::new().await;
    world.post(&series("before", 1));
    world.told().await;
    world.pass(60);
    world.post(&series("seen", 1));
    world.told().await;
    world.post(&series("missed", 2));
    let torn = world.post(&series("torn", 2));
    world.stand_in.hold_back(torn.patches[0]);
    world.stand_in.forget_events();
    assert_eq!(world.told().await, []);
    let told = world.reconciled().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].series.root, "missed-0@points.example");
    assert_eq!(world.reconciled().await, []);
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn a_bad_night_is_a_failure() {
    let mut world = World::new().await;
    world.told().await;
    world.stand_in.set_mood(Mood::Failing(502));
    insta::assert_snapshot!(world.fails().await, @"temporary failure: cannot read events: Sorry: 502 Bad Gateway");
    let night = world.poller.reconcile(world.cursor.as_deref(), world.now()).await;
    insta::assert_snapshot!(failure(night), @"temporary failure: cannot list series: Sorry: 502 Bad Gateway");
    world.stand_in.set_mood(Mood::TooMany { retry_after: 7 });
    match world.poller.look(world.cursor.as_deref(), world.now()).await {
        Err(Failure::Retry { after, .. }) => assert_eq!(after, Some(Duration::from_secs(7))),
        other => panic!("{other:?}"),
    }
    world.stand_in.set_mood(Mood::Filtered);
    insta::assert_snapshot!(world.fails().await, @"temporary failure: cannot read events: the answer is no JSON, but perhaps the page of a filter against bots");
}

#[tokio::test]
async fn what_was_missed_is_listed_once_however_much_it_is() {
    let mut world = World::new().await;
    world.told().await;
    for number in 0..230 {
        world.post(&series(&format!("missed-{number}"), 1));
    }
    world.stand_in.forget_events();
    let listed = |world: &World| {
        let calls = world.stand_in.calls();
        calls.iter().filter(|(call, _)| call.trim_end_matches('/') == "GET /api/1.3/series").count()
    };
    let mut parts = Vec::new();
    loop {
        let look = world.poller.reconcile(world.cursor.as_deref(), world.now()).await.unwrap();
        world.cursor = Some(look.cursor.clone());
        let lists = listed(&world);
        parts.push((look.messages.len(), lists, look.has_more));
        if !look.has_more || parts.len() > 5 {
            break;
        }
    }
    let lists = parts[0].1;
    assert_eq!(parts, [(200, lists, true), (30, lists, false)]);
    // The next night it is.
    world.reconciled().await;
    assert!(listed(&world) > lists);
}
