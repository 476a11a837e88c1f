//! What LAVA says when it says no, and what that means.

use super::*;

#[tokio::test]
async fn what_lava_refuses_is_given_up_in_its_words() {
    let yard = Yard::open().await;
    yard.lava.add_device_type("railcar");
    let with = |from: &str, to: &str| defined(&DEFINITION.replace(from, to));
    let mut told = Vec::new();
    for order in [
        with("timeouts: {job: {minutes: 5}}\n", ""),
        with("device_type: tank", "device_type: airship"),
        with("device_type: tank", "device_type: railcar"),
        defined(&format!("{DEFINITION}tags: [steam, diesel]")),
    ] {
        told.push(yard.told(yard.us.start(&order, Try::First).await));
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    gives up: cannot submit a job to lava.lab: Problem with submitted job data: required key not provided @ data['timeouts']: 400 Bad Request
    gives up: cannot submit a job to lava.lab: Devices unavailable: Device type 'airship' is unavailable.: 400 Bad Request
    gives up: cannot submit a job to lava.lab: Devices unavailable: No devices of type railcar are available.: 400 Bad Request
    gives up: cannot submit a job to lava.lab: there is no tag `diesel`
    ");
    assert!(yard.lava.jobs().is_empty());
}

#[tokio::test]
async fn a_token_that_is_none_is_forbidden_and_no_failure_that_passes() {
    let yard = Yard::open().await;
    let started = yard.start(1).await;
    yard.lava.revoke_token(TOKEN);
    let mut told = vec![
        yard.told(yard.us.start(&order(2), Try::First).await),
        yard.told(yard.us.inspect(&lookup(&started)).await),
    ];
    let stranger = us(&yard.lava, &yard.secrets, &json!({}));
    told.push(yard.told(stranger.start(&order(2), Try::Again).await));
    insta::assert_snapshot!(told.join("\n"), @r"
    gives up: cannot count the jobs on lava.lab: Invalid token. (see `lava.lab.token`): 403 Forbidden
    gives up: cannot ask after a job on lava.lab: Invalid token. (see `lava.lab.token`): 403 Forbidden
    gives up: cannot ask lava.lab whose token it is: Invalid token. (see `lava.lab.token`): 403 Forbidden
    ");
}

#[tokio::test]
async fn nobody_is_not_who_we_are() {
    let yard = Yard::open().await;
    yard.lava.set_answer("/whoami/", 200, Some(r#"{"user": ""}"#));
    let told = yard.told(yard.us.start(&order(1), Try::First).await);
    assert_eq!(
        told,
        "gives up: cannot ask lava.lab whose token it is: it takes us for nobody (see \
         `lava.lab.token`)"
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let yard = Yard::open().await;
    yard.lava.set_mood(Mood::Failing(502));
    let told = yard.told(yard.us.start(&order(1), Try::First).await);
    assert!(told.starts_with("tries again None: cannot ask lava.lab whose token it is"), "{told}");
    yard.lava.set_mood(Mood::TooMany { retry_after: 7 });
    let told = yard.told(yard.us.inspect(&only_run(1)).await);
    assert!(told.starts_with("tries again Some(7s): "), "{told}");
    yard.lava.stop().await;
    let told = yard.told(yard.us.start(&order(1), Try::First).await);
    assert!(told.starts_with("tries again None: cannot ask lava.lab"), "{told}");
}

#[tokio::test]
async fn a_lava_that_has_moved_is_named_with_its_setting() {
    let yard = Yard::open().await;
    yard.lava.set_mood(Mood::Failing(301));
    let told = yard.told(yard.us.start(&order(1), Try::First).await);
    assert!(told.starts_with("gives up: "), "{told}");
    assert!(told.contains("it has moved, or the address is not that of `lava.lab.url`"), "{told}");
}

#[tokio::test]
async fn every_call_has_a_slash_at_its_end() {
    let yard = Yard::open().await;
    let seen = yard.ended(Outcome::passes(&["smoke/boot"])).await;
    yard.us.cancel(&lookup(&seen)).await.unwrap();
    yard.us.boards(&["steam".to_owned()]).await.unwrap();
    for call in yard.calls().lines() {
        let path = call.split('?').next().unwrap();
        assert!(path.ends_with('/'), "{call}");
    }
}

#[test]
fn a_token_of_odd_characters_is_refused_without_being_shown() {
    let secrets = TempDir::new().unwrap();
    let file = secrets.path().join("token");
    std::fs::write(&file, "a\nSECRET").unwrap();
    let settings =
        json!({ "url": "https://lava.example", "token": format!("file:{}", file.display()) });
    let settings: LavaSettings = serde_json::from_value(settings).unwrap();
    let error = Lava::new("lab", &settings, None, clock()).unwrap_err();
    assert_eq!(
        chain(error.as_ref()),
        "cannot use `lava.lab.token`: it is no token: it has odd characters"
    );
}
