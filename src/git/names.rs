//! The names of branches: which ones git takes, and what ours are called.

use crate::action::ApplyOrder;
use crate::message::hash;

/// The longest name of a branch.  Servers keep a reference in a file, whose name has a limit of
/// 255 bytes in each part, with `.lock` added to it while it is written.
const BYTES_MAX: usize = 200;

/// The longest id that is taken into a name as it is.
const ID_BYTES_MAX: usize = 40;

/// Whether git takes `name` for a branch, and every server and file system keeps it.
///
/// The rules are those of `git check-ref-format --branch`, without what only confuses: a name that
/// looks like a commit id or like a reference from its root.
pub fn is_branch(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.to_ascii_lowercase().ends_with(".lock")
    };
    let is_bad = |c: char| c.is_control() || c.is_whitespace() || r"~^:?*[\".contains(c);
    let is_commit = matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit());
    name.len() <= BYTES_MAX
        && name.split('/').all(is_part)
        && !name.contains(is_bad)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
        && !name.starts_with("refs/")
        && !matches!(name, "@" | "HEAD")
        && !is_commit
}

/// What the branch of a series is called:
/// `<prefix>/<source>/<series>/v<version>[-r<respin>]`.
///
/// Nothing that somebody outside has written is in it: the source is called as its connection,
/// and a series whose id is no number by a hash of its project and its id.  A Message-ID could be
/// no reference, or one on a file system that knows no capital letters, where two are one.
pub fn of_series(prefix: &str, order: &ApplyOrder) -> String {
    let source = order.origin.as_str().replace('.', "-");
    let source = if is_plain(&source) { source } else { digest("c", &[source.as_bytes()]) };
    let (series, project) = (&order.series.series, order.series.project.as_bytes());
    let is_number = series.id.bytes().all(|byte| byte.is_ascii_digit())
        && !series.id.starts_with('0')
        && is_plain(&series.id);
    let id =
        if is_number { series.id.clone() } else { digest("m", &[project, series.id.as_bytes()]) };
    let name = format!("{prefix}/{source}/{id}/v{}", series.version);
    if order.respin > 0 { format!("{name}-r{}", order.respin) } else { name }
}

/// Whether `text` means the same in a reference wherever that is kept.
fn is_plain(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

/// A short name for what has an unfit one; it begins with a letter, so that no number is like it.
fn digest(letter: &str, parts: &[&[u8]]) -> String {
    format!("{letter}{}", hash(parts))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::event::EventKind;
    use crate::event::series::{Series, SeriesEvent};
    use crate::subject::{ConnectionName, RunId, Subject, SubjectKind};

    fn order(origin: &str, id: &str, version: u32, respin: u32) -> ApplyOrder {
        let subject = Subject {
            kind: SubjectKind::Series,
            instance: "lists.example".to_owned(),
            project: "p".to_owned(),
            number: 1,
            name: None,
        };
        ApplyOrder {
            run: RunId::of(&subject, "v1", "rule", 1),
            series: SeriesEvent {
                event: EventKind::SeriesPosted,
                instance: "lists.example".to_owned(),
                project: "p".to_owned(),
                series: Series { id: id.to_owned(), version, ..Series::default() },
                request: None,
                test: None,
                at: None,
            },
            origin: ConnectionName::try_from(origin.to_owned()).unwrap(),
            respin,
            last_base: None,
            is_approved: false,
        }
    }

    fn name(origin: &str, id: &str) -> String {
        of_series("ci/series", &order(origin, id, 2, 0))
    }

    #[test]
    fn a_branch_is_named_by_numbers_and_by_what_is_configured() {
        assert_eq!(name("source.main", "912345"), "ci/series/source-main/912345/v2");
        let again = of_series("ci", &order("source.main", "912345", 2, 3));
        assert_eq!(again, "ci/source-main/912345/v2-r3");
    }

    #[test]
    fn a_message_id_is_no_part_of_a_reference() {
        let ids = [
            "20261120081402.1234-1-ada@forge.example",
            "20261120081402.1234-1-ADA@forge.example",
            "ZQ1L/LOtJn1ewOG/@gofer.example",
            "a..b@{x}.lock",
            "../../heads/master",
            "",
            "007",
            "7",
            "-x",
            "\u{202e}",
        ];
        let names: BTreeSet<String> = ids.iter().map(|id| name("source.main", id)).collect();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        for name in &names {
            assert!(is_branch(name), "{name}");
            assert_eq!(*name, name.to_ascii_lowercase());
        }
        assert_eq!(
            name("source.main", "a..b@{x}.lock"),
            "ci/series/source-main/m9b9064732d3e7d8f1e8cb39016f7c5cd/v2"
        );
    }

    #[test]
    fn a_source_may_be_called_anything() {
        assert_eq!(name("source", "7"), "ci/series/source/7/v2");
        for origin in ["source.lock", "source.A", "source.a"] {
            assert!(is_branch(&name(origin, "7")), "{origin}");
        }
        assert_ne!(name("source.A", "7").to_lowercase(), name("source.a", "7"));
    }

    #[test]
    fn what_git_refuses_is_no_branch() {
        for name in ["master", "net-next/main", "linux-6.1.y", "v2-r1", "a@b", "ünï"] {
            assert!(is_branch(name), "{name}");
        }
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".a",
            "a/.b",
            "a.",
            "a.lock",
            "a.LOCK/b",
            "a..b",
            "a b",
            "a\tb",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[b",
            r"a\b",
            "a@{1}",
            "@",
            "HEAD",
            "-a",
            "refs/heads/a",
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(!is_branch(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_series_has_a_branch(id in "\\PC{0,300}", version: u32, respin: u32) {
            let name = of_series("pointsman", &order("source.main", &id, version, respin));
            prop_assert!(is_branch(&name), "{}", name);
        }
    }
}
