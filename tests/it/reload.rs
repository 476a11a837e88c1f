//! Rules and topics that change while the service runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::crashes::victim::Victim;
use crate::door::Caller;
use crate::world::bus::ctl;
use crate::world::{NO_POLLING, PATIENCE, PROJECT, Scenery, World, sha};

/// A rule of this name that builds what is proposed.
fn building(name: &str) -> String {
    format!(
        "[[rule]]\nname = '{name}'\non = 'pull_request.opened'\n\
         build = {{ on = 'jenkins.main', job = 'unit' }}\n"
    )
}

/// A rule that wants to hear of builds only.
const LISTENING: &str = "[[rule]]\nname = 'listen'\non = 'build.finished'\n\
                         notify = [{ to = 'bus', text = 'heard' }]\n";

impl World {
    fn rules_folder(&self) -> PathBuf {
        self.scenery.folder.path().join("rules")
    }

    /// Somebody writes the rules anew.
    fn write_rules(&self, text: &str) {
        std::fs::write(self.rules_folder().join("rules.toml"), text).unwrap();
    }

    async fn until_generation(&mut self, generation: u64) {
        self.until_rules("other rules", |rules| {
            rules.generation == generation && rules.fault.is_none()
        })
        .await;
    }
}

/// The rules as `/ready` tells them.
async fn told(world: &World) -> Value {
    let (status, ready) = Caller::at(world).get("ready").await;
    assert_eq!(status, 200, "{ready}");
    let mut ready: Value = serde_json::from_str(&ready).unwrap();
    ready["rules"].take()
}

#[tokio::test]
async fn a_rule_that_is_changed_decides_upon_the_next_message() {
    let rules = building("before");
    let mut world = World::of(&rules).await.settings(NO_POLLING).start().await;
    world.open('a').await;
    world.settle().await;
    world.write_rules(&(building("after") + &building("also")));
    world.until_generation(2).await;
    world.open('b').await;
    let look = world.settle().await;
    insta::assert_snapshot!(look.runs(), @r"
    before aaaa queued
    after bbbb queued
    also bbbb queued
    ");
    world.end().await;
}

#[tokio::test]
async fn a_faulty_file_leaves_the_old_rules_in_force_until_it_is_mended() {
    let rules = building("before");
    let mut world = World::of(&rules).await.settings(NO_POLLING).start().await;
    world.write_rules(&building("after").replace("opened", "opend"));
    world.until_rules("a fault", |rules| rules.fault.is_some()).await;

    let rules = told(&world).await;
    let fault = rules["fault"].as_str().unwrap();
    let folder = world.rules_folder().display().to_string();
    let fault = fault.replace(&folder, "rules");
    assert!(fault.starts_with("rules/rules.toml:3: "), "{fault}");
    assert!(fault.contains("`pull_request.opened`"), "{fault}");
    assert_eq!((&rules["generation"], &rules["count"]), (&json!(1), &json!(1)));
    let (_, metrics) = Caller::at(&world).get("metrics").await;
    assert!(metrics.contains("\npointsman_reloads_total{result=\"faulty\"} "), "{metrics}");
    assert!(metrics.contains("\npointsman_rules_faulty "), "{metrics}");

    world.open('a').await;
    insta::assert_snapshot!(world.settle().await.runs(), @"before aaaa queued");

    world.write_rules(&building("after"));
    world.until_generation(2).await;
    assert_eq!(told(&world).await["fault"], Value::Null);
    world.open('b').await;
    insta::assert_snapshot!(world.settle().await.runs(), @r"
    before aaaa queued
    after bbbb queued
    ");
    world.end().await;
}

#[tokio::test]
async fn a_fault_that_is_taken_back_is_forgotten_and_nothing_is_loaded() {
    let rules = building("before");
    let mut world = World::of(&rules).await.start().await;
    world.write_rules("no rule");
    world.until_rules("a fault", |rules| rules.fault.is_some()).await;
    world.write_rules(&rules);
    world.until_generation(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_folder_that_vanishes_and_comes_back_is_read_again() {
    let mut world = World::of(&building("before")).await.start().await;
    let (folder, near) = (world.rules_folder(), world.scenery.folder.path().to_owned());
    for generation in 2..=3 {
        std::fs::rename(&folder, near.join(format!("aside-{generation}"))).unwrap();
        world.until_rules("a fault", |rules| rules.fault.is_some()).await;
        let fault = told(&world).await["fault"].as_str().unwrap().to_owned();
        assert!(fault.contains("(`rules.dir`)"), "{fault}");
        // The name of the folder comes back with another one behind it.
        std::fs::create_dir(near.join("next")).unwrap();
        let rules = building(&format!("after-{generation}"));
        std::fs::write(near.join("next/rules.toml"), rules).unwrap();
        std::fs::rename(near.join("next"), &folder).unwrap();
        world.until_generation(generation).await;
    }
    // What is written into it now is noticed too.
    world.write_rules(&building("last"));
    world.until_generation(4).await;
    world.end().await;
}

#[tokio::test]
async fn a_config_map_that_is_swapped_is_read_again() {
    let mut world = World::of(&building("before")).await.start().await;
    let folder = world.rules_folder();
    // As Kubernetes mounts one: the file is a link through `..data`, which is a link itself.
    let publish = |name: &str, rules: &str| {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("rules.toml"), rules).unwrap();
        link(name, &folder.join("..data_tmp"));
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    publish("..2026_11_20", &building("mounted"));
    link("..data/rules.toml", &folder.join("rules.tmp"));
    std::fs::rename(folder.join("rules.tmp"), folder.join("rules.toml")).unwrap();
    world.until_generation(2).await;
    publish("..2026_11_21", &building("swapped"));
    world.until_generation(3).await;
    world.end().await;
}

#[tokio::test]
async fn a_folder_that_was_emptied_leaves_the_old_rules_in_force() {
    let mut world = World::of(&building("before")).await.settings(NO_POLLING).start().await;
    std::fs::remove_file(world.rules_folder().join("rules.toml")).unwrap();
    world.until_rules("a fault", |rules| rules.fault.is_some()).await;
    world.open('a').await;
    insta::assert_snapshot!(world.settle().await.runs(), @"before aaaa queued");
    world.write_rules(&building("after"));
    world.until_generation(2).await;
    world.end().await;
}

#[tokio::test]
async fn the_first_rule_can_come_later() {
    let mut world = World::of("").await.settings(NO_POLLING).start().await;
    world.write_rules(&building("first"));
    world.until_generation(2).await;
    world.open('a').await;
    insta::assert_snapshot!(world.settle().await.runs(), @"first aaaa queued");
    world.end().await;
}

fn link(to: &str, at: &Path) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

#[tokio::test]
async fn a_topic_that_is_added_is_read() {
    let settings = format!("{NO_POLLING}[topics]\ndirs = ['topics']\n");
    let setup = World::of(&building("unit")).await.settings(&settings);
    let topics = setup.folder().join("topics/yard");
    std::fs::create_dir_all(&topics).unwrap();
    let mut world = setup.start().await;
    let topic = r#"
        about = "The yard proposes."
        bind = "yard.proposal"
        event = "pull_request.opened"
        [read]
        instance = "body.forge"
        project = "body.project"
        number = "body.number"
        url = "body.url"
        title = "'none'"
        target = "'main'"
        author = "'ada'"
        standing = "'maintainer'"
        head.sha = "body.head"
        [[example]]
        body = "example.json"
        topic = "yard.proposal"
        ignored = true
    "#;
    std::fs::write(topics.join("example.json"), "{}").unwrap();
    std::fs::write(topics.join("proposal.toml"), topic).unwrap();
    let live = world.running.live.clone();
    world.until("the topic", |_| live.wants("yard.proposal")).await;
    let forge = world.scenery.pagure.url().replace("http://", "");
    let body = json!({"forge": forge, "project": PROJECT, "number": 7, "head": sha('d'),
                      "url": format!("http://{forge}/{PROJECT}/pull-request/7")});
    world.publish("yard.proposal", &body).await;
    insta::assert_snapshot!(world.settle().await.runs(), @"unit dddd queued");
    world.end().await;
}

#[tokio::test]
async fn whoever_asks_is_answered_although_nothing_has_changed() {
    let mut world = World::of(&building("unit")).await.start().await;
    world.running.reload.again();
    let caller = Caller::at(&world);
    let until = async || {
        while !caller.get("metrics").await.1.contains("reloads_total{result=\"unchanged\"} ") {}
    };
    tokio::time::timeout(PATIENCE, until()).await.unwrap();
    world.until_generation(1).await;
    world.end().await;
}

#[tokio::test]
async fn what_other_rules_want_is_bound_and_what_they_do_not_want_is_not() {
    let mut world = World::of(LISTENING).await.settings(NO_POLLING).own_vhost().await.start().await;
    let vhost = world.scenery.bus.as_ref().unwrap().vhost().to_owned();
    let bindings =
        async || ctl(&["list_bindings", "-p", &vhost, "--no-table-headers", "routing_key"]).await;
    let before = bindings().await;
    assert!(!before.contains("pull-request") && before.contains("#.run.COMPLETED"), "{before}");

    world.write_rules(&building("unit").replace("build =", "mode = 'shadow'\nbuild ="));
    world.until_generation(2).await;
    world.write_rules(&building("unit"));
    world.until_generation(3).await;
    world.open('a').await;
    insta::assert_snapshot!(world.settle().await.runs(), @"unit aaaa queued");

    let only_notices = building("x").replace(
        "build = { on = 'jenkins.main', job = 'unit' }",
        "notify = [{ to = 'bus', text = 'new' }]",
    );
    world.write_rules(&only_notices);
    world.until_generation(4).await;
    // It is unbound once the rules are in force.
    let until = async || while bindings().await.contains("run.COMPLETED") {};
    tokio::time::timeout(PATIENCE, until()).await.unwrap();
    assert!(bindings().await.contains("#.pagure.pull-request.new"));
    world.end().await;
}

#[tokio::test]
async fn rules_for_which_the_broker_refuses_the_bindings_do_not_come_into_force() {
    let mut world = World::of(LISTENING).await.settings(NO_POLLING).own_vhost().await.start().await;
    let bus = world.scenery.bus.as_ref().unwrap();
    let (vhost, exchange) = (bus.vhost().to_owned(), bus.name.clone());
    let permit = async |keys: &str| {
        ctl(&["set_topic_permissions", "-p", &vhost, "guest", &exchange, ".*", keys]).await
    };
    permit("jenkins").await;
    world.write_rules(&(LISTENING.to_owned() + &building("unit")));
    world.until_rules("a refusal", |rules| rules.fault.is_some()).await;
    let fault = told(&world).await["fault"].as_str().unwrap().to_owned();
    assert!(fault.starts_with("cannot change the bindings: "), "{fault}");
    assert!(fault.contains("ACCESS_REFUSED"), "{fault}");

    permit(".*").await;
    world.running.reload.again();
    world.until_generation(2).await;
    world.open('a').await;
    insta::assert_snapshot!(world.settle().await.runs(), @"unit aaaa queued");
    world.end().await;
}

#[tokio::test]
async fn a_hangup_is_no_end_but_a_question() {
    let scenery = Scenery::build(Scenery::current()).await;
    scenery.write(&building("unit"), NO_POLLING);
    let folder = scenery.folder.path();
    let mut victim = Victim::start(folder);
    victim.until_log("is ready").await;
    hang_up(victim.id());
    victim.until_log("The rules have not changed").await;
    std::fs::write(folder.join("rules/rules.toml"), building("other")).unwrap();
    hang_up(victim.id());
    victim.until_log("Other rules are in force").await;
    victim.kill().await;
}

fn hang_up(process: u32) {
    let done = Command::new("kill").args(["-HUP", &process.to_string()]).status().unwrap();
    assert!(done.success());
}
