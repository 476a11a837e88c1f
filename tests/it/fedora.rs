//! The reference: the package `fedora-messaging` publishes to us, and reads what we publish.

use std::path::Path;

use pointsman::sandbox::jenkins::BuildResult;
use tokio::process::Command;

use crate::world::bus::variable;
use crate::world::{JOB, NO_POLLING, PATIENCE, World};

const RULES: &str = r#"
    [[rule]]
    name = "unit"
    on = "pull_request.opened"
    build = { on = "jenkins.main", job = "unit", parameters = { HEAD = "{{ head.sha }}" } }
    report = [{ to = "bus" }]
"#;

/// A configuration of the package; what is kept for it is in `queue`.
fn write_config(world: &World, queue: &str) {
    let bus = world.scenery.bus.as_ref().unwrap();
    let (url, exchange) = (&bus.url, &bus.name);
    let config = format!(
        r#"
        amqp_url = "{url}"
        passive_declares = true
        publish_exchange = "{exchange}"
        topic_prefix = "org.example.prod"
        bindings = []
        [exchanges."{exchange}"]
        type = "topic"
        durable = true
        auto_delete = false
        arguments = {{}}
        [client_properties]
        app = "The tests of Pointsman"
        [queues."{queue}"]
        durable = true
        auto_delete = false
        exclusive = false
        arguments = {{}}
        [log_config]
        version = 1
        disable_existing_loggers = true
        "#
    );
    std::fs::write(world.scenery.folder.path().join("fedora.toml"), config).unwrap();
}

/// Runs a script beside this file, with these arguments after the configuration.
async fn python(world: &World, script: &str, arguments: &[&str]) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fedora");
    let mut command = Command::new(variable("POINTSMAN_TEST_PYTHON"));
    command.arg(here.join(script)).arg("fedora.toml").args(arguments);
    command.current_dir(world.scenery.folder.path());
    let run = command.kill_on_drop(true).output();
    let done = tokio::time::timeout(PATIENCE, run).await.expect("python hangs").unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn the_reference_package_publishes_to_us_and_reads_what_we_publish() {
    let mut world = World::of(RULES).await.settings(NO_POLLING).broker().await.start().await;
    let queue = format!("{}-reader", world.scenery.bus.as_ref().unwrap().name);
    world.scenery.bus.as_ref().unwrap().keep(&queue, "#.pointsman.run.*").await;
    write_config(&world, &queue);

    let (_, announced) = world.scenery.open('a');
    let body = world.scenery.folder.path().join("body.json");
    std::fs::write(body, announced[0].1.to_string()).unwrap();
    let id = python(&world, "publish.py", &["pagure.pull-request.new", "body.json"]).await;
    world.until("the message", |look| look.messages.contains_key(id.trim())).await;
    world.settle().await;
    world.relay_jenkins().await;
    world.settle().await;
    world.scenery.jenkins.finish(JOB, 1, BuildResult::Success);
    world.relay_jenkins().await;
    world.finish().await;
    let read = python(&world, "consume.py", &["3"]).await;
    insta::assert_snapshot!(world.scenery.masked(&read), @r#"
    {"body": {"revision": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "rule": "unit", "run": "[id]", "stage": "queued", "subject": {"instance": "forge.example", "kind": "pull_request", "number": 1, "project": "signalbox"}, "text": "**unit** at aaaaaaaaaaaa: waiting in the queue", "url": "https://ci.example/job/unit/", "verdict": null}, "class": "Message", "headers": ["fedora_messaging_schema", "fedora_messaging_severity", "priority", "sent-at"], "queue": true, "severity": true, "summary": "org.example.test.pointsman.run.queued", "topic": "org.example.test.pointsman.run.queued"}
    {"body": {"revision": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "rule": "unit", "run": "[id]", "stage": "started", "subject": {"instance": "forge.example", "kind": "pull_request", "number": 1, "project": "signalbox"}, "text": "**unit** at aaaaaaaaaaaa: running ([build 1](https://ci.example/job/unit/1/))", "url": "https://ci.example/job/unit/1/", "verdict": null}, "class": "Message", "headers": ["fedora_messaging_schema", "fedora_messaging_severity", "priority", "sent-at"], "queue": true, "severity": true, "summary": "org.example.test.pointsman.run.started", "topic": "org.example.test.pointsman.run.started"}
    {"body": {"revision": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "rule": "unit", "run": "[id]", "stage": "finished", "subject": {"instance": "forge.example", "kind": "pull_request", "number": 1, "project": "signalbox"}, "text": "**unit** at aaaaaaaaaaaa: passed ([build 1](https://ci.example/job/unit/1/))", "url": "https://ci.example/job/unit/1/", "verdict": "success"}, "class": "Message", "headers": ["fedora_messaging_schema", "fedora_messaging_severity", "priority", "sent-at"], "queue": true, "severity": true, "summary": "org.example.test.pointsman.run.finished", "topic": "org.example.test.pointsman.run.finished"}
    "#);
    world.scenery.bus.as_ref().unwrap().forget(&queue).await;
    world.end().await;
}
