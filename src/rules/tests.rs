//! Stories of decisions, told with values only.

use super::decide;
use super::decide::{Breadth, decide_among};
use super::fixture::{RULES, World, kinds, proposal, rules};
use crate::action::{Form, Stage, Task};
use crate::decision::{Known, Outcome};
use crate::event::proposal::{CommentEvent, Head, PullRequestEvent, Standing};
use crate::event::{Event, EventKind};
use crate::run::RunState;
use crate::subject::Verdict;

#[test]
fn a_proposed_change_is_built_once_however_often_it_is_told() {
    let mut world = World::new(RULES);
    let first = world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    assert_eq!(kinds(&first), ["start"]);
    let Task::Start(order) = &first.actions[0].task else { panic!() };
    assert_eq!(order.job, "ci/pr");
    assert_eq!(order.parameters["BRANCH"], "oil");

    let again = world.hears(proposal(EventKind::PullRequestUpdated, 'a', 1));
    assert_eq!(again.not_news.as_deref(), Some("its head is known already"));
}

#[test]
fn a_push_cancels_the_older_build_and_starts_a_new_one() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let pushed = world.hears(proposal(EventKind::PullRequestUpdated, 'b', 2));
    assert_eq!(kinds(&pushed), ["cancel", "start"]);
    assert_eq!(world.run('a').cancelling.as_deref(), Some("superseded by bbbbbbbbbbbb"));
}

#[test]
fn a_rule_may_let_older_builds_run_on() {
    let mut world = World::new(&RULES.replace("when = [", "supersede = false\nwhen = ["));
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let pushed = world.hears(proposal(EventKind::PullRequestUpdated, 'b', 2));
    assert_eq!(kinds(&pushed), ["start"]);
}

#[test]
fn a_late_message_about_an_older_head_changes_nothing() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.hears(proposal(EventKind::PullRequestUpdated, 'b', 3));
    let late = world.hears(proposal(EventKind::PullRequestUpdated, 'c', 2));
    assert_eq!(late.not_news.as_deref(), Some("it is older than what is known already"));
    let late = world.hears(proposal(EventKind::PullRequestUpdated, 'a', 3));
    assert_eq!(late.not_news.as_deref(), Some("it is about an older head"));
    assert_eq!(kinds(&late), [""; 0]);
}

#[test]
fn a_push_back_to_an_older_head_is_news() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.hears(proposal(EventKind::PullRequestUpdated, 'b', 2));
    let back = world.hears(proposal(EventKind::PullRequestUpdated, 'a', 3));
    assert_eq!(kinds(&back), ["cancel", "start"]);
    assert_eq!(world.run('a').attempt, 2);
}

#[test]
fn closing_cancels_what_runs_and_reopening_builds_again() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let closed = world.hears(proposal(EventKind::PullRequestClosed, 'a', 2));
    assert_eq!(kinds(&closed), ["cancel"]);
    let again = world.hears(proposal(EventKind::PullRequestClosed, 'a', 2));
    assert_eq!(again.not_news.as_deref(), Some("it is known to be closed"));
    let reopened = world.hears(proposal(EventKind::PullRequestReopened, 'a', 3));
    assert_eq!(kinds(&reopened), ["start"]);
    assert_eq!(world.run('a').attempt, 2);
}

#[test]
fn reopening_what_has_a_verdict_builds_nothing() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.is_told('a', EventKind::BuildFinished, Some(Verdict::Success));
    world.hears(proposal(EventKind::PullRequestClosed, 'a', 2));
    let reopened = world.hears(proposal(EventKind::PullRequestReopened, 'a', 3));
    assert!(matches!(reopened.considered[0].outcome, Outcome::Already { .. }));
}

#[test]
fn every_reason_not_to_fire_is_told() {
    let draft = {
        let mut event = proposal(EventKind::PullRequestOpened, 'a', 1);
        event.pull_request.draft = true;
        event
    };
    let decision = World::new(RULES).hears(draft);
    let Outcome::Not { condition, saw } = &decision.considered[0].outcome else { panic!() };
    assert_eq!(condition, "not pull_request.draft");
    assert_eq!(saw, &[("pull_request.draft".to_owned(), "true".to_owned())]);

    let elsewhere = PullRequestEvent {
        target: "old".to_owned(),
        ..proposal(EventKind::PullRequestOpened, 'a', 1)
    };
    let decision = World::new(RULES).hears(elsewhere);
    assert!(
        matches!(&decision.considered[0].outcome, Outcome::Elsewhere { name, .. } if name == "target")
    );

    let headless = PullRequestEvent {
        head: Head::default(),
        ..proposal(EventKind::PullRequestOpened, 'a', 1)
    };
    let decision = World::new(RULES).hears(headless);
    assert!(
        matches!(&decision.considered[0].outcome, Outcome::Lacks { what } if what == "a head commit")
    );
}

#[test]
fn a_condition_that_fails_is_reported_and_the_other_rules_still_fire() {
    let failing = RULES.replace("not pull_request.draft", "title | int > 3");
    let two = failing + &RULES.replace("\"tests\"", "\"more\"");
    let decision = World::new(&two).hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let words: Vec<_> = decision.considered.iter().map(|rule| rule.outcome.as_str()).collect();
    assert_eq!(words, ["failed", "fired"]);
}

#[test]
fn a_shadow_is_decided_and_nothing_is_done() {
    let decision = World::new(&RULES.replace("when = [", "mode = \"shadow\"\nwhen = ["))
        .hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    assert!(
        matches!(&decision.considered[0].outcome, Outcome::Shadow { actions } if actions.len() == 1)
    );
    assert!(decision.actions.is_empty() && decision.runs.is_empty());
}

#[test]
fn progress_is_flagged_and_the_verdict_is_told_once() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let queued = world.is_told('a', EventKind::BuildQueued, None);
    assert_eq!(kinds(&queued), ["inspect", "report"]);
    let running = world.is_told('a', EventKind::BuildStarted, None);
    assert_eq!(kinds(&running), ["report"]);
    let failed = world.is_told('a', EventKind::BuildFinished, Some(Verdict::Failure));
    assert_eq!(kinds(&failed), ["report", "report"]);
    let Task::Report(comment) = &failed.actions[1].task else { panic!() };
    assert_eq!((comment.form, comment.stage), (Form::Comment, Stage::Done(Verdict::Failure)));
    assert!(comment.text.contains("failed ([build 12](https://ci.example/job/ci/job/pr/12/))"));
    assert!(comment.text.ends_with(&format!("`{}`", comment.marker)));

    let again = world.is_told('a', EventKind::BuildFinished, Some(Verdict::Failure));
    assert!(again.not_news.is_some() && again.actions.is_empty());
    let backwards = world.is_told('a', EventKind::BuildStarted, None);
    assert!(backwards.actions.is_empty());
}

#[test]
fn a_cancelled_run_is_flagged_and_not_commented() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.hears(proposal(EventKind::PullRequestUpdated, 'b', 2));
    let ended = world.is_told('a', EventKind::BuildFinished, Some(Verdict::Cancelled));
    assert_eq!(kinds(&ended), ["report"]);
    let Task::Report(flag) = &ended.actions[0].task else { panic!() };
    assert_eq!(flag.text, "tests: cancelled: superseded by bbbbbbbbbbbb");
}

#[test]
fn an_end_without_a_verdict_is_asked_after() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let ended = world.is_told('a', EventKind::BuildFinished, None);
    assert_eq!(kinds(&ended), ["inspect"]);
    assert_eq!(world.run('a').state, RunState::Ordered);
}

#[test]
fn our_own_comment_is_not_an_event() {
    let text = "**tests** passed\n\n`pointsman:0123456789abcdef0123456789abcdef`\n".to_owned();
    let mut on = proposal(EventKind::PullRequestOpened, 'a', 1);
    on.event = EventKind::CommentAdded;
    let comment = super::fixture::comment("1", &text, "bot");
    let event = Event::Comment(CommentEvent { on, comment });
    let decision = World::new(RULES).decides(&event);
    assert_eq!(decision.not_news.as_deref(), Some("this is our own comment"));
}

#[test]
fn text_from_outside_is_neutral_in_a_notice() {
    let rules = "[[rule]]\nname = 'n'\non = 'pull_request.opened'\n\
                 notify = [{ to = 'chat.ops', text = '{{ title }} {{ url }}' }]";
    let mut event = proposal(EventKind::PullRequestOpened, 'a', 1);
    event.title = "/retest @everyone <!-- -->\nrecheck".to_owned();
    let decision = World::new(rules).hears(event);
    let Task::Notify(notice) = &decision.actions[0].task else { panic!() };
    assert!(!notice.text.starts_with('/') && !notice.text.contains("@everyone"));
    assert!(!notice.text.contains("<!--") && !notice.text.contains("\nrecheck"));
    assert!(notice.text.contains("https://forge.example/signalbox/pull-request/7"));
}

#[test]
fn explaining_asks_the_rules_that_the_index_leaves_out() {
    let event = PullRequestEvent {
        project: "other".to_owned(),
        ..proposal(EventKind::PullRequestOpened, 'a', 1)
    };
    let (rules, event) = (rules(RULES), Event::PullRequest(event));
    assert!(decide(&rules, &event, &Known::default()).considered.is_empty());
    let all = decide_among(&rules, &event, &Known::default(), Breadth::All);
    assert!(
        matches!(&all.considered[0].outcome, Outcome::Elsewhere { name, .. } if name == "project")
    );
}

#[test]
fn a_forge_that_is_not_ours_is_not_believed() {
    let elsewhere = PullRequestEvent {
        instance: "evil.example".to_owned(),
        standing: Some(Standing::Maintainer),
        ..proposal(EventKind::PullRequestOpened, 'a', 1)
    };
    // Not even by a rule that reports nowhere.
    let silent = RULES.replace("report =", "# report =");
    let decision = World::new(&silent).hears(elsewhere);
    assert!(matches!(&decision.considered[0].outcome, Outcome::Lacks { what }
        if what == "a connection for `evil.example`"));
}

#[test]
fn a_comment_on_an_old_head_or_a_closed_proposal_builds_nothing() {
    let rules = RULES.replace("on = [", "on = [\"comment.added\", ");
    let comment = |head, at| {
        let on = proposal(EventKind::CommentAdded, head, at);
        let text = "build it".to_owned();
        let (id, author) = (at.to_string(), "ada".to_owned());
        let comment = super::fixture::comment(&id, &text, &author);
        Event::Comment(CommentEvent { on, comment })
    };
    let mut world = World::new(&rules);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.hears(proposal(EventKind::PullRequestUpdated, 'b', 3));
    assert_eq!(kinds(&world.decides(&comment('a', 2))), [""; 0]);
    world.hears(proposal(EventKind::PullRequestClosed, 'b', 4));
    assert_eq!(kinds(&world.decides(&comment('b', 5))), [""; 0]);
}

#[test]
fn a_verdict_that_we_could_not_learn_is_corrected_when_it_comes() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.is_told('a', EventKind::BuildFinished, Some(Verdict::Error));
    let corrected = world.is_told('a', EventKind::BuildFinished, Some(Verdict::Success));
    assert_eq!(kinds(&corrected)[0], "report");
    assert_eq!(world.run('a').state, RunState::Done(Verdict::Success));
    let again = world.is_told('a', EventKind::BuildFinished, Some(Verdict::Failure));
    assert!(again.actions.is_empty());
}

#[test]
fn the_comment_that_tells_of_a_reopening_is_not_the_reopening() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.hears(proposal(EventKind::PullRequestClosed, 'a', 2));
    let comment = world.hears(proposal(EventKind::PullRequestUpdated, 'a', 3));
    assert!(comment.not_news.is_some());
    let reopened = world.hears(proposal(EventKind::PullRequestReopened, 'a', 3));
    assert_eq!(kinds(&reopened), ["start"]);
}

mod people;
mod boards;
mod limits;
