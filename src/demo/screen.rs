//! What is shown: lines of parts, coloured on a terminal, no wider than a hundred columns.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// The widest line.
pub(super) const COLUMNS: usize = 100;

/// How a part of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As the terminal has it.
    Plain,
    /// A heading.
    Strong,
    /// Beside the point.
    Quiet,
    /// A passed test.
    Good,
    /// A failed test.
    Bad,
    /// Something under way.
    Open,
    /// Pagure, and what comes from it.
    Forge,
    /// Jenkins, and what comes from it.
    Builder,
    /// The service itself.
    Ours,
}

impl Look {
    /// Select Graphic Rendition (ECMA-48) of the look, if it has one.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Quiet => Some("2"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
            Self::Open => Some("33"),
            Self::Forge => Some("34"),
            Self::Builder => Some("35"),
            Self::Ours => Some("1;36"),
        }
    }
}

/// A part of a line.
pub(super) type Part = (Look, String);

/// A part of a line.
pub(super) fn part(look: Look, text: impl Into<String>) -> Part {
    (look, text.into())
}

/// Where the lines go.
pub(super) struct Screen {
    out: Box<dyn Write + Send + Sync>,
    is_coloured: bool,
    is_gone: bool,
}

impl Screen {
    /// Standard output; coloured on a terminal, unless the environment says that it is not wanted
    /// (no-color.org).
    pub(super) fn stdout() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_coloured = io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb;
        Self { out: Box::new(io::stdout()), is_coloured, is_gone: false }
    }

    /// Anything that can be written to, without colours.
    pub(super) fn plain(out: Box<dyn Write + Send + Sync>) -> Self {
        Self { out, is_coloured: false, is_gone: false }
    }

    /// Nothing is shown.
    pub(super) fn dark() -> Self {
        Self { is_gone: true, ..Self::plain(Box::new(io::sink())) }
    }

    /// Whether nobody reads any more.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Shows a line; what does not fit is left out.
    pub(super) fn line(&mut self, parts: &[Part]) -> io::Result<()> {
        let mut text = String::new();
        let mut left = COLUMNS;
        for (look, words) in parts {
            let words = fit(words, left);
            left -= words.chars().count();
            match look.code().filter(|_| self.is_coloured) {
                Some(code) => text.push_str(&["\u{1b}[", code, "m", &words, "\u{1b}[0m"].concat()),
                None => text.push_str(&words),
            }
        }
        let mut text = text.trim_end().to_owned();
        text.push('\n');
        self.write(&text)
    }

    /// Shows a line of one part, however long it is: something to be copied.
    pub(super) fn whole(&mut self, (look, words): Part) -> io::Result<()> {
        let text = match look.code().filter(|_| self.is_coloured) {
            Some(code) => format!("\u{1b}[{code}m{words}\u{1b}[0m\n"),
            None => format!("{words}\n"),
        };
        self.write(&text)
    }

    /// Writes; a reader who has gone away is no fault, and nothing is written from then on.
    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.is_gone {
            return Ok(());
        }
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(())
            }
            written => written,
        }
    }
}

/// `words`, shortened to `columns`.
fn fit(words: &str, columns: usize) -> String {
    if words.chars().count() <= columns {
        return words.to_owned();
    }
    let mut short: String = words.chars().take(columns.saturating_sub(1)).collect();
    if columns > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buf);
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Hole;

    impl Write for Hole {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(is_coloured: bool, parts: &[Part]) -> String {
        let page = Page::default();
        let mut screen = Screen { is_coloured, ..Screen::plain(Box::new(page.clone())) };
        screen.line(parts).unwrap();
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_line_is_cut_at_the_last_column() {
        let parts = [part(Look::Good, "é".repeat(60)), part(Look::Bad, "ü".repeat(60))];
        let text = shown(false, &parts);
        assert_eq!(text.trim_end().chars().count(), COLUMNS);
        assert!(text.ends_with("ü…\n"), "{text}");
    }

    #[test]
    fn colours_take_no_room() {
        let text = shown(true, &[part(Look::Good, "a".repeat(COLUMNS))]);
        assert_eq!(text, format!("\u{1b}[32m{}\u{1b}[0m\n", "a".repeat(COLUMNS)));
    }

    #[test]
    fn a_reader_who_has_gone_is_no_fault() {
        let mut screen = Screen::plain(Box::new(Hole));
        screen.line(&[part(Look::Plain, "a")]).unwrap();
        assert!(screen.is_gone());
    }
}
