//! What a letter says, and its headers.

use std::time::SystemTime;

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};

use super::MailSettings;
use super::plain;
use crate::action::{Notice, Report};
use crate::message::hash;
use crate::neutral;
use crate::reporters::markup::{cut, without_marker};
use crate::subject::{Subject, SubjectKind};

/// The longest `Subject`, in characters.
const TITLE_MAX_CHARS: usize = 150;
/// The longest part of a `Message-ID` that is taken as it is.
const ID_MAX_CHARS: usize = 100;

/// What is to be said, without who says it to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    /// What stands before the `@` of its `Message-ID`.
    pub(super) id: String,
    /// The same of the letters that it answers, oldest first.
    pub(super) thread: Vec<String>,
    /// The `Subject`, without the prefix.
    pub(super) title: String,
    /// The words, as plain text.
    pub(super) text: String,
    /// The run that it is about.
    pub(super) run: Option<String>,
}

impl Letter {
    /// A letter about a run.
    pub(super) fn of(report: &Report) -> Self {
        let stage = report.stage.as_str();
        let place = place(&report.subject);
        Self {
            id: id(&report.marker, stage),
            thread: vec![root(&report.subject)],
            title: format!("{}: {stage} for {place}", report.rule),
            text: plain::written(without_marker(&report.text, &report.marker)),
            run: Some(report.run.to_string()),
        }
    }

    /// A letter about something else.
    pub(super) fn notice(notice: &Notice) -> Self {
        Self {
            id: id(&notice.marker, "notice"),
            thread: vec![root(&notice.subject)],
            title: format!("{}: {}", notice.rule, place(&notice.subject)),
            text: plain::written(without_marker(&notice.text, &notice.marker)),
            run: None,
        }
    }
}

/// Who writes, and to whom.
#[derive(Debug)]
pub(super) struct Sender {
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    reply_to: Option<Mailbox>,
    prefix: String,
}

impl Sender {
    pub(super) fn new(settings: &MailSettings) -> anyhow::Result<Self> {
        let mailboxes = |texts: &[String]| -> anyhow::Result<Vec<Mailbox>> {
            texts.iter().map(|text| mailbox(text)).collect()
        };
        Ok(Self {
            from: mailbox(&settings.from)?,
            to: mailboxes(&settings.to).context("`to` is wrong")?,
            cc: mailboxes(&settings.cc).context("`cc` is wrong")?,
            reply_to: settings.reply_to.as_deref().map(mailbox).transpose()?,
            prefix: settings.prefix.clone(),
        })
    }

    /// The letter with its headers, as it travels.
    pub(super) fn write(&self, letter: &Letter, now: Timestamp) -> anyhow::Result<Message> {
        let domain = self.from.email.domain();
        let full = |id: &String| format!("<{id}@{domain}>");
        let thread: Vec<String> = letter.thread.iter().map(full).collect();
        let mut builder = self
            .addressed()
            .subject(self.title(&letter.title))
            .date(SystemTime::from(now))
            .message_id(Some(full(&letter.id)))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        if let Some(parent) = thread.last() {
            builder = builder.in_reply_to(parent.clone()).references(thread.join(" "));
        }
        // What tells other programs not to answer, and not to take it for a patch.
        for (name, value) in [
            (HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated"),
            (HeaderName::new_from_ascii_str("Precedence"), "bulk"),
            (HeaderName::new_from_ascii_str("X-Patchwork-Hint"), "ignore"),
        ] {
            builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
        }
        if let Some(run) = &letter.run {
            let name = HeaderName::new_from_ascii_str("X-Pointsman-Run");
            builder = builder.raw_header(HeaderValue::new(name, one_line(run)));
        }
        Ok(builder.body(letter.text.clone())?)
    }

    fn addressed(&self) -> MessageBuilder {
        let list = |mailboxes: &[Mailbox]| mailboxes.iter().cloned().collect::<Mailboxes>();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .mailbox(lettre::message::header::To::from(list(&self.to)));
        if !self.cc.is_empty() {
            builder = builder.mailbox(lettre::message::header::Cc::from(list(&self.cc)));
        }
        match &self.reply_to {
            Some(mailbox) => builder.reply_to(mailbox.clone()),
            None => builder,
        }
    }

    fn title(&self, title: &str) -> String {
        let title = if self.prefix.is_empty() {
            title.to_owned()
        } else {
            format!("[{}] {title}", self.prefix)
        };
        cut(&one_line(&title), TITLE_MAX_CHARS)
    }
}

fn mailbox(text: &str) -> anyhow::Result<Mailbox> {
    let is_line = !text.contains(char::is_control);
    anyhow::ensure!(is_line, "an address has an end of line in it");
    text.parse().with_context(|| format!("`{text}` is no address"))
}

/// What a letter is known by, wherever and however often it is sent.
fn id(marker: &str, stage: &str) -> String {
    let id = marker.replace(':', ".");
    let is_fit = id.len() <= ID_MAX_CHARS
        && !id.is_empty()
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && id.split('.').all(|part| !part.is_empty());
    if is_fit {
        format!("{id}.{stage}")
    } else {
        format!("pointsman.{}.{stage}", hash(&[marker.as_bytes()]))
    }
}

/// The letter at the root of all about one subject.  It is never written: readers put its answers
/// together all the same.
fn root(subject: &Subject) -> String {
    format!("pointsman.subject.{}", hash(&[subject.key().as_bytes()]))
}

/// What it is about, in a few characters.
fn place(subject: &Subject) -> String {
    let Subject { kind, project, number, name, .. } = subject;
    let name = name.as_deref().unwrap_or_default();
    match kind {
        SubjectKind::PullRequest | SubjectKind::Job => format!("{project}#{number}"),
        SubjectKind::Series if name.is_empty() => format!("{project} series {number}"),
        SubjectKind::Series => format!("{project} series {name}"),
        SubjectKind::Branch | SubjectKind::Tag => format!("{project}:{name}"),
    }
}

/// Text that cannot end a header.
fn one_line(text: &str) -> String {
    neutral::plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}
