//! Comments with words in them that look like commands and are none.

use super::*;

/// Why nothing is heeded, and the comment.
const UNHEARD: [(&str, &str); 110] = [
    // Quotes.
    ("a quote is somebody else's", "> /ci test"),
    ("a quote without a space", ">/ci test"),
    ("a quote in a quote", "> > /ci test"),
    ("a quote that goes on after an answer", "yes\n\n> /ci test\n> /ci ok\n\nno"),
    ("a line that Markdown takes for more of the quote", "> please run\n/ci test"),
    ("a quote in a list", "- > /ci test"),
    ("a list in a quote", "> - a\n>\n> /ci test"),
    ("code in a quote", "> ```\n> /ci test\n> ```"),
    ("a quote as mail programs write it", "On Monday ada wrote:\n> /ci test\n> -- \n> ada"),
    ("an alias in a quote", "> recheck"),
    ("an alias of several words in a quote", "> retest this please"),
    ("a warning, which is a quote to others", "> [!NOTE]\n> /ci test"),
    ("GitLab's quote of several lines", ">>>\n/ci test\n>>>"),
    ("GitLab's quote, with paragraphs", "see\n\n>>>\na\n\n/ci test\n\n>>>\n\nthat is all"),
    ("GitLab's quote that is never closed", ">>>\n\n/ci test"),
    ("GitLab's quote after an empty one", ">>>\n>>>\n\n>>>\n/ci test\n>>>"),
    // Code.
    ("code between backticks", "`/ci test`"),
    ("code between two backticks", "`` /ci test ``"),
    ("code that goes over lines", "say `please\n/ci test\nnow` to start"),
    ("a block of code", "```\n/ci test\n```"),
    ("a block of code with a language", "```sh\n/ci test\n```"),
    ("a block of code between tildes", "~~~\n/ci test\n~~~"),
    ("a block of code that is never closed", "```\n/ci test"),
    ("a block of code with shorter fences in it", "````\n```\n````x\n/ci test\n````"),
    ("an indented block", "like this:\n\n    /ci test"),
    ("a block indented by a tab", "like this:\n\n\t/ci test"),
    ("code that lacks the empty line above", "like this:\n    /ci test"),
    ("code in a list", "- like this:\n\n      /ci test"),
    ("a block of code in a list", "1. like this:\n   ```\n   /ci test\n   ```"),
    ("an alias as code", "`[citest]`"),
    ("a patch", "```diff\n+\n/retest\n```"),
    ("the prefix alone as code", "`/ci` test"),
    // HTML.
    ("a comment", "<!-- /ci test -->"),
    ("a comment of several lines", "<!--\n/ci test\n-->"),
    ("a comment with an empty line", "<!--\n\n/ci test\n\n-->"),
    ("a comment that is never closed", "<!--\n/ci test"),
    ("a comment within a line", "please <!--\n/ci test\n--> do"),
    ("a comment that begins in a line and has an empty one", "please <!--\n\n/ci test\n\n-->"),
    ("a comment in a list with an empty line", "- [ ] done <!-- say\n\n/ci test\n\n-->"),
    ("a comment with two marks", "<!-- <!--\n\n/ci test\n-->"),
    ("the template of a forge", "<!-- Thanks!  Say\n/retest\nto run it again. -->\n\nA fix."),
    ("what is folded away", "<details>\n\n/ci test\n\n</details>"),
    (
        "what is folded away, with a title",
        "<details><summary>log</summary>\n\n/ci test\n</details>",
    ),
    ("what is folded away twice", "<details>\n<details>\n\n</details>\n\n/ci test\n\n</details>"),
    ("what is folded away and stays so", "<details>\n\n/ci test"),
    ("what is folded away in capitals", "<DETAILS>\n\n/ci test\n\n</DETAILS>"),
    ("an end in an attribute", "<details title=\"</details>\">\n\n/ci test\n\n</details>"),
    ("an end in a comment", "<details>\n<!-- </details> -->\n\n/ci test\n\n</details>"),
    ("an end of something else", "<details>\n</summary>\n\n/ci test\n\n</details>"),
    ("a quote in HTML", "<blockquote>\n\n/ci test\n\n</blockquote>"),
    ("a quote in HTML within a line", "he said <q>\n/ci test\n</q>"),
    ("text as it stands", "<pre>\n/ci test\n</pre>"),
    ("text as it stands, with an empty line", "<pre>\n\n/ci test\n\n</pre>"),
    ("code in HTML", "say <code>\n/ci test\n</code>"),
    ("a script", "<script>\n/ci test\n</script>"),
    ("a block of HTML", "<div>\n/ci test\n</div>"),
    ("a tag before it", "<br>/ci test"),
    ("an attribute that goes over lines", "see <b title=\"\n/ci test\n\">this</b>"),
    ("a declaration", "<!DOCTYPE\n/ci test>"),
    ("a section of characters", "<![CDATA[\n/ci test\n]]>"),
    ("an instruction", "<?php\n/ci test\n?>"),
    ("struck out in HTML", "no <del>\n/ci test\n</del>"),
    // Other parts of Markdown.
    ("struck out", "~~no\n/ci test\nno~~"),
    ("bold words", "**/ci test**"),
    ("a heading", "# /ci test"),
    ("a point of a list", "- /ci test"),
    ("a point with a star", "* /ci test"),
    ("a numbered point", "1. /ci test"),
    ("a point that is a box", "- [ ] /ci test"),
    ("a point of several lines", "- then say\n  /ci test"),
    ("a paragraph of a point", "- then say\n\n  /ci test"),
    ("a table", "| say |\n|---|\n| /ci test |"),
    ("a table without edges", "say | does\n--- | ---\n/ci test | all"),
    ("the words of a link", "[see\n/ci test\nthere](https://forge.example/)"),
    ("the title of a link", "[a](https://forge.example/ \"b\n/ci test\n\")"),
    ("the words of a picture", "![see\n/ci test\nthere](https://forge.example/a.png)"),
    ("the title of a reference", "[a]: https://forge.example/ \"b\n/ci test\""),
    ("an alias that is a link", "[citest]\n\n[citest]: https://forge.example/"),
    ("an escape", "\\/ci test"),
    ("an entity", "&#47;ci test"),
    // Not at the start, not the prefix.
    ("a sentence about it", "Please say /ci test to start."),
    ("words before it", "LGTM /ci test"),
    ("a mention before it", "@ada /ci test"),
    ("a longer word", "/cite test"),
    ("a path", "/ci/test"),
    ("a mark after the prefix", "/ci: test"),
    ("other letters", "/CI test"),
    ("two slashes", "//ci test"),
    ("a space after the slash", "/ ci test"),
    ("an alias within a sentence", "I would say recheck is needed"),
    ("an alias with a word too many", "retest this please now"),
    ("an alias with a dot", "recheck."),
    ("an alias with a slash and capitals", "/RETEST"),
    ("two aliases in one line", "[citest] [citest bad]"),
    ("a command of another bot", "/lgtm\n/hold\n/approve\n/packit build"),
    // Other scripts, and what cannot be seen.
    ("a full-width slash", "\u{ff0f}ci test"),
    ("a slash for fractions", "\u{2044}ci test"),
    ("a slash for division", "\u{2215}ci test"),
    ("a Cyrillic letter", "/\u{441}i test"),
    ("a dotless letter", "/c\u{131} test"),
    ("a space without width before it", "\u{200b}/ci test"),
    ("a mark of byte order before it", "please\n\u{feff}/ci test"),
    ("a turn of direction before it", "\u{202e}/ci test"),
    ("an isolate before it", "\u{2066}/ci test\u{2069}"),
    ("a joiner within", "/c\u{200d}i test"),
    ("a soft hyphen within", "/c\u{ad}i test"),
    ("a space that does not break after it", "/ci\u{a0}test"),
    ("a wide space before it", "\u{3000}/ci test"),
    ("a separator of lines, which is none here", "please\u{2028}/ci test"),
    ("a control character before it", "\u{1b}[0m/ci test\u{0}"),
];

#[test]
fn what_only_looks_like_a_command_is_not_heard() {
    let wrong: Vec<_> =
        UNHEARD.iter().filter(|(_, text)| !heard(text).is_empty()).map(|(why, _)| why).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_end_of_lines_makes_no_difference() {
    let ends = [("\r\n", "as Windows ends them"), ("\r", "as old Macs ended them")];
    for (end, how) in ends {
        let told: Vec<_> = UNHEARD
            .iter()
            .filter(|(_, text)| !heard(&text.replace('\n', end)).is_empty())
            .map(|(why, _)| why)
            .collect();
        assert!(told.is_empty(), "{how}: {told:#?}");
    }
}

#[test]
fn what_stands_after_it_is_heard_again() {
    // What was never closed takes all that follows, as forges show it.
    let never_closed = ["never closed", "stays so", "instruction", "declaration"];
    let wrong: Vec<_> = UNHEARD
        .iter()
        .filter(|(why, _)| !never_closed.iter().any(|words| why.contains(words)))
        .filter(|(_, text)| heard(&format!("{text}\n\n/ci why")) != ["why"])
        .map(|(why, _)| why)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_stands_in_large_texts_is_not_heard_either() {
    let quotes = "> /ci test\n".repeat(100_000);
    let code = format!("```\n{}```\n", "/ci test\n".repeat(100_000));
    let one_line = "/ci test ".repeat(100_000).replacen('/', "a", 1);
    let late = format!("{}\n/ci test\n", "a line\n".repeat(20_000));
    for text in [quotes, code, one_line, late] {
        assert_eq!(heard(&text), Vec::<String>::new());
    }
}
