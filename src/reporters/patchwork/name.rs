//! What Patchwork calls a mail: its subject, with what stood in brackets as one list before it.
//!
//! `[PATCH net-next v2 1/3] net: Fix it` is `[net-next,v2,1/3] net: Fix it` there.

/// How much of a title is kept, in characters; Patchwork keeps as many bytes.
const TITLE_MAX_CHARS: usize = 255;
/// How many words in brackets are kept, and how long they may be.
const TAGS_MAX: usize = 20;
const TAG_MAX_CHARS: usize = 60;

/// A name, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    /// The words in brackets, without version and count.
    pub(super) tags: Vec<String>,
    /// Which version it is of.
    pub(super) version: u32,
    /// Which mail it is, and of how many: 0 is the cover letter.
    pub(super) place: Option<(u32, u32)>,
    /// What stands behind the brackets.
    pub(super) title: String,
}

impl Name {
    pub(super) fn parse(name: &str) -> Self {
        let mut parsed = Self { version: 0, ..Self::default() };
        let mut rest = name.trim();
        while let Some((inside, behind)) =
            rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            for part in inside.split(',') {
                parsed.take(part);
            }
            rest = behind.trim_start();
        }
        let title: Vec<&str> = rest.split_whitespace().collect();
        parsed.title = title.join(" ").chars().take(TITLE_MAX_CHARS).collect();
        if parsed.version == 0 {
            parsed.version = version_in(&parsed.title).unwrap_or(1);
        }
        parsed
    }

    /// Takes what stands between two commas.
    fn take(&mut self, part: &str) {
        // Mercurial writes `1 of 3`, which is one mark.
        if let Some(place) = part.split_once(" of ").and_then(|(left, right)| place(left, right)) {
            self.place.get_or_insert(place);
            return;
        }
        for word in part.split_whitespace() {
            if let Some(place) = word.split_once('/').and_then(|(left, right)| place(left, right)) {
                self.place.get_or_insert(place);
            } else if let Some(version) = version(word) {
                if self.version == 0 {
                    self.version = version;
                }
            } else if !word.eq_ignore_ascii_case("patch") && self.tags.len() < TAGS_MAX {
                self.tags.push(word.chars().take(TAG_MAX_CHARS).collect());
            }
        }
    }
}

/// The place that `1/3` tells; there may be words before it, as in `PATCH1/3`.
fn place(left: &str, right: &str) -> Option<(u32, u32)> {
    let digits = left.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let number = left.get(digits..)?.parse().ok()?;
    let count = right.bytes().all(|byte| byte.is_ascii_digit()).then(|| right.parse().ok())??;
    Some((number, count))
}

/// The version that `v2` tells.
fn version(word: &str) -> Option<u32> {
    let digits = word.strip_prefix(['v', 'V'])?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?.filter(|version| *version > 0)
}

/// The version that `(v2)` in a title tells, as Patchwork reads it.
fn version_in(title: &str) -> Option<u32> {
    let mut groups = title.split('(').skip(1).filter_map(|rest| rest.split_once(')'));
    groups.find_map(|(group, _)| version(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> String {
        let Name { tags, version, place, title } = Name::parse(name);
        let place = place.map_or_else(|| "-".to_owned(), |(number, of)| format!("{number}/{of}"));
        format!("{} v{version} {place} {title}", tags.join("+"))
    }

    #[test]
    fn a_name_is_taken_apart_as_it_was_put_together() {
        insta::assert_snapshot!(parsed("[net-next,v2,01/12] net:  Fix it"), @"net-next v2 1/12 net: Fix it");
        insta::assert_snapshot!(parsed("net: Fix it"), @" v1 - net: Fix it");
        insta::assert_snapshot!(parsed("[RFC,RESEND] [x86] net: Fix [a] (v3)"), @"RFC+RESEND+x86 v3 - net: Fix [a] (v3)");
        insta::assert_snapshot!(parsed("[PATCH1/8] it"), @" v1 1/8 it");
        insta::assert_snapshot!(parsed("[PATCH v2 2/3] it"), @" v2 2/3 it");
        insta::assert_snapshot!(parsed("[2 of 3] it"), @" v1 2/3 it");
    }

    #[test]
    fn what_looks_like_a_mark_is_none() {
        insta::assert_snapshot!(parsed("[v0,virtio,a/b,1/2/3] it"), @"v0+virtio+a/b+1/2/3 v1 - it");
        insta::assert_snapshot!(parsed("[99999999999/3,v99999999999] it"), @"99999999999/3+v99999999999 v1 - it");
        insta::assert_snapshot!(parsed("[ it"), @" v1 - [ it");
        insta::assert_snapshot!(parsed("[]"), @" v1 -");
        insta::assert_snapshot!(parsed("[1/2,3/4,v2,v3] it"), @" v2 1/2 it");
    }
}
