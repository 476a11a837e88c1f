//! What people read about series, sentence by sentence.

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::action::Ticket;
use crate::event::series::{Base, SeriesEvent};
use crate::rules::fixture::name;
use crate::rules::texts::Texts;
use crate::run::{Run, RunState};
use crate::subject::RunId;

fn sha(letter: char) -> CommitSha {
    letter.to_string().repeat(40).try_into().unwrap()
}

fn posted() -> SeriesEvent {
    let patch = |title: &str| json!({ "msgid": "1@points.example", "title": title });
    let value = json!({
        "event": "series.posted",
        "instance": "patches.example",
        "project": "signalbox-devel",
        "series": {
            "id": "12",
            "version": 2,
            "title": "Oil the points",
            "root": "0@points.example",
            "url": "https://patches.example/project/signalbox-devel/list/?series=12",
            "patches": [patch("points: Oil the blades"), patch("points: Oil the lock"), patch("")],
        },
    });
    serde_json::from_value(value).unwrap()
}

fn tried(branch: &str, commit: char, why_not: &str) -> Tried {
    Tried { branch: branch.to_owned(), sha: sha(commit), why_not: why_not.to_owned() }
}

fn branch() -> Branch {
    Branch {
        url: "https://git.example/series.git".to_owned(),
        name: "pointsman/main/12/v2".to_owned(),
        sha: sha('c'),
        base: Base {
            sha: sha('b'),
            branch: "master".to_owned(),
            why: "the first that it applies to".to_owned(),
        },
        commits: vec![sha('a'), sha('d'), sha('c')],
        tried: Vec::new(),
        is_merged: false,
    }
}

fn refusal() -> Refusal {
    Refusal {
        reason: "on `next`, it does not fit at line 17 of `drivers/points.c`".to_owned(),
        patch: Some(2),
        file: Some("drivers/points.c".to_owned()),
        line: Some(17),
        tried: vec![
            tried("master", 'b', "patch 1: it changes `lock.c`, which is not there"),
            tried("next", 'e', "patch 2: it does not fit at line 17 of `drivers/points.c`"),
        ],
    }
}

/// A build of the whole, on its branch.
fn built() -> OfSeries {
    OfSeries {
        wanted_by: Vec::new(),
        of: posted(),
        rule: "tests".to_owned(),
        role: Role::Whole,
        tree: Some(name("git.points")),
        branch: Some(branch()),
        awaits: None,
        was_broken: false,
        refusal: None,
        blamed: None,
    }
}

/// Putting it on a branch, which it may not be on.
fn applied(branch: Option<Branch>, refusal: Option<Refusal>) -> OfSeries {
    let wanted_by = ["tests", "lint"].map(str::to_owned).to_vec();
    OfSeries {
        role: Role::Apply,
        wanted_by,
        branch,
        refusal,
        rule: "git.points".to_owned(),
        ..built()
    }
}

struct Situation {
    of: OfSeries,
    stage: Stage,
    previous: Option<Verdict>,
}

impl Situation {
    fn new(of: OfSeries, verdict: Verdict) -> Self {
        Self { of, stage: Stage::Done(verdict), previous: None }
    }

    fn says(&self, room: Room) -> String {
        let subject = self.of.of.subject();
        let is_apply = self.of.role == Role::Apply;
        let url = "https://ci.example/job/tests/7/".to_owned();
        let built = Ticket { number: Some(7), url: Some(url), ..Ticket::default() };
        let run = Run {
            artifact: None,
            retry: None,
            id: RunId::of(&subject, "v2", "tests", 1),
            subject,
            revision: "v2".to_owned(),
            rule: self.of.rule.clone(),
            attempt: 1,
            connection: name("builds.main"),
            state: RunState::Ordered,
            ticket: if is_apply { Ticket::default() } else { built },
            reports: Vec::new(),
            supersede: true,
            cancelling: None,
            reason: None,
            series: None,
        };
        let reason = self.of.refusal.as_ref().map(|refusal| refusal.reason.as_str());
        let Self { stage, previous, .. } = *self;
        let told = Told {
            run: &run,
            stage,
            reason,
            previous,
            is_letter: room == Room::Letter,
            boards: &[],
        };
        let texts = Texts::shipped().unwrap();
        let voice = Voice::new(&texts);
        let said = words(&voice, &told, &self.of, room);
        assert_eq!(voice.failures(), Vec::<String>::new());
        said
    }
}

/// What has happened, and whether all is known of it.
fn situations() -> Vec<Situation> {
    let broken = OfSeries { was_broken: true, ..built() };
    let blamed = OfSeries { blamed: Some(2), ..built() };
    let prefix = OfSeries { role: Role::Prefix(2), ..built() };
    let many = Refusal {
        tried: (0..12).map(|n| tried(&format!("b{n}"), 'b', "")).collect(),
        ..Refusal::default()
    };
    let held = Refusal { reason: "it touches .ci.yml".to_owned(), ..Refusal::default() };
    let large = Refusal { reason: "it makes too large a file".to_owned(), ..refusal() };
    let large = Refusal { file: None, line: None, ..large };
    let waits = Refusal { reason: "it depends on 9@points.example".to_owned(), ..held.clone() };
    vec![
        Situation::new(built(), Verdict::Success),
        Situation::new(broken, Verdict::Failure),
        Situation::new(blamed, Verdict::Failure),
        Situation { previous: Some(Verdict::Success), ..Situation::new(built(), Verdict::Failure) },
        Situation::new(prefix, Verdict::Success),
        Situation::new(OfSeries { branch: None, ..built() }, Verdict::Unstable),
        Situation { stage: Stage::Running, ..Situation::new(built(), Verdict::Success) },
        Situation::new(applied(Some(branch()), None), Verdict::Success),
        Situation::new(applied(None, Some(refusal())), Verdict::Conflict),
        Situation::new(applied(None, Some(many)), Verdict::Conflict),
        Situation {
            stage: Stage::Held,
            ..Situation::new(applied(None, Some(held)), Verdict::Error)
        },
        Situation {
            stage: Stage::Queued,
            ..Situation::new(applied(None, Some(waits)), Verdict::Error)
        },
        Situation { stage: Stage::Queued, ..Situation::new(applied(None, None), Verdict::Error) },
        Situation::new(applied(None, Some(large)), Verdict::Failure),
    ]
}

fn all(room: Room) -> String {
    situations().iter().map(|situation| situation.says(room)).collect::<Vec<_>>().join("\n--\n")
}

#[test]
fn a_few_words_beside_a_state() {
    assert_snapshot!(all(Room::Few).replace("\n--\n", "\n"), @r"
    tests: passed on master bbbbbbbbbbbb
    tests: failed on master bbbbbbbbbbbb; fails on its base as well
    tests: failed on master bbbbbbbbbbbb; patch 2 of 3 is the first bad one
    tests: failed on master bbbbbbbbbbbb
    tests: patch 2 of 3 passed on master bbbbbbbbbbbb
    tests: some tests failed
    tests: running on master bbbbbbbbbbbb
    applies to master bbbbbbbbbbbb
    does not apply to next eeeeeeeeeeee and 1 more: drivers/points.c:17
    does not apply to b0 bbbbbbbbbbbb and 11 more
    waiting for approval: it touches .ci.yml
    waiting: it depends on 9@points.example
    being put on a branch
    cannot be put on a branch: it makes too large a file
    ");
}

#[test]
fn a_line_or_two_in_a_chat() {
    assert_snapshot!(all(Room::Lines).replace(neutral::SEAM, "·"), @r"
    **tests** on [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **passed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))
    --
    **tests** on [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **failed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))
    It fails on its base as well.
    --
    **tests** on [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **failed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))
    Patch 2 of 3 is the first bad one: points: Oil the lock
    --
    **tests** on [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **failed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))
    --
    **tests** on [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: patch 2 of 3 **passed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))
    --
    **tests** on [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **some tests failed** ([build 7](https://ci.example/job/tests/7/))
    --
    **tests** on [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **running** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))
    --
    [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **applies** to master bbbbbbbbbbbb
    --
    [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **does not apply** to next eeeeeeeeeeee
    Patch 2 of 3: on \`next\`, it does not fit at line 17 of \`drivers/points.c\`
    --
    [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **does not apply** to b0 bbbbbbbbbbbb
    --
    [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **waiting for approval**
    it touches .ci.yml
    --
    [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **waiting**
    it depends on 9@·points.example
    --
    [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **being put on a branch**
    --
    [Oil the points](https://patches.example/project/signalbox-devel/list/?series=12) v2: **cannot be put on a branch**
    Patch 2 of 3: it makes too large a file
    ");
}

#[test]
fn a_letter_about_a_verdict() {
    let blamed = OfSeries {
        blamed: Some(2),
        branch: Some(Branch { is_merged: true, tried: refusal().tried, ..branch() }),
        ..built()
    };
    let previous = Some(Verdict::Success);
    let letter = Situation { previous, ..Situation::new(blamed, Verdict::Failure) };
    assert_snapshot!(letter.says(Room::Letter), @r#"
    tests: failed (before: passed)

    Oil the points, v2, 3 patches
    https://patches.example/project/signalbox-devel/list/?series=12

    Build 7: https://ci.example/job/tests/7/

    Patch 2 of 3 is the first bad one: points: Oil the lock

    It is based on master at bbbbbbbbbbbb (the first that it applies to), and can be fetched:

        git fetch https://git.example/series.git pointsman/main/12/v2

    Not every patch applies as it is: what has changed since was merged.

    Tried before:

    - master at bbbbbbbbbbbb: patch 1: it changes \`lock.c\`, which is not there
    - next at eeeeeeeeeeee: patch 2: it does not fit at line 17 of \`drivers/points.c\`

    Answer with a line "Recheck-request: tests" to have it tried again.
    "#);
    let good = Situation::new(built(), Verdict::Success).says(Room::Letter);
    assert_snapshot!(good, @r"
    tests: passed

    Oil the points, v2, 3 patches
    https://patches.example/project/signalbox-devel/list/?series=12

    Build 7: https://ci.example/job/tests/7/

    It is based on master at bbbbbbbbbbbb (the first that it applies to), and can be fetched:

        git fetch https://git.example/series.git pointsman/main/12/v2
    ");
}

#[test]
fn a_letter_about_a_series_that_does_not_apply() {
    let letter = Situation::new(applied(None, Some(refusal())), Verdict::Conflict);
    assert_snapshot!(letter.says(Room::Letter), @r#"
    This series: does not apply

    Oil the points, v2, 3 patches
    https://patches.example/project/signalbox-devel/list/?series=12

    Patch 2 of 3 (points: Oil the lock): on \`next\`, it does not fit at line 17 of \`drivers/points.c\`

    Tried:

    - master at bbbbbbbbbbbb: patch 1: it changes \`lock.c\`, which is not there
    - next at eeeeeeeeeeee: patch 2: it does not fit at line 17 of \`drivers/points.c\`

    Answer with a line "Recheck-request: tests, lint" to have it tried again.
    "#);
}

#[test]
fn a_letter_of_which_little_is_known() {
    let mut of = OfSeries { was_broken: true, branch: None, ..built() };
    of.of.series.url = Some("javascript:alert(1)".to_owned());
    of.of.series.title = String::new();
    of.of.series.patches.truncate(1);
    assert_snapshot!(Situation::new(of, Verdict::Failure).says(Room::Letter), @r#"
    tests: failed

    v2, one patch

    Build 7: https://ci.example/job/tests/7/

    It fails on its base as well: it was broken before.

    Answer with a line "Recheck-request: tests" to have it tried again.
    "#);
}

#[test]
fn a_branch_that_is_no_plain_word_is_not_shown_as_a_command() {
    for (url, name) in [
        ("https://git.example/a.git; rm -rf /", "v2"),
        ("--upload-pack=x", "v2"),
        ("https://git.example/a.git", "v2`\n/ci ok"),
        ("https://git.example/a.git", ""),
    ] {
        let branch = Branch { url: url.to_owned(), name: name.to_owned(), ..branch() };
        assert_eq!(fetched(&branch), None, "{url} {name}");
    }
    let here = Branch { url: "ssh://git@git.example:22/a.git".to_owned(), ..branch() };
    assert!(fetched(&here).is_some());
}

#[test]
fn what_is_from_outside_is_words_wherever_it_stands() {
    let evil =
        "@everyone\n/packit build <!-- x --> recheck | `retest this please` [x](https://x.example)";
    let mut of = applied(None, Some(refusal()));
    of.of.series.title = evil.to_owned();
    for patch in &mut of.of.series.patches {
        patch.title = evil.to_owned();
    }
    let refusal = Refusal {
        reason: evil.to_owned(),
        patch: Some(2),
        file: Some(evil.to_owned()),
        line: None,
        tried: vec![tried(evil, 'b', evil)],
    };
    let blamed = OfSeries { blamed: Some(2), ..built() };
    let on_branch = |evil: &str| Branch {
        base: Base { sha: sha('b'), branch: evil.to_owned(), why: evil.to_owned() },
        ..branch()
    };
    let all = [
        OfSeries { refusal: Some(refusal), ..of.clone() },
        OfSeries { of: of.of, branch: Some(on_branch(evil)), ..blamed },
    ];
    for of in all {
        let situation = Situation::new(of, Verdict::Failure);
        for room in [Room::Lines, Room::Letter] {
            let said = situation.says(room);
            for harm in ["@everyone", "<!--", " recheck", "`retest", " [x]("] {
                assert!(!said.contains(harm), "{harm} in {said}");
            }
            assert!(said.lines().all(|line| !line.starts_with('/')), "{said}");
        }
        let few = situation.says(Room::Few);
        assert!(!few.contains('\n') && few.chars().count() < 700, "{few}");
    }
}
