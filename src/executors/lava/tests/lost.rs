//! Answers that were lost, and numbers that are wrong.

use super::*;

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_and_not_done_twice() {
    let yard = Yard::open().await;
    yard.lava.lose_answers(1);
    let lost = yard.us.start(&order(1), Try::First).await;
    let told = yard.told(lost);
    assert!(told.starts_with("tries again None: cannot submit a job to lava.lab: "), "{told}");
    let found = yard.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!((found.run.clone(), number(&found)), (Some(run(1)), 1));
    assert_eq!(yard.lava.jobs().len(), 1);
    // What was found may be far on its way.
    yard.lava.set_outcomes("tank", vec![Outcome::fails(&[], &["smoke/net"])]);
    yard.lava.play().await;
    let found = yard.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(found.state, BuildState::Finished(Verdict::Failure));
}

#[tokio::test]
async fn what_was_never_submitted_is_submitted() {
    let yard = Yard::open().await;
    yard.start(2).await;
    let started = yard.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(number(&started), 2);
    assert_eq!(yard.lava.jobs().len(), 2);
}

#[tokio::test]
async fn a_start_is_searched_for_before_any_limit() {
    let yard = Yard::with(json!({ "jobs_max": 1 })).await;
    yard.lava.lose_answers(1);
    assert!(yard.us.start(&order(1), Try::First).await.is_err());
    let found = yard.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(number(&found), 1);
}

#[tokio::test]
async fn nothing_is_submitted_again_before_a_search_has_succeeded() {
    let yard = Yard::open().await;
    yard.lava.lose_answers(1);
    assert!(yard.us.start(&order(1), Try::First).await.is_err());
    yard.lava.set_mood(Mood::Failing(502));
    assert!(matches!(yard.us.start(&order(1), Try::Again).await, Err(Failure::Retry { .. })));
    yard.lava.set_mood(Mood::Normal);
    // As if LAVA did not know what it is asked to search by.
    let other = r#"{"count": 1, "results": [{"id": 9, "submitter": "grace",
        "description": "other", "state": "Running", "health": "Unknown"}]}"#;
    yard.lava.set_answer("GET /api/v0.2/jobs/", 200, Some(other));
    let told = yard.told(yard.us.start(&order(1), Try::Again).await);
    assert!(told.contains("it does not search by name and user"), "{told}");
    yard.lava.set_answer("GET /api/v0.2/jobs/", 200, None);
    yard.us.start(&order(1), Try::Again).await.unwrap();
    assert_eq!(yard.lava.jobs().len(), 1);
}

#[tokio::test]
async fn a_job_that_somebody_else_made_in_our_name_is_not_ours() {
    let yard = Yard::open().await;
    let forged = DEFINITION.replace("shunting", &format!("shunting {}", run(1).as_str()));
    let forged = format!("{forged}metadata: {{pointsman.run: '{}'}}", run(1).as_str());
    let theirs = yard.lava.submit("grace", &forged).unwrap();
    yard.lava.begin(theirs);
    yard.lava.finish(theirs, Outcome::passes(&["smoke/boot"])).await;
    let mut told_wrong = only_run(1);
    told_wrong.ticket.number = Some(theirs);
    assert_eq!(yard.us.inspect(&told_wrong).await.unwrap().state, BuildState::Gone);
    let started = yard.us.start(&order(1), Try::Again).await.unwrap();
    assert_ne!(number(&started), theirs);
    // With ours in place the wrong number leads to it.
    let seen = yard.us.inspect(&told_wrong).await.unwrap();
    assert_eq!(number(&seen), number(&started));
    assert!(matches!(seen.state, BuildState::Queued(_)));
}

#[tokio::test]
async fn a_job_of_another_run_is_neither_told_nor_cancelled() {
    let yard = Yard::open().await;
    let other = yard.start(2).await;
    yard.lava.begin(number(&other));
    let wrong = Lookup { run: Some(run(1)), ticket: other.ticket.clone() };
    assert_eq!(yard.us.inspect(&wrong).await.unwrap().state, BuildState::Gone);
    assert_eq!(yard.us.cancel(&wrong).await.unwrap().state, BuildState::Gone);
    assert_eq!(yard.lava.jobs()[0].state, "Running");
}

#[tokio::test]
async fn of_a_job_that_was_run_again_by_hand_the_first_counts() {
    let yard = Yard::open().await;
    yard.start(1).await;
    let again = yard.lava.jobs()[0].definition.clone();
    yard.lava.submit(US, &again).unwrap();
    let seen = yard.us.inspect(&only_run(1)).await.unwrap();
    assert_eq!(number(&seen), 1);
}

#[tokio::test]
async fn a_job_that_is_removed_is_gone() {
    let yard = Yard::open().await;
    let started = yard.start(1).await;
    yard.lava.remove_job(number(&started));
    let seen = yard.us.inspect(&lookup(&started)).await.unwrap();
    assert_eq!(seen.state, BuildState::Gone);
    assert_eq!(seen.ticket, started.ticket);
}
