use proptest::prelude::*;

use super::*;

/// The text with its seams made visible.
fn seen(text: &str) -> String {
    line(text).replace(SEAM, "·")
}

/// As patterns of other bots see it: any case, words with anything but letters between.
fn obeyed(text: &str) -> Option<&'static str> {
    let text: String = text.chars().map(folded).collect();
    let spaced: String =
        text.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { ' ' }).collect();
    let spaced = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    [
        "recheck",
        "retest",
        "regate",
        "reverify",
        "citest",
        "packit",
        "bors",
        "test this please",
        "ok to test",
        "add to whitelist",
        "pretty please pagure",
        "skip ci",
        "ci skip",
    ]
    .into_iter()
    .find(|phrase| spaced.contains(phrase))
}

fn assert_harmless(out: &str) {
    assert!(out.chars().count() <= LINE_MAX_ESCAPED_CHARS, "{out:?}");
    assert!(!out.contains("<!--") && !out.contains(['<', '>', '|', '\n']), "{out:?}");
    for c in out.chars().filter(|c| *c != SEAM) {
        assert!(!is_invisible(c), "{c:?} in {out:?}");
    }
    assert!(
        !out.starts_with(|c: char| c == ' ' || (c.is_ascii_punctuation() && !"&\\".contains(c))),
        "{out:?}"
    );
    let after_at = out.split('@').skip(1).filter_map(|rest| rest.chars().next());
    assert!(after_at.into_iter().all(|c| !c.is_alphanumeric()), "{out:?}");
    assert_eq!(obeyed(out), None, "{out:?}");
}

#[test]
fn an_ordinary_title_stays_as_it_is() {
    let title = "points: Lock the blades (again), 2.5 s later; see “notes”";
    assert_eq!(line(title), title);
}

#[test]
fn marks_of_markdown_and_html_are_words() {
    insta::assert_snapshot!(seen("[x](y) `a` *b* _c_ | <img src=x> <!-- d --> # &amp; \\"),
        @r"\[x\](y) \`a\` \*b\* \_c\_ &vert; &lt;img src=x&gt; &lt;\!·-- d --&gt; \#· &amp;amp; \\");
}

#[test]
fn nobody_is_called_and_nothing_is_referred_to() {
    insta::assert_snapshot!(seen("@ada, see #12, !7 and ~bug; mail x@forge.example"),
        @r"·@·ada, see \#·12, \!·7 and \~·bug; mail x@·forge.example");
}

#[test]
fn what_other_bots_obey_is_cut_in_two() {
    let cut: Vec<String> = [
        "recheck",
        "Retest this please",
        "/packit build",
        "[citest bad]",
        "ok to test",
        "OK   to\u{200b}\ttest",
        "pretty please pagure-ci rebuild",
        "latest*this*pleased",
        "re\u{ad}che\u{202e}ck",
        "reteſt",
        "jenkins please retry a build",
        "[skip ci]",
        "/ci ok",
        "bors r+",
        "(recheck)",
    ]
    .into_iter()
    .map(seen)
    .collect();
    insta::assert_snapshot!(cut.join("\n"), @r"
    r·echeck
    R·et·est this please
    ·/p·ackit build
    \[c·itest bad\]
    o·k to test
    O·K to test
    p·retty please pagure-ci rebuild
    lat·est\*this\*pleased
    r·echeck
    r·eteſt
    jenkins p·lease retry a build
    \[s·kip ci\]
    ·/ci ok
    b·ors r+
    ·(r·echeck)
    ");
}

#[test]
fn a_line_is_one_line_and_not_endless() {
    assert_eq!(line("a\r\n\r\nb\u{2028}c\u{85}\td\u{b}"), "a b c d");
    assert_eq!(line(&"x".repeat(500)), format!("{}…", "x".repeat(199)));
    assert_eq!(line(" \u{200b} \n"), "");
}

#[test]
fn a_line_cannot_begin_a_block() {
    for text in ["- a", "+ a", "1. a", "12) a", "=== a", ": a", "/a", "\u{feff}/a"] {
        assert!(line(text).starts_with(SEAM), "{text:?}");
    }
    assert_eq!(line("1.5 a").chars().next(), Some(SEAM));
    assert_eq!(line("15 a"), "15 a");
}

#[test]
fn plain_text_has_no_colours_and_no_tricks() {
    insta::assert_snapshot!(
        plain("\u{1b}[31mred\u{1b}[0m \u{9b}1mbold\r\nnext\u{1b}]0;title\u{7} line\u{202e} end \u{1b}\\"),
        @r"
    red bold
    next line end
    ");
    assert_eq!(plain("a @b <c> /d"), "a @b <c> /d");
}

#[test]
fn a_sequence_that_never_ends_hides_only_its_line() {
    assert_eq!(plain("a \u{1b}]0;b\nc"), "a\nc");
    assert_eq!(line("a \u{1b}]0;b\nc"), "a c");
}

proptest! {
    #[test]
    fn whatever_comes_is_harmless(text in any::<String>()) {
        assert_harmless(&line(&text));
    }

    #[test]
    fn whatever_comes_is_harmless_a_second_time(text in any::<String>()) {
        assert_harmless(&line(&line(&text)));
    }

    #[test]
    fn what_is_made_to_harm_is_harmless(
        text in "([@#/!<>`|_*]|<!--|-->| |\n|\u{200b}|\u{2060}|re|check|test|this|please|ok|to|ci|skip|packit|bors|\u{1b}|\\[|\\]){0,40}"
    ) {
        assert_harmless(&line(&text));
        assert_harmless(&line(&line(&text)));
    }

    #[test]
    fn plain_text_is_visible_and_bounded(text in any::<String>()) {
        let out = plain(&text);
        prop_assert!(out.chars().count() <= PLAIN_MAX_CHARS);
        prop_assert!(out.chars().all(|c| c == '\n' || !is_invisible(c)));
        prop_assert_eq!(plain(&out), out);
    }
}
