//! What cannot be read is kept, with the reason, and nothing else suffers from it.

use pointsman::message::{Message, MessageId};
use serde_json::{Value, json};

use crate::world::{NO_POLLING, RULES, World, letter};

const TOPIC: &str = "org.example.prod.pagure.pull-request.new";

/// A message with this body, which says that it is JSON.
fn raw(id: &str, body: &[u8]) -> Message {
    Message {
        id: Some(id.to_owned()),
        topic: TOPIC.to_owned(),
        content_type: Some("application/json".to_owned()),
        body: body.to_vec(),
        ..Message::default()
    }
}

fn encoded(id: &str, encoding: &str, body: &[u8]) -> Message {
    Message { content_encoding: Some(encoding.to_owned()), ..raw(id, body) }
}

fn nested(depth: usize) -> Vec<u8> {
    [b"{\"a\":".as_slice(), &b"[".repeat(depth), &b"]".repeat(depth), b"}"].concat()
}

/// A good message in which one value is another.
fn with(good: &Value, id: &str, pointer: &str, value: Value) -> Message {
    let mut body = good.clone();
    *body.pointer_mut(pointer).unwrap() = value;
    letter(id, TOPIC, &body)
}

fn bad_messages(good: &Value) -> Vec<Message> {
    let huge = [b"{\"a\":\"".as_slice(), &b"x".repeat(64 << 20), b"\"}"].concat();
    let mut no_project = good.clone();
    no_project["pullrequest"].as_object_mut().unwrap().remove("project");
    vec![
        raw("array", b"[]"),
        raw("deep", &nested(100)),
        raw("deeper than any stack", &nested(1_000_000)),
        raw("empty", b""),
        raw("blank", b" \n"),
        raw("huge", &huge),
        encoded("gzip", "gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
        encoded("latin", "iso-8859-1", b"{}"),
        raw("infinite", b"{\"a\": 1e999}"),
        raw("nan", b"{\"pullrequest\": {\"id\": NaN}}"),
        raw("null", b"null"),
        raw("number", b"42"),
        raw("surrogate", b"{\"a\": \"\\ud800\"}"),
        raw("text", b"\"hello\""),
        raw("trailing", b"{} {}"),
        raw("truncated", b"{\"pullrequest\": {"),
        raw("utf-16", b"\xff\xfe{\x00}\x00"),
        raw("not utf-8", b"{\"a\": \"\xe4\"}"),
        raw("xml", b"<message/>"),
        letter("nothing", TOPIC, &json!({})),
        letter("no project", TOPIC, &no_project),
        with(good, "id is a text", "/pullrequest/id", json!("seven")),
        with(good, "id is negative", "/pullrequest/id", json!(-1)),
        with(good, "id is a fraction", "/pullrequest/id", json!(1.5)),
        with(good, "head is no commit", "/pullrequest/commit_stop", json!("../../etc")),
        with(good, "head is a list", "/pullrequest/commit_stop", json!([])),
        with(good, "project is a number", "/pullrequest/project/fullname", json!(7)),
        with(good, "request is null", "/pullrequest", Value::Null),
    ]
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_with_the_reason_and_the_stream_goes_on() {
    let mut world = World::of(RULES).await.settings(NO_POLLING).broker().await.start().await;
    let (_, announced) = world.scenery.open('a');
    for message in bad_messages(&announced[0].1) {
        world.put(message).await;
    }
    world.open('b').await;
    let look = world.settle().await;
    insta::assert_snapshot!(look.dead(), @r#"
    array: the body is an array, not an object
    blank: the body is empty
    deep: the body is nested deeper than 64 levels
    deeper than any stack: the body is nested deeper than 64 levels
    empty: the body is empty
    gzip: the content encoding is `gzip`, only UTF-8 is read
    head is a list: cannot read `head.sha` = `body.pullrequest.commit_stop` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid type: sequence, expected a string; the value is a list of 0
    head is no commit: cannot read `head.sha` = `body.pullrequest.commit_stop` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): `../../etc` is no commit id (40 or 64 hexadecimal digits); the value is "../../etc"
    huge: the body has 67108872 bytes, the limit is 8388608
    id is a fraction: cannot read `number` = `body.pullrequest.id` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid type: floating point `1.5`, expected u64
    id is a text: cannot read `number` = `body.pullrequest.id` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid type: string "seven", expected u64
    id is negative: cannot read `number` = `body.pullrequest.id` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid value: integer `-1`, expected u64
    infinite: the body is not JSON: number out of range at line 1 column 11
    latin: the content encoding is `iso-8859-1`, only UTF-8 is read
    nan: the body is not JSON: expected value at line 1 column 24
    no project: cannot read `instance` = `body.pullrequest.project.full_url | host` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): undefined value: `body.pullrequest.project` is undefined
    not utf-8: the body is not UTF-8 from byte 7 on
    nothing: cannot read `agent` = `none if body.agent == 'pagure' else body.agent` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): undefined value: `body.agent` is undefined
    null: the body is null, not an object
    number: the body is a number, not an object
    project is a number: cannot read `project` = `body.pullrequest.project.fullname` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid type: integer `7`, expected a string
    request is null: cannot read `author` = `body.pullrequest.user.name` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): undefined value: `body.pullrequest.user` is undefined
    surrogate: the body is not JSON: unexpected end of hex escape at line 1 column 14
    text: the body is a string, not an object
    trailing: the body is not JSON: trailing characters at line 1 column 4
    truncated: the body is not JSON: EOF while parsing an object at line 1 column 17
    utf-16: the body is not UTF-8 from byte 0 on
    xml: the body is not JSON: expected value at line 1 column 1
    "#);
    insta::assert_snapshot!(look.runs(), @"unit bbbb queued");
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_dead_letter_is_read_again_when_its_cause_is_mended() {
    let mut world = World::of(RULES)
        .await
        .settings("[service]\nmessage_size_max = '1 kB'\n")
        .broker()
        .await
        .start()
        .await;
    let (_, announced) = world.scenery.open('a');
    let (topic, body) = &announced[0];
    world.put(letter("large", topic, body)).await;
    let look = world.settle().await;
    assert!(look.dead().starts_with("large: the body has "), "{}", look.dead());

    world.restart_with("").await;
    assert!(world.running.ledger.reread(MessageId::known("large")).await.unwrap());
    let look = world.settle().await;
    assert_eq!(look.dead(), "");
    assert_eq!(world.scenery.jenkins.asked().len(), 1);

    // Read once more it is known.
    assert!(world.running.ledger.reread(MessageId::known("large")).await.unwrap());
    world.settle().await;
    assert_eq!(world.scenery.jenkins.asked().len(), 1);
    world.end().await;
}
