//! Lines of a mail that are meant for tools: `Tag: value`, at the margin.
//!
//! The whole text is looked through: `git format-patch` writes `base-commit:` below the diff.
//! A line of a diff does not begin with a letter, except for names of files that nobody reads.

use percent_encoding::percent_decode_str;
use url::Url;

use super::{bare, is_msgid};
use crate::event::series::Hints;
use crate::subject::CommitSha;

/// How many series one can depend on, and how many patches it may want before it.
const LIST_MAX: usize = 64;
/// How many other lines are kept.
const NOTES_MAX: usize = 32;
const NOTE_MAX_CHARS: usize = 200;
const TAG_MAX_BYTES: usize = 40;

/// Lines that are for people, or about them.
const FOR_PEOPLE: &[&str] = &[
    "bug",
    "bugzilla",
    "cc",
    "closes",
    "date",
    "fixes",
    "from",
    "link",
    "message-id",
    "subject",
    "to",
];

/// What the texts of a series say, in their order: of the cover letter first.
pub fn hints(texts: &[&str]) -> Hints {
    let mut hints = Hints::default();
    for line in texts.iter().flat_map(|text| text.lines()) {
        if let Some((tag, value)) = tag(line) {
            take(&mut hints, &tag, value);
        }
    }
    hints
}

/// The tag, in lower case, and its value.
fn tag(line: &str) -> Option<(String, &str)> {
    let (tag, value) = line.split_once(':')?;
    let is_tag = !tag.is_empty()
        && tag.len() <= TAG_MAX_BYTES
        && tag.starts_with(|c: char| c.is_ascii_alphabetic())
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let value = value.trim();
    (is_tag && !value.is_empty()).then(|| (tag.to_ascii_lowercase(), value))
}

fn take(hints: &mut Hints, tag: &str, value: &str) {
    let word = value.split_whitespace().next().unwrap_or_default();
    match tag {
        "base-commit" => {
            if hints.base.is_none() {
                hints.base = CommitSha::try_from(word.to_owned()).ok();
            }
        }
        "based-on" | "depends-on" | "prerequisite-message-id" => {
            push(&mut hints.depends, msgid(value));
        }
        "prerequisite-patch-id" => {
            let id = word.to_ascii_lowercase();
            let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
            push(&mut hints.prerequisites, is_id.then_some(id));
        }
        "change-id" => {
            if hints.change_id.is_none() && word.len() <= NOTE_MAX_CHARS {
                hints.change_id = Some(word.to_owned());
            }
        }
        _ if tag.ends_with("-by") || FOR_PEOPLE.contains(&tag) => {}
        _ => {
            let note = format!("{tag}: {}", value.to_lowercase());
            let is_known = hints.notes.contains(&note);
            if hints.notes.len() < NOTES_MAX && note.chars().count() <= NOTE_MAX_CHARS && !is_known
            {
                hints.notes.push(note);
            }
        }
    }
}

fn push(list: &mut Vec<String>, item: Option<String>) {
    if let Some(item) = item.filter(|item| list.len() < LIST_MAX && !list.contains(item)) {
        list.push(item);
    }
}

/// The Message-ID that is meant: by itself, in `<>`, or at the end of an archive's address.
fn msgid(value: &str) -> Option<String> {
    let value = match (value.find('<'), value.find('>')) {
        (Some(from), Some(to)) => value.get(from + 1..to)?.trim(),
        _ => bare(value.split_whitespace().next()?),
    };
    let id = match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let mut segments = url.path_segments()?;
            let last =
                segments.rfind(|segment| segment.contains('@') || segment.contains("%40"))?;
            percent_decode_str(last).decode_utf8().ok()?.into_owned()
        }
        Ok(_) | Err(_) => value.to_owned(),
    };
    (id.contains('@') && is_msgid(&id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVER: &str = "\
Hello,

Based-on: <20261119-a@mail.example>
Depends-on: https://lore.example/r/20261118-b%2Fc@mail.example/
based-on: 20261117-d@mail.example (\"points\")
Based-on: <20261119-a@mail.example>
Based-on: master
CI-tag: Skip
Supersedes: <20261101-x@mail.example>
Change-Id: points-v2-0123
Signed-off-by: Ada <ada@mail.example>
Cc: somebody@mail.example
prerequisite-patch-id: AAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaa
prerequisite-patch-id: none
> CI-tag: quoted
 points.c | 2 +-
";
    const PATCH: &str = "\
---
 points.c | 2 +-
diff --git a/points.c b/points.c
+base-commit: cccccccccccccccccccccccccccccccccccccccc
 Depends-on: <context@mail.example>
--
2.39
base-commit: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
base-commit: dddddddddddddddddddddddddddddddddddddddd
";

    #[test]
    fn all_that_a_series_depends_on_is_heard_in_order() {
        insta::assert_yaml_snapshot!(hints(&[COVER, PATCH]), @r#"
        base: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        depends:
          - 20261119-a@mail.example
          - 20261118-b/c@mail.example
          - 20261117-d@mail.example
        prerequisites:
          - aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        change_id: points-v2-0123
        notes:
          - "ci-tag: skip"
          - "supersedes: <20261101-x@mail.example>"
        "#);
    }

    #[test]
    fn a_flood_is_not_kept() {
        let flood: String = (0..1_000)
            .map(|n| format!("Depends-on: <{n}@x>\nnote-{n}: x\n"))
            .collect::<Vec<_>>()
            .concat();
        let hints = hints(&[&flood]);
        assert_eq!((hints.depends.len(), hints.notes.len()), (LIST_MAX, NOTES_MAX));
    }
}
