//! What is in a diff, as far as it can be told without applying it.

use super::path;

/// What is in a diff.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::git) struct Contents {
    /// How many files it touches.
    pub(super) files: usize,
    /// Their paths, before and after.
    pub(in crate::git) paths: Vec<Vec<u8>>,
    /// How large its binary files say that they are.
    pub(super) binary_bytes: u64,
    /// Whether a binary file is made of what was there before.
    pub(super) has_delta: bool,
    /// The first hidden character that a file gets, and the file.
    pub(super) hidden: Option<(Vec<u8>, char)>,
}

/// How many lines of a hunk are still to come, of the file before and after.
#[derive(Clone, Copy, Default)]
struct Left {
    before: u64,
    after: u64,
}

impl Contents {
    /// Reads a diff as git does: what is in a hunk is counted, and everything else is a header
    /// or noise.
    pub(in crate::git) fn of(diff: &[u8]) -> Self {
        let mut contents = Self::default();
        let mut left = Left::default();
        let mut others = 0;
        for line in diff.split(|&byte| byte == b'\n') {
            if (left.before > 0 || left.after > 0) && contents.takes(line, &mut left) {
                continue;
            }
            left = Left::default();
            if let Some(lines) = line.strip_prefix(b"@@ -") {
                left = hunk(lines).unwrap_or_default();
            } else if let Some(names) = line.strip_prefix(b"diff --git ") {
                contents.files += 1;
                contents.paths.extend(same(names));
            } else if let Some(name) = line.strip_prefix(b"+++ ") {
                // A diff that is not git's says only this.
                others += 1;
                contents.name(name);
            } else {
                contents.header(line);
            }
        }
        contents.files = contents.files.max(others);
        contents
    }

    /// Whether a line is one of the hunk.
    fn takes(&mut self, line: &[u8], left: &mut Left) -> bool {
        let (before, after) = match line.first() {
            // Some mailers take the blank from the end of an empty line.
            Some(b' ') | None => (1, 1),
            Some(b'-') => (1, 0),
            Some(b'+') => (0, 1),
            Some(b'\\') => (0, 0),
            Some(_) => return false,
        };
        let (Some(before), Some(after)) =
            (left.before.checked_sub(before), left.after.checked_sub(after))
        else {
            return false;
        };
        *left = Left { before, after };
        if let Some(added) = line.strip_prefix(b"+")
            && self.hidden.is_none()
        {
            let added = String::from_utf8_lossy(added);
            let added = added.strip_suffix('\r').unwrap_or(&added);
            let place = || self.paths.last().cloned().unwrap_or_default();
            self.hidden = path::hidden(added).map(|c| (place(), c));
        }
        true
    }

    fn header(&mut self, line: &[u8]) {
        const NAMES: [&[u8]; 4] = [b"rename from ", b"rename to ", b"copy from ", b"copy to "];
        if let Some(name) = line.strip_prefix(b"--- ") {
            self.name(name);
        } else if let Some(name) = NAMES.iter().find_map(|start| line.strip_prefix(*start)) {
            self.paths.push(unquoted(name));
        } else if let Some(size) = line.strip_prefix(b"literal ") {
            self.binary_bytes = self.binary_bytes.saturating_add(number(size));
        } else if let Some(size) = line.strip_prefix(b"delta ") {
            self.has_delta = true;
            self.binary_bytes = self.binary_bytes.saturating_add(number(size));
        }
    }

    /// A name that has a prefix such as `a/`, and perhaps a date behind it.
    fn name(&mut self, name: &[u8]) {
        let name = name.strip_suffix(b"\r").unwrap_or(name);
        let name = match name.first() {
            Some(b'"') => unquoted(name),
            Some(_) | None => name.split(|&byte| byte == b'\t').next().unwrap_or_default().to_vec(),
        };
        if name == b"/dev/null" {
            return;
        }
        let slash = name.iter().position(|&byte| byte == b'/');
        match slash.filter(|&at| at > 0) {
            Some(at) => self.paths.push(name.get(at + 1..).unwrap_or_default().to_vec()),
            None => self.paths.push(name),
        }
    }
}

/// The name in the first line of git's own, where both names in it are the same: nothing else
/// may say it, if no line of the file changes.
fn same(names: &[u8]) -> Option<Vec<u8>> {
    let names = names.strip_suffix(b"\r").unwrap_or(names);
    let below = |name: &[u8]| {
        let slash = name.iter().position(|&byte| byte == b'/')?;
        name.get(slash + 1..).map(<[u8]>::to_vec)
    };
    if names.starts_with(b"\"") {
        return below(&unquoted(names));
    }
    let (first, second) = names.split_at_checked(names.len() / 2)?;
    let (first, second) = (below(first)?, below(second.strip_prefix(b" ")?)?);
    (first == second).then_some(first)
}

/// How many lines a hunk says that it has: `1,3 +1,4 @@`.
fn hunk(lines: &[u8]) -> Option<Left> {
    // However long: git, too, reads a number with any zeros before it.
    let text = std::str::from_utf8(lines.split(|b| *b == b'@').next()?);
    let (before, after) = text.ok()?.trim().split_once(" +")?;
    let count = |range: &str| match range.split_once(',') {
        Some((_, count)) => count.parse().ok(),
        None => Some(1),
    };
    Some(Left { before: count(before)?, after: count(after)? })
}

/// A number, as large as can be where it cannot be read.
fn number(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text.trim_ascii());
    text.parse().unwrap_or(u64::MAX)
}

/// A name that git has put in quotes, because there is something odd in it.
fn unquoted(name: &[u8]) -> Vec<u8> {
    let Some(quoted) = name.strip_prefix(b"\"") else {
        return name.strip_suffix(b"\r").unwrap_or(name).to_vec();
    };
    let mut out = Vec::new();
    let mut bytes = quoted.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(first @ b'0'..=b'3') => {
                    let octal = [first, bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                    let digits = octal.map(|digit| digit.wrapping_sub(b'0') & 7);
                    out.push(digits.into_iter().fold(0, |sum, digit| (sum << 3) | digit));
                }
                Some(b'n') => out.push(b'\n'),
                Some(b't') => out.push(b'\t'),
                Some(b'r') => out.push(b'\r'),
                Some(other) => out.push(other),
                None => {}
            },
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(diff: &str) -> Vec<String> {
        let contents = Contents::of(diff.as_bytes());
        contents.paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    #[test]
    fn the_paths_of_a_diff_are_in_its_headers_only() {
        let diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\t2023\n@@ -1,2 +1,2 @@\n--- a/../no\n\
            +++ b/../no\n a\n\\ No newline at end of file\ndiff --git a/o b/n\nrename from o\nrename to n\n\
            --- /dev/null\n+++ \"b/\\056git/\\303\\274\\n\"\n@@ -0,0 +1 @@\n+a\n-- \n2.47\n";
        assert_eq!(paths(diff), ["x", "x", "x", "o", "n", ".git/ü\n"]);
        assert_eq!(Contents::of(diff.as_bytes()).files, 2);
        assert_eq!(paths("--- /etc/passwd\n+++ /etc/passwd\n"), ["/etc/passwd", "/etc/passwd"]);
    }

    #[test]
    fn a_file_of_which_no_line_changes_has_a_name() {
        assert_eq!(paths("diff --git a/x y b/x y\nold mode 100644\n"), ["x y"]);
        assert_eq!(paths("diff --git \"a/\\303\\274\" \"b/\\303\\274\"\n"), ["ü"]);
        assert_eq!(paths("diff --git a/x b/y\nrename from x\nrename to y\n"), ["x", "y"]);
        for nonsense in ["", "a/x", "a b", "a/ b/"] {
            let diff = format!("diff --git {nonsense}\n");
            assert!(Contents::of(diff.as_bytes()).paths.iter().all(Vec::is_empty), "{nonsense}");
        }
    }

    #[test]
    fn binary_files_say_how_large_they_are() {
        let diff = "diff --git a/x b/x\nGIT binary patch\nliteral 700\nzc$x\n\nliteral 0\nHcmV?d00001\n\n\
            diff --git a/y b/y\nGIT binary patch\ndelta 30\nzc$x\n";
        let contents = Contents::of(diff.as_bytes());
        assert_eq!((contents.binary_bytes, contents.has_delta), (730, true));
        let hostile = format!("literal {}\nliteral x\n", u64::MAX);
        assert_eq!(Contents::of(hostile.as_bytes()).binary_bytes, u64::MAX);
    }

    #[test]
    fn what_is_added_is_looked_at() {
        let hidden = |line: &str| {
            let diff = format!("--- a/x\n+++ b/x\n@@ -1,1 +1,2 @@\n a\u{202e}\n{line}\n");
            Contents::of(diff.as_bytes()).hidden
        };
        assert_eq!(hidden("+b\u{202e}"), Some((b"x".to_vec(), '\u{202e}')));
        assert_eq!(hidden("+a \r"), None);
        assert_eq!(hidden("+b\u{c}"), None);
        // Not in the hunk.
        assert_eq!(hidden("noise\u{202e}"), None);
    }

    #[test]
    fn no_number_is_too_long_for_what_is_added_to_be_looked_at() {
        let zeros = "0".repeat(200);
        for range in [format!("-{zeros}1,1 +1,2"), format!("-1,{zeros}1 +{zeros}1,{zeros}2")] {
            let diff = format!("--- a/x\n+++ b/x\n@@ {range} @@\n a\n+b\u{202e}\n");
            assert!(Contents::of(diff.as_bytes()).hidden.is_some(), "{range}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>, start in 0..6_usize) {
            const STARTS: [&str; 6] = ["", "diff --git ", "@@ -", "+++ \"", "rename to ", "delta "];
            let diff = [STARTS[start].as_bytes(), &bytes].concat();
            let contents = Contents::of(&diff);
            proptest::prop_assert!(contents.files <= 1 + bytes.len());
        }

        #[test]
        fn a_hunk_ends_where_it_says_so(before in 0..9_usize, after in 0..9_usize) {
            let lines = "-\u{202e}\n".repeat(before) + &"+x\n".repeat(after);
            let diff = format!("@@ -1,{before} +1,{after} @@\n{lines}--- a/end\n");
            proptest::prop_assert_eq!(Contents::of(diff.as_bytes()).paths, [b"end".to_vec()]);
        }
    }

    #[test]
    fn nonsense_is_read_too() {
        for diff in
            ["@@ -", "@@ -1 +", "@@ -9999999999999999999,1 +1 @@\n+", "+++ ", "+++ \"", "--- \"\\"]
        {
            assert_eq!(Contents::of(diff.as_bytes()).hidden, None, "{diff:?}");
        }
    }
}
