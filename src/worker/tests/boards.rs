//! Artifacts on boards: a run on each kind, and one summary.

use crate::action::{Form, Report, Stage};
use crate::event::artifact::ArtifactEvent;
use crate::ledger::queue::DugOut;
use crate::ledger::view::actions::ActionState;
use crate::subject::Verdict;

mod lab;
mod long;

use lab::{RULES, World, image};

#[tokio::test]
async fn an_image_is_tested_on_each_kind_of_board_and_there_is_one_summary() {
    let world = World::new(&["rk3399", "beagle", "qemu"]);
    world.lab.ends.lock().unwrap().insert("beagle".to_owned(), vec![Verdict::Failure]);
    world.lab.ends.lock().unwrap().insert("qemu".to_owned(), vec![Verdict::Error]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    let jobs = world.lab.jobs.lock().unwrap();
    let boards: Vec<_> = jobs.iter().map(|(order, _)| order.board.clone().unwrap()).collect();
    assert_eq!(boards, ["beagle", "qemu", "rk3399", "qemu"], "qemu was tried again");
    insta::assert_snapshot!(jobs[0].0.definition.as_ref().unwrap(), @r#"
    device_type: beagle
    job_name: smoke nano-cortex
    suite: smoke
    url: https://images.example/rootfs.img
    sum: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    arch: "arm64, \"v8\""
    "#);
    assert_ne!(jobs[1].0.run, jobs[3].0.run);
    let messages = world.told(Form::Message);
    assert_eq!(messages.len(), 2, "one in the chat and one letter");
    insta::assert_snapshot!(messages[0].text, @"
    **smoke** on [nano-cortex](https://ci.example/nano/41) 26.11, build 41: **failed** (2 of 3 boards passed)
    - beagle: failed: it was failure ([job](https://lab.example/job/1))
    - qemu: passed ([job](https://lab.example/job/4)), try 2
    - rk3399: passed ([job](https://lab.example/job/3))
    ");
    insta::assert_snapshot!(messages[1].text, @"
    smoke: failed

    nano-cortex 26.11, build 41
    https://ci.example/nano/41

    2 of 3 boards passed:

        beagle  failed
        qemu    passed
        rk3399  passed

    - beagle: it was failure https://lab.example/job/1
    ");
    let flags = world.told(Form::Flag);
    let words: Vec<_> = flags.iter().map(|flag| flag.text.as_str()).collect();
    insta::assert_debug_snapshot!(words, @r#"
    [
        "smoke: waiting in the queue",
        "smoke: running (1 of 3 boards done, not well on beagle)",
        "smoke: running (2 of 3 boards done, not well on beagle)",
        "smoke: failed on beagle (2 of 3 boards passed)",
    ]
    "#);
    assert!(flags.iter().all(|flag| flag.revision == "1".repeat(40) && flag.subject.number == 7));
    assert_eq!(flags[0].rule, "smoke (nano-cortex)");
    let comments = world.told(Form::Comment);
    let last = comments.last().unwrap();
    let (shown, _) = last.text.split_once("<!--").unwrap();
    insta::assert_snapshot!(shown.trim(), @"
    **smoke** on [nano-cortex](https://ci.example/nano/41) 26.11, build 41: **failed** (2 of 3 boards passed)

    | Board | Result | |
    |---|---|---|
    | [beagle](https://lab.example/job/1) | failed | it was failure |
    | [qemu](https://lab.example/job/4) | passed |  (try 2) |
    | [rk3399](https://lab.example/job/3) | passed |  |
    ");
    let of = |report: &Report| report.board.as_ref().unwrap().word.clone();
    assert!(comments.iter().all(|comment| of(comment) == of(&comments[0])));
}

#[tokio::test]
async fn what_can_follow_a_run_is_told_of_each_board_that_ends() {
    let rules = RULES.replace("{ to = \"chat.ops\" }", "{ to = \"bus.all\" }");
    let world = World::with(&rules, &["beagle", "qemu"]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    let told = world.told(Form::Message);
    let done = |report: &Report| {
        let boards = &report.artifact.as_ref().unwrap().boards;
        boards.iter().filter(|one| matches!(one.stage, Stage::Done(_))).count()
    };
    let steps: Vec<_> = told.iter().map(|told| (told.stage.as_str(), done(told))).collect();
    let letter = ("success", 2);
    assert_eq!(steps, [("queued", 0), ("running", 1), ("success", 2), letter]);
    let comments: Vec<_> = world.told(Form::Comment).iter().map(done).collect();
    assert_eq!(comments.last(), Some(&2));
    assert!(!comments.contains(&0), "it is there once there is something to tell");
}

#[tokio::test]
async fn a_broken_board_is_given_up_after_the_retries() {
    let world = World::new(&["beagle"]);
    world.lab.ends.lock().unwrap().insert("beagle".to_owned(), vec![Verdict::Error; 9]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 3, "once, and two retries");
    let messages = world.told(Form::Message);
    assert_eq!(messages.len(), 2);
    let reported = messages[0].artifact.as_ref().unwrap();
    assert_eq!(reported.boards[0].attempt, 3);
    assert_eq!(messages[0].stage.as_str(), "error");
}

#[tokio::test]
async fn without_a_board_it_is_told_that_nothing_could_be_tested() {
    let world = World::new(&[]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    let messages = world.told(Form::Message);
    assert!(messages[0].text.contains("no kind of board"), "{}", messages[0].text);
    assert_eq!(messages[0].stage.as_str(), "error");
    assert!(world.lab.jobs.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_busy_lab_is_asked_again_and_nothing_is_buried() {
    let world = World::new(&["beagle", "qemu"]);
    *world.lab.busy.lock().unwrap() = 20;
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 2);
    assert_eq!(world.told(Form::Message)[0].stage.as_str(), "success");
}

#[tokio::test]
async fn a_newer_image_cancels_the_jobs_of_the_older_and_tells_of_itself_only() {
    let world = World::new(&["beagle", "qemu"]);
    world.hears(image("41", 'a')).await;
    world.worker.drain().await.unwrap();
    world.hears(image("42", 'b')).await;
    world.ends().await;
    let jobs = world.lab.jobs.lock().unwrap();
    let ends: Vec<_> = jobs.iter().map(|(_, end)| end.unwrap()).collect();
    let cancelled = Verdict::Cancelled;
    assert_eq!(ends, [cancelled, cancelled, Verdict::Success, Verdict::Success]);
    let messages = world.told(Form::Message);
    assert_eq!(messages.len(), 2);
    assert!(messages[0].text.contains("build 42"), "{}", messages[0].text);
}

#[tokio::test]
async fn the_same_image_is_tested_once_and_another_one_under_its_id_never() {
    let world = World::new(&["beagle"]);
    world.hears(image("41", 'a')).await;
    world.hears(image("41", 'a')).await;
    world.hears(image("41", 'b')).await;
    world.ends().await;
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_tested_that_nobody_announces_who_may() {
    let world = World::new(&["beagle"]);
    world.hears(image("41", 'a')).await;
    world.worker.drain().await.unwrap();
    let foreign = ArtifactEvent { instance: "mallory".to_owned(), ..image("42", 'b') };
    world.hears(foreign).await;
    let mut other = image("43", 'c');
    other.artifact.name = "kernel".to_owned();
    world.hears(other).await;
    world.ends().await;
    let jobs = world.lab.jobs.lock().unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].1, Some(Verdict::Success), "it was not cancelled by what may not be");
}

#[tokio::test]
async fn what_was_given_up_is_dug_out_and_changes_the_verdict_of_all() {
    let world = World::new(&["beagle", "qemu"]);
    *world.lab.is_closed.lock().unwrap() = true;
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(world.told(Form::Message)[0].stage.as_str(), "error");
    *world.lab.is_closed.lock().unwrap() = false;
    for buried in world.ledger.actions(Some(ActionState::Buried), 10).await.unwrap() {
        assert_eq!(world.ledger.dig_out(buried.seq).await.unwrap(), DugOut::Back);
    }
    world.ends().await;
    let stages: Vec<_> = world.told(Form::Message).iter().map(|told| told.stage.as_str()).collect();
    assert_eq!(stages.iter().filter(|stage| **stage == "success").count(), 2, "{stages:?}");
}

#[tokio::test]
async fn what_is_published_anew_under_a_known_id_can_be_told_of() {
    let rules = format!(
        "{RULES}\n[[rule]]\nname = 'flag'\non = 'artifact.published'\n\
         when = ['artifact.republished']\n\
         notify = [{{ to = 'chat.ops', text = '{{{{ artifact.name }}}} {{{{ artifact.build }}}} is another one' }}]"
    );
    let world = World::with(&rules, &["beagle"]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert!(world.lab.noticed.lock().unwrap().is_empty());
    world.hears(image("41", 'b')).await;
    world.ends().await;
    let noticed = world.lab.noticed.lock().unwrap().join("");
    assert!(noticed.contains("nano-cortex 41 is another one"), "{noticed}");
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_rule_that_changes_while_its_boards_are_asked_for_is_followed_as_it_is_then() {
    let world = World::new(&["beagle", "qemu"]);
    world.hears(image("41", 'a')).await;
    world.reload(&RULES.replace("jobs/smoke.yaml", "jobs/other.yaml"));
    world.ends().await;
    let jobs: Vec<_> =
        world.lab.jobs.lock().unwrap().iter().map(|(order, _)| order.job.clone()).collect();
    assert_eq!(jobs, ["jobs/other.yaml", "jobs/other.yaml"]);
    assert_eq!(world.told(Form::Message)[0].stage.as_str(), "success");

    let world = World::new(&["beagle"]);
    world.hears(image("41", 'a')).await;
    world.reload(&RULES.replace("\"smoke\"", "\"another\""));
    world.ends().await;
    assert!(world.lab.jobs.lock().unwrap().is_empty());
    let told = world.told(Form::Message);
    assert!(told[0].text.contains("there is no rule"), "{}", told[0].text);
}

#[tokio::test]
async fn that_all_tries_broke_is_a_change_and_is_told() {
    let rules = r#"
        [[rule]]
        name = "plain"
        on = "artifact.published"
        build = { on = "lab.main", job = "jobs/plain.yaml" }
        report = [{ to = "chat.ops", when = "changed" }]
    "#;
    let world = World::with(rules, &[]);
    let ends = vec![Verdict::Success, Verdict::Error, Verdict::Error, Verdict::Error];
    world.lab.ends.lock().unwrap().insert(String::new(), ends);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    world.hears(image("42", 'b')).await;
    world.ends().await;
    let stages: Vec<_> = world.told(Form::Message).iter().map(|told| told.stage.as_str()).collect();
    assert_eq!(stages, ["success", "error"]);
    assert_eq!(world.lab.jobs.lock().unwrap().len(), 4);
}
