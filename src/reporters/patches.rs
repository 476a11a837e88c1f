//! What the mails of a patch series say of themselves, whoever has kept them: the words in
//! brackets before a title, the lines that are meant for tools, and where a mail ends.

pub mod heading;
pub mod lines;
pub mod mail;
pub mod mbox;

/// Whether it is a Message-ID that can stand in an address, in a log and in the ledger.
///
/// It is text from outside: a slash, a percent sign or a plus may be in it.
pub fn is_msgid(text: &str) -> bool {
    const MSGID_MAX_BYTES: usize = 998;
    let is_bad = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty()
        && text.len() <= MSGID_MAX_BYTES
        && !text.contains(is_bad)
        // As a part of a path these would mean other things.
        && !matches!(text, "." | "..")
}

/// A Message-ID without `<` and `>`.
pub fn bare(msgid: &str) -> &str {
    let msgid = msgid.trim();
    msgid.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(msgid).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_one_word_and_no_step_in_a_path() {
        for id in ["a@b", "ZQ1L/LOtJn1ewOG/@gofer.example", "a+b%2F@c", "no-at-sign"] {
            assert!(is_msgid(id), "{id}");
        }
        for id in ["", ".", "..", "a b@c", "a\n@b", &"x".repeat(999)] {
            assert!(!is_msgid(id), "{id}");
        }
    }

    #[test]
    fn brackets_are_no_part_of_a_message_id() {
        assert_eq!(bare(" <a@b> "), "a@b");
        assert_eq!(bare("a@b"), "a@b");
        assert_eq!(bare("<a@b"), "<a@b");
    }
}
