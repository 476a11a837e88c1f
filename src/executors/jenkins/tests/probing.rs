use std::fmt::Write as _;

use super::*;
use crate::executors::Probe;
use crate::sandbox::jenkins::{Mood, ParameterKind, ParameterSpec};

async fn findings(us: &Jenkins, jobs: &[&str]) -> String {
    let jobs: Vec<String> = jobs.iter().map(|&job| job.to_owned()).collect();
    let mut text = String::new();
    for finding in us.probe(&jobs).await {
        let problem = finding.problem.as_deref().unwrap_or("fine");
        writeln!(text, "{}: {problem}", finding.subject).unwrap();
    }
    text
}

#[tokio::test]
async fn every_job_is_looked_at_before_anything_depends_on_it() {
    let ci = Ci::closed().await;
    let mut off = JobSpec::new("off", &["RUN"]);
    off.disabled = true;
    let mut secretive = JobSpec::new("secretive", &[]);
    (secretive.parameters).push(ParameterSpec::new("RUN", ParameterKind::Password, ""));
    for spec in [off, secretive, JobSpec::new("plain", &[]), JobSpec::new("forgetful", &["BRANCH"])]
    {
        ci.jenkins.add_job(spec);
    }
    let us = ci.with(&[("user", "ada"), ("token", "ada-token")]).unwrap();
    let jobs = ["points", "off", "plain", "forgetful", "secretive", "nope", "a//b"];
    insta::assert_snapshot!(findings(&us, &jobs).await, @r"
    jenkins.main: fine
    jenkins.main: job `points`: fine
    jenkins.main: job `off`: the job is disabled, or no job that builds: enable it
    jenkins.main: job `plain`: the job takes no parameters, so that it refuses every order: make it parameterised and add a string parameter `RUN`
    jenkins.main: job `forgetful`: the job does not define the parameter `RUN`, and Jenkins silently drops what a job does not define: a build whose answer is lost would be started twice; add a string parameter of that name
    jenkins.main: job `secretive`: the parameter `RUN` cannot be read back: make it a string parameter
    jenkins.main: job `nope`: there is no such job, or the user may not see it: give its full name, folders separated by `/`, and grant Job/Read
    jenkins.main: job `a//b`: `a//b` is no name of a job
    ");
}

#[tokio::test]
async fn a_connection_that_fails_hides_its_jobs() {
    let ci = Ci::closed().await;
    let us = ci.with(&[("user", "ada"), ("token", "wrong")]).unwrap();
    insta::assert_snapshot!(findings(&us, &["points"]).await, @"jenkins.main: cannot ask Jenkins who we are (Jenkins does not accept the user, or the token or password): 401 Unauthorized");
    ci.jenkins.set_mood(Mood::StartingUp);
    insta::assert_snapshot!(findings(&us, &["points"]).await, @"jenkins.main: cannot ask Jenkins who we are (Jenkins is starting, or not there): 503 Service Unavailable");
}

#[tokio::test]
async fn a_stranger_is_fine_where_no_user_is_configured() {
    let ci = Ci::closed().await;
    insta::assert_snapshot!(findings(&ci.us(), &["points"]).await, @r"
    jenkins.main: fine
    jenkins.main: job `points`: fine
    ");
}
