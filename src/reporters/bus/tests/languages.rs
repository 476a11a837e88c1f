//! The languages of others: what their specifications ask for, and what we hear of ourselves.

use serde_json::json;

use super::*;
use crate::envelope::{self, Form as Wrapped, Limits};

const STAGES: [Stage; 4] =
    [Stage::Held, Stage::Queued, Stage::Running, Stage::Done(Verdict::Failure)];

fn own_name() -> OwnName {
    OwnName::new(Some(&Url::parse("https://pointsman.example/ci/").unwrap()))
}

async fn all_stages(language: Language) -> Vec<Message> {
    told_as(language, async |bus| {
        for stage in STAGES {
            bus.tell(&report(Form::Message, stage), Try::First).await?;
        }
        Ok(())
    })
    .await
}

async fn ended(language: Language, verdict: Verdict) -> Vec<Message> {
    let report = report(Form::Message, Stage::Done(verdict));
    told_as(language, async |bus| bus.tell(&report, Try::First).await).await
}

fn opened(message: &Message) -> Envelope {
    envelope::open(message, &Limits::default()).unwrap()
}

/// Whether `value` is an object with all of `required`, and else only with some of `allowed`.
fn check(value: &Value, required: &[&str], allowed: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("{value} is no object"));
    for key in required {
        assert!(object.contains_key(*key), "no `{key}` in {value}");
    }
    for key in object.keys() {
        let is_known = required.contains(&key.as_str()) || allowed.contains(&key.as_str());
        assert!(is_known, "`{key}` in {value}");
    }
}

const VERDICTS: [Verdict; 7] = [
    Verdict::Success,
    Verdict::Skipped,
    Verdict::Failure,
    Verdict::Unstable,
    Verdict::Conflict,
    Verdict::Error,
    Verdict::Cancelled,
];

/// As `schemas/pipelinerun*.json` of version 0.5 has it.
fn is_cdevent(event: &Value) {
    check(event, &["context", "subject"], &["customData", "customDataContentType"]);
    let context = &event["context"];
    check(
        context,
        &["specversion", "id", "source", "type", "timestamp"],
        &["schemaUri", "chainId", "links"],
    );
    assert!(context["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    check(&event["subject"], &["id", "content"], &["source"]);
    let content = &event["subject"]["content"];
    match context["type"].as_str().unwrap() {
        "dev.cdevents.pipelinerun.queued.0.3.0" => check(content, &["pipelineName"], &["uri"]),
        "dev.cdevents.pipelinerun.started.0.3.0" => check(content, &["pipelineName", "uri"], &[]),
        "dev.cdevents.pipelinerun.finished.0.3.0" => {
            check(content, &["outcome"], &["pipelineName", "uri", "errors"]);
            let outcomes = ["success", "failure", "cancel", "error"];
            assert!(outcomes.contains(&content["outcome"].as_str().unwrap()));
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

#[tokio::test]
async fn each_verdict_has_a_word_in_each_language() {
    let mut told = Vec::new();
    for verdict in VERDICTS {
        let event = opened(&ended(Language::Cdevents, verdict).await[0]).body;
        is_cdevent(&event);
        assert_eq!(event["customData"]["pointsman"]["verdict"], verdict.as_str());
        let content = &event["subject"]["content"];
        let activity = opened(&ended(Language::Eiffel, verdict).await[1]).body;
        is_eiffel(&activity);
        let conclusion = &activity["data"]["outcome"]["conclusion"];
        let errors = content.get("errors").is_some();
        told.push(format!("{verdict}: {} {errors} {conclusion}", content["outcome"]));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    success: "success" false "SUCCESSFUL"
    skipped: "success" false "SUCCESSFUL"
    failure: "failure" true "UNSUCCESSFUL"
    unstable: "failure" true "UNSUCCESSFUL"
    conflict: "failure" true "UNSUCCESSFUL"
    error: "error" true "FAILED"
    cancelled: "cancel" true "ABORTED"
    "#);
}

/// As the definitions of the edition Arica have it.
fn is_eiffel(event: &Value) {
    check(event, &["meta", "data", "links"], &[]);
    let meta = &event["meta"];
    check(meta, &["id", "type", "version", "time"], &["tags", "source", "security", "schemaUri"]);
    is_eiffel_id(&meta["id"]);
    assert!(meta["time"].is_i64());
    check(&meta["source"], &[], &["domainId", "host", "name", "serializer", "uri"]);
    let data = &event["data"];
    let (version, is_about) = match meta["type"].as_str().unwrap() {
        "EiffelActivityTriggeredEvent" => {
            check(data, &["name"], &["categories", "triggers", "executionType", "customData"]);
            check(&data["triggers"][0], &["type"], &["description"]);
            ("4.2.0", false)
        }
        "EiffelActivityStartedEvent" => {
            check(data, &[], &["executionUri", "liveLogs", "customData"]);
            ("4.3.0", true)
        }
        "EiffelActivityFinishedEvent" => {
            check(data, &["outcome"], &["persistentLogs", "customData"]);
            check(&data["outcome"], &["conclusion"], &["description"]);
            ("3.3.0", true)
        }
        other => panic!("{other}"),
    };
    assert_eq!(meta["version"], version);
    check(&data["customData"][0], &["key", "value"], &[]);
    let links = event["links"].as_array().unwrap();
    assert_eq!(links.len(), usize::from(is_about));
    for link in links {
        check(link, &["type", "target"], &["domainId"]);
        assert_eq!(link["type"], "ACTIVITY_EXECUTION");
        is_eiffel_id(&link["target"]);
    }
}

/// Its schemas want a UUID of one of the versions from 1 to 5.
fn is_eiffel_id(id: &Value) {
    let id = uuid::Uuid::try_parse(id.as_str().unwrap()).unwrap();
    assert_eq!((id.get_version_num(), id.get_variant()), (5, uuid::Variant::RFC4122));
}

#[tokio::test]
async fn a_run_is_an_activity_of_eiffel() {
    let messages = all_stages(Language::Eiffel).await;
    let topics: Vec<_> = messages.iter().map(|message| message.topic.as_str()).collect();
    assert_eq!(
        topics,
        [
            "eiffel.activity.EiffelActivityTriggeredEvent._.pointsman",
            "eiffel.activity.EiffelActivityStartedEvent._.pointsman",
            "eiffel.activity.EiffelActivityFinishedEvent._.pointsman",
        ]
    );
    let events: Vec<_> = messages.iter().map(|message| opened(message).body).collect();
    for (message, event) in messages.iter().zip(&events) {
        is_eiffel(event);
        assert_eq!(message.id.as_deref(), event["meta"]["id"].as_str());
    }
    for event in &events[1..] {
        assert_eq!(event["links"][0]["target"], events[0]["meta"]["id"]);
    }
    let told = [&events[0], &events[2]["data"]];
    insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap(), @r#"
    [
      {
        "data": {
          "customData": [
            {
              "key": "pointsman",
              "value": {
                "revision": "c0ffee",
                "rule": "points",
                "run": "e01a192699d3f5b8287da183357d8c97",
                "subject": {
                  "instance": "forge.example",
                  "kind": "pull_request",
                  "number": 7,
                  "project": "signalbox"
                }
              }
            }
          ],
          "executionType": "AUTOMATED",
          "name": "points",
          "triggers": [
            {
              "description": "forge.example/signalbox#7",
              "type": "SOURCE_CHANGE"
            }
          ]
        },
        "links": [],
        "meta": {
          "id": "8e057bc2-6dcc-50ed-85cb-0b03eabbde8d",
          "source": {
            "domainId": "pointsman",
            "host": "pointsman.example",
            "name": "pointsman",
            "uri": "https://pointsman.example/ci/"
          },
          "time": 1795163072000,
          "type": "EiffelActivityTriggeredEvent",
          "version": "4.2.0"
        }
      },
      {
        "customData": [
          {
            "key": "pointsman",
            "value": {
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
          }
        ],
        "outcome": {
          "conclusion": "UNSUCCESSFUL",
          "description": "points: failure"
        },
        "persistentLogs": [
          {
            "name": "points",
            "uri": "https://ci.example/job/points/3/"
          }
        ]
      }
    ]
    "#);
    assert_eq!(events[1]["data"]["executionUri"], "https://ci.example/job/points/3/");
}

#[tokio::test]
async fn what_was_not_told_to_be_triggered_is_told_so_first() {
    let queued = report(Form::Message, Stage::Queued);
    let known = told_as(Language::Eiffel, async |bus| bus.tell(&queued, Try::First).await).await;
    // Another process, which has told nothing of this run.
    let messages = ended(Language::Eiffel, Verdict::Success).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0], known[0]);
    let finished = opened(&messages[1]).body;
    assert_eq!(finished["links"][0]["target"].as_str(), known[0].id.as_deref());
}

#[tokio::test]
async fn what_is_told_again_is_known_by_its_id() {
    for language in [Language::Cdevents, Language::Eiffel] {
        let running = report(Form::Message, Stage::Running);
        let ids = told_as(language, async |bus| {
            bus.tell(&running, Try::First).await?;
            bus.tell(&running, Try::Again).await
        })
        .await;
        let ids: Vec<_> = ids.into_iter().filter_map(|message| message.id).collect();
        assert_eq!(ids[ids.len() - 2], ids[ids.len() - 1]);
    }
}

#[tokio::test]
async fn another_service_gives_other_ids_to_the_same_run() {
    let finished = report(Form::Message, Stage::Done(Verdict::Success));
    let now = "2026-11-20T08:24:32Z".parse().unwrap();
    let id = |name: &OwnName| {
        let events = eiffel::about_run(&finished, name, (now, false));
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let other = OwnName::new(Some(&Url::parse("https://other.example/").unwrap()));
    assert!(id(&own_name()).iter().all(|own| !id(&other).contains(own)));
}

#[tokio::test]
async fn others_are_told_of_boards_in_words_of_ours() {
    let boards = [("qemu-arm64", Stage::Done(Verdict::Success), None)];
    let done = about_boards(Stage::Done(Verdict::Success), &boards);
    let said = async |language| {
        let messages = told_as(language, async |bus| bus.tell(&done, Try::First).await).await;
        opened(messages.last().unwrap()).body
    };
    let cdevent = said(Language::Cdevents).await;
    is_cdevent(&cdevent);
    let eiffel = said(Language::Eiffel).await;
    is_eiffel(&eiffel);
    let custom = &cdevent["customData"]["pointsman"];
    assert_eq!(custom["artifact"]["build"], "3");
    assert_eq!(custom["boards"][0]["verdict"], "success");
    assert_eq!(custom, &eiffel["data"]["customData"][0]["value"]);
}

#[tokio::test]
async fn we_know_what_we_have_said_and_nothing_else() {
    let (own, other) = (own_name(), OwnName::new(None));
    for language in [Language::Cdevents, Language::Eiffel] {
        for message in all_stages(language).await {
            let mut envelope = opened(&message);
            assert!(own.has_said(&envelope), "{}", message.topic);
            assert!(!other.has_said(&envelope));
            // Whatever it came in, and under which topic.
            envelope.topic = "relayed".to_owned();
            envelope.headers.clear();
            assert!(own.has_said(&envelope));
        }
    }
    // It lives beside us, and is none of ours.
    let neighbour =
        |body| Envelope { body, ..opened(&Message { body: b"{}".to_vec(), ..Message::default() }) };
    for body in [
        json!({ "context": { "type": "dev.cdevents.pipelinerun.finished.0.3.0",
                "source": "https://pointsman.example/farm/" } }),
        json!({ "meta": { "type": "EiffelActivityFinishedEvent",
                "source": { "name": "buildfarm", "uri": "https://pointsman.example/ci/" } } }),
        json!({ "meta": { "type": "EiffelActivityFinishedEvent" } }),
        json!({ "context": "dev.cdevents" }),
        json!({}),
    ] {
        assert!(!own.has_said(&neighbour(body)));
    }
}
