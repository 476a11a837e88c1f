use super::*;
use crate::remote::Remote;

/// A run whose pipeline has these jobs, and what is seen of it.
async fn with_jobs(ci: &Ci, jobs: Vec<CiJob>) -> Sighting {
    let started = ci.start().await;
    ci.gitlab.set_jobs((PROJECT, number(&started)), jobs).await.unwrap();
    ci.us.inspect(&lookup(&started)).await.unwrap()
}

/// Sets our flag on the commit and branch, as the reporter does.
async fn set_flag(ci: &Ci, state: &str) {
    let base = url::Url::parse(&ci.gitlab.url()).unwrap();
    let clock = Clock::manual(Hand::at(from_millis(0)));
    let remote = Remote::new(&base, std::time::Duration::from_secs(30), clock).unwrap();
    let project = PROJECT.replace('/', "%2F");
    let url = base.join(&format!("api/v4/projects/{project}/statuses/{HEAD}")).unwrap();
    let body = json!({ "state": state, "name": "pointsman/tests", "ref": "blades" });
    let request = remote.request(Method::POST, url).header("PRIVATE-TOKEN", TOKEN).json(&body);
    assert!(remote.send(request).await.unwrap().status.is_success());
}

fn report(status: &str) -> CiJob {
    CiJob { stage: ended::STAGE.to_owned(), may_fail: true, ..CiJob::new(ended::JOB, status) }
}

#[tokio::test]
async fn every_status_is_told_in_our_words() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    let mut seen = Vec::new();
    for status in [
        "created",
        "waiting_for_resource",
        "preparing",
        "pending",
        "running",
        "manual",
        "scheduled",
        "canceling",
        "pondering",
        "success",
        "skipped",
        "canceled",
    ] {
        ci.gitlab.play((PROJECT, number(&started)), status).await.unwrap();
        let state = ci.us.inspect(&lookup(&started)).await.unwrap().state;
        seen.push(format!("{status}: {state:?}"));
    }
    insta::assert_snapshot!(seen.join("\n"), @r#"
    created: Queued(None)
    waiting_for_resource: Queued(Some("it waits for its turn"))
    preparing: Queued(None)
    pending: Queued(None)
    running: Running
    manual: Queued(Some("it waits for somebody to start a job of it"))
    scheduled: Queued(Some("a job of it waits for its time"))
    canceling: Running
    pondering: Running
    success: Finished(Success)
    skipped: Finished(Skipped)
    canceled: Finished(Cancelled)
    "#);
}

#[tokio::test]
async fn the_jobs_that_failed_are_named() {
    let ci = Ci::open().await;
    let allowed = CiJob { may_fail: true, ..CiJob::new("lint", "failed") };
    let jobs = vec![CiJob::new("asan", "failed"), allowed, CiJob::new("unit", "success")];
    let seen = with_jobs(&ci, jobs).await;
    assert_eq!(seen.state, BuildState::Finished(Verdict::Failure));
    let job = number(&seen) + 1;
    assert_eq!(
        ci.mask(seen.reason.unwrap()),
        format!("failed: asan; see https://forge.example/rail/yard/signalbox/-/jobs/{job}")
    );
}

#[tokio::test]
async fn a_runner_that_broke_is_no_fault_of_the_change() {
    let ci = Ci::open().await;
    let reason = Some("runner_system_failure".to_owned());
    let broke = CiJob { reason, ..CiJob::new("asan", "failed") };
    let seen = with_jobs(&ci, vec![broke, CiJob::new("unit", "success")]).await;
    assert_eq!(seen.state, BuildState::Finished(Verdict::Error));
    assert!(seen.reason.unwrap().starts_with("failed: asan (runner_system_failure); see "));
}

#[tokio::test]
async fn a_pipeline_that_another_failed_is_a_failure() {
    let ci = Ci::open().await;
    let bridge = CiJob { is_bridge: true, ..CiJob::new("boards", "failed") };
    let seen = with_jobs(&ci, vec![CiJob::new("unit", "success"), bridge]).await;
    assert_eq!(seen.state, BuildState::Finished(Verdict::Failure));
    assert!(seen.reason.unwrap().starts_with("failed: boards; see "));
}

#[tokio::test]
async fn a_pipeline_that_was_cancelled_with_another_is_no_success() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    let place = (PROJECT, number(&started));
    // With `strategy: depend` the bridge is as the other pipeline is.
    for status in ["running", "canceled"] {
        let bridge = CiJob { is_bridge: true, ..CiJob::new("boards", status) };
        ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "success"), bridge]).await.unwrap();
        ci.gitlab.play(place, "canceled").await.unwrap();
        let seen = ci.us.inspect(&lookup(&started)).await.unwrap();
        assert_eq!(seen.state, BuildState::Finished(Verdict::Cancelled), "{status}");
    }
}

#[tokio::test]
async fn a_pipeline_that_failed_before_its_jobs_is_an_error() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    ci.gitlab.play((PROJECT, number(&started)), "failed").await.unwrap();
    let seen = ci.us.inspect(&lookup(&started)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Error));
    assert_eq!(seen.reason.as_deref(), Some("it failed, and none of its jobs did"));
}

#[tokio::test]
async fn our_own_flag_does_not_keep_a_pipeline_from_ending() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    let place = (PROJECT, number(&started));
    ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "running")]).await.unwrap();
    set_flag(&ci, "running").await;
    let seen = async || ci.us.inspect(&lookup(&started)).await.unwrap().state;
    assert_eq!(seen().await, BuildState::Running);
    ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "success")]).await.unwrap();
    assert_eq!(ci.gitlab.pipelines(PROJECT)[0].status, "running");
    assert_eq!(seen().await, BuildState::Finished(Verdict::Success));
    // Another pipeline that it has started goes on.
    let bridge = CiJob { is_bridge: true, ..CiJob::new("boards", "running") };
    ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "success"), bridge]).await.unwrap();
    assert_eq!(seen().await, BuildState::Running);
    ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "failed")]).await.unwrap();
    assert_eq!(seen().await, BuildState::Finished(Verdict::Failure));
}

#[tokio::test]
async fn a_pipeline_that_goes_on_for_no_reason_of_ours_goes_on() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    let place = (PROJECT, number(&started));
    // GitLab is about to run it again.
    ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "failed")]).await.unwrap();
    ci.gitlab.play(place, "running").await.unwrap();
    let seen = ci.us.inspect(&lookup(&started)).await.unwrap();
    assert_eq!(seen.state, BuildState::Running);
}

#[tokio::test]
async fn a_flag_that_failed_beside_the_jobs_is_no_verdict_of_theirs() {
    let ci = Ci::open().await;
    let started = ci.start().await;
    let place = (PROJECT, number(&started));
    ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "running")]).await.unwrap();
    for (flag, status) in [("failed", "failed"), ("canceled", "canceled")] {
        set_flag(&ci, flag).await;
        ci.gitlab.set_jobs(place, vec![CiJob::new("unit", "success")]).await.unwrap();
        assert_eq!(ci.gitlab.pipelines(PROJECT)[0].status, status);
        let seen = ci.us.inspect(&lookup(&started)).await.unwrap();
        assert_eq!(seen.state, BuildState::Finished(Verdict::Success));
        assert!(seen.reason.unwrap().contains("a status that was set beside them"));
    }
}

#[tokio::test]
async fn the_job_that_tells_of_the_end_is_not_waited_for() {
    let ci = Ci::open().await;
    let jobs = |unit: &str, told: &str| vec![CiJob::new("unit", unit), report(told)];
    let started = ci.start().await;
    let place = (PROJECT, number(&started));
    let seen = async |jobs: Vec<CiJob>| {
        ci.gitlab.set_jobs(place, jobs).await.unwrap();
        ci.us.inspect(&lookup(&started)).await.unwrap().state
    };
    assert_eq!(seen(jobs("running", "created")).await, BuildState::Running);
    assert_eq!(seen(jobs("success", "running")).await, BuildState::Finished(Verdict::Success));
    assert_eq!(seen(jobs("failed", "pending")).await, BuildState::Finished(Verdict::Failure));
    assert_eq!(seen(jobs("success", "failed")).await, BuildState::Finished(Verdict::Success));
    let alone = seen(vec![report("running")]).await;
    assert_eq!(alone, BuildState::Running);
}
