//! Mails within mails.

/// Whether there is a line in a mail, besides its first, at which git would split a folder of
/// mails: what follows it could be from anybody.
pub(super) fn has_another(letter: &[u8]) -> bool {
    letter.split(|&byte| byte == b'\n').skip(1).any(begins_a_mail)
}

/// Whether git takes a line for the beginning of a mail: `From `, and at its end a time and a
/// year, as `git mailsplit` looks for them.
fn begins_a_mail(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    // The last colon is the one before the seconds.
    let Some(colon) = rest.iter().rposition(|&byte| byte == b':') else { return false };
    let (before, after) = rest.split_at(colon);
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let from_end = |back: usize| before.len().checked_sub(back).and_then(|at| before.get(at));
    let is_time = [1, 2, 4].into_iter().all(|back| is_digit(from_end(back)))
        && is_digit(after.get(1))
        && is_digit(after.get(2));
    let year = after.get(3..).unwrap_or_default().trim_ascii_start();
    let digits = year.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let year = std::str::from_utf8(year.get(..digits).unwrap_or_default());
    is_time && year.is_ok_and(|year| year.parse::<u64>().is_ok_and(|year| year > 90))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_begins_where_git_says_so() {
        for line in [
            "From x Mon Sep 17 00:00:00 2001",
            "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001",
            "From ann@example.org Tue Nov 14 22:13:20 2023 +0000",
            "From  x  1:02:03 99",
        ] {
            assert!(begins_a_mail(line.as_bytes()), "{line}");
        }
        for line in [
            "From x",
            "From here on, see 10:20",
            "From x Mon Sep 17 00:00:00",
            "From x Mon Sep 17 00:00:00 90",
            "From x Mon Sep 17 0:0:0 2001",
            ">From x Mon Sep 17 00:00:00 2001",
            "From: x Mon Sep 17 00:00:00 2001",
            "",
        ] {
            assert!(!begins_a_mail(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn the_first_line_of_a_mail_is_its_own() {
        assert!(!has_another(b"From x Mon Sep 17 00:00:00 2001\nFrom: a\n\nb\n"));
        assert!(has_another(b"From: a\n\nFrom x Mon Sep 17 00:00:00 2001\r\nFrom: b\n\nb\n"));
    }
}
