//! From Markdown, which our words are written in, to the mark-up of a chat or the text of a mail.
//!
//! Markdown is understood first and written anew, so that nothing passes which was not meant:
//! what was escaped comes out as words, and it is for the [`Dialect`] to keep them words.

use pulldown_cmark::{Event, Options, Parser, Tag, TextMergeStream};
use url::Url;

use crate::neutral::SEAM;

/// The most of a text that is read; the rest is left out.
const SOURCE_MAX_CHARS: usize = 20_000;

/// How a place writes what Markdown says.
pub(super) trait Dialect {
    /// Words that are to be read and not obeyed.
    fn text(&self, text: &str) -> String;
    /// An address that stands in the text.
    fn address(&self, url: &str) -> String;
    /// An address with words for it, which are written already.
    fn link(&self, words: &str, url: &Url) -> String;
    /// Words that stand out.
    fn strong(&self, words: &str) -> String;
    /// Words that stand out a little.
    fn emphasis(&self, words: &str) -> String;
    /// A few words of code.
    fn code(&self, text: &str) -> String;
    /// Lines of code.
    fn block(&self, text: &str) -> String;
    /// What an item of a list begins with.
    fn bullet(&self) -> &'static str {
        "• "
    }
}

/// `words` without their last line if that is the marker, which is for machines.
pub(super) fn without_marker<'w>(words: &'w str, marker: &str) -> &'w str {
    let words = words.trim_end();
    let (rest, last) = words.rsplit_once('\n').unwrap_or(("", words));
    if last.trim_matches(['`', ' ', '\r']) == marker { rest.trim_end() } else { words }
}

/// `markdown` in `dialect`, in at most `limit` characters; what is too much is cut off at its end.
pub(super) fn bounded(markdown: &str, dialect: &dyn Dialect, limit: usize) -> String {
    let mut kept = limit.min(SOURCE_MAX_CHARS);
    loop {
        let written = render(&cut(markdown, kept), dialect);
        if kept == 0 || written.chars().count() <= limit {
            return written;
        }
        // Escapes made it longer than it was.
        kept /= 2;
    }
}

/// At most `limit` characters; what is cut off becomes an ellipsis.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept = text.chars().take(limit.saturating_sub(1));
    kept.chain(['…']).take(limit).collect()
}

/// `text` in which nobody is called: a seam after each sign that a name could follow.
pub(super) fn uncalled(text: &str, signs: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let is_open = chars.peek().is_none_or(|next| *next != SEAM && !next.is_whitespace());
        if signs.contains(&c) && is_open {
            out.push(SEAM);
        }
    }
    out
}

/// Whether the character at `index` is at the edge of a word, where it could be mark-up.
pub(super) fn is_at_edge(chars: &[char], index: usize) -> bool {
    let is_letter = |index: Option<usize>| {
        index.and_then(|index| chars.get(index)).is_some_and(|c| c.is_alphanumeric())
    };
    !(is_letter(index.checked_sub(1)) && is_letter(index.checked_add(1)))
}

/// `markdown` in `dialect`.
fn render(markdown: &str, dialect: &dyn Dialect) -> String {
    let mut writer = Writer { dialect, open: vec![Open::new(Kind::Blocks)] };
    for event in TextMergeStream::new(Parser::new_ext(markdown, Options::empty())) {
        writer.take(event);
    }
    while writer.open.len() > 1 {
        writer.close();
    }
    writer.open.pop().map(|open| open.out.trim().to_owned()).unwrap_or_default()
}

/// What is being written.
enum Kind {
    /// Paragraphs, one after the other.
    Blocks,
    Paragraph,
    Heading,
    Quote,
    Code,
    /// The number of the next item, if they are numbered.
    List(Option<u64>),
    Item,
    Strong,
    Emphasis,
    Link(String),
}

struct Open {
    kind: Kind,
    out: String,
}

impl Open {
    fn new(kind: Kind) -> Self {
        Self { kind, out: String::new() }
    }
}

struct Writer<'d> {
    dialect: &'d dyn Dialect,
    open: Vec<Open>,
}

impl Writer<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open.push(Open::new(kind(tag))),
            Event::End(_) => self.close(),
            Event::Text(text) => {
                let is_code = matches!(self.open.last(), Some(Open { kind: Kind::Code, .. }));
                let written = if is_code { text.to_string() } else { words(&text, self.dialect) };
                self.write(&written);
            }
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                let written = self.dialect.code(&text);
                self.write(&written);
            }
            Event::Html(text) | Event::InlineHtml(text) => {
                let written = words(&text, self.dialect);
                self.write(&written);
            }
            Event::SoftBreak | Event::HardBreak => self.write("\n"),
            Event::Rule => self.block("* * *", "\n\n"),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn write(&mut self, text: &str) {
        if let Some(open) = self.open.last_mut() {
            open.out.push_str(text);
        }
    }

    /// Writes something that begins on a line of its own.
    fn block(&mut self, text: &str, gap: &str) {
        if let Some(open) = self.open.last_mut().filter(|_| !text.is_empty()) {
            if !open.out.is_empty() {
                open.out.push_str(gap);
            }
            open.out.push_str(text);
        }
    }

    fn close(&mut self) {
        // The outermost is taken by whoever wants the result.
        let is_outermost = self.open.len() <= 1;
        let Some(Open { kind, out }) = self.open.pop().filter(|_| !is_outermost) else {
            return;
        };
        let is_in_item = matches!(self.open.last(), Some(Open { kind: Kind::Item, .. }));
        let gap = if is_in_item { "\n" } else { "\n\n" };
        match kind {
            Kind::Blocks | Kind::Paragraph => self.block(out.trim(), gap),
            Kind::Heading => {
                let written = self.dialect.strong(out.trim());
                self.block(&written, gap);
            }
            Kind::Quote => self.block(&prefixed(out.trim(), "> ", "> "), gap),
            Kind::Code => {
                let written = self.dialect.block(out.trim_end());
                self.block(&written, gap);
            }
            Kind::List(_) => self.block(&out, gap),
            Kind::Item => {
                let bullet = self.bullet();
                let indent = " ".repeat(bullet.chars().count());
                self.block(&prefixed(out.trim(), &bullet, &indent), "\n");
            }
            Kind::Strong => self.inline(&out, |dialect, words| dialect.strong(words)),
            Kind::Emphasis => self.inline(&out, |dialect, words| dialect.emphasis(words)),
            // Also the name in an address could be taken for somebody's.
            Kind::Link(target) => match web_address(&target.replace('@', "%40")) {
                Some(url) => self.inline(&out, |dialect, words| dialect.link(words, &url)),
                None => self.write(&out),
            },
        }
    }

    fn inline(&mut self, words: &str, write: impl Fn(&dyn Dialect, &str) -> String) {
        if !words.trim().is_empty() {
            let written = write(self.dialect, words);
            self.write(&written);
        }
    }

    /// What stands before the item that was just closed.
    fn bullet(&mut self) -> String {
        match self.open.last_mut() {
            Some(Open { kind: Kind::List(Some(number)), .. }) => {
                let bullet = format!("{number}. ");
                *number = number.saturating_add(1);
                bullet
            }
            Some(_) | None => self.dialect.bullet().to_owned(),
        }
    }
}

fn kind(tag: Tag<'_>) -> Kind {
    match tag {
        Tag::Paragraph | Tag::HtmlBlock => Kind::Paragraph,
        Tag::Heading { .. } => Kind::Heading,
        Tag::BlockQuote(_) => Kind::Quote,
        Tag::CodeBlock(_) => Kind::Code,
        Tag::List(first) => Kind::List(first),
        Tag::Item => Kind::Item,
        Tag::Strong => Kind::Strong,
        Tag::Emphasis => Kind::Emphasis,
        // An image becomes a link: who looks at words need not load it.
        Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
            Kind::Link(dest_url.into_string())
        }
        // Options that are off.
        Tag::FootnoteDefinition(_)
        | Tag::DefinitionList
        | Tag::DefinitionListTitle
        | Tag::DefinitionListDefinition
        | Tag::Table(_)
        | Tag::TableHead
        | Tag::TableRow
        | Tag::TableCell
        | Tag::Strikethrough
        | Tag::Superscript
        | Tag::Subscript
        | Tag::MetadataBlock(_) => Kind::Blocks,
    }
}

/// Words, and the addresses among them.
fn words(text: &str, dialect: &dyn Dialect) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, found)) = address_at(rest) {
        let (address, after) = split_address(found);
        out.push_str(&text_of(before, dialect));
        if web_address(address).is_some() {
            out.push_str(&dialect.address(address));
        } else {
            out.push_str(&text_of(address, dialect));
        }
        rest = after;
    }
    out + &text_of(rest, dialect)
}

fn text_of(text: &str, dialect: &dyn Dialect) -> String {
    if text.is_empty() { String::new() } else { dialect.text(text) }
}

/// What stands before something that may be a web address, and the rest from there.
fn address_at(text: &str) -> Option<(&str, &str)> {
    let starts = ["https://", "http://"].into_iter().filter_map(|scheme| text.find(scheme));
    text.split_at_checked(starts.min()?)
}

/// What may be a web address, at the beginning of `found`, and what stands after it.
fn split_address(found: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=%+".contains(c);
    let end = found.find(|c| !is_part(c)).unwrap_or(found.len());
    let (address, _) = found.split_at_checked(end).unwrap_or((found, ""));
    // A sentence may end with an address.
    let address = address.trim_end_matches(['.', ':', '?']);
    found.split_at_checked(address.len()).unwrap_or((found, ""))
}

fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let has_login = !url.username().is_empty() || url.password().is_some();
    (is_web && !has_login).then_some(url)
}

/// `text` with `first` before its first line and `others` before the others.
fn prefixed(text: &str, first: &str, others: &str) -> String {
    let lines = text.lines().enumerate().map(|(number, line)| {
        let prefix = if number == 0 { first } else { others };
        format!("{prefix}{line}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
