//! A rule that fails harms itself alone.

use serde_json::Value;

use crate::world::{NO_POLLING, World};

const RULES: &str = r#"
    [[rule]]
    name = "broken"
    on = "pull_request.opened"
    when = ["title | int > 3"]
    build = { on = "jenkins.main", job = "unit" }

    [[rule]]
    name = "broken-parameter"
    on = "pull_request.opened"
    build = { on = "jenkins.main", job = "unit", parameters = { HEAD = "{{ title | int }}" } }

    [[rule]]
    name = "elsewhere"
    on = "pull_request.opened"
    where = { project = "points" }
    build = { on = "jenkins.main", job = "unit" }

    [[rule]]
    name = "not-met"
    on = "pull_request.opened"
    when = ["number > 100"]
    build = { on = "jenkins.main", job = "unit" }

    [[rule]]
    name = "shadow"
    mode = "shadow"
    on = "pull_request.opened"
    build = { on = "jenkins.main", job = "unit" }

    [[rule]]
    name = "good"
    on = "pull_request.opened"
    build = { on = "jenkins.main", job = "unit" }
"#;

#[tokio::test]
async fn a_condition_that_cannot_be_evaluated_is_told_and_the_other_rules_fire() {
    let mut world = World::of(RULES).await.settings(NO_POLLING).broker().await.start().await;
    world.open('a').await;
    let look = world.settle().await;
    insta::assert_snapshot!(look.runs(), @"good aaaa queued");
    let decision: Value = serde_json::from_str(&look.decisions[0]).unwrap();
    let considered = decision["considered"].as_array().unwrap();
    let outcomes = considered.iter().map(|one| format!("{}: {}", one["rule"], one["outcome"]));
    let outcomes = outcomes.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(world.scenery.masked(&outcomes), @r#"
    "broken": {"failed":{"error":"invalid float literal","expression":"title | int > 3"}}
    "broken-parameter": {"failed":{"error":"invalid float literal","expression":"{{ title | int }}"}}
    "not-met": {"not":{"condition":"number > 100","saw":[["number","1"]]}}
    "shadow": {"shadow":{"actions":["start/[id]"]}}
    "good": {"fired":{"actions":["start/[id]"]}}
    "#);
    world.end().await;
}
