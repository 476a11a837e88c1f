use super::*;

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_and_not_done_twice() {
    for ci in [Ci::open().await, Ci::with_trigger("pointsman").await] {
        ci.gitlab.lose_answers(1);
        let lost = ci.us.start(&order(1), Try::First).await;
        assert!(matches!(lost, Err(Failure::Retry { .. })));
        let found = ci.us.start(&order(1), Try::Again).await.unwrap();
        assert_eq!(found.run, Some(run(1)));
        let pipelines = ci.gitlab.pipelines(PROJECT);
        assert_eq!(pipelines.len(), 1);
        assert_eq!(number(&found), pipelines[0].id);
    }
}

#[tokio::test]
async fn what_a_push_started_or_skipped_is_not_taken_for_ours() {
    let ci = Ci::open().await;
    for is_skipped in [true, false] {
        ci.gitlab.push_pipeline((PROJECT, "blades"), "pointsman", is_skipped).await.unwrap();
    }
    // Another run of the same commit and branch.
    ci.us.start(&order(2), Try::First).await.unwrap();
    let seen = ci.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(ci.gitlab.pipelines(PROJECT).len(), 4);
    assert_eq!(number(&seen), ci.gitlab.pipelines(PROJECT)[3].id);
}

#[tokio::test]
async fn a_pipeline_of_another_commit_or_one_that_was_skipped_is_none_of_ours() {
    let ci = Ci::open().await;
    let old = ci.start().await;
    ci.gitlab.set_branch(PROJECT, "blades", OTHER).unwrap();
    let moved = Order { sha: Some(CommitSha::try_from(OTHER.to_owned()).unwrap()), ..order(1) };
    let again = ci.us.start(&moved, Try::Again).await.unwrap();
    assert_ne!(number(&again), number(&old));
    ci.gitlab.play((PROJECT, number(&again)), "skipped").await.unwrap();
    let again = ci.us.start(&moved, Try::Again).await.unwrap();
    assert_eq!(ci.gitlab.pipelines(PROJECT).len(), 3);
    assert_eq!(again.state, BuildState::Queued(None));
}

#[tokio::test]
async fn nothing_is_started_again_before_a_search_has_succeeded() {
    let ci = Ci::open().await;
    ci.gitlab.lose_answers(1);
    assert!(ci.us.start(&order(1), Try::First).await.is_err());
    ci.gitlab.set_mood(Mood::Failing(502));
    assert!(matches!(ci.us.start(&order(1), Try::Again).await, Err(Failure::Retry { .. })));
    ci.gitlab.set_mood(Mood::Normal);
    ci.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(ci.gitlab.pipelines(PROJECT).len(), 1);
}

#[tokio::test]
async fn what_others_trigger_cannot_be_told_from_ours_without_the_right_to_look() {
    let ci = Ci::with_trigger("grace").await;
    ci.gitlab.lose_answers(1);
    assert!(ci.us.start(&order(1), Try::First).await.is_err());
    insta::assert_snapshot!(
        ci.told(ci.us.start(&order(1), Try::Again).await),
        @"tries again None: cannot search for a pipeline of `rail/yard/signalbox` on gitlab.main: the variables of pipelines there may not be read, so it cannot be told whether it was started (give the user of `gitlab.main.token` the role Maintainer, or let it own the trigger token)"
    );
    assert_eq!(ci.gitlab.pipelines(PROJECT).len(), 1);
    ci.gitlab.set_access(PROJECT, "pointsman", MAINTAINER).unwrap();
    ci.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(ci.gitlab.pipelines(PROJECT).len(), 1);
}

#[tokio::test]
async fn a_run_is_found_without_its_number() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    ci.us.start(&order(2), Try::First).await.unwrap();
    let found = ci.us.inspect(&only_run(1)).await.unwrap();
    assert_eq!(found.ticket, started.ticket);
    assert_eq!(ci.us.inspect(&only_run(3)).await.unwrap().state, BuildState::Gone);
}

#[tokio::test]
async fn a_number_that_somebody_made_up_tells_nothing_of_our_run() {
    let ci = Ci::open().await;
    ci.start().await;
    let theirs = ci.gitlab.push_pipeline((PROJECT, "blades"), "ada", false).await.unwrap().0;
    ci.gitlab.play((PROJECT, theirs), "success").await.unwrap();
    let mut lookup = only_run(1);
    lookup.ticket.number = Some(theirs);
    let seen = ci.us.inspect(&lookup).await.unwrap();
    assert_eq!(seen.state, BuildState::Queued(None));
    assert_ne!(seen.ticket.number, Some(theirs));
    // Nor is theirs stopped.
    ci.gitlab.play((PROJECT, theirs), "running").await.unwrap();
    let seen = ci.us.cancel(&lookup).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    assert_eq!(ci.gitlab.pipelines(PROJECT)[1].status, "running");
    ci.gitlab.play((PROJECT, theirs), "success").await.unwrap();
    // Of a build that is nobody's the number is all there is.
    lookup.run = None;
    let seen = ci.us.inspect(&lookup).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Success));
}

#[tokio::test]
async fn a_pipeline_that_was_removed_is_gone() {
    let ci = Ci::open().await;
    let mut lookup = lookup(&ci.start().await);
    lookup.run = Some(run(9));
    lookup.ticket.number = Some(99_999);
    assert_eq!(ci.us.inspect(&lookup).await.unwrap().state, BuildState::Gone);
    ci.gitlab.remove_project(PROJECT);
    let told = ci.told(ci.us.inspect(&lookup).await);
    assert!(told.starts_with("gives up: cannot search for a pipeline"), "{told}");
}

#[tokio::test]
async fn what_is_cancelled_stops_and_what_has_ended_is_left_alone() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    ci.gitlab
        .set_jobs((PROJECT, number(&started)), vec![CiJob::new("asan", "running")])
        .await
        .unwrap();
    let seen = ci.us.cancel(&lookup(&started)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    let other = ci.us.start(&order(2), Try::First).await.unwrap();
    ci.gitlab.play((PROJECT, number(&other)), "success").await.unwrap();
    let seen = ci.us.cancel(&lookup(&other)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Success));
    // Its start was never answered: it is found, and stopped.
    ci.gitlab.lose_answers(1);
    assert!(ci.us.start(&order(3), Try::First).await.is_err());
    let seen = ci.us.cancel(&only_run(3)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    assert_eq!(ci.us.cancel(&only_run(4)).await.unwrap().state, BuildState::Gone);
}
