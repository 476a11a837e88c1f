//! Where trust ends: whoever pushes, other branches, other projects, and rules that only wait.

use super::super::fixture::{RULES, Said, World, asked, comment, kinds, proposal, sha, unknown};
use super::people::held;
use crate::action::{Form, Stage, Task};
use crate::decision::Outcome;
use crate::event::proposal::{Asked, CommentEvent, PullRequestEvent, Standing};
use crate::event::{Event, EventKind};
use crate::run::RunState;
use crate::subject::Verdict;

#[test]
fn what_somebody_else_pushes_to_a_trusted_author_s_branch_waits_for_the_lower_of_both() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let pushed = PullRequestEvent {
        agent: Some("mallory".to_owned()),
        ..proposal(EventKind::PullRequestUpdated, 'b', 2)
    };
    let told = world.hears(pushed.clone());
    assert_eq!(told.considered[0].outcome, Outcome::Asks);
    let answer = |pusher| PullRequestEvent {
        asked: Some(Asked { standing: Some(Standing::Maintainer), pusher: Some(pusher) }),
        ..pushed.clone()
    };
    let held = world.hears(answer(Standing::Stranger));
    assert!(matches!(held.considered[0].outcome, Outcome::Held { .. }));

    // A retest by a contributor does not get around it: the head is still the stranger's.
    let mut on = asked('b', Standing::Maintainer);
    on.asked =
        Some(Asked { standing: Some(Standing::Maintainer), pusher: Some(Standing::Stranger) });
    let said = world.says(&Said { on, ..Said::by_maintainer("/ci test", 'b') });
    assert!(matches!(said[0].considered[0].outcome, Outcome::Held { .. }));

    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.hears(pushed.clone());
    assert_eq!(kinds(&world.hears(answer(Standing::Contributor))), ["start"]);
}

#[test]
fn a_command_where_no_rule_builds_is_for_others() {
    let mut world = World::new(RULES);
    let on = PullRequestEvent {
        project: "elsewhere".to_owned(),
        ..proposal(EventKind::CommentAdded, 'a', 1)
    };
    let said = CommentEvent { on, comment: comment("1", "recheck", "grace") };
    let decision = world.decides(&Event::Comment(said));
    assert_eq!(kinds(&decision), [""; 0]);
    assert_eq!(decision.remarks, ["its commands are for others: no rule builds here"]);
}

#[test]
fn a_command_on_a_proposal_that_nobody_told_of_does_not_make_it_old_news() {
    let mut world = World::new(RULES);
    let stranger = Standing::Stranger;
    world.says(&Said { standing: stranger, ..Said::by_maintainer("/ci help", 'a') });
    assert_eq!(kinds(&world.hears(proposal(EventKind::PullRequestOpened, 'a', 1))), ["start"]);
}

#[test]
fn another_target_is_news_and_takes_an_approval_back() {
    let mut world = held('a');
    world.says(&Said::by_maintainer(&format!("/ci ok {}", sha('a')), 'a'));
    world.is_told('a', EventKind::BuildFinished, Some(Verdict::Success));
    let moved = PullRequestEvent {
        target: "stable-1".to_owned(),
        ..unknown(EventKind::PullRequestUpdated, 'a', 20)
    };
    let told = world.hears(moved.clone());
    assert_eq!(told.considered[0].outcome, Outcome::Asks);
    assert!(world.known.subject.as_ref().unwrap().approval.is_none());
}

#[test]
fn a_rule_that_is_built_by_command_only_heeds_nothing_else() {
    let rules = RULES.replace(
        "on = [\"pull_request.opened\", \"pull_request.updated\", \"pull_request.reopened\"]",
        "on = \"command.test\"",
    );
    let mut world = World::new(&rules);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let trusted =
        |text| Said { on: asked('a', Standing::Contributor), ..Said::by_maintainer(text, 'a') };
    assert_eq!(kinds(&world.says(&trusted("/ci retest"))[0]), ["notify"]);
    assert_eq!(kinds(&world.says(&trusted("/ci test"))[0]), ["start", "report"]);

    // What it holds is started by an approval all the same.
    let mut world = World::new(&rules);
    world.says(&Said::by_maintainer("/ci test", 'a'));
    assert_eq!(world.run('a').state, RunState::Held);
    let text = format!("/ci ok {}", sha('a'));
    world.says(&Said { at: 10, ..Said::by_maintainer(&text, 'a') });
    assert_eq!(world.run('a').state, RunState::Ordered);
}

#[test]
fn the_flag_of_what_waited_and_is_cancelled_says_so() {
    let mut world = held('a');
    let closed = world.hears(unknown(EventKind::PullRequestClosed, 'a', 2));
    let Task::Report(report) = &closed.actions[0].task else { panic!() };
    assert_eq!((report.form, report.stage), (Form::Flag, Stage::Done(Verdict::Cancelled)));
}

#[test]
fn the_operator_s_word_counts_in_conditions_too() {
    let rules = RULES.replace("not pull_request.draft", "standing == 'maintainer'");
    let mut world = World::new(&rules);
    let opened = PullRequestEvent {
        author_id: Some("1".to_owned()),
        ..unknown(EventKind::PullRequestOpened, 'a', 1)
    };
    assert_eq!(kinds(&world.hears(opened)), ["start"]);
    let blocked = PullRequestEvent {
        author_id: Some("66".to_owned()),
        standing: Some(Standing::Maintainer),
        ..unknown(EventKind::PullRequestOpened, 'b', 2)
    };
    let decision = World::new(&rules).hears(blocked);
    assert!(matches!(decision.considered[0].outcome, Outcome::Not { .. }));
}
