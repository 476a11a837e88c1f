use serde_json::Value;

use super::*;
use crate::clock::{Hand, from_millis};

const BODY: &[u8] = br#"{"object_kind": "merge_request", "project": {"id": 7}}"#;
const NOW: i64 = 1_795_162_907;
/// The example key of Standard Webhooks.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn hook(tokens: &[&str], keys: &[&str]) -> GitLabHook {
    let connection = ConnectionName::try_from("gitlab.main".to_owned()).unwrap();
    let tokens = tokens.iter().map(|text| secret(text)).collect();
    let keys: Vec<_> = keys.iter().map(|text| secret(text)).collect();
    let clock = Clock::manual(Hand::at(from_millis(NOW * 1_000)));
    GitLabHook::new(connection, (tokens, &keys), clock).unwrap()
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    lines.iter().map(line).collect()
}

fn with_token(token: &str, event: &str) -> HeaderMap {
    headers(&[("x-gitlab-token", token), ("x-gitlab-event", event)])
}

fn signature(by: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = [b"msg_1.", timestamp.to_string().as_bytes(), b".", body].concat();
    let key = key(&secret(by)).unwrap();
    let made = mac(key.expose_secret(), &signed).unwrap().finalize().into_bytes();
    format!("v1,{}", STANDARD.encode(made))
}

fn signed(signature: &str, timestamp: i64) -> HeaderMap {
    headers(&[
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &timestamp.to_string()),
        ("webhook-signature", signature),
        ("x-gitlab-event", "Merge Request Hook"),
    ])
}

fn admitted(hook: &GitLabHook, headers: &HeaderMap) -> crate::message::Message {
    match hook.admit(headers, BODY).unwrap() {
        Admitted::Message(message, _) => message,
        Admitted::Ping => panic!("a ping"),
    }
}

fn refused(hook: &GitLabHook, headers: &HeaderMap, body: &[u8]) -> String {
    let refusal = hook.admit(headers, body).unwrap_err();
    // What has no proof, or a wrong token, is refused without its body.
    let is_signed = headers.contains_key("webhook-signature") && !hook.keys.is_empty();
    let is_unproved = !matches!(refusal, Refusal::Malformed(_)) && !is_signed;
    assert!(!is_unproved || hook.glance(headers).is_err(), "{refusal}");
    let kind = match refusal {
        Refusal::Unsigned(_) => "unsigned",
        Refusal::Forged => "forged",
        Refusal::Malformed(_) => "malformed",
    };
    format!("{kind}: {refusal}")
}

#[test]
fn a_post_becomes_the_message_that_a_relay_makes_of_it() {
    let hook = hook(&["old", "points"], &[]);
    let mut headers = with_token("points", "Merge Request Hook");
    headers.insert("authorization", "Basic c2VjcmV0".parse().unwrap());
    headers.insert("x-gitlab-event-uuid", "5f1c7d36".parse().unwrap());
    let message = admitted(&hook, &headers);
    assert_eq!(message.topic, "gitlab.merge_request");
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    insta::assert_snapshot!(body, @r#"{"agent":null,"body":{"object_kind":"merge_request","project":{"id":7}},"headers":{"x-gitlab-event":"Merge Request Hook"}}"#);
    // The same post again, under another id of its delivery.
    headers.insert("x-gitlab-event-uuid", "6a2c7d36".parse().unwrap());
    assert_eq!(admitted(&hook, &headers).id, message.id);
}

#[test]
fn events_are_named_as_relays_name_them() {
    let hook = hook(&["points"], &[]);
    let topics: Vec<String> = [
        "Push Hook",
        "Tag Push Hook",
        "Note Hook",
        "Confidential Note Hook",
        "Pipeline Hook",
        "Job Hook",
    ]
    .map(|event| admitted(&hook, &with_token("points", event)).topic)
    .into();
    insta::assert_snapshot!(topics.join(" "), @"gitlab.push gitlab.tag_push gitlab.note gitlab.confidential_note gitlab.pipeline gitlab.job");
}

#[test]
fn both_tokens_are_good_while_one_is_replaced() {
    let hook = hook(&["old", "points"], &[]);
    for token in ["old", "points"] {
        admitted(&hook, &with_token(token, "Push Hook"));
    }
    for token in ["", "point", "pointss", "POINTS"] {
        let seen = refused(&hook, &with_token(token, "Push Hook"), BODY);
        assert_eq!(seen, "forged: its signature or token is not the one", "{token}");
    }
}

#[test]
fn the_example_of_standard_webhooks_is_signed() {
    let body = br#"{"test": 2432232314}"#;
    let known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let signed = [id.as_bytes(), b".1614265330.", body].concat();
    let key = key(&secret(KEY)).unwrap();
    let made = mac(key.expose_secret(), &signed).unwrap().finalize().into_bytes();
    assert_eq!(format!("v1,{}", STANDARD.encode(made)), known);
}

#[test]
fn a_signature_counts_for_five_minutes() {
    let hook = hook(&[], &["whsec_b2xkIGtleQ==", KEY]);
    for time in [NOW, NOW - 300, NOW + 300] {
        admitted(&hook, &signed(&signature(KEY, time, BODY), time));
    }
    // While a key is replaced, GitLab may sign with both.
    let two = format!("v2,xyz v1,AAAA {}", signature("whsec_b2xkIGtleQ==", NOW, BODY));
    admitted(&hook, &signed(&two, NOW));
    for time in [NOW - 301, NOW + 301, 0, i64::MAX, i64::MIN] {
        let seen = refused(&hook, &signed(&signature(KEY, time, BODY), time), BODY);
        assert!(seen.starts_with("unsigned: ") && seen.contains("five minutes"), "{seen}");
    }
}

#[test]
fn a_signature_covers_id_time_and_body() {
    let hook = hook(&["points"], &[KEY]);
    let good = signature(KEY, NOW, BODY);
    let mut other_id = signed(&good, NOW);
    other_id.insert("webhook-id", "msg_2".parse().unwrap());
    let mut with_token = signed("v1,AAAA", NOW);
    with_token.insert("x-gitlab-token", "points".parse().unwrap());
    let mut timeless = signed(&good, NOW);
    timeless.remove("webhook-timestamp");
    let seen = [
        refused(&hook, &signed(&good, NOW), b"{}"),
        refused(&hook, &signed(&good, NOW + 1), BODY),
        refused(&hook, &other_id, BODY),
        refused(&hook, &signed(&signature("whsec_b3RoZXI=", NOW, BODY), NOW), BODY),
        refused(&hook, &signed(good.trim_start_matches("v1,"), NOW), BODY),
        refused(&hook, &with_token, BODY),
        refused(&hook, &timeless, BODY),
    ];
    insta::assert_snapshot!(seen.join("\n"), @r"
    forged: its signature or token is not the one
    forged: its signature or token is not the one
    forged: its signature or token is not the one
    forged: its signature or token is not the one
    forged: its signature or token is not the one
    forged: its signature or token is not the one
    unsigned: it is not signed: `webhook-id` or `webhook-timestamp` is missing
    ");
}

#[test]
fn what_is_missing_is_said() {
    let bare = headers(&[("x-gitlab-event", "Push Hook")]);
    let seen = [
        refused(&hook(&["points"], &[]), &bare, BODY),
        refused(&hook(&[], &[KEY]), &bare, BODY),
        refused(&hook(&["points"], &[KEY]), &bare, BODY),
        refused(&hook(&[], &[KEY]), &with_token("points", "Push Hook"), BODY),
        // Without a secret nobody is let in.
        refused(&hook(&[], &[]), &with_token("", "Push Hook"), BODY),
    ];
    insta::assert_snapshot!(seen.join("\n"), @r"
    unsigned: it is not signed: `x-gitlab-token` is missing; set the webhook's secret token
    unsigned: it is not signed: `webhook-signature` is missing; set the webhook's signing token
    unsigned: it is not signed: `webhook-signature` and `x-gitlab-token` are missing
    unsigned: it is not signed: `webhook-signature` is missing; set the webhook's signing token
    unsigned: it is not signed: `x-gitlab-token` is missing; set the webhook's secret token
    ");
}

#[test]
fn what_cannot_be_read_is_refused_in_words() {
    let hook = hook(&["points"], &[]);
    let seen = [
        refused(&hook, &with_token("points", "System Hook"), BODY),
        refused(&hook, &with_token("points", "merge_request"), BODY),
        refused(&hook, &with_token("points", "A.B Hook"), BODY),
        refused(&hook, &headers(&[("x-gitlab-token", "points")]), BODY),
        refused(&hook, &with_token("points", "Push Hook"), b"[]"),
    ];
    insta::assert_snapshot!(seen.join("\n"), @r"
    malformed: it is a system hook: set a webhook of the project or the group instead
    malformed: `x-gitlab-event` names no event, such as `Push Hook`
    malformed: `x-gitlab-event` names no event, such as `Push Hook`
    malformed: `x-gitlab-event` names no event, such as `Push Hook`
    malformed: the body is no object
    ");
}

#[test]
fn a_key_that_is_none_is_refused_and_not_shown() {
    for key in ["points", "whsec_", "whsec_p*ints"] {
        let connection = ConnectionName::try_from("gitlab.main".to_owned()).unwrap();
        let keys = [secret(key)];
        let made = GitLabHook::new(connection, (Vec::new(), &keys), Clock::system());
        let error = format!("{:#}", made.unwrap_err());
        assert!(error.contains("gitlab.main") && !error.contains("ints"), "{error}");
    }
    let hook = hook(&["points"], &[KEY]);
    let shown = format!("{hook:?}");
    assert!(!shown.contains("points") && !shown.contains("MfKQ"), "{shown}");
}
