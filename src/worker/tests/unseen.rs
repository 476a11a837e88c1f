//! A build whose start nobody saw, and that is not wanted any more.

use super::{START, World, asked, busy};
use crate::clock::from_millis;
use crate::event::EventKind;
use crate::executors::BuildState;
use crate::subject::Verdict;

#[tokio::test]
async fn what_is_found_running_when_it_is_cancelled_is_watched_to_its_end() {
    let world = World::new();
    world.builds_answer(Err(busy()));
    // It takes a moment to stop.
    world.builds_answer(Ok(BuildState::Running));
    world.builds_answer(Ok(BuildState::Finished(Verdict::Cancelled)));
    world.hears("m1", EventKind::PullRequestOpened, 'a', 1).await;
    world.passes(0).await;
    world.hears("m2", EventKind::PullRequestClosed, 'a', 2).await;
    world.passes(4).await;
    assert_eq!(asked(&world.builds), ["start ci/pr First", "cancel", "inspect"]);
    assert_eq!(world.ledger.counts().await.unwrap().open_runs, 0);
    let now = world.ledger.clock().now();
    assert!(now < from_millis(START + 86_400_000), "long before it is given up");
}
