//! The story that every part is for: a change, a build, a verdict where people look.

use pointsman::sandbox::jenkins::BuildResult;
use serde_json::json;

use crate::world::{JOB, NO_POLLING, PROJECT, RULES, World};

#[tokio::test]
async fn a_pull_request_is_built_and_its_verdict_told() {
    let mut world = World::of(RULES).await.settings(NO_POLLING).broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    insta::assert_snapshot!(world.asked(), @"unit BRANCH=lock HEAD=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa POINTSMAN_RUN=[id]");
    insta::assert_snapshot!(world.flags('a'), @"pending: unit: waiting in the queue <https://ci.example/job/unit/>");
    assert_eq!(world.comments(id), "");

    world.relay_jenkins().await;
    world.settle().await;
    insta::assert_snapshot!(world.flags('a'), @"pending: unit: running <https://ci.example/job/unit/1/>");

    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    world.relay_jenkins().await;
    let look = world.finish().await;
    insta::assert_snapshot!(world.flags('a'), @"success: unit: passed 100 % <https://ci.example/job/unit/1/>");
    insta::assert_snapshot!(world.comments(id), @r"
    **unit** at aaaaaaaaaaaa: passed ([build 1](https://ci.example/job/unit/1/))

    `pointsman:[id]`
    ");
    insta::assert_snapshot!(look.runs(), @"unit aaaa success");
    world.end().await;
}

#[tokio::test]
async fn a_message_with_nothing_but_a_job_and_a_number_has_its_build_asked_after() {
    let mut world = World::of(RULES).await.settings(NO_POLLING).broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Failure);
    let topic = "org.example.prod.jenkins.build.failed";
    world.publish(topic, &json!({ "project": JOB, "build": 1 })).await;
    world.finish().await;
    insta::assert_snapshot!(world.flags('a'), @"failure: unit: failed 0 % <https://ci.example/job/unit/1/>");
    insta::assert_snapshot!(world.comments(id), @r"
    **unit** at aaaaaaaaaaaa: failed ([build 1](https://ci.example/job/unit/1/))

    `/ci retest` runs it again.

    `pointsman:[id]`
    ");
    world.end().await;
}

#[tokio::test]
async fn a_build_that_no_message_tells_of_is_asked_after() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Unstable);
    world.finish().await;
    insta::assert_snapshot!(world.flags('a'), @"failure: unstable: unit: some tests failed 0 % <https://ci.example/job/unit/1/>");
    insta::assert_snapshot!(world.comments(id), @r"
    **unit** at aaaaaaaaaaaa: some tests failed ([build 1](https://ci.example/job/unit/1/))

    `/ci retest` runs it again.

    `pointsman:[id]`
    ");
    world.end().await;
}

#[tokio::test]
async fn a_push_cancels_the_build_of_the_older_head() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    world.push(id, 'b').await;
    world.settle().await;
    let builds = world.scenery.jenkins.builds(JOB);
    assert_eq!(builds.iter().map(|build| build.running).collect::<Vec<_>>(), [false, true]);
    insta::assert_snapshot!(world.flags('a'), @"canceled: unit: cancelled: superseded by bbbbbbbbbbbb 0 % <https://ci.example/job/unit/1/>");

    world.scenery.jenkins.finish(JOB, 2, BuildResult::Success);
    let look = world.finish().await;
    insta::assert_snapshot!(look.runs(), @r"
    unit aaaa cancelled
    unit bbbb success
    ");
    insta::assert_snapshot!(world.flags('b'), @"success: unit: passed 100 % <https://ci.example/job/unit/2/>");
    insta::assert_snapshot!(world.comments(id), @r"
    **unit** at bbbbbbbbbbbb: passed ([build 2](https://ci.example/job/unit/2/))

    `pointsman:[id]`
    ");
    world.end().await;
}

#[tokio::test]
async fn closing_a_pull_request_cancels_its_build() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    let announced = world.scenery.pagure.close(PROJECT, id, "ada").unwrap();
    world.tell(&announced).await;
    let look = world.finish().await;
    assert!(!world.scenery.jenkins.builds(JOB)[0].running);
    insta::assert_snapshot!(look.runs(), @"unit aaaa cancelled");
    insta::assert_snapshot!(world.flags('a'), @"canceled: unit: cancelled: the pull request was closed 0 % <https://ci.example/job/unit/1/>");
    assert_eq!(world.comments(id), "");
    world.end().await;
}

#[tokio::test]
async fn the_same_verdict_is_not_commented_twice() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let id = world.open('a').await;
    for (head, number) in [('b', 1), ('c', 2)] {
        world.settle().await;
        world.scenery.jenkins.finish(JOB, number, BuildResult::Success);
        world.finish().await;
        world.push(id, head).await;
    }
    world.settle().await;
    world.scenery.jenkins.finish(JOB, 3, BuildResult::Failure);
    let look = world.finish().await;
    insta::assert_snapshot!(look.runs(), @r"
    unit aaaa success
    unit bbbb success
    unit cccc failure
    ");
    insta::assert_snapshot!(world.comments(id), @r"
    **unit** at aaaaaaaaaaaa: passed ([build 1](https://ci.example/job/unit/1/))

    `pointsman:[id]`
    ---
    **unit** at cccccccccccc: failed ([build 3](https://ci.example/job/unit/3/))

    `/ci retest` runs it again.

    `pointsman:[id]`
    ");
    world.end().await;
}

#[tokio::test]
async fn a_stranger_s_change_is_not_built_and_says_that_it_waits() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    let (_, mut announced) = world.scenery.open('a');
    announced[0].1["pullrequest"]["user"]["name"] = "mallory".into();
    world.tell(&announced).await;
    let look = world.settle().await;
    insta::assert_snapshot!(look.runs(), @"unit aaaa held");
    assert_eq!(look.messages.len(), 1);
    assert_eq!(world.asked(), "");
    insta::assert_snapshot!(world.flags('a'), @"pending: unit: waiting for approval <https://forge.example/signalbox/pull-request/1>");
    world.end().await;
}

/// A build that somebody else started: as the plugin of Jenkins tells of it.
fn foreign(world: &World, job: &str, number: u64, status: &str) -> serde_json::Value {
    json!({
        "listener_type": "run", "state": "COMPLETED", "status": status,
        "build_job_name": job, "build_number": number, "build_duration": 7,
        "url": format!("{}job/{job}/{number}/", world.scenery.jenkins.url()),
        "parameters": ["LEVEL=3"],
    })
}

#[tokio::test]
async fn a_build_of_somebody_else_is_told_to_nobody() {
    let mut world = World::of(RULES).await.settings(NO_POLLING).broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    let message = foreign(&world, JOB, 7, "FAILURE");
    world.publish("run.COMPLETED", &message).await;
    world.settle().await;
    assert_eq!(world.comments(id), "");
    insta::assert_snapshot!(world.flags('a'), @"pending: unit: waiting in the queue <https://ci.example/job/unit/>");
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    world.relay_jenkins().await;
    let look = world.finish().await;
    insta::assert_snapshot!(look.runs(), @"unit aaaa success");
    world.end().await;
}

const NIGHTLY: &str = r#"
    [[rule]]
    name = "nightly"
    on = "build.finished"
    where = { job = "nightly-*" }
    when = ["not run.ours", "verdict != previous.verdict"]
    notify = [{ to = "bus", text = "{{ build.job }} #{{ build.number }}: {{ verdict }}" }]
"#;

#[tokio::test]
async fn a_build_of_somebody_else_is_told_where_a_rule_wants_it() {
    let mut world = World::of(NIGHTLY).await.broker().await.start().await;
    let mut ear = world.scenery.bus.as_ref().unwrap().listen("#.pointsman.notice").await;
    for (number, status) in [(1, "SUCCESS"), (2, "SUCCESS"), (3, "FAILURE")] {
        let message = foreign(&world, "nightly-signals", number, status);
        world.publish("run.COMPLETED", &message).await;
    }
    let message = foreign(&world, "weekly-signals", 4, "FAILURE");
    world.publish("run.COMPLETED", &message).await;
    world.settle().await;
    let told = [ear.next().await, ear.next().await];
    let told = told.map(|(topic, body)| format!("{topic} {body}")).join("\n");
    insta::assert_snapshot!(world.scenery.masked(&told), @r#"
    org.example.test.pointsman.notice {"rule":"nightly","subject":{"instance":"ci.example","kind":"job","number":1,"project":"nightly-signals"},"text":"nightly-signals #1: success\n\n`pointsman:[id]`"}
    org.example.test.pointsman.notice {"rule":"nightly","subject":{"instance":"ci.example","kind":"job","number":3,"project":"nightly-signals"},"text":"nightly-signals #3: failure\n\n`pointsman:[id]`"}
    "#);
    world.end().await;
}
