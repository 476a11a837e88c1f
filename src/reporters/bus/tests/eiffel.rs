//! What the definitions of Eiffel ask for.

use super::languages::{all_stages, check, ended, opened, own_name};
use super::*;

/// As the definitions of the edition Arica have it.
pub(super) fn is_eiffel(event: &Value) {
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
    assert_eq!(events[1]["data"]["executionUri"], "https://ci.example/job/points/3/");
}

#[tokio::test]
async fn an_activity_has_the_name_of_its_rule() {
    let messages = all_stages(Language::Eiffel).await;
    let events: Vec<_> = messages.iter().map(|message| opened(message).body).collect();
    let end = &events[2]["data"];
    assert_eq!(end["customData"][0]["value"]["verdict"], "failure");
    let told = [&events[0], &end["outcome"], &end["persistentLogs"]];
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
            "domainId": "pointsman.example",
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
        "conclusion": "UNSUCCESSFUL",
        "description": "points: failure"
      },
      [
        {
          "name": "points",
          "uri": "https://ci.example/job/points/3/"
        }
      ]
    ]
    "#);
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
async fn another_service_gives_other_ids_to_the_same_run() {
    let finished = report(Form::Message, Stage::Done(Verdict::Success));
    let now = "2026-11-20T08:24:32Z".parse().unwrap();
    let id = |name: &OwnName| {
        let events = crate::reporters::bus::eiffel::about_run(&finished, name, (now, false));
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let other = OwnName::new(Some(&Url::parse("https://other.example/").unwrap()));
    assert!(id(&own_name()).iter().all(|own| !id(&other).contains(own)));
}
