//! A table of text: columns as wide as they have to be, and as narrow as the terminal wants.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::console::Look;
use super::words::{Tint, safe};

/// The space between two columns.
const GAP: usize = 2;
/// No column is made narrower than this.
const NARROW: usize = 8;
/// As long as the last column is wider than this, no other is made narrower.
const REMARK: usize = 16;

/// One value in a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tint: Tint,
}

impl Cell {
    /// Text from anywhere: it is made one harmless line.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self { text: safe(text.as_ref()), tint: Tint::Plain }
    }

    /// In a colour.
    pub(super) fn tinted(text: impl AsRef<str>, tint: Tint) -> Self {
        Self { text: safe(text.as_ref()), tint }
    }

    /// The word for a state, in its colour.
    pub(super) fn state(word: &str) -> Self {
        Self::tinted(word, Tint::of_state(word))
    }

    /// Text that may be absent.
    pub(super) fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(|| Self::new(""), Self::new)
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Table {
    headings: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    /// A table with these headings; with none it has no such line.
    pub(super) fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|heading| Cell::tinted(heading, Tint::Strong)).collect();
        Self { headings, rows: Vec::new(), indent: 0 }
    }

    /// Rows that begin further to the right.
    pub(super) fn indented(self, indent: usize) -> Self {
        Self { indent, ..self }
    }

    /// Adds a row.
    pub(super) fn row<const COLUMNS: usize>(&mut self, cells: [Cell; COLUMNS]) {
        self.rows.push(cells.into());
    }

    /// Without one of its columns, counted from 0.
    pub(super) fn without(mut self, column: usize) -> Self {
        for row in self.rows.iter_mut().chain([&mut self.headings]) {
            if column < row.len() {
                row.remove(column);
            }
        }
        self
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its lines.
    pub(super) fn lines(&self, look: Look) -> Vec<String> {
        let headings = (!self.headings.is_empty()).then_some(&self.headings);
        let all: Vec<&Vec<Cell>> = headings.into_iter().chain(&self.rows).collect();
        let widths = fitted(natural(&all), look.width.map(|all| all.saturating_sub(self.indent)));
        all.iter().map(|row| self.line(row, &widths, look)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize], look: Look) -> String {
        let mut line = " ".repeat(self.indent);
        let mut owed = 0;
        for (cell, width) in row.iter().zip(widths) {
            line.extend(std::iter::repeat_n(' ', owed));
            let text = cut(&cell.text, *width);
            owed = width.saturating_sub(text.width()) + GAP;
            line.push_str(&cell.tint.paint(&text, look.colours));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// How wide each column would like to be.
fn natural(rows: &[&Vec<Cell>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row.iter()) {
            *width = cell.text.width().max(*width);
        }
    }
    widths
}

/// The widths that fit into `room`: the last column, which is for remarks, gives first, then
/// always the widest.
fn fitted(mut widths: Vec<usize>, room: Option<usize>) -> Vec<usize> {
    let Some(room) = room else { return widths };
    let gaps = GAP * widths.len().saturating_sub(1);
    let excess = |widths: &[usize]| (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
    let first = excess(&widths);
    if let Some(last) = widths.last_mut() {
        *last = (*last).min(last.saturating_sub(first).max(REMARK));
    }
    while excess(&widths) > 0 {
        let widest = widths.iter().copied().max().unwrap_or(0);
        let Some(width) = widths.iter_mut().rev().find(|width| **width == widest) else { break };
        if widest <= NARROW {
            break;
        }
        *width -= 1;
    }
    widths
}

/// `text` in at most `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        cut.push(c);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "ABOUT"]);
        table.row([Cell::new("a"), Cell::new("what a rule is for, at some length")]);
        table.row([Cell::tinted("änder-信号", Tint::Good), Cell::new("short\u{1b}[31m")]);
        table
    }

    fn shown(width: Option<usize>, colours: bool) -> String {
        let look = Look { colours, error_colours: false, width };
        table().lines(look).join("\n")
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        insta::assert_snapshot!(shown(None, false), @"
        NAME        ABOUT
        a           what a rule is for, at some length
        änder-信号  short
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column() {
        insta::assert_snapshot!(shown(Some(30), false), @"
        NAME        ABOUT
        a           what a rule is fo…
        änder-信号  short
        ");
        for width in 0..60 {
            let fits = |line: &str| line.width() <= width.max(2 * NARROW + GAP);
            assert!(shown(Some(width), false).lines().all(fits), "{width}");
        }
    }

    #[test]
    fn colours_take_no_room() {
        assert!(shown(None, true).contains("\u{1b}[32mänder-信号\u{1b}[0m  short"));
    }
}
