//! From mails to patches: who wrote each, what they say about it, and the diff.
//!
//! A mail is never split: what looks like the beginning of another one in it is refused before,
//! so that a series has the patches that its source counts, and no others.  Whom a mail says it
//! is from is written into the commit and is believed for nothing else.

use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::apply::How;
use super::call::Output;
use super::date::Date;
use super::process::Git;
use super::scratch::Scratch;
use super::stop::{Stop, at_patch};
use crate::remote::Failure;

/// How many mails are read at once.
const AT_ONCE: usize = 2;
/// How long the name or the address of an author may be, in characters: it travels in the
/// environment.
const NAME_MAX_CHARS: usize = 200;
/// What an author is called of whom nothing is known.
const NOBODY: &str = "Unknown";
/// Their address.
const NOWHERE: &str = "unknown@localhost";

/// One patch of a series, read from its mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Its number, from 1.
    pub number: u32,
    /// The author's name, as git takes it: text from outside.
    pub name: String,
    /// The author's address, as git takes it: text from outside.
    pub email: String,
    /// When it was written, if the mail says so in a way that can be understood.
    pub date: Option<Date>,
    /// What the author says about it: text from outside.
    pub message: String,
    /// The diff.
    pub diff: Vec<u8>,
}

/// Reads the mails of a series, one patch each.
pub(super) async fn read(
    git: &Git,
    letters: &[Vec<u8>],
    how: &How<'_>,
) -> Result<Vec<Patch>, Stop> {
    let scratch = git.scratch()?;
    let scratch = &scratch;
    // Collected, because a closure that a stream keeps would make the whole not `Send`.
    let letters: Vec<_> = letters
        .iter()
        .zip(1..)
        .map(|(letter, number)| read_one(git, scratch, letter, number, how))
        .collect();
    stream::iter(letters).buffered(AT_ONCE).try_collect().await
}

async fn read_one(
    git: &Git,
    scratch: &Scratch,
    letter: &[u8],
    number: u32,
    how: &How<'_>,
) -> Result<Patch, Stop> {
    let message = scratch.file(&format!("message-{number}"));
    let diff = scratch.file(&format!("diff-{number}"));
    let mail = as_mailinfo_reads(letter, how.keep_cr);
    let info = |recode: &'static str| {
        let quoted_cr = if how.keep_cr { "--quoted-cr=nowarn" } else { "--quoted-cr=strip" };
        let call = scratch.call(&["mailinfo", "--message-id", "--no-scissors", quoted_cr, recode]);
        git.run(call.arg(&message).arg(&diff).stdin(mail.clone()))
    };
    let mut output = info("-u").await?;
    if !output.is_done() {
        // Written in what nobody knows: what can be understood of it is kept below.
        output = info("-n").await?;
    }
    if !output.is_done() {
        let reason = format!("the mail cannot be read: {}", output.complaint());
        return Err(Stop::Refused(at_patch(number, reason)));
    }
    let said = content(&message)?;
    let said = String::from_utf8_lossy(&said);
    if said.lines().any(|line| line == "-----BEGIN PGP SIGNED MESSAGE-----") {
        // Its signer has put `- ` before each line that begins with a minus.
        let reason = "the mail is signed within its text, which damages the patch; \
            the signature has to be an attachment (PGP/MIME)";
        return Err(Stop::Refused(at_patch(number, reason)));
    }
    Ok(patch(number, &output, &said, content(&diff)?))
}

fn content(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::retry(anyhow::Error::new(error).context("cannot read what is in a mail"))
    })
}

/// The mail without the line that separates it from others in a folder of them; its lines end as
/// they do here unless they are to be kept.
fn as_mailinfo_reads(letter: &[u8], keep_cr: bool) -> Vec<u8> {
    let mut mail = Vec::with_capacity(letter.len());
    let mut is_body = false;
    for (number, line) in letter.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if number == 0 && line.starts_with(b"From ") {
            continue;
        }
        match line.strip_suffix(b"\r\n") {
            // The headers are read by lines, however those end.
            Some(line) if !keep_cr || !is_body => {
                is_body |= line.is_empty();
                mail.extend_from_slice(line);
                mail.push(b'\n');
            }
            Some(_) | None => {
                is_body |= line == b"\n";
                mail.extend_from_slice(line);
            }
        }
    }
    mail
}

fn patch(number: u32, info: &Output, said: &str, diff: Vec<u8>) -> Patch {
    let info = String::from_utf8_lossy(&info.stdout).into_owned();
    let value = |key: &str| {
        let mut values = info.lines().filter_map(|line| line.strip_prefix(key));
        values.next().unwrap_or_default().trim()
    };
    let email = identity(value("Email: "));
    let name = identity(value("Author: "))
        .or_else(|| email.as_ref()?.split('@').next().and_then(identity))
        .unwrap_or_else(|| NOBODY.to_owned());
    let subject = value("Subject: ");
    let subject = if subject.is_empty() { format!("Patch {number}") } else { subject.to_owned() };
    Patch {
        number,
        name,
        email: email.unwrap_or_else(|| NOWHERE.to_owned()),
        date: Date::parse(value("Date: ")),
        message: clean(&format!("{subject}\n\n{said}")),
        diff,
    }
}

/// A name or an address as git takes it, unless nothing is left of it: git drops what would end
/// it, and refuses one that is made of punctuation only.
pub(super) fn identity(text: &str) -> Option<String> {
    let kept: String = text
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
        .take(NAME_MAX_CHARS)
        .collect();
    let is_nothing = |c: char| matches!(c, ' ' | '.' | ',' | ':' | ';' | '"' | '\\' | '\'');
    let kept = kept.trim_matches(is_nothing);
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// The message as `git am` writes it: no white space at the ends of lines, no two empty lines in
/// a row, none at either end.
fn clean(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut empty = 0;
    for line in message.split('\n') {
        let line = line.trim_end_matches([' ', '\t', '\r']);
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if empty > 0 && !clean.is_empty() {
            clean.push('\n');
        }
        empty = 0;
        // A commit cannot hold it.
        clean.extend(line.chars().filter(|&c| c != '\0'));
        clean.push('\n');
    }
    clean
}
