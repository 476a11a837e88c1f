//! What is opened, and what is refused and why.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Envelope, Form, Limits, Unreadable, open};
use crate::message::Message;

fn message(body: &str) -> Message {
    Message {
        topic: "forge.example.pagure.pull-request.new".to_owned(),
        body: body.as_bytes().to_vec(),
        ..Message::default()
    }
}

fn with_headers(headers: Value, body: &str) -> Message {
    let Value::Object(headers) = headers else {
        panic!("headers are an object");
    };
    Message { headers, ..message(body) }
}

fn opened(message: &Message) -> Envelope {
    open(message, &Limits::default()).unwrap()
}

fn reason(message: &Message) -> String {
    open(message, &Limits::default()).unwrap_err().to_string()
}

#[test]
fn a_bare_body_is_plain() {
    let envelope = opened(&message(r#"{"a": 1}"#));
    assert_eq!(envelope.form, Form::Plain);
    assert_eq!(envelope.topic, "forge.example.pagure.pull-request.new");
    assert_eq!(envelope.body, json!({"a": 1}));
}

#[test]
fn the_headers_of_fedora_messaging_are_believed_whatever_they_are() {
    for headers in [
        json!({"fedora_messaging_schema": "pagure.pull-request.new", "sent-at": "2026-11-20T08:21:47+00:00"}),
        json!({"fedora_messaging_schema": null, "fedora_messaging_severity": "25",
               "sent_at": "2026-11-20T03:21:47.000000000-05:00[America/New_York]"}),
    ] {
        let envelope = opened(&with_headers(headers, "{}"));
        assert_eq!(envelope.form, Form::FedoraMessaging);
        let sent_at = envelope.sent_at.unwrap().to_string();
        assert_eq!(sent_at, "2026-11-20T08:21:47Z");
    }
    let soon = with_headers(json!({"sent-at": "soon"}), "{}");
    assert_eq!(opened(&soon).sent_at, None);
}

#[test]
fn a_body_that_cannot_be_read_says_why() {
    let long = "1".repeat(60);
    for (body, why) in [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        ("null", "the body is null, not an object"),
        ("[]", "the body is an array, not an object"),
        ("0", "the body is a number, not an object"),
        ("\"x\"", "the body is a string, not an object"),
        ("false", "the body is a boolean, not an object"),
        ("{\"a\": NaN}", "the body is not JSON: expected value at line 1 column 7"),
        (
            "{\"a\": \"\\ud800\"}",
            "the body is not JSON: unexpected end of hex escape at line 1 column 14",
        ),
        ("{} {}", "the body is not JSON: trailing characters at line 1 column 4"),
        (&long, "the body has 60 bytes, the limit is 50"),
    ] {
        let limits = Limits { body_bytes: 50, ..Limits::default() };
        let error = open(&message(body), &limits).unwrap_err();
        assert_eq!(error.to_string(), why, "{body}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let broken = Message { body: b"{\"a\": \"\xff\"}".to_vec(), ..message("") };
    assert_eq!(reason(&broken), "the body is not UTF-8 from byte 7 on");
}

#[test]
fn an_unknown_encoding_is_refused_and_a_known_one_is_not() {
    let encoded =
        |encoding: &str| Message { content_encoding: Some(encoding.to_owned()), ..message("{}") };
    for encoding in ["", "utf-8", "UTF-8", "us-ascii"] {
        assert_eq!(opened(&encoded(encoding)).form, Form::Plain);
    }
    for encoding in ["gzip", "klingon"] {
        let why = format!("the content encoding is `{encoding}`, only UTF-8 is read");
        assert_eq!(reason(&encoded(encoding)), why);
    }
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        let inside = depth - 1;
        message(&format!("{{\"a\":{}{}}}", "[".repeat(inside), "]".repeat(inside)))
    };
    assert_eq!(opened(&nested(64)).form, Form::Plain);
    for depth in [65, 100, 200, 100_000] {
        let why = "the body is nested deeper than 64 levels";
        assert_eq!(reason(&nested(depth)), why, "{depth}");
    }
}

#[test]
fn of_two_equal_keys_the_last_wins() {
    assert_eq!(opened(&message(r#"{"a": 1, "a": 2}"#)).body, json!({"a": 2}));
}

#[test]
fn a_fedmsg_envelope_is_taken_off() {
    let body = json!({
        "topic": "io.pagure.prod.pagure.pull-request.new", "msg": {"agent": "ada"},
        "msg_id": "2026-0a1b2c3d-aaaa-4bbb-8ccc-0123456789ab", "timestamp": 1_795_162_907.5, "i": 1,
        "certificate": "c", "signature": "s",
    });
    let envelope = opened(&message(&body.to_string()));
    assert_eq!(envelope.form, Form::Fedmsg);
    assert_eq!(envelope.id.as_str(), "0a1b2c3d-aaaa-4bbb-8ccc-0123456789ab");
    assert_eq!(envelope.topic, "io.pagure.prod.pagure.pull-request.new");
    assert_eq!(envelope.body, json!({"agent": "ada"}));
    let sent_at = envelope.sent_at.unwrap().to_string();
    assert_eq!(sent_at, "2026-11-20T08:21:47.5Z");
}

#[test]
fn a_webhook_of_pagure_keeps_the_longer_topic() {
    let body = json!({"topic": "pull-request.new", "msg": {}, "timestamp": 1});
    let envelope = opened(&message(&body.to_string()));
    assert_eq!(envelope.topic, "forge.example.pagure.pull-request.new");
}

#[test]
fn a_body_with_a_topic_is_no_envelope() {
    let envelope = opened(&message(r#"{"topic": "x", "msg": {}}"#));
    assert_eq!(envelope.form, Form::Plain);
    let envelope = opened(&message(r#"{"topic": "x", "msg": "y", "msg_id": "z"}"#));
    assert_eq!(envelope.form, Form::Plain);
}

#[test]
fn a_structured_cloud_event_is_opened() {
    let body = json!({
        "specversion": "1.0", "id": "7", "source": "/ci", "type": "dev.example.finished",
        "time": "2026-11-20T08:21:47Z", "data": {"x": 1},
    });
    let event = Message {
        content_type: Some("Application/CloudEvents+JSON; charset=UTF-8".to_owned()),
        topic: String::new(),
        ..message(&body.to_string())
    };
    let envelope = opened(&event);
    assert_eq!(envelope.form, Form::CloudEventStructured);
    assert_eq!(envelope.topic, "dev.example.finished");
    assert_eq!(envelope.body, json!({"x": 1}));
    assert_eq!(envelope.headers.get("ce-source"), Some(&json!("/ci")));
    assert!(envelope.sent_at.is_some());
}

#[test]
fn the_data_of_a_cloud_event_may_be_encoded_or_absent() {
    let event = |data: Value| {
        let mut body = json!({"specversion": "1.0", "id": "7", "source": "/ci", "type": "t"});
        let fields = body.as_object_mut().unwrap();
        fields.extend(data.as_object().unwrap().clone());
        Message {
            content_type: Some("application/cloudevents+json".to_owned()),
            ..message(&body.to_string())
        }
    };
    let encoded = opened(&event(json!({"data_base64": "eyJ4IjogMX0="})));
    assert_eq!(encoded.body, json!({"x": 1}));
    assert_eq!(opened(&event(json!({}))).body, json!({}));
    assert_eq!(
        reason(&event(json!({"data_base64": "?"}))),
        "the `data_base64` of the CloudEvent is not base64"
    );
    assert_eq!(reason(&event(json!({"data": [1]}))), "the body is an array, not an object");
}

#[test]
fn a_batch_is_refused() {
    let batch = Message {
        content_type: Some("application/cloudevents-batch+json".to_owned()),
        ..message("[]")
    };
    assert_eq!(open(&batch, &Limits::default()), Err(Unreadable::Batch));
}

#[test]
fn a_binary_cloud_event_is_known_in_four_spellings() {
    let mut ids = Vec::new();
    for prefix in ["cloudEvents_", "cloudEvents:", "ce-", ""] {
        let attributes = [("specversion", "1.0"), ("id", "7"), ("source", "/ci"), ("type", "t")];
        let headers: Map<String, Value> = attributes
            .iter()
            .map(|(name, value)| (format!("{prefix}{name}"), json!(value)))
            .collect();
        let envelope = opened(&with_headers(Value::Object(headers), r#"{"x": 1}"#));
        assert_eq!(envelope.form, Form::CloudEventBinary, "{prefix}");
        assert_eq!(envelope.headers.get("ce-type"), Some(&json!("t")));
        assert_eq!(envelope.body, json!({"x": 1}));
        ids.push(envelope.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_cloud_event_without_an_id_is_refused() {
    let headers = json!({"ce-specversion": "1.0", "ce-source": "/ci", "ce-type": "t"});
    let event = with_headers(headers, "{}");
    assert_eq!(reason(&event), "the CloudEvent has no `id`");
}

#[test]
fn secrets_in_headers_go_no_further() {
    let headers = json!({"Authorization": "Bearer hunter2", "x-kind": "y"});
    let envelope = opened(&with_headers(headers, r#"{"password": "hunter2"}"#));
    assert_eq!(envelope.headers.len(), 1);
    assert!(!format!("{envelope:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        content_type in "(application/cloudevents(-batch)?(\\+json)?)?",
        header in "(ce-specversion|fedora_messaging_schema|x)",
    ) {
        let message = Message {
            content_type: Some(content_type),
            body,
            ..with_headers(json!({header: "1.0"}), "")
        };
        let outcome = open(&message, &Limits::default());
        if let Ok(envelope) = outcome {
            prop_assert!(envelope.body.is_object());
        }
    }

    #[test]
    fn what_is_cut_short_is_never_opened(cut in 0..60_usize) {
        let whole = r#"{"topic":"a.b","msg":{"x":[1,{"y":"\u00e9"}]},"msg_id":"1"}"#;
        let body = whole.get(..cut.min(whole.len() - 1)).unwrap_or_default();
        prop_assert!(open(&message(body), &Limits::default()).is_err());
    }
}
