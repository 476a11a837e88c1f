use super::*;
use crate::sandbox::jenkins::BuildResult;

#[tokio::test]
async fn what_waits_is_taken_out_of_the_queue_once() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    for _ in 0..2 {
        let seen = us.cancel(&lookup(&sighting)).await.unwrap();
        assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    }
    assert_eq!(ci.jenkins.waiting(), Vec::<u64>::new());
}

#[tokio::test]
async fn what_has_begun_meanwhile_is_stopped() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    let seen = us.cancel(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    assert_eq!(ci.verdict(1).as_deref(), Some("ABORTED"));
}

#[tokio::test]
async fn a_build_that_takes_its_time_to_stop_still_runs() {
    let ci = Ci::open().await;
    let mut stubborn = JobSpec::new("points", &["RUN"]);
    stubborn.ignores_stop = true;
    ci.jenkins.add_job(stubborn);
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    let seen = us.cancel(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.state, BuildState::Running);
    assert_eq!(seen.ticket.number, Some(1));
}

#[tokio::test]
async fn what_has_ended_stays_as_it_ended() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    ci.jenkins.finish("points", 1, BuildResult::Success);
    let seen = us.cancel(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Success));
}

#[tokio::test]
async fn a_run_of_which_only_the_id_is_known_is_searched_for_and_cancelled() {
    let ci = Ci::open().await;
    let us = ci.us();
    us.start(&order(1), Try::First).await.unwrap();
    us.start(&order(2), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    for id in [1, 2] {
        let seen = us.cancel(&only_run(id)).await.unwrap();
        assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    }
    assert_eq!(ci.verdict(1).as_deref(), Some("ABORTED"));
}

#[tokio::test]
async fn a_run_that_is_nowhere_is_gone_and_no_failure() {
    let ci = Ci::open().await;
    let seen = ci.us().cancel(&only_run(1)).await.unwrap();
    assert_eq!(seen.state, BuildState::Gone);
}

#[tokio::test]
async fn whoever_may_not_cancel_is_told_so() {
    let ci = Ci::closed().await;
    let ada = ci.with(&[("user", "ada"), ("token", "ada-token")]).unwrap();
    let sighting = ada.start(&order(1), Try::First).await.unwrap();
    let grace = ci.with(&[("user", "grace"), ("token", "grace-token")]).unwrap();
    insta::assert_snapshot!(told(grace.cancel(&lookup(&sighting)).await), @"gives up: cannot take out of the queue a build of job `points` on jenkins.main (the user may not cancel it): 422 Unprocessable Entity");
    ci.jenkins.begin("points").unwrap();
    insta::assert_snapshot!(told(grace.cancel(&lookup(&sighting)).await), @"gives up: cannot stop a build of job `points` on jenkins.main (the user lacks the permission `hudson.model.Item.Cancel`): 403 Forbidden");
}
