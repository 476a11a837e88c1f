//! How far a job is, and how it is stopped.

use super::*;

#[tokio::test]
async fn every_state_is_told_in_our_words() {
    let yard = Yard::open().await;
    let started = yard.start(1).await;
    let id = number(&started);
    let mut seen = Vec::new();
    let look = async || {
        let state = yard.us.inspect(&lookup(&started)).await.unwrap().state;
        format!("{}: {state:?}", yard.lava.jobs()[0].state)
    };
    seen.push(look().await);
    for state in ["Scheduling", "Scheduled", "Pondering"] {
        assert!(yard.lava.set_state(id, state));
        seen.push(look().await);
    }
    assert!(!yard.lava.set_state(id, "Submitted"));
    insta::assert_snapshot!(seen.join("\n"), @r#"
    Submitted: Queued(Some("it waits for a board"))
    Scheduling: Queued(Some("it waits for a board"))
    Scheduled: Queued(Some("it has a board"))
    Pondering: Running
    "#);
}

#[tokio::test]
async fn a_job_whose_end_nobody_knows_is_asked_after_again() {
    let yard = Yard::open().await;
    let seen = yard.ended(Outcome::Unknown).await;
    assert_eq!(yard.lava.jobs()[0].state, "Finished");
    assert_eq!(seen.state, BuildState::Running);
}

#[tokio::test]
async fn the_callback_comes_while_the_job_still_runs() {
    let yard = Yard::open().await;
    yard.lava.set_callbacks(crate::sandbox::lava::Callbacks::Lost);
    let started = yard.start(1).await;
    let id = number(&started);
    yard.lava.begin(id);
    assert!(yard.lava.announce(id, Outcome::passes(&["smoke/boot"])).await);
    let callback = yard.lava.callbacks().remove(0);
    assert_eq!(callback.url, door().address(&run(1)).as_str());
    assert_eq!(callback.token.as_deref(), Some(door().token(&run(1)).expose_secret()));
    assert_eq!(callback.method, "POST");
    let seen = async || yard.us.inspect(&lookup(&started)).await.unwrap().state;
    assert_eq!(seen().await, BuildState::Running);
    yard.lava.commit(id);
    assert_eq!(seen().await, BuildState::Finished(Verdict::Success));
}

#[tokio::test]
async fn what_is_cancelled_stops_and_what_has_ended_is_left_alone() {
    let yard = Yard::open().await;
    let waiting = yard.start(1).await;
    let seen = yard.us.cancel(&lookup(&waiting)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    let running = yard.start(2).await;
    yard.lava.begin(number(&running));
    let seen = yard.us.cancel(&lookup(&running)).await.unwrap();
    // LAVA takes its time.
    assert_eq!(seen.state, BuildState::Running);
    yard.lava.play().await;
    let seen = yard.us.inspect(&lookup(&running)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    let done = yard.start(3).await;
    yard.lava.play().await;
    yard.calls();
    let seen = yard.us.cancel(&lookup(&done)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Success));
    assert!(!yard.calls().contains("/cancel/"));
    // Its start was never answered: it is found, and stopped.
    yard.lava.lose_answers(1);
    assert!(yard.us.start(&order(4), Try::First).await.is_err());
    let seen = yard.us.cancel(&only_run(4)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
    assert_eq!(yard.us.cancel(&only_run(5)).await.unwrap().state, BuildState::Gone);
}

#[tokio::test]
async fn a_job_that_is_not_ours_can_be_told_of() {
    let yard = Yard::open().await;
    let id = yard.lava.submit("grace", DEFINITION).unwrap();
    let ticket = Ticket { number: Some(id), ..Ticket::default() };
    let lookup = Lookup { run: None, ticket };
    let seen = yard.us.inspect(&lookup).await.unwrap();
    assert!(matches!(seen.state, BuildState::Queued(_)));
    let personal = DEFINITION.replace("public", "personal");
    let id = yard.lava.submit("grace", &personal).unwrap();
    let ticket = Ticket { number: Some(id), ..Ticket::default() };
    let seen = yard.us.inspect(&Lookup { run: None, ticket }).await.unwrap();
    assert_eq!(seen.state, BuildState::Gone);
}
