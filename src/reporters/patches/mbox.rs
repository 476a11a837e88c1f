//! A mailbox with the mails of a series, taken apart.
//!
//! Whoever writes a patch can have a line `From …` in it, and another mail's headers below: read
//! as a mailbox that is one more mail, with an author of their choosing.  So the mails have to be
//! those that are known by their Message-IDs: all of them, in order, and no other.

use super::mail::{Mail, next_line, skip_separator};

/// The mails of a mailbox, each without its line `From …`, or in a few words why they are not
/// those of these Message-IDs.
pub fn split(mbox: &[u8], msgids: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    let mails = mails(mbox);
    if mails.len() != msgids.len() {
        return Err(format!("{} mails are in it, and {} belong there", mails.len(), msgids.len()));
    }
    for (number, (mail, msgid)) in mails.iter().zip(msgids).enumerate() {
        if Mail::read(mail).msgid() != Some(*msgid) {
            return Err(format!("mail {} of it is another one", number + 1));
        }
    }
    Ok(mails)
}

/// One mail, without a line `From …` before it, or in a few words why it is not that of this
/// Message-ID.
pub fn only(raw: &[u8], msgid: &str) -> Result<Vec<u8>, String> {
    if Mail::read(raw).msgid() == Some(msgid) {
        Ok(skip_separator(raw).to_vec())
    } else {
        Err("it is another mail".to_owned())
    }
}

/// What stands between lines `From …` that headers follow: a sentence may begin with `From`, too.
fn mails(mbox: &[u8]) -> Vec<Vec<u8>> {
    let mut starts = Vec::new();
    let mut rest = mbox;
    while let Some((line, after)) = next_line(rest) {
        if line.starts_with(b"From ") && begins_with_header(after) {
            starts.push((mbox.len() - rest.len(), mbox.len() - after.len()));
        }
        rest = after;
    }
    let ends = starts.iter().skip(1).map(|(separator, _)| *separator).chain([mbox.len()]);
    let bodies = starts.iter().zip(ends);
    bodies.filter_map(|((_, start), end)| Some(mbox.get(*start..end)?.to_vec())).collect()
}

/// Whether a line such as `Subject: x` comes next.
fn begins_with_header(text: &[u8]) -> bool {
    let line = next_line(text).map(|(line, _)| line).unwrap_or_default();
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    name.len() < line.len()
        && !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(msgid: &str, body: &str) -> String {
        format!(
            "From nobody Mon Sep 17 00:00:00 2001\nMessage-Id: <{msgid}>\nSubject: x\n\n{body}\n"
        )
    }

    #[test]
    fn a_mailbox_is_taken_apart() {
        let mbox = format!("{}\n{}", mail("a@x", "From here on\nit is ours\n"), mail("b@x", "b"));
        let mails = split(mbox.as_bytes(), &["a@x", "b@x"]).unwrap();
        let texts: Vec<_> = mails.iter().map(|mail| String::from_utf8_lossy(mail)).collect();
        insta::assert_snapshot!(texts.join("|"), @r"
        Message-Id: <a@x>
        Subject: x

        From here on
        it is ours


        |Message-Id: <b@x>
        Subject: x

        b
        ");
    }

    #[test]
    fn a_mail_within_a_mail_is_one_too_many() {
        let forged = mail("b@x", "diff --git a/x b/x\n");
        let mbox = mail("a@x", &format!("words\n\n{forged}")) + &mail("b@x", "b");
        let refusal = split(mbox.as_bytes(), &["a@x", "b@x"]).unwrap_err();
        insta::assert_snapshot!(refusal, @"3 mails are in it, and 2 belong there");
    }

    #[test]
    fn mails_are_known_by_their_ids_and_order() {
        let mbox = mail("b@x", "b") + &mail("a@x", "a");
        let refusal = split(mbox.as_bytes(), &["a@x", "b@x"]).unwrap_err();
        insta::assert_snapshot!(refusal, @"mail 1 of it is another one");
        assert!(split(b"", &["a@x"]).is_err());
        assert!(split(b"<html>", &["a@x"]).is_err());
    }

    #[test]
    fn one_mail_is_one_mail_whatever_is_in_it() {
        let raw = mail("a@x", &mail("b@x", "b"));
        let one = only(raw.as_bytes(), "a@x").unwrap();
        assert!(one.starts_with(b"Message-Id: <a@x>"));
        only(raw.as_bytes(), "b@x").unwrap_err();
        only(b"", "a@x").unwrap_err();
    }
}
