//! Comments with commands in them, and what is understood of them.

use super::*;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// What is shown, the comment, and what is understood, separated by `;`.
const HEARD: [(&str, &str, &str); 62] = [
    ("everything", "/ci test", "test"),
    ("everything, as others say it", "/ci test all", "test"),
    ("one rule", "/ci test pungi-tests", "test pungi-tests"),
    ("several, with wildcards", "/ci retest koji-* lint", "retest koji-* lint"),
    ("wildcards that Markdown takes for emphasis", "/ci test *a* _b_ c_*", "test *a* _b_ c_*"),
    ("wildcards with escapes", r"/ci test koji-\* a\_b", "test koji-* a_b"),
    ("a set of names", "/ci test {a,b}-x,c", "test {a,b}-x c"),
    ("commas", "/ci test a, b,c ,", "test a b c"),
    ("a name as code", "/ci test `a` ``b``", "test a b"),
    ("stopping", "/ci cancel", "cancel"),
    ("a question", "/ci why lint", "why lint"),
    ("help", "/ci help", "help"),
    ("the prefix alone", "/ci", "help"),
    ("a mark of question", "/ci ?", "help"),
    ("a verb in capitals", "/ci TEST", "test"),
    ("a key and a value are but a name", "/ci test jobs=2", "test jobs=2"),
    ("a word that is unknown", "/ci tset lint", "unknown tset lint"),
    ("a sentence after the prefix", "/ci is slow", "unknown is slow"),
    ("more blanks", "  /ci \t test   a\tb  ", "test a b"),
    ("up to three spaces", "   /ci test", "test"),
    ("words around it", "Thanks!\n\n/ci test\n\nLet us see.", "test"),
    ("a line within a paragraph", "Thanks!\n/ci test\nLet us see.", "test"),
    ("two lines of one paragraph", "/ci test\n/ci why", "test; why"),
    ("ends of lines as in Windows", "/ci test\r\n/ci why a\r\n", "test; why a"),
    ("breaks of lines", "/ci test  \n/ci why\\\n/ci help", "test; why; help"),
    ("twice the same", "/ci test\n\n/ci test", "test; test"),
    ("an answer below a quote", "> does it work?\n\n/ci test", "test"),
    ("an answer below code", "```\nerror\n```\n/ci test", "test"),
    ("an answer below a comment", "<!-- a -->\n/ci test", "test"),
    ("an answer below what is folded", "<details>\n\na\n\n</details>\n\n/ci test", "test"),
    ("an answer below a list", "- a\n- b\n/ci test", "test"),
    ("an answer below a line", "a\n\n---\n\n/ci test", "test"),
    ("an answer below a heading", "# a\n/ci test", "test"),
    ("an answer above a signature", "/ci test\n-- \nada", "test"),
    ("a comment behind it", "/ci test lint <!-- again -->", "test lint"),
    ("a comment right behind it", "/retest<!-- again -->", "retest"),
    ("a break behind it", "/ci test lint<br>", "test lint"),
    ("a sign of less", "a <b\n\n/ci test", "test"),
    ("backticks that do not match", "a ` b\n\n/ci test", "test"),
    ("a comment written as code", "`<!--`\n\n/ci test", "test"),
    ("a tag written as code", "`<details>`\n\n/ci test", "test"),
    ("struck out words elsewhere", "~~a~~\n/ci test", "test"),
    ("nothing in it is obeyed", "/ci test ${IFS}$(id);`id`", "test ${IFS}$(id);`id"),
    ("nothing in it is a template", "/ci test {{7*7}} {%x%}", "test {{7*7}} {%x%}"),
    ("what cannot be seen stays another name", "/ci test a\u{200b}b", "test a\u{fffd}b"),
    ("a turned name stays another name", "/ci test \u{202e}a", "test \u{fffd}a"),
    ("a null character is none that ends", "/ci test a\0b", "test a\u{fffd}b"),
    (
        "Prow's words",
        "/test all\n/test a b\n/test\n/retest\n/test ?",
        "test; test a b; test; retest; help",
    ),
    (
        "the words of pipelines as code",
        "/retest a\n/cancel\n/cancel a",
        "retest a; cancel; cancel a",
    ),
    ("an approval", "/ok-to-test\n/ok-to-test cancel", "ok; ok cancel"),
    ("Zuul's word", "recheck", "retest"),
    ("Zuul's word in capitals", "ReCheck", "retest"),
    ("a list's word", "Recheck-request: iol-unit, iol-abi", "retest iol-unit iol-abi"),
    ("the words of a request builder", "Retest this please\n\nok to test", "retest; ok"),
    ("with an address", "jenkins, test  this please", "test"),
    ("Pagure's words", "Pretty please Pagure-CI rebuild", "retest"),
    ("words in brackets", "[citest]\n[citest bad]\n[citest pending]", "test; retest; retest"),
    ("a commit in brackets", "[citest commit:0123456789abcdef]", "ok [0123456789abcdef]"),
    ("a commit in brackets that is too short", "[citest commit:0123]", "ok 0123"),
    ("copy-pr-bot's words", "/ok to test 0123456789ab", "ok [0123456789ab]"),
    ("an approval that is taken back", "/ci ok cancel", "ok cancel"),
    ("an approval of what is there", "/ci ok", "ok"),
];

/// As many commands, each about another rule.
fn numbered(count: usize) -> String {
    (0..count).map(|number| format!("/ci test a{number}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn commands_are_heard() {
    let mut wrong = Vec::new();
    for (shown, text, wanted) in HEARD {
        let found = heard(text).join("; ");
        if found != wanted {
            wrong.push(format!("{shown}: {found:?} instead of {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_commit_is_whole_enough_or_none() {
    let ok = |words: &str| {
        let commands = Grammar::default().parse(&format!("/ci ok {words}"));
        assert_eq!(commands.len(), 1, "{words}");
        (commands[0].sha.clone(), commands[0].names.clone())
    };
    let nothing = Vec::<String>::new();
    assert_eq!(ok(SHA), (Some(SHA.to_owned()), nothing.clone()));
    assert_eq!(ok(&SHA.to_uppercase()), (Some(SHA.to_owned()), nothing.clone()));
    assert_eq!(ok("`0123456789ab`"), (Some("0123456789ab".to_owned()), nothing));
    for words in ["0123456789a", &"0".repeat(65), "0123456789ag", "HEAD", "０123456789ab"] {
        assert_eq!(ok(words), (None, vec![words.to_owned()]));
    }
    // Whoever says more than a commit may have meant another one.
    let words = format!("{SHA} please");
    assert_eq!(ok(&words), (None, vec![SHA.to_owned(), "please".to_owned()]));
}

#[test]
fn an_approval_is_taken_back_by_one_word() {
    let is_withdrawal = |text: &str| Grammar::default().parse(text)[0].is_withdrawal();
    assert!(is_withdrawal("/ci ok cancel"));
    assert!(is_withdrawal("/ok-to-test Cancel"));
    assert!(!is_withdrawal("/ci ok"));
    assert!(!is_withdrawal("/ci ok cancel please"));
    assert!(!is_withdrawal("/ci cancel cancel"));
}

#[test]
fn a_command_is_shown_as_written_in_one_line_and_bounded() {
    let text = |comment: &str| Grammar::default().parse(comment)[0].text.clone();
    assert_eq!(text("  /ci  TEST\ta <!-- b -->\nc"), "/ci TEST a");
    assert_eq!(text("Recheck-Request: a,b"), "Recheck-Request: a,b");
    assert_eq!(text("/ci test \u{1b}[31ma\u{202e}\u{0}"), "/ci test a");
    let long = text(&format!("/ci test {}", "a".repeat(500)));
    assert_eq!(long.chars().count(), Command::TEXT_MAX_CHARS);
    assert!(long.ends_with("a…"));
}

#[test]
fn a_command_about_much_never_becomes_one_about_everything() {
    let names = |comment: &str| Grammar::default().parse(comment)[0].names.clone();
    let many = names(&format!("/ci test {}", "a ".repeat(50)));
    assert_eq!(many.len(), Command::NAMES_MAX);
    assert_eq!(many.last().unwrap(), "…");
    assert_eq!(names(&format!("/ci test {}", "a ".repeat(20))), vec!["a"; 20]);
    let long = names(&format!("/ci test {}", "ä".repeat(101)));
    assert_eq!(long, [format!("{}…", "ä".repeat(99))]);
    assert_eq!(names(&format!("/ci test {}", "ä".repeat(100))), ["ä".repeat(100)]);
    assert_eq!(names("/ci test `` \u{200b}"), ["``", "\u{fffd}"]);
}

#[test]
fn of_many_commands_the_first_are_heeded() {
    let heard = heard(&numbered(50));
    assert_eq!(heard.len(), Command::PER_COMMENT_MAX);
    assert_eq!(heard.first().unwrap(), "test a0");
}

#[test]
fn of_a_long_comment_the_beginning_is_looked_at() {
    assert_eq!(heard(&format!("/ci test\n{}", "a line\n".repeat(200_000))), ["test"]);
    let size = Command::COMMENT_MAX_BYTES;
    assert_eq!(heard(&format!("{}\n/ci test", "ä".repeat((size - 9) / 2))), ["test"]);
    // A line that is cut might name half a rule.
    assert_eq!(heard(&format!("{}\n/ci test rule", "a".repeat(size - 12))), Vec::<String>::new());
}

#[test]
fn an_edit_adds_what_was_not_there() {
    let added = |before: &str, after: &str| -> Vec<String> {
        Grammar::default().added(before, after).iter().map(understood).collect()
    };
    let nothing = Vec::<String>::new();
    assert_eq!(added("/ci test", "/ci test"), nothing);
    assert_eq!(added("/ci test", "/ci test\n/ci why"), ["why"]);
    assert_eq!(added("/ci test", "/ci why\n/ci test"), ["why"]);
    assert_eq!(added("/ci test a", "/ci test b"), ["test b"]);
    assert_eq!(added("/ci test", "/ci test\n/ci test"), ["test"]);
    assert_eq!(added("`/ci test`", "/ci test"), ["test"]);
    assert_eq!(added("/ci test", "nothing"), nothing);
    assert_eq!(added("/ci test", "Please:\n\n/ci   TEST\nthanks"), nothing, "it says the same");
    assert_eq!(added("", "/retest"), ["retest"]);
    let many = numbered(12);
    let fewer = many.replace("/ci test a0\n", "");
    assert_eq!(added(&many, &fewer), nothing, "the eleventh was there, although not heeded");
}

#[test]
fn for_an_unknown_word_the_nearest_is_known() {
    let nearest = |word: &str| {
        let grammar = Grammar::default();
        let command = grammar.parse(&format!("/ci {word} a")).remove(0);
        assert_eq!(command.verb, Verb::Unknown);
        grammar.nearest(&command)
    };
    assert_eq!(nearest("tset"), Some(Verb::Test));
    assert_eq!(nearest("Retests"), Some(Verb::Retest));
    assert_eq!(nearest("halp"), Some(Verb::Help));
    assert_eq!(nearest("rebuild"), Some(Verb::Retest));
    assert_eq!(nearest("platform"), None);
}
