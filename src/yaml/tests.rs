use proptest::prelude::*;

use super::*;

fn again(text: &str) -> String {
    Node::parse(text).unwrap().to_string()
}

fn refused(text: &str) -> String {
    Node::parse(text).unwrap_err().to_string()
}

#[test]
fn words_stay_as_they_were_written() {
    let text = "
# How the trains run.
line: yes
at: 1:30
gauge: 1e3
mark: 0x1f
name: 'yes'
day: 2026-11-20
nothing:
also: ~
signal: [on, \"off\", 'it''s', -1, {speed: 12_000}]
list:
- - a
  - b
- c: d
  e: {}
- []
";
    insta::assert_snapshot!(again(text), @r#"
    line: yes
    at: 1:30
    gauge: 1e3
    mark: 0x1f
    name: "yes"
    day: 2026-11-20
    nothing: null
    also: ~
    signal:
      - on
      - "off"
      - "it's"
      - -1
      - speed: 12_000
    list:
      -
        - a
        - b
      - c: d
        e: {}
      - []
    "#);
}

#[test]
fn lines_stay_lines_where_all_readers_see_the_same() {
    let text = "
run: |
  echo one
    echo two

  echo three
keep: |-
  a
  b
fold: >
  a
  b
odd: \"a\\n\\tb\"
foreign: \"a\\u2028b\\nc\"
";
    insta::assert_snapshot!(again(text), @r#"
    run: |
      echo one
        echo two

      echo three
    keep: |-
      a
      b
    fold: |
      a b
    odd: "a\n\tb"
    foreign: "a\u2028b\nc"
    "#);
}

#[test]
fn a_line_end_that_only_some_readers_know_is_written_so_that_all_do() {
    assert_eq!(again("a: x\u{2028}y"), "a: \"x\\u2028y\"\n");
    assert_eq!(again("a\u{85}b: c"), "\"a\\x85b\": c\n");
}

#[test]
fn aliases_and_merged_keys_are_written_out() {
    let text = "
base: &base {kind: tank, speed: 40}
first: {<<: *base, speed: 60}
second:
  <<: [{speed: 80}, *base]
  seen: *base
";
    insta::assert_snapshot!(again(text), @r"
    base:
      kind: tank
      speed: 40
    first:
      speed: 60
      kind: tank
    second:
      seen:
        kind: tank
        speed: 40
      speed: 80
      kind: tank
    ");
}

#[test]
fn what_readers_would_see_differently_is_refused() {
    assert_eq!(refused("a: 1\nb: 2\na: 3"), "line 3: the key `a` stands there twice");
    assert_eq!(refused("a: 1\n---\nb: 2"), "line 2: a second document begins here");
    assert_eq!(refused("? [a]\n: b"), "line 1: a list or mapping is used as a key");
    assert!(refused("a: !!python/object:x {}").contains("that is not taken"));
    assert!(refused("a: !odd b").contains("that is not taken"));
    assert_eq!(refused("<<: a"), "line 2: `<<` merges what is no mapping");
    assert_eq!(refused(""), "line 1: there is nothing");
    assert!(refused("a: [1, 2\nb: {").starts_with("line "));
    assert!(refused("a: \"\\0\"").contains("NUL"));
    assert!(refused(&format!("{}: a", "k".repeat(KEY_MAX_BYTES + 1))).contains("a key is longer"));
}

#[test]
fn what_grows_without_end_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let names = vec![format!("*a{}", level - 1); 9].join(", ");
        let line = format!("a{level}: &a{level} [{names}]\n");
        text.push_str(&line);
    }
    assert!(refused(&text).contains("too much"));
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..80 {
        let line = format!("a{level}: &a{level} [*a{}]\n", level - 1);
        chain.push_str(&line);
    }
    assert!(refused(&chain).contains("deeper"));
    assert!(refused(&"[".repeat(200)).contains("deeper"));
    assert!(refused(&"- ".repeat(200)).contains("deeper"));
    assert!(refused("a: &a [*a]").contains("alias"));
    assert!(refused(&"x".repeat(TEXT_MAX_BYTES + 1)).contains("longer"));
    let many = "- a\n".repeat(NODES_MAX + 1);
    assert!(refused(&many).contains("too much"));
}

#[test]
fn what_a_mapping_has_is_found_put_and_taken() {
    let mut node = Node::parse("a: 1\n'b': {c: ~}").unwrap();
    assert_eq!(node.get("a").and_then(Node::text), Some("1"));
    let inner = node.get("b").unwrap().get("c").unwrap();
    assert!(inner.is_null() && inner.text().is_none());
    assert!(node.set("a", Node::quoted("2")).is_some());
    assert!(node.set("d", Node::map([("e", Node::quoted("null"))])).is_none());
    assert!(node.remove("b").is_some() && node.remove("b").is_none());
    assert_eq!(node.to_string(), "a: \"2\"\n\"d\":\n  \"e\": \"null\"\n");
}

fn node() -> impl Strategy<Value = Node> {
    let text = prop_oneof![
        "[a-z0-9:#\\-?\\[{&*! .,'\"|>%@`~=<]{0,12}",
        "[ a-c\\n]{0,12}",
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ];
    let scalar = text.prop_map(Scalar::quoted);
    let leaf = scalar.clone().prop_map(Node::Scalar);
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let key = scalar.clone().prop_filter("short", |key| key.text.len() <= KEY_MAX_BYTES);
        let entries = prop::collection::vec((key, inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Node::List),
            entries.prop_map(|entries| {
                let mut map = Node::Map(Vec::new());
                for (key, node) in entries {
                    map.set(&key.text, node);
                }
                map
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(node in node()) {
        let text = node.to_string();
        prop_assert_eq!(Node::parse(&text).map_err(|error| format!("{error}\n{text}")), Ok(node));
    }

    #[test]
    fn what_is_read_is_the_same_when_it_is_written_and_read_again(
        text in "[a-z0-9:#?\\-\\[\\]{}&*! .,'\"|>%@~=<\n]{0,60}",
    ) {
        if let Ok(node) = Node::parse(&text) {
            let again = Node::parse(&node.to_string());
            prop_assert_eq!(again.map(|node| node.to_string()), Ok(node.to_string()));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let parsed = Node::parse(&text);
        prop_assert!(parsed.is_ok() || parsed.is_err());
    }
}
