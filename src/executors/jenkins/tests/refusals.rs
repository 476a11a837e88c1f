use std::fmt::Write as _;

use super::*;
use crate::sandbox::jenkins::{Mood, ParameterKind, ParameterSpec};

async fn refusal(us: &Jenkins, job: &str) -> String {
    let mut order = order(1);
    job.clone_into(&mut order.job);
    told(us.start(&order, Try::First).await)
}

#[tokio::test]
async fn a_refusal_names_the_job_the_connection_and_the_reason() {
    let ci = Ci::closed().await;
    let mut disabled = JobSpec::new("off", &["RUN"]);
    disabled.disabled = true;
    ci.jenkins.add_job(disabled);
    ci.jenkins.add_job(JobSpec::new("plain", &[]));
    let mut choosy = JobSpec::new("choosy", &["RUN"]);
    let kind = ParameterKind::Choice(vec!["main".to_owned()]);
    choosy.parameters.push(ParameterSpec::new("BRANCH", kind, "main"));
    ci.jenkins.add_job(choosy);
    let mut guarded = JobSpec::new("guarded", &["RUN"]);
    guarded.trigger_token = Some("open-sesame".to_owned());
    ci.jenkins.add_job(guarded);

    let ada = [("user", "ada"), ("token", "ada-token")];
    let ada_guessing = [ada[0], ada[1], ("trigger_token", "guess")];
    let mut text = String::new();
    for (login, job) in [
        (&[("user", "ada"), ("token", "wrong")][..], "points"),
        (&[("user", "nobody"), ("password", "wrong")], "points"),
        (&[("user", "grace"), ("token", "grace-token")], "points"),
        (&ada_guessing, "guarded"),
        (&ada, "nope"),
        (&ada, "off"),
        (&ada, "choosy"),
        (&ada, "plain"),
        (&ada, "../x"),
    ] {
        let us = ci.with(login).unwrap();
        writeln!(text, "{}", refusal(&us, job).await).unwrap();
    }
    insta::assert_snapshot!(text, @r"
    gives up: cannot start job `points` on jenkins.main (Jenkins does not accept the user, or the token or password): 401 Unauthorized
    gives up: cannot start job `points` on jenkins.main: cannot fetch a crumb (Jenkins does not accept the user, or the token or password): 401 Unauthorized
    gives up: cannot start job `points` on jenkins.main (the user lacks the permission `hudson.model.Item.Build`): 403 Forbidden
    gives up: cannot start job `guarded` on jenkins.main (the user may not, or the trigger token is wrong): 403 Forbidden
    gives up: cannot start job `nope` on jenkins.main (there is no such job, or the user may not see it): 404 Not Found
    gives up: cannot start job `off` on jenkins.main (the job is disabled): 409 Conflict
    tries again None: cannot start job `choosy` on jenkins.main (Jenkins answers so to a bad value of a choice parameter and to parameters for a job that has none, but also while it starts): 500 Internal Server Error
    tries again None: cannot start job `plain` on jenkins.main (Jenkins answers so to a bad value of a choice parameter and to parameters for a job that has none, but also while it starts): 500 Internal Server Error
    gives up: `../x` is no name of a job
    ");
    assert_eq!(ci.jenkins.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn what_may_pass_is_tried_again_when_jenkins_says() {
    let ci = Ci::closed().await;
    let us = ci.with(&[("user", "ada"), ("token", "ada-token")]).unwrap();
    let mut text = String::new();
    for mood in [
        Mood::StartingUp,
        Mood::TooMany { retry_after: 7 },
        Mood::Failing(500),
        Mood::Failing(502),
        Mood::Failing(400),
        Mood::Failing(302),
    ] {
        ci.jenkins.set_mood(mood);
        writeln!(text, "{}", refusal(&us, "points").await).unwrap();
    }
    insta::assert_snapshot!(text, @r"
    tries again None: cannot start job `points` on jenkins.main (Jenkins is starting, or not there): 503 Service Unavailable
    tries again Some(7s): cannot start job `points` on jenkins.main: 429 Too Many Requests
    tries again None: cannot start job `points` on jenkins.main (Jenkins answers so to a bad value of a choice parameter and to parameters for a job that has none, but also while it starts): 500 Internal Server Error
    tries again None: cannot start job `points` on jenkins.main: 502 Bad Gateway
    gives up: cannot start job `points` on jenkins.main (Jenkins cannot read the request): 400 Bad Request
    gives up: cannot start job `points` on jenkins.main (it sends us elsewhere: is the configured address right?): 302 Found
    ");
}

#[tokio::test]
async fn a_refused_connection_may_pass_and_names_no_address() {
    let ci = Ci::open().await;
    let us = ci.us();
    ci.jenkins.stop().await;
    let text = refusal(&us, "points").await;
    assert!(
        text.starts_with(
            "tries again None: cannot start job `points` on jenkins.main: error sending request"
        ),
        "{text}"
    );
    assert_eq!(ci.mask(&text), text);
}

#[tokio::test]
async fn a_name_that_is_no_job_leads_nowhere() {
    let ci = Ci::open().await;
    let us = ci.us();
    let long = "x".repeat(100_000);
    for job in ["", ".", "..", "a//b", "/a", "a/", "a/../b", "poi\nnts", &long] {
        let failure = us.inspect(&build(job, 1)).await.unwrap_err();
        let text = told(Err(failure));
        assert!(text.starts_with("gives up: `"), "{text}");
        assert!(text.len() < 300 && !text.contains('\n'), "{text}");
    }
    // Dots that are hidden stay a name.
    us.inspect(&build("%2e%2e", 1)).await.unwrap();
    insta::assert_snapshot!(ci.jenkins.requests().join("\n"), @"GET /job/%252e%252e/1/api/json");
}
