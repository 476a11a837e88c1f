//! A system that is slow or broken delays what is to be done there, and nothing else.

use pointsman::sandbox::jenkins::{
    Automatic, BuildResult, JenkinsStandIn, JobSpec, Mood as JenkinsMood,
};
use pointsman::sandbox::pagure::Mood as PagureMood;

use crate::world::look::Look;
use crate::world::{JOB, NO_POLLING, PROJECT, RULES, World, sha};

/// The same change, built by two Jenkinses.
const TWO: &str = r#"
    [[rule]]
    name = "unit"
    on = "pull_request.opened"
    build = { on = "jenkins.main", job = "unit" }
    report = [{ to = "origin", as = "flag" }]

    [[rule]]
    name = "lint"
    on = "pull_request.opened"
    build = { on = "jenkins.other", job = "lint" }
    report = [{ to = "origin", as = "flag" }, { to = "origin", as = "comment" }]
"#;

async fn second_jenkins() -> (JenkinsStandIn, String) {
    let other = JenkinsStandIn::start().await.unwrap();
    other.add_job(JobSpec::new("lint", &["POINTSMAN_RUN"]));
    other.set_automatic(Automatic::Finish(std::sync::Arc::new(|_| BuildResult::Success)));
    let settings = format!(
        "[jenkins.other]\nurl = '{}'\nuser = 'pointsman'\ntoken = 'file:jenkins-token'\n\
         poll_min = '10ms'\npoll_max = '50ms'\n",
        other.url()
    );
    (other, settings)
}

/// While the first Jenkins is in `mood` the second one serves, and then the first one does.
async fn the_other_serves_while_one_is(mood: JenkinsMood) {
    let (other, settings) = second_jenkins().await;
    let mut world = World::of(TWO).await.settings(&settings).broker().await.start().await;
    world.scenery.jenkins.set_mood(mood);
    let id = world.open('a').await;
    let pagure = world.scenery.pagure.clone();
    world
        .until("the other's verdict", |look| {
            let comments = pagure.comments(PROJECT, id);
            let flags = pagure.flags(PROJECT, &sha('a'));
            let is_tried = look.open.iter().any(|open| {
                open.kind == "start" && (open.attempts > 2 || mood == JenkinsMood::Hanging)
            });
            !comments.is_empty() && flags.iter().any(|flag| flag.status == "success") && is_tried
        })
        .await;
    assert!(world.flags('a').contains("success: lint"), "{}", world.flags('a'));
    assert_eq!((other.asked().len(), world.asked().as_str()), (1, ""));

    world.scenery.jenkins.set_mood(JenkinsMood::Normal);
    world.settle().await;
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Failure);
    let look = world.finish().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    assert_eq!(look.runs.len(), 2);
    assert!(look.buried.is_empty(), "{:?}", look.buried);
    assert!(world.flags('a').contains("failure: unit"), "{}", world.flags('a'));
    world.end().await;
}

#[tokio::test]
async fn a_jenkins_that_hangs_delays_no_other() {
    the_other_serves_while_one_is(JenkinsMood::Hanging).await;
}

#[tokio::test]
async fn a_jenkins_that_answers_500_delays_no_other() {
    the_other_serves_while_one_is(JenkinsMood::Failing(500)).await;
}

#[tokio::test]
async fn a_jenkins_that_answers_429_delays_no_other() {
    the_other_serves_while_one_is(JenkinsMood::TooMany { retry_after: 0 }).await;
}

#[tokio::test]
async fn a_jenkins_that_starts_up_is_waited_for() {
    the_other_serves_while_one_is(JenkinsMood::StartingUp).await;
}

#[tokio::test]
async fn a_jenkins_that_is_down_is_waited_for() {
    let mut world = World::of(RULES).await.broker().await.start().await;
    world.scenery.jenkins.stop().await;
    world.open('a').await;
    let is_tried = |look: &Look| look.open.iter().any(|open| open.attempts > 2);
    let look = world.until("a few tries", is_tried).await;
    assert!(look.open.iter().all(|open| open.error.is_some()), "{:?}", look.open);
    world.scenery.jenkins.restart().await.unwrap();
    world.settle().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}

/// While Pagure is in `mood` builds are started, and what is to be told is told afterwards.
async fn builds_start_while_pagure_is(mood: PagureMood) {
    let mut world = World::of(RULES).await.broker().await.start().await;
    world.scenery.pagure.set_mood(mood);
    let (first, second) = (world.open('a').await, world.open('b').await);
    let jenkins = world.scenery.jenkins.clone();
    world.until("two builds", |_| jenkins.builds(JOB).len() == 2).await;
    for number in [1, 2] {
        world.scenery.jenkins.finish(JOB, number, BuildResult::Success);
    }
    world.until("verdicts", |look| look.runs.len() == 2 && look.open_runs() == 0).await;
    assert_eq!(world.flags('a') + &world.flags('b'), "");

    world.scenery.pagure.set_mood(PagureMood::Normal);
    let look = world.finish().await;
    assert!(look.buried.is_empty(), "{:?}", look.buried);
    for (id, head) in [(first, 'a'), (second, 'b')] {
        let flags = world.flags(head);
        assert!(flags.starts_with("success: unit: passed") && flags.lines().count() == 1);
        assert_eq!(world.comments(id).matches("**unit**").count(), 1);
    }
    world.end().await;
}

#[tokio::test]
async fn a_pagure_that_hangs_delays_no_build() {
    builds_start_while_pagure_is(PagureMood::Hanging).await;
}

#[tokio::test]
async fn a_pagure_that_answers_500_delays_no_build() {
    builds_start_while_pagure_is(PagureMood::Failing(500)).await;
}

#[tokio::test]
async fn a_pagure_that_asks_to_wait_is_given_the_time_and_delays_no_build() {
    builds_start_while_pagure_is(PagureMood::TooMany { retry_after: 1 }).await;
}

#[tokio::test]
async fn a_pull_request_that_its_own_pagure_does_not_know_yet_is_told_later() {
    let mut world = World::of(RULES).await.settings(NO_POLLING).broker().await.start().await;
    let id = world.open('a').await;
    world.settle().await;
    world.scenery.pagure.hide(PROJECT, id).unwrap();
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    world.relay_jenkins().await;
    let is_tried =
        |look: &Look| look.open.iter().any(|open| open.kind == "report" && open.attempts > 2);
    world.until("a few tries", is_tried).await;
    assert_eq!(world.comments(id), "");
    world.scenery.pagure.reveal(PROJECT, id).unwrap();
    let look = world.finish().await;
    assert!(look.buried.is_empty(), "{:?}", look.buried);
    assert_eq!(world.comments(id).matches("**unit**").count(), 1);
    world.end().await;
}
