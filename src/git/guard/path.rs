//! Paths that are none of a repository's files, and characters that people do not see.

/// Whether a path leads out of a repository, or into the folder that git keeps it in, on any file
/// system that somebody may check it out on.
///
/// Git refuses them too.
pub(super) fn is_outside(path: &[u8]) -> bool {
    let path = String::from_utf8_lossy(path);
    let is_drive = path.chars().nth(1) == Some(':')
        && path.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    is_drive || path.is_empty() || path.split(['/', '\\']).any(is_special)
}

/// Whether the name of a folder or file is one that means something else.
fn is_special(name: &str) -> bool {
    // HFS+ does not see these characters, and NTFS drops what follows a colon, and dots and
    // blanks at the end; `GIT~1` is its short name.
    let seen: String =
        name.chars().filter(|&c| !is_unseen(c)).flat_map(char::to_lowercase).collect();
    let name = seen.split(':').next().unwrap_or_default();
    let kept = name.trim_end_matches(['.', ' ']);
    name.is_empty() || kept.is_empty() || matches!(kept, ".git" | "git~1")
}

/// The first character of a text that hides something from those who read it.
pub(super) fn hidden(text: &str) -> Option<char> {
    text.chars().find(|&c| is_hidden(c))
}

/// A control character but for those that are used in source code, or what [`is_unseen`].
fn is_hidden(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\u{c}') && (c.is_control() || is_unseen(c))
}

/// Unicode's category Cf: marks of direction, joints, blanks without width, tags.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_known() {
        for path in [
            "",
            "/etc/passwd",
            "a//b",
            "a/",
            "./a",
            "../a",
            "a/../../b",
            "a/..\\b",
            ".git/config",
            "a/.GIT/hooks/x",
            ".git",
            ".git./config",
            ".git /config",
            ".git::$INDEX_ALLOCATION/config",
            "GIT~1/config",
            ".git\\config",
            ".g\u{200c}it/config",
            "C:/a",
            "...",
        ] {
            assert!(is_outside(path.as_bytes()), "{path:?}");
        }
        for path in ["a", "a/b", ".gitignore", ".github/x", "a.git/b", "git", "~1", "ü/x y", "a..b"]
        {
            assert!(!is_outside(path.as_bytes()), "{path:?}");
        }
    }

    #[test]
    fn what_people_do_not_see_is_known() {
        for (text, c) in [
            ("a\u{202e}b", '\u{202e}'),
            ("\u{1b}[31m", '\u{1b}'),
            ("a\0", '\0'),
            ("a\rb", '\r'),
            ("\u{e0061}", '\u{e0061}'),
        ] {
            assert_eq!(hidden(text), Some(c), "{text:?}");
        }
        for text in ["", "a\tb\nc\u{c}", "Jürgen Größe", "漢字", "\u{2764}\u{fe0f}"] {
            assert_eq!(hidden(text), None, "{text:?}");
        }
    }
}
