//! Slack's mark-up.  It has no escapes but three entities, so mark-up in words is broken by a
//! seam; mentions and commands need a `<`, which words cannot have.

use url::Url;

use crate::neutral::SEAM;
use crate::reporters::chat::MESSAGE_MAX_CHARS;
use crate::reporters::markup::{self, Dialect, is_at_edge, uncalled};

/// `text`, which is Markdown, as Slack writes it.
pub(super) fn written(text: &str) -> String {
    markup::bounded(text, &Mrkdwn, MESSAGE_MAX_CHARS)
}

struct Mrkdwn;

impl Dialect for Mrkdwn {
    fn text(&self, text: &str) -> String {
        let chars: Vec<char> = uncalled(text, &['@', '＠', '﹫']).chars().collect();
        let mut out = String::with_capacity(text.len());
        for (index, &c) in chars.iter().enumerate() {
            let is_mark = matches!(c, '*' | '_' | '~' | '`') && is_at_edge(&chars, index);
            let is_quote = c == '>' && index == 0;
            if is_mark || is_quote {
                out.push(SEAM);
            }
            push_escaped(&mut out, c);
            if is_mark {
                out.push(SEAM);
            }
        }
        out
    }

    fn address(&self, url: &str) -> String {
        format!("<{}>", safe(url))
    }

    fn link(&self, words: &str, url: &Url) -> String {
        // A link has no link in it, and no end of line.
        let words = words.replace(['<', '>'], "").replace('\n', " ");
        format!("<{}|{words}>", safe(url.as_str()))
    }

    fn strong(&self, words: &str) -> String {
        format!("*{words}*")
    }

    fn emphasis(&self, words: &str) -> String {
        format!("_{words}_")
    }

    fn code(&self, text: &str) -> String {
        format!("`{}`", escaped(&text.replace('`', "'")))
    }

    fn block(&self, text: &str) -> String {
        format!("```\n{}\n```", escaped(&text.replace("```", "'''")))
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in uncalled(text, &['@']).chars() {
        push_escaped(&mut out, c);
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        _ => out.push(c),
    }
}

/// An address that ends where it ends.
fn safe(url: &str) -> String {
    let url = url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E");
    url.replace('&', "&amp;")
}
