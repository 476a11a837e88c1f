//! What the specification of `CDEvents` asks for.

use super::languages::{all_stages, check, opened};
use super::*;
use crate::envelope::Form as Wrapped;

/// As `schemas/pipelinerun*.json` of version 0.5 has it.
pub(super) fn is_cdevent(event: &Value) {
    check(event, &["context", "subject"], &["customData", "customDataContentType"]);
    let context = &event["context"];
    check(
        context,
        &["specversion", "id", "source", "type", "timestamp"],
        &["schemaUri", "chainId", "links"],
    );
    assert!(context["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    check(&event["subject"], &["id", "content"], &["source"]);
    let run = &event["subject"]["content"];
    match context["type"].as_str().unwrap() {
        "dev.cdevents.pipelinerun.queued.0.3.0" => check(run, &["pipelineName"], &["uri"]),
        "dev.cdevents.pipelinerun.started.0.3.0" => check(run, &["pipelineName", "uri"], &[]),
        "dev.cdevents.pipelinerun.finished.0.3.0" => {
            check(run, &["outcome"], &["pipelineName", "uri", "errors"]);
            let outcomes = ["success", "failure", "cancel", "error"];
            assert!(outcomes.contains(&run["outcome"].as_str().unwrap()));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_run_is_a_pipeline_run_of_cdevents() {
    let messages = all_stages(Language::Cdevents).await;
    let topics: Vec<_> = messages.iter().map(|message| message.topic.as_str()).collect();
    // Of a run that is held nothing is said.
    assert_eq!(
        topics,
        [
            "org.example.dev.dev.cdevents.pipelinerun.queued.0.3.0",
            "org.example.dev.dev.cdevents.pipelinerun.started.0.3.0",
            "org.example.dev.dev.cdevents.pipelinerun.finished.0.3.0",
        ]
    );
    for message in &messages {
        let envelope = opened(message);
        assert_eq!(envelope.form, Wrapped::CloudEventStructured);
        is_cdevent(&envelope.body);
        let context = &envelope.body["context"];
        for key in ["id", "source", "type"] {
            assert_eq!(envelope.headers[&format!("ce-{key}")], context[key]);
        }
        assert_eq!(message.id.as_deref(), context["id"].as_str());
        assert_eq!(envelope.sent_at, Some("2026-11-20T08:24:32Z".parse().unwrap()));
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&opened(&messages[2]).body).unwrap(), @r#"
    {
      "context": {
        "id": "a4305af8-1b02-8b90-a05a-8779a18ebd23",
        "source": "https://pointsman.example/ci/",
        "specversion": "0.5.0",
        "timestamp": "2026-11-20T08:24:32Z",
        "type": "dev.cdevents.pipelinerun.finished.0.3.0"
      },
      "customData": {
        "pointsman": {
          "revision": "c0ffee",
          "rule": "points",
          "run": "e01a192699d3f5b8287da183357d8c97",
          "subject": {
            "instance": "forge.example",
            "kind": "pull_request",
            "number": 7,
            "project": "signalbox"
          },
          "verdict": "failure"
        }
      },
      "customDataContentType": "application/json",
      "subject": {
        "content": {
          "errors": "points: failure",
          "outcome": "failure",
          "pipelineName": "points",
          "uri": "https://ci.example/job/points/3/"
        },
        "id": "e01a192699d3f5b8287da183357d8c97",
        "source": "https://pointsman.example/ci/"
      }
    }
    "#);
}

#[tokio::test]
async fn a_run_without_an_address_has_one_for_cdevents() {
    let nowhere = Report { url: None, ..report(Form::Message, Stage::Running) };
    let messages =
        told_as(Language::Cdevents, async |bus| bus.tell(&nowhere, Try::First).await).await;
    let event = opened(&messages[0]).body;
    is_cdevent(&event);
    let uri = event["subject"]["content"]["uri"].as_str().unwrap();
    assert_eq!(Url::parse(uri).unwrap().scheme(), "urn");
}
