use super::*;
use crate::sandbox::jenkins::{BuildResult, ParameterKind, ParameterSpec};

#[tokio::test]
async fn what_waits_says_for_what() {
    let ci = Ci::open().await;
    let us = ci.us();
    let waiting = us.start(&order(1), Try::First).await.unwrap();
    insta::assert_snapshot!(
        told(us.inspect(&lookup(&waiting)).await),
        @r#"Queued(Some("In the quiet period. Expires in 4.9 sec"))"#
    );

    let mut stuck = JobSpec::new("points", &["RUN"]);
    stuck.label = Some("riscv".to_owned());
    ci.jenkins.add_job(stuck);
    insta::assert_snapshot!(
        told(us.inspect(&lookup(&waiting)).await),
        @r#"Queued(Some("‘Jenkins’ doesn’t have label ‘riscv’"))"#
    );

    let mut one_by_one = JobSpec::new("points", &["RUN"]);
    one_by_one.concurrent = false;
    ci.jenkins.add_job(one_by_one);
    ci.jenkins.begin("points").unwrap();
    let blocked = us.start(&order(2), Try::First).await.unwrap();
    insta::assert_snapshot!(
        told(us.inspect(&lookup(&blocked)).await),
        @r#"Queued(Some("Build #1 is already in progress (ETA: N/A)"))"#
    );
}

#[tokio::test]
async fn a_build_is_followed_from_the_queue_to_its_end() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    let seen = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.state, BuildState::Running);
    assert_eq!(seen.ticket.queued.as_deref(), Some("1"));
    assert_eq!(seen.ticket.number, Some(1));
    insta::assert_snapshot!(
        ci.mask(seen.ticket.url.as_ref().unwrap()),
        @"http://ci.example/job/points/1/"
    );

    ci.jenkins.finish("points", 1, BuildResult::Success);
    // By its number as well as by the entry that it was.
    for ticket in [lookup(&seen), lookup(&sighting)] {
        let seen = us.inspect(&ticket).await.unwrap();
        assert_eq!(seen.state, BuildState::Finished(Verdict::Success));
        assert_eq!(seen.run, Some(run(1)));
    }
}

#[tokio::test]
async fn every_result_is_a_verdict() {
    let ci = Ci::open().await;
    let us = ci.us();
    let results = [
        (BuildResult::Success, Verdict::Success),
        (BuildResult::Unstable, Verdict::Unstable),
        (BuildResult::Failure, Verdict::Failure),
        (BuildResult::Aborted, Verdict::Cancelled),
        (BuildResult::NotBuilt, Verdict::Skipped),
        (BuildResult::Other("SABOTAGED".to_owned()), Verdict::Error),
    ];
    for (id, (result, verdict)) in (1..).zip(results) {
        let sighting = us.start(&order(id), Try::First).await.unwrap();
        let number = ci.jenkins.begin("points").unwrap();
        ci.jenkins.finish("points", number, result);
        let by_item = us.inspect(&lookup(&sighting)).await.unwrap();
        assert_eq!(by_item.state, BuildState::Finished(verdict));
        let by_run = us.inspect(&only_run(id)).await.unwrap();
        assert_eq!(by_run, by_item);
    }
}

#[tokio::test]
async fn a_build_of_others_is_known_by_job_and_number() {
    let ci = Ci::open().await;
    ci.us().start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    let seen = ci.us().inspect(&build("points", 1)).await.unwrap();
    assert_eq!(seen.state, BuildState::Running);
    assert_eq!(seen.run, Some(run(1)));
    insta::assert_snapshot!(ci.jenkins.requests().last().unwrap(), @"GET /job/points/1/api/json");
}

#[tokio::test]
async fn a_cancelled_entry_is_a_cancelled_build() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    us.cancel(&lookup(&sighting)).await.unwrap();
    let seen = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled));
}

#[tokio::test]
async fn an_entry_that_was_forgotten_is_found_among_the_builds() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    ci.jenkins.forget_left_items();
    let by_run = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(by_run.ticket.number, Some(1));

    // The job may not define the parameter of the run id.
    let mut anonymous = lookup(&sighting);
    anonymous.run = None;
    assert_eq!(us.inspect(&anonymous).await.unwrap(), by_run);
}

#[tokio::test]
async fn what_is_nowhere_is_gone() {
    let ci = Ci::open().await;
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    ci.jenkins.delete_build("points", 1);
    // Its entry still tells of it.
    let gone = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(gone.state, BuildState::Gone);
    ci.jenkins.forget_left_items();

    let mut elsewhere = lookup(&sighting);
    "nope".clone_into(&mut elsewhere.ticket.job);
    for lookup in [lookup(&sighting), only_run(9), build("points", 9), build("nope", 1), elsewhere]
    {
        let gone = us.inspect(&lookup).await.unwrap();
        assert_eq!(gone.state, BuildState::Gone, "{lookup:?}");
        assert_eq!(gone.ticket, lookup.ticket);
    }
}

#[tokio::test]
async fn a_number_that_another_run_has_now_is_not_mistaken_for_ours() {
    let ci = Ci::open().await;
    let us = ci.us();
    us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    let mut ours = build("points", 1);
    ours.run = Some(run(2));
    assert_eq!(us.inspect(&ours).await.unwrap().state, BuildState::Gone);
    ours.ticket.number = None;
    ours.ticket.queued = Some("1".to_owned());
    assert_eq!(us.inspect(&ours).await.unwrap().state, BuildState::Gone);
}

#[tokio::test]
async fn parameters_of_every_kind_can_stand_beside_the_run_id() {
    let ci = Ci::open().await;
    let us = ci.us();
    let mut spec = JobSpec::new("points", &["BRANCH"]);
    let choice = ParameterKind::Choice(vec!["amd64".to_owned()]);
    spec.parameters.extend([
        ParameterSpec::new("SECRET", ParameterKind::Password, "hush"),
        ParameterSpec::new("FULL", ParameterKind::Boolean, "true"),
        ParameterSpec::new("ARCH", choice, "amd64"),
        ParameterSpec::new("RUN", ParameterKind::Text, ""),
    ]);
    ci.jenkins.add_job(spec);
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    let waiting = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(waiting.run, Some(run(1)));
    assert_eq!(us.inspect(&only_run(1)).await.unwrap(), waiting);
    ci.jenkins.begin("points").unwrap();
    let running = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(running.run, Some(run(1)));
    assert_eq!(us.inspect(&only_run(1)).await.unwrap(), running);
}
