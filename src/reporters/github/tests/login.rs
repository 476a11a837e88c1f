use std::time::Duration as Time;

use super::*;
use crate::clock::{Hand, from_millis};

const NOW: i64 = 1_795_162_907;

async fn tell(world: &World) {
    world.reporter.tell(&world.report(Form::Flag), Try::First).await.unwrap();
}

#[tokio::test]
async fn a_token_of_an_installation_is_used_until_shortly_before_its_end() {
    let start = from_millis(NOW * 1_000);
    let hand = Hand::at(start);
    let world = World::with(Clock::manual(hand.clone()), World::be_app).await;
    for minutes in [0, 1, 54] {
        hand.forward_to(start + Time::from_secs(minutes * 60));
        tell(&world).await;
        assert_eq!(world.github.tokens_given(), 1, "{minutes}");
    }
    for minutes in [56, 57, 100] {
        hand.forward_to(start + Time::from_secs(minutes * 60));
        tell(&world).await;
        assert_eq!(world.github.tokens_given(), 2, "{minutes}");
    }
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_asked_for_anew() {
    let world = World::of_app().await;
    tell(&world).await;
    assert_eq!(world.github.revoke_tokens(), 1);
    tell(&world).await;
    // Installed anew, for example for chosen repositories.
    world.github.install(REPO).unwrap();
    assert_eq!(world.github.revoke_tokens(), 1);
    tell(&world).await;
    assert_eq!(world.github.check_runs(REPO, HEAD).len(), 1);
}

#[tokio::test]
async fn an_installation_that_is_told_is_not_asked_for() {
    let world = World::with(Clock::system(), |world| {
        world.be_app();
        world.settings.installation_id = Some(1);
    })
    .await;
    let failure = world.fails(&world.report(Form::Flag)).await;
    assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
    insta::assert_snapshot!(chain(&failure), @"permanent failure: cannot get a token of the App's installation 1: it is not there, or the login may not see it: 404 Not Found");
}

#[tokio::test]
async fn an_app_that_is_not_installed_says_so() {
    let world = World::of_app().await;
    world.github.add_repo("rail/points");
    let mut report = world.report(Form::Flag);
    report.subject.project = "rail/points".to_owned();
    insta::assert_snapshot!(chain(&world.fails(&report).await), @"permanent failure: cannot find the App's installation for `rail/points`: it is not there, or the login may not see it: 404 Not Found");
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let user = World::new().await;
    let app = World::of_app().await;
    tell(&app).await;
    for world in [&user, &app] {
        let text = format!("{:?} {:?}", world.reporter, world.settings);
        for secret in [TOKEN, "ghs_", "BEGIN"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let mut settings = user.settings.clone();
    let file = user.secrets.path().join("token");
    settings.token = None;
    settings.app_id = Some(1);
    settings.private_key = Some(SecretRef::File(file.clone()));
    let error = Github::new("main", String::new(), &settings, Clock::system()).unwrap_err();
    insta::assert_snapshot!(chain(error.as_ref()), @"cannot use `github.main.private_key`: it is no RSA key (PEM)");
    std::fs::write(&file, "two\nlines").unwrap();
    let settings = super::settings("https://github.example", Some(SecretRef::File(file)));
    let error = Github::new("main", String::new(), &settings, Clock::system()).unwrap_err();
    insta::assert_snapshot!(chain(error.as_ref()), @"cannot use `github.main.token`: it is no token: it has odd characters");
}
