//! How much is submitted.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::*;

fn busy(seen: &Sighting) -> &str {
    let BuildState::Busy(why) = &seen.state else { panic!("{:?}", seen.state) };
    why
}

#[tokio::test]
async fn as_many_jobs_wait_as_boards_can_take() {
    let yard = Yard::with(json!({ "queue_depth": 1 })).await;
    // Somebody else's counts, too.
    yard.lava.submit("grace", DEFINITION).unwrap();
    yard.start(1).await;
    let seen = yard.start(2).await;
    assert_eq!(busy(&seen), "2 jobs wait for `tank` (2 online)");
    assert_eq!((seen.ticket.number, seen.run), (None, Some(run(2))));
    assert_eq!(yard.lava.jobs().len(), 2);
    yard.lava.schedule();
    assert_eq!(yard.start(2).await.state, BuildState::Queued(None));
    // A board that breaks takes less.
    yard.lava.set_health("tank-2", "Bad");
    assert_eq!(busy(&yard.start(3).await), "1 job waits for `tank` (1 online)");
}

#[tokio::test]
async fn other_boards_have_queues_of_their_own() {
    let yard = Yard::with(json!({ "queue_depth": 1 })).await;
    yard.lava.add_device(Device::new("railcar-1", "railcar", &[]));
    yard.lava.submit("grace", DEFINITION).unwrap();
    yard.lava.submit("grace", DEFINITION).unwrap();
    let other = defined(&DEFINITION.replace("tank", "railcar"));
    let seen = yard.us.start(&other, Try::First).await.unwrap();
    assert_eq!(seen.state, BuildState::Queued(None));
}

#[tokio::test]
async fn no_more_than_so_many_of_our_jobs_are_unfinished() {
    let yard = Yard::with(json!({ "jobs_max": 2, "queue_depth": 9 })).await;
    for _ in 0..3 {
        yard.lava.submit("grace", DEFINITION).unwrap();
    }
    yard.start(1).await;
    yard.start(2).await;
    assert_eq!(busy(&yard.start(3).await), "2 of our jobs have not ended");
    yard.lava.schedule();
    assert_eq!(busy(&yard.start(3).await), "2 of our jobs have not ended");
    yard.lava.play().await;
    assert_eq!(yard.start(3).await.state, BuildState::Queued(None));
}

#[tokio::test]
async fn boards_that_are_away_come_back() {
    let yard = Yard::open().await;
    for health in ["Bad", "Looping", "Maintenance"] {
        yard.lava.set_health("tank-1", health);
        yard.lava.set_health("tank-2", health);
        let seen = yard.start(1).await;
        assert_eq!(busy(&seen), "none of the 2 `tank` is online", "{health}");
    }
    yard.lava.set_health("tank-1", "Unknown");
    yard.lava.set_online("shed", false);
    assert_eq!(busy(&yard.start(1).await), "none of the 2 `tank` is online");
    assert!(yard.lava.jobs().is_empty());
    yard.lava.set_online("shed", true);
    assert_eq!(yard.start(1).await.state, BuildState::Queued(None));
}

#[tokio::test]
async fn forty_starts_at_once_never_exceed_the_limits() {
    let yard = Yard::with(json!({ "queue_depth": 2, "jobs_max": 5 })).await;
    let us = Arc::new(yard.us);
    let mut starts = JoinSet::new();
    for number in 0..40 {
        let us = Arc::clone(&us);
        starts.spawn(async move { us.start(&order(number), Try::First).await.unwrap().state });
    }
    let states = starts.join_all().await;
    let begun = states.iter().filter(|state| matches!(state, BuildState::Queued(_))).count();
    // Two boards, two waiting for each.
    assert_eq!(begun, 4);
    assert_eq!(yard.lava.most_waiting("tank"), 4);
    // Two begin, and there is room for one: five of ours are the most.
    yard.lava.schedule();
    let mut starts = JoinSet::new();
    for number in 40..80 {
        let us = Arc::clone(&us);
        starts.spawn(async move { us.start(&order(number), Try::First).await.unwrap().state });
    }
    starts.join_all().await;
    assert_eq!(yard.lava.most_waiting("tank"), 4);
    assert_eq!(yard.lava.most_unfinished(US), 5);
}

#[tokio::test]
async fn a_lava_that_does_not_count_as_asked_is_not_taken_for_full() {
    let yard = Yard::open().await;
    let all = r#"{"count": 900, "results": [{"id": 1, "submitter": "grace", "description": "x",
        "state": "Finished", "health": "Complete"}]}"#;
    yard.lava.set_answer("GET /api/v0.2/jobs/", 200, Some(all));
    let told = yard.told(yard.us.start(&order(1), Try::First).await);
    assert!(
        told.starts_with("tries again None: cannot look for room on lava.lab: it does not"),
        "{told}"
    );
}

#[tokio::test]
async fn a_board_by_another_name_is_lavas_to_know() {
    let yard = Yard::open().await;
    yard.lava.add_alias("engine", "tank");
    let order = defined(&DEFINITION.replace("tank", "engine"));
    let seen = yard.us.start(&order, Try::First).await.unwrap();
    assert_eq!(number(&seen), 1);
    assert_eq!(yard.lava.jobs()[0].device_type, "tank");
}
