//! Messages of other producers in all their shapes, made by us: nothing is filled in, or all of it,
//! or more than they should have.

use serde_json::{Value, json};

use super::{body_of, everything, read, shipped};
use crate::envelope::{Limits, open};
use crate::event::artifact::message::Announcement;
use crate::event::{Event, EventKind};
use crate::subject::Verdict;
use crate::topic::read::Reading;

const RUN_PARAMETER: &str = super::RUN_PARAMETER;

/// What a message is read into, in a line; `Err` would be a dead letter.
fn told(topic: &str, body: &Value) -> String {
    line(&read(topic, body).unwrap_or_else(|error| panic!("{topic}: {error}")))
}

fn line(reading: &Reading) -> String {
    let told = |event: &Event| {
        if let Event::Build(build) = event {
            let verdict = build.verdict.map(Verdict::as_str).unwrap_or_default();
            let id = build.id.as_deref().unwrap_or_default();
            return format!("{} {:?} {verdict:?} {id:?}", build.event, build.job);
        }
        match event.artifact() {
            Some(on) => format!("{} {:?} {:?}", on.event, on.artifact.name, on.artifact.build),
            None => event.kind().to_string(),
        }
    };
    match &reading.ignored {
        Some(_) => "ignored".to_owned(),
        None => reading.events.iter().map(told).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn no_topic_spoils_the_messages_of_another() {
    let selection = everything();
    for topic in shipped().topics() {
        for example in &topic.examples {
            let envelope = open(&example.message, &Limits::default()).unwrap();
            let reading = selection.read(&envelope, RUN_PARAMETER);
            assert!(reading.is_ok(), "{} {}: {reading:?}", topic.name, example.body_file);
        }
    }
}

/// The templates that senders fill in; of one that they leave as it is nobody can say what it is of.
fn template(artifact: &Value) -> Value {
    json!({
        "contact": {"name": "", "team": "", "url": "", "docs": "", "irc": "#x", "email": "x@y"},
        "run": {"url": "", "rebuild": "", "log": "", "id": 0},
        "artifact": artifact,
        "pipeline": {"stage": {"name": ""}, "build": "", "name": "", "id": ""},
        "test": {"type": "", "category": "", "namespace": "", "result": "", "xunit": ""},
        "system": [{"os": "", "provider": "", "architecture": "", "label": ""}],
        "error": {"reason": ""}, "notification": {"recipients": []},
        "generated_at": "", "version": "",
    })
}

#[test]
fn templates_of_tests_are_read_as_far_as_they_are_filled_in() {
    let build =
        json!({"type": "", "id": "", "issuer": "", "component": "", "nvr": "", "scratch": true});
    let proposal = json!({"type": "fedora-dist-git", "repository": "", "id": 0, "comment_id": 0,
        "commit_hash": "", "issuer": "", "uid": ""});
    let update = json!({"release": {"version": "", "name": ""}, "type": "fedora-update",
        "alias": "", "id": "", "builds": []});
    let of = |state: &str| format!("org.example.prod.ci.any.test.{state}");
    for artifact in [build, proposal, update, Value::Null, json!([]), json!("x")] {
        for state in ["queued", "running", "complete", "error"] {
            let mut body = template(&artifact);
            assert_eq!(told(&of(state), &body), "ignored");
            body["pipeline"]["name"] = "gating".into();
            let read = told(&of(state), &body);
            assert!(read.contains("\"gating\""), "{read}");
            body["test"] = json!({"type": "tier0", "namespace": "", "category": null});
            body["pipeline"] = Value::Null;
            body["run"] = Value::Null;
            body["generated_at"] = "2026-11-20".into();
            let read = told(&of(state), &body);
            assert!(read.contains("\"tier0\"") && read.contains("\"2026-11-20\""), "{read}");
        }
    }
    let flat = json!({"artifact": {"type": "dist-git-pr", "repository": "", "id": ""},
        "category": "", "ci": {}, "namespace": "", "run": {"url": ""}, "status": "",
        "system": [], "thread_id": "", "type": "", "version": "", "web_url": "", "xunit": ""});
    assert_eq!(told(&of("complete"), &flat), "ignored");
    assert_eq!(told("org.example.ci.test.complete", &json!({})), "ignored");
}

#[test]
fn a_test_ends_as_its_result_says() {
    let mut body = body_of("fedora-ci/test.complete");
    let topic = "org.example.prod.ci.dist-git-pr.test.complete";
    let mut told = |result: Value| {
        body["test"]["result"] = result;
        let reading = read(topic, &body).unwrap();
        let Some(Event::Build(build)) = reading.events.first() else { panic!() };
        build.verdict.map_or("none", Verdict::as_str)
    };
    for (result, verdict) in [
        ("passed", "success"),
        ("failed", "failure"),
        ("needs_inspection", "failure"),
        ("info", "skipped"),
        ("not_applicable", "skipped"),
        ("soft\nfailed", "error"),
        ("", "none"),
    ] {
        assert_eq!(told(result.into()), verdict, "{result}");
    }
    assert_eq!(told(Value::Null), "none");
}

#[test]
fn a_pipeline_without_a_number_is_known_by_its_run() {
    let mut body = body_of("fedora-ci/test.complete");
    let topic = "org.example.prod.ci.any.test.complete";
    let mut identity = |run: Value| {
        body["pipeline"] = json!({"id": "p", "name": "points"});
        body["run"]["id"] = run;
        read(topic, &body).unwrap().events.first().unwrap().identity()
    };
    // What is run again is told again.
    assert_ne!(identity(7.into()), identity(8.into()));
    assert_eq!(identity(7.into()), identity(7.into()));
}

#[test]
fn an_activity_ends_as_its_conclusion_says() {
    let verdicts = |topic: &str, base: &Value| {
        let words =
            ["SUCCESSFUL", "UNSUCCESSFUL", "FAILED", "ABORTED", "TIMED_OUT", "INCONCLUSIVE"];
        let verdicts = words.map(|word| {
            let mut body = base.clone();
            body["data"]["outcome"]["conclusion"] = word.into();
            let reading = read(topic, &body).unwrap();
            let Some(Event::Build(build)) = reading.events.first() else { panic!() };
            build.verdict.unwrap().as_str()
        });
        verdicts.join(" ")
    };
    let topic = "eiffel.x.EiffelActivityFinishedEvent.x.y.z";
    let own = body_of("eiffel/activity.finished");
    assert_eq!(verdicts(topic, &own), "success failure error cancelled error error");
    let plugin = body_of("eiffel/jenkins.finished");
    assert_eq!(verdicts(topic, &plugin), "success unstable failure cancelled error error");
    let topic = "eiffel.x.EiffelTestSuiteFinishedEvent.x.y.z";
    let mut suite = body_of("eiffel/test-suite.finished");
    suite["data"]["outcome"]["verdict"] = "PASSED".into();
    assert_eq!(verdicts(topic, &suite), "success success error cancelled error error");
    suite["data"] = json!({});
    assert!(told(topic, &suite).starts_with("build.finished \"\" \"\""));
}

#[test]
fn nobody_else_is_taken_for_one() {
    for topic in [
        "eiffel.x.EiffelActivityFinishedEvent.x",
        "x.EiffelActivityTriggeredEvent",
        "EiffelActivityStartedEvent.x",
        "x.EiffelArtifactPublishedEvent",
        "dev.cdevents.pipelinerun.finished.0.3.0",
        "dev.cdevents.build.queued.0.3.0",
        "dev.cdevents.artifact.published.0.3.0",
        "org.example.ci.koji-build.build.complete",
        "org.example.prod.pungi.compose.status.change",
    ] {
        assert_eq!(told(topic, &json!({})), "ignored", "{topic}");
        assert_eq!(told(topic, &json!({"meta": null, "context": null})), "ignored", "{topic}");
    }
    // Events of theirs that are no builds.
    assert_eq!(
        told("dev.cdevents.change.created.0.4.0", &json!({"context": {}, "subject": {}})),
        "ignored"
    );
    assert_eq!(
        told("eiffel.x.EiffelSourceChangeCreatedEvent.x", &json!({"meta": {}, "data": {}})),
        "ignored"
    );
}

#[test]
fn files_that_a_build_has_left_never_hide_the_build() {
    let topic = "example.ci.jenkins.notification";
    let body = body_of("jenkins/notification.published");
    let both = told(topic, &body);
    assert!(both.contains("build.finished") && both.contains("artifact.published"), "{both}");
    let alone = |change: &dyn Fn(&mut Value)| {
        let mut body = body.clone();
        change(&mut body);
        let told = told(topic, &body);
        assert!(told.starts_with("build.finished") && !told.contains("artifact"), "{told}");
    };
    alone(&|body| body["build"]["artifacts"] = json!({}));
    alone(&|body| body["build"]["artifacts"] = Value::Null);
    alone(&|body| body["build"]["status"] = "UNSTABLE".into());
    // Of a build without the address of its server nothing can be fetched.
    alone(&|body| body["build"]["full_url"] = Value::Null);
    alone(&|body| body["url"] = format!("job/{}/", "long".repeat(60)).into());
    alone(&|body| {
        let many = (0..101).map(|n| (n.to_string(), json!(format!("https://ci.example/{n}"))));
        body["build"]["artifacts"] = many.collect();
    });
}

#[test]
fn an_artifact_is_announced_with_the_keys_there_are_and_no_others() {
    let error = |change: Value| {
        let mut body = body_of("artifact/published");
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        read("pointsman.artifact.published", &body).unwrap_err().message
    };
    insta::assert_snapshot!(error(json!({"file": []})), @"there is no key `file`; did you mean `files`?");
    insta::assert_snapshot!(error(json!({"change": {"branch": "main"}})), @"there is no key `branch`");
    insta::assert_snapshot!(error(json!({"files": [{"name": "a", "url": "https://x", "md5": "x"}]})), @"unknown field `md5`, expected one of `name`, `url`, `checksums`, `size`");
    insta::assert_snapshot!(error(json!({"name": null})), @"it is none, but every `artifact.published` has it");
    insta::assert_snapshot!(error(json!({"name": ""})), @"it is empty");
    insta::assert_snapshot!(error(json!({"build": ""})), @"it is empty");
    insta::assert_snapshot!(error(json!({"producer": 7})), @"invalid type: integer `7`, expected a string");
    insta::assert_snapshot!(error(json!({"change": 7})), @"an object is needed, this is a number; `body.change` is 7");
    insta::assert_snapshot!(error(json!({"metadata": {"deep": {}}})), @"`deep` is neither a text nor a number nor a truth");
}

#[test]
fn what_the_door_says_on_is_read_as_the_door_has_read_it() {
    let body = body_of("artifact/published");
    let announcement = Announcement::parse(body.to_string().as_bytes()).unwrap();
    let said_on = serde_json::to_value(&announcement).unwrap();
    let topic = format!("org.example.prod.{}", Announcement::TOPIC);
    let reading = read(&topic, &said_on).unwrap();
    let expected = announcement.clone().into_event(announcement.producer.unwrap()).unwrap();
    assert_eq!(reading.events, [Event::Artifact(Box::new(expected))]);
}

#[test]
fn what_is_no_package_url_is_told_so() {
    let mut body = body_of("cdevents/artifact.published");
    body["subject"]["id"] = "nano-image".into();
    let error = read("dev.cdevents.artifact.published.0.3.0", &body).unwrap_err();
    assert!(error.message.starts_with("a package URL begins with `pkg:`"), "{error}");
}

#[test]
fn every_end_of_a_thread_brings_its_beginning() {
    let wanted = |kind: EventKind| {
        let selection = shipped().select(&[kind].into());
        let names = selection.topics().filter(|topic| topic.event != kind);
        names.map(|topic| topic.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        wanted(EventKind::BuildFinished),
        "eiffel/activity.started eiffel/activity.triggered eiffel/jenkins.started eiffel/test-suite.started"
    );
    assert_eq!(wanted(EventKind::BuildStarted), "eiffel/activity.triggered");
    assert_eq!(wanted(EventKind::ArtifactPublished), "eiffel/artifact.created");
    assert_eq!(wanted(EventKind::BuildQueued), "");
}
