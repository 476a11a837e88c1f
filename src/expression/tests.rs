//! What the language says, and what it refuses to do.

use minijinja::Value;
use serde_json::json;

use super::builtin::{FILTERS, TESTS};
use super::{Expression, ExpressionError, TEXT_MAX_BYTES, Text, context};

fn pull_request() -> Value {
    context(&json!({
        "title": "WIP: signals",
        "head": {"sha": "beef", "url": null},
        "labels": ["a", "b"],
    }))
}

fn value(source: &str) -> Result<String, ExpressionError> {
    let value = Expression::parse(source)?.evaluate(&pull_request())?;
    Ok(value.to_string())
}

fn fault(source: &str) -> String {
    value(source).unwrap_err().message
}

fn text(source: &str) -> Result<String, ExpressionError> {
    Text::parse(source)?.render(&pull_request())
}

#[test]
fn a_condition_holds_or_not() {
    let holds = |source| Expression::parse(source)?.holds(&pull_request());
    assert_eq!(holds("head.sha == 'beef'"), Ok(true));
    assert_eq!(holds("not title is startingwith('WIP')"), Ok(false));
    assert_eq!(holds("'a' in labels and labels | length == 2"), Ok(true));
}

#[test]
fn the_names_are_known_before_the_values() {
    let expression = Expression::parse("head.sha and title | upper != head.url").unwrap();
    assert_eq!(expression.names(), ["head.sha", "head.url", "title"]);
    let text = Text::parse("{% if head.sha %}{{ title }}{% endif %}").unwrap();
    assert_eq!(text.names(), ["head.sha", "title"]);
}

#[test]
fn an_undefined_name_is_an_error_that_names_it() {
    for source in [
        "head.shaa",
        "head.shaa == 'x'",
        "head.shaa or 'x'",
        "head.shaa | upper",
        "head.shaa | host",
        "head.shaa ~ 'x'",
    ] {
        let error = value(source).unwrap_err();
        assert!(error.message.starts_with("undefined value"), "{error}");
        assert!(error.range.is_some(), "{source}");
    }
    assert_eq!(fault("head.shaa == 'x'"), "undefined value: `head.shaa` is undefined");
    assert_eq!(fault("title ~ head.shaa | host"), "undefined value: `head.shaa` is undefined");
    assert_eq!(value("head.shaa | default('x')").unwrap(), "x");
    assert!(text("{{ nobody }}").is_err());
}

#[test]
fn a_fault_points_into_the_source() {
    let source = "title | uper";
    let error = value(source).unwrap_err();
    assert_eq!(error.message, "there is no filter `uper`; did you mean `upper`?");
    assert_eq!(source.get(error.range.unwrap()), Some("uper"));
    assert_eq!(fault("title is nonne"), "there is no test `nonne`; did you mean `none`?");
    assert_eq!(fault("title is not purple"), "there is no test `purple`");
    assert_eq!(value("'x | y is z' ~ this_is | default('')").unwrap(), "x | y is z");
    assert!(Expression::parse("a and").unwrap_err().range.is_some());
    assert!(!Expression::parse("a\n&&\nb").unwrap_err().message.contains('\n'));
}

#[test]
fn an_error_does_not_show_the_data() {
    let secret = context(&json!({"password": "hunter2", "list": ["hunter2"]}));
    for source in [
        "password + 1",
        "password | int",
        "password | verdict",
        "password | epoch",
        "list | host",
        "password.x.y",
        "list > 3 + list",
        "password()",
        "password | first | split(3)",
    ] {
        let message = match Expression::parse(source).unwrap().evaluate(&secret) {
            Ok(value) => panic!("{source} is {value}"),
            Err(error) => error.message,
        };
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn nothing_grows_without_bound() {
    for source in [
        "'a' * 1000000000",
        "[1] * 1000000000",
        "2 ** 100000",
        "range(1000000000)",
        "'a' | indent(1000000000)",
        "'%1000000000d' | format(1)",
        "[1] | batch(1000000000, 0)",
        "'aaaaaaaaaa' | replace('', 'bbbbbbbbbb' | replace('', 'c'))",
    ] {
        let outcome = value(source);
        let is_small = outcome.as_ref().is_ok_and(|value| value.len() < 1_000);
        assert!(outcome.is_err() || is_small, "{source}");
    }
    let long = context(&json!({"text": "a".repeat(1_000_000)}));
    let squared = Expression::parse("text | replace('', text)").unwrap();
    let message = squared.evaluate(&long).unwrap_err().message;
    assert!(message.contains("at most 1048576 bytes"), "{message}");
    let joined = Expression::parse("text | list | join(text)").unwrap();
    assert!(joined.evaluate(&long).is_err());
}

#[test]
fn a_statement_that_keeps_state_is_refused() {
    for source in [
        "{% set a = 'b' %}",
        "{%- set a = 'b' -%}",
        "{% filter upper %}x{% endfilter %}",
        "{% with a = 1 %}{% endwith %}",
        "{% raw %}{{ x }}{% endraw %}",
        "{% include 'x' %}",
        "{% macro a() %}{% endmacro %}",
    ] {
        let message = text(source).unwrap_err().message;
        assert!(message.contains("only `if` and `for`"), "{message}");
    }
}

#[test]
fn a_star_is_refused_in_code_only() {
    assert!(fault("2 * 2").contains("`*`"));
    assert!(text("{{ 'a' * 3 }}").is_err());
    assert_eq!(text("**{{ '*' ~ \"\\\"*\" }}** {# * #}*").unwrap(), "***\"*** *");
}

#[test]
fn a_loop_runs_out_of_fuel() {
    let many = context(&json!({"list": vec![1; 50_000]}));
    let text = Text::parse("{% for x in list %}{{ x }}{% endfor %}").unwrap();
    assert_eq!(text.render(&many).unwrap_err().message, "it takes too many steps");
}

#[test]
fn a_text_has_an_end() {
    let long = context(&json!({"text": "a".repeat(TEXT_MAX_BYTES)}));
    let once = Text::parse("{{ text }}").unwrap();
    assert_eq!(once.render(&long).unwrap().len(), TEXT_MAX_BYTES);
    let twice = Text::parse("{{ text }}{{ text }}").unwrap();
    let message = twice.render(&long).unwrap_err().message;
    assert_eq!(message, "the text is longer than 65536 bytes");
}

#[test]
fn a_source_has_an_end() {
    let source = "a".repeat(9_000);
    assert!(Expression::parse(&source).is_err());
    assert!(Text::parse(&source).is_err());
    let deep = format!("{}1{}", "(".repeat(4_000), ")".repeat(4_000));
    assert!(Expression::parse(&deep).is_err());
}

#[test]
fn a_text_is_not_escaped() {
    let html = context(&json!({"title": "<b>&\"'"}));
    let text = Text::parse("{{ title }}\n").unwrap();
    assert_eq!(text.render(&html).unwrap(), "<b>&\"'");
}

#[test]
fn nothing_is_written_as_nothing() {
    assert_eq!(text("<{{ head.url }}>").unwrap(), "<>");
    assert_eq!(text("{{ head.sha == 'beef' }}").unwrap(), "true");
}

#[test]
fn a_host_keeps_an_unusual_port() {
    assert_eq!(value("'https://Forge.example/a' | host").unwrap(), "forge.example");
    assert_eq!(value("'https://u:p@forge.example:443/' | host").unwrap(), "forge.example");
    assert_eq!(value("'http://ci.example:8080/x' | host").unwrap(), "ci.example:8080");
    assert_eq!(value("'job/x/1/' | host").unwrap(), "None");
    assert_eq!(value("none | host").unwrap(), "None");
}

#[test]
fn seconds_are_numbers_or_texts() {
    assert_eq!(value("1795162907 | epoch").unwrap(), "2026-11-20T08:21:47Z");
    assert_eq!(value("'1795162907' | epoch").unwrap(), "2026-11-20T08:21:47Z");
    assert_eq!(value("'1795162907.0' | epoch").unwrap(), "2026-11-20T08:21:47Z");
    assert_eq!(value("'1795162907.123456' | epoch").unwrap(), "2026-11-20T08:21:47.123456Z");
    for date in [
        "2026-11-20 08:21:47 UTC",
        "2026-11-20 10:21:47 +0200",
        "2026-11-20T08:21:47Z",
        "2026-11-20T09:21:47.582+01:00",
    ] {
        let time = value(&format!("'{date}' | epoch")).unwrap();
        assert_eq!(time, "2026-11-20T08:21:47Z", "{date}");
    }
    assert_eq!(value("none | epoch").unwrap(), "None");
    for source in ["'soon' | epoch", "'' | epoch", "-1 | epoch", "99999999999999 | epoch"] {
        assert!(value(source).is_err(), "{source}");
    }
}

#[test]
fn a_job_is_found_in_a_url() {
    for (url, job) in [
        ("https://ci.example/job/pr/42/", "pr"),
        ("https://ci.example/jenkins/job/a/job/b%20c/7/", "a/b c"),
        ("job/a/job/b/7/", "a/b"),
        ("https://ci.example/view/all/job/a/view/x/job/job/7", "a/job"),
        ("https://ci.example/job/a/job/feature%252Fx/1/", "a/feature%2Fx"),
        ("https://ci.example/", "None"),
    ] {
        assert_eq!(value(&format!("'{url}' | job_path")).unwrap(), job);
    }
}

#[test]
fn a_parameter_may_contain_anything() {
    let parameters = context(&json!({
        "list": ["A=1", "B=x=y\nz", "broken", 7],
        "object": {"A": "1"},
    }));
    let value = |source| {
        let value = Expression::parse(source).unwrap().evaluate(&parameters);
        value.unwrap().to_string()
    };
    assert_eq!(value("list | parameter('B')"), "x=y\nz");
    assert_eq!(value("list | parameter('C')"), "None");
    assert_eq!(value("object | parameter('A')"), "1");
    assert_eq!(value("object | parameter('C')"), "None");
}

#[test]
fn a_run_id_is_one_or_nothing() {
    let id = "0123456789abcdef0123456789abcdef";
    assert_eq!(value(&format!("'{id}' | run_id")).unwrap(), id);
    assert_eq!(value("'0123' | run_id").unwrap(), "None");
    assert_eq!(value("7 | run_id").unwrap(), "None");
}

#[test]
fn every_vocabulary_has_our_verdicts() {
    for (word, verdict) in [
        ("SUCCESS", "success"),
        ("UNSTABLE", "unstable"),
        ("FAILURE", "failure"),
        ("NOT_BUILT", "skipped"),
        ("ABORTED", "cancelled"),
        ("passed", "success"),
        ("needs_inspection", "failure"),
        ("not_applicable", "skipped"),
        ("UNSUCCESSFUL", "unstable"),
        ("TIMED_OUT", "error"),
        ("recover", "success"),
        ("pass", "success"),
        ("fail", "failure"),
        ("cancel", "cancelled"),
        ("", "None"),
        ("ONGOING", "None"),
    ] {
        assert_eq!(value(&format!("'{word}' | verdict")).unwrap(), verdict);
    }
    assert!(value("'purple' | verdict").is_err());
    assert_eq!(value("'purple' | verdict('error')").unwrap(), "error");
    assert_eq!(value("'passed' | verdict('error')").unwrap(), "success");
    assert!(value("'purple' | verdict('red')").is_err());
}

#[test]
fn an_object_has_the_keys_it_may_have() {
    assert_eq!(value("(head | only(['sha', 'url', 'branch'])).sha").unwrap(), "beef");
    let error = |source: &str| value(source).unwrap_err().message;
    insta::assert_snapshot!(error("head | only(['sha', 'uri'])"), @"there is no key `url`; did you mean `uri`?");
    insta::assert_snapshot!(error("{'a\nb': 1} | only([])"), @"there is no key `a b`");
    insta::assert_snapshot!(error("title | only([])"), @"an object is needed, this is a string");
    assert!(error("{}['x'] | only([])").contains("undefined"));
}

#[test]
fn a_package_url_tells_what_it_is_of() {
    let purl = "'pkg:oci/rail/nano@1.0?arch=arm64' | purl";
    assert_eq!(value(&format!("({purl}).namespace ~ '/' ~ ({purl}).name")).unwrap(), "rail/nano");
    assert_eq!(value(&format!("({purl}).qualifiers.arch")).unwrap(), "arm64");
    assert_eq!(value("none | purl").unwrap(), "None");
    assert!(value("7 | purl").is_err());
    assert!(value("'nano' | purl").is_err());
}

#[test]
fn the_lists_of_filters_and_tests_are_true() {
    for name in FILTERS {
        let outcome = value(&format!("title | {name}"));
        let is_unknown = outcome.is_err_and(|error| error.message.contains("unknown"));
        assert!(!is_unknown, "{name}");
    }
    for name in TESTS {
        let outcome = value(&format!("title is {name}"));
        let is_unknown = outcome.is_err_and(|error| error.message.contains("unknown"));
        assert!(!is_unknown, "{name}");
    }
}
