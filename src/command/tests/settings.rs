use super::*;

fn settings(prefix: &str, aliases: &[(&str, &str)]) -> CommandSettings {
    let own = |text: &&str| (*text).to_owned();
    let aliases = aliases.iter().map(|(pattern, command)| (own(pattern), own(command)));
    CommandSettings {
        prefix: prefix.to_owned(),
        aliases: aliases.collect(),
        ..CommandSettings::default()
    }
}

fn heard_by(settings: &CommandSettings, text: &str) -> Vec<String> {
    Grammar::new(settings).unwrap().parse(text).iter().map(understood).collect()
}

fn fault(prefix: &str, aliases: &[(&str, &str)]) -> String {
    let faults = Grammar::faults(&settings(prefix, aliases));
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_grammar_without_settings_is_the_default_one() {
    let (one, other) = (Grammar::new(&CommandSettings::default()).unwrap(), Grammar::default());
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    assert_eq!(other.prefix(), "/ci");
    assert_eq!(other.per_hour(), 30);
}

#[test]
fn every_habit_can_be_understood() {
    let grammar = Grammar::default();
    assert_eq!(grammar.aliases.len(), HABITS.len());
    for (pattern, said) in HABITS {
        let fill = |text: &str| text.replace('…', "a b").replace("SHA", "0123456789ab");
        let wanted = words::command(&fill(said), &fill(pattern));
        assert_ne!(wanted.verb, Verb::Unknown);
        assert_eq!(grammar.parse(&fill(pattern)), [wanted]);
    }
}

#[test]
fn another_prefix_is_heard_instead() {
    let settings = settings("@pointsman", &[]);
    assert_eq!(heard_by(&settings, "@pointsman test a\n/ci test\nrecheck"), ["test a", "retest"]);
}

#[test]
fn a_prefix_begins_with_a_mark_that_stays_where_it_is() {
    for prefix in ["/ci", "@pointsman", "!ci", "#ci", "$ci", "?", "/", "!", "+ci", "*ci", "/CI-2"] {
        assert_eq!(fault(prefix, &[]), "", "{prefix}");
        let settings = settings(prefix, &[]);
        assert_eq!(heard_by(&settings, &format!("{prefix} why x")), ["why x"], "{prefix}");
    }
    let long = "/".repeat(33);
    for prefix in [
        "",
        "ci",
        "7ci",
        "/c i",
        "/ci ",
        "/ç",
        "§ci",
        "/c\u{200b}i",
        ">ci",
        "`ci",
        "#",
        "+",
        "-",
        "~~~",
        "    /ci",
        "<b>",
        &long,
    ] {
        assert!(fault(prefix, &[]).starts_with("is no prefix"), "{prefix}");
        assert!(Grammar::new(&settings(prefix, &[])).is_err(), "{prefix}");
    }
}

#[test]
fn an_operator_adds_aliases() {
    let aliases = [
        ("/rebuild …", "retest …"),
        ("Once more, please", "retest"),
        ("[ci ok=SHA!]", "ok SHA"),
        ("go ...", "test quick ..."),
        ("go full", "test full"),
    ];
    let settings = settings("/ci", &aliases);
    assert_eq!(heard_by(&settings, "/rebuild a b"), ["retest a b"]);
    assert_eq!(heard_by(&settings, "once MORE, please"), ["retest"]);
    assert_eq!(heard_by(&settings, "[CI ok=0123456789ab!]"), ["ok [0123456789ab]"]);
    assert_eq!(
        heard_by(&settings, "go\n\ngo a\n\ngo full"),
        ["test quick", "test quick a", "test full"]
    );
    assert_eq!(heard_by(&settings, "/retest"), ["retest"], "the habits stay");
}

#[test]
fn an_operator_changes_and_removes_habits() {
    let settings = settings("/ci", &[("/retest ...", ""), ("Recheck", "test"), ("/cancel …", "")]);
    assert_eq!(heard_by(&settings, "/retest\n/cancel\nrecheck\n/test"), ["test", "test"]);
}

#[test]
fn what_is_wrong_with_an_alias_is_said() {
    let faults = fault(
        "/ci",
        &[
            ("", "test"),
            ("/a", "tset"),
            ("/b …", "test"),
            ("/c", "ok SHA"),
            ("/d SHA SHA", "ok SHA"),
            ("/e … f", "test …"),
            ("/g\u{202e}", "test"),
            ("/h", ""),
            ("/ci go", "test"),
            ("…", "test …"),
        ],
    );
    insta::assert_snapshot!(faults.escape_debug().to_string().replace("\\n", "\n"), @r"
    `` has no word that could be looked for
    `/a` does not stand for one of `test`, `retest`, `cancel`, `ok`, `why`, `help`
    `/b …` has `…` or `SHA` on one side only, or more than once
    `/c` has `…` or `SHA` on one side only, or more than once
    `/ci go` begins with the prefix of commands, which is looked for first
    `/d SHA SHA` has `…` or `SHA` on one side only, or more than once
    `/e … f` has `…` or `SHA` on one side only, or more than once
    `/g\u{202e}` has characters other than those of ASCII, spaces and `…`
    `/h` stands for nothing, which takes away an alias that there is not
    `…` has no word that could be looked for
    ");
    let many: Vec<_> = (0..201).map(|number| (format!("/a{number}"), "test")).collect();
    let many: Vec<_> = many.iter().map(|(pattern, command)| (pattern.as_str(), *command)).collect();
    assert_eq!(fault("/ci", &many), "are more than 200");
}
