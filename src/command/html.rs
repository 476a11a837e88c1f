//! Just enough of HTML to know what stands inside of an element that hides or quotes.

use std::ops::Range;

/// Elements whose content is folded away, quoted, code, struck out or not text at all.
const HIDING: [&str; 22] = [
    "blockquote",
    "code",
    "del",
    "details",
    "iframe",
    "kbd",
    "listing",
    "noscript",
    "plaintext",
    "pre",
    "q",
    "samp",
    "script",
    "strike",
    "style",
    "summary",
    "svg",
    "table",
    "template",
    "textarea",
    "tt",
    "xmp",
];
/// How deep they may stand in each other; what is deeper hides all that follows.
const DEPTH_MAX: usize = 50;

/// A tag of an element that hides.
pub(super) struct Found {
    /// Where it begins.
    at: usize,
    name: &'static str,
    is_end: bool,
}

/// The tags in a piece of HTML that hide something.
pub(super) fn tags(html: &str) -> impl Iterator<Item = Found> {
    let mut read_to = 0;
    std::iter::from_fn(move || {
        loop {
            let at = read_to + html.get(read_to..)?.find('<')?;
            let rest = html.get(at + 1..)?;
            if let Some(comment) = rest.strip_prefix("!--") {
                read_to = at + 4 + comment.find("-->")?;
                continue;
            }
            let (is_end, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let (name, attributes) = rest.split_at_checked(length)?;
            read_to = html.len() - attributes.len() + end_of(attributes);
            if let Some(name) = HIDING.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
                return Some(Found { at, name, is_end });
            }
        }
    })
}

/// How long the attributes of a tag are: there may be `>` in their quotes.
fn end_of(attributes: &str) -> usize {
    let mut quote = None;
    for (offset, c) in attributes.char_indices() {
        if quote.is_some() {
            quote = quote.filter(|open| *open != c);
        } else if c == '>' {
            return offset;
        } else if matches!(c, '"' | '\'') {
            quote = Some(c);
        }
    }
    attributes.len()
}

/// The elements that are open.
#[derive(Default)]
pub(super) struct Elements {
    open: Vec<&'static str>,
    /// Where the outermost of them began.
    since: usize,
    is_too_deep: bool,
}

impl Elements {
    /// Takes a tag of the piece of HTML that begins at `offset`; returns what was hidden, when
    /// nothing is any longer.
    pub(super) fn take(&mut self, offset: usize, tag: &Found) -> Option<Range<usize>> {
        let at = offset + tag.at;
        if !tag.is_end {
            if self.open.is_empty() {
                self.since = at;
            }
            if self.open.len() < DEPTH_MAX {
                self.open.push(tag.name);
            } else {
                self.is_too_deep = true;
            }
            return None;
        }
        let place = self.open.iter().rposition(|name| *name == tag.name)?;
        if self.is_too_deep {
            return None;
        }
        self.open.truncate(place);
        self.open.is_empty().then_some(self.since..at)
    }

    /// What stays hidden up to the `end` of the text.
    pub(super) fn rest(self, end: usize) -> Option<Range<usize>> {
        (!self.open.is_empty()).then_some(self.since..end)
    }
}
