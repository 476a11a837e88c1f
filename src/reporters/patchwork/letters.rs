//! The mails of the patches of a series.
//!
//! What Patchwork calls the mbox of a patch is not the mail, and not the same from day to day: it
//! puts what readers reply (`Reviewed-by:` and its like) into it, and the same series would give
//! other commits each time.  What it has kept of the mail does not change: headers, text and diff,
//! of which it makes the mbox, too.  So the mail is made of those here, as Patchwork would have
//! made it before anybody replied.
//!
//! That is also one mail for each patch, whatever stands in it: nothing is split at lines that
//! begin with `From `.

use anyhow::anyhow;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::Patchwork;
use super::api::Mail;
use super::client::shown;
use crate::event::series::{Letter, SeriesEvent};
use crate::remote::Failure;
use crate::reporters::patches::bare;

/// How large a mail may be.
const MAIL_MAX_BYTES: usize = 2 * MIB;
/// How large all mails of a series may be together.
const MAILS_MAX_BYTES: usize = 10 * MIB;
const MIB: usize = 1024 * 1024;

impl Patchwork {
    /// The mails of the patches, one for each and in their order.  Nobody is told who asks.
    pub(super) async fn mails(&self, of: &SeriesEvent) -> Result<Vec<Vec<u8>>, Failure> {
        let mut mails = Vec::new();
        let mut size = 0_usize;
        for (number, patch) in (1..).zip(&of.series.patches) {
            let what = format!("cannot fetch patch {number} of series {}", shown(&of.series.id));
            let mail = self.letter(of, patch, &what).await?;
            size = size.saturating_add(mail.len());
            if mail.len() > MAIL_MAX_BYTES || size > MAILS_MAX_BYTES {
                let (one, all) = (MAIL_MAX_BYTES / MIB, MAILS_MAX_BYTES / MIB);
                return Err(Failure::give_up(anyhow!(
                    "{what}: its mails are larger than {one} MiB, or than {all} MiB together"
                )));
            }
            mails.push(mail);
        }
        Ok(mails)
    }

    async fn letter(
        &self,
        of: &SeriesEvent,
        letter: &Letter,
        what: &str,
    ) -> Result<Vec<u8>, Failure> {
        let number = letter.id.as_deref().and_then(|id| id.parse::<u64>().ok());
        let number = number
            .ok_or_else(|| Failure::give_up(anyhow!("{what}: it has no number at Patchwork")))?;
        let mail: Mail = self.api.get(&["patches", &number.to_string()], what).await?;
        let project = mail.project.as_ref().map(|project| project.link_name.as_str());
        if bare(&mail.msgid) != letter.msgid || project != Some(of.project.as_str()) {
            return Err(Failure::give_up(anyhow!("{what}: patch {number} is another one")));
        }
        written(&mail).ok_or_else(|| Failure::give_up(anyhow!("{what}: there is no diff in it")))
    }
}

/// The mail as it travels; nothing if there is no patch in it.
fn written(mail: &Mail) -> Option<Vec<u8>> {
    let diff = mail.diff.as_deref().filter(|diff| !diff.is_empty())?;
    let subject = mail.headers.first("Subject").or(mail.name.as_deref()).unwrap_or_default();
    let date = mail.headers.first("Date").map(str::to_owned).or_else(|| {
        let sent = mail.date.in_utc()?;
        DateTimePrinter::new().timestamp_to_string(&sent).ok()
    });
    let mut out = String::new();
    header(&mut out, "From", &from(mail));
    header(&mut out, "Date", &date.unwrap_or_default());
    header(&mut out, "Subject", subject);
    header(&mut out, "Message-ID", &format!("<{}>", bare(&mail.msgid)));
    header(&mut out, "MIME-Version", "1.0");
    header(&mut out, "Content-Type", "text/plain; charset=UTF-8");
    header(&mut out, "Content-Transfer-Encoding", "8bit");
    out.push('\n');
    let content = mail.content.as_deref().unwrap_or_default().trim();
    // Without a line that begins a diff between them, words below `---` would be a part of it.
    out.push_str(content);
    out.push_str("\n\n");
    out.push_str(diff);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    Some(out.into_bytes())
}

/// Whom the mail is from.  A list that has put its own address there has not changed who sent it,
/// whom Patchwork has found out.
fn from(mail: &Mail) -> String {
    let list = mail.project.as_ref().map_or("", |project| project.list_email.as_str());
    let is_lists = |from: &str| {
        !list.is_empty() && from.to_ascii_lowercase().contains(&list.to_ascii_lowercase())
    };
    match mail.headers.first("From") {
        Some(from) if !is_lists(from) => from.to_owned(),
        Some(_) | None => {
            let name = mail.submitter.name.as_deref().unwrap_or_default();
            let name: String = name.chars().filter(|c| !"\"\\<>".contains(*c)).collect();
            format!("\"{name}\" <{}>", mail.submitter.email)
        }
    }
}

/// A header in one line: what was folded is unfolded, and nothing in it begins another.
fn header(out: &mut String, name: &str, value: &str) {
    let value: Vec<&str> = value.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let words = value.into_iter().filter(|word| !word.is_empty());
    out.push_str(name);
    out.push(':');
    for word in words {
        out.push(' ');
        out.push_str(word);
    }
    out.push('\n');
}
