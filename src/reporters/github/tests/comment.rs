use super::*;
use crate::reporters::contract::notice;

#[tokio::test]
async fn somebody_elses_words_are_not_our_report() {
    let world = World::new().await;
    let report = world.report(Form::Comment);
    let quote = format!("> {}", report.marker);
    world.github.comment((REPO, 1), "ada", &quote).await.unwrap();
    world.reporter.tell(&report, Try::Again).await.unwrap();
    assert_eq!(world.comments().len(), 2);
}

#[tokio::test]
async fn somebody_elses_board_is_left_alone() {
    let world = World::new().await;
    let mut report = world.report(Form::Comment);
    report.board = Some(Board { word: "our-board".to_owned(), is_news: true });
    world.github.comment((REPO, 1), "ada", "our-board").await.unwrap();
    world.reporter.tell(&report, Try::First).await.unwrap();
    let comments = world.comments();
    assert_eq!(comments.len(), 2);
    assert_eq!(comments[0], "our-board");
}

#[tokio::test]
async fn a_comment_is_found_behind_many_others() {
    let world = World::new().await;
    for number in 0..230 {
        world.github.comment((REPO, 1), "ada", &format!("{number}")).await.unwrap();
    }
    let report = world.report(Form::Comment);
    for attempt in [Try::First, Try::Again] {
        world.reporter.tell(&report, attempt).await.unwrap();
    }
    assert_eq!(world.comments().len(), 231);
}

#[tokio::test]
async fn a_notice_is_seen_once() {
    let world = World::new().await;
    let notice = notice(&world.subject, "pointsman-notice-1");
    world.github.lose_answers(1);
    world.reporter.notify(&notice, Try::First).await.unwrap_err();
    world.reporter.notify(&notice, Try::Again).await.unwrap();
    assert_eq!(world.comments(), [notice.text]);
}

#[tokio::test]
async fn a_comment_that_is_too_long_keeps_its_words() {
    let world = World::new().await;
    let mut report = world.report(Form::Comment);
    report.board = Some(Board { word: "our-board".to_owned(), is_news: false });
    report.text = format!("{}our-board{}", "ä".repeat(70_000), report.marker);
    for attempt in [Try::First, Try::Again] {
        world.reporter.tell(&report, attempt).await.unwrap();
    }
    let comments = world.comments();
    let [comment] = comments.as_slice() else { panic!("{}", comments.len()) };
    assert!(comment.contains(&report.marker) && comment.contains("our-board"));
    assert!(comment.chars().count() < 61_000);
}

#[tokio::test]
async fn a_comment_that_somebody_removed_meanwhile_is_posted_next_time() {
    let world = World::new().await;
    let failure = board::Thread::edit(&world.reporter.client, &world.subject, "77", "x").await;
    assert!(matches!(failure, Err(Failure::Retry { .. })), "{failure:?}");
    board::Thread::remove(&world.reporter.client, &world.subject, "77").await.unwrap();
}
