//! A series fails: whose fault it is is found out before anybody is told.

use super::town::{Town, rule};

#[tokio::test]
async fn the_first_bad_patch_of_five_is_found_with_three_builds_more() {
    let mut town = Town::build(&rule("each_patch = 'on_failure'")).await;
    town.builds_fail_from(3, false);
    let posted = town.send("oil", 1, 5);
    town.finish(1).await;
    let built = town.built();
    assert!(built.len() <= 1 + 3, "{built:?}");
    let blamed = town.checks(posted.patches[2]);
    assert!(
        blamed
            .iter()
            .any(|check| check.contains("fail") && check.to_lowercase().contains("patch 3 of 5")),
        "{blamed:#?}"
    );
    let told = town.slack.messages();
    let words: Vec<_> = told.iter().map(|message| message.text.as_str()).collect();
    assert!(words.iter().any(|words| words.to_lowercase().contains("patch 3 of 5")), "{words:#?}");
    town.world.end().await;
}

#[tokio::test]
async fn what_fails_on_the_base_as_well_is_said_to() {
    let mut town = Town::build(&rule("")).await;
    town.builds_fail_from(1, true);
    let posted = town.send("oil", 1, 1);
    town.finish(1).await;
    assert_eq!(town.built().len(), 2);
    let checks = town.checks(posted.patches[0]);
    let last = checks.last().unwrap();
    assert!(last.starts_with("pointsman-kvm warning"), "{checks:#?}");
    // The next series finds the base built.
    town.send("grease", 1, 1);
    town.finish(2).await;
    assert_eq!(town.built().len(), 3);
    town.world.end().await;
}
