//! What a faulty rules file is answered with.

use super::super::fixture::directory;
use super::super::{RuleSet, RuleSource};

mod artifact;

/// Every fault in `text`, a line each.
fn faults(text: &str) -> String {
    let source = RuleSource { name: "r.toml".to_owned(), text: text.to_owned() };
    match RuleSet::parse(&[source], directory()) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|fault| fault.line() + "\n").collect(),
    }
}

#[test]
fn unknown_keys_and_values_are_named_with_the_nearest_known_one() {
    insta::assert_snapshot!(faults(
        r#"
[[rule]]
name = "a"
on = "pull_request.opened"
biuld = { on = "builds.main", job = "x" }

[[rule]]
name = "b"
on = "pull_request.opend"
notify = [{ to = "chat.ops", text = "x" }]

[[rule]]
name = "c"
on = "pull_request.opened"
trust = "contributor"
notify = [{ to = "chat.ops", text = "x" }]

[[rules]]
"#
    ), @"
    r.toml:18: unknown key `rules` (did you mean `rule`?)
    r.toml:5: unknown key `biuld` (did you mean `build`?)
    r.toml:9: unknown value `pull_request.opend` (did you mean `pull_request.opened`?)
    r.toml:15: unknown value `contributor` (did you mean `contributors`?)
    ");
}

#[test]
fn names_connections_and_forms_are_checked_against_what_there_is() {
    insta::assert_snapshot!(faults(
        r#"
[[rule]]
name = "a"
on = ["pull_request.opened", "pull_request.updated"]
where = { projekt = "x" }
when = ["head.shaa == 'x'", "titel", "1 +"]
build = { on = "builds.mian", job = "x", parameters = { B = "{{ hed.branch }}" } }
report = [
  { to = "chat.op" },
  { to = "chat.ops", as = "flag" },
  { to = "origin", text = "{{ verdct }}" },
]
"#
    ), @"
    r.toml:5: `where` cannot use `projekt` for `pull_request.opened` (did you mean `project`?)
    r.toml:6: unknown name `head.shaa` (did you mean `head.sha`?)
    r.toml:6: unknown name `titel` (did you mean `title`?)
    r.toml:6: unexpected end of input, expected expression
    r.toml:7: no connection `builds.mian` that runs builds (did you mean `builds.main`?)
    r.toml:7: unknown name `hed.branch` (did you mean `head.branch`?)
    r.toml:9: no connection `chat.op` that people are told at (did you mean `chat.ops`?)
    r.toml:10: `chat.ops` cannot tell as `flag` (it can as: message)
    r.toml:11: unknown name `verdct` (did you mean `verdict`?)
    ");
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    insta::assert_snapshot!(faults(
        r#"
[[rule]]
name = ""
on = []

[[rule]]
name = "idle"
on = "build.finished"
report = [{ to = "origin" }]

[[rule]]
name = "loop"
on = "build.finished"
build = { on = "builds.main", job = "/", parameters = { token = "x" } }

[[rule]]
name = "idle"
on = "pull_request.opened"
where = { project = "[" }
notify = [{ to = "chat.ops", text = "x" }]
"#
    ), @"
    r.toml:3: a rule's name has 1 to 100 characters
    r.toml:4: `on` names no kind of event
    r.toml:3: rule `` does nothing: it has neither `build` nor `notify`
    r.toml:9: `report` tells of a build, but the rule starts none (use `[[rule.notify]]` to tell of an event itself)
    r.toml:13: a build cannot be started by an event about a build
    r.toml:14: `job` is empty
    r.toml:14: `builds.main` gives `token` a meaning of its own
    r.toml:19: error parsing glob '[': unclosed character class; missing ']'
    ");
}

#[test]
fn one_fault_does_not_hide_the_others() {
    insta::assert_snapshot!(faults(
        r#"
[[rule]]
name = "a"
on = ["pull_request.opend", "pull_request.updated"]
when = "head.shaa == 'x'"
trsut = "anyone"
[rule.build]
on = "builds.mian"
job = "x"
paramters = { A = "{{ titel }}" }
[[rule.report]]
to = "origin"
when = "chnged"
[[rule.report]]
to = "chat.op"
"#
    ), @"
    r.toml:4: unknown value `pull_request.opend` (did you mean `pull_request.opened`?)
    r.toml:6: unknown key `trsut` (did you mean `trust`?)
    r.toml:10: unknown key `paramters` (did you mean `parameters`?)
    r.toml:13: unknown value `chnged` (did you mean `changed`?)
    r.toml:5: unknown name `head.shaa` (did you mean `head.sha`?)
    r.toml:8: no connection `builds.mian` that runs builds (did you mean `builds.main`?)
    r.toml:15: no connection `chat.op` that people are told at (did you mean `chat.ops`?)
    ");
}

#[test]
fn the_same_name_twice_is_refused() {
    let rule = "[[rule]]\nname = 'a'\non = 'build.finished'\n\
                notify = [{ to = 'chat.ops', text = 'x' }]\n";
    insta::assert_snapshot!(faults(&(rule.to_owned() + rule)), @"r.toml:6: there is another rule `a`, at r.toml:2");
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_line() {
    insta::assert_snapshot!(faults("[[rule]]\nname = \n"), @"r.toml:2: string values must be quoted, expected literal string");
}

#[test]
fn the_place_is_underlined() {
    let text = "[[rule]]\nname = 'a'\non = 'build.finishd'\n";
    let source = RuleSource { name: "r.toml".to_owned(), text: text.to_owned() };
    let fault = RuleSet::parse(&[source], directory()).unwrap_err().remove(0);
    let handler =
        miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    let mut report = String::new();
    handler.render_report(&mut report, &fault).unwrap();
    insta::assert_snapshot!(report, @"
     × unknown value `build.finishd`
      ╭─[r.toml:3:6]
    2 │ name = 'a'
    3 │ on = 'build.finishd'
      ·      ───────┬───────
      ·             ╰── here
      ╰────
     help: did you mean `build.finished`?
    ");
}

#[test]
fn a_condition_that_not_all_kinds_can_answer_is_refused() {
    let text = "[[rule]]\nname = 'a'\non = ['pull_request.opened', 'build.finished']\n\
                when = 'title == 1'\nnotify = [{ to = 'chat.ops', text = 'x' }]\n";
    assert!(faults(text).contains("unknown name `title`"));
}

const RULE: &str = r#"
[[rule]]
name = "a"
on = "pull_request.opened"
notify = [{ to = "chat.ops", text = "x" }]
"#;

#[test]
fn a_faulty_test_is_told_with_its_lines() {
    let tests = r#"
[[test]]
name = "one"
mesage = "x/y"
expect = { fire = ["a"] }

[[test]]
name = "two"
message = "x/y"
verdict = "failure"
expect = {}

[[test]]
name = "three"
message = "x/y"
after = ["x/z", { verdikt = "success" }]
people = { ada = "boss" }
expect = { fires = ["a"] }

[[test]]
name = "four"
expect = { builds = [{ jb = "x" }] }
"#;
    insta::assert_snapshot!(faults(&format!("{RULE}{tests}")), @"
    r.toml:9: unknown key `mesage` (did you mean `message`?)
    r.toml:10: unknown key `fire` (did you mean `fires`?)
    r.toml:16: `expect` expects nothing
    r.toml:13: `message` and `verdict` are two things that happen
    r.toml:21: unknown key `verdikt` (did you mean `verdict`?)
    r.toml:22: unknown value `boss` (known are: stranger, contributor, maintainer)
    r.toml:27: unknown key `jb` (did you mean `job`?)
    ");
}

#[test]
fn a_test_names_rules_that_exist() {
    let test = r#"
[[test]]
name = "one"
message = "x/y"
expect = { fires = ["b"], reports = [{ to = "origin", rule = "aa" }] }
"#;
    insta::assert_snapshot!(faults(&format!("{RULE}{test}")), @"
    r.toml:10: there is no rule `b`
    r.toml:10: there is no rule `aa`
    ");
}

#[test]
fn a_file_of_tests_has_no_rules() {
    let source = RuleSource { name: "r.test.toml".to_owned(), text: RULE.to_owned() };
    let faults = RuleSet::parse(&[source], directory()).unwrap_err();
    assert_eq!(
        faults[0].line(),
        "r.test.toml:2: a rule among tests (a file that ends with `.test.toml` has only tests)"
    );
}
