//! The lines of a comment that are its writer's own plain words.
//!
//! Forges differ little in what they make of Markdown.  Where they do, or where a line would be
//! shown as somebody else's or not at all, it does not count: a command that is not heeded can be
//! said again, one that was never meant cannot be taken back.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::html;

/// What forges know besides plain Markdown, as far as it hides words.
const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);
/// A line that is indented further is code, or was meant to be.
const INDENT_MAX: usize = 3;

/// The lines of `text`, each ended by `\n`, that are neither quoted, code, hidden, struck out, in a table nor part of
/// a link; each without the blanks around it and the tags within it.
///
/// In a list only a line counts that begins at the margin: what follows a bullet describes, but
/// Markdown also takes the line below a list for a part of it.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut reading = Reading::new(text);
    for (event, range) in Parser::new_ext(text, OPTIONS).into_offset_iter() {
        reading.take(&event, range);
    }
    reading.finish()
}

/// What is known of a text, read up to some point.
struct Reading<'t> {
    text: &'t str,
    /// Where the lines begin.
    starts: Vec<usize>,
    /// Lines with words in them that are not in an excluded block, and whether in a list.
    found: Vec<(usize, bool)>,
    /// How many excluded blocks are open.
    excluded: usize,
    /// How many lists are open.
    lists: usize,
    /// What does not count although its block does; overlapping and in any order.
    hidden: Vec<Range<usize>>,
    /// Tags and comments within lines.
    tags: Vec<Range<usize>>,
    /// Elements of HTML that are open.
    elements: html::Elements,
    /// Lines of `>>>`, which stand around a quote.
    fences: Vec<usize>,
}

impl<'t> Reading<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(ends).collect(),
            found: Vec::new(),
            excluded: 0,
            lists: 0,
            hidden: Vec::new(),
            tags: Vec::new(),
            elements: html::Elements::default(),
            fences: Vec::new(),
        }
    }

    fn take(&mut self, event: &Event<'_>, range: Range<usize>) {
        if let Event::Start(tag) = event {
            if self.excluded == 0 && matches!(tag, Tag::BlockQuote(_)) {
                self.note_fences(&range);
            }
            if self.excluded == 0 && matches!(tag, Tag::HtmlBlock) {
                self.note_elements(&range);
            }
            if matches!(tag, Tag::Link { .. } | Tag::Image { .. } | Tag::Strikethrough) {
                self.hidden.push(range);
            }
            self.excluded += usize::from(is_excluded(tag.to_end()));
            self.lists += usize::from(matches!(tag, Tag::List(_)));
        } else if let Event::End(tag) = event {
            self.excluded = self.excluded.saturating_sub(usize::from(is_excluded(*tag)));
            self.lists = self.lists.saturating_sub(usize::from(matches!(tag, TagEnd::List(_))));
        } else if self.excluded > 0 {
            // Whatever it is, it is not the writer's.
        } else if matches!(event, Event::Text(_)) {
            let line = self.line_at(range.start);
            if self.found.last().is_none_or(|(last, _)| *last != line) {
                self.found.push((line, self.lists > 0));
            }
        } else if matches!(event, Event::Code(_)) {
            self.hidden.push(range);
        } else if matches!(event, Event::InlineHtml(_)) {
            self.note_elements(&range);
            self.tags.push(range.clone());
            self.hidden.push(range);
        }
    }

    /// The number of the line that holds the byte `offset`, from 0.
    fn line_at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The line as it stands, without its end.
    fn line(&self, number: usize) -> (usize, &'t str) {
        let start = self.starts.get(number).copied().unwrap_or_default();
        let end = self.starts.get(number + 1).map_or(self.text.len(), |next| *next - 1);
        (start, self.text.get(start..end).unwrap_or_default())
    }

    /// GitLab's quotes stand between two lines of `>>>`, each of which is a quote to others.
    fn note_fences(&mut self, range: &Range<usize>) {
        for number in self.line_at(range.start)..=self.line_at(range.end.saturating_sub(1)) {
            let (start, line) = self.line(number);
            if line.trim() == ">>>" {
                self.fences.push(start);
            }
        }
    }

    fn note_elements(&mut self, range: &Range<usize>) {
        let html = self.text.get(range.clone()).unwrap_or_default();
        let hidden = html::tags(html).filter_map(|tag| self.elements.take(range.start, &tag));
        self.hidden.extend(hidden);
    }

    fn finish(mut self) -> Vec<String> {
        let end = self.text.len();
        let elements = std::mem::take(&mut self.elements);
        self.hidden.extend(elements.rest(end));
        for pair in self.fences.chunks(2) {
            let start = pair.first().copied().unwrap_or_default();
            self.hidden.push(start..pair.get(1).copied().unwrap_or(end));
        }
        self.hidden = merged(self.hidden);
        let comments = self.stray_comments();
        self.hidden.extend(comments);
        self.hidden = merged(self.hidden);
        let found = self.found.iter();
        found.filter_map(|(number, is_in_list)| self.words(*number, *is_in_list)).collect()
    }

    /// Comments that Markdown does not take for one, as an empty line is in them; other readers do.
    fn stray_comments(&self) -> Vec<Range<usize>> {
        let mut comments = Vec::new();
        let mut read_to = 0;
        for (number, _) in &self.found {
            let (start, line) = self.line(*number);
            for (offset, _) in line.match_indices("<!--") {
                let start = start + offset;
                if start < read_to || is_within(&self.hidden, start) {
                    continue;
                }
                let rest = self.text.get(start..).unwrap_or_default();
                read_to = rest.find("-->").map_or(self.text.len(), |length| start + length);
                comments.push(start..read_to);
            }
        }
        comments
    }

    /// The words of a line that was found, unless they do not count.
    fn words(&self, number: usize, is_in_list: bool) -> Option<String> {
        let (start, line) = self.line(number);
        let indent = line.len() - line.trim_start_matches(' ').len();
        if indent > if is_in_list { 0 } else { INDENT_MAX }
            || is_within(&self.hidden, start + indent)
        {
            return None;
        }
        let first = self.tags.partition_point(|tag| tag.end <= start);
        let tags = self.tags.get(first..).unwrap_or_default();
        let mut words = String::with_capacity(line.len());
        let mut read_to = start;
        for tag in tags.iter().take_while(|tag| tag.start < start + line.len()) {
            words.push_str(self.text.get(read_to..tag.start).unwrap_or_default());
            read_to = tag.end;
        }
        words.push_str(self.text.get(read_to..start + line.len()).unwrap_or_default());
        // A backslash at the end of a line breaks it.
        let words = words.trim_matches([' ', '\t']);
        Some(words.strip_suffix('\\').unwrap_or(words).trim_end().to_owned())
    }
}

/// Whether the words of a block are not the writer's own, or no running text.
fn is_excluded(tag: TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::BlockQuote(_)
            | TagEnd::CodeBlock
            | TagEnd::HtmlBlock
            | TagEnd::Table
            | TagEnd::FootnoteDefinition
            | TagEnd::MetadataBlock(_)
    )
}

/// The same ranges in order, none touching another.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged = Vec::<Range<usize>>::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

/// Whether one of `ranges`, which are in order, holds `offset`.
fn is_within(ranges: &[Range<usize>], offset: usize) -> bool {
    let next = ranges.partition_point(|range| range.end <= offset);
    ranges.get(next).is_some_and(|range| range.contains(&offset))
}
