//! What a letter says, and its headers.

use std::time::SystemTime;

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};
use lettre::{Address, Message};

use super::MailSettings;
use super::{answer, plain};
use crate::action::{Notice, Report};
use crate::event::series::{self, Series};
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
    /// What it answers.
    pub(super) parent: Parent,
    /// The words, as plain text.
    pub(super) text: String,
    /// The run that it is about.
    pub(super) run: Option<String>,
    /// Who sent the series that it is about: text from outside.
    pub(super) author: Option<series::Sender>,
}

/// What a letter answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// A letter of ours, by what stands before the `@` of its `Message-ID`; and the `Subject`.
    Ours(String, String),
    /// Somebody's mail.
    Theirs(answer::Answered),
}

impl Letter {
    /// A letter about a run.
    pub(super) fn of(report: &Report) -> Self {
        let stage = report.stage.as_str();
        let title = format!("{}: {stage} for {}", report.rule, place(&report.subject));
        let about = report.series.as_deref();
        let patch = about.and_then(|about| about.patch.or(about.blamed));
        let series = about.map(|about| &about.of.series);
        Self {
            id: id(&report.marker, stage),
            parent: parent(&report.subject, title, (series, patch)),
            text: plain::written(without_marker(&report.text, &report.marker)),
            run: Some(report.run.to_string()),
            author: series.map(|series| series.submitter.clone()),
        }
    }

    /// A letter about something else.
    pub(super) fn notice(notice: &Notice) -> Self {
        let title = format!("{}: {}", notice.rule, place(&notice.subject));
        let series = notice.series.as_deref().map(|event| &event.series);
        Self {
            id: id(&notice.marker, "notice"),
            parent: parent(&notice.subject, title, (series, None)),
            text: plain::written(without_marker(&notice.text, &notice.marker)),
            run: None,
            author: series.map(|series| series.submitter.clone()),
        }
    }
}

/// Of a series, its own mail is answered; all else that is written about one subject is a thread.
fn parent(
    subject: &Subject,
    title: String,
    (series, patch): (Option<&Series>, Option<u32>),
) -> Parent {
    match series.and_then(|series| answer::answered(series, patch)) {
        Some(answered) => Parent::Theirs(answered),
        None => Parent::Ours(root(subject), title),
    }
}

/// Who writes, and to whom.
#[derive(Debug)]
pub(super) struct Sender {
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    reply_to: Option<Mailbox>,
    to_author: bool,
    prefix: String,
}

/// A letter as it travels.
#[derive(Debug)]
pub(super) struct Written {
    /// The letter, with its headers.
    pub(super) message: Message,
    /// The author of a series, where they are among those it is for, and the others: an author is
    /// no reason to keep it back from those.
    pub(super) author: Option<(Address, Envelope)>,
    /// Why the author is not among those it is for, where they should be.
    pub(super) not_to_author: Option<&'static str>,
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
            to_author: settings.to_author,
            prefix: settings.prefix.clone(),
        })
    }

    /// The letter with its headers, as it travels.
    pub(super) fn write(&self, letter: &Letter, now: Timestamp) -> anyhow::Result<Written> {
        let domain = self.from.email.domain();
        let own = |id: &String| format!("<{id}@{domain}>");
        let (thread, subject): (Vec<String>, _) = match &letter.parent {
            Parent::Ours(root, title) => (vec![own(root)], self.title(title)),
            Parent::Theirs(answered) => {
                let thread = answered.thread.iter().map(|msgid| format!("<{msgid}>"));
                (thread.collect(), cut(&format!("Re: {}", answered.subject), TITLE_MAX_CHARS))
            }
        };
        let (author, not_to_author) = self.author(letter);
        let mut builder = self
            .addressed(author.as_ref())
            .subject(subject)
            .date(SystemTime::from(now))
            .message_id(Some(own(&letter.id)))
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
        let message = builder.body(letter.text.clone())?;
        let author = author.map(|author| Ok::<_, anyhow::Error>((author.email, self.others()?)));
        Ok(Written { message, author: author.transpose()?, not_to_author })
    }

    /// All that letters are for, whatever they are about.
    fn others(&self) -> anyhow::Result<Envelope> {
        let all = self.to.iter().chain(&self.cc).map(|mailbox| mailbox.email.clone()).collect();
        Ok(Envelope::new(Some(self.from.email.clone()), all)?)
    }

    /// The author of the series that a letter is about, where they get one; if not, why.
    fn author(&self, letter: &Letter) -> (Option<Mailbox>, Option<&'static str>) {
        let Some(sender) = letter.author.as_ref().filter(|_| self.to_author) else {
            return (None, None);
        };
        let known = [std::slice::from_ref(&self.from), &self.to, &self.cc].into_iter().flatten();
        let known: Vec<_> = known.chain(&self.reply_to).map(|mailbox| &mailbox.email).collect();
        match answer::author(sender, &known) {
            Ok(author) => (Some(author), None),
            Err(why) => (None, Some(why)),
        }
    }

    fn addressed(&self, author: Option<&Mailbox>) -> MessageBuilder {
        let list = |mailboxes: &[Mailbox]| mailboxes.iter().cloned().collect::<Mailboxes>();
        let to = author.into_iter().chain(&self.to).cloned().collect::<Mailboxes>();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .mailbox(lettre::message::header::To::from(to));
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
        SubjectKind::Artifact => project.clone(),
        SubjectKind::Branch | SubjectKind::Tag => format!("{project}:{name}"),
    }
}

/// Text that cannot end a header.
pub(super) fn one_line(text: &str) -> String {
    neutral::plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}
