//! What a lab refuses, and what is told of it.

use super::lab::{BUILD, JOB, Lab, RULES, image};

/// Runs on these kinds of boards, whatever the lab has.
fn on(boards: &str) -> String {
    RULES.replace("{ tag = \"nano\" }", boards)
}

#[tokio::test]
async fn a_kind_of_board_that_nobody_has_is_an_error_of_that_board_only() {
    let mut lab = Lab::open(&on("[\"beagle\", \"nosuch\"]"), &["beagle"]).await;
    lab.announce(&image(&lab.world, BUILD)).await;
    lab.plays_until(1).await;
    lab.world.finish().await;
    let said = lab.said();
    assert!(said.contains("1 of 2 boards passed"), "{said}");
    assert!(said.contains("nosuch") && said.contains("unavailable"), "{said}");
    assert_eq!(lab.lava.jobs().len(), 1);
    lab.world.end().await;
}

#[tokio::test]
async fn a_definition_that_lava_does_not_take_is_told_in_its_words() {
    let job = JOB.replace("actions:", "acts:");
    let settings = "poll_min = '5ms'\npoll_max = '20ms'";
    let mut lab = Lab::of((RULES, &job), &["beagle"], settings).await;
    lab.announce(&image(&lab.world, BUILD)).await;
    let look = lab.world.finish().await;
    let said = lab.said();
    assert!(said.contains("0 of 1 boards passed"), "{said}");
    assert!(said.contains("could not be started"), "{said}");
    assert_eq!(look.buried.len(), 1, "{look:#?}");
    lab.world.end().await;
}

#[tokio::test]
async fn a_definition_that_is_no_yaml_once_it_is_filled_in_is_never_submitted() {
    let job = JOB.replace("job_name: smoke of", "job_name: [smoke of");
    let settings = "poll_min = '5ms'\npoll_max = '20ms'";
    let mut lab = Lab::of((RULES, &job), &["beagle"], settings).await;
    lab.announce(&image(&lab.world, BUILD)).await;
    lab.world.finish().await;
    let said = lab.said();
    assert!(said.contains("is no YAML"), "{said}");
    assert!(lab.lava.jobs().is_empty());
    lab.world.end().await;
}

#[tokio::test]
async fn an_unknown_tag_is_a_page_for_people_and_given_up_in_the_end() {
    let job = format!("{JOB}tags: [nosuch]\n");
    let settings = "poll_min = '5ms'\npoll_max = '20ms'\n[worker]\nattempts_max = 3";
    let mut lab = Lab::of((RULES, &job), &["beagle"], settings).await;
    lab.announce(&image(&lab.world, BUILD)).await;
    let look = lab.world.finish().await;
    let said = lab.said();
    assert!(said.contains("could not be started") && said.contains("nosuch"), "{said}");
    assert!(!said.contains("<html"), "{said}");
    assert_eq!(look.buried.len(), 1, "{look:#?}");
    lab.world.end().await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_and_never_shown() {
    let mut lab = Lab::open(&on("[\"beagle\"]"), &["beagle"]).await;
    lab.lava.revoke_token("token-of-the-lab-0123456789");
    lab.announce(&image(&lab.world, BUILD)).await;
    let look = lab.world.finish().await;
    let said = lab.said();
    assert!(said.contains("0 of 1 boards passed") && said.contains("token"), "{said}");
    assert!(!format!("{said}{look:?}").contains("token-of-the-lab"));
    lab.world.end().await;
}

#[tokio::test]
async fn a_lab_that_cannot_be_asked_for_its_boards_is_told_of() {
    let mut lab = Lab::open(RULES, &["beagle"]).await;
    lab.lava.revoke_token("token-of-the-lab-0123456789");
    lab.announce(&image(&lab.world, BUILD)).await;
    lab.world.finish().await;
    let said = lab.said();
    assert!(said.contains("nobody could tell which boards there are"), "{said}");
    lab.world.end().await;
}
