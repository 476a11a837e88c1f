use super::*;
use crate::sandbox::jenkins::{BuildResult, Mood};

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_in_the_queue() {
    let ci = Ci::open().await;
    ci.us().start(&order(7), Try::First).await.unwrap();
    ci.jenkins.lose_answers(1);
    assert!(is_retry(&ci.us().start(&order(1), Try::First).await));
    let found = ci.us().start(&order(1), Try::Again).await.unwrap();
    assert_eq!(found.ticket.queued.as_deref(), Some("2"));
    assert!(matches!(found.state, BuildState::Queued(Some(_))));
    assert_eq!(found.run, Some(run(1)));
    assert_eq!(ci.jenkins.asked().len(), 2);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_while_it_is_built() {
    let ci = Ci::open().await;
    ci.jenkins.lose_answers(1);
    assert!(is_retry(&ci.us().start(&order(1), Try::First).await));
    ci.jenkins.begin("points").unwrap();
    let found = ci.us().start(&order(1), Try::Again).await.unwrap();
    assert_eq!(found.state, BuildState::Running);
    assert_eq!(found.ticket.number, Some(1));
    assert_eq!(ci.jenkins.asked().len(), 1);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_when_it_has_ended_and_many_came_after() {
    let ci = Ci::open().await;
    let us = ci.us();
    ci.jenkins.lose_answers(1);
    assert!(is_retry(&us.start(&order(1), Try::First).await));
    for number in 2..150 {
        us.start(&order(number), Try::First).await.unwrap();
    }
    while let Some(number) = ci.jenkins.begin("points") {
        ci.jenkins.finish("points", number, BuildResult::Unstable);
    }
    ci.jenkins.forget_left_items();
    let found = us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(found.state, BuildState::Finished(Verdict::Unstable));
    assert_eq!(found.ticket.number, Some(1));
    assert_eq!(ci.jenkins.asked().len(), 149);
}

#[tokio::test]
async fn a_start_that_never_arrived_is_made_up_for() {
    let ci = Ci::open().await;
    ci.jenkins.set_mood(Mood::StartingUp);
    assert!(is_retry(&ci.us().start(&order(1), Try::First).await));
    ci.jenkins.set_mood(Mood::Normal);
    let sighting = ci.us().start(&order(1), Try::Again).await.unwrap();
    assert_eq!(sighting.state, BuildState::Queued(None));
    assert_eq!(ci.jenkins.asked().len(), 1);
}

#[tokio::test]
async fn nothing_is_started_again_before_a_search_has_succeeded() {
    let ci = Ci::open().await;
    ci.jenkins.lose_answers(1);
    assert!(is_retry(&ci.us().start(&order(1), Try::First).await));
    for mood in [Mood::Failing(502), Mood::Failing(403), Mood::StartingUp] {
        ci.jenkins.set_mood(mood);
        ci.us().start(&order(1), Try::Again).await.unwrap_err();
    }
    let starts = ci.jenkins.requests();
    let starts = starts.iter().filter(|line| line.starts_with("POST"));
    assert_eq!(starts.count(), 1);
}

#[tokio::test]
async fn a_jenkins_that_died_and_came_back_is_asked_again() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.stop().await;
    assert!(is_retry(&us.inspect(&lookup(&sighting)).await));
    assert!(is_retry(&us.start(&order(2), Try::First).await));
    ci.jenkins.restart().await.unwrap();
    // What waits keeps its entry.
    let seen = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.ticket.queued, sighting.ticket.queued);
    us.start(&order(2), Try::Again).await.unwrap();
    assert_eq!(ci.jenkins.waiting(), [1, 2]);
}

#[tokio::test]
async fn a_jenkins_that_never_answers_is_given_a_limited_time() {
    let ci = Ci::open().await;
    let us = ci.us();
    // The connection is made while time still passes.
    us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.set_mood(Mood::Hanging);
    tokio::time::pause();
    assert!(is_retry(&us.start(&order(2), Try::First).await));
}
