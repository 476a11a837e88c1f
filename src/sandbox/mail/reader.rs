//! A letter as its reader sees it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Letter;

impl Letter {
    /// The names of all headers, in their order.
    pub fn header_names(&self) -> Vec<String> {
        self.headers().into_iter().map(|(name, _)| name).collect()
    }

    /// A header, unfolded and decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut headers = self.headers().into_iter();
        let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(decoded(&value))
    }

    /// The text.
    pub fn text(&self) -> String {
        let body = self.source.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let encoding = self.header("Content-Transfer-Encoding").unwrap_or_default();
        let bytes = match encoding.to_ascii_lowercase().as_str() {
            "quoted-printable" => quoted(body, false),
            "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap_or_default(),
            _ => body.as_bytes().to_vec(),
        };
        String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim_end().to_owned()
    }

    fn headers(&self) -> Vec<(String, String)> {
        let head =
            self.source.split_once("\r\n\r\n").map_or(self.source.as_str(), |(head, _)| head);
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let split = unfolded.split("\r\n").filter_map(|line| line.split_once(':'));
        split.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }
}

/// A header with its encoded words (RFC 2047) as they are meant.
fn decoded(value: &str) -> String {
    let mut out = String::new();
    let mut was_encoded = false;
    for word in value.split(' ') {
        let plain = encoded_word(word);
        // White space between two encoded words is not shown.
        if !(out.is_empty() || (was_encoded && plain.is_some())) {
            out.push(' ');
        }
        was_encoded = plain.is_some();
        out.push_str(plain.as_deref().unwrap_or(word));
    }
    out
}

fn encoded_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.split('?').skip(1);
    let (kind, text) = (parts.next()?, parts.next()?);
    let bytes = match kind {
        "b" | "B" => STANDARD.decode(text).ok()?,
        _ => quoted(text, true),
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Quoted-printable text as it is meant.
fn quoted(text: &str, is_header: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let text = text.replace("=\r\n", "");
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'=' => {
                let digits = [bytes.next(), bytes.next()].map(|digit| {
                    digit.and_then(|digit| char::from(digit).to_digit(16)).unwrap_or_default()
                });
                let [high, low] = digits;
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
            }
            b'_' if is_header => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out
}
