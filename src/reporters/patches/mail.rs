//! As much of a mail as is needed to see which it is and what it says: a few headers, and the
//! first text in it.
//!
//! What applies patches reads mails by itself; nothing here decides what is in a commit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How deep parts within parts are looked into.
const DEPTH_MAX: usize = 4;

/// A mail, taken apart; a line `From …` of a mailbox before it is left out.
#[derive(Debug)]
pub struct Mail<'a> {
    headers: Vec<(String, String)>,
    body: &'a [u8],
}

impl<'a> Mail<'a> {
    /// How long the headers of a mail may be.
    const HEADERS_MAX_BYTES: usize = 256 * 1024;

    /// Takes a mail apart; what is none has no headers.
    pub fn read(raw: &'a [u8]) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut rest = skip_separator(raw);
        let mut seen = 0;
        while let Some((line, after)) = next_line(rest) {
            seen += line.len();
            rest = after;
            if line.is_empty() || seen > Self::HEADERS_MAX_BYTES {
                break;
            }
            let text = String::from_utf8_lossy(line);
            if text.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(text.trim());
                }
            } else if let Some((name, value)) = text.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self { headers, body: rest }
    }

    /// The first header of this name, in lower case, as it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All headers of this name, the newest first.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let headers = self.headers.iter();
        headers.filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The Message-ID, without `<` and `>`.
    pub fn msgid(&self) -> Option<&str> {
        self.header("message-id").map(super::bare).filter(|id| super::is_msgid(id))
    }

    /// The subject, decoded.
    pub fn subject(&self) -> String {
        decoded(self.header("subject").unwrap_or_default())
    }

    /// Name and address of the sender, as the mail has them.
    pub fn sender(&self) -> (String, String) {
        let from = self.header("from").unwrap_or_default();
        let parts =
            from.rsplit_once('<').and_then(|(name, rest)| Some((name, rest.split_once('>')?)));
        match parts {
            Some((name, (address, _))) => {
                (decoded(name.trim().trim_matches('"')), address.trim().to_owned())
            }
            None => (String::new(), from.trim().to_owned()),
        }
    }

    /// The first text of the mail, decoded as far as it can be; nothing where there is none.
    pub fn text(&self) -> String {
        self.text_within(0).unwrap_or_default()
    }

    fn text_within(&self, depth: usize) -> Option<String> {
        let kind = self.header("content-type").unwrap_or("text/plain");
        let lower = kind.to_ascii_lowercase();
        if lower.starts_with("multipart/") && depth < DEPTH_MAX {
            let boundary = parameter(kind, "boundary")?;
            let mut parts = parts(self.body, &boundary).into_iter();
            return parts.find_map(|part| Mail::read(part).text_within(depth + 1));
        }
        if !lower.starts_with("text/plain") {
            return None;
        }
        let encoding = self.header("content-transfer-encoding").unwrap_or_default();
        let bytes = match encoding.to_ascii_lowercase().as_str() {
            "base64" => unbase64(self.body)?,
            "quoted-printable" => unquoted(self.body, None),
            _ => self.body.to_vec(),
        };
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What follows the line `From …` that a mailbox has before each mail.
pub fn skip_separator(raw: &[u8]) -> &[u8] {
    match next_line(raw) {
        Some((line, after)) if line.starts_with(b"From ") => after,
        Some(_) | None => raw,
    }
}

/// The first line, without its end, and what follows it.
pub(super) fn next_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.is_empty() {
        return None;
    }
    let end = text.iter().position(|byte| *byte == b'\n');
    let (line, after) = match end {
        Some(end) => (text.get(..end)?, text.get(end + 1..)?),
        None => (text, [].as_slice()),
    };
    Some((line.strip_suffix(b"\r").unwrap_or(line), after))
}

/// The parts between boundaries; what is before the first and after the last is no part.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start: Option<&[u8]> = None;
    let mut rest = body;
    while let Some((line, after)) = next_line(rest) {
        if line.starts_with(mark.as_bytes()) {
            if let Some(part) = start {
                parts.extend(part.get(..part.len() - rest.len()));
            }
            start = (!line.ends_with(b"--")).then_some(after);
        }
        rest = after;
    }
    parts.extend(start);
    parts
}

/// The value of a parameter such as `boundary="x"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let is_it = key.trim().eq_ignore_ascii_case(name);
        is_it.then(|| value.trim().trim_matches('"').to_owned()).filter(|value| !value.is_empty())
    })
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(letters).ok()
}

/// Undoes quoted-printable; in words of a header an underscore is a space.
fn unquoted(text: &[u8], space: Option<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            out.push(if Some(byte) == space { b' ' } else { byte });
            continue;
        }
        match after {
            [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] => rest = after,
            [high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high * 16 + low);
                    rest = after;
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A header's text with its encoded words (RFC 2047) decoded; what cannot be stays.
pub fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut was_word = false;
    while let Some((before, word, after)) = next_word(rest) {
        // White space between two such words is not meant.
        if !(was_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&word);
        was_word = true;
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What is before the next encoded word, the word decoded, and what follows it.
fn next_word(text: &str) -> Option<(&str, String, &str)> {
    let (before, from) = text.split_once("=?")?;
    let mut pieces = from.splitn(3, '?');
    let (charset, encoding, rest) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let (data, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "b" | "B" => unbase64(data.as_bytes())?,
        "q" | "Q" => unquoted(data.as_bytes(), Some(b'_')),
        _ => return None,
    };
    let is_latin = ["iso-8859-1", "iso-8859-15", "windows-1252"]
        .iter()
        .any(|latin| charset.eq_ignore_ascii_case(latin));
    let word = if is_latin {
        bytes.iter().copied().map(char::from).collect()
    } else {
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Some((before, word, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_unfolded_and_decoded() {
        let raw = b"From nobody Mon Sep 17 00:00:00 2001\r\n\
            Message-ID:\r\n <a/b@x>\r\n\
            From: =?UTF-8?q?Ada_L=C3=B6we?= =?utf-8?B?bGFjZQ==?= <ada@mail.example>\r\n\
            SUBJECT: [PATCH 1/2]\r\n\tpoints: =?iso-8859-1?Q?gr=FCn?= =?x\r\n\r\nbody\r\n";
        let mail = Mail::read(raw);
        assert_eq!(mail.msgid(), Some("a/b@x"));
        assert_eq!(mail.subject(), "[PATCH 1/2] points: grün =?x");
        assert_eq!(mail.sender(), ("Ada Löwelace".to_owned(), "ada@mail.example".to_owned()));
        assert_eq!(mail.text(), "body\r\n");
        assert_eq!(Mail::read(b"From: ada@mail.example\n\n").sender().1, "ada@mail.example");
    }

    #[test]
    fn a_text_is_decoded_wherever_it_is() {
        let quoted = b"Content-Transfer-Encoding: quoted-printable\n\nBase=\nd-on: =C3=BC =ZZ=\n";
        assert_eq!(Mail::read(quoted).text(), "Based-on: ü =ZZ");
        let base64 = b"Content-Transfer-Encoding: Base64\n\nQmFzZWQt\nb246IGE=\n";
        assert_eq!(Mail::read(base64).text(), "Based-on: a");
        let parts = b"Content-Type: multipart/mixed; boundary=\"x\"\n\nno part\n--x\n\
            Content-Type: text/html\n\n<p>\n--x\n\nplain\n--x\n\nlater\n--x--\nno part\n";
        assert_eq!(Mail::read(parts).text(), "plain\n");
    }

    #[test]
    fn parts_in_parts_in_parts_come_to_an_end() {
        let mut raw = b"\ndeep".to_vec();
        for depth in 0..100 {
            let outer = format!("Content-Type: multipart/mixed; boundary={depth}x\n\n--{depth}x\n");
            raw = [outer.as_bytes(), &raw].concat();
        }
        assert_eq!(Mail::read(&raw).text(), "");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(raw: Vec<u8>, text: String) {
            let mail = Mail::read(&raw);
            drop((mail.subject(), mail.sender(), mail.text(), decoded(&text)));
        }
    }
}
