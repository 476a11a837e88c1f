use super::*;
use crate::clock::{Hand, from_millis};

const NOW: i64 = 1_795_162_907;

async fn world() -> World {
    World::with(Clock::manual(Hand::at(from_millis(NOW * 1_000))), |_| {}).await
}

async fn wait(world: &World) -> Option<Duration> {
    match world.fails(&world.report(Form::Flag)).await {
        Failure::Retry { after, .. } => after,
        failure @ Failure::GiveUp(_) => panic!("{failure:?}"),
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_until_it_is_lifted() {
    let world = world().await;
    world.github.set_mood(Mood::UsedUp { reset: NOW + 600 });
    assert_eq!(wait(&world).await, Some(Duration::from_secs(601)));
    // A clock that is ahead of GitHub's.
    world.github.set_mood(Mood::UsedUp { reset: NOW - 600 });
    assert_eq!(wait(&world).await, Some(Duration::from_secs(1)));
    world.github.set_mood(Mood::UsedUp { reset: i64::MAX });
    assert_eq!(wait(&world).await, Some(crate::remote::Remote::RETRY_AFTER_MAX));
}

#[tokio::test]
async fn a_limit_without_a_time_is_waited_for_a_minute() {
    let world = world().await;
    world.github.set_mood(Mood::Hasty);
    assert_eq!(wait(&world).await, Some(Duration::from_mins(1)));
    world.github.set_mood(Mood::TooMany { retry_after: 99_999 });
    assert_eq!(wait(&world).await, Some(crate::remote::Remote::RETRY_AFTER_MAX));
}

#[tokio::test]
async fn what_is_broken_may_be_whole_again() {
    let world = world().await;
    for status in [500, 502, 503, 504] {
        world.github.set_mood(Mood::Failing(status));
        assert_eq!(wait(&world).await, None, "{status}");
    }
    world.github.stop().await;
    assert_eq!(wait(&world).await, None, "away");
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let world = world().await;
    let mut texts = Vec::new();
    for status in [400, 403, 404, 410, 422] {
        world.github.set_mood(Mood::Failing(status));
        let failure = world.fails(&world.report(Form::Flag)).await;
        assert!(matches!(failure, Failure::GiveUp(_)), "{failure:?}");
        texts.push(chain(&failure));
    }
    world.github.set_mood(Mood::Normal);
    world.github.set_permission(REPO, "pointsman", Role::Read).unwrap();
    texts.push(chain(&world.fails(&world.report(Form::Flag)).await));
    world.github.archive(REPO).unwrap();
    texts.push(chain(&world.fails(&world.report(Form::Comment)).await));
    world.github.expire_token(TOKEN);
    texts.push(chain(&world.fails(&world.report(Form::Comment)).await));
    insta::assert_snapshot!(texts.join("\n"), @r"
    permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: Something is wrong: 400 Bad Request
    permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: Something is wrong: 403 Forbidden
    permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: Something is wrong: it is not there, or the login may not see it: 404 Not Found
    permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: Something is wrong: 410 Gone
    permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: Something is wrong: 422 Unprocessable Entity
    permanent failure: cannot set a status on commit aaaaaaaaaaaa of `rail/signalbox`: Resource not accessible by personal access token: it needs the permission statuses=write: 403 Forbidden
    permanent failure: cannot comment on `rail/signalbox#1`: Repository was archived so is read-only.: 403 Forbidden
    permanent failure: cannot comment on `rail/signalbox#1` (see `github.main.token`): Bad credentials: the token is not valid, or has expired: 401 Unauthorized
    ");
}

#[tokio::test]
async fn a_repository_that_was_renamed_is_found() {
    let world = world().await;
    world.github.rename(REPO, "rail/interlocking").unwrap();
    for form in [Form::Flag, Form::Comment] {
        world.reporter.tell(&world.report(form), Try::Again).await.unwrap();
    }
    assert_eq!(world.github.statuses("rail/interlocking", HEAD).len(), 1);
    assert_eq!(world.github.comments("rail/interlocking", 1).len(), 1);
}

#[tokio::test]
async fn a_token_is_not_taken_to_another_host_nor_in_circles() {
    let world = world().await;
    world.github.send_away(Some(format!("{}/api/v3/repos/rail/x", world.github.url())));
    let text = chain(&world.fails(&world.report(Form::Flag)).await);
    assert!(text.contains("from one place to another"), "{text}");

    let elsewhere = GithubStandIn::start(Options::default()).await.unwrap();
    world.github.send_away(Some(format!("{}/api/v3/", elsewhere.url())));
    let text = chain(&world.fails(&world.report(Form::Flag)).await);
    assert!(text.contains("it has moved to another host"), "{text}");
}
