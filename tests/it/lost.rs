//! What was done and not answered is found again, and not done again.

use pointsman::sandbox::jenkins::BuildResult;

use crate::world::{JOB, RULES, World};

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_one_build() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    world.scenery.jenkins.lose_answers(1);
    let id = world.open('a').await;
    world.settle().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    let look = world.finish().await;
    assert_eq!(look.runs(), "unit aaaa success");
    assert_eq!(world.comments(id).matches("**unit**").count(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_and_that_left_the_queue_is_one_build() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    world.scenery.jenkins.lose_answers(1);
    world.scenery.jenkins.set_mood(pointsman::sandbox::jenkins::Mood::QuietDown);
    world.open('a').await;
    world.settle().await;
    assert_eq!(world.scenery.jenkins.waiting().len(), 1);
    world.scenery.jenkins.set_mood(pointsman::sandbox::jenkins::Mood::Normal);
    world.scenery.jenkins.forget_left_items();
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    world.finish().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_comment_and_a_flag_whose_answers_are_lost_are_there_once() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let id = world.open('a').await;
    let pagure = world.scenery.pagure.clone();
    world.until("running", |look| look.is_quiet() && is_running(&pagure)).await;
    // Of the flag and of the comment, whichever comes first, and again of what is tried again.
    world.scenery.pagure.lose_answers(3);
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Failure);
    let look = world.finish().await;
    assert!(look.buried.is_empty(), "{:?}", look.buried);
    assert_eq!(world.comments(id).matches("**unit**").count(), 1, "{}", world.comments(id));
    assert_eq!(world.flags('a').lines().count(), 1);
    assert!(world.flags('a').starts_with("failure: unit: failed"));
    world.end().await;
}

fn is_running(pagure: &pointsman::sandbox::pagure::PagureStandIn) -> bool {
    let flags = pagure.flags(crate::world::PROJECT, &crate::world::sha('a'));
    flags.iter().any(|flag| flag.comment.contains("running"))
}
