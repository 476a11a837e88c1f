//! What is wrong with settings, rules and topics, shown with the place underlined.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};
use serde::Serialize;

use super::console::Console;
use crate::neutral;
use crate::rehearsal::test::TestFault;
use crate::rules::fault::RuleFault;
use crate::settings::fault::SettingsFault;
use crate::topic::TopicFault;

/// How wide a report is where nothing else is known.
const WIDTH: usize = 100;

/// One fault, of whatever kind.
#[derive(Clone, Debug, Diagnostic, Serialize, thiserror::Error)]
#[error("{message}")]
pub(super) struct Fault {
    /// What is wrong.
    message: String,
    /// The file, or the variable of the environment.
    file: String,
    /// The line in it, from 1.
    line: Option<usize>,
    /// The key at fault.
    key: Option<String>,
    /// What to do about it.
    #[help]
    help: Option<String>,
    #[serde(skip)]
    #[source_code]
    text: Option<NamedSource<String>>,
    #[serde(skip)]
    #[label("here")]
    span: Option<SourceSpan>,
}

impl Fault {
    /// A fault that is in no file.
    pub(super) fn general(message: impl Into<String>, key: Option<&str>) -> Self {
        Self {
            message: message.into(),
            file: String::new(),
            line: None,
            key: key.map(str::to_owned),
            help: None,
            text: None,
            span: None,
        }
    }

    /// The report: with the line of the file where that is known, else in one line.
    fn report(&self, console: &Console) -> String {
        let look = console.look();
        let theme = if look.error_colours {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .with_width(look.width.unwrap_or(WIDTH));
        let mut report = String::new();
        match handler.render_report(&mut report, self) {
            Ok(()) => report.trim_end().trim_start_matches('\n').to_owned(),
            Err(std::fmt::Error) => self.message.clone(),
        }
    }

    /// Tells it on standard error.
    pub(super) fn tell(&self, console: &mut Console) -> anyhow::Result<()> {
        console.remark(&self.report(console))
    }
}

/// The last part of a message, if it proposes something.
fn with_help(message: &str) -> (String, Option<String>) {
    match message.rsplit_once("; did you mean ") {
        Some((message, proposal)) => (message.to_owned(), Some(format!("did you mean {proposal}"))),
        None => (message.to_owned(), None),
    }
}

/// Text that a terminal may show; it may be what somebody else wrote.
fn source(name: &str, text: &str) -> NamedSource<String> {
    // One character for one, so that the places stay right.
    let is_harmless = |c: char| {
        matches!(c, '\n' | '\t')
            || c.is_ascii_graphic()
            || c == ' '
            || (!c.is_ascii() && !neutral::plain(c.encode_utf8(&mut [0; 4])).is_empty())
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            shown.push(c);
        } else {
            shown.extend(std::iter::repeat_n(' ', c.len_utf8()));
        }
    }
    NamedSource::new(name, shown).with_language("TOML")
}

impl From<&TestFault> for Fault {
    fn from(fault: &TestFault) -> Self {
        let (file, line) = fault.at.rsplit_once(':').unwrap_or((&fault.at, ""));
        let text = std::fs::read_to_string(file).ok();
        let line = line.parse().ok();
        let span = text.as_deref().zip(line).and_then(|(text, line)| span_of(text, line));
        let place = if span.is_some() { String::new() } else { format!("{}: ", fault.at) };
        Self {
            message: format!("{place}{}", fault.message),
            file: file.to_owned(),
            line,
            key: None,
            help: fault.help.clone(),
            text: text.map(|text| source(file, &text)),
            span,
        }
    }
}

impl From<&SettingsFault> for Fault {
    fn from(fault: &SettingsFault) -> Self {
        let (message, help) = with_help(&fault.message);
        let key = fault.key.as_ref().map(|key| format!("`{key}` ")).unwrap_or_default();
        let text = fault.line.and_then(|_| std::fs::read_to_string(&fault.file).ok());
        let span = text.as_deref().zip(fault.line).and_then(|(text, line)| span_of(text, line));
        let place = if span.is_some() { String::new() } else { format!("{}: ", place(fault)) };
        Self {
            message: format!("{place}{key}{message}"),
            file: fault.file.clone(),
            line: fault.line,
            key: fault.key.clone(),
            help,
            text: text.filter(|_| span.is_some()).map(|text| source(&fault.file, &masked(&text))),
            span,
        }
    }
}

/// Words of keys whose values may be secrets that somebody wrote where they do not belong.
const SECRET_KEYS: [&str; 5] = ["token", "secret", "password", "key", "webhook"];

/// Settings, to be shown: with a star for each byte of what may be a secret.
fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut is_secret = false;
    for line in text.split_inclusive('\n') {
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => {
                let key_lower = key.to_lowercase();
                is_secret = SECRET_KEYS.iter().any(|word| key_lower.contains(word));
                shown.push_str(key);
                shown.push('=');
                (key, value)
            }
            // A list or table that goes on over several lines is as its first one.
            None => ("", line),
        };
        if key.trim_start().starts_with('#') || line.trim_start().starts_with('[') {
            is_secret = false;
        }
        mask_value(value, is_secret, &mut shown);
    }
    shown
}

/// Adds `value`, of which texts in quotes are masked: all of a secret, and of an address what
/// stands between the user and the host.
fn mask_value(value: &str, is_secret: bool, shown: &mut String) {
    for (number, part) in value.split_inclusive(['"', '\'']).enumerate() {
        let is_quoted = number % 2 == 1;
        let is_reference = part.starts_with("file:") || part.starts_with("env:");
        let login = part.find("://").zip(part.rfind('@')).filter(|(scheme, at)| scheme + 3 < *at);
        let hidden = match (is_quoted, login) {
            (true, _) if is_secret && !is_reference => 0..part.len().saturating_sub(1),
            (_, Some((scheme, at))) => scheme + 3..at,
            (true | false, None) => 0..0,
        };
        for (place, c) in part.char_indices() {
            if hidden.contains(&place) && c != '\n' {
                shown.extend(std::iter::repeat_n('*', c.len_utf8()));
            } else {
                shown.push(c);
            }
        }
    }
}

fn place(fault: &SettingsFault) -> String {
    match fault.line {
        Some(line) => format!("{}:{line}", fault.file),
        None => fault.file.clone(),
    }
}

/// What stands on a line, without the space around it.
fn span_of(text: &str, line: usize) -> Option<SourceSpan> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(before..)?.lines().next()?;
    let words = line.trim();
    let indent = line.len() - line.trim_start().len();
    (!words.is_empty()).then(|| SourceSpan::from((before + indent, words.len())))
}

impl From<&RuleFault> for Fault {
    fn from(fault: &RuleFault) -> Self {
        Self {
            message: fault.message.clone(),
            file: fault.file.name().to_owned(),
            line: fault.line_number(),
            key: None,
            help: fault.help.clone(),
            text: fault.span.map(|_| source(fault.file.name(), fault.file.inner())),
            span: fault.span,
        }
    }
}

impl From<&TopicFault> for Fault {
    fn from(fault: &TopicFault) -> Self {
        let (message, help) = with_help(&fault.message);
        let key = fault.key.as_ref().map(|key| format!("`{key}`: ")).unwrap_or_default();
        let before = fault.span.as_ref().and_then(|span| fault.source_text.get(..span.start));
        let file = if before.is_none() { format!("{}: ", fault.file) } else { String::new() };
        Self {
            message: format!("{file}{key}{message}"),
            file: fault.file.clone(),
            line: before.map(|before| before.matches('\n').count() + 1),
            key: fault.key.clone(),
            help,
            text: before.map(|_| source(&fault.file, &fault.source_text)),
            span: fault.span.clone().filter(|_| before.is_some()).map(SourceSpan::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown_and_everything_stays_in_its_place() {
        let text = "[github.main]\ntoken = \"ghp_abc\"  # mine\nurl = 'https://a:pw@x.example/'\n\
                    webhook_secrets = [\n  \"s3cret\",\n  \"file:x\",\n]\nqueue = \"pointsman\"\n";
        let shown = masked(text);
        assert_eq!(shown.len(), text.len());
        assert_eq!(
            shown,
            "[github.main]\ntoken = \"*******\"  # mine\nurl = 'https://****@x.example/'\n\
             webhook_secrets = [\n  \"******\",\n  \"file:x\",\n]\nqueue = \"pointsman\"\n"
        );
    }
}
