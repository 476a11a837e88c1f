//! Which boards can be used, and what is said before anything depends on it.

use super::*;

async fn boards(yard: &Yard, tags: &[&str]) -> Vec<String> {
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    yard.us.boards(&tags).await.unwrap()
}

#[tokio::test]
async fn kinds_of_boards_are_told_of_which_one_can_be_used_and_has_all_tags() {
    let yard = Yard::open().await;
    for (name, kind, tags) in [
        ("railcar-1", "railcar", vec!["steam", "mail"]),
        ("railcar-2", "railcar", vec![]),
        ("crane-1", "crane", vec!["steam", "mail"]),
        ("odd-1", "odd name\n", vec!["steam"]),
    ] {
        yard.lava.add_device(Device::new(name, kind, &tags));
    }
    assert_eq!(boards(&yard, &[]).await, ["crane", "railcar", "tank"]);
    assert_eq!(boards(&yard, &["steam"]).await, ["crane", "railcar", "tank"]);
    assert_eq!(boards(&yard, &["steam", "mail"]).await, ["crane", "railcar"]);
    // The one that has them is away; the other of its kind has them not.
    yard.lava.set_health("railcar-1", "Maintenance");
    assert_eq!(boards(&yard, &["steam", "mail"]).await, ["crane"]);
    assert_eq!(boards(&yard, &["diesel"]).await, Vec::<String>::new());
    yard.lava.add_device(Device { worker: "far".to_owned(), ..Device::new("f", "ferry", &[]) });
    assert_eq!(boards(&yard, &[]).await, ["crane", "ferry", "railcar", "tank"]);
    yard.lava.set_online("far", false);
    assert_eq!(boards(&yard, &[]).await, ["crane", "railcar", "tank"]);
    // A board that runs something can be used, too.
    yard.lava.submit("grace", &DEFINITION.replace("tank", "crane")).unwrap();
    yard.lava.schedule();
    assert_eq!(boards(&yard, &["mail"]).await, ["crane"]);
}

#[tokio::test]
async fn many_boards_are_read_page_by_page_and_not_without_end() {
    let yard = Yard::open().await;
    for number in 0..450 {
        let kind = format!("kind-{number:03}");
        yard.lava.add_device(Device::new(&format!("board-{number}"), &kind, &[]));
    }
    assert_eq!(boards(&yard, &[]).await.len(), 451);
    let pages = yard.calls().lines().filter(|call| call.contains("/devices/")).count();
    assert_eq!(pages, 3);
    // A list that never ends.
    let one = r#"{"hostname": "b", "device_type": "tank", "health": "Good", "state": "Idle"}"#;
    let endless =
        format!(r#"{{"count": 1000000000, "next": "http://127.0.0.1:1/", "results": [{one}]}}"#);
    yard.lava.set_answer("/devices/", 200, Some(&endless));
    assert_eq!(boards(&yard, &[]).await, Vec::<String>::new());
    let pages = yard.calls().lines().filter(|call| call.contains("/devices/")).count();
    assert_eq!(pages, 20);
}

#[tokio::test]
async fn a_lab_that_cannot_be_asked_is_no_lab_without_boards() {
    let yard = Yard::open().await;
    yard.lava.set_mood(Mood::Failing(503));
    assert!(matches!(yard.us.boards(&[]).await, Err(Failure::Retry { .. })));
    yard.lava.set_mood(Mood::Normal);
    yard.lava.revoke_token(TOKEN);
    assert!(matches!(yard.us.boards(&[]).await, Err(Failure::GiveUp(_))));
}

#[tokio::test]
async fn the_token_and_the_boards_are_looked_at_beforehand() {
    let yard = Yard::open().await;
    let told = async |us: &Lava| {
        let findings = us.probe(&["jobs/shunting.yaml".to_owned()]).await;
        let line = |finding: &crate::executors::Finding| {
            format!("{}: {}", finding.subject, finding.problem.as_deref().unwrap_or("good"))
        };
        yard.mask(findings.iter().map(line).collect::<Vec<_>>().join("\n"))
    };
    let mut all = vec![told(&yard.us).await];
    yard.lava.set_health("tank-1", "Retired");
    yard.lava.set_health("tank-2", "Retired");
    all.push(told(&yard.us).await);
    yard.lava.revoke_token(TOKEN);
    all.push(told(&us(&yard.lava, &yard.secrets, &json!({}))).await);
    insta::assert_snapshot!(all.join("\n"), @r"
    the token: good
    the boards: good
    the token: good
    the boards: there are none, or its user may not see them
    the token: cannot ask lava.lab whose token it is: Invalid token. (see `lava.lab.token`): 403 Forbidden
    ");
    assert!(yard.lava.jobs().is_empty());
}
