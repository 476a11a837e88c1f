//! What is told twice happens once.

use pointsman::sandbox::jenkins::BuildResult;
use pointsman::sandbox::pagure::Push;

use crate::world::{JOB, PROJECT, RULES, World, letter, sha};

#[tokio::test]
async fn the_same_message_twice_is_one_build() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let (_, announced) = world.scenery.open('a');
    let (topic, body) = &announced[0];
    for _ in 0..3 {
        world.put(letter("5a1d0c3e-0000-4000-8000-000000000001", topic, body)).await;
        // The bridge of fedmsg puts the year before the id.
        world.put(letter("2026-5a1d0c3e-0000-4000-8000-000000000001", topic, body)).await;
    }
    world.settle().await;
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    let look = world.finish().await;
    assert_eq!(look.messages.len(), 1);
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn the_same_message_without_an_id_is_one_build() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let (_, announced) = world.scenery.open('a');
    let (topic, body) = &announced[0];
    for _ in 0..3 {
        let mut message = letter("", topic, body);
        message.id = None;
        message.headers.clear();
        world.put(message).await;
    }
    let look = world.settle().await;
    assert_eq!(look.messages.len(), 1);
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_push_that_two_messages_tell_of_is_one_build() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    let announced = world.scenery.pagure.push(PROJECT, id, &sha('b'), Push::Added).unwrap();
    assert_eq!(announced.len(), 2, "a message, and a comment of Pagure's own");
    world.tell(&announced).await;
    world.settle().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_push_that_only_a_comment_tells_of_is_built() {
    let mut world = World::of_old(RULES).await.broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    for (head, push) in [('b', Push::Added), ('c', Push::Rebased)] {
        let announced = world.scenery.pagure.push(PROJECT, id, &sha(head), push).unwrap();
        assert_eq!(announced.len(), 1);
        world.tell(&announced).await;
        world.tell(&announced).await;
        world.settle().await;
    }
    let asked = world.scenery.jenkins.asked();
    let heads: Vec<_> = asked.iter().filter_map(|ask| ask.split("HEAD=").nth(1)).collect();
    assert_eq!(
        heads.iter().map(|head| head.get(..2).unwrap()).collect::<Vec<_>>(),
        ["aa", "bb", "cc"]
    );
    world.end().await;
}

#[tokio::test]
async fn what_was_stored_before_a_restart_is_known_after_it() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let (_, announced) = world.scenery.open('a');
    let (topic, body) = &announced[0];
    world.put(letter("5a1d0c3e-0000-4000-8000-000000000001", topic, body)).await;
    world.settle().await;
    world.restart().await;
    world.put(letter("5a1d0c3e-0000-4000-8000-000000000001", topic, body)).await;
    world.put(letter("two", topic, body)).await;
    let look = world.settle().await;
    assert_eq!(look.messages.len(), 2);
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}
