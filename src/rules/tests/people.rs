//! Stories of strangers and maintainers: who is asked about, what waits, and what commands do.

use super::super::fixture::{RULES, Said, World, asked, comment, kinds, proposal, sha, unknown};
use crate::action::{Form, Inquiry, Stage, Task};
use crate::decision::{Decision, Outcome};
use crate::event::proposal::{CommentEvent, PullRequestEvent, Standing};
use crate::event::{Event, EventKind};
use crate::run::RunState;
use crate::subject::Verdict;

/// The words of all answers.
fn answers(decisions: &[Decision]) -> String {
    let texts = decisions.iter().flat_map(|decision| &decision.actions).filter_map(|action| {
        let Task::Notify(notice) = &action.task else { return None };
        notice.text.rsplit_once("\n\n`pointsman:").map(|(words, _)| words.to_owned())
    });
    let seam = '\u{2060}';
    texts.collect::<Vec<_>>().join("\n---\n").replace(seam, "")
}

/// A world with a stranger's proposal, whose build waits.
pub(super) fn held(head: char) -> World {
    let mut world = World::new(RULES);
    world.hears(unknown(EventKind::PullRequestOpened, head, 1));
    world.hears(PullRequestEvent {
        event: EventKind::PullRequestOpened,
        ..asked(head, Standing::Stranger)
    });
    world
}

#[test]
fn of_an_unknown_author_the_forge_is_asked_once() {
    let mut world = World::new(RULES);
    let opened = world.hears(unknown(EventKind::PullRequestOpened, 'a', 1));
    assert_eq!(opened.considered[0].outcome, Outcome::Asks);
    assert_eq!(kinds(&opened), ["inquire"]);
    let Task::Inquire(Inquiry::Author { proposal: about, .. }) = &opened.actions[0].task else {
        panic!()
    };
    assert_eq!(about.author_id.as_deref(), Some("5"));

    let answer = PullRequestEvent {
        event: EventKind::PullRequestOpened,
        ..asked('a', Standing::Contributor)
    };
    assert_eq!(kinds(&world.hears(answer)), ["start"]);
}

#[test]
fn a_stranger_is_built_only_if_the_rule_says_so() {
    let open = RULES.replace("when = [", "trust = \"anyone\"\nwhen = [");
    let opened = World::new(&open).hears(unknown(EventKind::PullRequestOpened, 'a', 1));
    assert_eq!(kinds(&opened), ["start"]);
}

#[test]
fn what_waits_says_so_on_the_commit() {
    let mut world = World::new(RULES);
    world.hears(unknown(EventKind::PullRequestOpened, 'a', 1));
    let answer =
        PullRequestEvent { event: EventKind::PullRequestOpened, ..asked('a', Standing::Stranger) };
    let decision = world.hears(answer);
    assert!(matches!(decision.considered[0].outcome, Outcome::Held { .. }));
    assert_eq!(kinds(&decision), ["report"]);
    let Task::Report(report) = &decision.actions[0].task else { panic!() };
    assert_eq!((report.form, report.stage), (Form::Flag, Stage::Held));
    assert_eq!(report.text, "tests: waiting for approval");
    assert_eq!(world.run('a').state, RunState::Held);
}

#[test]
fn an_answer_about_a_head_that_is_gone_is_no_news() {
    let mut world = World::new(RULES);
    world.hears(unknown(EventKind::PullRequestOpened, 'a', 1));
    world.hears(unknown(EventKind::PullRequestUpdated, 'b', 2));
    let late = world.hears(PullRequestEvent {
        event: EventKind::PullRequestOpened,
        ..asked('a', Standing::Maintainer)
    });
    assert_eq!(late.not_news.as_deref(), Some("it has moved on since its forge was asked"));
    assert_eq!(kinds(&late), [""; 0]);
}

#[test]
fn rules_that_need_not_ask_are_not_asked_twice() {
    let both = format!(
        "{RULES}\n[[rule]]\nname = \"lint\"\ntrust = \"anyone\"\non = \"pull_request.opened\"\n\
         build = {{ on = \"builds.main\", job = \"lint\" }}\n\
         [[rule.notify]]\nto = \"chat.ops\"\ntext = \"new: {{{{ title }}}}\"\n"
    );
    let mut world = World::new(&both);
    let opened = world.hears(unknown(EventKind::PullRequestOpened, 'a', 1));
    assert_eq!(kinds(&opened), ["start", "notify", "inquire"]);
    let answer = world.hears(PullRequestEvent {
        event: EventKind::PullRequestOpened,
        ..asked('a', Standing::Contributor)
    });
    assert_eq!(kinds(&answer), ["start"]);
    assert_eq!(answer.considered.len(), 1);
}

#[test]
fn an_approval_of_the_whole_commit_id_starts_what_waits() {
    let mut world = held('a');
    let text = format!("/ci ok {}", sha('a'));
    let said = world.says(&Said::by_maintainer(&text, 'a'));
    assert_eq!(kinds(&said[0]), ["start", "report", "notify"]);
    insta::assert_snapshot!(answers(&said), @r"
    grace: /ci ok aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

    aaaaaaaaaaaa may be built, and nothing that is pushed after it.
    - **tests** is started
    ");
    let run = world.run('a');
    assert_eq!((run.state, run.attempt), (RunState::Ordered, 1));
}

#[test]
fn an_approval_of_an_old_head_is_refused_and_says_the_new_one() {
    let mut world = held('a');
    world.hears(unknown(EventKind::PullRequestUpdated, 'b', 2));
    let text = format!("/ci ok {}", sha('a'));
    let said = world.says(&Said::by_maintainer(&text, 'b'));
    assert_eq!(kinds(&said[0]), ["notify"]);
    assert!(answers(&said).contains("is at bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb by now"));
    assert_eq!(world.known.subject.unwrap().approval, None);
}

#[test]
fn an_approval_that_was_overtaken_by_a_push_is_refused_whoever_is_heard_first() {
    // The push is known here, but the forge told of the old head when it was asked.
    let mut world = held('a');
    world.hears(unknown(EventKind::PullRequestUpdated, 'b', 2));
    let text = format!("/ci ok {}", sha('a'));
    let said = world.says(&Said::by_maintainer(&text, 'a'));
    assert_eq!(kinds(&said[0]), ["notify"]);
    assert!(world.known.subject.unwrap().approval.is_none());
}

#[test]
fn a_push_takes_an_approval_back() {
    let mut world = held('a');
    let text = format!("/ci ok {}", sha('a'));
    world.says(&Said::by_maintainer(&text, 'a'));
    let pushed = world.hears(unknown(EventKind::PullRequestUpdated, 'b', 20));
    assert_eq!(kinds(&pushed), ["cancel", "inquire"]);
    let answer = world.hears(PullRequestEvent {
        at: Some(crate::clock::from_millis(20)),
        ..asked('b', Standing::Stranger)
    });
    assert!(matches!(answer.considered[0].outcome, Outcome::Held { .. }));
    assert_eq!(world.run('b').state, RunState::Held);
}

#[test]
fn without_a_commit_id_the_head_must_have_been_there_before_the_comment() {
    for (written, is_heeded) in [(9, true), (1, false)] {
        let mut world = held('a');
        let said = Said { at: written, ..Said::by_maintainer("/ci ok", 'a') };
        world.says(&said);
        let approval = world.known.subject.unwrap().approval;
        assert_eq!(approval.is_some(), is_heeded, "written at {written}");
    }
}

#[test]
fn the_beginning_of_a_commit_id_counts_only_for_what_was_there_before_the_comment() {
    let cases = [("aaaaaaaaaaaa", 9, true), ("aaaaaaaaaaaa", 1, false), ("bbbbbbbbbbbb", 9, false)];
    for (given, written, is_heeded) in cases {
        let mut world = held('a');
        let text = format!("/ci ok {given}");
        world.says(&Said { at: written, ..Said::by_maintainer(&text, 'a') });
        let approval = world.known.subject.unwrap().approval;
        assert_eq!(approval.is_some(), is_heeded, "{given} at {written}");
    }
}

#[test]
fn only_maintainers_approve() {
    for standing in [Standing::Stranger, Standing::Contributor] {
        let mut world = held('a');
        let text = format!("/ci ok {}", sha('a'));
        let said = world.says(&Said { standing, ..Said::by_maintainer(&text, 'a') });
        assert_eq!(kinds(&said[0]), ["notify"]);
        assert!(answers(&said).contains("is for maintainers"), "{}", answers(&said));
    }
}

#[test]
fn what_the_operator_says_of_people_counts_more_than_the_forge() {
    let text = format!("/ci ok {}", sha('a'));
    let mut world = held('a');
    let stranger = Standing::Stranger;
    world.says(&Said { id: "1", standing: stranger, ..Said::by_maintainer(&text, 'a') });
    assert!(world.known.subject.as_ref().unwrap().approval.is_some());

    let mut world = held('a');
    let blocked = world.says(&Said { id: "66", ..Said::by_maintainer(&text, 'a') });
    assert_eq!(blocked[0].not_news.as_deref(), Some("its giver is blocked"));
    assert_eq!(kinds(&blocked[0]), [""; 0]);
}

#[test]
fn an_approval_can_be_taken_back() {
    let mut world = held('a');
    let text = format!("/ci ok {}", sha('a'));
    world.says(&Said::by_maintainer(&text, 'a'));
    let cancel = Said { at: 10, ..Said::by_maintainer("/ci ok cancel", 'a') };
    assert!(answers(&world.says(&cancel)).contains("may not be built any more"));
    assert!(world.known.subject.unwrap().approval.is_none());
}

#[test]
fn a_stranger_retests_nothing_and_is_told_so() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.is_told('a', EventKind::BuildFinished, Some(Verdict::Failure));
    let said = Said { standing: Standing::Stranger, ..Said::by_maintainer("/ci retest", 'a') };
    let said = world.says(&said);
    assert_eq!(kinds(&said[0]), ["notify"]);
    insta::assert_snapshot!(answers(&said), @r"
    grace: /ci retest

    grace is a stranger here, and `retest` is for contributors and maintainers.
    ");
}

#[test]
fn retest_builds_again_what_failed_and_the_flag_is_the_answer() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.is_told('a', EventKind::BuildFinished, Some(Verdict::Failure));
    let trusted =
        |text| Said { on: asked('a', Standing::Contributor), ..Said::by_maintainer(text, 'a') };
    let said = world.says(&trusted("/ci retest"));
    assert_eq!(kinds(&said[0]), ["start", "report"]);
    assert_eq!(world.run('a').attempt, 2);

    // Said again while it is pending: the answer is where it is.
    let again = world.says(&Said { at: 10, ..trusted("/ci retest ") });
    assert_eq!(kinds(&again[0]), ["notify"]);
    assert!(answers(&again).contains("**tests** is waiting in the queue already"));
}

#[test]
fn retest_leaves_alone_what_has_passed_unless_it_is_named() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.is_told('a', EventKind::BuildFinished, Some(Verdict::Success));
    let trusted =
        |text| Said { on: asked('a', Standing::Contributor), ..Said::by_maintainer(text, 'a') };
    let said = world.says(&trusted("/ci retest"));
    assert!(answers(&said).contains("has passed; `/ci test tests` runs it all the same"));
    assert_eq!(kinds(&world.says(&trusted("/ci retest tests"))[0]), ["start", "report"]);
}

#[test]
fn a_name_that_is_none_is_answered_with_the_nearest() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let said = world.says(&Said::by_maintainer("/ci test test", 'a'));
    insta::assert_snapshot!(answers(&said), @r"
    grace: /ci test test

    There is no check test here; did you mean `tests`? There are: tests.
    ");
    let said = world.says(&Said::by_maintainer("/ci tset", 'a'));
    assert!(answers(&said).contains("did you mean `test`?"), "{}", answers(&said));
}

#[test]
fn cancel_stops_what_runs() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let said = world.says(&Said::by_maintainer("/ci cancel", 'a'));
    assert_eq!(kinds(&said[0]), ["cancel"]);
    assert_eq!(world.run('a').cancelling.as_deref(), Some("grace asked for it"));
    let again = world.says(&Said::by_maintainer("/ci cancel tests", 'a'));
    assert!(answers(&again).contains("There is no check tests here"), "{}", answers(&again));
}

#[test]
fn a_closed_proposal_is_not_built() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    world.hears(proposal(EventKind::PullRequestClosed, 'a', 2));
    let said = world.says(&Said::by_maintainer("/ci test", 'a'));
    assert!(answers(&said).contains("The pull request is closed."));
}

#[test]
fn more_commands_than_the_limit_are_answered_once_and_then_no_more() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let limit = world.rules.directory().commands.per_hour();
    world.known.given = limit;
    assert!(answers(&world.says(&Said::by_maintainer("/ci test", 'a'))).contains("More than"));
    world.known.given = limit + 1;
    let silent = world.says(&Said::by_maintainer("/ci test", 'a'));
    assert!(silent[0].not_news.is_some());
    assert_eq!(kinds(&silent[0]), [""; 0]);
}

#[test]
fn a_comment_is_asked_about_and_an_edit_runs_only_what_it_adds() {
    let mut world = World::new(RULES);
    world.hears(proposal(EventKind::PullRequestOpened, 'a', 1));
    let comment = |kind: EventKind, text: &str| {
        Event::Comment(CommentEvent {
            on: proposal(kind, 'a', 1),
            comment: comment("1", text, "grace"),
        })
    };
    let inquiry = |decision: &Decision| -> Vec<String> {
        let tasks = decision.actions.iter().map(|action| &action.task);
        let mut found = tasks.filter_map(|task| {
            let Task::Inquire(Inquiry::Commands { commands, .. }) = task else { return None };
            Some(commands.iter().map(|command| command.text.clone()).collect())
        });
        found.next().unwrap_or_default()
    };
    let added = world.decides(&comment(EventKind::CommentAdded, "/ci test"));
    assert_eq!(inquiry(&added), ["/ci test"]);
    let edited = world.decides(&comment(EventKind::CommentEdited, "/ci test\n\n/ci why"));
    assert_eq!(inquiry(&edited), ["/ci why"]);
    let edited = world.decides(&comment(EventKind::CommentEdited, "/ci test\n\n/ci  why "));
    assert_eq!(inquiry(&edited).len(), usize::from(!inquiry(&edited).is_empty()));

    // An edit of a comment that nobody has heard of runs nothing.
    world.known.commands = None;
    let edited = world.decides(&comment(EventKind::CommentEdited, "/ci cancel"));
    assert_eq!(inquiry(&edited), [""; 0]);
}

#[test]
fn why_tells_the_condition_that_failed_and_where_it_stands() {
    let mut world = World::new(RULES);
    let mut draft = proposal(EventKind::PullRequestOpened, 'a', 1);
    draft.pull_request.draft = true;
    let decision = world.hears(draft);
    let past = crate::decision::Past { kind: EventKind::PullRequestOpened, at: 0, decision };
    world.known.history = vec![past];
    world.known.now = 120_000;
    let stranger = Standing::Stranger;
    let said = world.says(&Said { standing: stranger, ..Said::by_maintainer("/ci why", 'a') });
    insta::assert_snapshot!(answers(&said), @r"
    grace: /ci why

    - pull_request.opened, 2 min ago
      - **tests** (rules.toml:3): `not pull_request.draft` is false (pull_request.draft is true)
    ");
    let help = world.says(&Said { standing: stranger, ..Said::by_maintainer("/ci help", 'a') });
    assert!(answers(&help).contains("Checks here: tests."), "{}", answers(&help));
}
