//! What a rule may say of artifacts, boards and definitions.

use std::sync::Arc;
use std::time::Duration;

use crate::directory::{Connection, Directory};
use crate::rules::fixture::name;
use crate::rules::{RuleSet, RuleSource};

fn directory() -> Arc<Directory> {
    let builds = Some(Duration::from_secs(10));
    let mut directory = Directory::default();
    let plain = Connection { builds, ..Connection::default() };
    let lab = Connection { takes_definitions: true, has_boards: true, retries: 2, ..plain.clone() };
    directory.insert(name("builds.main"), plain);
    directory.insert(name("lab.main"), lab);
    Arc::new(directory)
}

/// Every fault in a rule with this build, beside this definition.
fn faults((rule, definition): (&str, &str)) -> String {
    let source = |name: &str, text: &str| RuleSource { name: name.into(), text: text.into() };
    let rule = format!("[[rule]]\nname = 'r'\n{rule}\n");
    let sources = [source("r/r.toml", &rule), source("r/jobs/smoke.yaml", definition)];
    let Err(faults) = RuleSet::parse(&sources, directory()) else { return String::new() };
    faults.iter().map(|fault| fault.line() + "\n").collect()
}

fn build(on: &str, of: &str) -> String {
    format!("on = 'artifact.published'\nbuild = {{ on = '{on}', {of} }}")
}

const SMOKE: &str = "device_type: {{ device_type }}\nsuite: {{ parameters.SUITE }}\n\
                     url: {{ artifact.files.rootfs.url }}\nx: {{ artifact.metadata.x | json }}\n";

#[test]
fn what_is_said_of_boards_and_definitions_is_read() {
    let each = "job = 'jobs/smoke.yaml', parameters = { SUITE = '{{ device_type }}' }, for_each";
    for of in [
        "['a', 'b']",
        "'artifact.boards'",
        "{ tag = 'nano' }",
        "{ tag = ['a', 'b'] }",
        "{ tags = 'artifact.tags' }",
    ] {
        let rule = build("lab.main", &format!("{each} = {{ device_type = {of} }}"));
        assert_eq!(faults((&rule, SMOKE)), "", "{of}");
    }
    let of =
        "job = 'unit', parameters = { ARCH = '{{ arch }}' }, for_each = { arch = ['x86', 'arm'] }";
    assert_eq!(faults((&build("builds.main", of), SMOKE)), "");
    let of = "job = 'jobs/smoke.yaml', retries = 0";
    let fixed = "device_type: qemu\nname: {{ artifact.name }}\n";
    assert_eq!(faults((&build("lab.main", of), fixed)), "");
}

#[test]
fn what_cannot_be_is_told_with_what_was_probably_meant() {
    let of = |of: &str| faults((&build("lab.main", of), SMOKE));
    let each = |each: &str| of(&format!("job = 'jobs/smoke.yaml', for_each = {each}"));
    insta::assert_snapshot!(of("job = 'jobs/smok.yaml'"), @"r/r.toml:4: there is no file `jobs/smok.yaml` in the folder of rules (did you mean `jobs/smoke.yaml`?)");
    insta::assert_snapshot!(each("{ board = ['a'] }"), @"r/r.toml:4: `for_each` cannot call it `board` (call it `device_type`)");
    insta::assert_snapshot!(each("{ device_type = [] }"), @"r/r.toml:4: `for_each` has 1 to 100 of them, none empty");
    insta::assert_snapshot!(each("{ device_type = ['a'], more = ['b'] }"), @"r/r.toml:4: `for_each` has one name, such as `device_type`");
    insta::assert_snapshot!(each("{ device_type = { tag = 'a', tags = 'artifact.tags' } }"), @"r/r.toml:4: give one of `tag` and `tags`");
    insta::assert_snapshot!(each("{ device_type = { tga = 'a' } }"), @"r/r.toml:4: unknown key `tga` (did you mean `tag`?)");
    insta::assert_snapshot!(each("{ device_type = 7 }"), @r#"r/r.toml:4: invalid type: integer `7`, expected a list of texts, an expression, or `{ tag = "…" }`"#);
    insta::assert_snapshot!(each("{ device_type = 'artifact.bords' }"), @"r/r.toml:4: unknown name `artifact.bords` (did you mean `artifact.boards`?)");
    let on_jobs = "job = 'unit', for_each = { arch = { tag = 'nano' } }";
    insta::assert_snapshot!(faults((&build("builds.main", on_jobs), SMOKE)), @"r/r.toml:4: `builds.main` has no boards that could be asked for");
    let taken = "job = 'unit', for_each = { artifact = ['x'] }";
    insta::assert_snapshot!(faults((&build("builds.main", taken), SMOKE)), @"r/r.toml:4: `for_each` cannot call it `artifact` (choose another)");
    let early = "on = 'artifact.created'\nbuild = { on = 'builds.main', job = 'unit' }";
    insta::assert_snapshot!(faults((early, SMOKE)), @r#"r/r.toml:3: an artifact is built with once it can be had (write `on = "artifact.published"`)"#);
    let pushed = "on = 'branch.pushed'\nbuild = { on = 'builds.main', job = 'unit', for_each = { arch = ['x'] } }";
    insta::assert_snapshot!(faults((pushed, SMOKE)), @"r/r.toml:4: `for_each` is for artifacts, and `on` has more than `artifact.published`");
}

#[test]
fn faults_in_a_definition_are_told_once_and_where_they_are() {
    let of = "job = 'jobs/smoke.yaml', for_each = { device_type = ['a'] }";
    let rule = build("lab.main", of);
    let two = format!("{rule}\n[[rule]]\nname = 's'\n{rule}");
    insta::assert_snapshot!(faults((&two, "a: {{ artifact.nmae }}\nb: {{ artifact.files.x.url }}")), @"
    r/r.toml:4: `r/jobs/smoke.yaml` cannot be used (what is wrong with it is told below)
    r/r.toml:8: `r/jobs/smoke.yaml` cannot be used (what is wrong with it is told below)
    r/jobs/smoke.yaml:1: unknown name `artifact.nmae` (did you mean `artifact.name`?)
    ");
    insta::assert_snapshot!(faults((&rule, "a: {{ artifact.name")), @"
    r/r.toml:4: `r/jobs/smoke.yaml` cannot be used (what is wrong with it is told below)
    r/jobs/smoke.yaml:1: unexpected end of input, expected end of variable block
    ");
    insta::assert_snapshot!(faults((&rule, &"x".repeat(70_000))), @"
    r/r.toml:4: `r/jobs/smoke.yaml` cannot be used (what is wrong with it is told below)
    r/jobs/smoke.yaml: it is longer than 65536 bytes (70000)
    ");
}

#[test]
fn of_several_files_of_one_name_the_outermost_is_meant() {
    let source = |name: &str, text: &str| RuleSource { name: name.into(), text: text.into() };
    let rule = format!("[[rule]]\nname = 'r'\n{}\n", build("lab.main", "job = 'jobs/smoke.yaml'"));
    let sources = [
        source("r/archive/jobs/smoke.yaml", "old: yes"),
        source("r/jobs/smoke.yaml", "new: yes"),
        source("r/r.toml", &rule),
    ];
    let rules = RuleSet::parse(&sources, directory()).unwrap();
    let built = rules.rules()[0].build.as_ref().unwrap();
    assert_eq!(built.definition.as_ref().unwrap().source(), "new: yes");
}
