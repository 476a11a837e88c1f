//! What happens to images in the long run: outages, changes of mind, and many at once.

use crate::action::Form;
use crate::clock::from_millis;
use crate::event::artifact::ArtifactEvent;
use crate::executors::Try;
use crate::subject::Verdict;

use super::lab::{RULES, World, image};

/// One job for each image, and a state on its commit.
const PLAIN: &str = r#"
    [[rule]]
    name = "plain"
    on = "artifact.published"
    build = { on = "lab.main", job = "jobs/plain.yaml" }
    report = [{ to = "origin", as = "flag" }]
"#;

fn jobs(world: &World) -> usize {
    world.lab.jobs.lock().unwrap().len()
}

#[tokio::test]
async fn a_job_that_nobody_looks_after_any_more_is_not_repeated_beside_itself() {
    let world = World::new(&["beagle"]);
    world.hears(image("41", 'a')).await;
    world.worker.drain().await.unwrap();
    world.lab.jobs.lock().unwrap()[0].1 = None;
    world.hand.forward_to(from_millis(super::super::START + 8 * 86_400_000));
    world.ends().await;
    assert_eq!(jobs(&world), 1);
    let told = world.told(Form::Message);
    assert!(told[0].text.contains("no verdict after seven days"), "{}", told[0].text);
}

#[tokio::test]
async fn what_was_put_off_is_looked_for_before_it_is_submitted() {
    let world = World::new(&["beagle"]);
    *world.lab.busy.lock().unwrap() = 1;
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(*world.lab.tries.lock().unwrap(), [Try::First, Try::Again]);
}

#[tokio::test]
async fn what_was_refused_is_run_when_it_is_announced_by_one_who_may() {
    let world = World::new(&["beagle"]);
    world.reload_where(RULES, "other-*");
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(jobs(&world), 0);
    world.reload(RULES);
    world.hears(image("41", 'a')).await;
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(jobs(&world), 1);
}

#[tokio::test]
async fn a_clock_that_runs_ahead_makes_no_later_image_late() {
    let world = World::new(&["beagle"]);
    let at = |at: i64| Some(from_millis(super::super::START + at));
    world.hears(ArtifactEvent { at: at(86_400_000_000), ..image("41", 'a') }).await;
    world.worker.drain().await.unwrap();
    world.hand.forward_to(from_millis(super::super::START + 1_000));
    world.hears(ArtifactEvent { at: at(1_000), ..image("42", 'b') }).await;
    world.ends().await;
    let ends: Vec<_> = world.lab.jobs.lock().unwrap().iter().map(|(_, end)| end.unwrap()).collect();
    assert_eq!(ends, [Verdict::Cancelled, Verdict::Success]);
}

#[tokio::test]
async fn the_end_of_an_older_build_does_not_cover_the_state_of_a_newer_one() {
    let world = World::with(PLAIN, &[]);
    world.hears(image("41", 'a')).await;
    world.worker.drain().await.unwrap();
    world.hears(image("42", 'b')).await;
    world.ends().await;
    let stages: Vec<_> = world.told(Form::Flag).iter().map(|told| told.stage.as_str()).collect();
    assert_eq!(stages.last(), Some(&"success"), "{stages:?}");
    assert!(!stages.contains(&"cancelled"), "both are of one commit: {stages:?}");
}

#[tokio::test]
async fn many_rules_with_many_boards_each_come_to_their_end() {
    let boards: Vec<_> = (0..60).map(|number| format!("board-{number:02}")).collect();
    let boards: Vec<_> = boards.iter().map(String::as_str).collect();
    let rule =
        |number: u8| RULES.replace("name = \"smoke\"", &format!("name = \"smoke-{number}\""));
    let rules: String = (1..=5).map(rule).collect();
    let world = World::with(&rules, &boards);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    assert_eq!(jobs(&world), 5 * 60);
    assert_eq!(world.ledger.counts().await.unwrap().open_runs, 0);
    let told = world.told(Form::Message);
    assert_eq!(told.len(), 2 * 5, "each in the chat and by letter");
    assert!(told.iter().all(|told| told.text.contains("60 of 60 boards passed")));
}

#[tokio::test]
async fn what_has_no_boards_is_built_for_each_as_well() {
    let rules = r#"
        [[rule]]
        name = "unit"
        on = "artifact.published"
        report = [{ to = "chat.ops" }]
        [rule.build]
        on = "builds.main"
        job = "unit"
        for_each = { arch = ["x86_64", "aarch64"] }
        parameters = { ARCH = "{{ arch }}" }
    "#;
    let world = World::with(rules, &[]);
    world.hears(image("41", 'a')).await;
    world.ends().await;
    let told: Vec<_> = {
        let jobs = world.lab.jobs.lock().unwrap();
        jobs.iter()
            .map(|(order, _)| (order.parameters["ARCH"].clone(), order.board.clone()))
            .collect()
    };
    assert_eq!(told, [("aarch64".to_owned(), None), ("x86_64".to_owned(), None)]);
    let said = world.told(Form::Message);
    assert_eq!(said.len(), 1);
    assert!(said[0].text.contains("2 of 2"), "{}", said[0].text);
}
