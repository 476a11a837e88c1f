//! What is wrong with a rules file, with the place underlined.

use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// One fault in a rules file.
#[derive(Clone, Debug, Diagnostic, thiserror::Error)]
#[error("{message}")]
pub struct RuleFault {
    /// What is wrong.
    pub message: String,
    /// The file.
    #[source_code]
    pub file: NamedSource<String>,
    /// Where.
    #[label("here")]
    pub span: Option<SourceSpan>,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
}

impl RuleFault {
    /// What is wrong with the texts that come with the program.
    pub(super) fn shipped(error: &str) -> Self {
        Self {
            message: format!("the texts that come with the program: {error}"),
            file: NamedSource::new("texts.toml", String::new()),
            span: None,
            help: None,
        }
    }

    /// The fault as one line, for logs and for `--json`: file, line and message.
    pub fn line(&self) -> String {
        let place = match self.line_number() {
            Some(line) => format!("{}:{line}", self.file.name()),
            None => self.file.name().to_owned(),
        };
        match &self.help {
            Some(help) => format!("{place}: {} ({help})", self.message),
            None => format!("{place}: {}", self.message),
        }
    }

    /// The line it is on, from 1.
    pub fn line_number(&self) -> Option<usize> {
        let offset = self.span?.offset();
        Some(line_of(self.file.inner(), offset))
    }
}

/// The line that holds the byte `offset`, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A rules file while it is looked through, and the faults found so far.
#[derive(Debug)]
pub(super) struct Inspection<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    pub(super) faults: Vec<RuleFault>,
    /// Where its lines end, in bytes.
    line_ends: Vec<usize>,
}

impl<'a> Inspection<'a> {
    /// Begins to look through the file `name`.
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        let line_ends = text.match_indices('\n').map(|(offset, _)| offset).collect();
        Self { name, text, faults: Vec::new(), line_ends }
    }

    /// The line that holds the byte `offset`, from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|end| *end < offset) + 1
    }

    /// Notes a fault.
    pub(super) fn fault(
        &mut self,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.faults.push(RuleFault {
            message: message.into(),
            file: NamedSource::new(self.name, self.text.to_owned()).with_language("TOML"),
            span: span.map(SourceSpan::from),
            help,
        });
    }
}

/// Proposes the one of `candidates` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Two words less alike than this are not each other's misspelling.
    const ALIKE: f64 = 0.6;
    candidates
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}
