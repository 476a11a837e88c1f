//! What all languages of others have in common, and what we hear of ourselves.

use serde_json::json;

use super::cdevents::is_cdevent;
use super::eiffel::is_eiffel;
use super::*;
use crate::envelope::{self, Limits};

const STAGES: [Stage; 4] =
    [Stage::Held, Stage::Queued, Stage::Running, Stage::Done(Verdict::Failure)];

pub(super) fn own_name() -> OwnName {
    OwnName::new(Some(&Url::parse("https://pointsman.example/ci/").unwrap()))
}

pub(super) async fn all_stages(language: Language) -> Vec<Message> {
    told_as(language, async |bus| {
        for stage in STAGES {
            bus.tell(&report(Form::Message, stage), Try::First).await?;
        }
        Ok(())
    })
    .await
}

pub(super) async fn ended(language: Language, verdict: Verdict) -> Vec<Message> {
    let report = report(Form::Message, Stage::Done(verdict));
    told_as(language, async |bus| bus.tell(&report, Try::First).await).await
}

pub(super) fn opened(message: &Message) -> Envelope {
    envelope::open(message, &Limits::default()).unwrap()
}

/// Whether `value` is an object with all of `required`, and else only with some of `allowed`.
pub(super) fn check(value: &Value, required: &[&str], allowed: &[&str]) {
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
                "source": "https://pointsman.example/yard/" } }),
        json!({ "meta": { "type": "EiffelActivityFinishedEvent",
                "source": { "name": "buildfarm", "uri": "https://pointsman.example/ci/" } } }),
        json!({ "meta": { "type": "EiffelActivityFinishedEvent" } }),
        json!({ "context": "dev.cdevents" }),
        json!({}),
    ] {
        assert!(!own.has_said(&neighbour(body)));
    }
}

#[tokio::test]
async fn that_one_more_board_has_ended_is_no_stage_in_the_words_of_others() {
    let running = report(Form::Message, Stage::Running);
    let count = async |language| {
        told_as(language, async |bus| {
            bus.tell(&running, Try::First).await?;
            bus.tell(&running, Try::First).await
        })
        .await
        .len()
    };
    let once = async |language| {
        told_as(language, async |bus| bus.tell(&running, Try::First).await).await.len()
    };
    assert_eq!(count(Language::Pointsman).await, 2);
    for language in [Language::Cdevents, Language::Eiffel] {
        assert_eq!(count(language).await, once(language).await);
    }
}
