//! Answers that nobody should give.

use super::*;

/// A page for people, of ten million bytes.
fn huge() -> String {
    let one = r#"{"id": 1, "submitter": "pointsman", "state": "Running", "health": "Unknown"},"#;
    let many = one.repeat(10_000_000 / one.len());
    format!(r#"{{"count": 1, "results": [{}]}}"#, many.trim_end_matches(','))
}

#[tokio::test]
async fn answers_that_are_pages_or_without_end_are_tried_again() {
    let yard = Yard::open().await;
    let started = yard.start(1).await;
    let mut told = Vec::new();
    for (body, path) in [
        ("<!DOCTYPE html><html></html>".to_owned(), "GET /api/v0.2/jobs/"),
        ("{}".to_owned(), "GET /api/v0.2/jobs/"),
        (r#"{"count": -1, "results": {}}"#.to_owned(), "GET /api/v0.2/jobs/"),
        (huge(), "GET /api/v0.2/jobs/"),
        (huge(), "/devices/"),
        ("[".repeat(100_000), "/workers/"),
    ] {
        yard.lava.set_answer(path, 200, Some(&body));
        told.push(yard.told(yard.us.start(&order(2), Try::First).await));
        yard.lava.set_answer(path, 200, None);
    }
    yard.lava.set_answer("/jobs/1/", 200, Some(&huge()));
    told.push(yard.told(yard.us.inspect(&lookup(&started)).await));
    insta::assert_snapshot!(told.join("\n"), @r"
    tries again None: cannot count the jobs on lava.lab: it does not answer as LAVA does (see `lava.lab.url`)
    tries again None: cannot count the jobs on lava.lab: it does not answer as LAVA does (see `lava.lab.url`)
    tries again None: cannot count the jobs on lava.lab: it does not answer as LAVA does (see `lava.lab.url`)
    tries again None: cannot count the jobs on lava.lab: the answer is larger than 8388608 bytes
    tries again None: cannot list the boards of lava.lab: the answer is larger than 8388608 bytes
    tries again None: cannot list the workers of lava.lab: it does not answer as LAVA does (see `lava.lab.url`)
    tries again None: cannot ask after a job on lava.lab: the answer is larger than 8388608 bytes
    ");
    assert_eq!(yard.lava.jobs().len(), 1);
}

#[tokio::test]
async fn what_is_made_several_times_is_not_followed() {
    let yard = Yard::open().await;
    for body in [r#"{"job_ids": ["7.0", "7.1"]}"#, r#"{"job_ids": []}"#, r#"{"job_ids": ["x"]}"#] {
        yard.lava.set_answer("POST /api/v0.2/jobs/", 201, Some(body));
        let told = yard.told(yard.us.start(&order(1), Try::First).await);
        assert!(told.starts_with("gives up: ") && told.contains("several jobs"), "{told}");
    }
    yard.lava.set_answer("POST /api/v0.2/jobs/", 201, Some("<html></html>"));
    let told = yard.told(yard.us.start(&order(1), Try::First).await);
    assert!(told.starts_with("tries again"), "{told}");
}

#[tokio::test]
async fn no_token_is_in_what_is_told() {
    let yard = Yard::open().await;
    let told_token = door().token(&run(1));
    let told_token = told_token.expose_secret();
    // Words that repeat what was sent, cut where the token stands, and headers.
    for words in [
        format!("bad: token: {told_token} and Token {TOKEN}"),
        format!("{}{told_token}", "x".repeat(wire::WORDS_MAX_CHARS - 30)),
        format!("{}{TOKEN}", "x".repeat(wire::WORDS_MAX_CHARS - 5)),
    ] {
        let body = json!({ "message": words }).to_string();
        yard.lava.set_answer("POST /api/v0.2/jobs/", 400, Some(&body));
        let told = yard.told(yard.us.start(&order(1), Try::First).await);
        assert!(told.starts_with("gives up: ") && told.chars().count() < 320, "{told}");
        for secret in [told_token, TOKEN] {
            // Not even the beginning of one.
            assert!(!told.contains(secret.get(..5).unwrap()), "{told}");
        }
    }
    yard.lava.set_answer("POST /api/v0.2/jobs/", 400, None);
    let seen = yard.ended(Outcome::breaks(&format!("posting to us with {told_token}"))).await;
    assert_eq!(yard.mask(seen.reason.unwrap()), "posting to us with [token]");
    let debug = format!("{:?}", yard.us);
    assert!(!debug.contains(TOKEN) && !debug.contains("points-are-set"), "{debug}");
}

#[tokio::test]
async fn addresses_in_answers_are_not_followed() {
    let yard = Yard::open().await;
    let elsewhere = r#"{"count": 3, "next": "http://169.254.169.254/", "previous": null,
        "results": []}"#;
    yard.lava.set_answer("/devices/", 200, Some(elsewhere));
    let seen = yard.start(1).await;
    let url = yard.mask(seen.ticket.url.unwrap());
    assert_eq!(url, "https://lava.example/scheduler/job/1");
    let devices = yard.calls().lines().filter(|call| call.contains("/devices/")).count();
    assert_eq!(devices, 1);
}
