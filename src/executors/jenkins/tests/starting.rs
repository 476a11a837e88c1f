use super::*;
use crate::sandbox::jenkins::{BuildResult, Mood};

#[tokio::test]
async fn an_order_waits_in_the_queue_and_its_page_is_the_job() {
    let ci = Ci::open().await;
    let sighting = ci.us().start(&order(1), Try::First).await.unwrap();
    insta::assert_snapshot!(ci.mask(format!("{sighting:#?}")), @r#"
    Sighting {
        state: Queued(
            None,
        ),
        ticket: Ticket {
            job: "points",
            queued: Some(
                "1",
            ),
            number: None,
            url: Some(
                "http://ci.example/job/points/",
            ),
        },
        run: Some(
            RunId(
                "00000000000000000000000000000001",
            ),
        ),
        reason: None,
    }
    "#);
    insta::assert_snapshot!(
        ci.jenkins.asked().join("\n"),
        @"points BRANCH=fix RUN=00000000000000000000000000000001"
    );
}

#[tokio::test]
async fn hostile_values_arrive_as_values_and_unchanged() {
    let ci = Ci::open().await;
    let hostile = "a b&RUN=x=ü%26+\nline2\r\n${IFS};$(reboot)`'\"<b>\u{0}\u{1f989}";
    let mut order = order(1);
    order.parameters.insert("BRANCH".to_owned(), hostile.to_owned());
    ci.us().start(&order, Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    let build = ci.jenkins.builds("points").remove(0);
    assert_eq!(build.parameters["BRANCH"], hostile);
    assert_eq!(build.parameters["RUN"], run(1).as_str());
    assert_eq!(ci.us().inspect(&only_run(1)).await.unwrap().run, Some(run(1)));
}

#[tokio::test]
async fn the_same_order_twice_is_one_build_and_no_redirect_is_followed() {
    let ci = Ci::open().await;
    let us = ci.us();
    let first = us.start(&order(1), Try::First).await.unwrap();
    let second = us.start(&order(1), Try::First).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(ci.jenkins.waiting(), [1]);
    insta::assert_snapshot!(ci.jenkins.requests().join("\n"), @r"
    GET /crumbIssuer/api/json
    POST /job/points/buildWithParameters
    POST /job/points/buildWithParameters
    ");
}

#[tokio::test]
async fn two_runs_with_the_same_parameters_are_two_builds() {
    let ci = Ci::open().await;
    ci.us().start(&order(1), Try::First).await.unwrap();
    ci.us().start(&order(2), Try::First).await.unwrap();
    assert_eq!(ci.jenkins.waiting(), [1, 2]);
}

#[tokio::test]
async fn a_job_in_a_folder_with_a_name_of_any_letters_is_found() {
    let ci = Ci::open().await;
    let job = "team a/jöb #1%41?";
    ci.jenkins.add_job(JobSpec::new(job, &["RUN"]));
    let mut order = order(1);
    job.clone_into(&mut order.job);
    let sighting = ci.us().start(&order, Try::First).await.unwrap();
    let number = ci.jenkins.begin(job).unwrap();
    ci.jenkins.finish(job, number, BuildResult::Success);
    let seen = ci.us().inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.state, BuildState::Finished(Verdict::Success));
    insta::assert_snapshot!(
        ci.mask(seen.ticket.url.unwrap()),
        @"http://ci.example/job/team%20a/job/j%C3%B6b%20%231%2541%3F/1/"
    );
}

#[tokio::test]
async fn pages_are_told_below_the_configured_address_whatever_jenkins_calls_itself() {
    let ci = Ci::open().await;
    ci.jenkins.set_prefix("deep/ci");
    ci.jenkins.set_root_url("https://inside.example/".parse().unwrap());
    let us = ci.us();
    let sighting = us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    let seen = us.inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.ticket.number, Some(1));
    insta::assert_snapshot!(
        ci.mask(seen.ticket.url.unwrap()),
        @"http://ci.example/deep/ci/job/points/1/"
    );
}

#[tokio::test]
async fn a_rule_cannot_give_another_run_id() {
    let ci = Ci::open().await;
    let mut order = order(1);
    order.parameters.insert("RUN".to_owned(), run(9).into());
    ci.us().start(&order, Try::First).await.unwrap();
    insta::assert_snapshot!(
        ci.jenkins.asked().join("\n"),
        @"points BRANCH=fix RUN=00000000000000000000000000000001"
    );
}

#[tokio::test]
async fn a_parameter_that_the_job_does_not_define_is_lost() {
    let ci = Ci::open().await;
    ci.jenkins.add_job(JobSpec::new("points", &["BRANCH"]));
    let sighting = ci.us().start(&order(1), Try::First).await.unwrap();
    insta::assert_snapshot!(ci.jenkins.asked().join("\n"), @"points BRANCH=fix");
    let seen = ci.us().inspect(&lookup(&sighting)).await.unwrap();
    assert_eq!(seen.run, None);
}

#[tokio::test]
async fn a_trigger_token_travels_in_the_form_and_brings_the_cause_along() {
    let ci = Ci::closed().await;
    let mut spec = JobSpec::new("points", &["RUN"]);
    spec.trigger_token = Some("open-sesame".to_owned());
    ci.jenkins.add_job(spec);
    let us = ci.with(&[("trigger_token", "open-sesame")]).unwrap();
    us.start(&order(1), Try::First).await.unwrap();
    ci.jenkins.begin("points").unwrap();
    insta::assert_snapshot!(
        ci.jenkins.builds("points")[0].cause,
        @"Started by remote host 127.0.0.1 with note: signalbox/points#7"
    );
    insta::assert_snapshot!(ci.jenkins.requests().join("\n"), @r"
    GET /crumbIssuer/api/json
    POST /job/points/buildWithParameters
    ");
}

#[tokio::test]
async fn an_order_is_taken_while_jenkins_prepares_to_shut_down() {
    let ci = Ci::open().await;
    ci.jenkins.set_mood(Mood::QuietDown);
    let sighting = ci.us().start(&order(1), Try::First).await.unwrap();
    assert_eq!(ci.jenkins.begin("points"), None);
    insta::assert_snapshot!(
        told(ci.us().inspect(&lookup(&sighting)).await),
        @r#"Queued(Some("Jenkins is about to shut down"))"#
    );
}
