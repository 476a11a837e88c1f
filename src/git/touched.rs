//! Which files a series touches, and what was in them when its author began: read off the diffs.
//!
//! It is believed only as a hint at where the series belongs: whether it applies there is seen
//! by applying it.

use std::collections::BTreeMap;

/// How many files are looked at.
const FILES_MAX: usize = 1000;

/// The files that a series touches, and the beginning of the id of what was in each before.
///
/// A file that the series makes has no such id, and neither has one whose diff tells none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    files: BTreeMap<String, Option<String>>,
}

impl Touched {
    /// What `diffs`, the patches of a series in their order, touch.
    pub(super) fn of<'d>(diffs: impl IntoIterator<Item = &'d [u8]>) -> Self {
        let mut touched = Self::default();
        for diff in diffs {
            let text = String::from_utf8_lossy(diff);
            let mut file = Found::default();
            for line in text.lines() {
                if line.starts_with("diff --git ") {
                    touched.add(std::mem::take(&mut file));
                    file.both = both(line);
                } else {
                    file.read(line);
                }
            }
            touched.add(file);
        }
        touched
    }

    /// The paths, in order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The paths of which it is told what was in them, with the beginning of its id.
    pub(super) fn before(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, id)| Some((path.as_str(), id.as_deref()?)))
    }

    /// What was in a file before the series is what the first patch says that touches it.
    fn add(&mut self, found: Found) {
        let Found { both, old, new, id, .. } = found;
        let Some(path) = old.or(new).or(both) else { return };
        // A line could not hold the others; git would write them in quotes.
        let is_odd = path.is_empty() || path.contains(char::is_control);
        if !is_odd && self.files.len() < FILES_MAX {
            self.files.entry(path).or_insert(id);
        }
    }
}

/// What the diff of one file says.
#[derive(Default)]
struct Found {
    /// The name in the first line, where both names in it are the same.
    both: Option<String>,
    /// The name before.
    old: Option<String>,
    /// The name after.
    new: Option<String>,
    id: Option<String>,
    is_in_hunks: bool,
}

impl Found {
    fn read(&mut self, line: &str) {
        if self.is_in_hunks {
            return;
        }
        if let Some(ids) = line.strip_prefix("index ") {
            let id = ids.split("..").next().unwrap_or_default();
            let is_id = id.len() >= 7 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_nothing = id.bytes().all(|byte| byte == b'0');
            self.id = (is_id && !is_nothing).then(|| id.to_ascii_lowercase());
        } else if let Some(name) = line.strip_prefix("--- ") {
            self.old = side(name, "a/");
        } else if let Some(name) = line.strip_prefix("+++ ") {
            self.new = side(name, "b/");
        } else if let Some(name) =
            line.strip_prefix("rename from ").or_else(|| line.strip_prefix("copy from "))
        {
            self.old = Some(name.to_owned());
        } else if line.starts_with("@@ ") || line.starts_with("GIT binary patch") {
            self.is_in_hunks = true;
        }
    }
}

/// The name in a line `--- a/name`, which has none for a file that is new.
fn side(name: &str, prefix: &str) -> Option<String> {
    let name = name.split('\t').next().unwrap_or_default();
    name.strip_prefix(prefix).map(str::to_owned)
}

/// The name in a line `diff --git a/name b/name`, where both are the same.
fn both(line: &str) -> Option<String> {
    let names = line.strip_prefix("diff --git a/")?;
    let half = names.len().checked_sub(" b/".len())? / 2;
    let (name, rest) = (names.get(..half)?, names.get(half..)?);
    (rest.strip_prefix(" b/")? == name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(diff: &str) -> Vec<(String, Option<String>)> {
        Touched::of([diff.as_bytes()]).files.into_iter().collect()
    }

    #[test]
    fn a_diff_says_what_was_there_before() {
        let diff = "diff --git a/lib/x y.c b/lib/x y.c\nindex 0123abc..4567def 100644\n\
            --- a/lib/x y.c\t\n+++ b/lib/x y.c\n@@ -1 +1 @@\n-index 7777777..8888888\n+b\n--- a/no\n\
            diff --git a/new b/new\nnew file mode 100644\nindex 0000000..4567def\n--- /dev/null\n\
            +++ b/new\n@@ -0,0 +1 @@\n+a\n\
            diff --git a/old b/moved\nsimilarity index 100%\nrename from old\nrename to moved\n\
            diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n\
            diff --git a/logo b/logo\nindex 89abcdef..4567def 100644\nGIT binary patch\nliteral 3\n";
        let expected = [
            ("lib/x y.c", Some("0123abc")),
            ("logo", Some("89abcdef")),
            ("mode", None),
            ("new", None),
            ("old", None),
        ];
        let expected = expected.map(|(path, id)| (path.to_owned(), id.map(str::to_owned)));
        assert_eq!(touched(diff), expected);
    }

    #[test]
    fn the_first_patch_that_touches_a_file_says_what_was_in_it() {
        let diff = |id: &str| {
            format!("diff --git a/x b/x\nindex {id}..1111111 100644\n--- a/x\n+++ b/x\n")
        };
        let (first, second) = (diff("aaaaaaa"), diff("bbbbbbb"));
        let touched = Touched::of([first.as_bytes(), second.as_bytes()]);
        assert_eq!(touched.before().collect::<Vec<_>>(), [("x", "aaaaaaa")]);
    }

    #[test]
    fn nonsense_is_no_hint() {
        for diff in [
            "",
            "diff --git",
            "diff --git a/x",
            "diff --git a/ü b/u",
            "index ..",
            "--- a/",
            "diff --git a/x b/x\nindex zzzzzzz..1\n--- a/a\u{7}b\n",
        ] {
            assert_eq!(touched(diff), [], "{diff:?}");
        }
        let many: Vec<_> = (0..2000).map(|n| format!("diff --git a/{n} b/{n}\n")).collect();
        let many = many.concat();
        assert_eq!(touched(&many).len(), FILES_MAX);
    }
}
