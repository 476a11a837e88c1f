//! The shipped topics, and what becomes of faulty ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::TopicFault;
use super::catalog::Catalog;
use super::read::{ReadError, Reading, Selection};
use super::redact::redacted;
use crate::envelope::{Limits, open};
use crate::event::EventKind;
use crate::message::Message;

mod producers;

const RUN_PARAMETER: &str = super::Example::RUN_PARAMETER;

/// From the disk, so that a file that is new since the last build is not overlooked.
static SHIPPED: LazyLock<Catalog> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("topics");
    Catalog::load(&[folder]).unwrap()
});

fn shipped() -> Catalog {
    SHIPPED.clone()
}

fn everything() -> Selection {
    shipped().select(&EventKind::ALL.into_iter().collect())
}

fn read(topic: &str, body: &Value) -> Result<Reading, ReadError> {
    let message = Message {
        topic: topic.to_owned(),
        body: body.to_string().into_bytes(),
        ..Message::default()
    };
    let envelope = open(&message, &Limits::default()).unwrap();
    everything().read(&envelope, RUN_PARAMETER)
}

/// The body of an example of a shipped topic.
fn body_of(topic: &str) -> Value {
    let catalog = shipped();
    let example = catalog.topic(topic).unwrap().examples.first().unwrap();
    serde_json::from_slice(&example.message.body).unwrap()
}

/// The faults of a folder with these files.
fn faults(files: &[(&str, &str)]) -> Vec<TopicFault> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let loaded = Catalog::load(&[folder.path().to_owned()]);
    let mut faults = match loaded {
        Ok(catalog) => catalog.check(RUN_PARAMETER),
        Err(faults) => faults,
    };
    for fault in &mut faults {
        let prefix = format!("{}/", folder.path().display());
        fault.file = fault.file.replace(&prefix, "");
    }
    faults
}

fn lines(faults: &[TopicFault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

const GOOD: &str = r##"
about = "x"
bind  = "#.own"
event = "build.finished"
read  = { job = "body.job" }
[[example]]
topic  = "own"
body   = "a.json"
expect = "a.event.json"
"##;

#[test]
fn every_example_is_read_as_expected() {
    let faults = shipped().check(RUN_PARAMETER);
    assert!(faults.is_empty(), "{}", lines(&faults));
    assert!(Catalog::load(&[]).unwrap().check(RUN_PARAMETER).is_empty());
}

#[test]
fn every_example_file_is_used() {
    let catalog = shipped();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("topics");
    let texts: String = catalog
        .topics()
        .map(|topic| fs::read_to_string(folder.join(format!("{}.toml", topic.name))).unwrap())
        .collect();
    for kind in [
        "artifact",
        "cdevents",
        "eiffel",
        "fedora-ci",
        "forgejo",
        "github",
        "gitlab",
        "jenkins",
        "koji",
        "pagure",
        "pungi",
        "series",
    ] {
        for entry in fs::read_dir(folder.join(kind).join("examples")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(texts.contains(&format!("\"examples/{name}\"")), "{kind}/{name}");
        }
    }
}

/// The bindings in which this word is.
fn of_one_producer(kinds: &BTreeSet<EventKind>, word: &str) -> Vec<String> {
    let mut bindings = shipped().select(kinds).bindings();
    bindings.retain(|binding| binding.contains(word));
    bindings
}

#[test]
fn bindings_that_another_covers_are_left_out() {
    let kinds = BTreeSet::from([EventKind::BuildStarted, EventKind::BuildFinished]);
    assert_eq!(
        of_one_producer(&kinds, "jenkins"),
        [
            "#.jenkins.build.*",
            "#.jenkins.notification",
            "#.jenkins.run.finished",
            "#.org.jenkinsci.plugins.rabbitmqbuildtrigger",
        ]
    );
    // What these continue is bound, too.
    let kinds = BTreeSet::from([EventKind::BuildFinished]);
    assert_eq!(
        of_one_producer(&kinds, "EiffelActivity"),
        [
            "#.EiffelActivityCanceledEvent.#",
            "#.EiffelActivityFinishedEvent.#",
            "#.EiffelActivityStartedEvent.#",
            "#.EiffelActivityTriggeredEvent.#",
        ]
    );
    let kinds = BTreeSet::from([EventKind::CommentAdded]);
    assert_eq!(of_one_producer(&kinds, "pagure"), ["#.pagure.pull-request.comment.added"]);
    assert!(shipped().select(&BTreeSet::new()).bindings().is_empty());
}

#[test]
fn only_what_a_rule_can_want_is_wanted() {
    let selection = shipped().select(&BTreeSet::from([EventKind::PullRequestOpened]));
    for _ in 0..2 {
        assert!(selection.wants("io.pagure.prod.pagure.pull-request.new"));
        assert!(selection.wants("pagure.pull-request.new"));
        assert!(!selection.wants("pagure.pull-request.closed"));
        assert!(!selection.wants("run.COMPLETED"));
    }
    for number in 0..10_000 {
        assert!(!selection.wants(&format!("noise.{number}")));
    }
    assert!(selection.wants("pagure.pull-request.new"));
}

#[test]
fn one_message_is_read_by_the_topics_that_apply() {
    let mut body = body_of("pagure/pull-request.comment.added");
    let topic = "pagure.pull-request.comment.added";
    let kinds = |reading: Reading| -> Vec<EventKind> {
        reading.events.iter().map(crate::event::Event::kind).collect()
    };
    assert_eq!(kinds(read(topic, &body).unwrap()), [EventKind::CommentAdded]);
    body["pullrequest"]["comments"][1]["notification"] = true.into();
    let notified = read(topic, &body).unwrap();
    assert_eq!(kinds(notified), [EventKind::PullRequestUpdated]);
    body["pullrequest"]["status"] = "Closed".into();
    let ignored = read(topic, &body).unwrap();
    assert!(ignored.events.is_empty());
    assert!(ignored.ignored.unwrap().contains("pagure/pull-request.comment.added: `body"));
}

#[test]
fn a_wrong_value_is_one_error_that_names_everything() {
    let topic = "pagure.pull-request.new";
    let error = |path: &str, value: Value| {
        let mut body = body_of("pagure/pull-request.new");
        *body.pointer_mut(path).unwrap() = value;
        let message = Message {
            topic: topic.to_owned(),
            body: body.to_string().into_bytes(),
            ..Message::default()
        };
        let envelope = open(&message, &Limits::default()).unwrap();
        let selection =
            Catalog::load(&[]).unwrap().select(&BTreeSet::from([EventKind::PullRequestOpened]));
        selection.read(&envelope, RUN_PARAMETER).unwrap_err().to_string()
    };
    insta::assert_snapshot!(error("/pullrequest/id", json!("seven\n")), @r#"cannot read `number` = `body.pullrequest.id` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid type: string "seven\n", expected u64"#);
    insta::assert_snapshot!(error("/pullrequest/commit_stop", json!("x".repeat(500))), @r#"cannot read `head.sha` = `body.pullrequest.commit_stop` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` is no commit id (40 or 64 hexadecimal digits); the value is "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"#);
    insta::assert_snapshot!(error("/pullrequest/title", json!(null)), @r#"cannot read `title` = `body.pullrequest.title` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): it is none, but every `pull_request.opened` has it"#);
    insta::assert_snapshot!(error("/pullrequest/title", json!(["secret"])), @r#"cannot read `title` = `body.pullrequest.title` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): invalid type: sequence, expected a string; the value is a list of 1"#);
    insta::assert_snapshot!(error("/pullrequest/last_updated", json!("soon")), @r#"cannot read `at` = `body.pullrequest.last_updated | default(none) | epoch` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): a number of seconds since 1970 is needed, this is a string; `body.pullrequest.last_updated` is "soon""#);
    insta::assert_snapshot!(error("/pullrequest/project", json!({})), @r#"cannot read `instance` = `body.pullrequest.project.full_url | host` of topic `pagure/pull-request.new` (topics/pagure/_pull_request.toml): undefined value: `body.pullrequest.project.full_url` is undefined"#);
}

#[test]
fn passwords_of_foreign_builds_are_not_kept() {
    let body = body_of("jenkins/mq-notifier.completed");
    assert!(body.to_string().contains("a made-up password"));
    for topic in ["run.COMPLETED", "publishMQMessage"] {
        let reading = read(topic, &body).unwrap();
        assert_eq!(reading.redact, ["parameters"]);
        let kept = redacted(&body, &reading.redact, RUN_PARAMETER).to_string();
        assert!(!kept.contains("a made-up password"));
        assert!(!kept.contains("second line"));
        assert!(kept.contains("POINTSMAN_RUN=00112233445566778899aabbccddeeff"));
    }
    // Also where no rule wants it, or it cannot be read.
    let nothing = shipped().select(&BTreeSet::new());
    assert_eq!(nothing.redact("run.COMPLETED"), ["parameters"]);
    assert!(nothing.redact("pagure.pull-request.new").is_empty());
}

#[test]
fn a_fault_names_file_line_key_and_the_nearest_name() {
    let found = faults(&[
        ("a.toml", "about = \"x\"\nbinds = \"a\"\nbind = \"a*\"\nevent = \"build.finish\"\n"),
        ("b.toml", "about = \n"),
        ("c.toml", GOOD),
        (
            "d.toml",
            &GOOD
                .replace("job =", "jobs =")
                .replace("body.job", "boby.job | upper")
                .replace("a.json", "b.json"),
        ),
        ("e.toml", &GOOD.replace("body.job", "body.job |\\n  shout")),
        ("f.toml", &GOOD.replace("{ job = \"body.job\" }", "\"_g.toml\"")),
        ("_g.toml", "about = \"x\"\n[read]\njob = 7\n"),
        ("h.toml", &GOOD.replace("topic  = \"own\"", "topic  = \"other\"")),
        (
            "i.toml",
            &GOOD.replace("read  =", "with = [\"build.done\", \"build.finished\"]\nread  ="),
        ),
        ("j.toml", &GOOD.replace("read  =", "with = \"build.finished\"\nread  =")),
        ("a.json", "{\"job\": \"x\"}"),
        ("a.event.json", "{\"build\": {\"event\": \"build.finished\", \"job\": \"x\"}}"),
    ]);
    insta::assert_snapshot!(lines(&found), @r#"
    _g.toml:3: `read.job`: it is a text, not a value of type integer
    a.toml:2: `binds`: there is no such key; did you mean `bind`?
    a.toml:3: `bind`: `a*`: `*` and `#` stand for whole words, not for parts of one
    a.toml:4: `event`: there is no event `build.finish`; did you mean `build.finished`?
    a.toml: `read`: it is missing
    a.toml: `example`: a topic has at least one
    b.toml:1: string values must be quoted, expected literal string
    d.toml:5: `read.jobs`: there is no name `boby` here; did you mean `body`?
    d.toml:8: `example.body`: there is no file `b.json` beside this one
    d.toml: `read.job`: it is not read, but every `build.finished` has it
    e.toml:5: `read.job`: there is no filter `shout`; did you mean `host`?
    h.toml: `example.topic`: `#.own` does not match `other`
    i.toml:5: `with`: there is no event `build.done`; did you mean `build.queued`?
    i.toml: `with`: `thread.id` is not read, by which others continue it
    j.toml:5: `with`: it is a list of events, such as ["build.finished"]
    "#);
}

#[test]
fn an_example_that_differs_says_where() {
    let expected = json!({"build": {"event": "build.finished", "job": "y", "number": 7}});
    let found = faults(&[
        ("own.toml", GOOD),
        ("a.json", "{\"job\": \"x\"}"),
        ("a.event.json", &expected.to_string()),
    ]);
    insta::assert_snapshot!(lines(&found), @r#"own.toml: `example`: `a.json`: `build.job` is "x", expected was "y"; `build.number` is none, expected was 7"#);
}

#[test]
fn a_file_of_the_operator_replaces_the_shipped_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pagure")).unwrap();
    let own = GOOD.replace("a.json", "examples/new.json").replace("body.job", "body.agent");
    let event = json!({"build": {"event": "build.finished", "job": "ada"}});
    fs::write(folder.path().join("pagure/pull-request.new.toml"), own).unwrap();
    fs::write(folder.path().join("pagure/a.event.json"), event.to_string()).unwrap();
    let catalog = Catalog::load(&[folder.path().to_owned()]).unwrap();
    let topic = catalog.topic("pagure/pull-request.new").unwrap();
    assert_eq!(topic.event, EventKind::BuildFinished);
    assert_eq!(catalog.topics().count(), shipped().topics().count());
    assert!(catalog.check(RUN_PARAMETER).is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_a_fault() {
    let found = Catalog::load(&[PathBuf::from("/no/such/folder")]).unwrap_err();
    assert!(lines(&found).contains("/no/such/folder: cannot read it"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let key = prop_oneof![
            Just("project".to_owned()),
            Just("full_url".to_owned()),
            Just("comments".to_owned()),
            ".{0,6}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_body_causes_a_panic(value in any_json(), field in 0..40_usize) {
        let catalog = shipped();
        let selection = catalog.select(&EventKind::ALL.into_iter().collect());
        for topic in catalog.topics() {
            let message = &topic.examples.first().unwrap().message;
            let mut body: Value = serde_json::from_slice(&message.body).unwrap();
            let fields = match body.get_mut("pullrequest") {
                Some(inside) => inside.as_object_mut().unwrap(),
                None => body.as_object_mut().unwrap(),
            };
            let name = fields.keys().nth(field % fields.len()).cloned().unwrap();
            fields.insert(name, value.clone());
            let message = Message { body: body.to_string().into_bytes(), ..message.clone() };
            let Ok(envelope) = open(&message, &Limits::default()) else { continue };
            if let Err(error) = selection.read(&envelope, RUN_PARAMETER) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
