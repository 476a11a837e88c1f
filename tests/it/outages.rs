//! The broker goes away, and comes back.

use std::sync::Arc;

use pointsman::sandbox::jenkins::{Automatic, BuildResult};
use tokio::task::JoinSet;

use crate::world::bus::ctl;
use crate::world::{JOB, PROJECT, RULES, World, sha_of};

/// How many pull requests are opened meanwhile.
const PROPOSALS: usize = 60;

/// How often each of them is told.
const TELLINGS: usize = 4;

fn with_builds_that_end(world: &World) {
    world.scenery.jenkins.set_automatic(Automatic::Finish(Arc::new(|_| BuildResult::Success)));
}

/// Publishes while something happens to the broker.
async fn publish_during(world: &mut World, disturb: impl Future<Output = ()> + Send + 'static) {
    let announced: Vec<_> =
        (0..PROPOSALS).flat_map(|number| world.scenery.open_at(&sha_of(number)).1).collect();
    let mut meanwhile = JoinSet::new();
    meanwhile.spawn(disturb);
    for _ in 0..TELLINGS {
        world.tell(&announced).await;
    }
    meanwhile.join_next().await.unwrap().unwrap();
    // And some that come when all is well again.
    world.tell(&announced).await;
}

/// Every proposal has one build, one flag, one comment.
async fn check(world: &mut World) {
    let look = world.finish().await;
    assert_eq!(look.messages.len(), PROPOSALS * (TELLINGS + 1));
    assert_eq!(look.runs.len(), PROPOSALS);
    assert_eq!(world.scenery.jenkins.builds(JOB).len(), PROPOSALS);
    for number in 0..PROPOSALS {
        let flags = world.scenery.pagure.flags(PROJECT, &sha_of(number));
        assert!(matches!(flags.as_slice(), [flag] if flag.status == "success"), "{flags:?}");
        let id = u64::try_from(number).unwrap() + 1;
        let comments = world.scenery.pagure.comments(PROJECT, id);
        assert_eq!(comments.iter().filter(|comment| !comment.notification).count(), 1);
    }
}

#[tokio::test]
async fn connections_that_are_cut_in_mid_stream_lose_and_double_nothing() {
    let mut world = World::of(RULES).await.own_vhost().await.start().await;
    with_builds_that_end(&world);
    let vhost = world.scenery.bus.as_ref().unwrap().vhost().to_owned();
    let cut = async move {
        for _ in 0..3 {
            ctl(&["close_all_connections", "--vhost", &vhost, "a storm"]).await;
        }
    };
    publish_during(&mut world, cut).await;
    check(&mut world).await;
    world.end().await;
}

#[tokio::test]
async fn a_restart_of_the_broker_loses_and_doubles_nothing() {
    let mut world = World::of(RULES).await.own_broker().await.start().await;
    with_builds_that_end(&world);
    let restart = async {
        ctl(&["stop_app"]).await;
        ctl(&["start_app"]).await;
        ctl(&["await_startup"]).await;
    };
    publish_during(&mut world, restart).await;
    check(&mut world).await;
    world.end().await;
}
