//! What holds for every comment.

use proptest::prelude::*;

use super::*;
use crate::neutral;

/// Lines that somebody may have written to be heeded, or to be hidden, in any order.
fn comments() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/ci test a"),
        Just("/ci"),
        Just("/retest"),
        Just("recheck"),
        Just("[citest]"),
        Just("/ci ok 0123456789ab"),
        Just("> "),
        Just(">>>"),
        Just("- "),
        Just("1. "),
        Just("    "),
        Just("```"),
        Just("~~~"),
        Just("`"),
        Just("~~"),
        Just("<!--"),
        Just("-->"),
        Just("<details>"),
        Just("</details>"),
        Just("<pre>"),
        Just("</pre>"),
        Just("<"),
        Just("["),
        Just("](x"),
        Just(")"),
        Just("|"),
        Just("---"),
        Just("\\"),
        Just("*"),
        Just(" "),
        Just("\t"),
        Just("\r\n"),
        Just("\n"),
        Just("\n\n"),
        Just("\n\n"),
        Just("\r"),
        Just("a"),
        Just("\u{200b}"),
    ];
    prop_oneof![
        any::<String>(),
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    ]
}

/// The comment with `start` before each of its lines.
fn each_line(start: &str, text: &str) -> String {
    let lines: Vec<_> = text.split(['\n', '\r']).map(|line| format!("{start}{line}")).collect();
    lines.join("\n")
}

fn assert_bounded(commands: &[Command]) {
    assert!(commands.len() <= Command::PER_COMMENT_MAX);
    for command in commands {
        assert!(command.text.chars().count() <= Command::TEXT_MAX_CHARS);
        assert!(!command.text.chars().any(neutral::is_invisible), "{command:?}");
        assert!(command.names.len() <= Command::NAMES_MAX);
        for name in &command.names {
            assert!(!name.is_empty() && name.chars().count() <= Command::NAME_MAX_CHARS);
            assert!(!name.chars().any(|c| c.is_whitespace() || neutral::is_invisible(c)));
        }
        if let Some(sha) = &command.sha {
            assert!(sha.len() >= Command::SHA_MIN && sha.len() <= 64);
            assert!(command.verb == Verb::Ok && command.names.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read_and_bounded(text in comments()) {
        assert_bounded(&Grammar::default().parse(&text));
    }

    #[test]
    fn an_edit_that_changes_nothing_adds_nothing(text in comments()) {
        let grammar = Grammar::default();
        prop_assert!(grammar.added(&text, &text).is_empty());
        prop_assert_eq!(grammar.added("", &text), grammar.parse(&text));
    }

    #[test]
    fn an_edit_adds_only_what_it_has(before in comments(), after in comments()) {
        let grammar = Grammar::default();
        let added = grammar.added(&before, &after);
        assert_bounded(&added);
        for command in added {
            prop_assert!(grammar.all(&after, usize::MAX).contains(&command));
        }
    }

    #[test]
    fn nothing_in_a_quote_is_heard(text in comments(), deep in 1_usize..4) {
        prop_assert_eq!(heard(&each_line(&"> ".repeat(deep), &text)), Vec::<String>::new());
    }

    #[test]
    fn nothing_in_a_block_of_code_is_heard(text in comments()) {
        let inside = text.replace(['`', '~'], "x");
        prop_assert_eq!(heard(&format!("```\n{inside}\n```")), Vec::<String>::new());
        prop_assert_eq!(heard(&format!("a\n\n~~~ sh\n{inside}\n~~~")), Vec::<String>::new());
        prop_assert_eq!(heard(&each_line("    ", &text)), Vec::<String>::new());
        prop_assert_eq!(heard(&each_line("\t", &text)), Vec::<String>::new());
    }

    #[test]
    fn nothing_in_a_comment_is_heard(text in comments()) {
        let inside = text.replace("-->", "").replace('>', "");
        prop_assert_eq!(heard(&format!("<!--{inside}-->")), Vec::<String>::new());
        prop_assert_eq!(heard(&format!("<!--\n\n{inside}\n\n-->\n")), Vec::<String>::new());
        prop_assert_eq!(heard(&format!("a <!-- {inside}\n-->")), Vec::<String>::new());
    }

    #[test]
    fn nothing_that_is_folded_away_is_heard(text in comments()) {
        let inside = text.replace("</", "");
        prop_assert_eq!(heard(&format!("<details>\n\n{inside}\n\n</details>")), Vec::<String>::new());
    }

    #[test]
    fn nothing_that_we_write_is_heard(text in comments(), mark in "[!-/:-@\\[-`{-~]", rest in ".{0,20}", habit in prop::sample::select(&HABITS)) {
        let ours = |text: &str| {
            let line = neutral::line(text);
            let signed = format!("{line}\n\n`pointsman:{}`", "0".repeat(32));
            [line.clone(), signed, format!("{line}\n{line}"), format!("{line} {line}")]
        };
        let habit = habit.0.replace('…', &rest).replace("SHA", "0123456789ab");
        for text in [format!("{habit}\n{text}"), habit, text] {
            for ours in ours(&text) {
                prop_assert_eq!(heard(&ours), Vec::<String>::new(), "{:?}", ours);
            }
        }
        // Whatever the operator has chosen for a prefix.
        let prefix = format!("{mark}ci");
        let settings = CommandSettings { prefix: prefix.clone(), ..CommandSettings::default() };
        if let Ok(grammar) = Grammar::new(&settings) {
            for ours in ours(&format!("{prefix} test {rest}")) {
                prop_assert_eq!(grammar.parse(&ours), Vec::<Command>::new(), "{:?}", ours);
            }
        }
    }
}
