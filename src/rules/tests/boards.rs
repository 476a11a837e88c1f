//! The one comment that is kept up to date.

use super::super::fixture::{RULES, Said, World, asked, proposal};
use crate::action::{Board, Task};
use crate::decision::Decision;
use crate::event::EventKind;
use crate::event::proposal::Standing;
use crate::subject::Verdict;

/// The boards that a decision posts: whether each is news, and its words.
fn boards(decision: &Decision) -> Vec<(bool, String)> {
    let board = |text: &str, board: &Board| {
        let (words, last) = text.rsplit_once("\n\n<!-- ").unwrap();
        assert!(last.contains(&board.word), "{last}");
        (board.is_news, words.replace('\u{2060}', ""))
    };
    let tasks = decision.actions.iter().map(|action| &action.task);
    tasks
        .filter_map(|task| match task {
            Task::Report(report) => Some(board(&report.text, report.board.as_ref()?)),
            Task::Notify(notice) => Some(board(&notice.text, notice.board.as_ref()?)),
            Task::Start(_)
            | Task::Inspect(_)
            | Task::Cancel(_)
            | Task::Inquire(_)
            | Task::Survey(_)
            | Task::Apply(_)
            | Task::Push(_) => None,
        })
        .collect()
}

#[test]
fn a_verdict_is_told_in_the_one_comment_and_a_change_of_it_is_news() {
    let mut world = World::modern(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let failed = boards(&world.is_told('a', EventKind::BuildFinished, Some(Verdict::Failure)));
    assert!(failed[0].0);
    insta::assert_snapshot!(failed[0].1, @r"
    - **tests** at aaaaaaaaaaaa: failed ([build 12](https://ci.example/job/ci/job/pr/12/))

    `/ci retest` runs it again.
    ");
    world.hears(proposal(EventKind::PullRequestUpdated, 'b', 2));
    world.known.previous = Some(Verdict::Failure);
    let passed = boards(&world.is_told('b', EventKind::BuildFinished, Some(Verdict::Success)));
    assert!(passed[0].0);
    world.hears(proposal(EventKind::PullRequestUpdated, 'c', 3));
    world.known.previous = Some(Verdict::Success);
    let passed = boards(&world.is_told('c', EventKind::BuildFinished, Some(Verdict::Success)));
    assert!(!passed[0].0, "the same again disturbs nobody");
}

#[test]
fn an_answer_stands_in_the_one_comment_beside_the_verdicts() {
    let mut world = World::modern(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.is_told('a', EventKind::BuildFinished, Some(Verdict::Success));
    let on = asked('a', Standing::Contributor);
    let said = world.says(&Said { on, ..Said::by_maintainer("/ci retest", 'a') });
    let boards = boards(&said[0]);
    assert!(boards[0].0);
    insta::assert_snapshot!(boards[0].1, @r"
    - **tests** at aaaaaaaaaaaa: passed ([build 12](https://ci.example/job/ci/job/pr/12/))

    grace: /ci retest

    - **tests** has passed; `/ci test tests` runs it all the same
    ");
}

#[test]
fn an_operator_has_words_of_their_own() {
    let own = format!("{RULES}\n[texts]\nretest = \"Again: {{{{ prefix }}}} retest\"\n");
    let mut world = World::modern(&own);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let failed = boards(&world.is_told('a', EventKind::BuildFinished, Some(Verdict::Failure)));
    assert!(failed[0].1.ends_with("Again: /ci retest"), "{}", failed[0].1);
}
