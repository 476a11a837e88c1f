//! The mail that a letter about a series answers, and its author, who may get one.
//!
//! All that is known of both comes from a mail that anybody can have written.

use lettre::Address;
use lettre::message::Mailbox;

use super::letter::one_line;
use crate::event::series::{self, Series};
use crate::reporters::markup::cut;

/// The longest Message-ID that a letter answers: it cannot be folded, and a line ends after 998.
const MSGID_MAX_CHARS: usize = 500;
/// The longest address of an author (RFC 5321, 4.5.3.1).
const ADDRESS_MAX_CHARS: usize = 254;
/// The longest name of an author.
const NAME_MAX_CHARS: usize = 60;
/// How many of the words in brackets before a title are repeated.
const TAGS_MAX: usize = 10;
/// The longest of them.
const TAG_MAX_CHARS: usize = 40;
/// Who reads no letters.
const NOBODY: &[&str] = &[
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "mailer-daemon",
    "postmaster",
    "bounce",
    "bounces",
    "majordomo",
    "listserv",
    "mailman",
];
/// How the addresses of the machinery of a list begin and end.
const MACHINERY: (&[&str], &[&str]) =
    (&["owner-", "bounce-", "bounces-"], &["-owner", "-request", "-bounces", "-bounce"]);

/// What a letter about a series answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// The Message-IDs of the thread down to the mail that is answered, oldest first.
    pub(super) thread: Vec<String>,
    /// The `Subject` of that mail, as its author wrote it.
    pub(super) subject: String,
}

/// The mail of `series` that is answered: that of the patch with this number, or else the cover
/// letter or first patch.  Nothing where its Message-ID could not stand in a header.
pub(super) fn answered(series: &Series, patch: Option<u32>) -> Option<Answered> {
    let root = Some(series.root.as_str()).filter(|msgid| is_msgid(msgid))?;
    let of_patch = patch.and_then(|number| Some((number, nth(series, number)?)));
    if let Some((number, letter)) = of_patch.filter(|(_, letter)| is_msgid(&letter.msgid)) {
        let mut thread = vec![root.to_owned()];
        if letter.msgid != root {
            thread.push(letter.msgid.clone());
        }
        return Some(Answered { thread, subject: subject(series, Some(number), &letter.title) });
    }
    // Without a cover letter the series begins with its first patch.
    let first = series.patches.first().filter(|patch| patch.msgid == root);
    let (number, title) = match (&series.cover, first) {
        (None, Some(patch)) => (Some(1), patch.title.as_str()),
        (Some(cover), _) if !cover.title.is_empty() => (None, cover.title.as_str()),
        (Some(_) | None, _) => (None, series.title.as_str()),
    };
    Some(Answered { thread: vec![root.to_owned()], subject: subject(series, number, title) })
}

fn nth(series: &Series, number: u32) -> Option<&series::Letter> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    series.patches.get(index)
}

/// Whether `text` can stand between `<` and `>` in a header and be nothing else.
fn is_msgid(text: &str) -> bool {
    (1..=MSGID_MAX_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'>')
}

/// The `Subject` of the mail with this number; of the cover letter without one.
fn subject(series: &Series, number: Option<u32>, title: &str) -> String {
    let is_patch = |tag: &str| tag.eq_ignore_ascii_case("patch");
    let mut words: Vec<String> = series.tags.iter().take(TAGS_MAX).map(|tag| word(tag)).collect();
    words.retain(|word| !word.is_empty());
    if !words.iter().any(|word| is_patch(word)) {
        // Not every source repeats it.
        let is_rfc = |word: &String| word.eq_ignore_ascii_case("rfc");
        let at = words.iter().take_while(|word| is_rfc(word)).count();
        words.insert(at, "PATCH".to_owned());
    }
    if series.version > 1 {
        words.push(series.revision());
    }
    let count = series.patches.len();
    let is_alone = count <= 1 && series.cover.is_none();
    if !is_alone {
        let width = count.to_string().len();
        words.push(format!("{:0width$}/{count}", number.unwrap_or(0)));
    }
    let title = one_line(title);
    format!("[{}] {title}", words.join(" "))
}

/// A word that stands in brackets and does not end them.
fn word(tag: &str) -> String {
    cut(&one_line(tag).replace(['[', ']'], ""), TAG_MAX_CHARS)
}

/// The author of a series as one who is written to; if not, why.
///
/// `known` are the addresses that the letter has anyway, our own among them: an answer to one of
/// those would be an answer to ourselves, or to the list a second time.
pub(super) fn author(sender: &series::Sender, known: &[&Address]) -> Result<Mailbox, &'static str> {
    let is_short = sender.email.len() <= ADDRESS_MAX_CHARS;
    let Some((user, host)) = sender.email.split_once('@').filter(|_| is_short) else {
        return Err("its author has no address");
    };
    let address: Option<Address> = sender.email.parse().ok();
    let Some(address) = address.filter(|_| is_plain(user, host)) else {
        return Err("the address of its author is none that is written to");
    };
    if is_nobody(user, host) {
        return Err("nobody reads what is sent to the address of its author");
    }
    if known.iter().any(|known| is_same(known, user, host)) {
        return Err("the address of its author is ours, or gets the letter anyway");
    }
    if is_munged(&sender.name) {
        return Err("the address of its author is that of a list, which wrote it over");
    }
    Ok(Mailbox::new(name(&sender.name), address))
}

/// Whether an address is written the way people's are: no quotes, no routes, no other alphabet,
/// no machine of ours.
fn is_plain(user: &str, host: &str) -> bool {
    let is_user = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-=~'&".contains(&byte);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let last = host.rsplit('.').next().unwrap_or_default();
    user.bytes().all(is_user)
        && !user.starts_with('-')
        && host.bytes().all(is_host)
        && host.contains('.')
        && !host.ends_with('.')
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_nobody(user: &str, host: &str) -> bool {
    let (user, host) = (user.to_ascii_lowercase(), host.to_ascii_lowercase());
    let (starts, ends) = MACHINERY;
    let is_in = |word: &str| NOBODY.contains(&word);
    is_in(without_detail(&user))
        || host.split('.').any(|label| matches!(label, "noreply" | "no-reply"))
        || starts.iter().any(|start| user.starts_with(start))
        || ends.iter().any(|end| without_detail(&user).ends_with(end))
}

/// Whether it is the address that is known, perhaps with a detail (`ci+series@…`).
fn is_same(known: &Address, user: &str, host: &str) -> bool {
    without_detail(known.user()).eq_ignore_ascii_case(without_detail(user))
        && known.domain().eq_ignore_ascii_case(host)
}

fn without_detail(user: &str) -> &str {
    user.split('+').next().unwrap_or(user)
}

/// Whether a list has put its own address in place of the author's, as some do whose mails would
/// be refused otherwise: `Ada via Signalbox`.
fn is_munged(name: &str) -> bool {
    name.to_lowercase().contains(" via ")
}

/// A name that is nothing but a name; none where it could be read as anything else.
fn name(name: &str) -> Option<String> {
    let name = one_line(name);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '\'');
    let is_name = (1..=NAME_MAX_CHARS).contains(&name.chars().count()) && name.chars().all(is_part);
    is_name.then_some(name)
}
